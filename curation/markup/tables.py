"""Canonical form of tables: one `<table>`, its grid checked, in one line.

What stands around the table goes, and with it every style sheet; so classes and ids go too. Spans are written as
the numbers that a browser takes them for, and a span of 1 not at all. White space goes wherever it shows nothing
(`curation.markup.table_text`). Attributes that draw something by themselves (`rules`, `align`, `bgcolor`)
stay; `style` goes from the table's own parts, with a warning, and stays on what stands in cells.

The grid is the HTML Standard's ("forming a table"). Browsers show any grid: they lay overlapping cells over
each other, cut a row span at the end of its row group, and leave a hole where a row is short. As the target of
a picture such a table is wrong, so each is a reject. None of the 230 real tables in the development data is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborNode

from curation.markup.canonical import Canonical, unusable_text, without_fence
from curation.markup.table_text import TABLE_PARTS, write_table
from curation.markup.tree import NO_TEXT_FOR_TREE, parse, root_of, tree_size
from curation.reasons import Reason, Reject

MAX_SLOTS: Final = 1_000_000
"""Rows × columns of a grid. A few bytes of spans can ask for 6e10."""

MAX_COLSPAN: Final = 1_000
MAX_ROWSPAN: Final = 65_534
"""HTML Standard, "attributes common to td and th elements"."""

_ROW_GROUPS: Final = frozenset({"thead", "tbody", "tfoot"})
_CELLS: Final = frozenset({"td", "th"})
_LEADING_NUMBER: Final = re.compile(r"[ \t\n\f\r]*\+?([0-9]{1,9})")
_HIDES_OR_MOVES: Final = re.compile(r"display|visibility|position|float|\\", re.IGNORECASE)
_HOLE: Final = -1


@dataclass(frozen=True)
class Cell:
    """A cell's spans as a browser takes them; a `rowspan` of 0 reaches to the end of the row group."""

    rowspan: int = 1
    colspan: int = 1


_NO_SPANS: Final = Cell()

Grid = list[list[int]]
"""Rows × columns: the index, in document order, of the cell that covers each slot."""


def canonical_table(text: str) -> Canonical | Reject:
    """Canonical form of the one table in `text`: `<table>…</table>`.

    Rejects no table, several, nested ones, a table without cells, and a grid that does not resolve.
    """
    if (unusable := unusable_text(text)) is not None:
        return unusable
    first = _table(without_fence(text))
    if isinstance(first, Reject):
        return first
    again = _table(first.text)
    if isinstance(again, Canonical) and again.text != first.text:
        return Reject(Reason.MARKUP_INVALID, NO_TEXT_FOR_TREE)
    return again if isinstance(again, Reject) else first


def resolve_grid(row_groups: Sequence[Sequence[Sequence[Cell]]]) -> Grid | Reject:
    """Which cell covers which slot of a table, given as row groups of rows of cells.

    Rejects two cells in one slot (`table_spans_overlap`), a slot without a cell or a row span that reaches beyond
    its row group (`table_ragged`), and a table without cells. Rows in details count from 1.
    """
    grid: Grid = []
    index = n_slots = 0
    for rows in row_groups:
        top = len(grid)
        grid.extend([] for _ in rows)
        for row_index, row in enumerate(rows, top):
            column = 0
            for cell in row:
                line = grid[row_index]
                while column < len(line) and line[column] != _HOLE:
                    column += 1
                bottom = row_index + cell.rowspan if cell.rowspan else len(grid)
                if bottom > len(grid):
                    detail = f"row {row_index + 1}: a rowspan of {cell.rowspan} with {len(grid) - row_index} rows left"
                    return Reject(Reason.TABLE_RAGGED, detail)
                n_slots += (bottom - row_index) * (column + cell.colspan)
                if n_slots > MAX_SLOTS:
                    return Reject(Reason.MARKUP_TOO_LARGE, f"a grid of more than {MAX_SLOTS} slots")
                for line in grid[row_index:bottom]:
                    line.extend([_HOLE] * (column + cell.colspan - len(line)))
                    if any(owner != _HOLE for owner in line[column : column + cell.colspan]):
                        return Reject(Reason.TABLE_SPANS_OVERLAP, f"row {row_index + 1}, column {column + 1}")
                    line[column : column + cell.colspan] = [index] * cell.colspan
                index += 1
    n_columns = max(map(len, grid), default=0)
    if n_columns == 0:
        return Reject(Reason.MARKUP_EMPTY, "a table without cells")
    for number, line in enumerate(grid, 1):
        n_covered = len(line) - line.count(_HOLE)
        if n_covered < n_columns:
            return Reject(Reason.TABLE_RAGGED, f"row {number} covers {n_covered} of {n_columns} columns")
    return grid


def _table(source: str) -> Canonical | Reject:
    tree = parse(source)
    if isinstance(tree, Reject):
        return tree
    root = root_of(tree)
    tables = root.css("table")
    if not tables:
        return Reject(Reason.TABLE_MISSING)
    if len(tables) > 1:
        nested = root.css_first("table table") is not None
        return Reject(Reason.TABLE_NESTED if nested else Reason.TABLE_SEVERAL, f"{len(tables)} tables")
    table = tables[0]
    warnings = _remove_what_never_shows(root)
    if (hidden := _hidden_part(table)) is not None:
        return Reject(Reason.MARKUP_INVALID, f"a <{hidden}> of the table is hidden or moved by its style")
    row_groups = [
        [[cell for cell in row.iter() if cell.tag in _CELLS] for row in group.iter() if row.tag == "tr"]
        for group in table.iter()
        if group.tag in _ROW_GROUPS
    ]
    grid = resolve_grid([[[spans_of(cell) for cell in row] for row in rows] for rows in row_groups])
    if isinstance(grid, Reject):
        return grid
    for rows in row_groups:
        for n_rows_left, row in zip(range(len(rows), 0, -1), rows, strict=True):
            for cell in row:
                _write_spans(cell, n_rows_left)
    written, n_styles = write_table(table, keep_line_breaks="\u200b" in source)
    if n_styles:
        warnings.append(f"{n_styles} styles of table parts removed")
    table.decompose()
    body = tree.body
    n_around = tree_size(body).n_nodes - 1 if body is not None else 0
    if n_around or (body is not None and body.text().strip(" \t\n\r\f")):
        warnings.append(f"text and {n_around} elements around the table left out")
    return Canonical(written, tuple(warnings))


def _remove_what_never_shows(root: LexborNode) -> list[str]:
    n_sheets = 0
    # Innermost first: an SVG script may hold another, which is gone when the outer one is.
    for node in reversed(root.css("script, template, style, link, meta, title")):
        n_sheets += node.tag == "style" or "stylesheet" in (node.attributes.get("rel") or "").lower()
        node.decompose()
    return [f"{n_sheets} style sheets left out"] if n_sheets else []


def _hidden_part(table: LexborNode) -> str | None:
    """The tag of a part that is hidden or taken out of the grid, so that a browser's grid would be another."""
    for part in table.css("[hidden], [style]"):
        attributes = part.attributes
        if part.tag in TABLE_PARTS and (
            "hidden" in attributes or _HIDES_OR_MOVES.search(attributes.get("style") or "")
        ):
            return part.tag
    return None


def spans_of(cell: LexborNode) -> Cell:
    """A cell's spans as a browser takes them."""
    attributes = cell.attributes
    if not attributes:
        return _NO_SPANS
    colspan = _number(attributes.get("colspan")) or 1
    rowspan = _number(attributes.get("rowspan"))
    return Cell(1 if rowspan is None else min(rowspan, MAX_ROWSPAN), min(colspan, MAX_COLSPAN))


def _number(value: str | None) -> int | None:
    """HTML Standard, "rules for parsing non-negative integers"."""
    number = _LEADING_NUMBER.match(value or "")
    return int(number[1]) if number else None


def _write_spans(cell: LexborNode, n_rows_left: int) -> None:
    attributes = cell.attributes
    if not attributes:
        return
    spans = spans_of(cell)
    for name, span in (("rowspan", spans.rowspan or n_rows_left), ("colspan", spans.colspan)):
        if span > 1:
            cell.attrs[name] = str(span)
        elif name in attributes:
            del cell.attrs[name]
