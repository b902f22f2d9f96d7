"""Which of a picture's words belong to which cell of a rendered table: by text and order first, then by column.

A journal sets a table in other fonts, widths and line breaks than we do, so places are never compared in pixels. Rows
come one under the other and columns side by side in both, and that is what is used: lines of words are given to rows of
the grid in order, words of a line to the cells of its row in order, each so that most letters agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rendering.compare.alternatives import Line, folded
from rendering.result import Box

EDGE_PX: Final = 1.0
"""Cells whose edges differ by less begin in the same row or column."""
MOST_LINES: Final = 10
"""Of one row of the grid."""
STRAY_COST: Final = 0.3
"""For each pair of letters in a row that its cells do not say; a pair that they say counts 1."""
WRONG_COST: Final = 0.45
LEFT_OVER_COST: Final = 0.2
FAR_COST: Final = 0.15
FARTHEST: Final = 6.0
GAP_COST: Final = 1.5
WIDEST_GAP_COST: Final = 3.0
"""Distances are in heights of the picture's lines."""

Scores = npt.NDArray[np.float64]
Band = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Word:
    """A word as read: its letters, the steps of its line that it takes, and where it stands in the picture."""

    text: str
    line: Line
    steps: tuple[int, int]
    left_px: float
    right_px: float

    @property
    def y_px(self) -> float:
        """The middle of its line."""
        return self.line.y_px + self.line.height_px / 2

    @property
    def x_px(self) -> float:
        """Its middle."""
        return (self.left_px + self.right_px) / 2


@dataclass(eq=False)
class Cell:
    """A cell of the rendered table: rows and columns that it covers (first and last), its text, and its words."""

    box: Box
    rows: tuple[int, int]
    columns: tuple[int, int]
    text: str = field(init=False)
    pairs: Counter[str] = field(init=False)
    words: list[Word] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = folded(self.box.text)
        self.pairs = _pairs(folded(word) for word in self.box.text.split())

    @property
    def extent(self) -> Band:
        """Left and right end of its words, in picture pixels."""
        return min(word.left_px for word in self.words), max(word.right_px for word in self.words)


@dataclass(frozen=True)
class Matching:
    """Cells with their words, and the height of the picture's lines."""

    cells: tuple[Cell, ...]
    line_height_px: float


def match_cells(boxes: Sequence[Box], words: Sequence[Word]) -> Matching:
    """Give each of `words` to a cell of `boxes` (those of `td` and `th`), or to none."""
    cells = grid_cells(boxes)
    if not words or not cells:
        return Matching(tuple(cells), 1.0)
    height = float(np.median([word.line.height_px for word in words]))
    rows = _rows_of(words, height)
    places = _align(rows, cells)
    scale = _render_scale(cells, words)
    # First as the render has its columns, roughly; then as the words that were found say.
    _assign(rows, places, cells, scale, height, FAR_COST / 3)
    for _ in range(2):
        _assign(rows, places, cells, column_bands(cells), height, FAR_COST)
    return Matching(tuple(cells), height)


def grid_cells(boxes: Sequence[Box]) -> list[Cell]:
    """The cells of a table with their places in its grid, which the edges of their boxes tell."""
    boxes = [box for box in boxes if box.name in {"td", "th"}]
    if not boxes:
        return []
    tops = _edges([box.y_px for box in boxes])
    lefts = _edges([box.x_px for box in boxes])
    return [
        Cell(
            box,
            _covered(tops, box.y_px, box.y_px + box.height_px),
            _covered(lefts, box.x_px, box.x_px + box.width_px),
        )
        for box in boxes
    ]


def column_bands(cells: Sequence[Cell]) -> Callable[[Cell], Band]:
    """Where each cell's words may stand, by the words of the other cells of its columns.

    A column without words lies between its neighbours.
    """
    n_columns = 1 + max(cell.columns[1] for cell in cells)
    extents: list[list[Band]] = [[] for _ in range(n_columns)]
    for cell in cells:
        if cell.words and cell.columns[0] == cell.columns[1]:
            extents[cell.columns[0]].append(cell.extent)
    bands = [
        (float(np.quantile([left for left, _ in found], 0.1)), float(np.quantile([right for _, right in found], 0.9)))
        if found
        else None
        for found in extents
    ]

    def band(cell: Cell) -> Band:
        first, last = cell.columns
        known = [found for found in bands[first : last + 1] if found]
        if known:
            return min(left for left, _ in known), max(right for _, right in known)
        before = [found[1] for found in bands[:first] if found]
        after = [found[0] for found in bands[last + 1 :] if found]
        return max(before, default=-np.inf), min(after, default=np.inf)

    return band


def in_reading_order(words: Sequence[Word]) -> list[Word]:
    """Words of a cell line by line; what is raised or lowered a little (`m²`, footnote marks) stays in its line."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.y_px):
        tallest = max((rows[-1] if rows else [word])[0].line.height_px, word.line.height_px)
        if rows and word.y_px - float(np.mean([other.y_px for other in rows[-1]])) < 0.55 * tallest:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [word for row in rows for word in sorted(row, key=lambda word: word.left_px)]


def _edges(values: Iterable[float]) -> Scores:
    ordered = np.sort(np.array(list(values)))
    edges: Scores = ordered[np.concatenate([[True], np.diff(ordered) > EDGE_PX])]
    return edges


def _covered(edges: Scores, start: float, end: float) -> tuple[int, int]:
    first = int(np.searchsorted(edges, start + EDGE_PX)) - 1
    return first, max(first, int(np.searchsorted(edges, end - 1.5 * EDGE_PX)) - 1)


def words_of(line: Line) -> list[Word]:
    """A line's words, each with the steps up to the middle of the gaps around it."""
    groups: list[list[tuple[int, str]]] = [[]]
    for step, letter in line.letters:
        if letter.isspace():
            groups.append([])
        else:
            groups[-1].append((step, letter))
    groups = [group for group in groups if folded("".join(letter for _, letter in group))]
    words = []
    for index, group in enumerate(groups):
        begin = 0 if index == 0 else (groups[index - 1][-1][0] + group[0][0] + 1) // 2
        end = len(line.costs) if index == len(groups) - 1 else (group[-1][0] + groups[index + 1][0][0] + 1) // 2
        words.append(
            Word(
                folded("".join(letter for _, letter in group)),
                line,
                (begin, end),
                line.x_px + max(0.0, group[0][0] - 0.5) * line.step_px,
                line.x_px + min(line.width_px, (group[-1][0] + 1.5) * line.step_px),
            )
        )
    return words


def _rows_of(words: Sequence[Word], height: float) -> list[list[Word]]:
    """Words that stand side by side, from above to below, each row from left to right."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.y_px):
        if rows and word.y_px - np.mean([other.y_px for other in rows[-1]]) < 0.45 * height:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.left_px) for row in rows]


def _pairs(words: Iterable[str]) -> Counter[str]:
    """Pairs of neighbouring letters of words, with their begin and end: agree in most where a letter is misread."""
    counts: Counter[str] = Counter()
    for word in words:
        framed = f"^{word.lower()}$"
        counts.update(framed[i : i + 2] for i in range(len(framed) - 1))
    return counts


def _align(rows: Sequence[Sequence[Word]], cells: Sequence[Cell]) -> list[int]:
    """The row of the grid that each row of words belongs to, never decreasing; -1 for none.

    Dynamic programming over (rows of the grid, rows of words); a row of the grid takes up to `MOST_LINES` that follow
    each other, and its worth is the number of letter pairs that both have, less those that only the words have.
    """
    n_grid, n_rows = 1 + max(cell.rows[1] for cell in cells), len(rows)
    read = [_pairs(word.text for word in row) for row in rows]
    column = {pair: index for index, pair in enumerate(dict.fromkeys(pair for counts in read for pair in counts))}
    sums = np.zeros((n_rows + 1, len(column)), dtype=np.int32)
    for index, counts in enumerate(read):
        for pair, count in counts.items():
            sums[index + 1, column[pair]] = count
    sums = np.cumsum(sums, axis=0)
    totals = sums.sum(axis=1)
    said = np.zeros((n_grid, len(column)), dtype=np.int32)
    for cell in cells:
        for pair, count in cell.pairs.items():
            if pair in column:
                said[cell.rows[0] : cell.rows[1] + 1, column[pair]] += count
    worth = -STRAY_COST * totals.astype(np.float64)
    taken = np.zeros((n_grid, n_rows + 1), dtype=np.int64)
    for grid_row in range(n_grid):
        best, take = worth.copy(), np.zeros(n_rows + 1, dtype=np.int64)
        for n in range(1, min(MOST_LINES, n_rows) + 1):
            both = np.minimum(sums[n:] - sums[:-n], said[grid_row]).sum(axis=1)
            stray = totals[n:] - totals[:-n] - both
            gained = np.where(both > 0, worth[:-n] + both - STRAY_COST * stray - 0.01 * n, -np.inf)
            better = gained > best[n:]
            best[n:][better], take[n:][better] = gained[better], n
        for row in range(1, n_rows + 1):
            skipped = best[row - 1] - STRAY_COST * (totals[row] - totals[row - 1])
            if skipped > best[row]:
                best[row], take[row] = skipped, -1
        worth, taken[grid_row] = best, take
    places, grid_row, row = [-1] * n_rows, n_grid, n_rows
    while grid_row > 0:
        n = int(taken[grid_row - 1, row])
        if n == -1:
            row -= 1
            continue
        places[row - n : row] = [grid_row - 1] * n
        row, grid_row = row - n, grid_row - 1
    return places


def _render_scale(cells: Sequence[Cell], words: Sequence[Word]) -> Callable[[Cell], Band]:
    """The render's own columns, stretched to the picture's text."""
    left, right = min(word.left_px for word in words), max(word.right_px for word in words)
    ours_left = min(cell.box.x_px for cell in cells)
    ours_right = max(cell.box.x_px + cell.box.width_px for cell in cells)
    ratio = (right - left) / max(1.0, ours_right - ours_left)

    def band(cell: Cell) -> Band:
        start = left + (cell.box.x_px - ours_left) * ratio
        return start, start + cell.box.width_px * ratio

    return band


def _assign(
    rows: Sequence[list[Word]],
    places: Sequence[int],
    cells: Sequence[Cell],
    band: Callable[[Cell], Band],
    height: float,
    far_cost: float,
) -> None:
    """Give the words of each row to the cells of its grid row, from left to right, or to none."""
    bands = {id(cell): band(cell) for cell in cells}
    for cell in cells:
        cell.words = []
    for row, place in zip(rows, places, strict=True):
        candidates = sorted(
            (cell for cell in cells if cell.text and cell.rows[0] <= place <= cell.rows[1]),
            key=lambda cell: cell.columns[0],
        )
        if not candidates:
            continue
        worth = np.array(
            [[_worth(word, cell, bands[id(cell)], height, far_cost) for cell in candidates] for word in row]
        )
        for word, owner in zip(row, _in_order(row, worth, height), strict=True):
            if owner is not None:
                candidates[owner].words.append(word)


def _worth(word: Word, cell: Cell, band: Band, height: float, far_cost: float) -> float:
    pairs = _pairs([word.text])
    both = sum(min(count, cell.pairs[pair]) for pair, count in pairs.items())
    distance = min(FARTHEST, max(0.0, band[0] - word.x_px, word.x_px - band[1]) / height)
    return both - WRONG_COST * (pairs.total() - both) - far_cost * distance * pairs.total() / 2


def _in_order(row: Sequence[Word], worth: Scores, height: float) -> list[int | None]:
    """The column of `worth` for each word, never decreasing, so that the sum is best; None: left over.

    Words far apart rarely share a cell: a second word costs by its distance from the one before.
    """
    n_words, n_cells = worth.shape
    # Two states: the last word was left over or another cell's (0), or it was given to this cell (1).
    best = np.full((n_words + 1, n_cells + 1, 2), -np.inf)
    best[0, :, 0] = 0.0
    came: Any = np.zeros((n_words + 1, n_cells + 1, 2, 3), dtype=np.int64)
    for j in range(1, n_cells + 1):
        came[0, j, 0] = (0, j - 1, 0)
    for i in range(1, n_words + 1):
        gap = max(0.0, row[i - 1].left_px - row[i - 2].right_px) / height if i > 1 else 0.0
        gap_cost = min(WIDEST_GAP_COST, GAP_COST * max(0.0, gap - 1.0))
        for j in range(n_cells + 1):
            state = int(best[i - 1, j].argmax())
            best[i, j, 0] = best[i - 1, j, state] - LEFT_OVER_COST * len(row[i - 1].text)
            came[i, j, 0] = (i - 1, j, state)
            if j == 0:
                continue
            state = int(best[i, j - 1].argmax())
            if best[i, j - 1, state] > best[i, j, 0]:
                best[i, j, 0], came[i, j, 0] = best[i, j - 1, state], (i, j - 1, state)
            state = int(best[i - 1, j, 1] - gap_cost > best[i - 1, j, 0])
            best[i, j, 1] = best[i - 1, j, state] - gap_cost * state + worth[i - 1, j - 1]
            came[i, j, 1] = (i - 1, j, state)
    owners: list[int | None] = [None] * n_words
    i, j, state = n_words, n_cells, int(best[n_words, n_cells].argmax())
    while i > 0:
        if state == 1:
            owners[i - 1] = j - 1
        i, j, state = map(int, came[i, j, state])
    return owners
