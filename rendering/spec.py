"""How to render: the settings that pixels depend on, apart from the machine's own fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MarkupKind = Literal["page", "table", "formula"]


@dataclass(frozen=True)
class RenderSpec:
    """Settings of a render.

    `width_px` is the viewport's width (WebSight's pictures are 1280 px wide); pages are captured at
    full height up to `max_height_px`, above which the sample is a `cut_off` failure. Tables and formulas
    are cropped to their ink with `padding_px` around it.
    """

    kind: MarkupKind
    width_px: int = 1280
    max_height_px: int = 8_000
    scale: float = 1.0
    padding_px: int = 8
    font_size_px: int = 16
    pictures: Literal["palette", "grey"] = "palette"
    timeout_s: float = 10.0
    max_nodes: int = 50_000
    max_markup_bytes: int = 2_000_000
