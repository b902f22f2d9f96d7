"""Components of a page, found in its tree by stated rules: what a designer would call its parts.

Each rule asks for what the HTML Standard or WAI-ARIA say of a part (`nav`, `role=search`) first, and else for how such
parts are built: repeated children side by side, prices, headings that name the part. A heading that names a part counts
only with something said below it. Rules know English words and Tailwind's classes; pages with style sheets of
their own are told by tags and by class names that speak ("navbar", "card").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from curation.classes import content_rules, frame_rules
from curation.classes.page_rules import Page, is_sidebar
from curation.classes.page_tree import Element


def components_of(elements: Sequence[Element]) -> set[str]:
    """Names of the components (keys of `COMPONENTS`) that a page has."""
    page = Page(elements)
    return {name for name, rule in COMPONENTS.items() if rule(page)}


COMPONENTS: Final[dict[str, Callable[[Page], bool]]] = {
    "accordion": lambda page: page.has("details", "accordion"),
    "article": content_rules.article,
    "breadcrumb": lambda page: page.has("breadcrumb", "breadcrumbs"),
    "button": lambda page: any(element.is_button for element in page.elements),
    "card-grid": content_rules.card_grid,
    "carousel": lambda page: page.has("carousel", "slider", "swiper", "slideshow"),
    "contact": content_rules.contact,
    "dialog": lambda page: page.has("dialog", "alertdialog", "modal"),
    "faq": content_rules.faq,
    "figures": content_rules.figures,
    "footer": frame_rules.footer,
    "form": frame_rules.form,
    "gallery": content_rules.gallery,
    "hero": frame_rules.hero,
    "list": content_rules.plain_list,
    "login": frame_rules.login,
    "navbar": frame_rules.nav_bar,
    "newsletter": frame_rules.newsletter,
    "pagination": lambda page: page.has("pagination", "pager"),
    "price-list": content_rules.price_list,
    "pricing": content_rules.pricing,
    "products": content_rules.products,
    "progress": lambda page: page.has("progress", "meter", "progressbar", "progress-bar"),
    "quote": lambda page: page.has("blockquote"),
    "search": frame_rules.search,
    "sidebar": lambda page: any(map(is_sidebar, page.elements)),
    "table": content_rules.table,
    "tabs": lambda page: page.has("tablist", "tabs", "nav-tabs"),
    "team": content_rules.team,
    "teasers": lambda page: any(len(items) > 1 and items[0].tag == "article" for _, items in page.groups),
    "testimonials": content_rules.testimonials,
    "video": lambda page: page.has("video", "iframe"),
}
"""Rules by the name of what they find."""
