"""How to render: the settings that pixels depend on, apart from the machine's own fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rendering.pictures import PictureSource
from rendering.table_look import DEFAULT_TABLE_LOOK, TableLook

MarkupKind = Literal["page", "table", "formula"]


@dataclass(frozen=True)
class RenderSpec:
    """Settings of a render.

    `width_px` is the viewport's width (WebSight's pictures are 1280 px wide); pages are captured at
    full height up to `max_height_px`, above which the sample is a `cut_off` failure. Tables and formulas
    are cropped to their ink with `padding_px` around it.

    `font` and `font_size_px` are what text has that the markup sets in none: an empty `font` is the kind's own (a
    page's: the browser's). Colours are of the text and of what lies behind it, for tables and formulas; a page has its
    own, and `color_scheme` is what it is told when it asks, and what is shown where it says nothing of colours.

    `scripts` lets the scripts that stand in a page or table run until two frames after its load event: for pages of
    one's own, since what they show may depend on the clock or on chance. They reach nothing beyond the page either.
    """

    kind: MarkupKind
    width_px: int = 1280
    max_height_px: int = 8_000
    scale: float = 1.0
    padding_px: int = 8
    font: str = ""
    font_size_px: int = 16
    ink_color: str = "#000000"
    paper_color: str = "#ffffff"
    color_scheme: Literal["light", "dark"] = "light"
    table: TableLook = DEFAULT_TABLE_LOOK
    pictures: PictureSource = "palette"
    scripts: bool = False
    timeout_s: float = 10.0
    max_nodes: int = 50_000
    max_markup_bytes: int = 2_000_000
