"""How a generated page looks: the Tailwind classes that all of its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from curation.generate.choose import pick, pick_weighted

# The colours that Tailwind 2.2.19's style sheet has; WebSight's pages also ask for others, which show nothing.
_ACCENTS: Final = {
    "blue": 10.0,
    "gray": 9.0,
    "green": 6.0,
    "red": 6.0,
    "indigo": 5.0,
    "purple": 4.0,
    "yellow": 3.0,
    "pink": 3.0,
}


@dataclass(frozen=True)
class Look:
    """Class lists by the role that they play; `accent` is a Tailwind colour name."""

    accent: str
    page: str
    bar: str
    bar_link: str
    band: str
    band_button: str
    footer: str
    container: str
    section: str
    title: str
    heading: str
    subheading: str
    text: str
    small: str
    card: str
    button: str
    link: str
    field: str
    picture: str
    gap: str


def draw_look(rng: Random) -> Look:
    """A consistent set of classes."""
    accent = pick_weighted(rng, _ACCENTS)
    shade = 800 if accent == "gray" else pick(rng, (400, 500, 500, 600, 700, 800, 900))
    is_dark_page = rng.random() < 0.06
    rounded = pick(rng, ("rounded", "rounded", "rounded-lg", "rounded-md", "rounded-full", ""))
    weight = pick(rng, ("font-bold", "font-bold", "font-semibold", ""))
    margin = pick(rng, ("mb-4", "mb-4", "mb-6", "mb-2"))
    light = f"bg-{accent}-{shade} text-white"
    bar_is_colored = rng.random() < 0.6
    bar = light if bar_is_colored else pick(rng, ("bg-white", "bg-white shadow", "bg-gray-100", "bg-white border-b"))
    hover = pick(
        rng, ("hover:underline", f"hover:text-{accent}-{300 if bar_is_colored else 600}", "hover:text-gray-900")
    )
    button = _button(rng, accent, shade, rounded)
    band = pick(
        rng, (f"bg-{accent}-100 text-gray-800", light, "bg-gray-200 text-gray-800", f"bg-{accent}-200 text-gray-900")
    )
    card_shape = "rounded-lg" if rounded == "rounded-full" else rounded
    card_color = "bg-gray-800" if is_dark_page else "bg-white"
    return Look(
        accent=accent,
        page="bg-gray-900 text-white" if is_dark_page else _page(rng, accent),
        bar=bar,
        bar_link=hover if rng.random() < 0.85 else "",
        band=band,
        # On a band of its own colour a button would not be seen.
        band_button=_joined(f"bg-white text-{accent}-{shade} px-4 py-2", rounded) if band == light else button,
        footer=pick(
            rng,
            (
                "bg-gray-800 text-white",
                "bg-gray-800 text-white",
                light,
                "bg-gray-200 text-gray-700",
                "bg-white text-gray-600" if not is_dark_page else "bg-black text-gray-400",
            ),
        ),
        container=pick(
            rng,
            (
                "container mx-auto px-4",
                "container mx-auto p-4",
                "max-w-4xl mx-auto px-4",
                "max-w-6xl mx-auto px-6",
                "container mx-auto",
                "max-w-screen-xl mx-auto px-4",
                "px-4",
                "p-8",
            ),
        ),
        section=pick(rng, ("py-8", "my-8", "mb-8", "py-12", "mt-8", "p-4", "py-6", "py-4")),
        title=pick(rng, ("text-4xl", "text-4xl", "text-3xl", "text-5xl")) + _after(weight) + f" {margin}",
        heading=pick(rng, ("text-2xl", "text-2xl", "text-3xl", "text-xl")) + _after(weight) + f" {margin}",
        subheading=pick(rng, ("text-xl", "text-lg", "text-xl")) + _after(weight) + pick(rng, ("", " mb-2", " mb-2")),
        text="text-gray-300"
        if is_dark_page
        else pick(rng, ("text-lg", "text-gray-700", "text-gray-600", "", "text-lg text-gray-700", "text-base")),
        small="text-sm text-gray-400"
        if is_dark_page
        else pick(rng, ("text-sm text-gray-500", "text-gray-500", "text-sm", "text-gray-600")),
        card=_joined(
            card_color,
            card_shape,
            pick(rng, ("shadow", "shadow-md", "shadow-lg", "border", "")),
            pick(rng, ("p-4", "p-4", "p-6")),
        ),
        button=button,
        link=pick(
            rng,
            (
                f"text-{accent}-{max(500, shade)} hover:underline",
                f"text-{accent}-600",
                "text-blue-500 hover:underline",
                "underline",
            ),
        ),
        field=_joined(
            "border",
            card_shape,
            pick(rng, ("p-2", "px-3 py-2", "px-4 py-2")),
            pick(rng, ("w-full", "w-full", "w-full border-gray-300")),
        ),
        picture=_joined(
            pick(rng, ("w-full", "w-full", "w-full h-48 object-cover", "w-full h-64 object-cover", "w-full h-auto")),
            card_shape,
        ),
        gap=pick(rng, ("gap-4", "gap-4", "gap-6", "gap-8")),
    )


def _page(rng: Random, accent: str) -> str:
    return pick(
        rng,
        (
            "",
            "bg-white",
            "bg-gray-100",
            "bg-gray-100",
            "bg-gray-100 font-sans leading-normal tracking-normal",
            f"bg-{accent}-100",
            "bg-gray-50 text-gray-800",
            "font-sans",
            f"bg-{accent}-50 text-gray-900",
            "bg-gray-200",
        ),
    )


def _button(rng: Random, accent: str, shade: int, rounded: str) -> str:
    strong = min(900, shade + (200 if shade < 800 else 100))
    padding = pick(rng, ("px-4 py-2", "py-2 px-4", "px-6 py-3", "p-2"))
    if rng.random() < 0.15:
        return _joined(f"bg-white text-{accent}-{shade} border border-{accent}-{shade}", padding, rounded)
    bold = pick(rng, ("", "font-bold", "font-semibold"))
    return _joined(f"bg-{accent}-{shade} hover:bg-{accent}-{strong} text-white", bold, padding, rounded)


def _after(classes: str) -> str:
    return f" {classes}" if classes else ""


def _joined(*parts: str) -> str:
    return " ".join([part for part in parts if part])
