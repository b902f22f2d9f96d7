"""Canonical form of web pages.

The tree that a browser without scripts builds, written back with every implied tag, without what does not show:
comments, scripts, templates, event handlers, white space beyond the one character that may show. Which white
space shows at all depends on style sheets (any element can be inline), so no run vanishes altogether. `<noscript>`
stays: without scripts it shows. Attributes stay in the source's order, their values untouched.

One thing may show: where a comment splits the words of a line, Chromium may lay out the two parts one by one, and
the edges of letters after it differ (one case measured: 1/64 px). No real page in the development data shows it.

A document keeps its rendering mode: `<!DOCTYPE html>` for standards mode, none for quirks mode (WebSight's pages),
because line heights and table fonts differ between the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.markup.canonical import Canonical, unusable_text, without_fence
from curation.markup.tree import (
    LINE_BREAK_SWALLOWED,
    NO_TEXT_FOR_TREE,
    RAW_TEXT_TAGS,
    Start,
    collapsed,
    end_tag,
    escaped,
    events,
    parse,
    root_of,
    start_tag,
)
from curation.reasons import Reason, Reject

_ANY_TAG: Final = re.compile(r"<[A-Za-z]")

_SPACE_SHOWS: Final = LINE_BREAK_SWALLOWED | RAW_TEXT_TAGS
_CLASS_PRESERVES: Final = re.compile(r"whitespace-(?!nowrap|normal)")
_CSS_PRESERVES: Final = re.compile(r"white-space(?!\s*:\s*(?:nowrap|normal))|\\|data:", re.IGNORECASE)
"""Style sheets that may keep white space; an escape or a data URL could spell anything, so they count."""

_CSS_COUNTS_SIBLINGS: Final = re.compile(
    r"[~+\\]|data:|:(?:nth|first|last|only|has|not|is|where|empty|root)", re.IGNORECASE
)
_CLASS_COUNTS_SIBLINGS: Final = re.compile(r"\b(?:space|divide)-")
"""Tailwind's `space-x-4 > :not([hidden]) ~ :not([hidden])` counts a script as a sibling."""

_CLASS_SHOWS_SCRIPT: Final = re.compile(r"\b(?:block|flex|grid|inline|table|contents|flow-root|list-item)\b")
_CSS_SHOWS_SCRIPT: Final = re.compile(r"\bscript\b|\*\s*\{[^}]*display", re.IGNORECASE)
"""A script is hidden by nothing but the browser's `display: none`: its code can be made to show."""

_CSS_READS_HANDLERS: Final = re.compile(r"\[\s*(?:on|\\)", re.IGNORECASE)

_LIMITED_QUIRKS: Final = re.compile(
    r'PUBLIC "-//W3C//DTD (?:XHTML 1\.0 (?:Frameset|Transitional)//|HTML 4\.01 (?:Frameset|Transitional)//[^"]*" ")',
    re.IGNORECASE,
)
"""Document types of limited-quirks mode (HTML Standard, "the initial insertion mode")."""


def canonical_page(text: str) -> Canonical | Reject:
    """Canonical form of a web page: a whole document from its document type to `</html>`.

    Rejects a text that is no HTML, is over a cap (see `curation.markup.tree.parse`), shows nothing by its very
    tree, or whose tree no HTML text stands for (`<form><div></form><form>` nests one form in another): writing
    that one down would change what it shows.
    """
    if (unusable := unusable_text(text)) is not None:
        return unusable
    first = _page(without_fence(text))
    if isinstance(first, Reject):
        return first
    again = _page(first.text)
    if isinstance(again, Canonical) and again.text != first.text:
        return Reject(Reason.MARKUP_INVALID, NO_TEXT_FOR_TREE)
    return again if isinstance(again, Reject) else first


def _page(source: str) -> Canonical | Reject:
    if not _ANY_TAG.search(source):
        return Reject(Reason.MARKUP_INVALID, "no HTML tag")
    tree = parse(source)
    if isinstance(tree, Reject):
        return tree
    root = root_of(tree)
    sheets = _Sheets.of(root)
    removed = _remove_what_never_shows(root, sheets)
    if isinstance(removed, Reject):
        return removed
    body = tree.body
    if body is not None and not any(body.iter()) and not body.text(strip=True):
        return Reject(Reason.MARKUP_EMPTY, "nothing in the body")
    doctype = _doctype(tree)
    written, n_handlers = _written(root, sheets)
    if n_handlers:
        removed["event handlers"] = n_handlers
    return Canonical(doctype + written, tuple(f"{count} {what} removed" for what, count in removed.items()))


@dataclass(frozen=True)
class _Sheets:
    """What the page's own style sheets could do with what canonical form would like to remove."""

    preserve_space: bool
    count_siblings: bool
    read_handlers: bool
    show_scripts: bool

    @staticmethod
    def of(root: LexborNode) -> _Sheets:
        css = "\n".join(style.text() for style in root.css("style"))
        css += "\n".join(link.attributes["href"] or "" for link in root.css('link[href^="data:" i]'))
        return _Sheets(
            preserve_space=bool(_CSS_PRESERVES.search(css)),
            count_siblings=bool(_CSS_COUNTS_SIBLINGS.search(css)),
            read_handlers=bool(_CSS_READS_HANDLERS.search(css)),
            show_scripts=bool(_CSS_SHOWS_SCRIPT.search(css)),
        )


def _remove_what_never_shows(root: LexborNode, sheets: _Sheets) -> dict[str, int] | Reject:
    """Take scripts, templates and refreshes out of the tree; gives what was removed, and how many."""
    for node in root.css("object, option"):
        child = node.first_child
        while child is not None:
            if child.is_comment_node:
                return Reject(Reason.MARKUP_INVALID, f"a comment in <{node.tag}>, where browsers count it as content")
            child = child.next
    removed: dict[str, int] = {}
    # Innermost first: an SVG script may hold another, which is gone when the outer one is.
    for node in reversed(root.css("script, template, meta[http-equiv=refresh i]")):
        tag = node.tag or ""
        if tag == "template" and (node.attributes.get("shadowrootmode") or "").lower() in ("open", "closed"):
            return Reject(Reason.MARKUP_INVALID, "a template that shows as a shadow root")
        if tag == "script" and (sheets.show_scripts or _shows(node)):
            return Reject(Reason.MARKUP_INVALID, "a script whose code shows")
        if tag != "meta" and _counts_as_sibling(node, sheets):
            if node.html == f"<{tag}></{tag}>":
                continue
            node.insert_before(_empty_element(tag))
        node.decompose()
        what = {"script": "scripts", "template": "templates"}.get(tag, "page refreshes")
        removed[what] = removed.get(what, 0) + 1
    return removed


def _counts_as_sibling(node: LexborNode, sheets: _Sheets) -> bool:
    parent = node.parent
    if parent is None or parent.tag == "head":
        return False
    if parent.tag == "object":  # which shows an empty box only where it has no content
        return True
    return sheets.count_siblings or bool(_CLASS_COUNTS_SIBLINGS.search(parent.attributes.get("class") or ""))


def _shows(script: LexborNode) -> bool:
    classes, style = script.attributes.get("class") or "", script.attributes.get("style") or ""
    return bool(_CLASS_SHOWS_SCRIPT.search(classes)) or "display" in style.lower() or "\\" in style


def _empty_element(tag: str) -> LexborNode:
    element = LexborHTMLParser(f"<{tag}></{tag}>").css_first(tag)
    assert element is not None
    return element


def _doctype(tree: LexborHTMLParser) -> str:
    """The shortest document type of the same rendering mode; empty for quirks mode."""
    node = root_of(tree).prev
    while node is not None and node.tag != "-doctype":
        node = node.prev
    if node is None:
        return ""
    declared = " ".join((node.html_pretty(full_doctype=True) or "").split())
    # The parser itself says which types mean quirks: only in that mode may a paragraph hold a table.
    if LexborHTMLParser(f"{declared}<p><table>").css_first("p > table") is not None:
        return ""
    if _LIMITED_QUIRKS.search(declared):
        return '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "">\n'
    return "<!DOCTYPE html>\n"


def _written(root: LexborNode, sheets: _Sheets) -> tuple[str, int]:
    """The text of the tree, and how many event handlers were left out of it."""
    out: list[str] = []
    n_handlers = 0
    # One entry for each open element: whether white space shows in it, and whether its text is written raw.
    inside: list[tuple[bool, bool]] = [(sheets.preserve_space, False)]
    swallows_line_break = False
    for event in events(root):
        if isinstance(event, str):
            preserve, raw = inside[-1]
            if swallows_line_break and event.startswith("\n"):
                out.append("\n")
            text = event if preserve else collapsed(event)
            out.append(text if raw else escaped(text))
            swallows_line_break = False
        elif isinstance(event, Start):
            attributes = {
                name: None if name.startswith("on") else value
                for name, value in event.attributes.items()
                if not name.startswith("on") or sheets.read_handlers
            }
            n_handlers += sum(name.startswith("on") and bool(value) for name, value in event.attributes.items())
            out.append(start_tag(event.tag, attributes))
            html = not event.foreign
            preserve = inside[-1][0] or (html and event.tag in _SPACE_SHOWS) or _preserves(event.attributes)
            inside.append((preserve, html and event.tag in RAW_TEXT_TAGS))
            swallows_line_break = html and event.tag in LINE_BREAK_SWALLOWED
        else:
            inside.pop()
            out.append(end_tag(event))
            swallows_line_break = False
    return "".join(out), n_handlers


def _preserves(attributes: dict[str, str | None]) -> bool:
    return bool(
        _CLASS_PRESERVES.search(attributes.get("class") or "")
        or _CSS_PRESERVES.search(attributes.get("style") or "")
        or attributes.get("xml:space") == "preserve"
    )
