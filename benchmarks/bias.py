"""The bias measure on captions labelled by reading, distilvit's rule beside it, and captions a second.

    python benchmarks/bias.py [--data ../shared/data] [--repeats 5]

Precision and recall with Wilson's 95 % intervals, F1 with a bootstrap's (2,000 resamples of captions, seed 0). How the
captions were drawn and labelled: `tests/curation/bias/labelled.py`. "random" are those of all parts that were drawn at
random, which alone stand for the whole data. Throughput is CPU time of one process over all captions of the data, and
of the measure over their table; the ratio to distilvit's rule is the median over repeats that take turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the labels are the tests'

from benchmarks.bias_distilvit import distilvit_rule
from curation.bias.matching import find_mentions
from curation.bias.rates import wilson_interval
from curation.bias.vocabulary import CATEGORIES, vocabulary
from curation.measures.bias import Bias
from curation.sample import MESSAGES_TYPE
from curation.stage import Batch
from tests.curation.bias.labelled import Labelled, found_in, labelled_captions

N_RESAMPLES = 2_000
Find = Callable[[str], Collection[str]]


def ours(text: str) -> set[str]:
    return {mention.category for mention in find_mentions(text)}


def f1_interval(captions: Sequence[Labelled], category: str, find: Find) -> tuple[float, float] | None:
    """The bootstrap's 2.5 % and 97.5 % quantiles of F1; None where nothing is stated or found."""
    hits = np.array([category in find(one.caption) for one in captions])
    stated = np.array([category in one.states for one in captions])
    chosen = np.random.default_rng(0).integers(len(captions), size=(N_RESAMPLES, len(captions)))
    n_right = (hits & stated)[chosen].sum(axis=1)
    n_either = hits[chosen].sum(axis=1) + stated[chosen].sum(axis=1)
    values = 2 * n_right[n_either > 0] / n_either[n_either > 0]
    if not len(values):
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def with_interval(n: int, of: int) -> str:
    if not of:
        return "-"
    low, high = wilson_interval(n, of)
    return f"{n / of:.3f} [{low:.3f}, {high:.3f}]"


def print_quality(captions: Sequence[Labelled], title: str, finders: dict[str, Find]) -> None:
    print(f"\n{title}, {len(captions)} captions")
    print("| category | stated | rule | precision | recall | F1 |")
    print("|---|---:|---|---|---|---|")
    for category in CATEGORIES:
        for name, find in finders.items():
            found = found_in(captions, category, find)
            stated = found.n_right + found.n_missed
            precision = with_interval(found.n_right, found.n_right + found.n_wrong)
            either = 2 * found.n_right + found.n_wrong + found.n_missed
            interval = f1_interval(captions, category, find)
            f1 = (
                f"{2 * found.n_right / either:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
                if either and interval
                else "-"
            )
            print(f"| {category} | {stated} | {name} | {precision} | {with_interval(found.n_right, stated)} | {f1} |")


def print_speed(data: Path, n_repeats: int, finders: dict[str, Find]) -> None:
    captions = pq.read_table(data / "captions-text", columns=["caption"]).column("caption").to_pylist()
    start = time.process_time()
    vocabulary()
    print(f"\nvocabularies compiled in {time.process_time() - start:.2f} s of CPU (once a process)")
    rates: dict[str, list[float]] = {name: [] for name in finders}
    for _ in range(n_repeats):
        for name, find in finders.items():
            start = time.process_time()
            for caption in captions:
                find(caption)
            rates[name].append(len(captions) / (time.process_time() - start))
    for name, values in rates.items():
        print(f"{name}: {statistics.median(values):,.0f} captions a second of CPU ({len(captions):,} captions)")
    table = pa.table({"task": ["image_to_caption"] * len(captions), "text": captions, "original_caption": captions})
    table = table.append_column("messages", pa.nulls(len(captions), MESSAGES_TYPE))
    with Bias().open() as worker:
        start = time.process_time()
        worker(Batch(table))
        n_rows = len(captions) / (time.process_time() - start)
    print(f"the measure, original and text of each row: {n_rows:,.0f} rows a second of CPU")
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["distilvit"], strict=True))
    print(f"ours is {ratio:.2f} x distilvit's rule as one pattern a category")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    finders: dict[str, Find] = {"ours": ours, "distilvit": distilvit_rule()}
    # Speed first: what is compiled is counted before anything has used it.
    print_speed(options.data, options.repeats, finders)
    captions = labelled_captions(options.data)
    for half in ("tuned", "held_out", "fresh"):
        print_quality([one for one in captions if one.half == half], half, finders)
    print_quality([one for one in captions if one.draw == "random"], "random", finders)
    print_quality(captions, "all", finders)


if __name__ == "__main__":
    main()
