"""What comes out of rendering one markup: pixels, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FailureReason = Literal["blank", "cut_off", "over_cap", "timeout", "katex_error", "crashed", "navigated"]
"""Why a markup gave no picture: closed list; `curation.reasons` has one `render_…` reason for each."""


@dataclass(frozen=True)
class Box:
    """A rectangle in picture pixels, of the element `name` (a tag name, or `background` for a picture behind others).

    A box with a `text` is a line of it as laid out (white space as in the markup); one without is a picture's.
    Boxes of the same `block` belong to one paragraph, in reading order; -1 where that is not told.
    """

    name: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    text: str = ""
    block: int = -1


@dataclass(frozen=True)
class Rendered:
    """A picture of a markup: PNG bytes, its size, boxes of its text blocks, and recorded warnings."""

    png: bytes
    width_px: int
    height_px: int
    boxes: tuple[Box, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RenderFailure:
    """No picture: the reason and a line of detail. Never a white image in its place."""

    reason: FailureReason
    detail: str = ""
