"""What rules about a page's components ask of its elements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Final

from curation.classes.page_tree import Element

_TYPED: Final = frozenset(["", "text", "email", "password", "tel", "number", "date", "url", "search", "time"])
_REPEATED: Final = frozenset(
    ["div", "li", "article", "section", "figure", "img", "a", "p", "blockquote", "picture", "tr"]
)
_FRAME: Final = ("nav", "header", "footer")
_NARROW: Final = frozenset(
    ["1/3", "1/4", "1/5", "1/6", "2/12", "3/12", "4/12", "48", "52", "56", "60", "64", "72", "80"]
)


@dataclass(frozen=True)
class Page:
    """A page's elements in document order, and those that several rules ask for."""

    elements: Sequence[Element]

    @cached_property
    def groups(self) -> list[tuple[Element, list[Element]]]:
        """Containers with what repeats in them: two or more children of one tag, none of them inline text."""
        found = []
        for element in self.elements:
            by_tag: dict[str, list[Element]] = {}
            for child in element.children:
                by_tag.setdefault(child.tag, []).append(child)
            items = max(by_tag.values(), key=len, default=[])
            if len(items) > 1 and items[0].tag in _REPEATED:
                found.append((element, items))
        return found

    @cached_property
    def fields(self) -> list[Element]:
        """What can be typed into or chosen from."""
        return [
            e
            for e in self.elements
            if e.tag in ("textarea", "select") or (e.tag == "input" and e.attribute("type") in _TYPED)
        ]

    @cached_property
    def names(self) -> frozenset[str]:
        """Every class, id, role and label on the page."""
        given = {element.attribute(name) for element in self.elements for name in ("role", "aria-label")}
        return frozenset(given).union(*(element.names for element in self.elements))

    @cached_property
    def tags(self) -> frozenset[str]:
        """Every tag on the page."""
        return frozenset(element.tag for element in self.elements)

    def has(self, *names: str) -> bool:
        """Whether one of these is a tag, a class, an id, a role or a label on the page."""
        return not self.tags.isdisjoint(names) or not self.names.isdisjoint(names)


def is_sidebar(element: Element) -> bool:
    """An `aside`, what is named a side bar, or a narrow column with links, a menu or a list beside a wider one."""
    if element.tag == "aside" or named(element, "sidebar", "side-bar", "sidenav", "side-nav"):
        return element.n_words > 0 or element.n_images > 0
    if element.styled("w-") not in _NARROW or element.parent is None or not element.parent.is_row:
        return False
    columns = [child for child in element.parent.children if child.n_words or child.n_images]
    widths = [child.styled("w-") for child in columns if child is not element]
    if len(columns) != 2 or any(width in _NARROW for width in widths):
        return False
    return element.n_links > 1 or any(child.tag in ("nav", "ul") for child in element.children)


def named(element: Element, *names: str) -> bool:
    """Whether one of these is a class or the id of the element."""
    return not element.names.isdisjoint(names)


def inside(element: Element, *tags: str) -> bool:
    """Whether the element stands in one of these tags."""
    return any(ancestor.tag in tags for ancestor in element.ancestors())


def in_frame(element: Element) -> bool:
    """In what stands around the content: navigation, the head's or the foot's bar."""
    return element.tag in _FRAME or inside(element, *_FRAME)


def headed(page: Page, pattern: re.Pattern[str]) -> bool:
    """Whether a heading that matches has something below it: five words, or a picture, in its section."""
    for element in page.elements:
        if not (element.is_heading and pattern.search(element.text)) or inside(element, "nav", "footer"):
            continue
        section = element.parent
        while section is not None and section.tag in ("div", "header") and _holds_only(section, element):
            section = section.parent
        if section is None:
            continue
        n_said = _said_after(element) if section.tag == "body" else section.n_words - element.n_words
        if n_said >= 5 or (section.n_images and section.tag != "body"):
            return True
    return False


def _holds_only(section: Element, heading: Element) -> bool:
    return section.n_words == heading.n_words and not section.n_images


def _said_after(heading: Element) -> int:
    """Words between a heading and the next one beside it."""
    assert heading.parent is not None
    following = (heading.parent.children[i] for i in range(heading.position + 1, len(heading.parent.children)))
    return sum(sibling.n_words for sibling in takewhile(lambda sibling: not sibling.is_heading, following))
