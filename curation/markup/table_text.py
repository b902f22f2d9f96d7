"""A table's tree as text, without the white space and the attributes that show nothing.

A table stands alone, without style sheets, so the display of its elements is known and white space can be
collapsed as a browser does it (CSS Text 3, section 4.1): at the edges of blocks and lines none is left, and of
two runs with only inline tags between them the first stays. Inside anything whose layout is not
known from its tag (a `style`, a button, a list item with its marker) runs become one space and no more.
"""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborNode

from curation.markup.tree import (
    LINE_BREAK_SWALLOWED,
    RAW_TEXT_TAGS,
    Start,
    collapsed,
    end_tag,
    escaped,
    events,
    start_tag,
)

TABLE_PARTS: Final = frozenset(["table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th"])

_BLOCKS: Final = TABLE_PARTS | frozenset(
    [
        *("address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "p", "pre", "section"),
    ]
)
_INLINES: Final = frozenset(
    [
        *("a", "abbr", "acronym", "b", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd"),
        *("mark", "nobr", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u"),
        *("underline", "var"),
    ]
)
_SPACE_SHOWS: Final = LINE_BREAK_SWALLOWED | RAW_TEXT_TAGS

_SHOW_NOTHING: Final = frozenset({"class", "id", "role"})
_SHOW_NOTHING_PREFIXES: Final = ("on", "data-", "aria-")
_SHOW_NOTHING_ON_PARTS: Final = frozenset({"style", "title", "scope", "headers", "abbr", "axis", "summary", "tabindex"})


def write_table(table: LexborNode, *, keep_line_breaks: bool) -> tuple[str, int]:
    """The text of a table's tree, and how many styles of its parts were left out.

    `keep_line_breaks` where a line break may show other than a space does (beside a zero-width space).
    """
    line = _Line()
    n_styles = 0
    # One entry for each open element: whether its layout is known, whether white space shows, whether text is raw.
    inside: list[tuple[bool, bool, bool]] = [(True, False, False)]
    swallows_line_break = False
    for event in events(table):
        known, preserve, raw = inside[-1]
        if isinstance(event, str):
            if preserve:
                line.verbatim("\n" + event if swallows_line_break and event[0] == "\n" else event, raw=raw)
            else:
                text = collapsed(event)
                line.text(text if keep_line_breaks else text.replace("\n", " "), trim=known)
            swallows_line_break = False
        elif isinstance(event, Start):
            attributes = _shown_attributes(event)
            n_styles += event.tag in TABLE_PARTS and bool(event.attributes.get("style"))
            known = known and not event.foreign and "style" not in attributes
            line.boundary(event.tag, known=known)
            line.tag(start_tag(event.tag, attributes))
            html_tag = "" if event.foreign else event.tag
            style = attributes.get("style") if attributes else None
            preserve = preserve or html_tag in _SPACE_SHOWS or (style is not None and "white-space" in style.lower())
            known = known and (event.tag in _BLOCKS or event.tag in _INLINES)
            inside.append((known, preserve, html_tag in RAW_TEXT_TAGS))
            swallows_line_break = html_tag in LINE_BREAK_SWALLOWED
        else:
            known, _, _ = inside.pop()
            line.boundary(event.tag, known=known or event.tag == "br")
            line.tag(end_tag(event))
            swallows_line_break = False
    return "".join(line.out), n_styles


def _shown_attributes(start: Start) -> dict[str, str | None]:
    if not start.attributes:
        return start.attributes
    if start.foreign:  # ids and classes hold an SVG together
        return {name: value for name, value in start.attributes.items() if not name.startswith("on")}
    hidden = _SHOW_NOTHING | _SHOW_NOTHING_ON_PARTS if start.tag in TABLE_PARTS else _SHOW_NOTHING
    return {
        name: value
        for name, value in start.attributes.items()
        if name not in hidden and not name.startswith(_SHOW_NOTHING_PREFIXES)
    }


class _Line:
    """Text and tags written so far, and what the next white space would stand beside."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._at_start = True  # of a line: white space here shows nothing
        self._space_at: int | None = None  # where in `out` the last text ends with white space, if nothing came after

    def tag(self, text: str) -> None:
        self.out.append(text)

    def verbatim(self, text: str, *, raw: bool) -> None:
        self.out.append(text if raw else escaped(text))
        self._at_start, self._space_at = False, None

    def text(self, text: str, *, trim: bool) -> None:
        if trim and (self._at_start or self._space_at is not None):
            text = text.lstrip(" \n")
            if not text:
                return
        self.out.append(escaped(text))
        self._at_start = False
        self._space_at = len(self.out) - 1 if trim and text[-1] in " \n" else None

    def boundary(self, tag: str, *, known: bool) -> None:
        """Come to the start or the end of an element; `known` where its layout is that of its tag."""
        if known and (tag in _BLOCKS or tag == "br"):
            if self._space_at is not None:
                self.out[self._space_at] = self.out[self._space_at][:-1]
            self._at_start, self._space_at = True, None
        elif not (known and tag in _INLINES):
            self._at_start, self._space_at = False, None
