"""What a page is told when it asks for something: nothing leaves, everything is answered from here.

Known style sheets come from the installed assets, pictures become placeholders of the size asked for, everything
else is refused. That the network is also cut below this (a dead proxy, CSP) is in `chromium` and `document`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from rendering.assets import katex_css
from rendering.pictures import PictureFolder, PictureSource
from rendering.tailwind import tailwind_for

CDN_HOSTS: Final = frozenset({"cdn.jsdelivr.net", "unpkg.com", "www.unpkg.com", "cdnjs.cloudflare.com"})
DEFAULT_PICTURE_PX: Final = (640, 480)
MAX_PICTURE_PX: Final = 4_000

GREY: Final = "#9ca3af"
"""Tailwind's gray-400, as in the pictures of the WebSight sample."""
PALETTE: Final = ("#9ca3af", "#a3b18a", "#8fa8bf", "#c2a38f", "#a79bb8", "#b8b08a", "#8fb3ad", "#bf9a9a")

_TAILWIND: Final = re.compile(
    r"/(?:npm/)?(?:ajax/libs/)?tailwindcss(?:[@/]\^?~?v?([\d.]+))?/.*tailwind(?:\.min)?\.css$"
)
_KATEX: Final = re.compile(r"/(?:npm/)?(?:ajax/libs/)?katex(?:[@/][^/]*)?/.*katex(?:\.min)?\.css$", re.IGNORECASE)
_SIZES: Final = (
    re.compile(r"(?<!\d)(\d{1,5})\s*[xX×]\s*(\d{1,5})(?!\d)"),  # /random/300x200/, placehold.co/600x400
    re.compile(r"[?&]w(?:idth)?=(\d{1,5})\b.*?[?&]h(?:eight)?=(\d{1,5})\b"),
    re.compile(r"picsum\.photos/(?:id/\d+/|seed/[^/]+/)?(\d{1,5})/(\d{1,5})\b"),
)
_SQUARE: Final = re.compile(
    r"(?:placeholder\.com|placehold\.(?:it|co)|picsum\.photos|dummyimage\.com)/(\d{1,5})(?![\dx/])"
)
_SHOWN_URL_CHARS: Final = 200


@dataclass(frozen=True)
class Answer:
    """What a request gets: a body, or (None) a refusal. `warning` is recorded on the sample."""

    content_type: str = ""
    body: bytes | None = None
    warning: str = ""


def answer(url: str, resource_type: str, markup: str, pictures: PictureSource, font: str = "") -> Answer:
    """The answer to a request of a page with this markup. `resource_type` is the DevTools protocol's.

    `font` takes the place of the system's own font, which Tailwind asks for first.
    """
    if resource_type == "Stylesheet":
        return _style_sheet(url, markup, font)
    if resource_type == "Image":
        return Answer("image/svg+xml", placeholder_svg(url, pictures), "pictures replaced by placeholders")
    return Answer(warning=f"left out: {resource_type.lower()} {_shown(url)}")


def placeholder_size(url: str) -> tuple[int, int]:
    """Width and height in pixels that a picture's address asks for, else 640 x 480."""
    text = unquote(url)
    for pattern in _SIZES:
        if found := pattern.search(text):
            return _clamped(int(found[1])), _clamped(int(found[2]))
    if found := _SQUARE.search(text):
        return _clamped(int(found[1])), _clamped(int(found[1]))
    return DEFAULT_PICTURE_PX


def placeholder_svg(url: str, pictures: PictureSource) -> bytes:
    """A picture of the size asked for, the same for the same address: of one colour, or out of a folder."""
    width_px, height_px = placeholder_size(url)
    if isinstance(pictures, PictureFolder):
        if svg := pictures.svg(url, width_px, height_px):
            return svg
        pictures = "palette"
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()
    color = GREY if pictures == "grey" else PALETTE[digest[0] % len(PALETTE)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{height_px}">'
        f'<rect width="100%" height="100%" fill="{color}"/></svg>'
    ).encode()


def _style_sheet(url: str, markup: str, font: str) -> Answer:
    parts = urlsplit(url)
    if parts.hostname in CDN_HOSTS:
        if found := _TAILWIND.search(parts.path):
            version = found[1] or ""
            if version.split(".")[0] in {"2", ""}:
                other = "" if version == "2.2.19" else f"Tailwind {version or '(no version)'} answered with 2.2.19"
                css = tailwind_for(markup)
                if font:
                    css = css.replace("ui-sans-serif,system-ui", f'"{font}",ui-sans-serif,system-ui')
                return Answer("text/css", css.encode(), other)
        elif _KATEX.search(parts.path):
            return Answer("text/css", katex_css().encode())
    return Answer(warning=f"style sheet not known, left out: {_shown(url)}")


def _clamped(size_px: int) -> int:
    return min(MAX_PICTURE_PX, max(1, size_px))


def _shown(url: str) -> str:
    return url if len(url) <= _SHOWN_URL_CHARS else url[:_SHOWN_URL_CHARS] + "…"
