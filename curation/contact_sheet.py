"""A contact sheet: a few samples in one picture, each with the beginning of its target below it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from rendering.assets import MONOSPACE_FONT, require_assets
from rendering.pixels import ImageFault, decode_rgb

N_COLUMNS: Final = 4
CELL_WIDTH_PX: Final = 320
PICTURE_HEIGHT_PX: Final = 220
CAPTION_HEIGHT_PX: Final = 44
MARGIN_PX: Final = 12
CAPTION_CHARS: Final = 51
FONT_SIZE_PX: Final = 10
BACKGROUND: Final = "#e5e7eb"
INK: Final = "#111827"


def contact_sheet(samples: Sequence[Mapping[str, Any]]) -> Image.Image | None:
    """Samples (`image` as bytes and path, `text`) in a grid, in the order given; None for no sample.

    Raises:
        AssetsMissingError: the fonts are not installed.
    """
    if not samples:
        return None
    require_assets()
    n_columns = min(N_COLUMNS, len(samples))
    n_rows = -(-len(samples) // n_columns)
    cell_height_px = PICTURE_HEIGHT_PX + CAPTION_HEIGHT_PX
    sheet = Image.new(
        "RGB",
        (n_columns * (CELL_WIDTH_PX + MARGIN_PX) + MARGIN_PX, n_rows * (cell_height_px + MARGIN_PX) + MARGIN_PX),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(MONOSPACE_FONT, FONT_SIZE_PX)
    for index, sample in enumerate(samples):
        x = MARGIN_PX + (index % n_columns) * (CELL_WIDTH_PX + MARGIN_PX)
        y = MARGIN_PX + (index // n_columns) * (cell_height_px + MARGIN_PX)
        draw.rectangle((x, y, x + CELL_WIDTH_PX - 1, y + cell_height_px - 1), fill="white")
        picture = decode_rgb((sample["image"] or {}).get("bytes"))
        if not isinstance(picture, ImageFault):
            picture = _fit(picture)
            sheet.paste(
                picture, (x + (CELL_WIDTH_PX - picture.width) // 2, y + (PICTURE_HEIGHT_PX - picture.height) // 2)
            )
        text = " ".join(_said(sample)[: 8 * CAPTION_CHARS].split())
        lines = textwrap.wrap(text, CAPTION_CHARS)
        if len(lines) > 2:
            lines = [lines[0], lines[1][: CAPTION_CHARS - 2] + " …"]
        draw.line((x, y + PICTURE_HEIGHT_PX, x + CELL_WIDTH_PX - 1, y + PICTURE_HEIGHT_PX), fill=BACKGROUND)
        draw.multiline_text((x + 6, y + PICTURE_HEIGHT_PX + 6), "\n".join(lines), fill=INK, font=font)
    return sheet


def _said(sample: Mapping[str, Any]) -> str:
    """The target, or the turns of a conversation."""
    return sample["text"] or " / ".join(turn["content"] for turn in sample.get("messages") or [])


def _fit(picture: Image.Image) -> Image.Image:
    """Scale down to the cell's width, then cut a tall page below the fold; nothing is scaled up."""
    inner_px = CELL_WIDTH_PX - 8
    if picture.width > inner_px:
        picture = picture.resize(
            (inner_px, max(1, round(picture.height * inner_px / picture.width))), Image.Resampling.BOX
        )
    return picture.crop((0, 0, picture.width, min(picture.height, PICTURE_HEIGHT_PX - 4)))
