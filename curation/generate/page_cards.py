"""The sections of a generated page that show things and people, or ask for something: cards, galleries, forms."""

from __future__ import annotations

from curation.generate.choose import between, pick, pick_some
from curation.generate.nodes import Node, box, image, leaf
from curation.generate.page_look import Look
from curation.generate.page_parts import GRID_COLUMNS
from curation.generate.page_text import Copywriter
from curation.generate.words import MONTHS, phone, street_address

_SIZES = ((300, 200), (400, 300), (300, 300), (500, 300), (200, 200), (600, 400))


def products(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` products in a grid: picture, name, a sentence, price, button."""
    width, height = pick(writer.rng, _SIZES)
    cells: list[Node] = []
    for item in writer.items(n):
        inner = [image(writer.picture(width, height), item, look.picture), leaf("h3", f"{look.subheading} mt-4", item)]
        if variant != 1:
            inner.append(leaf("p", look.text, writer.short()))
        inner.append(leaf("p", "font-bold" if variant else f"text-{look.accent}-600 font-bold", writer.price()))
        if variant != 2:
            inner.append(
                leaf("button", f"{look.button} mt-2", pick(writer.rng, ("Add to Cart", "Buy Now", "View Details")))
            )
        cells.append(box("div", look.card, inner))
    columns = 2 if n == 2 else 4 if n % 4 == 0 and variant != 2 else 3
    title = pick(writer.rng, ("Our Products", "Featured Products", "Bestsellers", "New Arrivals", "Products"))
    return [
        box(
            "section",
            look.section,
            [leaf("h2", look.heading, title), box("div", f"grid {GRID_COLUMNS[columns]} {look.gap}", cells)],
        )
    ]


def gallery(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` pictures in a grid, with captions in one variant."""
    width, height = pick(writer.rng, _SIZES)
    cells: list[Node] = []
    for item in writer.items(n):
        picture = image(writer.picture(width, height), item, look.picture)
        cells.append(picture if variant != 1 else box("figure", "", [picture, leaf("figcaption", look.small, item)]))
    columns = (3, 3, 2, 4)[variant]
    grid = box("div", f"grid {GRID_COLUMNS[columns]} {look.gap}", cells)
    return [
        box(
            "section",
            look.section,
            [leaf("h2", look.heading, pick(writer.rng, ("Gallery", "Our Work", "Impressions", "Portfolio"))), grid],
        )
    ]


def projects(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` works of a portfolio, picture and text taking turns."""
    nodes: list[Node] = []
    for i, item in enumerate(writer.items(n)):
        picture = box("div", "w-1/2", [image(writer.picture(600, 400), item, look.picture)])
        text = box("div", "w-1/2 p-6", [leaf("h3", look.subheading, item), leaf("p", look.text, writer.about(1))])
        pair = [picture, text] if i % 2 == 0 or variant else [text, picture]
        nodes.append(box("div", "flex items-center mb-8", pair))
    return [
        box(
            "section",
            look.section,
            [leaf("h2", look.heading, pick(writer.rng, ("Our Work", "Selected Projects", "Portfolio"))), *nodes],
        )
    ]


def dishes(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A menu or price list of `n` entries, in one or two columns."""
    entries: list[Node] = []
    for item in writer.items(n):
        line = box(
            "div",
            "flex justify-between",
            [leaf("span", "font-semibold", item), leaf("span", f"text-{look.accent}-600", writer.price())],
        )
        entries.append(box("li", "py-2 border-b", [line, leaf("p", look.small, writer.short())] if variant else [line]))
    title = pick(writer.rng, ("Our Menu", "Today's Specials", "Prices", "Menu"))
    classes = f"grid grid-cols-2 {look.gap}" if variant == 2 else ""
    return [box("section", look.section, [leaf("h2", look.heading, title), box("ul", classes, entries)])]


def plans(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` price plans side by side."""
    names = (
        ("Basic", "Standard", "Premium", "Enterprise"),
        ("Free", "Pro", "Team", "Business"),
        ("Starter", "Plus", "Ultimate", "Custom"),
    )
    price, cells = between(writer.rng, 5, 29), []
    for i, name in enumerate(pick(writer.rng, names)[:n]):
        entries: list[Node] = [leaf("li", "mb-2", label) for label in writer.services(between(writer.rng, 3, 5))]
        highlight = f" border-2 border-{look.accent}-500" if variant == 1 and i == 1 else ""
        amount = leaf("p", "text-4xl font-bold mb-4", f'${price * (1 + 2 * i)}<span class="text-lg">/month</span>')
        cells.append(
            box(
                "div",
                f"{look.card} text-center{highlight}",
                [
                    leaf("h3", look.subheading, name),
                    amount,
                    box("ul", "mb-4", entries),
                    leaf("button", look.button, writer.call()),
                ],
            )
        )
    inner: list[Node] = [
        leaf("h2", f"{look.heading} text-center", pick(writer.rng, ("Pricing", "Our Plans", "Choose Your Plan"))),
        box("div", f"grid {GRID_COLUMNS[n]} {look.gap}", cells),
    ]
    return [box("section", look.section, inner)]


def voices(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """What `n` customers say."""
    nodes: list[Node] = []
    for _ in range(n):
        if variant == 0:
            nodes.append(leaf("p", f"{look.text} mb-4".strip(), f'"{writer.quote()}" - {writer.person()}'))
        else:
            face = (
                [image(writer.picture(100, 100, "face"), "Portrait", "w-16 h-16 rounded-full mb-2")]
                if variant == 2
                else []
            )
            nodes.append(
                box(
                    "div",
                    look.card,
                    [*face, leaf("p", "italic", f'"{writer.quote()}"'), leaf("p", "font-bold mt-2", writer.person())],
                )
            )
    if variant:
        nodes = [box("div", f"grid {GRID_COLUMNS[min(3, n)]} {look.gap}", nodes)]
    return [
        box(
            "section",
            look.section,
            [leaf("h2", look.heading, pick(writer.rng, ("Testimonials", "What Our Customers Say", "Reviews"))), *nodes],
        )
    ]


def team(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` people with portrait, name and role."""
    roles = ("Founder", "Manager", "Head of Service", "Designer", "Assistant", "Director", "Coordinator", "Advisor")
    shape = "w-32 h-32 rounded-full mx-auto mb-4" if variant == 0 else look.picture
    cells: list[Node] = []
    for role in pick_some(writer.rng, roles, n):
        name = writer.person()
        inner = [
            image(writer.picture(300, 300, "portrait"), name, shape),
            leaf("h3", look.subheading, name),
            leaf("p", look.small, role),
        ]
        cells.append(box("div", "text-center" if variant == 0 else look.card, inner))
    return [
        box(
            "section",
            look.section,
            [
                leaf("h2", look.heading, pick(writer.rng, ("Our Team", "Meet the Team"))),
                box("div", f"grid {GRID_COLUMNS[4 if n > 3 else n]} {look.gap}", cells),
            ],
        )
    ]


def events(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """`n` dates to come."""
    nodes: list[Node] = []
    for _ in range(n):
        date = f"{pick(writer.rng, MONTHS)[:3]} {between(writer.rng, 1, 30)}"
        title, text = leaf("h3", look.subheading, writer.title()), leaf("p", look.text, writer.short())
        if variant == 0:
            day = leaf("div", f"w-24 text-center text-xl font-bold text-{look.accent}-600", date)
            nodes.append(box("div", "flex items-start border-b py-4", [day, box("div", "flex-1", [title, text])]))
        else:
            nodes.append(box("div", f"{look.card} mb-4", [leaf("p", look.small, date), title, text]))
    return [
        box(
            "section",
            look.section,
            [leaf("h2", look.heading, pick(writer.rng, ("Upcoming Events", "Events", "What's On"))), *nodes],
        )
    ]


def banner(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A coloured band with a heading and a button; in one variant a form for the newsletter."""
    inner: list[Node] = [leaf("h2", look.heading, writer.slogan()), leaf("p", "mb-4", writer.about(n))]
    if variant == 0:
        inner.append(leaf("button", look.band_button, writer.call()))
    else:
        field = '<input type="email" placeholder="Your email" class="p-2 border rounded text-gray-800">'
        inner = [
            leaf("h2", look.heading, "Subscribe to Our Newsletter"),
            box("form", "flex justify-center space-x-2", [field, leaf("button", look.band_button, "Subscribe")]),
        ]
    return [box("section", f"{look.band} p-8 text-center {look.section}", inner)]


def contact(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """Where to find and how to reach; in one variant beside a picture."""
    number, mail = phone(writer.rng), f"info@{writer.domain}"
    street, town = street_address(writer.rng), f"{writer.city}, {between(writer.rng, 10000, 99999)}"
    title = leaf("h2", look.heading, "Contact Us")
    if variant == 0:
        lines: list[Node] = [leaf("p", look.text, f"Phone: {number}"), leaf("p", look.text, f"Email: {mail}")]
        lines += [leaf("p", look.text, f"Address: {street}, {town}")][: n - 1]
        return [box("section", look.section, [title, *lines])]
    where = box("address", "not-italic", [f"{street}<br>", f"{town}<br>", f"Phone: {number}<br>", f"Email: {mail}"])
    if variant == 1:
        return [
            box("section", look.section, [title, leaf("p", f"{look.text} mb-4".strip(), writer.invitation()), where])
        ]
    picture = image(writer.picture(500, 300, "map"), "Map", look.picture)
    return [box("section", f"grid grid-cols-2 {look.gap} {look.section}", [box("div", "", [title, where]), picture])]


_FORMS = {
    "contact": (
        "Contact Us",
        (("Name", "text"), ("Email", "email"), ("Subject", "text"), ("Message", "textarea")),
        "Send",
    ),
    "login": ("Login", (("Email", "email"), ("Password", "password")), "Log In"),
    "sign_up": (
        "Create an Account",
        (("Full Name", "text"), ("Email", "email"), ("Password", "password"), ("Confirm Password", "password")),
        "Sign Up",
    ),
    "booking": (
        "Book Now",
        (("Name", "text"), ("Date", "date"), ("Number of Guests", "number"), ("Phone", "tel"), ("Notes", "textarea")),
        "Reserve",
    ),
}


def form(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """A form of up to `n` fields: contact, login, sign up or booking."""
    title, rows, send = _FORMS[("contact", "login", "sign_up", "booking")[variant]]
    fields: list[Node] = []
    has_labels = writer.rng.random() < 0.7
    for label, kind in rows[: max(2, n)]:
        name = label.split()[-1].lower()
        hint = "" if has_labels else f' placeholder="{label}"'
        entry = f'<input type="{kind}" id="{name}"{hint} class="{look.field}">'
        if kind == "textarea":
            entry = f'<textarea id="{name}" rows="4"{hint} class="{look.field}"></textarea>'
        above = [leaf("label", "block mb-2", label, f'for="{name}"')] if has_labels else []
        fields.append(box("div", "mb-4", [*above, entry]))
    fields.append(leaf("button", look.button, send, 'type="submit"'))
    if variant in {1, 2}:
        extra = leaf(
            "p",
            f"{look.small} mt-4",
            pick(
                writer.rng, ("Forgot your password?", "Already a member? Log in", "By continuing you accept our terms.")
            ),
        )
        return [
            box(
                "div",
                f"{look.card} max-w-md mx-auto {look.section}",
                [leaf("h2", f"{look.heading} text-center", title), box("form", "", fields), extra],
            )
        ]
    return [
        box("section", look.section, [leaf("h2", look.heading, title), box("form", f"{look.card} max-w-lg", fields)])
    ]
