"""What a comparison says, and the one function that compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from rendering.compare.ssim import similarity
from rendering.result import Rendered
from rendering.spec import MarkupKind


@dataclass(frozen=True)
class Region:
    """A rectangle of the rendered picture, in its pixels, where the two differ, and how (`text`, `color`, …)."""

    kind: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    detail: str = ""


@dataclass(frozen=True)
class Comparison:
    """How well a render reproduces a picture.

    `score` in [0, 1] is what thresholds are set on (1: reproduced); `parts` are the published measures that it is
    made of, by name, each in [0, 1]; `regions` are where they differ.
    """

    score: float
    parts: dict[str, float] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()


def compare(source: Image.Image, rendered: Rendered, kind: MarkupKind) -> Comparison:  # noqa: ARG001
    """How well `rendered` reproduces `source` (RGB)."""
    with Image.open(BytesIO(rendered.png)) as again:
        score = similarity(source, again.convert("RGB"))
    return Comparison(score, {"ssim": score})
