"""How different colours look, and which colours a part of a picture has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

INK_SHARE: Final = 0.04
"""Of a text line's pixels, those that stand out most from its ground are inside its strokes; the others are edges."""
GROUND_SPREAD: Final = 16
"""What a channel of a flat ground may differ by, with JPEG's ripples."""

_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE_D65: Final = np.array([0.95047, 1.0, 1.08883])


def to_lab(rgb: npt.ArrayLike) -> Floats:
    """CIE L*a*b* (D65) of sRGB values 0 to 255, over the last axis (IEC 61966-2-1, CIE 15)."""
    values = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE_D65
    roots = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: Floats, second: Floats) -> Floats:
    """The colour difference CIEDE2000 of L*a*b* values, over the last axis.

    Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data, and
    mathematical observations", Color Research and Application 30(1), 2005; all weights 1.
    """
    l1, a1, b1 = np.moveaxis(first, -1, 0)
    l2, a2, b2 = np.moveaxis(second, -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0

    dh = (h2 - h1 + 180) % 360 - 180
    # At exactly opposite hues the formula's +180 is kept: it only meets the sign of a term that is squared or tiny.
    dh = np.where(grey, 0.0, dh)
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh) / 2)

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    far = np.abs(h1 - h2) > 180
    mean_h = np.where(far, np.where(h1 + h2 < 360, h1 + h2 + 360, h1 + h2 - 360), h1 + h2) / 2
    mean_h = np.where(grey, h1 + h2, mean_h)

    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    r_c = 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    r_t = -np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2)))) * r_c
    l_term, c_term, h_term = (l2 - l1) / s_l, (c2 - c1) / s_c, d_hue / s_h
    squares = l_term**2 + c_term**2 + h_term**2 + r_t * c_term * h_term
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


@dataclass(frozen=True)
class TextColors:
    """What a line of text is written in and on, as sRGB 0 to 255; `flat` is the share of pixels that are the ground."""

    ground: Floats
    ink: Floats
    flat: float


def text_colors(region: Pixels) -> TextColors:
    """The colours of a line of text (pixels of height x width x 3).

    The ground is the most common colour. The ink's hue is the way in which the region's mean lies from the ground:
    smoothing, scaling and JPEG take the colour out of thin strokes, and leave the mean as it is. How far it lies that
    way is told by the pixels that lie farthest.
    """
    pixels = region.reshape(-1, 3).astype(np.float64)
    # 5 bits a channel: what JPEG and smoothing spread around a flat colour stays together.
    codes = (region.reshape(-1, 3) >> 3).astype(np.int32) @ np.array([1024, 32, 1])
    commonest = codes == np.bincount(codes).argmax()
    ground = np.median(pixels[commonest], axis=0)
    away = pixels - ground
    flat = float((np.abs(away).max(axis=1) < GROUND_SPREAD).mean())
    mean = away.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length == 0:
        return TextColors(ground, ground, flat)
    direction = mean / length
    ink = ground + direction * np.quantile(away @ direction, 1 - INK_SHARE)
    return TextColors(ground, np.clip(ink, 0, 255), flat)
