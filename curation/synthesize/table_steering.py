"""Tables with a shape, merged cell or tag that is asked for: options of the generator, then changes of its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from curation.classes.tables import COLUMN_STEPS, ROW_STEPS
from curation.generate.choose import between, pick
from curation.generate.table_plan import TableOptions
from curation.synthesize.table_grid import GridCell, Row, TableGrid

_BUCKET: Final = re.compile(r"shape:(\d+)(?:-(\d+)|(\+))?x(\d+)(?:-(\d+)|(\+))?")
_SPAN: Final = re.compile(r"span:(\d+)x(\d+)")
_HEADER: Final = re.compile(r"shape:header-(\d+)")
_PARTS: Final = frozenset({"table", "thead", "tbody", "tr", "td"})
"""What every table has."""
_LEFT_OUT: Final = frozenset({"table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "col", "colgroup"})
_VOID: Final = frozenset({"br", "hr", "wbr", "img"})


def options_of(rng: Random, wanted: Sequence[str]) -> TableOptions:
    """Options of the generator for what its plan can give: size, header, merged and empty cells."""
    spans = tuple((int(match[1]), int(match[2])) for name in wanted if (match := _SPAN.fullmatch(name)))
    depth = next((int(match[1]) for name in wanted if (match := _HEADER.fullmatch(name))), 0)
    bucket = next((match for name in wanted if (match := _BUCKET.fullmatch(name))), None)
    n_rows = n_columns = 0
    if bucket:
        n_rows = _size(rng, bucket[1], bucket[2], ROW_STEPS)
        n_columns = _size(rng, bucket[4], bucket[5], COLUMN_STEPS)
        n_rows = max(1, n_rows - (depth or 1))
    empty = 0.35 + 0.2 * rng.random() if "shape:many-empty-cells" in wanted else -1.0
    if "shape:empty-cells" in wanted:
        empty = 0.03 + 0.12 * rng.random()
    return TableOptions(header_depth=depth, n_rows=n_rows, n_columns=n_columns, spans=spans, empty_share=empty)


def edited(rng: Random, grid: TableGrid, wanted: Sequence[str]) -> TableGrid:
    """The table with what no plan gives: header cells at rows' starts, a caption, last rows, tags within cells."""
    if "shape:header-0" in wanted:
        grid = replace(grid, head=(), body=(*grid.head, *grid.body))
    for name in wanted:
        change = _CHANGES.get(name)
        if change is not None:
            grid = change(rng, grid)
        elif name.startswith("tag:") and name.removeprefix("tag:") not in _LEFT_OUT:
            grid = _with_tag(rng, grid, name.removeprefix("tag:"))
    return grid


def _size(rng: Random, low: str, high: str | None, steps: Sequence[int]) -> int:
    """A number in a bucket; of an open one (its start is the last step) from its first fifth."""
    start = int(low)
    stop = start + max(2, start // 5) if start == steps[-1] else int(high or low)
    return between(rng, start, stop)


def _row_headers(_: Random, grid: TableGrid) -> TableGrid:
    body = tuple((replace(row[0], tag="th"), *row[1:]) if row else row for row in grid.body)
    return replace(grid, body=body)


def _header_cells(rng: Random, grid: TableGrid) -> TableGrid:
    if not grid.head or rng.random() < 0.3:
        return _row_headers(rng, grid)
    return replace(grid, head=tuple(tuple(replace(cell, tag="th") for cell in row) for row in grid.head))


def _caption(rng: Random, grid: TableGrid) -> TableGrid:
    heads = [cell.inner for row in grid.head for cell in row if cell.inner]
    stubs = [row[0].inner for row in grid.body if row and row[0].inner]
    words = [re.sub(r"<[^>]*>", "", text) for text in ([pick(rng, heads)] if heads else []) + stubs[:1]]
    return replace(grid, before=f"<caption>{' by '.join(words) or 'Values'}</caption>{grid.before}")


def _foot(_: Random, grid: TableGrid) -> TableGrid:
    if len(grid.body) < 2 or any(cell.rowspan > 1 for row in grid.body for cell in row):
        columns = grid.n_columns
        return replace(grid, foot=((GridCell("Note", colspan=columns),),)) if columns else grid
    return replace(grid, body=grid.body[:-1], foot=(*grid.foot, grid.body[-1]))


def _columns(_: Random, grid: TableGrid) -> TableGrid:
    columns = "<col>" * max(1, grid.n_columns)
    return replace(grid, before=f"{grid.before}<colgroup>{columns}</colgroup>")


def _sections(rng: Random, grid: TableGrid) -> TableGrid:
    if grid.n_columns < 2 or not grid.body or any(cell.rowspan > 1 for row in grid.body for cell in row):
        return grid
    place = between(rng, 0, len(grid.body) - 1)
    text = next((cell.inner for cell in grid.body[place] if cell.inner), "Group")
    section: Row = (GridCell(f"<i>{re.sub(r'<[^>]*>', '', text)}</i>", colspan=grid.n_columns),)
    return replace(grid, body=(*grid.body[:place], section, *grid.body[place:]))


def _empty(rng: Random, grid: TableGrid) -> TableGrid:
    rows = [list(row) for row in grid.body]
    places = [(i, j) for i, row in enumerate(rows) for j in range(1, len(row))]
    for _ in range(min(len(places), 1 + len(places) // 20)):
        i, j = pick(rng, places)
        rows[i][j] = replace(rows[i][j], inner="")
    return replace(grid, body=tuple(tuple(row) for row in rows))


_CHANGES: Final[dict[str, Callable[[Random, TableGrid], TableGrid]]] = {
    "shape:row-headers": _row_headers,
    "shape:caption": _caption,
    "shape:foot": _foot,
    "shape:sections": _sections,
    "shape:empty-cells": _empty,
    "tag:th": _header_cells,
    "tag:caption": _caption,
    "tag:tfoot": _foot,
    "tag:col": _columns,
    "tag:colgroup": _columns,
}


def _with_tag(rng: Random, grid: TableGrid, tag: str) -> TableGrid:
    """One to three cells, or all of a column, with this tag around a word of theirs, or after it."""
    rows = [list(row) for row in (*grid.head, *grid.body)]
    places = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell.inner]
    if not places or tag in _PARTS:
        return grid
    for _ in range(between(rng, 1, 3)):
        i, j = pick(rng, places)
        rows[i][j] = replace(rows[i][j], inner=_tagged(rng, rows[i][j].inner, tag))
    n_head = len(grid.head)
    made = tuple(tuple(row) for row in rows)
    return replace(grid, head=made[:n_head], body=made[n_head:])


def _tagged(rng: Random, inner: str, tag: str) -> str:
    if tag in _VOID:
        words = inner.split(" ")
        cut = between(rng, 1, len(words) - 1) if len(words) > 1 and "<" not in inner else len(words)
        return f"{' '.join(words[:cut])}<{tag}>{' '.join(words[cut:])}" if cut < len(words) else f"{inner}<{tag}>*"
    if tag in ("sup", "sub"):
        return f"{inner}<{tag}>{pick(rng, ('a', 'b', '1', '2', '*', '†', 'max', '+'))}</{tag}>"
    return f"<{tag}>{inner}</{tag}>"
