"""Rules for what a page's content is made of: cards, pictures, prices, quotations, questions, tables, lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from curation.classes.page_rules import Page, headed, in_frame, is_sidebar, named
from curation.classes.page_tree import Element

_PRICE: Final = re.compile(r"(?:[$€£¥]|USD|EUR)\s?\d|\d\s?(?:[$€£¥]|USD|EUR)")
_PER_TIME: Final = re.compile(r"(?:/|per )\s?(?:mo|month|year|yr|week|user)\b", re.IGNORECASE)
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.\w")
_PHONE: Final = re.compile(r"(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{3,4}\b")
_FIGURE: Final = re.compile(r"[$€£+-]?\d[\d.,]*\s?[%+kKmM]?")

_TESTIMONIALS: Final = re.compile(
    r"testimonial|\breviews?$|what (?:our|people|they|customers|clients).* sa(?:y|id)", re.IGNORECASE
)
_QUESTIONS: Final = re.compile(r"\bfaqs?\b|frequently asked|questions and answers", re.IGNORECASE)
_TEAM: Final = re.compile(r"\b(?:our|the) (?:team|staff|faculty|people)\b|^team\b", re.IGNORECASE)
_CONTACT: Final = re.compile(r"contact|get in touch|reach us", re.IGNORECASE)
_PLANS: Final = re.compile(r"^pricing|price plans|\bour plans|your plan|pricing plans", re.IGNORECASE)

_MAX_LINE_WORDS: Final = 40


def article(page: Page) -> bool:
    """An `article` with three paragraphs or more."""
    return any(e.tag == "article" and sum(child.tag == "p" for child in e.children) > 2 for e in page.elements)


def card_grid(page: Page) -> bool:
    """Two or more side by side, each with a heading and text or a picture."""
    return any(
        _beside(container, items) and all(map(_is_card, items)) and not in_frame(container)
        for container, items in page.groups
    )


def contact(page: Page) -> bool:
    """A mail address, a telephone number or an `address`, or a heading about contact with something below it."""
    for element in page.elements:
        if element.tag == "address" or element.attribute("href").startswith(("mailto:", "tel:")):
            return True
        if element.n_words <= _MAX_LINE_WORDS and (_MAIL.search(element.text) or _PHONE.search(element.text)):
            return True
    return headed(page, _CONTACT)


def faq(page: Page) -> bool:
    """A heading about questions, two things to unfold, or two headings or terms that are questions."""
    asked = [e for e in page.elements if (e.is_heading or e.tag in ("dt", "summary")) and e.text.endswith("?")]
    return len(asked) > 1 or sum(e.tag == "details" for e in page.elements) > 1 or headed(page, _QUESTIONS)


def figures(page: Page) -> bool:
    """Three or more side by side, each little more than a number."""
    return any(
        len(items) > 2
        and container.is_row
        and all(i.n_words <= 10 and any(_FIGURE.fullmatch(c.text) for c in _near(i)) for i in items)
        for container, items in page.groups
    )


def gallery(page: Page) -> bool:
    """Three pictures or more in one container, each with a few words at most."""
    return any(
        len(items) > 2 and all(map(_is_picture, items)) and not in_frame(container) for container, items in page.groups
    )


def plain_list(page: Page) -> bool:
    """Three entries or more in a `ul` or `ol` in the content: no menu, not in the foot or a side column."""
    for element in page.elements:
        if element.tag in ("ul", "ol") and sum(child.tag == "li" for child in element.children) > 2:
            is_menu = element.is_row and element.n_links >= len(element.children)
            if not is_menu and not in_frame(element) and not any(map(is_sidebar, element.ancestors())):
                return True
    return False


def price_list(page: Page) -> bool:
    """Three or more lines with a price each, without pictures or buttons."""
    return any(
        not any(i.n_images or i.n_buttons or i.tag == "tr" for i in items) and max(i.n_words for i in items) <= 30
        for items in _priced(page, 3)
    )


def pricing(page: Page) -> bool:
    """Price plans: two or more items with a price per month or a price and a list; or a heading that says so."""
    for items in _priced(page, 2):
        if all(_PER_TIME.search(i.text) or any(c.tag == "ul" for c in i.children) for i in items):
            return True
    return headed(page, _PLANS)


def products(page: Page) -> bool:
    """Two or more items, each with a price and a picture or a button."""
    return any(
        all((i.n_images or i.n_buttons) and not _PER_TIME.search(i.text) for i in items)
        for items in _priced(page, 2)
        if items[0].tag != "tr"
    )


def table(page: Page) -> bool:
    """A table that is not there for layout, of two rows or more."""
    rows: dict[int, int] = {}
    for element in page.elements:
        if element.tag == "tr":
            table = next((a for a in element.ancestors() if a.tag == "table"), None)
            if table is not None and table.attribute("role") not in ("presentation", "none"):
                rows[id(table)] = rows.get(id(table), 0) + 1
    return any(n > 1 for n in rows.values())


def testimonials(page: Page) -> bool:
    """A heading about reviews with something below it, or two quotations or more beside each other."""
    return headed(page, _TESTIMONIALS) or any(
        all(i.tag == "blockquote" or any(c.tag == "blockquote" for c in i.children) for i in items)
        for _, items in page.groups
    )


def _is_picture(item: Element) -> bool:
    return item.n_images == 1 and item.n_words <= 6 and not item.n_headings and not item.n_buttons


def _is_card(item: Element) -> bool:
    """A heading with something more: text below it, or a picture."""
    if item.n_words < 2 or item.n_headings > 1 or not any(child.is_heading for child in _near(item)):
        return False
    heading = next(child for child in _near(item) if child.is_heading)
    return item.n_images > 0 or item.n_words > heading.n_words + 2


def _near(item: Element) -> Iterator[Element]:
    for child in item.children:
        yield child
        yield from child.children


def _beside(container: Element, items: Sequence[Element]) -> bool:
    """Whether the items stand side by side, one as wide as the other."""
    if len({item.styled("w-") for item in items}) > 1:
        return False
    if container.is_row or named(container, "cards", "card-grid", "cards-container", "row", "grid-container"):
        return True
    return all(named(item, "card", "col", "column") for item in items)


def _priced(page: Page, at_least: int) -> Iterator[list[Element]]:
    for container, items in page.groups:
        if len(items) >= at_least and all(_PRICE.search(i.text) for i in items) and not in_frame(container):
            yield items


def team(page: Page) -> bool:
    """A heading about the team with something below it."""
    return headed(page, _TEAM)
