"""The ink of two pictures of a formula at one scale, and the connected pieces that it falls into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

UNIT_PX: Final = 30
"""Both pictures are scaled so that a letter of middle height has so many pixels; all lengths below are in it."""

WIDTH_RATIO: Final = 0.98
"""KaTeX's formulas are a little wider than LaTeX's of the same font size. At scale 2 they are 19 % wider (5 % to 95 %:
16 to 22 %) than im2markup's of 200 dpi; all but some 2 % is the scale, if those are of 12 pt, as is assumed."""

INK_LEVEL: Final = 0.28
"""Of the render's darkest ink: low, so that hairlines (a minus sign, a serif) hold together."""

MAX_PIECE: Final = 1.6
"""Larger pieces (roots, brackets, fraction bars) are cut to about this size, in units."""

SMALLEST_PIECE: Final = 0.15
"""Side, in units; smaller ones are specks."""

Floats = npt.NDArray[Any]
"""Ink in [0, 1], float32; OpenCV's stubs know no more than that it is an array."""
Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """A connected piece of ink, or a part of a large one: its rectangle in working pixels, ink and label."""

    x: int
    y: int
    width: int
    height: int
    ink_px: int
    label: int
    is_part: bool

    @property
    def center(self) -> tuple[float, float]:
        """Its middle (x, y)."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Ink:
    """One picture at working scale: ink in [0, 1] (0.5 at a stroke's edge), its pieces, and the label of each pixel."""

    ink: Floats
    pieces: tuple[Piece, ...]
    labels: Labels


def cropped_ink(image: Image.Image) -> tuple[Floats | None, tuple[int, int]]:
    """How far each pixel is from the paper, 1 for a full stroke, cropped; and where the crop begins (px)."""
    import cv2

    grey = np.asarray(image.convert("L"))
    counts = np.bincount(grey.ravel(), minlength=256)
    paper = int(np.argmax(np.convolve(counts, np.ones(5), "same")))
    ink: Any = np.abs(grey.astype(np.float32) - paper)
    darkest = float(ink.max())
    if darkest < 16:  # of 255: nothing but the paper's own unevenness
        return None, (0, 0)
    ink = np.clip(ink / np.quantile(ink[ink > 0.35 * darkest], 0.8), 0.0, 1.0)
    seen = cv2.GaussianBlur(ink, (0, 0), 0.6) > 0.4
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return None, (0, 0)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (int(columns[0]), int(rows[0]))


def letter_height_px(ink: Floats) -> float:
    """Median height of connected pieces that are not flat (bars, minus signs)."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats((ink > 0.4).astype(np.uint8), connectivity=8)
    heights = [height for _, _, width, height, area in stats[1:] if area >= 4 and width < 2 * height]
    return max(3.0, float(np.median(heights))) if heights else max(3.0, float(ink.shape[0]))


def at_one_scale(ours: Floats, theirs: Floats, zoom: float) -> tuple[Ink, Ink]:
    """Both at working scale, by their widths, with strokes of one weight."""
    import cv2

    a = _zoomed(ours, zoom)
    b = _zoomed(theirs, a.shape[1] / theirs.shape[1] * WIDTH_RATIO)
    a_soft, b_soft = (cv2.GaussianBlur(ink, (0, 0), 0.7) for ink in (a, b))
    # The level that gives both the same amount of ink makes fine strokes as heavy as bold ones.
    amount = float((a_soft > INK_LEVEL).sum()) / b_soft.size
    b_level = float(np.clip(np.quantile(b_soft, max(0.0, 1.0 - amount)), 0.1, 0.6))
    return _with_pieces(np.clip(0.5 + 3 * (a_soft - INK_LEVEL), 0.0, 1.0)), _with_pieces(
        np.clip(0.5 + 3 * (b_soft - b_level), 0.0, 1.0)
    )


def _zoomed(ink: Floats, zoom: float) -> Any:
    import cv2

    size = (max(1, round(ink.shape[1] * zoom)), max(1, round(ink.shape[0] * zoom)))
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(ink, size, interpolation=how), 0.0, 1.0)


def _with_pieces(ink: Any) -> Ink:
    import cv2

    closed = cv2.morphologyEx((ink > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, found, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    labels: Any = found
    _join_stacked(labels, stats)
    smallest = (SMALLEST_PIECE * UNIT_PX) ** 2
    pieces = []
    for label in range(1, len(stats)):
        x, y, width, height, area = map(int, stats[label])
        if area < smallest:
            continue
        n_x, n_y = (_n_parts(side) for side in (width, height))
        for i in range(n_x):
            for j in range(n_y):
                x0, x1 = x + width * i // n_x, x + width * (i + 1) // n_x
                y0, y1 = y + height * j // n_y, y + height * (j + 1) // n_y
                own = labels[y0:y1, x0:x1] == label
                if own.sum() >= smallest:
                    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
                    at = (x0 + int(columns[0]), y0 + int(rows[0]))
                    sides = (int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
                    pieces.append(Piece(*at, *sides, int(own.sum()), label, is_part=n_x * n_y > 1))
    return Ink(ink, tuple(pieces), labels)


def _n_parts(side: int) -> int:
    return max(1, round(side / (MAX_PIECE * UNIT_PX))) if side > 2.2 * UNIT_PX else 1


def _join_stacked(labels: Any, stats: Any) -> None:
    """Give `=`, `≡`, `≈` and dotted letters one label, in place: a bar alone would be found in the other's place."""
    u = UNIT_PX
    for a in range(1, len(stats)):
        if stats[a, 3] >= 0.5 * u or stats[a, 2] >= 2.5 * u:
            continue
        for b in range(1, len(stats)):
            if a == b or not stats[a, 4] or not stats[b, 4] or stats[b, 2] > 2.5 * u or stats[b, 3] > 2 * u:
                continue
            left, top = np.minimum(stats[a, :2], stats[b, :2])
            right, bottom = np.maximum(stats[a, :2] + stats[a, 2:4], stats[b, :2] + stats[b, 2:4])
            overlap = stats[a, 2] + stats[b, 2] - (right - left)
            gap = bottom - top - stats[a, 3] - stats[b, 3]
            is_dot = stats[a, 2] < 0.5 * u and stats[a, 1] < stats[b, 1]
            is_bar = stats[b, 3] < 0.5 * u and overlap >= 0.7 * stats[b, 2]
            if overlap >= 0.7 * stats[a, 2] and gap < 0.45 * u and (is_dot or is_bar):
                part = labels[top:bottom, left:right]
                part[part == a] = b
                stats[b] = (left, top, right - left, bottom - top, stats[a, 4] + stats[b, 4])
                stats[a, 4] = 0
