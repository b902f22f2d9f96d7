"""What stands around a generated page's content: navigation, openings, side columns, footers."""

from __future__ import annotations

from curation.generate.choose import between, pick, pick_some
from curation.generate.nodes import Node, box, image, leaf
from curation.generate.page_look import Look
from curation.generate.page_text import Copywriter
from curation.generate.words import phone, street_address

_COMMON_LINKS = (
    "Home",
    "About",
    "Services",
    "Contact",
    "Products",
    "Blog",
    "Gallery",
    "Team",
    "About Us",
    "Contact Us",
)


def links(writer: Copywriter, n: int) -> list[str]:
    """Labels of a menu: common ones, or the topic's own."""
    if writer.rng.random() < 0.6:
        return ["Home", *pick_some(writer.rng, _COMMON_LINKS[1:], n - 1)]
    return writer.services(n)


def _anchor(writer: Copywriter, label: str, classes: str) -> Node:
    target = "#" if writer.rng.random() < 0.8 else "#" + label.lower().replace(" ", "-").replace("/", "-")
    return leaf("a", classes, label, f'href="{target}"')


def _anchors(writer: Copywriter, n: int, classes: str) -> list[Node]:
    return [_anchor(writer, label, classes) for label in links(writer, n)]


def nav_bar(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """The bar at the top, with the brand and `n` links."""
    brand = leaf(
        "h1" if variant % 2 else "span", "text-xl font-semibold" if variant < 3 else "text-2xl font-bold", writer.brand
    )
    match variant:
        case 0:
            menu = box("div", "flex space-x-4", _anchors(writer, n, look.bar_link))
            return [box("nav", f"flex items-center justify-between flex-wrap {look.bar} p-6", [brand, menu])]
        case 1:
            entries: list[Node] = [
                leaf("li", "", f'<a href="#" class="{look.bar_link}">{label}</a>') for label in links(writer, n)
            ]
            return [box("nav", f"{look.bar} p-4", [box("ul", "flex space-x-4", entries)])]
        case 2:
            inner = [brand, box("nav", "", _anchors(writer, n, f"px-4 {look.bar_link}".strip()))]
            return [
                box(
                    "header",
                    f"{look.bar} p-4",
                    [box("div", "container mx-auto flex justify-between items-center", inner)],
                )
            ]
        case 3:
            logo = image(writer.picture(100, 100, "logo"), "Logo", "w-16 h-16 mx-auto")
            menu = box("nav", "mt-4", _anchors(writer, n, f"mx-2 {look.bar_link}".strip()))
            return [box("header", f"{look.bar} text-center py-6", [logo, brand, menu])]
        case 4:
            search = '<input type="text" placeholder="Search" class="p-2 border rounded text-gray-800">'
            return [box("header", f"{look.bar} p-4 flex justify-between items-center", [brand, search])]
        case 5:
            tagline = leaf("p", "text-sm", writer.short())
            return [box("header", f"{look.bar} p-8 text-center", [brand, tagline])]
        case _:
            entries = [
                box("a", f"block mt-4 lg:inline-block lg:mt-0 mr-4 {look.bar_link}".strip(), [label], 'href="#"')
                for label in links(writer, n)
            ]
            left = box(
                "div",
                "flex items-center flex-shrink-0 mr-6",
                [leaf("span", "font-semibold text-xl tracking-tight", writer.brand)],
            )
            right = box(
                "div",
                "w-full block flex-grow lg:flex lg:items-center lg:w-auto",
                [box("div", "text-sm lg:flex-grow", entries)],
            )
            return [box("nav", f"flex items-center justify-between flex-wrap {look.bar} p-6", [left, right])]


def hero(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """The opening: the page's first heading, `n` sentences, often a button or a picture."""
    heading, about = leaf("h1", look.title, writer.slogan()), writer.about(n)
    button = leaf("button", look.button, writer.call())
    match variant:
        case 0:
            inner = [heading, leaf("p", "text-lg mb-8", about), leaf("button", look.band_button, writer.call())]
            return [box("section", f"{look.band} text-center py-20 px-4", inner)]
        case 1:
            left = box(
                "div",
                "w-full md:w-1/2 flex flex-col justify-center items-start p-6",
                [heading, leaf("p", "leading-normal mb-4", about), button],
            )
            right = box("div", "w-full md:w-1/2 p-6", [image(writer.picture(600, 400), "Hero Image", look.picture)])
            pair = [left, right] if writer.rng.random() < 0.6 else [right, left]
            return [box("section", "container mx-auto flex items-center flex-wrap", pair)]
        case 2:
            address = writer.picture(1600, 900)
            inner = [
                leaf("h1", "text-5xl font-bold text-white", writer.slogan()),
                leaf("p", "text-xl text-white mt-4", writer.short()),
            ]
            if writer.rng.random() < 0.5:
                inner.append(leaf("button", f"{look.button} mt-6", writer.call()))
            style = f"style=\"background-image: url('{address}')\""
            height = pick(writer.rng, ("h-96", "h-screen", "h-64"))
            return [
                box(
                    "div",
                    f"bg-cover bg-center {height} flex flex-col items-center justify-center text-center",
                    inner,
                    style,
                )
            ]
        case 3:
            return [
                image(writer.picture(1200, 400), writer.topic.kind, "w-full"),
                box("div", "container mx-auto px-4 py-8", [heading, leaf("p", look.text, about)]),
            ]
        case _:
            return [box("div", f"{look.container} {look.section}", [heading, leaf("p", look.text, about)])]


def splash(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """One message in the middle of the screen, and nothing else."""
    inner: list[Node] = [leaf("h1", look.title, writer.slogan()), leaf("p", "text-xl mb-8", writer.about(n))]
    if variant == 0:
        inner.append('<input type="text" placeholder="Search" class="px-4 py-2 rounded-full border">')
    elif variant == 1:
        inner.append(leaf("button", look.band_button, writer.call()))
    elif variant == 2:
        inner.insert(0, image(writer.picture(300, 200), writer.topic.kind, "mx-auto mb-8"))
    middle = box("div", "max-w-2xl text-center px-4", inner)
    return [box("div", f"{look.band} min-h-screen flex items-center justify-center", [middle])]


def side_menu(writer: Copywriter, _look: Look, variant: int, n: int) -> list[Node]:
    """A column of links, with a heading or a logo above it."""
    top: Node = leaf("h2", "text-2xl mb-4", writer.brand)
    if variant == 1:
        top = image(writer.picture(200, 200, "logo"), "Logo", "mb-4 rounded")
    labels = links(writer, n)
    if variant == 2:
        entries: list[Node] = [
            leaf("li", "mb-2", f'<a href="#" class="hover:underline">{label}</a>') for label in labels
        ]
        return [top, box("ul", "list-none", entries)]
    return [top, box("nav", "", [_anchor(writer, label, "block mb-2 hover:underline") for label in labels])]


def footer(writer: Copywriter, look: Look, variant: int, n: int) -> list[Node]:
    """The end of the page: rights, links, or where to write to."""
    rights = f"© {between(writer.rng, 2020, 2024)} {writer.brand}. All rights reserved."
    match variant:
        case 0:
            return [box("footer", f"{look.footer} text-center p-4", [leaf("p", "", rights)])]
        case 1:
            networks = pick_some(writer.rng, ("Facebook", "Twitter", "Instagram", "LinkedIn", "YouTube"), min(n, 3))
            inner = [
                leaf("p", "", f"Contact us at: {phone(writer.rng)}"),
                leaf("p", "", f"Find us on social media: {', '.join(networks)}"),
            ]
            return [box("footer", f"{look.footer} text-center p-6", inner)]
        case 2:
            columns: list[Node] = []
            for heading in writer.services(3):
                entries: list[Node] = [
                    leaf("li", "", f'<a href="#" class="hover:underline">{label}</a>') for label in links(writer, n)
                ]
                columns.append(box("div", "", [leaf("h3", "font-bold mb-2", heading), box("ul", "", entries)]))
            inner = [
                box("div", "container mx-auto px-4 grid grid-cols-1 md:grid-cols-3 gap-8", columns),
                leaf("p", "text-center text-sm mt-8", rights),
            ]
            return [box("footer", f"{look.footer} py-8", inner)]
        case 3:
            inner = [leaf("span", "", rights), box("div", "flex space-x-4", _anchors(writer, n, "hover:underline"))]
            return [box("footer", f"{look.footer} p-6 flex justify-between items-center", inner)]
        case _:
            inner = [
                leaf("p", "", f"{street_address(writer.rng)}, {writer.city}"),
                leaf("p", "", f"Phone: {phone(writer.rng)}"),
                leaf("p", "", f"Email: info@{writer.domain}"),
            ]
            return [box("footer", f"{look.footer} p-6", inner)]
