"""A table in canonical form as rows of cells that can be changed and written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from selectolax.lexbor import LexborNode

from curation.markup.tables import spans_of
from curation.markup.tree import parse, root_of
from curation.reasons import Reject

Section = str
"""`thead`, `tbody`, `tfoot`."""


@dataclass(frozen=True)
class GridCell:
    """A cell: its tag, what stands in it as HTML, its spans."""

    inner: str
    tag: str = "td"
    rowspan: int = 1
    colspan: int = 1

    def write(self) -> str:
        """The cell as HTML."""
        rows = f' rowspan="{self.rowspan}"' if self.rowspan > 1 else ""
        columns = f' colspan="{self.colspan}"' if self.colspan > 1 else ""
        return f"<{self.tag}{rows}{columns}>{self.inner}</{self.tag}>"


Row = tuple[GridCell, ...]


@dataclass(frozen=True)
class TableGrid:
    """A table: the opening of its element, a caption, header, body and last rows.

    `before` is what stands before the first row (`caption`, `colgroup`) as HTML.
    """

    head: tuple[Row, ...]
    body: tuple[Row, ...]
    foot: tuple[Row, ...] = ()
    opening: str = "<table>"
    before: str = field(default="")

    @property
    def n_columns(self) -> int:
        """Columns, spans counted, in the first row of all (which no cell reaches into from above)."""
        first = next(iter((*self.head, *self.body, *self.foot)), ())
        return sum(cell.colspan for cell in first)

    def write(self) -> str:
        """The table as HTML; sections without rows are left out."""
        sections = (("thead", self.head), ("tbody", self.body), ("tfoot", self.foot))
        inner = "".join(f"<{tag}>{_rows(rows)}</{tag}>" for tag, rows in sections if rows)
        return f"{self.opening}{self.before}{inner}</table>"


def read_table(text: str) -> TableGrid | None:
    """The grid of a table in canonical form; None where there is none, or rows stand in several bodies' middle."""
    tree = parse(text)
    table = None if isinstance(tree, Reject) else root_of(tree).css_first("table")
    if table is None:
        return None
    rows: dict[str, list[Row]] = {"thead": [], "tbody": [], "tfoot": []}
    before = ""
    for part in table.iter():
        if part.tag in rows:
            rows[part.tag] += [_row(row) for row in part.iter() if row.tag == "tr"]
        elif part.tag == "tr":
            rows["tbody"].append(_row(part))
        else:
            before += part.html or ""
    opening = (table.html or "<table>").partition(">")[0] + ">"
    kept = {name: tuple(row for row in found if row) for name, found in rows.items()}
    if not kept["tbody"] and not kept["thead"]:
        return None
    return TableGrid(kept["thead"], kept["tbody"], kept["tfoot"], opening, before)


def blocks_of(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """Rows in blocks that no row span crosses: they can be repeated and left out one by one."""
    blocks: list[tuple[Row, ...]] = []
    block: list[Row] = []
    left = 0
    for row in rows:
        block.append(row)
        left = max(left - 1, max((cell.rowspan for cell in row), default=1) - 1)
        if left <= 0:
            blocks.append(tuple(block))
            block = []
            left = 0
    if block:
        blocks.append(tuple(block))
    return blocks


def with_inner(cell: GridCell, inner: str) -> GridCell:
    """The cell with something else in it."""
    return replace(cell, inner=inner)


def _row(row: LexborNode) -> Row:
    cells = (cell for cell in row.iter() if cell.tag in ("td", "th"))
    return tuple(_cell(cell) for cell in cells)


def _cell(cell: LexborNode) -> GridCell:
    spans = spans_of(cell)
    html = cell.html or ""
    inner = html[html.index(">") + 1 : html.rindex("</")] if "</" in html else ""
    return GridCell(inner, cell.tag or "td", max(1, spans.rowspan), max(1, spans.colspan))


def _rows(rows: Sequence[Row]) -> str:
    return "".join(f"<tr>{''.join(cell.write() for cell in row)}</tr>" for row in rows)
