"""A page as elements with what rules ask about: classes, the start of their text, how much is in them.

Made in one walk over the parsed tree. Text is kept up to `TEXT_CHARS` for each element, so that deep trees cost no
more than flat ones; words, pictures and links are counted in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from selectolax.lexbor import LexborNode

from curation.markup.tree import Start, events

TEXT_CHARS: Final = 300
HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
FRAMES: Final = frozenset({"nav", "header", "footer", "aside"})
BREAKPOINTS: Final = ("xl:", "lg:", "md:", "sm:", "")
"""Tailwind's that apply at 1280 px, the width that pages are rendered at, from the strongest on."""

_NO_TEXT: Final = frozenset({"head", "style", "script", "template", "title", "noscript", "datalist"})
_BOLD: Final = frozenset({"font-bold", "font-semibold", "font-extrabold", "font-medium"})
_NO_HEADINGS: Final = frozenset({"a", "button", "label", "th", "td", "option"})
_BACKGROUND_PICTURE: Final = re.compile(r"background(?:-image)?\s*:[^;]*url\(", re.IGNORECASE)


@dataclass(eq=False, slots=True)
class Element:
    """An element of a page: `text` is how that of its subtree begins, the counts are of the whole subtree.

    `names` are its classes and its id in lower case, `position` is its place among its parent's children, `n_frames`
    counts bars and side columns by tag (`FRAMES`).
    """

    tag: str
    attributes: dict[str, str | None]
    classes: tuple[str, ...]
    names: frozenset[str]
    parent: Element | None
    position: int = 0
    children: list[Element] = field(default_factory=list)
    text: str = ""
    n_words: int = 0
    n_images: int = 0
    n_links: int = 0
    n_headings: int = 0
    n_buttons: int = 0
    n_frames: int = 0

    def attribute(self, name: str) -> str:
        """An attribute's value in lower case; empty where there is none."""
        return (self.attributes.get(name) or "").strip().lower()

    def ancestors(self) -> Iterator[Element]:
        """From the parent up to the root."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def styled(self, prefix: str) -> str:
        """The class with `prefix` that holds at 1280 px, without it ("w-" of `w-full md:w-1/2`: "1/2"); else empty."""
        for breakpoint_ in BREAKPOINTS:
            start = breakpoint_ + prefix
            for name in self.classes:
                if name.startswith(start):
                    return name[len(start) :]
        return ""

    @property
    def is_heading(self) -> bool:
        """A heading, or a short line set in bold."""
        is_bold = self.tag not in _NO_HEADINGS and not self.children and not _BOLD.isdisjoint(self.classes)
        return self.tag in HEADINGS or (is_bold and 0 < self.n_words <= 8)

    @property
    def is_button(self) -> bool:
        """A button, or a link that looks like one: by a name, or a box with padding and round corners."""
        if self.tag == "button" or self.attribute("role") == "button":
            return True
        if self.tag == "input":
            return self.attribute("type") in ("submit", "button", "reset")
        return self.tag == "a" and _looks_like_button(self.classes)

    @property
    def has_background_picture(self) -> bool:
        """Whether its own style or classes put a picture behind it."""
        return "bg-cover" in self.classes or bool(_BACKGROUND_PICTURE.search(self.attributes.get("style") or ""))

    @property
    def is_row(self) -> bool:
        """Whether its children stand side by side, as far as Tailwind's classes tell."""
        columns = self.styled("grid-cols-")
        if "grid" in self.classes:
            return columns.isdigit() and int(columns) > 1
        direction = self.styled("flex-")
        return any(name.endswith("flex") for name in self.classes) and direction not in ("col", "col-reverse")


def elements_of(root: LexborNode) -> list[Element]:
    """All elements in document order, the root first; comments, scripts and styles say nothing."""
    found: list[Element] = []
    open_: list[Element] = []
    for event in events(root):
        if isinstance(event, str):
            if open_[-1].tag not in _NO_TEXT and (words := event.split()):
                open_[-1].n_words += len(words)
                _add_text(open_[-1], " ".join(words))
        elif isinstance(event, Start):
            parent = open_[-1] if open_ else None
            classes = tuple((event.attributes.get("class") or "").split())
            names = frozenset(name.lower() for name in (*classes, event.attributes.get("id") or "") if name)
            position = len(parent.children) if parent is not None else 0
            element = Element(event.tag, event.attributes, classes, names, parent, position)
            if parent is not None:
                parent.children.append(element)
            found.append(element)
            open_.append(element)
        else:
            _close(open_.pop())
    return found


def _close(element: Element) -> None:
    """Count the element itself, and hand what is in it on to its parent."""
    element.n_images += element.tag in ("img", "picture") and not element.n_images
    element.n_links += element.tag == "a"
    element.n_headings += element.tag in HEADINGS
    element.n_buttons += element.is_button
    element.n_frames += element.tag in FRAMES
    parent = element.parent
    if parent is None or element.tag in _NO_TEXT:
        return
    parent.n_words += element.n_words
    parent.n_images += element.n_images
    parent.n_links += element.n_links
    parent.n_headings += element.n_headings
    parent.n_buttons += element.n_buttons
    parent.n_frames += element.n_frames
    _add_text(parent, element.text)


def _add_text(element: Element, text: str) -> None:
    if text and len(element.text) < TEXT_CHARS:
        element.text = f"{element.text} {text}".strip()[:TEXT_CHARS]


def _looks_like_button(classes: tuple[str, ...]) -> bool:
    if any(name == "btn" or name.startswith("btn-") or name in ("button", "cta") for name in classes):
        return True
    starts = [name.split("-")[0] for name in classes]
    is_boxed = ("bg" in starts or "border" in starts) and "rounded" in starts
    return is_boxed and ("p" in starts or "px" in starts)
