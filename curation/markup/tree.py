"""The one parser of HTML, within bounds, and the one way to write a tree back as text.

The parser is lexbor (selectolax), not libxml2 (lxml, and beautifulsoup4 over it): canonical form promises what a
browser shows, and libxml2 builds HTML 4 trees. Of 44 snippets (foster parenting, misnested formatting, SVG, entities,
templates, `<noscript>`, NUL) lexbor gave Chromium's `outerHTML` for 41 and libxml2 for 7 (a missing `<head>`
forgiven); the three others (depth, shadow roots, `<selectedcontent>`) are handled here or in `curation.markup.html`.
Parsing and writing a 4.5 kB page, it is 2.3 times as fast as lxml and 47 times as fast as beautifulsoup4.

Text is written as the HTML Standard's serialisation has it, which is what `outerHTML` gives in a browser. Scripts
count as switched off: `<noscript>` is markup like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from curation.reasons import Reason, Reject
from rendering.spec import RenderSpec

MAX_MARKUP_BYTES: Final = RenderSpec.max_markup_bytes
MAX_NODES: Final = RenderSpec.max_nodes
"""Elements. Both are the renderer's own caps: what could not be rendered need not be parsed."""

MAX_DEPTH: Final = 500
"""Chromium keeps no tree deeper than 512 (kMaximumHTMLParserDOMTreeDepth): below that its tree is not this one."""

_MAX_TAGS: Final = 2 * MAX_NODES
_TAGS_PER_STEP: Final = 2_000
_MAX_ATTRIBUTES: Final = 500
_MAX_ROOT_TAGS: Final = 16
_SMALL_CHARS: Final = 20_000
"""Under this nothing can cost more than a fraction of a second, and most pages are under it."""

_MANY_ATTRIBUTES: Final = re.compile(
    r"<[a-zA-Z][^\s/>]*+(?:(?>[\s/]*[^\s/>][^\s/>=]*+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"'][^\s>]*+))?))"
    f"{{{_MAX_ATTRIBUTES}}}"
)
_ROOT_TAG: Final = re.compile(r"<(?:html|body)\b", re.IGNORECASE)

VOID_TAGS: Final = frozenset(
    [
        *("area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input"),
        *("keygen", "link", "meta", "param", "source", "track", "wbr"),
    ]
)
"""HTML elements without content or end tag (HTML Standard, "serializes as void")."""

RAW_TEXT_TAGS: Final = frozenset({"style", "script", "xmp", "iframe", "noembed", "noframes", "plaintext"})
"""HTML elements whose text is written as it is (HTML Standard, "serializing HTML fragments")."""

LINE_BREAK_SWALLOWED: Final = frozenset({"pre", "textarea", "listing"})
"""The parser drops a line break right after these start tags, so one more is written before a real one."""

NO_TEXT_FOR_TREE: Final = "misnested: no HTML text gives the tree that a browser builds of it"
"""Detail of a reject: written down and parsed again, the tree is another, and so may be what it shows."""

_FOREIGN_ROOTS: Final = frozenset({"svg", "math"})
_HTML_INSIDE_FOREIGN: Final = frozenset({"foreignObject", "desc", "title", "mi", "mo", "mn", "ms", "mtext"})
"""Integration points: what stands in them is HTML again."""

_TEXT_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\xa0": "&nbsp;"})
_VALUE_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\xa0": "&nbsp;", '"': "&quot;"})


class Start(NamedTuple):
    """A start tag; `foreign` where it is not HTML but SVG or MathML."""

    tag: str
    attributes: dict[str, str | None]
    foreign: bool


class End(NamedTuple):
    """An end tag; void elements have one too."""

    tag: str
    foreign: bool


Event = Start | End | str


@dataclass(frozen=True)
class TreeSize:
    """How many elements a tree has, its root included, and how deep they nest (a root alone: 1)."""

    n_nodes: int
    depth: int


def parse(text: str) -> LexborHTMLParser | Reject:
    """The tree of a whole document, as a browser without scripts builds it; implied tags are there.

    Bounded in time and memory for hostile text: lexbor is quadratic in depth (1e5 nested `<div>` take 24 s), in the
    attributes of one element, and in formatting elements left open (3,000 take 1.8 GB). So a text of many
    tags is parsed by growing prefixes, and given up at the first one whose tree is over a cap.
    `text` must be encodable as UTF-8.
    """
    if len(text) > MAX_MARKUP_BYTES or len(text.encode()) > MAX_MARKUP_BYTES:
        return Reject(Reason.MARKUP_TOO_LARGE, f"more than {MAX_MARKUP_BYTES} bytes")
    n_tags = text.count("<")
    if n_tags > _MAX_TAGS:
        return Reject(Reason.MARKUP_TOO_LARGE, f"more than {_MAX_TAGS} tags")
    if len(text) > _SMALL_CHARS:
        if _MANY_ATTRIBUTES.search(text) or len(_ROOT_TAG.findall(text)) > _MAX_ROOT_TAGS:
            return Reject(Reason.MARKUP_INVALID, f"more than {_MAX_ATTRIBUTES} attributes, or {_MAX_ROOT_TAGS} roots")
        if n_tags > _TAGS_PER_STEP:
            ends = [tag.start() for tag in re.finditer("<", text)][_TAGS_PER_STEP::_TAGS_PER_STEP]
            for end in ends:
                if (too_big := _over_cap(_parse(text[:end]))) is not None:
                    return too_big
    tree = _parse(text)
    return _over_cap(tree) or tree


def _parse(text: str) -> LexborHTMLParser:
    # Without events `<selectedcontent>` keeps what the source had; a browser fills it again when it renders.
    return LexborHTMLParser(text, options=LexborDocumentOptions.WO_EVENTS)


def _over_cap(tree: LexborHTMLParser) -> Reject | None:
    size = tree_size(root_of(tree))
    if size.depth > MAX_DEPTH:
        return Reject(Reason.MARKUP_INVALID, f"nested deeper than {MAX_DEPTH}")
    if size.n_nodes > MAX_NODES:
        return Reject(Reason.MARKUP_TOO_LARGE, f"more than {MAX_NODES} elements")
    return None


def root_of(tree: LexborHTMLParser) -> LexborNode:
    """The `html` element, which every parsed document has."""
    assert tree.root is not None
    return tree.root


def tree_size(root: LexborNode) -> TreeSize:
    """Elements and depth under and with `root`. Stops counting once over a cap."""
    n_nodes, depth = 1, 1
    later: list[LexborNode] = []  # the next sibling of every open element
    node = root.first_child
    while True:
        if node is None:
            if not later:
                return TreeSize(n_nodes, depth)
            node = later.pop().next
            continue
        if node.is_element_node:
            n_nodes += 1
            later.append(node)
            depth = max(depth, len(later) + 1)
            if depth > MAX_DEPTH or n_nodes > MAX_NODES:
                return TreeSize(n_nodes, depth)
            node = node.first_child
        else:
            node = node.next


def events(root: LexborNode) -> Iterator[Event]:
    """Start tags, end tags and text of a tree in document order; comments are left out, text around them is one."""
    open_elements: list[tuple[LexborNode, End, bool]] = []
    node: LexborNode | None = root
    foreign = False  # of the children of the innermost open element
    text = ""
    while True:
        if node is None:
            if text:
                yield text
                text = ""
            closed, end, foreign = open_elements.pop()
            yield end
            if not open_elements:
                return
            node = closed.next
        elif node.is_element_node:
            if text:
                yield text
                text = ""
            tag = node.tag or ""
            is_foreign = foreign or tag in _FOREIGN_ROOTS
            yield Start(tag, node.attributes, is_foreign)
            open_elements.append((node, End(tag, is_foreign), foreign))
            foreign = is_foreign and tag not in _HTML_INSIDE_FOREIGN
            node = node.first_child
        else:
            text += node.text_content or ""
            node = node.next


def start_tag(tag: str, attributes: dict[str, str | None]) -> str:
    """A start tag with its attributes in the order given."""
    if not attributes:
        return f"<{tag}>"
    written = "".join(f' {name}="{(value or "").translate(_VALUE_ESCAPES)}"' for name, value in attributes.items())
    return f"<{tag}{written}>"


def end_tag(end: End) -> str:
    """An end tag; nothing for a void element."""
    return "" if end.tag in VOID_TAGS and not end.foreign else f"</{end.tag}>"


def escaped(text: str) -> str:
    """Text with the characters that would be markup as entities."""
    return text.translate(_TEXT_ESCAPES)


_SPACE_RUN: Final = re.compile(r"[ \t\r\n]+")
_LINE_WRAP: Final = re.compile(r"(?<=[^ \n])\n(?=[^ \n])")


def collapsed(text: str) -> str:
    """Each run of white space as one character: what `white-space: normal` shows of it, wherever it stands.

    A run with a line break becomes a line break at the ends of `text` and a space between two words. Form feeds,
    no-break and other Unicode spaces are not collapsible (CSS Text 3, section 4.1). Beside a zero-width space a
    line break vanishes and a space does not, so there it stays.
    """
    text = _SPACE_RUN.sub(_one_space, text)
    return text if "\u200b" in text else _LINE_WRAP.sub(" ", text)


def _one_space(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else " "
