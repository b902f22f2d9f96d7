"""What one task's rows add up to, table after table: numbers (4 bytes each are held), shares, classes, bias, words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.balance import Balance, balance_of, by_namespace, classes_below, count_words, entropy_bits, lorenz_curve
from curation.bias.rates import hit_rate, rated, wilson_interval
from curation.bias.vocabulary import CATEGORIES
from curation.report.distributions import NUMERICS, distribution_of
from curation.report.facts import BiasFinding, ClassBalance, Distribution, Share
from curation.report.rows import Place, floats
from curation.stages.rendered import KIND_OF_TASK
from rendering.compare.comparison import DEFAULT_THRESHOLD
from rendering.spec import MarkupKind

FLAGS: Final = ("valid", "blank", "cutoff", "clip_truncated")
SYNTHETIC: Final = "synthetic"
"""Rows whose `image_origin` says that they were made on purpose; told where there are any."""

MISMATCHED, DOUBTED = "mismatched", "doubted"
"""Shares of rows whose picture is that of another text (render_similarity under `MISMATCHED_BELOW`), and of those whose
text may be another than the picture's (under `rendering.compare.comparison.DEFAULT_THRESHOLD`)."""

MISMATCHED_BELOW: Final[dict[MarkupKind, float]] = {"page": 0.02, "table": 0.05, "formula": 0.2}
"""Of real pairs that were mixed up the most alike have 0.010 (30 pages of WebSight), 0.003 (20 tables of PubTabNet) and
0.167 (320 formulas of im2markup). Of those that belong together 2 of 60 pages lay below when this was set (both are
mended since), no table of 20 (0.299 the least) and 1 of 320 formulas (the next has 0.320).
"""

READ: Final = (
    *(numeric.name for numeric in NUMERICS),
    *FLAGS,
    *("task", "image_origin"),
    *("text", "visible_text", "classes", "language", "bias_terms", "bias_terms_original", "text_sha256"),
    *(f"bias_{category}" for category in CATEGORIES),
    *(f"bias_{category}_original" for category in CATEGORIES),
)
"""Columns that a tally looks at; those that are not there are not measured."""

MOST_WORDS: Final = 300_000
"""Different words that are held: of more, those seen once are let go (and still counted as words)."""

MOST_LISTED: Final = 300
N_TERMS: Final = 10
MENTIONS_SHOWN: Final = 3
LORENZ_POINTS: Final = 101
UNKNOWN: Final = "unknown"

Floats = npt.NDArray[np.float32]


class TaskTally:
    """Adds up tables (of `READ`) of one task's rows."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.n_rows = 0
        self.splits: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()
        self.n_with: Counter[str] = Counter()
        self.n_classes_measured = 0
        self.words: Counter[str] = Counter()
        self.n_words = self.n_words_let_go = 0
        self.texts: list[npt.NDArray[np.uint64]] = []
        self.mentions: dict[str, list[Place]] = {}
        self._numbers: dict[str, list[Floats]] = defaultdict(list)
        self._missing: Counter[str] = Counter()
        self._hits: dict[str, list[int]] = {}
        self._terms: dict[str, Counter[str]] = {"": Counter(), "_original": Counter()}

    def add(self, table: pa.Table) -> None:
        """Count a table's rows; all of them are of this task."""
        has = set(table.column_names)
        self.n_rows += table.num_rows
        self.splits.update(table.column("split").to_pylist())
        for numeric in NUMERICS:
            if numeric.name in has:
                self._add_numbers(numeric.name, floats(table.column(numeric.name)))
        for name in (*FLAGS, *_bias_columns()):
            if name in has:
                self._add_hits(name, table.column(name))
        if "image_origin" in has:
            self._add_hits(SYNTHETIC, pc.fill_null(pc.equal(table.column("image_origin"), "synthetic"), False))
        self._add_mentions(table)
        if "classes" in has:
            self._add_classes(table.column("classes"))
        if "language" in has and self.task != "formula_to_latex":
            self.languages.update(name or UNKNOWN for name in table.column("language").to_pylist())
        for ending in self._terms:
            if f"bias_terms{ending}" in has:
                self._terms[ending].update(_flat(table.column(f"bias_terms{ending}")))
        self._add_words(table)
        if "text_sha256" in has:
            self.texts.append(_short_hashes(table.column("text_sha256")))

    def _add_numbers(self, name: str, values: Floats) -> None:
        known = values[~np.isnan(values)]
        self._numbers[name].append(known)
        self._missing[name] += len(values) - len(known)

    def _add_mentions(self, table: pa.Table) -> None:
        """Keep where the first few rows of each category are: they are shown."""
        for category in CATEGORIES:
            places = self.mentions.setdefault(category, [])
            if f"bias_{category}" in table.column_names and len(places) < MENTIONS_SHOWN:
                hits = table.filter(pc.fill_null(table.column(f"bias_{category}"), False))
                found = zip(hits.column("shard").to_pylist(), hits.column("row").to_pylist(), strict=True)
                places += list(found)[: MENTIONS_SHOWN - len(places)]

    def _add_hits(self, name: str, column: pa.ChunkedArray) -> None:
        counts = self._hits.setdefault(name, [0, 0])
        counts[0] += pc.sum(column.cast(pa.int32())).as_py() or 0
        counts[1] += len(column) - column.null_count

    def _add_classes(self, column: pa.ChunkedArray) -> None:
        self.n_classes_measured += len(column) - column.null_count
        for chunk in column.chunks:
            parents, classes = pc.list_parent_indices(chunk), chunk.flatten()
            for entry in pc.value_counts(classes).to_pylist():
                self.classes[entry["values"]] += entry["counts"]
            namespaces = pc.list_element(pc.split_pattern(classes, ":", max_splits=1), 0)
            pairs = pa.table({"row": parents, "namespace": namespaces}).group_by(["row", "namespace"]).aggregate([])
            self.n_with.update(pairs.column("namespace").to_pylist())

    def _add_words(self, table: pa.Table) -> None:
        """Of captions their own words; of pages and tables what a reader sees; formulas and chats have none here."""
        name = "text" if self.task == "image_to_caption" else "visible_text"
        if name not in table.column_names or self.task in ("formula_to_latex", "image_chat"):
            return
        found = count_words([table.column(name)])
        self.n_words += found.total()
        self.words.update(found)
        if len(self.words) > MOST_WORDS:
            kept = Counter({word: n for word, n in self.words.items() if n > 1})
            self.n_words_let_go += len(self.words) - len(kept)
            self.words = kept

    @property
    def vocabulary(self) -> dict[str, float]:
        """Words, different words and their entropy; `n_let_go` where more than `MOST_WORDS` differed.

        Different words are then counted too often or too rarely (one that was let go may have come again), and the
        entropy is that of the others.
        """
        if not self.n_words:
            return {}
        told = {
            "n_words": float(self.n_words),
            "n_distinct": float(len(self.words) + self.n_words_let_go),
            "entropy_bits": round(entropy_bits(self.words), 4),
        }
        return told | ({"n_let_go": float(self.n_words_let_go)} if self.n_words_let_go else {})

    @property
    def measured_columns(self) -> set[str]:
        """Columns that have a value in some row, of those that are counted."""
        numbers = {name for name, parts in self._numbers.items() if any(len(part) for part in parts)}
        hits = {name for name, (_, n) in self._hits.items() if n and name != SYNTHETIC}
        return numbers | hits | ({"classes"} if self.n_classes_measured else set())

    def values(self, name: str) -> Floats:
        """All values of a column, in order, without those that were not measured."""
        return np.concatenate([np.empty(0, np.float32), *self._numbers[name]])

    def distributions(self) -> Iterator[Distribution]:
        """Those of every column that has a value."""
        for numeric in NUMERICS:
            values = self.values(numeric.name)
            if len(values):
                yield distribution_of(numeric, values, self._missing[numeric.name])

    def shares(self) -> dict[str, Share]:
        """Of the flags, and of rows whose picture is not that of their text, where they were measured."""
        told: dict[str, Share] = {
            name: share_of(*self._hits[name]) for name in FLAGS if name in self._hits and self._hits[name][1]
        }
        if self._hits.get(SYNTHETIC, [0])[0]:
            told[SYNTHETIC] = share_of(*self._hits[SYNTHETIC])
        similarity = self.values("render_similarity")
        if len(similarity) and self.task in KIND_OF_TASK:
            kind = KIND_OF_TASK[self.task]
            limits = {MISMATCHED: MISMATCHED_BELOW[kind], DOUBTED: DEFAULT_THRESHOLD[kind]}
            for name, limit in limits.items():
                told[name] = share_of(int((similarity < limit).sum()), len(similarity))
        return told

    def balances(self, rare_threshold: int) -> Iterator[ClassBalance]:
        """Of each namespace of classes."""
        for namespace, counts in by_namespace(self.classes).items():
            balance: Balance = balance_of(counts, rare_threshold)
            yield ClassBalance(
                namespace,
                balance.n_classes,
                self.n_classes_measured,
                self.n_with[namespace],
                balance.entropy_bits,
                balance.gini,
                balance.top5_share,
                balance.top10_share,
                tuple(lorenz_curve(counts, LORENZ_POINTS)),
                tuple(_most(counts, MOST_LISTED)),
                tuple(classes_below(counts, rare_threshold)[:MOST_LISTED]),
                balance.n_rare,
                rare_threshold,
            )

    def bias(self) -> Iterator[BiasFinding]:
        """The seven categories, where texts were looked at for them."""
        for category in CATEGORIES:
            after = self._hits.get(f"bias_{category}", [0, 0])
            before = self._hits.get(f"bias_{category}_original", [0, 0])
            if not after[1]:
                continue
            rating = rated(hit_rate([True] * after[0] + [False] * (after[1] - after[0])), self.task, category)
            terms = {t.partition(":")[2]: n for t, n in self._terms[""].items() if t.startswith(f"{category}:")}
            yield BiasFinding(
                category,
                share_of(*before) if before[1] else None,
                share_of(*after),
                rating.name if rating else None,
                rating.is_sure if rating else False,
                tuple(_most(terms, N_TERMS)),
            )


def share_of(n_hits: int, n: int) -> Share:
    """A share with Wilson's interval of 95 %. `n` is above 0."""
    return Share(n_hits, n, n_hits / n, *wilson_interval(n_hits, n))


def _bias_columns() -> Iterator[str]:
    for category in CATEGORIES:
        yield f"bias_{category}"
        yield f"bias_{category}_original"


def _flat(column: pa.ChunkedArray) -> list[Any]:
    return [term for chunk in column.chunks for term in chunk.flatten().to_pylist()]


def _most(counts: dict[str, int] | Counter[str], n: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:n]


def _short_hashes(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """The first 16 hex digits of each hash: two of a million texts share them once in 10^8 data sets."""
    return np.array([int(value[:16], 16) for value in column.drop_null().to_pylist()], np.uint64)
