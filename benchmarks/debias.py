"""Debiasing by rule on real captions: what is left, what it cost in BERTScore, captions a second, and samples to read.

    python benchmarks/debias.py [--data ../shared/data] [--n-bertscore 0] [--samples 100] [--seed 7]

Rates are over all captions of `captions-text`, with Wilson's 95 % intervals. BERTScore F1 (packaged encoder, fp32) is
of all changed captions, or of `--n-bertscore` drawn at random. `--samples` prints changed captions drawn at random,
to be read for grammar: `benchmarks/README.md` has what reading them found. Beside that, captions that were rewritten
by hand (`neutral_captions.json`) say what the same change costs a person.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.bert_model import PACKAGED
from curation.bias.matching import find_mentions
from curation.bias.vocabulary import CATEGORIES
from curation.debias.cost import bert_scores, bias_rates, terms_in
from curation.debias.rules import rewrite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--n-bertscore", type=int, default=0, help="0: all that were changed.")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    captions = pq.read_table(asked.data / "captions-text", columns=["caption"]).column("caption").to_pylist()
    rewrite("A man.")  # reads the vocabularies
    start = time.process_time()
    after = [rewrite(caption) for caption in captions]
    took = time.process_time() - start
    pairs = list(zip(captions, after, strict=True))
    changed = [(was, now) for was, now in pairs if was != now]
    untouched = [was for was, now in pairs if not find_mentions(was) and was != now]
    print(
        f"{len(captions)} captions, {len(changed)} changed, {len(untouched)} of them without a mention; "
        f"{len(captions) / took:.0f}/s"
    )
    print_rates([terms_in(was) for was in captions], [terms_in(now) for now in after])
    chosen = changed
    if asked.n_bertscore:
        chosen = random.Random(asked.seed).sample(changed, min(asked.n_bertscore, len(changed)))
    print_cost("changed captions", chosen)
    print_cost("rewritten by hand", by_hand(asked.data))
    for was, now in random.Random(asked.seed).sample(changed, min(asked.samples, len(changed))):
        print(f"- {was.strip()}\n+ {now.strip()}")


def print_rates(before: list[tuple[str, ...]], after: list[tuple[str, ...]]) -> None:
    rates = bias_rates(before, after)
    print("\n| category | captions before | after | share after [95 %] |")
    print("|---|---:|---:|---|")
    for name in CATEGORIES:
        was, now = rates.before[name], rates.after[name]
        assert now.share is not None
        print(f"| {name} | {was.n_hits} | {now.n_hits} | {now.share:.4f} [{now.low:.4f}, {now.high:.4f}] |")


def print_cost(what: str, pairs: list[tuple[str, str]]) -> None:
    if not pairs:
        return
    start = time.monotonic()
    scores = [score for score in bert_scores(pairs, PACKAGED, "cpu") if score is not None]
    quantiles = statistics.quantiles(scores, n=20)
    print(
        f"\nBERTScore F1, {what}: mean {statistics.mean(scores):.4f}, median {statistics.median(scores):.4f}, "
        f"5 % {quantiles[0]:.4f}, least {min(scores):.4f}, n = {len(scores)} ({time.monotonic() - start:.0f} s)"
    )


def by_hand(data: Path) -> list[tuple[str, str]]:
    """Captions of COCO and what a person made of them, where that is not the same."""
    neutral = json.loads(Path(__file__).with_name("neutral_captions.json").read_text(encoding="utf-8"))
    rows = pq.read_table(data / "coco-captions", columns=["image_id", "captions"]).to_pylist()
    captions = {str(row["image_id"]): row["captions"] for row in rows}
    return [
        (captions[image][int(number)], text)
        for image, texts in neutral.items()
        if image != "about"
        for number, text in texts.items()
        if captions[image][int(number)] != text
    ]


if __name__ == "__main__":
    main()
