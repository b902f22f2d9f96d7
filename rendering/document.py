"""The HTML documents that are put before the browser: a page as it is, a table on its own, and sheets of many."""

from __future__ import annotations

import re
from typing import Final

from rendering.assets import katex_css

ORIGIN: Final = "http://page.invalid/"
"""Where every document says it comes from; `.invalid` never resolves (RFC 2606)."""

# `sandbox` without `allow-…` turns off script, refresh, forms, popups and downloads. Pictures and styles are let
# through to the request handler, which answers all of them itself.
CONTENT_POLICY: Final = (
    "sandbox; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline' http: https: data:; "
    "font-src data:"
)

CELL_MARGIN_PX: Final = 24
"""Empty space around each markup on a sheet: ink that reaches through it is cut off."""

_TABLE_TAGS: Final = ("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td")
_TEXT_TAGS: Final = (
    "b",
    "i",
    "em",
    "strong",
    "u",
    "s",
    "sub",
    "sup",
    "small",
    "big",
    "code",
    "tt",
    "font",
    "a",
    "mark",
)
_BLOCK_TAGS: Final = ("html", "body", "p", "span", "div", "center", "br", "hr", "wbr", "ul", "ol", "li", "abbr")
_PLAIN_TAGS: Final = frozenset({*_TABLE_TAGS, *_TEXT_TAGS, *_BLOCK_TAGS})
_TAG: Final = re.compile(r"<\s*/?\s*([a-zA-Z][^\s/>]*)|<!|<\?")
_LOADS: Final = re.compile(r"background\s*=|style\s*=[^<>]*?(?:url|image|\\|&)", re.IGNORECASE)

_TABLE_CSS: Final = """
%(host)s{font-family:Arimo,sans-serif;font-size:%(size)dpx;line-height:1.3;color:#000;text-align:left}
table{border-collapse:collapse;border-top:2px solid #000;border-bottom:2px solid #000;font-size:1em;color:#000}
caption{text-align:left;padding:0 0 .4em;font-weight:bold}
th,td{padding:.25em .6em;text-align:left;vertical-align:top;border:0}
th{font-weight:bold}
thead{border-bottom:1px solid #000}
tfoot{border-top:1px solid #000}
"""

_SHEET_CSS: Final = """
html,body{margin:0;background:#fff}
#stage{position:relative}
.cell{position:absolute;left:0;top:0;padding:%(margin)dpx;contain:layout paint style;box-sizing:border-box}
.cell.nowrap{width:max-content}
.markup{font-size:%(size)dpx}
.katex-display{margin:0}
.katex-display>.katex{white-space:nowrap}
"""


def table_css(host: str, font_size_px: int) -> str:
    """A neutral style as in a journal: rules above, below and under the head. `host` selects what holds the table."""
    return _TABLE_CSS % {"host": host, "size": font_size_px}


def table_document(markup: str, font_size_px: int) -> str:
    """A document that shows `markup`'s tables alone."""
    return (
        '<!doctype html><html><head><meta charset="utf-8"><style>html{background:#fff}'
        f"body{{margin:{CELL_MARGIN_PX}px;width:fit-content}}{table_css('body', font_size_px)}</style></head>"
        f"<body>{markup}</body></html>"
    )


def sheet_document(font_size_px: int, *, formulas: bool) -> str:
    """An empty sheet, which `scripts/sheet.js` fills with many markups."""
    css = _SHEET_CSS % {"margin": CELL_MARGIN_PX, "size": font_size_px}
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><style>{katex_css() if formulas else ""}{css}</style></head>'
        '<body><div id="stage"></div></body></html>'
    )


def is_plain_table(markup: str) -> bool:
    """Whether a table is made of nothing but table and text elements and loads nothing: fit for a sheet."""
    if _LOADS.search(markup):
        return False
    return all(found[1] is not None and found[1].lower() in _PLAIN_TAGS for found in _TAG.finditer(markup))


def n_tags(markup: str) -> int:
    """About how many elements a parser will make of `markup`, at the cost of counting characters."""
    return markup.count("<") - markup.count("</")
