"""Which parts generated pages are made of, by layout; how large a part is; what an idea calls it."""

# ruff: noqa: E501 - tables of parts and layouts read best one a line

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from curation.generate import page_cards, page_frames, page_parts
from curation.generate.nodes import Node
from curation.generate.page_look import Look
from curation.generate.page_text import Copywriter

PartWriter = Callable[[Copywriter, Look, int, int], list[Node]]
"""Writes a part: its words, its look, which of its variants, how many entries."""


@dataclass(frozen=True)
class PartKind:
    """One kind of part: `n_variants` structures, `low` to `high` entries as a rule and `most` in a long page.

    `bytes_fixed` and `bytes_each` (per entry) are means measured over 600 drawn parts; they only steer lengths.
    """

    write: PartWriter
    n_variants: int
    low: int
    high: int
    most: int
    bytes_fixed: int
    bytes_each: int
    words: str
    is_wide: bool = False


PARTS: Final = {
    "nav_bar": PartKind(page_frames.nav_bar, 7, 3, 4, 5, 260, 45, "a navigation bar"),
    "hero": PartKind(page_frames.hero, 5, 1, 3, 3, 340, 70, "a hero section", is_wide=True),
    "splash": PartKind(page_frames.splash, 4, 1, 3, 3, 360, 85, "a single message in the middle of the screen", is_wide=True),
    "side_menu": PartKind(page_frames.side_menu, 3, 3, 6, 8, 90, 70, "a side menu"),
    "footer": PartKind(page_frames.footer, 5, 2, 3, 4, 360, 15, "a footer"),
    "about": PartKind(page_parts.about, 4, 1, 2, 6, 180, 285, "a text about the business"),
    "topics": PartKind(page_parts.topics, 3, 2, 3, 6, 10, 315, "one section for each service"),
    "features": PartKind(page_parts.features, 3, 2, 4, 6, 140, 220, "a grid of services"),
    "bullets": PartKind(page_parts.bullets, 4, 3, 6, 10, 140, 35, "a list"),
    "article": PartKind(page_parts.article, 3, 2, 4, 40, 240, 335, "an article"),
    "posts": PartKind(page_parts.posts, 3, 2, 3, 24, 0, 560, "teasers of posts"),
    "questions": PartKind(page_parts.questions, 2, 2, 4, 10, 120, 195, "frequently asked questions"),
    "figures": PartKind(page_parts.figures, 3, 3, 4, 4, 70, 195, "key figures"),
    "bars": PartKind(page_parts.bars, 2, 4, 6, 12, 150, 140, "a bar chart"),
    "data_table": PartKind(page_parts.data_table, 6, 3, 6, 60, 520, 250, "a table"),
    "products": PartKind(page_cards.products, 3, 2, 4, 24, 180, 430, "a product grid"),
    "gallery": PartKind(page_cards.gallery, 4, 3, 6, 36, 200, 145, "a gallery of pictures"),
    "projects": PartKind(page_cards.projects, 2, 2, 3, 12, 90, 450, "projects with pictures"),
    "dishes": PartKind(page_cards.dishes, 3, 3, 6, 30, 140, 275, "a price list"),
    "plans": PartKind(page_cards.plans, 2, 2, 3, 4, 180, 555, "price plans side by side"),
    "voices": PartKind(page_cards.voices, 3, 2, 3, 12, 120, 230, "testimonials"),
    "team": PartKind(page_cards.team, 2, 2, 4, 16, 160, 295, "the team with portraits"),
    "events": PartKind(page_cards.events, 2, 2, 3, 20, 110, 300, "upcoming events"),
    "banner": PartKind(page_cards.banner, 2, 1, 2, 2, 350, 45, "a call to action", is_wide=True),
    "contact": PartKind(page_cards.contact, 3, 2, 3, 3, 360, 0, "contact details"),
    "form": PartKind(page_cards.form, 4, 2, 5, 5, 480, 115, "a form"),
}  # fmt: skip

FILLERS: Final = (
    "topics",
    "article",
    "posts",
    "questions",
    "data_table",
    "products",
    "gallery",
    "projects",
    "dishes",
    "voices",
    "team",
    "events",
    "features",
    "about",
)
"""What a page is lengthened with."""


@dataclass(frozen=True)
class Slot:
    """A place in a layout: there with probability `chance`, filled with one of `parts` in one of `variants` (all if empty)."""

    parts: tuple[str, ...]
    chance: float = 1.0
    variants: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A kind of page: `shells` arrange its parts (see `curation.generate.pages`); `weight` is how common it is."""

    words: str
    shells: tuple[str, ...]
    slots: tuple[Slot, ...]
    weight: float = 1.0


LAYOUTS: Final = {
    "landing": Layout("landing page", ("stack",), (Slot(("hero",)), Slot(("features", "about"), 0.8), Slot(("voices", "topics", "bullets"), 0.4), Slot(("banner",), 0.3)), 3.0),
    "simple": Layout("simple page", ("stack", "split"), (Slot(("hero",), 0.6, (3, 4, 4)), Slot(("topics", "about")), Slot(("bullets", "contact", "gallery"), 0.45)), 5.0),
    "splash": Layout("splash screen", ("bare",), (Slot(("splash",)),), 1.2),
    "side": Layout("page with a side column", ("side_left", "side_left", "side_right"), (Slot(("about", "topics", "hero", "gallery"), 1.0), Slot(("features", "bullets", "about"), 0.4)), 2.5),
    "dashboard": Layout("dashboard", ("side_left", "stack"), (Slot(("figures",)), Slot(("bars",), 0.7), Slot(("data_table",), 0.7, (0, 1, 3, 4))), 0.6),
    "pricing": Layout("pricing page", ("stack",), (Slot(("hero",), 0.3, (0, 4)), Slot(("plans",)), Slot(("questions",), 0.4)), 0.5),
    "blog": Layout("blog", ("stack", "side_right", "side_left"), (Slot(("posts",)), Slot(("banner",), 0.15, (1,))), 0.8),
    "shop": Layout("online shop", ("stack", "side_left"), (Slot(("hero",), 0.3, (2, 3, 4)), Slot(("products",)), Slot(("banner",), 0.2)), 1.0),
    "entry": Layout("page to log in or sign up", ("centered",), (Slot(("form",), 1.0, (1, 2)),), 0.7),
    "gallery": Layout("picture gallery", ("stack",), (Slot(("about", "hero"), 0.5, (0,)), Slot(("gallery",))), 0.9),
    "article": Layout("article", ("stack", "side_right"), (Slot(("article",)), Slot(("posts",), 0.1, (1,))), 1.0),
    "contact": Layout("contact page", ("stack", "split"), (Slot(("contact",)), Slot(("form",), 0.8, (0, 3)), Slot(("questions",), 0.15)), 0.8),
    "menu": Layout("menu", ("stack",), (Slot(("hero",), 0.4, (0, 2, 3)), Slot(("dishes",)), Slot(("contact",), 0.4)), 0.6),
    "portfolio": Layout("portfolio", ("stack", "side_left"), (Slot(("hero", "about"), 0.5), Slot(("projects",)), Slot(("contact",), 0.3)), 0.6),
    "team": Layout("team page", ("stack",), (Slot(("about",), 0.6, (0, 2)), Slot(("team",)), Slot(("banner",), 0.2)), 0.4),
    "events": Layout("event calendar", ("stack", "split"), (Slot(("events",)), Slot(("data_table",), 0.4, (2, 5)), Slot(("form",), 0.2, (3,))), 0.5),
    "help": Layout("help page", ("stack", "side_left"), (Slot(("questions",)), Slot(("contact", "form"), 0.4, (0,))), 0.4),
}  # fmt: skip
