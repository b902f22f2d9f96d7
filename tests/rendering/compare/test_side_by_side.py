"""A comparison as a picture: what is beside what, marks where regions are, a legend, readable at any size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rendering.compare.comparison import Comparison, Region
from rendering.compare.side_by_side import BACKGROUND, COLORS, LEAST_PANEL_PX, MARGIN_PX, side_by_side


def picture(width_px: int, height_px: int, ink: tuple[int, int, int, int] | None = None) -> Image.Image:
    image = Image.new("RGB", (width_px, height_px), "white")
    if ink:
        ImageDraw.Draw(image).rectangle(ink, fill="black")
    return image


def rgb(color: str) -> tuple[int, int, int]:
    return tuple(bytes.fromhex(color.removeprefix("#")))  # type: ignore[return-value]


def n_of(image: Image.Image, color: str) -> int:
    return int((np.asarray(image) == rgb(color)).all(axis=-1).sum())


def n_panels(image: Image.Image, *, below: bool = False) -> int:
    """How many white areas lie beside (below) each other."""
    white = (np.asarray(image) == 255).all(axis=-1)
    lines = white.mean(axis=1 if below else 0) > (0.5 if below else 0.3)
    return int((np.diff(lines.astype(int), prepend=0) == 1).sum())


@pytest.mark.parametrize(
    ("size", "below"),
    [((1280, 900), False), ((100, 60), False), ((1280, 8000), False), ((2000, 70), True), ((600, 20), True)],
)
def test_source_render_and_difference_are_beside_or_below_each_other(size: tuple[int, int], below: bool) -> None:
    image = side_by_side(picture(*size), picture(*size), Comparison(1.0))
    assert n_panels(image, below=below) == 3
    assert image.width <= 1_920
    assert image.height < 6_400


def test_pictures_of_other_shapes_have_no_difference() -> None:
    image = side_by_side(picture(500, 200), picture(400, 400), Comparison(0.2))
    assert n_panels(image) == 2


def test_small_pictures_are_enlarged() -> None:
    image = side_by_side(picture(100, 60), picture(100, 60), Comparison(1.0))
    assert image.width == 3 * LEAST_PANEL_PX + 4 * MARGIN_PX


def test_regions_are_marked_on_both_in_a_colour_for_each_kind() -> None:
    regions = (Region("text", 50, 40, 100, 20), Region("color", 200, 100, 40, 40), Region("text", 20, 200, 60, 20))
    image = side_by_side(picture(400, 300), picture(400, 300), Comparison(0.5, {}, regions))
    text, color = COLORS[1], COLORS[0]  # in the order of their names
    assert n_of(image, text) > n_of(image, color) > 0
    # The box of 100 x 20 px, on source and render alike: 2 px of outline along 103 px above and below.
    rows = (np.asarray(image) == rgb(text)).all(axis=-1).sum(axis=1)
    assert rows.max() >= 2 * 103
    other = side_by_side(picture(900, 300), picture(400, 300), Comparison(0.5, {}, regions))
    assert n_of(other, text) < n_of(image, text) * 0.75, "only the render is marked where shapes differ"


def test_a_region_is_where_it_is_said_to_be() -> None:
    ink = (150, 120, 249, 159)
    rendered = picture(400, 300, ink)
    image = side_by_side(picture(400, 300), rendered, Comparison(0.5, {}, (Region("x", 150, 120, 100, 40),)))
    mark = (np.asarray(image) == rgb(COLORS[0])).all(axis=-1)
    black = (np.asarray(image) == 0).all(axis=-1)
    ys, xs = np.nonzero(black)
    assert mark[ys.min() - 2 : ys.max() + 3, xs.min() - 2].all()
    assert mark[ys.min() - 2, xs.min() : xs.max()].all()
    assert not mark[ys.min() : ys.max(), xs.min() : xs.max()].any(), "it hides nothing"


def test_difference_shows_whose_ink_it_is() -> None:
    source, rendered = picture(400, 300, (50, 50, 99, 99)), picture(400, 300, (250, 50, 299, 99))
    pixels = np.asarray(side_by_side(source, rendered, Comparison(0.5))).astype(int)
    red = (pixels[..., 0] > pixels[..., 2] + 100).sum()
    blue = (pixels[..., 2] > pixels[..., 0] + 100).sum()
    assert red == blue == 2_500


def test_the_legend_grows_with_what_it_says() -> None:
    def height(*regions: Region) -> int:
        return side_by_side(picture(400, 300), picture(400, 300), Comparison(0.5, {"ssim": 0.5}, regions)).height

    few = height(Region("text", 1, 1, 9, 9, "short"))
    assert height() < few < height(*[Region("text", 1, 1, 9, 9, "word " * 200)] * 5)
    many = [Region("text", 1, 1, 9, 9, "short")] * 5_000
    assert height(*many) == height(*many[:50]), "and stops"


@pytest.mark.parametrize(
    "region",
    [
        Region("out", -500, -500, 10_000, 10_000),
        Region("far", 9_999, 9_999, 10, 10),
        Region("thin", 10, 10, 0, 0, "\x1b[31m\n\u202e 中文 \ud83d"),
        Region("", 399, 299, 1, 1, "x" * 100_000),
    ],
)
def test_any_region_is_drawn(region: Region) -> None:
    image = side_by_side(picture(400, 300), picture(400, 300), Comparison(0.0, {}, (region,)))
    assert n_of(image, COLORS[0]) > 0
    assert image.height < 700


@pytest.mark.parametrize("source", [(1, 1), (1, 3_000), (3_000, 1), (5_000, 5_000)])
@pytest.mark.parametrize("rendered", [(1, 1), (1, 3_000), (3_000, 1), (1280, 20)])
def test_any_size_is_shown(source: tuple[int, int], rendered: tuple[int, int]) -> None:
    image = side_by_side(picture(*source), picture(*rendered), Comparison(0.0))
    assert image.width <= 1_920
    assert image.height <= 20_000
    assert image.getpixel((0, 0)) == rgb(BACKGROUND)


def test_the_inputs_are_left_as_they_are() -> None:
    source, rendered = picture(1900, 300), picture(1900, 300)
    side_by_side(source, rendered, Comparison(0.5, {}, (Region("text", 10, 10, 50, 50),)))
    assert source.tobytes() == rendered.tobytes() == picture(1900, 300).tobytes()
