"""Rules for what frames a page's content and for what is filled in: bars, the opening, side columns, fields."""

from __future__ import annotations

import re
from typing import Final

from curation.classes.page_rules import Page, inside, is_sidebar, named
from curation.classes.page_tree import Element

_NEWSLETTER: Final = re.compile(r"newsletter|subscribe", re.IGNORECASE)
_BARS: Final = ("navbar", "nav-bar", "topbar")
_CALLED: Final = ("placeholder", "name", "id", "aria-label")
_NO_HERO: Final = ("nav", "footer", "aside", "article", "form")
_TALL: Final = frozenset(["screen", "64", "72", "80", "96"])
_MAX_HERO_WORDS: Final = 120
_MAX_HERO_PICTURES: Final = 2
_MAX_CLIMB: Final = 4


def nav_bar(page: Page) -> bool:
    """Two links or more in a `nav` or in a `header` above the content, or a `ul` that is a row of links.

    Not in a side column, nor in the foot.
    """
    for element in page.elements:
        is_nav = element.tag == "nav" or element.attribute("role") == "navigation" or named(element, *_BARS)
        is_head = element.tag == "header" and not inside(element, "main", "article", "section")
        is_menu = element.tag == "ul" and element.is_row and 2 < len(element.children) == element.n_links
        if not (is_nav or is_head or is_menu) or element.n_links < 2 or inside(element, "footer", "aside"):
            continue
        if not any(map(is_sidebar, element.ancestors())):
            return True
    return False


def hero(page: Page) -> bool:
    """The first heading of the page, or below its head, with a picture, a button or a field, or on a tall band."""
    headings = [e for e in page.elements if e.tag in ("h1", "h2") and not inside(e, *_NO_HERO)]
    headings = [heading for heading in headings[:_MAX_CLIMB] if not any(map(is_sidebar, heading.ancestors()))]
    below = [heading for heading in headings if not inside(heading, "header")]
    return any(_opens(page, heading) for heading in headings[:1] + below[:1])


def _opens(page: Page, heading: Element) -> bool:
    """Whether a heading stands in a block that is a hero: little else is in it, and something draws the eye."""
    block = heading
    for _ in range(_MAX_CLIMB):
        if block.parent is None or block.parent.tag in ("body", "html"):
            return False
        block = block.parent
        if block.n_headings > 2 or block.n_words > _MAX_HERO_WORDS or block.n_frames > (block.tag == "header"):
            return False
        if block.has_background_picture or block.styled("h-") in _TALL or _padding(block) >= 16:
            return True
        has_picture = 0 < block.n_images <= _MAX_HERO_PICTURES
        if has_picture or block.n_buttons or any(block in field.ancestors() for field in page.fields):
            is_bar = block.tag == "header" or inside(block, "header")
            says_more = block.n_words >= heading.n_words + 4
            is_one_of_many = block.parent is not None and block.parent.is_row and len(block.parent.children) > 2
            return not is_one_of_many and not (is_bar and (block.is_row or not says_more))
    return False


def _padding(element: Element) -> int:
    steps = element.styled("py-") or element.styled("p-")
    return int(steps) if steps.isdigit() else 0


def footer(page: Page) -> bool:
    """What the HTML Standard or WAI-ARIA call the foot of a page, with something in it."""
    for element in page.elements:
        is_foot = element.tag == "footer" or element.attribute("role") == "contentinfo" or named(element, "footer")
        if is_foot and (element.n_words or element.n_images) and not inside(element, "article", "blockquote"):
            return True
    return False


def search(page: Page) -> bool:
    """A search field: by its type or role, or by what it is called."""
    if any(element.attribute("role") == "search" for element in page.elements):
        return True
    inputs = [field for field in page.fields if field.tag == "input"]
    if any(field.attribute("type") == "search" for field in inputs):
        return True
    texts = (field for field in inputs if field.attribute("type") in ("", "text"))
    return any("search" in field.attribute(name) for field in texts for name in _CALLED)


def form(page: Page) -> bool:
    """A `form` with a field, or two fields or more outside of one."""
    return any("form" in [a.tag for a in f.ancestors()] for f in page.fields) or len(page.fields) > 1


def login(page: Page) -> bool:
    """A field for a password: to log in or to sign up."""
    return any(field.attribute("type") == "password" for field in page.fields)


def newsletter(page: Page) -> bool:
    """A field for a mail address under words about a newsletter."""
    mails = (f for f in page.fields if "mail" in f.attribute("type") + f.attribute("placeholder"))
    return any(_NEWSLETTER.search(a.text) for f in mails for a in list(f.ancestors())[:3])
