"""`similarity` is SSIM as published: known values, and an order that makes sense."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rendering.compare.ssim import similarity


def page(text: str = "Markup", width_px: int = 640, height_px: int = 400) -> Image.Image:
    image = Image.new("RGB", (width_px, height_px), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width_px, 60), fill=(20, 90, 160))
    for line in range(8):
        draw.text((40, 100 + 30 * line), f"{text} {line} " * 6, fill=(0, 0, 0))
    return image


def test_a_picture_is_like_itself() -> None:
    assert similarity(page(), page()) == 1.0


def test_it_is_symmetric() -> None:
    assert similarity(page(), page("Other")) == similarity(page("Other"), page())


def test_one_window_is_the_formula() -> None:
    """Equation 13 of Wang et al. 2004 written out for one window, with sample covariance."""
    x, y = np.random.default_rng(3).integers(0, 256, (2, 7, 7))
    c1, c2 = 6.5025, 58.5225
    covariance = np.cov(x.ravel(), y.ravel())
    expected = ((2 * x.mean() * y.mean() + c1) * (2 * covariance[0, 1] + c2)) / (
        (x.mean() ** 2 + y.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    )
    got = similarity(Image.fromarray(x.astype(np.uint8)), Image.fromarray(y.astype(np.uint8)))
    assert got == pytest.approx(max(0.0, expected), abs=1e-12)


def test_flat_pictures_differ_by_luminance_alone() -> None:
    a, b = (Image.new("L", (64, 64), level) for level in (100, 200))
    assert similarity(a, b) == pytest.approx((2 * 100 * 200 + 6.5025) / (100**2 + 200**2 + 6.5025), abs=1e-12)


def test_more_damage_is_less_similarity() -> None:
    other = page()
    ImageDraw.Draw(other).rectangle((0, 100, 640, 200), fill=(255, 255, 255))
    assert 1 > similarity(page(), other) > similarity(page(), Image.new("RGB", (640, 400), (0, 0, 0))) >= 0


def test_a_lower_canvas_is_continued_in_white() -> None:
    white = Image.new("RGB", (640, 800), (255, 255, 255))
    white.paste(page())
    assert similarity(page(), white) == 1.0


def test_another_width_is_brought_to_the_same() -> None:
    assert similarity(page(), page().resize((1280, 800), Image.Resampling.BICUBIC)) > 0.95


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3)])
def test_tiny_pictures_have_a_value(size: tuple[int, int]) -> None:
    assert 0 <= similarity(Image.new("RGB", size), page()) <= 1
