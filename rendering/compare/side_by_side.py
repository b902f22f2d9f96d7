"""A comparison as one picture: source, render and their difference, with the differing regions marked and a legend."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rendering.assets import MODULES_DIR
from rendering.compare.comparison import Comparison, Region

WIDEST_PX: Final = 1_920
"""Of the whole: a screen's width."""
TALLEST_PANEL_PX: Final = 6_000
LEAST_PANEL_PX: Final = 360
LEAST_WIDE_PX: Final = 960
"""Panels narrower than this are enlarged, so that a formula can be read: beside each other, below each other."""
MAX_ENLARGED: Final = 4.0
MARGIN_PX: Final = 16
WIDE: Final = 2.5
"""Pictures wider than this many times their height go below each other."""
ALIKE: Final = 0.1
"""Where the shapes of two pictures differ by more, places of the one mean nothing in the other."""
MAX_MARKS: Final = 200
MAX_LISTED: Final = 12
MAX_DETAIL_CHARS: Final = 160

BACKGROUND: Final = "#e5e7eb"
INK: Final = "#111827"
COLORS: Final = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f3fbf", "#444444")
"""Okabe and Ito's, which people with any colour vision tell apart, with its yellow and orange darkened for white."""


@dataclass(frozen=True)
class _Panel:
    title: str
    picture: Image.Image
    marked: bool


def side_by_side(source: Image.Image, rendered: Image.Image, comparison: Comparison) -> Image.Image:
    """`source` (RGB), `rendered` (RGB) and, where their shapes are alike, what differs, in one RGB picture.

    Regions are boxes of a colour for each kind, numbered where the legend lists them: on the render, and on the source
    where the shapes are alike. Wide pictures go below each other, others beside each other, all as wide as the render's
    panel. Whatever the inputs' sizes, at most 1,920 px wide.
    """
    is_wide = rendered.width > WIDE * rendered.height
    n_across = 1 if is_wide else 3
    room_px = (WIDEST_PX - MARGIN_PX) // n_across - MARGIN_PX
    least_px = LEAST_WIDE_PX if is_wide else LEAST_PANEL_PX
    zoom = min(room_px / rendered.width, max(1.0, min(MAX_ENLARGED, least_px / rendered.width)))
    zoom = min(zoom, TALLEST_PANEL_PX / rendered.height)
    width_px = max(1, round(rendered.width * zoom))
    first, second = _scaled(source, width_px), _scaled(rendered, width_px)
    alike = abs(first.height - second.height) <= max(8, ALIKE * max(first.height, second.height))
    panels = [_Panel("source", first, alike), _Panel("render", second, marked=True)]
    if alike:
        panels.append(
            _Panel(
                "difference: red only in the source, blue only in the render", _difference(first, second), marked=False
            )
        )
    kinds = sorted({region.kind for region in comparison.regions})
    colors = {kind: COLORS[index % len(COLORS)] for index, kind in enumerate(kinds)}
    for panel in panels:
        if panel.marked:
            _mark(panel.picture, comparison.regions, colors, width_px / rendered.width)
    return _put_together(panels, _legend(comparison, colors), is_wide=is_wide)


def difference(source: Image.Image, rendered: Image.Image, width_px: int) -> Image.Image:
    """What differs between two RGB pictures, made equally wide: red is only in `source`, blue only in `rendered`.

    `width_px` at most; a very long picture is cut at the bottom.
    """
    width_px = min(width_px, max(source.width, rendered.width))
    return _difference(_scaled(source, width_px), _scaled(rendered, width_px))


def _scaled(picture: Image.Image, width_px: int) -> Image.Image:
    """A copy, `width_px` wide, cut at the bottom where it is very long."""
    factor = width_px / picture.width
    height_px = max(1, min(TALLEST_PANEL_PX, round(picture.height * factor)))
    shown_px = min(float(picture.height), height_px / factor)
    kind = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BOX
    return picture.convert("RGB").resize((width_px, height_px), kind, box=(0.0, 0.0, float(picture.width), shown_px))


def _difference(first: Image.Image, second: Image.Image) -> Image.Image:
    """Both pictures faded, with what is darker in the first in red and what is darker in the second in blue."""
    size = (first.width, max(first.height, second.height))
    a, b = (_on_canvas(picture.convert("L"), size) for picture in (first, second))
    x, y = (np.asarray(grey, dtype=np.int16) for grey in (a, b))
    faded = 255 - (255 - np.minimum(x, y)) // 5
    only_first, only_second = np.clip(y - x, 0, 255), np.clip(x - y, 0, 255)
    out = np.stack([faded - only_second, faded - only_first - only_second, faded - only_first], axis=-1)
    return Image.fromarray(np.clip(out, 0, 255).astype(np.uint8), "RGB")


def _on_canvas(grey: Image.Image, size: tuple[int, int]) -> Image.Image:
    canvas = Image.new("L", size, 255)
    canvas.paste(grey, (0, 0))
    return canvas


def _mark(picture: Image.Image, regions: Sequence[Region], colors: dict[str, str], zoom: float) -> None:
    draw = ImageDraw.Draw(picture)
    font = _font(12)
    for number, region in enumerate(regions[:MAX_MARKS], start=1):
        left, top = region.x_px * zoom - 2, region.y_px * zoom - 2
        right, bottom = (region.x_px + region.width_px) * zoom + 1, (region.y_px + region.height_px) * zoom + 1
        left, top = (min(max(0.0, at), side - 4.0) for at, side in zip((left, top), picture.size, strict=True))
        right, bottom = min(max(right, left + 3), picture.width - 1.0), min(max(bottom, top + 3), picture.height - 1.0)
        draw.rectangle((left, top, right, bottom), outline=colors[region.kind], width=2)
        if number > MAX_LISTED:
            continue
        tag = draw.textbbox((0, 0), str(number), font=font)
        tag_width, tag_height = tag[2] + 4, tag[3] + 3
        # Above the box where there is room, so that it hides nothing that differs; else below; else over it.
        x = min(left, picture.width - tag_width)
        y = top - tag_height if top >= tag_height else bottom if bottom + tag_height <= picture.height else top
        draw.rectangle((x, y, x + tag_width, y + tag_height), fill=colors[region.kind])
        draw.text((x + 2, y + 1), str(number), fill="white", font=font)


def _legend(comparison: Comparison, colors: dict[str, str]) -> list[tuple[str, str]]:
    """Lines of text, each with its colour."""
    parts = "   ".join(f"{name} {value:.3f}" for name, value in comparison.parts.items())
    lines = [(f"score {comparison.score:.3f}", INK), *([(parts, INK)] if parts else [])]
    n = len(comparison.regions)
    lines.append(
        (f"{n} region{'' if n == 1 else 's'} differ{'s' if n == 1 else ''}" if n else "no region differs", INK)
    )
    for number, region in enumerate(comparison.regions[:MAX_LISTED], start=1):
        detail = " ".join(region.detail.split())
        shown = detail if len(detail) <= MAX_DETAIL_CHARS else detail[:MAX_DETAIL_CHARS] + "…"
        lines.append((f"{number}  {region.kind}{': ' if shown else ''}{shown}", colors[region.kind]))
    if n > MAX_LISTED:
        lines.append((f"and {n - MAX_LISTED} more", INK))
    return lines


def _put_together(panels: Sequence[_Panel], legend: Sequence[tuple[str, str]], *, is_wide: bool) -> Image.Image:
    font, line_px = _font(14), 20
    widths = [panel.picture.width for panel in panels]
    inner_px = max(LEAST_PANEL_PX, max(widths) if is_wide else sum(widths) + MARGIN_PX * (len(panels) - 1))
    lines = [(part, color) for text, color in legend for part in _wrapped(text, inner_px, font)]
    titles = [_wrapped(panel.title, inner_px if is_wide else panel.picture.width, font) for panel in panels]
    n_title_lines = max(map(len, titles))
    heights = [panel.picture.height for panel in panels]
    if is_wide:
        body_px = sum(heights) + sum(len(title) * line_px + MARGIN_PX for title in titles)
    else:
        body_px = max(heights) + n_title_lines * line_px + MARGIN_PX
    size = (inner_px + 2 * MARGIN_PX, 2 * MARGIN_PX + len(lines) * line_px + MARGIN_PX // 2 + body_px)
    out = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(out)
    y = MARGIN_PX
    for text, color in lines:
        draw.text((MARGIN_PX, y), text, fill=color, font=font)
        y += line_px
    x, y = MARGIN_PX, y + MARGIN_PX // 2
    for panel, title in zip(panels, titles, strict=True):
        n_lines = len(title) if is_wide else n_title_lines
        draw.multiline_text((x, y), "\n".join(title), fill=INK, font=font, spacing=4)
        out.paste(panel.picture, (x, y + n_lines * line_px))
        if is_wide:
            y += n_lines * line_px + panel.picture.height + MARGIN_PX
        else:
            x += panel.picture.width + MARGIN_PX
    return out


def _wrapped(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Lines no wider than `width_px`, as far as words can be broken."""
    n_chars = max(1, int(len(text) * width_px / max(1.0, font.getlength(text))))
    return textwrap.wrap(text, max(8, n_chars - 1 if n_chars < len(text) else n_chars)) or [""]


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(MODULES_DIR / "dejavu-fonts-ttf/ttf/DejaVuSans.ttf", size_px)
    except OSError:  # not installed: Pillow's own has Latin letters
        return ImageFont.load_default(size_px)
