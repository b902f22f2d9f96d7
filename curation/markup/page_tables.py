"""The tables of a page: each with its shape and what stands around it, for a source to choose from.

Shape is told from the tree alone; whether rows and columns add up is asked where the canonical form is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborNode

from curation.markup.tables import spans_of
from curation.markup.tree import parse, root_of, start_tag
from curation.reasons import Reject

MAX_CONTEXT_CHARS: Final = 500
_LAYOUT_ROLES: Final = frozenset({"presentation", "none"})
"""WAI-ARIA 1.2: a table that is none, because it only places things on the page."""


@dataclass(frozen=True)
class PageTable:
    """One `<table>` of a page, the `number`-th in document order, counted from 0.

    `html` is its markup; only its start tag where it holds other tables (`n_inner`), and then it has no shape either.
    `n_columns` are those of its widest row, spans counted; `text_share` is the share of cells with text.
    `context` is the page's title and the table's caption.
    """

    number: int
    html: str
    context: str | None
    n_inner: int = 0
    is_layout: bool = False
    n_rows: int = 0
    n_columns: int = 0
    n_cells: int = 0
    text_share: float = 0.0
    has_header: bool = False


def page_tables(text: str) -> list[PageTable] | Reject:
    """Every table of a page in document order, or why the page cannot be parsed (`curation.markup.tree.parse`)."""
    tree = parse(text)
    if isinstance(tree, Reject):
        return tree
    root = root_of(tree)
    title = _text(root.css_first("head > title"))
    return [_table(number, table, title) for number, table in enumerate(root.css("table"))]


def _table(number: int, table: LexborNode, title: str) -> PageTable:
    context = " — ".join(filter(None, (title, _text(table.css_first("caption")))))[:MAX_CONTEXT_CHARS] or None
    n_inner = len(table.css("table")) - 1
    is_layout = (table.attributes.get("role") or "").strip().lower() in _LAYOUT_ROLES
    if n_inner:
        return PageTable(number, start_tag("table", table.attributes), context, n_inner, is_layout)
    rows = [[cell for cell in row.iter() if cell.tag in ("td", "th")] for row in table.css("tr")]
    cells = [cell for row in rows for cell in row]
    n_with_text = sum(bool(cell.text(strip=True)) for cell in cells)
    return PageTable(
        number,
        table.html or "",
        context,
        is_layout=is_layout,
        n_rows=len(rows),
        n_columns=max((sum(spans_of(cell).colspan for cell in row) for row in rows), default=0),
        n_cells=len(cells),
        text_share=n_with_text / len(cells) if cells else 0.0,
        has_header=any(cell.tag == "th" for cell in cells) or table.css_first("thead td") is not None,
    )


def _text(node: LexborNode | None) -> str:
    return " ".join(node.text().split())[:MAX_CONTEXT_CHARS] if node is not None else ""
