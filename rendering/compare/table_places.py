"""Where in a picture a cell's text has to stand, by the cells around it, and the lines of ink that stand there.

A reader overlooks single letters and raised ones, and gives lines of tall cells to the wrong neighbour. What it missed
is found by ink: the free rectangle between the words of the cells around, and in it the rows that have any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.alternatives import Line
from rendering.compare.table_cells import Cell

PAPER_PX: Final = 21
"""Side of the square whose median level is the paper's: letters cover less than half of it."""
LEAST_CONTRAST: Final = 0.3
"""Of ink, as a share of the picture's strongest."""
RULE_LENGTH: Final = 3.0
"""Ink without a gap that is longer (in heights of a line) is a rule."""
SMALL_PART: Final = 0.45
"""Rows of ink that are lower (in heights of a line's ink) are dots, accents and raised letters of the next row."""

Place = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""
Ink = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def ink_of(image: Image.Image, line_height_px: float) -> Ink:
    """Which pixels of `image` (RGB) are letters: unlike the paper around them, and in no rule. (height, width)."""
    import cv2

    grey = np.asarray(image.convert("L"))
    contrast = cv2.absdiff(grey, cv2.medianBlur(grey, PAPER_PX))
    ink = (contrast > LEAST_CONTRAST * max(1.0, float(np.quantile(contrast, 0.995)))).astype(np.uint8)
    length = max(3, round(RULE_LENGTH * line_height_px))
    rules = [cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(size, np.uint8)) for size in ((1, length), (length, 1))]
    letters: Ink = (ink > 0) & (rules[0] == 0) & (rules[1] == 0)
    return letters


def tight_rows(line: Line, ink: Ink) -> tuple[int, int]:
    """First and last (not included) row of a line's ink, from its middle outwards: boxes of neighbours overlap."""
    top, bottom = max(0, int(line.y_px)), min(len(ink), int(np.ceil(line.y_px + line.height_px)))
    left, right = max(0, int(line.x_px)), int(np.ceil(line.x_px + line.width_px))
    empty = _empty(ink[top:bottom, left:right], axis=1)
    middle = (bottom - top) // 2
    above, below = np.flatnonzero(empty[:middle]), np.flatnonzero(empty[middle + 1 :])
    return top + int(above[-1]) + 1 if len(above) else top, top + middle + 1 + int(below[0]) if len(below) else bottom


class Surroundings:
    """The cells whose words are known, and the places that they leave for the others."""

    def __init__(self, known: Sequence[Cell], ink: Ink, rows: Callable[[Line], tuple[int, int]]) -> None:
        self._ink = ink
        self._grid = np.array([(*cell.rows, *cell.columns) for cell in known], dtype=np.int64).reshape(-1, 4)
        tight = [[rows(word.line) for word in cell.words] for cell in known]
        self._extents = np.array(
            [
                (*cell.extent, min(top for top, _ in found), max(bottom for _, bottom in found))
                for cell, found in zip(known, tight, strict=True)
            ]
        ).reshape(-1, 4)
        left, right = self._extents[:, 0], self._extents[:, 1]
        self._starts = _column_starts(self._grid, left, right, 1 + int(self._grid[:, 3].max()))

    def places(self, cell: Cell) -> list[Place]:
        """Where `cell` may stand: between the words of its own rows, and also within its columns."""
        height, width = self._ink.shape
        first_row, last_row, first_column, last_column = self._grid.T
        left, right, top, bottom = self._extents.T
        upper = int(max(bottom[last_row < cell.rows[0]], default=0))
        lower = int(min(top[first_row > cell.rows[1]], default=height))
        if lower - upper < 2:
            return []
        beside = (last_row >= cell.rows[0]) & (first_row <= cell.rows[1])
        start = max(right[beside & (last_column < cell.columns[0])], default=0.0)
        end = min(left[beside & (first_column > cell.columns[1])], default=float(width))
        starts = [start, max(start, self._start(cell.columns[0]))]
        ends = [end, min(end, self._start(cell.columns[1] + 1))]
        empty = _empty(self._ink[upper:lower], axis=0)
        found = [
            (_gap(empty, a) if a > 0 else 0, upper, _gap(empty, b) if b < width else width, lower)
            for a, b in zip(starts, ends, strict=True)
        ]
        return [place for place in dict.fromkeys(found) if place[2] - place[0] > 1]

    def _start(self, column: int) -> float:
        return float(self._starts[column]) if column < len(self._starts) else float("nan")


def _column_starts(grid: npt.NDArray[np.int64], left: Floats, right: Floats, n_columns: int) -> Floats:
    """Where each column begins, between the words of cells in it and of those in the one before; nan: not known."""
    starts = np.full(n_columns + 1, np.nan)
    is_single = grid[:, 2] == grid[:, 3]
    for column in range(1, n_columns):
        before, after = (is_single & (grid[:, 2] == which) for which in (column - 1, column))
        if before.any() and after.any():
            starts[column] = (np.quantile(right[before], 0.9) + np.quantile(left[after], 0.1)) / 2
    return starts


def _empty(ink: Ink, axis: int) -> Ink:
    empty: Ink = np.logical_not(np.any(ink, axis=axis))
    return empty


def _gap(empty: Ink, at: float) -> int:
    """The nearest column without ink, or `at`: where a word ends is known to two or three pixels."""
    middle = min(len(empty) - 1, max(0, round(at)))
    return min(
        (column for column in range(max(0, middle - 4), min(len(empty), middle + 5)) if empty[column]),
        key=lambda column: abs(column - middle),
        default=middle,
    )


def lines_of_ink(ink: Ink, place: Place, letters_px: float) -> list[Place]:
    """The lines in a place, from above to below, each as the rectangle of its ink."""
    left, top, right, bottom = place
    part = ink[top:bottom, left:right]
    lines = []
    for first, last in _rows(part.sum(axis=1), letters_px):
        columns = np.flatnonzero(part[first:last].any(axis=0))
        lines.append((left + int(columns[0]), top + first, left + int(columns[-1]) + 1, top + last))
    return lines


def _rows(profile: npt.NDArray[np.int64], letters_px: float) -> list[tuple[int, int]]:
    """First and last (not included) of each run of rows that have ink."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], profile > 0, [False]]).astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    merged: list[tuple[int, int]] = []
    for first, last in runs:
        is_small = last - first < SMALL_PART * letters_px
        was_small = bool(merged) and merged[-1][1] - merged[-1][0] < SMALL_PART * letters_px
        if merged and (is_small or was_small) and last - merged[-1][0] <= 1.5 * letters_px:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    rows: list[tuple[int, int]] = []
    for first, last in merged:
        n = max(1, round((last - first) / letters_px - 0.15))
        cuts = [first]
        for i in range(1, n):  # lines that touch are cut where there is least ink
            at = first + i * (last - first) // n
            window = range(max(cuts[-1] + 2, at - 3), min(last - 2, at + 4))
            cuts.append(min(window, key=lambda row: (profile[row], abs(row - at)), default=at))
        rows += zip(cuts, [*cuts[1:], last], strict=True)
    return [row for row in rows if profile[row[0] : row[1]].any()]
