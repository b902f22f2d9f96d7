"""What a comparison says, and the one function that compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from PIL import Image, ImageChops

from rendering.compare.reading import TextLine, read_lines
from rendering.result import Rendered
from rendering.spec import MarkupKind, RenderSpec

NARROWEST_PX: Final = 320
WIDEST_PX: Final = 2_560
"""Windows that pages are made for; a picture that is narrower or wider was scaled, or is no page."""

DEFAULT_THRESHOLD: Final[dict[MarkupKind, float]] = {"page": 0.5, "table": 0.4, "formula": 0.65}
"""Scores under it are taken for false labels; chosen with `benchmarks/render_back.py`."""


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


def compare(
    source: Image.Image, rendered: Rendered, kind: MarkupKind, lines: Sequence[TextLine] | None = None
) -> Comparison:
    """How well `rendered` reproduces `source` (RGB).

    `lines` are what `read_source` read in `source`, for who compares one picture with several renders. The same pixels
    are the same picture: then nothing is read.

    Raises:
        RenderingError: the picture has to be read, and rapidocr is not installed.
    """
    # Each imports `Comparison` from here.
    if _same_pixels(source, rendered):
        return Comparison(1.0)
    if kind == "formula":
        from rendering.compare.formulas import compare_formula  # noqa: PLC0415

        return compare_formula(source, rendered)
    if kind == "table":
        from rendering.compare.tables import compare_table  # noqa: PLC0415

        return compare_table(source, rendered)
    lines = read_source(source, kind) if lines is None else lines
    from rendering.compare.pages import compare_page  # noqa: PLC0415

    return compare_page(source, rendered, lines)


def read_source(source: Image.Image, kind: MarkupKind) -> tuple[TextLine, ...]:
    """The text of a page's picture, as `compare` wants it; none for tables, which are read in a way of their own, nor
    for formulas, which are compared by their ink.

    Raises:
        RenderingError: rapidocr is not installed.
    """
    return read_lines(source) if kind == "page" else ()


def spec_like(source: Image.Image, kind: MarkupKind) -> RenderSpec:
    """How to render a markup that is to be compared with `source`: a page in a window as wide as its picture."""
    if kind == "formula":  # in fine print a 2 and a 3 are told apart only at twice the size
        return RenderSpec(kind=kind, scale=2.0)
    if kind == "table":
        return RenderSpec(kind=kind)
    return RenderSpec(kind=kind, width_px=min(max(source.width, NARROWEST_PX), WIDEST_PX))


def _same_pixels(source: Image.Image, rendered: Rendered) -> bool:
    if source.size != (rendered.width_px, rendered.height_px):
        return False
    with Image.open(BytesIO(rendered.png)) as again:
        return ImageChops.difference(source, again.convert("RGB")).getbbox() is None
