"""CIEDE2000 as published, L*a*b* as standardised, and the two colours of a line of text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rendering.compare.color import ciede2000, text_colors, to_lab

# Sharma, Wu, Dalal 2005, table 1: pairs of L*a*b* and their difference.
SHARMA = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, -1, 2), (50, 0, 0), 2.3669),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
    ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045),
    ((50, -0.0010, 2.4900), (50, 0.0011, -2.4900), 4.7461),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (56, -27, -3), 31.9030),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((50, 2.5, 0), (50, 1.8634, 0.5757), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def test_ciede2000_gives_the_published_values() -> None:
    first, second, expected = (np.array(column, dtype=float) for column in zip(*SHARMA, strict=True))
    assert ciede2000(first, second) == pytest.approx(expected, abs=5e-5)
    assert ciede2000(second, first) == pytest.approx(expected, abs=5e-5)


def test_lab_of_known_colors() -> None:
    lab = to_lab([[255, 255, 255], [0, 0, 0], [255, 0, 0], [119, 119, 119]])
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.01)
    assert lab[1] == pytest.approx([0, 0, 0], abs=0.01)
    assert lab[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)  # sRGB red under D65
    assert lab[3] == pytest.approx([50.03, 0, 0], abs=0.02)


def test_ground_is_what_there_is_most_of_and_ink_what_stands_out() -> None:
    region = np.full((20, 100, 3), (20, 120, 200), dtype=np.uint8)
    region[5:15, 10:90:8] = (250, 250, 240)  # strokes: a twentieth of the pixels
    region[5:15, 11:90:8] = (130, 180, 220)  # their soft edges
    told = text_colors(region)
    assert told.ground.tolist() == [20, 120, 200]
    assert told.ink == pytest.approx([250, 250, 240], abs=2)
    assert told.flat == pytest.approx(0.9)


def test_ink_keeps_its_hue_through_smoothing_and_jpeg() -> None:
    from io import BytesIO

    from PIL import Image, ImageDraw, ImageFont

    def told(ink: tuple[int, int, int], *, jpeg: bool) -> npt.NDArray[np.float64]:
        image = Image.new("RGB", (200, 20), (255, 255, 255))
        ImageDraw.Draw(image).text((4, 1), "Opening night", fill=ink, font=ImageFont.load_default(15))
        if jpeg:
            packed = BytesIO()
            image.save(packed, "JPEG", quality=50)
            image = Image.open(packed).convert("RGB")
        return to_lab(text_colors(np.asarray(image)).ink)

    red, grey = (185, 28, 28), (75, 85, 99)
    assert ciede2000(told(red, jpeg=False), told(red, jpeg=True)) < 10
    assert ciede2000(told(grey, jpeg=False), told(grey, jpeg=True)) < 10
    assert ciede2000(told(red, jpeg=False), told(grey, jpeg=True)) > 25


def test_a_region_of_one_color_has_no_other() -> None:
    told = text_colors(np.full((5, 9, 3), 77, dtype=np.uint8))
    assert (told.ground.tolist(), told.ink.tolist(), told.flat) == ([77] * 3, [77] * 3, 1.0)
