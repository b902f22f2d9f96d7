"""The HTML documents that are put before the browser: a page as it is, a table on its own, and sheets of many."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rendering.assets import katex_css
from rendering.spec import RenderSpec
from rendering.table_look import table_css

ORIGIN: Final = "http://page.invalid/"
"""Where every document says it comes from; `.invalid` never resolves (RFC 2606)."""

# `sandbox` without `allow-…` turns off script, refresh, forms, popups and downloads. Pictures and styles are let
# through to the request handler, which answers all of them itself.
CONTENT_POLICY: Final = (
    "sandbox; default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline' http: https: data:; "
    "font-src data:"
)

# Scripts that stand in the markup may run and reach nothing: no connection, worker, frame, form, popup, dialog or
# download. What a policy does not hold (speculation rules; WebRTC, whose CSP directive Chromium does not know) goes
# nowhere by `chromium.NETWORK_FLAGS`.
SCRIPTS_POLICY: Final = (
    f"{CONTENT_POLICY.replace('sandbox;', 'sandbox allow-scripts;')}; script-src 'unsafe-inline' 'unsafe-eval'; "
    "worker-src 'none'; form-action 'none'"
)

CELL_MARGIN_PX: Final = 24
"""Empty space around each markup on a sheet: ink that reaches through it is cut off."""

DEFAULT_FONT_SIZE_PX: Final = 16
"""What browsers set text in."""

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
_PAGE_TAGS: Final = """
head title meta link style header footer nav main section article aside address figure figcaption blockquote pre h1 h2
h3 h4 h5 h6 hgroup dl dt dd form fieldset legend label input button select optgroup option textarea img picture source
svg g path circle ellipse line polyline polygon rect defs lineargradient radialgradient stop time cite q kbd samp var
strike del ins dfn menu details summary
"""
_PLAIN_PAGE_TAGS: Final = _PLAIN_TAGS | frozenset(_PAGE_TAGS.split())
_DOCTYPE: Final = re.compile(r"\A\s*<!doctype html>", re.IGNORECASE)
_TAG: Final = re.compile(r"<\s*/?\s*([a-zA-Z][^\s/>]*)|<!|<\?")
_PAGE_TAG: Final = re.compile(r"<\s*/?\s*([a-zA-Z][^\s/>]*)|<!(?!--)|<\?")  # what stands in a comment counts too
_LASTS: Final = re.compile(
    r"autofocus|http-equiv|katex|-timeline|title\s*="
    # Pictures that are asked for when a page is laid out, which may be after its load event here.
    r"|url\s*\(|image-set|background\s*=|style\s*=\s*(?:\"[^\"]*[\\&]|'[^']*[\\&]|[^\s<>\"'=]*[\\&=])"
    r"|<meta(?![^<>]*\b(?:charset=[\"']?utf-8|name=[\"']?(?:viewport|description)))"
    r"|\brel\s*=\s*(?!\"stylesheet\"|'stylesheet'|stylesheet[\s>])",
    re.IGNORECASE,
)
_AT_RULE: Final = re.compile(r"(?<!\w)@(?!(?:media|supports|container|layer|(?:-webkit-)?keyframes)\b)", re.IGNORECASE)
# Of a style, to its closing quote and no further: a search to the next tag takes quadratic time where none comes.
_NAMES_PICTURE: Final = r"(?:url|image|\\|&|\dv[wh]|\dvm)"
_LOADS: Final = re.compile(
    r"background\s*=|style\s*=\s*"
    rf"(?:\"[^\"]*?{_NAMES_PICTURE}|'[^']*?{_NAMES_PICTURE}|[^\s<>\"'=]*?(?:{_NAMES_PICTURE}|=))",
    re.IGNORECASE,
)

_COLORS: Final = re.compile(r"color|background|fill=|stroke=|\b(?:bg|text|from|border)-", re.IGNORECASE)

_SHEET_CSS: Final = """
html,body{margin:0;background:#fff}
#stage{position:relative}
.cell{position:absolute;left:0;top:0;padding:%(margin)dpx;contain:layout paint style;box-sizing:border-box}
.cell{will-change:transform} /* a layer each, so that how a glyph is rounded does not depend on where the cell is */
.cell{width:max-content;min-width:min-content}
.katex-display{margin:0}
.katex-display>.katex{white-space:nowrap}
"""


def table_document(markup: str, spec: RenderSpec) -> str:
    """A document that shows `markup`'s tables alone."""
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><style>html{{background:{spec.paper_color}}}'
        f"body{{margin:{CELL_MARGIN_PX}px;width:fit-content}}{_look(spec, 'body')}</style></head>"
        f"<body>{markup}</body></html>"
    )


def sheet_document(*, formulas: bool) -> str:
    """An empty sheet, which `scripts/sheet.js` fills with many markups."""
    css = _SHEET_CSS % {"margin": CELL_MARGIN_PX}
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><style>{katex_css() if formulas else ""}{css}</style></head>'
        '<body><div id="stage"></div></body></html>'
    )


@dataclass(frozen=True)
class CellStyle:
    """How one markup of a sheet is shown: its cell's own style, the width it has, and a table's style sheet."""

    cell: str
    width_px: int
    css: str | None


def cell_style(spec: RenderSpec) -> CellStyle:
    """A sheet's cell as `spec` has it."""
    if spec.kind == "table":
        width_px = spec.width_px + 2 * CELL_MARGIN_PX
        return CellStyle(f"background:{spec.paper_color};max-width:{width_px}px", width_px, _look(spec, ":host"))
    look = f"background:{spec.paper_color};color:{spec.ink_color};font-size:{spec.font_size_px}px"
    return CellStyle(look, 0, None)


def page_css(spec: RenderSpec, markup: str) -> str:
    """What a page's own styles stand on, where that is not the browser's default; a layer gives way to all of them.

    A page that sets any colour keeps the browser's light ground: half of a dark theme would hide its text.
    """
    rules = []
    if spec.font:
        rules.append(f'font-family:"{spec.font}"')
    if spec.font_size_px != DEFAULT_FONT_SIZE_PX:
        rules.append(f"font-size:{spec.font_size_px}px")
    if spec.color_scheme == "dark" and not _COLORS.search(markup):
        rules.append("color-scheme:dark")
    return f"@layer{{:root{{{';'.join(rules)}}}}}" if rules else ""


def _look(spec: RenderSpec, host: str) -> str:
    return table_css(spec.table, host, spec.font, spec.font_size_px, spec.ink_color)


def is_plain_table(markup: str) -> bool:
    """Whether a table is made of nothing but table and text elements and loads nothing: fit for a sheet."""
    if _LOADS.search(markup):
        return False
    return all(found[1] is not None and found[1].lower() in _PLAIN_TAGS for found in _TAG.finditer(markup))


def is_plain_page(document: str) -> bool:
    """Whether nothing in a document outlives it where another one is written in its place.

    Without script those are policies and addresses (`meta`, `base`), the name of a set of style sheets (a `title`),
    what took the focus, fonts, frames, players. What is not known to be none of them is taken for one. Pages whose
    styles name pictures are not plain either: nothing tells when those are there.
    """
    body = _DOCTYPE.sub("", document, count=1)
    if _LASTS.search(body) or ("<style" in body.lower() and _AT_RULE.search(body)):
        return False
    return all(found[1] is not None and found[1].lower() in _PLAIN_PAGE_TAGS for found in _PAGE_TAG.finditer(body))


def n_tags(markup: str) -> int:
    """About how many elements a parser will make of `markup`, at the cost of counting characters."""
    return markup.count("<") - markup.count("</")
