"""Web pages as WebSight's: one HTML file with Tailwind 2.2.19, pictures by address, an idea that describes it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from curation.generate.choose import between, pick, pick_weighted
from curation.generate.nodes import Node, box, write_lines
from curation.generate.page_layouts import FILLERS, LAYOUTS, PARTS
from curation.generate.page_look import Look, draw_look
from curation.generate.page_text import Copywriter
from curation.generate.page_topics import TOPICS, Topic

STYLE_SHEET: Final = "https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css"
_FRAME_BYTES: Final = 230
"""The document around the parts: html, link, body, main."""


@dataclass(frozen=True)
class PageOptions:
    """What pages to generate.

    `layouts` are drawn from (names of `page_layouts.LAYOUTS`); `parts` are in every page, whatever its layout
    (names of `page_layouts.PARTS`); `n_bytes` is about how long the page becomes, left to the layout when 0.
    """

    layouts: tuple[str, ...] = tuple(LAYOUTS)
    parts: tuple[str, ...] = ()
    n_bytes: int = 0


@dataclass(frozen=True)
class PartPlan:
    """One part of a page: its kind, which variant of it, and how many entries."""

    name: str
    variant: int
    n: int

    @property
    def about_bytes(self) -> int:
        """About how long the part becomes."""
        return PARTS[self.name].bytes_fixed + PARTS[self.name].bytes_each * self.n


@dataclass(frozen=True)
class PagePlan:
    """The structure of a page: everything but its words."""

    layout: str
    shell: str
    topic: Topic
    look: Look
    top: PartPlan | None
    body: tuple[PartPlan, ...]
    side: PartPlan | None
    bottom: PartPlan | None
    is_named_by_kind: bool
    has_comments: bool
    indent: int


@dataclass(frozen=True)
class Page:
    """A page's HTML, and the idea that a person would have asked for it with."""

    html: str
    idea: str


def generate_page(rng: Random, options: PageOptions) -> Page:
    """One page."""
    return write_page(rng, plan_page(rng, options))


def plan_page(rng: Random, options: PageOptions) -> PagePlan:
    """Decide layout, parts, look and topic."""
    name = pick_weighted(rng, {name: LAYOUTS[name].weight for name in options.layouts})
    layout = LAYOUTS[name]
    shell = pick(rng, layout.shells)
    body = [
        _part(rng, pick(rng, slot.parts), slot.variants)
        for slot in layout.slots
        if slot.chance == 1.0 or rng.random() < slot.chance
    ]
    framed = shell not in {"bare", "centered"}
    has_side = shell in {"side_left", "side_right"}
    top = _part(rng, "nav_bar") if framed and rng.random() < (0.35 if has_side else 0.85) else None
    side = _part(rng, "side_menu") if has_side else None
    bottom = _part(rng, "footer") if framed and rng.random() < 0.5 else None
    present = {part.name for part in (*body, top, side, bottom) if part}
    body += [_part(rng, wanted) for wanted in options.parts if wanted not in present]
    if options.n_bytes:
        frame = _FRAME_BYTES + sum(part.about_bytes for part in (top, side, bottom) if part)
        body = _fit(rng, body, options.n_bytes - frame, options.parts)
    return PagePlan(
        layout=name,
        shell=shell,
        topic=pick(rng, TOPICS),
        look=draw_look(rng),
        top=top,
        body=tuple(body),
        side=side,
        bottom=bottom,
        is_named_by_kind=rng.random() < 0.25,
        has_comments=rng.random() < 0.15,
        indent=2 if rng.random() < 0.6 else 4,
    )


def write_page(rng: Random, plan: PagePlan) -> Page:
    """Fill a plan with words."""
    writer = Copywriter(rng, plan.topic, plan.is_named_by_kind)
    nodes = _write(writer, plan, plan.top, "Header")
    nodes += _SHELLS[plan.shell](writer, plan)
    nodes += _write(writer, plan, plan.bottom, "Footer")
    lines = [
        "<html>",
        f'<link href="{STYLE_SHEET}" rel="stylesheet">',
        f'<body class="{plan.look.page}">' if plan.look.page else "<body>",
    ]
    step = " " * plan.indent
    write_lines(nodes, step, step, lines)
    return Page("\n".join([*lines, "</body>", "</html>"]), _idea(writer, plan))


def _part(rng: Random, name: str, variants: tuple[int, ...] = ()) -> PartPlan:
    kind = PARTS[name]
    allowed = [variant for variant in variants if variant < kind.n_variants] or range(kind.n_variants)
    return PartPlan(name, pick(rng, allowed), between(rng, kind.low, kind.high))


def _fit(rng: Random, body: list[PartPlan], n_bytes: int, wanted: tuple[str, ...]) -> list[PartPlan]:
    """Shorten, drop or add parts until the body is about `n_bytes` long; the wanted ones stay as they are."""
    left = n_bytes - sum(part.about_bytes for part in body if part.name in wanted)
    fitted: list[PartPlan] = []
    for part in body:
        kind = PARTS[part.name]
        if part.name in wanted:
            fitted.append(part)
        elif left > 0 or not fitted:
            n = (left - kind.bytes_fixed) // kind.bytes_each if kind.bytes_each else part.n
            fitted.append(PartPlan(part.name, part.variant, max(kind.low, min(part.n, n))))
            left -= fitted[-1].about_bytes
    while left > 600:
        name = pick(rng, FILLERS)
        kind, drawn = PARTS[name], _part(rng, name)
        n = min(kind.most, max(kind.low, (left - kind.bytes_fixed) // kind.bytes_each))
        fitted.append(PartPlan(name, drawn.variant, n if rng.random() < 0.5 else min(n, drawn.n)))
        left -= fitted[-1].about_bytes
    return fitted


def _write(writer: Copywriter, plan: PagePlan, part: PartPlan | None, comment: str = "") -> list[Node]:
    if part is None:
        return []
    nodes = PARTS[part.name].write(writer, plan.look, part.variant, part.n)
    return [f"<!-- {comment or part.name.replace('_', ' ').capitalize()} -->", *nodes] if plan.has_comments else nodes


def _stack(writer: Copywriter, plan: PagePlan) -> list[Node]:
    """One part below the other, the wide ones over the window's whole width."""
    nodes: list[Node] = []
    inner: list[Node] = []
    for part in plan.body:
        if PARTS[part.name].is_wide:
            nodes += [*_main(plan, inner), *_write(writer, plan, part)]
            inner = []
        else:
            inner += _write(writer, plan, part)
    return [*nodes, *_main(plan, inner)]


def _main(plan: PagePlan, inner: list[Node]) -> list[Node]:
    return [box("main", plan.look.container, inner)] if inner else []


def _bare(writer: Copywriter, plan: PagePlan) -> list[Node]:
    return [node for part in plan.body for node in _write(writer, plan, part)]


def _centered(writer: Copywriter, plan: PagePlan) -> list[Node]:
    """In the middle of the window."""
    inner = [box("div", "w-full max-w-md", _write(writer, plan, part)) for part in plan.body]
    return [box("div", "min-h-screen flex flex-col items-center justify-center", inner)]


def _split(writer: Copywriter, plan: PagePlan) -> list[Node]:
    """Parts in two columns."""
    columns: list[Node] = [box("div", "w-full md:w-1/2 p-4", _write(writer, plan, part)) for part in plan.body]
    return [box("div", "flex flex-wrap", columns)]


def _side(writer: Copywriter, plan: PagePlan) -> list[Node]:
    """A narrow column beside the content."""
    narrow, wide = (("w-1/4", "w-3/4"), ("w-1/5", "w-4/5"), ("w-1/6", "w-5/6"))[plan.indent % 3]
    column = box("aside", f"{narrow} {plan.look.band} p-4 min-h-screen", _write(writer, plan, plan.side))
    content = box("main", f"{wide} p-4", _bare(writer, plan))
    return [box("div", "flex", [column, content] if plan.shell == "side_left" else [content, column])]


_SHELLS: Final = {
    "stack": _stack,
    "bare": _bare,
    "centered": _centered,
    "split": _split,
    "side_left": _side,
    "side_right": _side,
}


def _idea(writer: Copywriter, plan: PagePlan) -> str:
    names = dict.fromkeys(part.name for part in (plan.top, plan.side, *plan.body, plan.bottom) if part)
    words = [PARTS[name].words for name in names]
    listed = words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" and {words[-1]}"
    look = f"Its main color is {plan.look.accent}"
    kind = plan.topic.kind.lower()
    article = "an" if LAYOUTS[plan.layout].words[0] in "aeiou" else "a"
    name = writer.brand.replace("&amp;", "&")
    return f"{kind.capitalize()} {name}: {article} {LAYOUTS[plan.layout].words} with {listed}. {look}."
