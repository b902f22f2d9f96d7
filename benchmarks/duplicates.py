"""Near duplicates planted among real rows, and look-alikes: what `find_duplicates` finds, and what it takes by mistake.

    python benchmarks/duplicates.py [--pictures 40] [--formulas 600] [--tune]

Half of the real rows, with all that was made of them, chose the thresholds (`--tune` prints the grid over that half);
what is told is of the other half. Recall: of the copies planted, how many are in the cluster of their original.
Precision: of the rows left out, how many have the same family as the row that is kept in their place. Intervals are
Wilson's, 95 %. pHash distances (in bits, of originals with pictures) say why a page's picture is not asked.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
from duplicates_planted import LOOK_ALIKE, ORIGINAL, Row, caption_rows, markup_rows, real_texts, template_siblings

from curation.duplicates import RULES, NearRule, find_duplicates
from curation.measures.hashes import Hashes
from curation.sample import IMAGE_TYPE, sha256_hex
from curation.stage import Batch
from rendering.renderer import Renderer

BATCH = 100
TEXTS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
SKELETONS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9)
RADII = (2, 4, 6, 8, 10)


def wilson(n_hits: int, n: int) -> str:
    """A share with its 95 % interval, in per cent."""
    if not n:
        return "-"
    z, share = 1.96, n_hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{100 * share:.1f} ({100 * max(0.0, middle - half):.1f} to {100 * min(1.0, middle + half):.1f})"


def hashed(rows: list[Row]) -> pa.Table:
    """The rows with the columns of the measure, the exact hashes and ids."""
    tables = []
    with Hashes().open() as worker:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            table = pa.table(
                {
                    "id": [sha256_hex(str(start + k)) for k in range(len(part))],
                    "task": [row.task for row in part],
                    "text": [row.text for row in part],
                    "text_sha256": [sha256_hex(row.text) for row in part],
                    "image_sha256": pa.array(
                        [sha256_hex(row.picture) if row.picture else None for row in part], pa.string()
                    ),
                    "image": pa.array(
                        [{"bytes": r.picture, "path": None} if r.picture else None for r in part], IMAGE_TYPE
                    ),
                    # what a real row is made worse by: so that the original is what is kept
                    "priority": pa.array([int(row.change != ORIGINAL) for row in part], pa.int32()),
                }
            )
            outcome = worker(Batch(table))
            table = table.drop_columns(["image", "text"])
            tables.append(pa.table({**{n: table.column(n) for n in table.column_names}, **outcome.columns}))
    return pa.concat_tables(tables)


class Judged:
    """What was found in some rows, against what was planted."""

    def __init__(self, rows: list[Row], table: pa.Table, rules: dict[str, NearRule]) -> None:
        found = find_duplicates([table], "near", rules)
        family = dict(zip(found.column("id").to_pylist(), (row.family for row in rows), strict=True))
        cluster = found.column("cluster").to_pylist()
        at = {(row.family, row.change): c for row, c in zip(rows, cluster, strict=True)}
        self.copies: dict[str, list[bool]] = defaultdict(list)  # found, by change
        self.left_out: dict[str, list[bool]] = defaultdict(list)  # rightly, by change
        self.wrong: list[tuple[Row, str]] = []
        self.look_alikes: dict[str, list[bool]] = defaultdict(list)  # taken for the row they were made from
        by_origin = {row.origin: c for row, c in zip(rows, cluster, strict=True) if row.change == ORIGINAL}
        for row, c, instead in zip(rows, cluster, found.column("duplicate_of").to_pylist(), strict=True):
            if row.change.startswith(LOOK_ALIKE):
                own = by_origin.get(row.origin)
                self.look_alikes[row.change].append(instead is not None if own is None else c == own)
            elif row.change != ORIGINAL:
                self.copies[row.change].append(c == at[row.family, ORIGINAL])
            if instead is not None:
                right = family[instead] == row.family
                self.left_out[row.change].append(right)
                if not right:
                    self.wrong.append((row, family[instead]))

    def scores(self) -> tuple[int, int, int, int]:
        """Copies found, copies, rows rightly left out, rows left out."""
        copies = list(itertools.chain(*self.copies.values()))
        left_out = list(itertools.chain(*self.left_out.values()))
        return sum(copies), len(copies), sum(left_out), len(left_out)


def half_of(row: Row) -> int:
    return int(sha256_hex(row.origin)[:8], 16) % 2


def distances(rows: list[Row], table: pa.Table) -> dict[str, list[int]]:
    """Distances of pHashes from rows to the original that they were made from, by change."""
    phash = table.column("phash").to_pylist()
    of = {row.origin: h for row, h in zip(rows, phash, strict=True) if row.change == ORIGINAL and h is not None}
    out: dict[str, list[int]] = defaultdict(list)
    for row, h in zip(rows, phash, strict=True):
        if row.change != ORIGINAL and row.picture and h is not None and row.origin in of:
            out[row.change].append((h ^ of[row.origin]).bit_count())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=40, help="originals of each task that get pictures")
    parser.add_argument("--formulas", type=int, default=600)
    parser.add_argument("--tune", action="store_true")
    args = parser.parse_args()
    chooser = random.Random(1)
    rows: dict[str, list[Row]] = {}
    with Renderer() as renderer:
        for task, texts in real_texts(args.formulas).items():
            rows[task] = markup_rows(task, texts, args.pictures, renderer, chooser)
    for row in template_siblings(200):
        rows[row.task].append(row)
    rows["image_to_caption"] = caption_rows(chooser)
    for task, of_task in rows.items():
        report(task, of_task, args.tune)


def report(task: str, rows: list[Row], tune: bool) -> None:
    table = hashed(rows)
    halves = [np.flatnonzero([half_of(row) == half for row in rows]) for half in (0, 1)]
    chosen, told = (([rows[i] for i in half], table.take(pa.array(half))) for half in halves)
    rule = RULES[task]
    if tune:
        seconds = SKELETONS if rule.radius_bits is None else RADII
        for text, second in itertools.product(TEXTS, seconds):
            one = replace(
                rule, text=text, **({"skeleton": second} if rule.radius_bits is None else {"radius_bits": second})
            )
            n_found, n_copies, n_right, n_out = Judged(*chosen, {task: one}).scores()
            if second == seconds[len(seconds) // 2] and text == 0.7:
                wrong = Judged(*chosen, {task: one}).wrong
                for row, family in wrong:
                    print(
                        f"  chose, wrong: {row.family} ({row.change}) for {family}: {' '.join(row.text.split())[:300]}"
                    )
            print(
                f"  {task} text {text} second {second}: recall {n_found / n_copies:.4f} precision {n_right / n_out:.4f}"
            )
    judged = Judged(*told, RULES)
    bits = distances(rows, table)
    n_found, n_copies, n_right, n_out = judged.scores()
    print(f"\n{task}: {len(told[0])} rows told, {len(chosen[0])} chose; {rule}\n")
    print("| change | n | in the cluster of its original, % | left out | rightly, % | pHash distance |")
    print("|---|---:|---|---:|---|---|")
    for change, found in {**judged.copies, **judged.look_alikes}.items():
        out = judged.left_out[change]
        far = " / ".join(f"{value:.0f}" for value in np.percentile(bits[change], [5, 50, 95])) if bits[change] else ""
        print(
            f"| {change} | {len(found)} | {wilson(sum(found), len(found))} | {len(out)} |"
            f" {wilson(sum(out), len(out))} | {far} |"
        )
    print(f"| **all copies** | {n_copies} | {wilson(n_found, n_copies)} | {n_out} | {wilson(n_right, n_out)} | |\n")
    for row, family in judged.wrong[:12]:
        print(f"  wrong: {row.family} ({row.change}) for {family}: {' '.join(row.text.split())[:160]}")


if __name__ == "__main__":
    main()
