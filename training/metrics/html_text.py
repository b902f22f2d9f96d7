"""HTML as the published metrics read it, within bounds: tags, classes and a table's text.

These readers follow those of the metrics (Python's `html.parser`, as niteru and beautifulsoup4 use it), because a
browser's tree gives other numbers. Trees as browsers build them: `curation.markup.tree`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from curation.markup.tree import VOID_TAGS, parse
from curation.reasons import Reject

SMALL_CHARS: Final = 20_000
"""Under this no text can cost more than a fraction of a second."""
MAX_TEXT_CHARS: Final = 200_000
"""Of a table's text: nested rows tell theirs again and again."""

_TABLE: Final = re.compile(r"<table\b.*?</table>", re.DOTALL | re.IGNORECASE)
_UNSEEN: Final = frozenset({"script", "style", "template"})
"""Whose text is none to beautifulsoup4."""


def is_bounded(html: str) -> bool:
    """Whether any reader of HTML takes this in a moment: no tree over the renderer's caps, no endless attributes."""
    return len(html) <= SMALL_CHARS or not isinstance(parse(html.encode("utf-8", "replace").decode()), Reject)


def first_table(html: str) -> str:
    """From the first `<table` to the first `</table>` after it; the whole text where there is none (the seed's)."""
    found = _TABLE.search(html) if "</table" in html.lower() else None
    return found[0] if found else html


@dataclass(frozen=True)
class Tags:
    """Start tags, comments and declarations in their order, and the classes named."""

    tags: tuple[str, ...]
    classes: frozenset[str]


def read_tags(html: str) -> Tags:
    """What niteru 0.2.1 compares."""
    reader = _TagReader()
    reader.feed(html)
    return Tags(tuple(reader.tags), frozenset(reader.classes))


class _TagReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.classes.update(name for key, value in attrs if key == "class" and value for name in value.split())

    def handle_comment(self, data: str) -> None:  # noqa: ARG002 - its name is the base class's
        self.tags.append("comment")

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002 - as above
        self.tags.append("declaration")


@dataclass
class _Element:
    tag: str
    opened_at: int
    """Its place among all tags."""
    first_piece: int
    """Of the text in it."""
    closed_at: int = -1
    end_piece: int = -1


class _TableReader(HTMLParser):
    """Rows and cells of the first table with the pieces of text in them, nested as beautifulsoup4 nests what
    `html.parser` reads: nothing is implied, an end tag closes the innermost element of its name, and one without such
    is passed over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[_Element] = []
        self.cells: list[_Element] = []
        self.pieces: list[str] = []
        self._open: list[_Element] = []
        self._n_open: Counter[str] = Counter()
        self._n_tags = 0
        self._parts: list[str] = []
        self._is_done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base class's
        self._end_text()
        self._n_tags += 1
        element = _Element(tag, self._n_tags, len(self.pieces))
        if self._n_open["table"] and not self._is_done:
            if tag == "tr":
                self.rows.append(element)
            elif tag in ("th", "td"):
                self.cells.append(element)
        if tag not in VOID_TAGS:
            self._open.append(element)
            self._n_open[tag] += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self._end_text()
        self._n_tags += 1
        if not self._n_open[tag]:
            return
        was_in_table = self._n_open["table"] > 0
        while True:
            element = self._open.pop()
            self._close(element)
            self._n_open[element.tag] -= 1
            if element.tag == tag:
                break
        self._is_done = self._is_done or (was_in_table and not self._n_open["table"])

    def handle_data(self, data: str) -> None:
        if self._n_open["table"] and not self._is_done and not any(self._n_open[tag] for tag in _UNSEEN):
            self._parts.append(data)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002 - the base class's
        self._end_text()

    def finish(self) -> None:
        """Take what is left, and close what is open."""
        self.close()
        self._end_text()
        self._n_tags += 1
        for element in self._open:
            self._close(element)

    def _close(self, element: _Element) -> None:
        element.closed_at, element.end_piece = self._n_tags, len(self.pieces)

    def _end_text(self) -> None:
        if self._parts and (piece := "".join(self._parts).strip()):
            self.pieces.append(piece)
        self._parts = []


def table_text(html: str) -> str:
    """Rows of the first table on lines, cells apart by spaces; empty where there is no table (the seed's definition).

    Cut after `MAX_TEXT_CHARS`.
    """
    reader = _TableReader()
    reader.feed(html)
    reader.finish()
    opened_at = [cell.opened_at for cell in reader.cells]
    lines: list[str] = []
    n_chars = 0
    for row in reader.rows:
        cells = reader.cells[bisect_right(opened_at, row.opened_at) : bisect_left(opened_at, row.closed_at)]
        texts = []
        for cell in cells:
            texts.append("".join(reader.pieces[cell.first_piece : cell.end_piece]))
            n_chars += len(texts[-1]) + 1
            if n_chars > MAX_TEXT_CHARS:
                return "\n".join([*lines, " ".join(texts)])[:MAX_TEXT_CHARS]
        lines.append(" ".join(texts))
    return "\n".join(lines)
