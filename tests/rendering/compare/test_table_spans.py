"""Spans show by where their text stands: in the middle of what they cover, or at one of its ends."""

from __future__ import annotations

import numpy as np
import pytest

from rendering.compare.alternatives import Line
from rendering.compare.table_cells import Cell, Word
from rendering.compare.table_spans import misplacements
from rendering.result import Box

HEIGHT_PX = 10.0


def cell(row: int, columns: tuple[int, int], left: float, right: float) -> Cell:
    made = Cell(Box("td", 0, 0, 1, 1, "x"), (row, row), columns)
    line = Line(left, 12 * row, right - left, HEIGHT_PX, (), np.zeros((1, 1)), np.zeros(1), 1.0)
    made.words = [Word("x", line, (0, 1), left, right)]
    return made


BODY = [
    cell(row, (column, column), 50 * column + at, 50 * column + 40 - at)
    for row, at in ((1, 5), (2, 8), (3, 2))
    for column in range(3)
]
"""Three columns, centred at 20, 70 and 120 px."""


def told(head: Cell) -> float:
    return misplacements([head, *BODY], [0.0] * 10, HEIGHT_PX)[0]


@pytest.mark.parametrize(
    ("columns", "left", "right"),
    [
        ((1, 2), 85, 105),  # centred over both
        ((1, 2), 52, 75),  # from the left end
        ((1, 2), 110, 138),  # to the right end
        ((1, 2), 50, 140),  # as wide as both
        ((1, 1), 60, 80),
        ((0, 0), 2, 38),
    ],
)
def test_what_is_aligned_with_its_columns_is_in_its_place(columns: tuple[int, int], left: float, right: float) -> None:
    assert told(cell(0, columns, left, right)) == pytest.approx(0, abs=0.21)


@pytest.mark.parametrize("columns", [(1, 1), (2, 2), (0, 1)])
def test_a_span_of_other_columns_is_seen_by_its_middle(columns: tuple[int, int]) -> None:
    assert told(cell(0, columns, 85, 105)) > 0.7


def test_a_span_taken_for_wider_is_seen_by_its_middle() -> None:
    assert told(cell(0, (0, 1), 16, 24)) > 0.7


def test_nothing_is_told_without_words_or_single_cells_in_the_columns() -> None:
    head = cell(0, (1, 2), 20, 30)
    assert misplacements([head, *BODY[:3]], [0.0] * 4, HEIGHT_PX) == [0.0] * 4
    head.words = []
    assert told(head) == 0.0


def test_a_cell_with_no_free_place_beside_it_cannot_be_a_span() -> None:
    row = [cell(0, (0, 0), 0, 3), cell(0, (1, 1), 85, 105), cell(0, (2, 2), 110, 130)]
    assert misplacements([*row, *BODY], [0.0] * 12, HEIGHT_PX)[1] == 0.0
    assert misplacements([row[0], row[1], *BODY], [0.0] * 11, HEIGHT_PX)[1] > 0.7
