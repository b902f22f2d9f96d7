"""The structure of a generated table, decided before any word is written.

A plan is a grid: how header cells span, which rows are data, sections or totals, which cells are merged or empty.
Every plan resolves to a full rectangle: no span overlaps another, none leaves a hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from curation.generate.choose import between, from_quantiles, pick, pick_some, pick_weighted
from curation.generate.table_subjects import SUBJECTS, Subject
from curation.generate.table_values import NumberStyle, draw_style

StubStyle = Literal["flat", "section_span", "section_blank", "group_span", "group_blank"]
"""How rows are grouped: not at all; under a row that spans the table or has empty cells beside its name; by a first
column whose cells span their rows or are followed by empty ones."""

_BODY_ROWS: Final = ((0.0, 2.0), (0.05, 3.0), (0.25, 5.5), (0.5, 10.0), (0.75, 16.0), (0.95, 28.0), (1.0, 36.0))
"""(Share, rows below the header) in the examples that PubTabNet publishes."""
_STUBS: Final[dict[StubStyle, float]] = {
    "flat": 0.58,
    "section_span": 0.1,
    "section_blank": 0.17,
    "group_span": 0.08,
    "group_blank": 0.07,
}
_WORDY: Final = frozenset({"word", "text", "sequence"})
"""Kinds of columns that have no total."""
_HEADER_DEPTHS: Final = {1: 0.6, 2: 0.34, 3: 0.06}


@dataclass(frozen=True)
class TableOptions:
    """What tables to generate.

    `header_depth` and `n_rows` (of data) and `n_columns` are drawn where they are 0, and are raised to what the rest
    needs (two value columns below a header of several rows, the extent of `spans`). `spans` are
    (rowspan, colspan) of merged cells that the table must have in its body; `empty_share` is the share of its
    value cells left empty, drawn where it is negative.
    """

    header_depth: int = 0
    n_rows: int = 0
    n_columns: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    empty_share: float = -1.0


@dataclass(frozen=True)
class ColumnGroup:
    """Neighbouring columns under one heading (`arm`), or columns on their own (`arm` empty)."""

    arm: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class RowGroup:
    """Rows under one section or label: which of the subject's groups (-1: of any, without a name), and how many."""

    label: int
    n_rows: int


@dataclass(frozen=True)
class Merge:
    """A merged cell of the body: its first data row and value column, and its extent."""

    row: int
    column: int
    rowspan: int
    colspan: int


@dataclass(frozen=True)
class TablePlan:
    """The structure of a table: everything but its words and numbers.

    `empty` holds (data row, value column) of empty cells.
    """

    subject: Subject
    style: NumberStyle
    header_depth: int
    tall_heads: Literal["rowspan", "top", "bottom"]
    columns: tuple[ColumnGroup, ...]
    stub: StubStyle
    row_groups: tuple[RowGroup, ...]
    merges: tuple[Merge, ...]
    empty: frozenset[tuple[int, int]]
    has_total: bool
    has_marks: bool
    section_tag: Literal["", "i", "b"]

    @property
    def n_values(self) -> int:
        """Columns beside those of the row labels."""
        return sum(len(group.kinds) for group in self.columns)

    @property
    def n_stubs(self) -> int:
        """Columns of row labels."""
        return 2 if self.stub.startswith("group") else 1


def plan_table(rng: Random, options: TableOptions) -> TablePlan:
    """Decide subject, header, columns, rows, merged and empty cells."""
    subject = pick(rng, SUBJECTS)
    depth = options.header_depth or pick_weighted(rng, _HEADER_DEPTHS)
    stub = pick_weighted(rng, _STUBS) if subject.groups or rng.random() < 0.3 else "flat"
    if stub.startswith("section") and any(rowspan > 1 for rowspan, _ in options.spans):
        stub = "flat"  # a section's own row would cut through a cell that spans rows
    n_stubs = 2 if stub.startswith("group") else 1
    widest = max([colspan for _, colspan in options.spans] + [2 if depth > 1 else 1])
    n_values = max(widest, options.n_columns - n_stubs) if options.n_columns else max(widest, _draw_columns(rng, depth))
    columns = _draw_groups(rng, subject, depth, n_values)
    n_rows = options.n_rows or max(2, round(from_quantiles(rng, _BODY_ROWS)))
    n_labels = sum(len(labels) for _, labels in subject.groups)
    if n_labels and not options.n_rows:
        n_rows = min(n_rows, n_labels)
    n_rows = max(n_rows, sum(rowspan for rowspan, _ in options.spans))
    row_groups = (RowGroup(-1, n_rows),) if stub == "flat" else _cut(rng, subject, n_rows)
    if not options.n_rows and not options.spans and subject.groups:
        row_groups = row_groups[: len(subject.groups)]  # no group twice
    n_rows = sum(group.n_rows for group in row_groups)
    merges = _place(rng, options.spans, n_values)
    if not options.spans and n_values > 2 and rng.random() < 0.04:
        merges = (Merge(int(rng.random() * n_rows), int(rng.random() * (n_values - 1)), 1, 2),)
    return TablePlan(
        subject=subject,
        style=draw_style(rng),
        header_depth=depth,
        tall_heads=pick(rng, ("rowspan", "rowspan", "top", "top", "bottom")),
        columns=columns,
        stub=stub,
        row_groups=row_groups,
        merges=merges,
        empty=_draw_empty(rng, options.empty_share, n_rows, n_values),
        has_total=rng.random() < 0.15 and _WORDY.isdisjoint(kind for group in columns for kind in group.kinds),
        has_marks=rng.random() < 0.3,
        section_tag=pick(rng, ("", "", "", "i", "b")),
    )


def _draw_columns(rng: Random, depth: int) -> int:
    if depth == 1:
        return pick_weighted(rng, {1: 0.13, 2: 0.15, 3: 0.2, 4: 0.2, 5: 0.13, 6: 0.1, 7: 0.05, 8: 0.04})
    return pick_weighted(rng, {3: 0.1, 4: 0.24, 5: 0.16, 6: 0.24, 7: 0.08, 8: 0.08, 9: 0.05, 11: 0.05})


def _draw_groups(rng: Random, subject: Subject, depth: int, n_values: int) -> tuple[ColumnGroup, ...]:
    """Columns: below one header row each on its own; else groups under a heading while they fit, then single ones."""
    if depth == 1 or n_values < 2:
        kinds: list[str] = []
        while len(kinds) < n_values:
            fitting = [pattern for pattern in subject.patterns if len(pattern) <= n_values - len(kinds)]
            kinds += pick(rng, fitting) if fitting and rng.random() < 0.6 else [_single(rng, subject)]
        return tuple(ColumnGroup("", (kind,)) for kind in kinds)
    arms = [*pick(rng, subject.arms)]
    patterns = [pattern * (2 if len(pattern) == 1 else 1) for pattern in subject.patterns]
    pattern = pick(rng, [pattern for pattern in patterns if len(pattern) <= n_values] or [patterns[0][:n_values]])
    n_groups = min(len(arms), n_values // len(pattern))
    groups = [ColumnGroup(arm, pattern) for arm in arms[:n_groups]]
    left = n_values - n_groups * len(pattern)
    if left > 2:
        groups.append(
            ColumnGroup(pick(rng, ("Difference", "Total", "Overall", "Comparison")), ("decimal",) * (left - 1))
        )
        left = 1
    return (*groups, *[ColumnGroup("", ("p" if rng.random() < 0.5 else _single(rng, subject),)) for _ in range(left)])


def _single(rng: Random, subject: Subject) -> str:
    if subject.patterns == (("sequence",),):
        return pick(rng, ("sequence", "decimal"))
    return pick(rng, ("decimal", "decimal", "count", "word", "p", "percent", "n_pct", "text", "mean_sd", "decimal"))


def _cut(rng: Random, subject: Subject, n_rows: int) -> tuple[RowGroup, ...]:
    """Groups of rows: the subject's own in random order, none larger than its labels, or made-up ones."""
    order = pick_some(rng, range(len(subject.groups)), len(subject.groups))
    groups: list[RowGroup] = []
    left = n_rows
    while left > 0:
        label = order[len(groups) % len(order)] if order else len(groups)
        most = len(subject.groups[label][1]) if order else 5
        groups.append(RowGroup(label, min(left, most, between(rng, 2, 6))))
        left -= groups[-1].n_rows
    return tuple(groups)


def _place(rng: Random, spans: tuple[tuple[int, int], ...], n_values: int) -> tuple[Merge, ...]:
    """One merged cell below the other, so that none overlaps."""
    merges: list[Merge] = []
    row = 0
    for rowspan, colspan in spans:
        merges.append(Merge(row, int(rng.random() * (n_values - colspan + 1)), rowspan, colspan))
        row += rowspan
    return tuple(merges)


def _draw_empty(rng: Random, share: float, n_rows: int, n_values: int) -> frozenset[tuple[int, int]]:
    if share < 0:
        share = 0.0 if rng.random() < 0.7 else 0.3 * rng.random()
    if not share:
        return frozenset()
    return frozenset((row, column) for row in range(n_rows) for column in range(n_values) if rng.random() < share)
