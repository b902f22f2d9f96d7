"""How alike two pictures are: a first answer to whether a markup, rendered again, is what its picture shows."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

WINDOW_PX: Final = 7
K1: Final = 0.01
K2: Final = 0.03
SHORT_SIDE_PX: Final = 256

Integers = npt.NDArray[np.int64]


def similarity(a: Image.Image, b: Image.Image) -> float:
    """Mean structural similarity of the luminance of `a` and `b`, in [0, 1] (1: the same; below 0 counts as 0).

    SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 13(4), 2004, equation 13, with its constants; a uniform window of 7 px and sample covariance as in
    scikit-image's `structural_similarity`; both averaged down first as in its authors' `ssim.m`
    (by round(short side / 256)). The wider picture is scaled to the width of the other, the lower one
    continued in white.
    """
    first, second = _same_canvas(a.convert("L"), b.convert("L"))
    factor = max(1, round(min(first.size) / SHORT_SIDE_PX))
    x, y = (np.asarray(grey.reduce(factor), dtype=np.int64) for grey in (first, second))
    return float(np.clip(_mean_ssim(x, y), 0.0, 1.0))


def _same_canvas(a: Image.Image, b: Image.Image) -> tuple[Image.Image, Image.Image]:
    width_px = min(a.width, b.width)
    a, b = (
        grey
        if grey.width == width_px
        else grey.resize((width_px, max(1, round(grey.height * width_px / grey.width))), Image.Resampling.BICUBIC)
        for grey in (a, b)
    )
    height_px = max(a.height, b.height, WINDOW_PX)
    return _padded(a, max(width_px, WINDOW_PX), height_px), _padded(b, max(width_px, WINDOW_PX), height_px)


def _padded(grey: Image.Image, width_px: int, height_px: int) -> Image.Image:
    if grey.size == (width_px, height_px):
        return grey
    canvas = Image.new("L", (width_px, height_px), 255)
    canvas.paste(grey, (0, 0))
    return canvas


def _mean_ssim(x: Integers, y: Integers) -> float:
    n = WINDOW_PX * WINDOW_PX
    # Sums of whole numbers are exact, so the value does not depend on the machine's order of adding.
    sum_x, sum_y = _window_sums(x), _window_sums(y)
    sum_xx, sum_yy, sum_xy = _window_sums(x * x), _window_sums(y * y), _window_sums(x * y)
    mean_x, mean_y = sum_x / n, sum_y / n
    variances = (n * (sum_xx + sum_yy) - sum_x * sum_x - sum_y * sum_y) / (n * (n - 1))
    covariance = (n * sum_xy - sum_x * sum_y) / (n * (n - 1))
    c1, c2 = (K1 * 255) ** 2, (K2 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(top / ((mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2))))


def _window_sums(values: Integers) -> Integers:
    """Sums over every window that lies wholly inside, by an integral image."""
    integral = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=np.int64)
    np.cumsum(np.cumsum(values, axis=0), axis=1, out=integral[1:, 1:])
    w = WINDOW_PX
    sums: Integers = integral[w:, w:] - integral[:-w, w:] - integral[w:, :-w] + integral[:-w, :-w]
    return sums
