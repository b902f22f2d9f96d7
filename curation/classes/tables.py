"""The shape of tables: merged cells, size, header, what is empty."""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborNode

from curation.markup.tables import spans_of

ROW_STEPS: Final = (1, 2, 5, 10, 20, 50)
COLUMN_STEPS: Final = (1, 2, 3, 5, 8, 12)
"""Where the size buckets begin; about the quintiles of PubTabNet's published examples, with room at both ends."""

_MANY_EMPTY: Final = 0.25


def spans_in(root: LexborNode) -> set[str]:
    """Each merged extent in the tables below `root`, as rowspan x colspan: `2x1`. A cell of 1x1 is none."""
    cells = (spans_of(cell) for cell in root.css("td[rowspan], td[colspan], th[rowspan], th[colspan]"))
    return {f"{cell.rowspan}x{cell.colspan}" for cell in cells if (cell.rowspan, cell.colspan) != (1, 1)}


def shapes_of(table: LexborNode) -> set[str]:
    """What can be said of one table's shape.

    - `10-19x3-4`: rows x columns, spans counted, in buckets (`ROW_STEPS`, `COLUMN_STEPS`);
    - `header-0`, `header-1`, …: rows of the header: those of `thead`, else leading rows of `th` alone;
    - `row-headers`: a `th` in a row below the header;
    - `sections`: a row below the header that is one cell over all columns, or one with text in its first cell alone;
    - `empty-cells`, or `many-empty-cells` from a quarter of the cells on;
    - `caption`, `foot`.
    """
    rows = [[cell for cell in row.iter() if cell.tag in ("td", "th")] for row in table.css("tr")]
    rows = [row for row in rows if row]
    if not rows:
        return set()
    n_columns = max(sum(spans_of(cell).colspan for cell in row) for row in rows)
    depth = _header_depth(table, rows)
    body = rows[depth:]
    empty = [[_is_empty(cell) for cell in row] for row in rows]
    found = {f"{_bucket(len(rows), ROW_STEPS)}x{_bucket(n_columns, COLUMN_STEPS)}", f"header-{depth}"}
    n_cells, n_empty = sum(map(len, rows)), sum(map(sum, empty))
    if n_empty:
        found.add("many-empty-cells" if n_empty >= _MANY_EMPTY * n_cells else "empty-cells")
    if any(cell.tag == "th" for row in body for cell in row):
        found.add("row-headers")
    if n_columns > 1 and any(_is_section(row, flags) for row, flags in zip(body, empty[depth:], strict=True)):
        found.add("sections")
    found |= {name for name, tag in (("caption", "caption"), ("foot", "tfoot")) if table.css_first(tag) is not None}
    return found


def _header_depth(table: LexborNode, rows: list[list[LexborNode]]) -> int:
    head = table.css("thead > tr")
    if head:
        return sum(any(cell.tag in ("td", "th") for cell in row.iter()) for row in head)
    depth = 0
    while depth < len(rows) and all(cell.tag == "th" for cell in rows[depth]):
        depth += 1
    return depth


def _is_section(row: list[LexborNode], is_empty: list[bool]) -> bool:
    if len(row) == 1:
        return spans_of(row[0]).colspan > 1 and not is_empty[0]
    return not is_empty[0] and all(is_empty[1:])


def _is_empty(cell: LexborNode) -> bool:
    return not cell.text(strip=True) and cell.css_first("img, svg, input") is None


def _bucket(n: int, steps: tuple[int, ...]) -> str:
    start = max(step for step in steps if step <= n)
    after = [step for step in steps if step > start]
    if not after:
        return f"{start}+"
    return str(start) if after[0] == start + 1 else f"{start}-{after[0] - 1}"
