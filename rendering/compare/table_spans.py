"""Whether cells that span columns, or could, stand where the picture's other cells say that such cells stand.

A span shows by where its text is: at the beginning, in the middle or at the end of the columns that it covers. So a
cell that spans, and one beside a free place (which it might cover), is held against the single cells of its columns.
A span that begins where its first column does, as text aligned to the left does, looks as no span does: it is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from rendering.compare.table_cells import Band, Cell

LEAST_CELLS: Final = 2
"""Single cells that a column needs for saying where its cells stand."""
KNOWN_COST: Final = 4.0
"""Cells that cost less are where their words are (as `rendering.compare.table_costs` counts)."""
EDGE: Final = 0.1
"""Share of a column's cells that may begin before it does."""


def misplacements(shown: Sequence[Cell], costs: Sequence[float], line_height_px: float) -> list[float]:
    """How far (in heights of a line) each cell's words are from where its columns' other cells would have them.

    `costs` are those of `shown`. 0 where nothing tells: no words, no span and no free place beside, or columns with
    next to no single cells.
    """
    columns: dict[int, list[Cell]] = {}
    for cell, cost in zip(shown, costs, strict=True):
        if cell.words and cost < KNOWN_COST and cell.columns[0] == cell.columns[1]:
            columns.setdefault(cell.columns[0], []).append(cell)
    n_columns = 1 + max(cell.columns[1] for cell in shown)
    taken = {
        (row, column)
        for cell in shown
        for row in range(cell.rows[0], cell.rows[1] + 1)
        for column in range(cell.columns[0], cell.columns[1] + 1)
    }

    def may_span(cell: Cell) -> bool:
        first, last = cell.columns
        rows = range(cell.rows[0], cell.rows[1] + 1)
        beside = [column for column in (first - 1, last + 1) if 0 <= column < n_columns]
        return first < last or any(all((row, column) not in taken for row in rows) for column in beside)

    words = [band for cell in shown if cell.words for band in [cell.extent]]
    whole = (min(left for left, _ in words), max(right for _, right in words)) if words else (0.0, 0.0)

    def extents(column: int, without: Cell) -> list[Band]:
        return [other.extent for other in columns.get(column, ()) if other is not without]

    found = []
    for cell in shown:
        first, last = cell.columns
        firsts, lasts = extents(first, cell), extents(last, cell)
        tells = bool(cell.words) and min(len(firsts), len(lasts)) >= LEAST_CELLS and may_span(cell)
        if not tells:
            found.append(0.0)
            continue
        before = _ends(extents(first - 1, cell)) if first > 0 else whole[0]
        after = _starts(extents(last + 1, cell)) if last < n_columns - 1 else whole[1]
        found.append(_distance(cell, firsts, lasts, (before, after), line_height_px) / line_height_px)
    return found


def _starts(bands: Sequence[Band]) -> float:
    """Where a column begins; nan: nothing tells."""
    return float(np.quantile([left for left, _ in bands], EDGE)) if len(bands) >= LEAST_CELLS else float("nan")


def _ends(bands: Sequence[Band]) -> float:
    return float(np.quantile([right for _, right in bands], 1 - EDGE)) if len(bands) >= LEAST_CELLS else float("nan")


def _distance(cell: Cell, firsts: Sequence[Band], lasts: Sequence[Band], beside: Band, line_height_px: float) -> float:
    """From the nearest place, aligned to the left, to the right or centred, that the columns' cells give. In px.

    `beside`: where the column before ends, and where the one after begins.
    """
    left, right = cell.extent
    start, end = _starts(firsts), _ends(lasts)
    middles = [float(np.median([sum(band) / 2 for band in bands])) for bands in (firsts, lasts)]
    widest = min(x for x, _ in firsts) + max(x for _, x in lasts)
    # A cell is wider than its text: with text on its left it goes on to the next column, on its right it comes from the
    # one before.
    centres = [(start + end) / 2, sum(middles) / 2, widest / 2, (start + beside[1]) / 2, (beside[0] + end) / 2]
    if cell.columns[0] == cell.columns[1]:
        centres += [sum(band) / 2 for band in firsts]
    places = [
        *(abs(left - x) for x, _ in firsts),
        *(abs(right - x) for _, x in lasts),
        *(abs((left + right) / 2 - x) for x in centres if not np.isnan(x)),
    ]
    if right >= end - line_height_px / 2:  # text that fills its columns
        places.append(max(0.0, left - start))
    return min(places)
