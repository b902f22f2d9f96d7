"""What the classes measure finds, against annotations and readers, and how fast it and the statistics measure are.

    python benchmarks/classes.py [--data ../shared/data] [--repeats 3]

Objects: COCO's 78 annotated pictures with five captions each. Two references. What annotators drew: they see the
picture, captions do not say all of it, and name things that nobody drew. What a reader says that each caption names
(`tests/curation/classes/named_in_captions.jsonl`, from the captions alone, before the finder was written): that alone
tells whether the finder reads rightly; the reader wrote the finder, too, which flatters it. A drawn class counts
as mentioned where the reader has it in one of the picture's captions. Beside it two word matches: `naive` is the
class's name as words, with or without an "s"; `distilvit` its report's rule, the name alone. Intervals are
bootstraps over pictures, 95 %.

Components: pages of WebSight read by a person (`components_of_pages.jsonl` there).
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.classes.objects import objects_named, vocabulary
from curation.classes.sample_classes import classes_of
from curation.markup.canonical import Canonical, canonical_batch
from curation.measures.classes import Classes
from curation.measures.statistics import Statistics
from curation.stage import Batch, Stage

LABELS = Path(__file__).resolve().parents[1] / "tests" / "curation" / "classes"
COCO = vocabulary().names("coco")
N_BOOTSTRAPS = 1_000

Finder = Callable[[str], set[str]]
Pairs = list[tuple[set[str], set[str]]]
"""Found and true, case after case."""


@dataclass
class Counts:
    """By class: found rightly, found, and true."""

    right: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(pairs: Pairs) -> Counts:
        """Count cases."""
        counts = Counts()
        for found, true in pairs:
            counts.right.update(found & true)
            counts.found.update(found)
            counts.true.update(true)
        return counts

    def micro(self) -> tuple[float, float, float]:
        """Over all classes together."""
        return scores(self.right.total(), self.found.total(), self.true.total())

    def macro_f1(self) -> float:
        """Over classes that are true somewhere."""
        return statistics.mean(scores(self.right[c], self.found[c], self.true[c])[2] for c in self.true)


def scores(right: int, found: int, true: int) -> tuple[float, float, float]:
    """Precision, recall, F1; 0 where there is nothing to divide by."""
    return right / max(1, found), right / max(1, true), 2 * right / max(1, found + true)


def interval(pairs: Pairs, groups: Sequence[int]) -> tuple[float, float]:
    """95 % of the micro F1 over resampled groups."""
    names = sorted(set(groups))
    of_group = {name: np.zeros(3) for name in names}
    for (found, true), group in zip(pairs, groups, strict=True):
        of_group[group] += (len(found & true), len(found), len(true))
    table = np.array([of_group[name] for name in names])
    rng = np.random.default_rng(0)
    totals = (table[rng.integers(0, len(names), len(names))].sum(0) for _ in range(N_BOOTSTRAPS))
    low, high = np.quantile([2 * right / (found + true) for right, found, true in totals], [0.025, 0.975])
    return float(low), float(high)


def ours(caption: str) -> set[str]:
    return objects_named(caption) & set(COCO)


def word_match(plural: str) -> Finder:
    rules = {name: re.compile(rf"\b{re.escape(name)}{plural}\b") for name in COCO}

    def find(caption: str) -> set[str]:
        text = re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", caption.lower()))
        return {name for name, rule in rules.items() if rule.search(text)}

    return find


FINDERS: dict[str, Finder] = {"ours": ours, "naive": word_match("s?"), "distilvit": word_match("")}


def objects_table(data: Path) -> None:
    rows = pq.read_table(data / "coco-captions", columns=["image_id", "captions", "objects"]).to_pylist()
    labels = [json.loads(line) for line in (LABELS / "named_in_captions.jsonl").read_text("utf-8").splitlines()][1:]
    named = {(label["image_id"], label["caption"]): set(label["mentions"]) for label in labels}
    captions = [(row["image_id"], number, text) for row in rows for number, text in enumerate(row["captions"])]
    drawn = {row["image_id"]: set(row["objects"]) for row in rows}
    mentioned: dict[int, set[str]] = {image: set() for image in drawn}
    for (image, _), classes in named.items():
        mentioned[image] |= classes
    images = [image for image, _, _ in captions]
    print(f"objects: {len(rows)} pictures, {len(captions)} captions, {sum(map(len, drawn.values()))} drawn classes,")
    n_said = sum(len(drawn[image] & mentioned[image]) for image in drawn)
    print(f"  of which {n_said} are mentioned; {sum(map(len, named.values()))} mentions by the reader\n")
    print("| finder | reference | precision | recall | F1 | 95 % | macro F1 |\n|---|---|---:|---:|---:|---|---:|")
    best: dict[str, Counts] = {}
    for name, find in FINDERS.items():
        by_caption = [(find(text), named[image, number]) for image, number, text in captions]
        by_image = [(set().union(*map(find, row["captions"])), drawn[row["image_id"]]) for row in rows]
        said = [(found, drawn[image] & mentioned[image]) for image, (found, _) in zip(drawn, by_image, strict=True)]
        for reference, pairs, groups in (
            ("caption, reader", by_caption, images),
            ("picture, drawn", by_image, list(drawn)),
            ("picture, drawn and mentioned", said, list(drawn)),
        ):
            counts = Counts.of(pairs)
            low, high = interval(pairs, groups)
            numbers = " | ".join(f"{value:.3f}" for value in counts.micro())
            print(f"| {name} | {reference} | {numbers} | {low:.3f}-{high:.3f} | {counts.macro_f1():.3f} |")
            best.setdefault(f"{name} {reference}", counts)
        if name == "ours":
            errors(by_image, [mentioned[image] for image in drawn])
    by_class(best)


def errors(by_image: Pairs, mentioned: Sequence[set[str]]) -> None:
    n_found_undrawn = sum(len(found - true) for found, true in by_image)
    said = sum(len((found - true) & m) for (found, true), m in zip(by_image, mentioned, strict=True))
    n_drawn_unfound = sum(len(true - found) for found, true in by_image)
    unsaid = sum(len((true - found) - m) for (found, true), m in zip(by_image, mentioned, strict=True))
    print(f"|   | found, not drawn: {n_found_undrawn}, of which the reader has {said} | | | | | |")
    print(f"|   | drawn, not found: {n_drawn_unfound}, of which no caption mentions {unsaid} | | | | | |")


def by_class(best: dict[str, Counts]) -> None:
    columns = ("ours caption, reader", "naive caption, reader", "ours picture, drawn")
    print(
        "\n| class | named | ours P, R, F1 | naive P, R, F1 | drawn | ours against drawn P, R, F1 |"
        "\n|---|---:|---|---|---:|---|"
    )
    reader, drawn = best[columns[0]], best[columns[2]]
    for name in sorted(COCO, key=lambda name: (-reader.true[name], -drawn.true[name])):
        if reader.true[name] + drawn.true[name] + reader.found[name]:
            cells = [
                " ".join(f"{v:.2f}" for v in scores(c.right[name], c.found[name], c.true[name]))
                for c in (best[column] for column in columns)
            ]
            print(f"| {name} | {reader.true[name]} | {cells[0]} | {cells[1]} | {drawn.true[name]} | {cells[2]} |")


def components_table(data: Path) -> None:
    pages = pq.read_table(data / "websight", columns=["text"]).column("text").to_pylist()
    labels = [json.loads(line) for line in (LABELS / "components_of_pages.jsonl").read_text("utf-8").splitlines()][1:]
    print(
        f"\ncomponents: {len(labels)} pages\n\n| component | pages | precision | recall | F1 |"
        "\n|---|---:|---:|---:|---:|"
    )
    pairs = []
    for label in labels:
        classes = classes_of("page_to_html", pages[label["row"]], None) or []
        found = {name.removeprefix("component:") for name in classes if name.startswith("component:")}
        pairs.append((found, set(label["components"])))
    counts = Counts.of(pairs)
    for name, n in counts.true.most_common():
        numbers = " | ".join(f"{value:.2f}" for value in scores(counts.right[name], counts.found[name], n))
        print(f"| {name} | {n} | {numbers} |")
    print(f"| all | {counts.true.total()} | {' | '.join(f'{value:.2f}' for value in counts.micro())} |")


def speed_table(data: Path, repeats: int) -> None:
    def texts(folder: str, column: str) -> list[str]:
        return [str(text) for text in pq.read_table(data / folder, columns=[column]).column(column).to_pylist()]

    formulas = (data / "latex-formulas" / "formulas.txt").read_text("utf-8").splitlines()[:2_000]
    tables = [
        t for f in ("pubtabnet-html", "pubtabnet-markup-only", "fintabnet-markup-only") for t in texts(f, "html_table")
    ]
    sets = {
        "WebSight pages": ("page_to_html", texts("websight", "text")),
        "PubTabNet and FinTabNet tables": ("table_to_html", tables),
        "im2latex formulas": ("formula_to_latex", formulas),
        "COCO captions": ("image_to_caption", texts("captions-text", "caption")),
    }
    print("\nrows/s, one thread, canonical texts\n\n| rows | n | classes | statistics |\n|---|---:|---:|---:|")
    for name, (task, raw) in sets.items():
        forms = canonical_batch([task] * len(raw), raw)
        kept = [form.text for form in forms if isinstance(form, Canonical)]
        batch = Batch(pa.table({"task": [task] * len(kept), "text": kept}))
        stages: tuple[Stage, Stage] = (Classes(), Statistics())
        rates = [rate(stage, batch, repeats) for stage in stages]
        print(f"| {name} | {len(kept)} | {rates[0]:,.0f} | {rates[1]:,.0f} |")


def rate(stage: Stage, batch: Batch, repeats: int) -> float:
    """Rows a second of processor time: the median, after one round to warm up."""
    seconds = []
    with stage.open() as worker:
        worker(batch)
        for _ in range(repeats):
            start = time.process_time()
            worker(batch)
            seconds.append(time.process_time() - start)
    return batch.table.num_rows / statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    objects_table(options.data)
    components_table(options.data)
    speed_table(options.data, options.repeats)


if __name__ == "__main__":
    main()
