"""Pictures for the card of a merge: rows by source and split, and how long the texts are. Drawn with Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from curation.split import SPLITS
from rendering.assets import MONOSPACE_FONT, require_assets

WIDTH_PX: Final = 960
COLORS: Final = {"train": "#4f6d9c", "validation": "#c9882b", "test": "#8a4f7d"}
INK, FAINT, GROUND = "#111827", "#6b7280", "#ffffff"

_MARGIN: Final = 24
_NAME_PX: Final = 220
_BAR_PX: Final = 22
_STEP_PX: Final = 34
_PLOT_PX: Final = 120
_N_BINS: Final = 60
_FONT_PX: Final = 14
_NAME_CHARS: Final = 24


def composition_picture(rows: Mapping[str, Mapping[str, int]]) -> Image.Image:
    """A bar for each source, as long as it has rows, in parts for its splits."""
    picture, draw, font = _canvas(_MARGIN * 2 + _STEP_PX * (len(rows) + 1))
    most = max(sum(of.values()) for of in rows.values())
    room = WIDTH_PX - 2 * _MARGIN - _NAME_PX - 110
    x = _MARGIN + _NAME_PX
    for split in SPLITS:
        draw.rectangle((x, _MARGIN + 4, x + 12, _MARGIN + 16), fill=COLORS[split])
        draw.text((x + 18, _MARGIN), split, fill=INK, font=font)
        x += 140
    for place, (name, of) in enumerate(rows.items(), 1):
        y = _MARGIN + place * _STEP_PX
        draw.text((_MARGIN, y + 2), _short(name), fill=INK, font=font)
        start = float(_MARGIN + _NAME_PX)
        for split in SPLITS:
            end = start + room * of.get(split, 0) / most
            if end > start:
                draw.rectangle((round(start), y, max(round(start), round(end) - 1), y + _BAR_PX), fill=COLORS[split])
            start = end
        draw.text((round(start) + 8, y + 2), f"{sum(of.values()):,}", fill=FAINT, font=font)
    return picture


def lengths_picture(lengths: Mapping[str, NDArray[np.int64]]) -> Image.Image:
    """A histogram of characters for each task, over a logarithmic axis that all share."""
    step = _PLOT_PX + 64
    picture, draw, font = _canvas(_MARGIN + step * len(lengths) + 30)
    values = [np.maximum(of, 1) for of in lengths.values()]
    low, high = min(int(of.min()) for of in values), max(int(of.max()) for of in values)
    edges = np.geomspace(low, max(high, low + 1) * 1.001, _N_BINS + 1)
    room = WIDTH_PX - 2 * _MARGIN
    for place, (task, of) in enumerate(zip(lengths, values, strict=True)):
        top = _MARGIN + place * step + 26
        median = int(np.median(of))
        draw.text((_MARGIN, top - 24), f"{task}: {len(of):,} texts, median {median:,} characters", fill=INK, font=font)
        counts, _ = np.histogram(of, edges)
        for index, count in enumerate(counts.tolist()):
            if count:
                x = _MARGIN + room * index / _N_BINS
                height = max(1, round(_PLOT_PX * count / int(counts.max())))
                box = (round(x), top + _PLOT_PX - height, round(x + room / _N_BINS) - 2, top + _PLOT_PX)
                draw.rectangle(box, fill=COLORS["train"])
        draw.line((_MARGIN, top + _PLOT_PX, _MARGIN + room, top + _PLOT_PX), fill=FAINT)
        _ticks(draw, font, top + _PLOT_PX, low, high, edges)
    return picture


def _ticks(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, y: int, low: int, high: int, edges: NDArray[np.float64]
) -> None:
    room = WIDTH_PX - 2 * _MARGIN
    powers = [10**power for power in range(12) if low <= 10**power <= high]
    for value in powers or [low, high]:
        share = (np.log(value) - np.log(edges[0])) / (np.log(edges[-1]) - np.log(edges[0]))
        x = _MARGIN + round(room * float(share))
        draw.line((x, y, x, y + 4), fill=FAINT)
        width = draw.textlength(f"{value:,}", font=font)
        left = min(max(x - width / 2, _MARGIN), WIDTH_PX - _MARGIN - width)
        draw.text((left, y + 6), f"{value:,}", fill=FAINT, font=font)


def _canvas(height_px: int) -> tuple[Image.Image, ImageDraw.ImageDraw, ImageFont.FreeTypeFont]:
    require_assets()
    picture = Image.new("RGB", (WIDTH_PX, height_px), GROUND)
    return picture, ImageDraw.Draw(picture), ImageFont.truetype(MONOSPACE_FONT, _FONT_PX)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"


def ordered(rows: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, Mapping[str, int]]:
    """Sources in the order that they were named in; those of which nothing is left, too."""
    return {name: rows.get(name, {}) for name in names}
