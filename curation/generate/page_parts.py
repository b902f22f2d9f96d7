"""The sections of a generated page that are mostly text: about, features, articles, questions, tables, figures."""

from __future__ import annotations

from curation.generate.choose import between, pick
from curation.generate.nodes import Node, box, image, leaf
from curation.generate.page_look import Look
from curation.generate.page_text import Copywriter
from curation.generate.words import WEEKDAYS

GRID_COLUMNS = {1: "grid-cols-1", 2: "grid-cols-2", 3: "grid-cols-3", 4: "grid-cols-4"}


def about(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A heading and `n` paragraphs, alone or beside a picture."""
    title = pick(writer.rng, ("About Us", "Our Story", "Who We Are", "Our Mission", f"About {writer.brand}"))
    inner: list[Node] = [leaf("h2", look.heading, title)]
    text = look.text if variant != 2 else ""
    inner += [
        leaf("p", f"{text} mb-4".strip() if n > 1 else text, writer.about(between(writer.rng, 2, 4))) for _ in range(n)
    ]
    if variant == 0:
        return [box("section", look.section, inner)]
    if variant == 1:
        picture = image(writer.picture(500, 300), title, look.picture)
        halves: list[Node] = [box("div", "w-full md:w-1/2 pr-4", inner), box("div", "w-full md:w-1/2", [picture])]
        return [box("section", f"flex flex-wrap items-center {look.section}", halves)]
    if variant == 2:
        return [box("section", f"{look.band} text-center p-8 {look.section}", inner)]
    return [box("section", f"{look.card} {look.section}", inner, 'id="about"')]


def topics(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` sections one below the other, each a heading with some sentences."""
    nodes: list[Node] = []
    for service in writer.services(n):
        inner: list[Node] = [leaf("h2", look.heading, service), leaf("p", look.text, writer.about(2))]
        if variant == 1:
            inner.append(leaf("a", look.link, writer.call(), 'href="#"'))
        nodes.append(box("section", look.section, inner, f'id="{service.split()[0].lower()}"' if variant == 2 else ""))
    return nodes


def features(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` services side by side, each with a sentence."""
    cells: list[Node] = []
    for service in writer.services(n):
        name = leaf("h3", look.subheading, service)
        cells.append(box("div", look.card if variant != 1 else "", [name, leaf("p", look.text, writer.short())]))
    columns = min(4, n) if n != 4 or variant else 2
    if variant == 2:
        grid = box(
            "div", "flex flex-wrap -mx-2", [box("div", f"w-full md:w-1/{columns} px-2 mb-4", [cell]) for cell in cells]
        )
    else:
        grid = box("div", f"grid grid-cols-1 md:{GRID_COLUMNS[columns]} {look.gap}", cells)
    title = pick(writer.rng, ("Our Services", "What We Offer", "Features", "Why Choose Us", "Services"))
    return [
        box("section", look.section, [leaf("h2", look.heading + (" text-center" if variant == 0 else ""), title), grid])
    ]


def bullets(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A heading and a list of `n` entries."""
    use_items = writer.rng.random() < 0.5
    labels = writer.items(n) if use_items else writer.services(n)
    title = pick(writer.rng, ("Featured", "Popular", "Highlights")) if use_items else "Our Services"
    entries: list[Node] = [leaf("li", "mb-2" if variant == 2 else "", label) for label in labels]
    tag, classes = (("ul", "list-disc pl-5"), ("ul", "list-disc list-inside"), ("ul", ""), ("ol", "list-decimal pl-5"))[
        variant
    ]
    return [box("section", look.section, [leaf("h2", look.heading, title), box(tag, classes, entries)])]


def article(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A story of `n` paragraphs, with author and date, sometimes a picture, subheadings or a quotation."""
    author = f"By {writer.person()}" if variant == 2 else f"By {writer.person()} | {writer.day()}"
    inner: list[Node] = [leaf("h1", look.title, writer.title()), leaf("p", f"{look.small} mb-4", author)]
    if variant != 1:
        inner.append(image(writer.picture(800, 400), writer.topic.kind, f"{look.picture} mb-6"))
    for i in range(n):
        if i and i % 3 == 0:
            inner.append(leaf("h2", look.heading, writer.title()))
        if i % 5 == 2 and variant != 2:
            inner.append(
                leaf("blockquote", f"border-l-4 border-{look.accent}-500 pl-4 italic my-4", f'"{writer.quote()}"')
            )
        inner.append(leaf("p", f"{look.text} mb-4".strip(), writer.article(between(writer.rng, 2, 5))))
    return [box("article", f"{look.section} max-w-3xl mx-auto" if variant else look.section, inner)]


def posts(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` teasers of a blog, in one column or a grid."""
    nodes: list[Node] = []
    for _ in range(n):
        inner: list[Node] = [
            leaf("h2", look.subheading, writer.title()),
            leaf("p", look.small, f"{writer.day()} by {writer.person()}"),
        ]
        inner += [
            leaf("p", f"{look.text} mt-2".strip(), writer.article(2)),
            leaf("a", look.link, "Read More", 'href="#"'),
        ]
        if variant != 1:
            inner.insert(0, image(writer.picture(400, 250), "Blog post", f"{look.picture} mb-4"))
        nodes.append(box("article", look.card if variant != 1 else "mb-8", inner))
    if variant == 0:
        return [box("section", f"grid grid-cols-1 md:grid-cols-{min(3, max(2, n))} {look.gap} {look.section}", nodes)]
    return [box("section", f"space-y-6 {look.section}" if variant == 2 else look.section, nodes)]


def questions(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` frequent questions with their answers."""
    title = pick(writer.rng, ("Frequently Asked Questions", "FAQ", "Questions and Answers"))
    inner: list[Node] = []
    for question, answer in writer.questions(n):
        if variant == 0:
            inner.append(
                box("div", look.card + " mb-4", [leaf("h3", look.subheading, question), leaf("p", look.text, answer)])
            )
        else:
            inner += [leaf("dt", "font-bold mt-4", question), leaf("dd", look.text, answer)]
    body = inner if variant == 0 else [box("dl", "", inner)]
    return [box("section", look.section, [leaf("h2", look.heading, title), *body])]


def figures(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` key figures in a row."""
    cells: list[Node] = []
    labels = (
        "Users",
        "Revenue",
        "Orders",
        "Visitors",
        "Growth",
        "Open Tickets",
        "New Clients",
        "Projects",
        "Countries",
        "Reviews",
    )
    for label in [*writer.services(1), *[pick(writer.rng, labels) for _ in range(n - 1)]]:
        value = _figure(writer, label)
        lines: list[Node] = [
            leaf("p", look.small, label),
            leaf("p", f"text-3xl font-bold text-{look.accent}-600", value),
        ]
        if variant == 1:
            lines.reverse()
        if variant == 2:
            lines.append(leaf("p", "text-sm text-green-500", f"+{between(writer.rng, 1, 39)}% this month"))
        cells.append(box("div", f"{look.card} text-center" if variant == 1 else look.card, lines))
    return [box("section", f"grid {GRID_COLUMNS[min(4, n)]} {look.gap} {look.section}", cells)]


def _figure(writer: Copywriter, label: str) -> str:
    if label == "Revenue":
        return f"${between(writer.rng, 11, 990)},{between(writer.rng, 100, 999)}"
    if label == "Growth":
        return f"{between(writer.rng, 1, 60)}.{between(writer.rng, 0, 9)}%"
    return f"{between(writer.rng, 12, 9800):,}"


def bars(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` bars of a chart, lying or standing."""
    title = leaf(
        "h2", look.heading, pick(writer.rng, ("Monthly Report", "Progress", "Sales", "Traffic", "By Department"))
    )
    nodes: list[Node] = []
    if variant == 0:
        for label in writer.services(n):
            share = between(writer.rng, 1, 11)
            bar = box(
                "div",
                "w-full bg-gray-200 rounded h-4",
                [box("div", f"bg-{look.accent}-500 h-4 rounded w-{share}/12", [])],
            )
            nodes.append(box("div", "mb-4", [leaf("p", look.small, f"{label}: {round(share * 100 / 12)}%"), bar]))
        return [box("section", f"{look.card} {look.section}", [title, *nodes])]
    heights = (8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64)
    nodes = [
        box("div", f"flex-1 bg-{look.accent}-{pick(writer.rng, (300, 400, 500))} h-{pick(writer.rng, heights)}", [])
        for _ in range(n)
    ]
    return [box("section", f"{look.card} {look.section}", [title, box("div", "flex items-end space-x-2 h-64", nodes)])]


def data_table(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A table of `n` rows: orders, members or opening hours."""
    head = (
        ("Name", "City", "Date", "Amount"),
        ("Order", "Product", "Customer", "Status"),
        ("Day", "Class", "Time", "Place"),
    )[variant % 3]
    heads: list[Node] = [leaf("th", "px-4 py-2 text-left", label) for label in head]
    rows: list[Node] = []
    for i in range(n):
        stripe = "bg-gray-100 text-gray-800" if variant > 2 and i % 2 else "border-b"
        rows.append(box("tr", stripe, [leaf("td", "px-4 py-2", text) for text in _table_row(writer, variant % 3, i)]))
    title = pick(
        writer.rng,
        (("Recent Payments", "Members"), ("Recent Orders", "Orders"), ("Schedule", "Timetable"))[variant % 3],
    )
    table = box(
        "table",
        f"{look.card} w-full",
        [box("thead", f"bg-{look.accent}-200 text-gray-800", [box("tr", "", heads)]), box("tbody", "", rows)],
    )
    return [box("section", look.section, [leaf("h2", look.heading, title), table])]


def _table_row(writer: Copywriter, kind: int, i: int) -> tuple[str, ...]:
    rng, item = writer.rng, pick(writer.rng, writer.topic.items)
    if kind == 0:
        return (writer.person(), writer.city, writer.day(), writer.price())
    if kind == 1:
        return (
            f"#{between(rng, 1000, 9999)}",
            item,
            writer.person(),
            pick(rng, ("Shipped", "Pending", "Paid", "Cancelled", "Delivered")),
        )
    hour = between(rng, 8, 18)
    return (
        WEEKDAYS[i % 7],
        item,
        f"{hour}:{pick(rng, ('00', '15', '30'))} - {hour + 1}:45",
        f"Room {between(rng, 1, 30)}",
    )
