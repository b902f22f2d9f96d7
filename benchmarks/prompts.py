"""Prompts for rare classes: their variety and grammar beside templates as distilvit has them, and the time they take.

    python benchmarks/prompts.py [--data ../shared/data] [--seeds 3] [--distilvit generate_synthetic_prompts.py]

Distinct-1, distinct-2 (higher is more varied) and self-BLEU (lower is) of equally many prompts for the same objects:
all of the vocabulary with a count below 50 in the captions of the data, five prompts each and 100 combinations, as
distilvit's defaults are. The templates here are a reconstruction: as many of the same kinds, put together by the same
procedure (a template of each of five kinds in turn, in seven of ten cases one or two modifiers; "a" before every
object), in our words. `--distilvit` runs the original beside them (tarekziade/distilvit2,
distilvit/generate_synthetic_prompts.py).
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.bias.matching import find_mentions
from curation.classes.objects import objects_named, vocabulary
from curation.classes.sample_classes import classes_of
from curation.prompts.make import Wanted, make_prompts
from curation.prompts.nouns import article, noun_of
from curation.prompts.variety import distinct_n, self_bleu

THRESHOLD = 50
PER_OBJECT = 5

TEMPLATES = tuple(
    tuple(line.strip() for line in kind.strip().splitlines())
    for kind in (
        """
        A {} in a homely room with natural light
        A view of a {} in detail on a wooden desk
        A {} near a window in mild daylight
        An interior with a {} in front
        A plain composition around a {}
        A {} in a bright interior
        A close photograph of a {} indoors
        """,
        """
        A {} in the open air
        A {} photographed in full daylight
        An outdoor view with a {} in the middle
        A {} before a fine background
        A {} in a garden or park
        A landscape with a {}
        A {} outdoors in natural surroundings
        """,
        """
        A scene that shows somebody with a {}
        A {} as it is used in an activity
        An action picture of a {}
        A lively scene with a moving {}
        A {} in use
        A scene of movement around a {}
        """,
        """
        A professional picture of a {}
        A close-up of a {} in detail
        A {} in clear focus and light
        A studio picture of a {}
        A {} taken with a shallow depth of field
        An artful composition with a {}
        """,
        """
        A {} in its usual environment
        A realistic picture with a {}
        A {} in an everyday context
        A candid picture of a {}
        A {} in a natural place
        """,
    )
)
MODIFIERS = tuple(
    tuple(line.strip() for line in kind.strip().splitlines())
    for kind in (
        """
        in dramatic light
        in the golden hour
        in soft natural light
        in bright sun
        in ambient light
        at dusk
        by day
        lit from behind
        """,
        """
        seen from below
        seen from above
        with a symmetrical composition
        by the rule of thirds
        in front
        in the centre of the frame
        before a blurred background
        """,
        """
        in a photorealistic style
        as a photograph of high quality
        in vivid colours
        in natural colours
        with a shallow depth of field
        in sharp focus
        """,
        """
        with much detail
        in 4K
        professionally photographed
        worthy of an award
        as in a magazine
        """,
    )
)
TOGETHER = (
    "A scene with {}",
    "A photograph of {}",
    "An image of {} together",
    "A composition with {} to be seen",
    "A setting with {}",
)
WHERE = ("in a natural place", "indoors", "outdoors in good light", "artfully arranged", "in an everyday context")


def reconstruction(objects: Sequence[str], n_combinations: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for name in objects:
        for number in range(PER_OBJECT):
            text = rng.choice(TEMPLATES[number % len(TEMPLATES)]).format(name)
            if rng.random() > 0.3:
                for kind in rng.sample(MODIFIERS, rng.randint(1, 2)):
                    text += f", {rng.choice(kind)}"
            texts.append(text)
    for _ in range(n_combinations):
        chosen = [f"a {name}" for name in rng.sample(list(objects), rng.randint(2, 3))]
        text = rng.choice(TOGETHER).format(", ".join(chosen[:-1]) + f" and {chosen[-1]}")
        texts.append(text + (f", {rng.choice(WHERE)}" if rng.random() > 0.5 else ""))
    return texts


def original(module: ModuleType, objects: Sequence[str], n_combinations: int, seed: int) -> list[str]:
    random.seed(seed)
    made = module.generate_prompts([(name, 1) for name in objects], PER_OBJECT, True, n_combinations)
    return [row["prompt"] for row in made]


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("distilvit_prompts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wrong_articles(texts: Sequence[str], objects: Sequence[str]) -> int:
    """Prompts with "a" where "an" belongs or the other way, or before a noun that cannot be counted or is a plural."""
    counted, uncounted = (
        re.compile(rf"\b(?:{'|'.join(sorted((re.escape(n) for n in names), key=len, reverse=True))})\b", re.IGNORECASE)
        for names in (
            [name for name in objects if noun_of(name).kind == "count"],
            [name for name in objects if noun_of(name).kind != "count"],
        )
    )
    bad = re.compile(rf"\ban? {uncounted.pattern}", re.IGNORECASE)
    n = 0
    for text in texts:
        found = [(m[1].lower(), m[2]) for m in re.finditer(r"\b(an?) (\w[\w-]*)", text, re.IGNORECASE)]
        n += any(said != article(word) for said, word in found) or bool(bad.search(counted.sub("thing", text)))
    return n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--distilvit", help="The original script, to run it as it is.")
    asked = parser.parse_args()
    captions = pq.read_table(asked.data / "captions-text", columns=["caption"]).column("caption").to_pylist()
    named = Counter(name for caption in captions for name in objects_named(caption))
    counts = {f"object:{name}": named[name] for name in vocabulary().names() if named[name] < THRESHOLD}
    objects = [name.removeprefix("object:") for name in counts]
    n_combinations = min(2 * len(objects), 100)
    print(f"{len(captions)} captions; {len(objects)} objects of the vocabulary are in fewer than {THRESHOLD}")

    def ours(seed: int) -> list[str]:
        made = make_prompts(counts, "image_to_caption", Wanted(per_object=PER_OBJECT, seed=seed))
        return [prompt.text for prompt in made.prompts]

    makers: dict[str, Callable[[int], list[str]]] = {
        "markupmill": ours,
        "distilvit's templates, reconstructed": lambda seed: reconstruction(objects, n_combinations, seed),
    }
    if asked.distilvit:
        module = loaded(asked.distilvit)
        makers["distilvit's own script"] = lambda seed: original(module, objects, n_combinations, seed)
    print(
        "\n| prompts | n | distinct-1 | distinct-2 | self-BLEU | equal to another | wrong article "
        "| name their objects | s |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, make in makers.items():
        rows = []
        for seed in range(asked.seeds):
            start = time.process_time()
            texts = make(seed)
            took = time.process_time() - start
            named_right = sum(bool(objects_named(text) & set(objects)) for text in texts) / len(texts)
            assert name != "markupmill" or not any(find_mentions(text) for text in texts)
            rows.append((
                len(texts), distinct_n(texts, 1), distinct_n(texts, 2), self_bleu(texts), len(texts) - len(set(texts)),
                wrong_articles(texts, objects), named_right, took,
            ))  # fmt: skip
        means = [statistics.mean(column) for column in zip(*rows, strict=True)]
        print(
            f"| {name} | {means[0]:.0f} | {means[1]:.3f} | {means[2]:.3f} | {means[3]:.3f} | {means[4]:.1f} "
            f"| {means[5]:.1f} | {means[6]:.3f} | {means[7]:.1f} |"
        )
    print_loop(counts)


def print_loop(counts: dict[str, int]) -> None:
    """Bring every class to the threshold, taking each prompt for its sample's caption: is the target met?"""
    made = make_prompts(counts, "image_to_caption", Wanted(threshold=THRESHOLD))
    found: Counter[str] = Counter(counts)
    for prompt in made.prompts:
        found.update(set(classes_of("image_to_caption", prompt.text, None) or ()) & counts.keys())
    n_short = sum(found[name] < THRESHOLD for name in counts)
    texts = [prompt.text for prompt in made.prompts]
    print(
        f"\nTo {THRESHOLD} each: {len(texts)} prompts for {sum(made.missing.values())} missing samples, "
        f"{len(set(texts))} different, distinct-2 {distinct_n(texts, 2):.3f}; with a caption from each, "
        f"{n_short} classes stay short"
    )


if __name__ == "__main__":
    main()
