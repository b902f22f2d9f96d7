"""Where things of a render are in the source's picture, and what stands or looks otherwise there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from rendering.compare.color import ciede2000, to_lab
from rendering.compare.lettering import Found
from rendering.result import Box

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

CELL_PX: Final = 8
FLAT_SPREAD: Final = 24
"""A cell whose channels spread over less has one colour (JPEG ripples by so much)."""
SEARCH_CELLS: Final = 2
SEARCH_CELLS_MOVED: Final = 6
"""How far off a cell's colour may be found, and how far up and down where the two pages are of different heights."""
LEAST_DIFFERENCE: Final = 3.0
MOST_DIFFERENCE: Final = 30.0
"""CIEDE2000: under the one nobody sees it, over the other it is another colour, and more is not worse."""
LEAST_CELLS: Final = 12
REACH_PX: Final = 2 * CELL_PX
"""Of a picture: what begins so near to it is part of it."""
TOUCH_PX: Final = 3
STILL_PX: Final = 4
"""A reader's boxes are so exact."""


class Rectangle(Protocol):
    """A box of a render or a line read in a picture."""

    @property
    def x_px(self) -> float: ...  # noqa: D102
    @property
    def y_px(self) -> float: ...  # noqa: D102
    @property
    def width_px(self) -> float: ...  # noqa: D102
    @property
    def height_px(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Area:
    """Left, top, right and bottom, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, *boxes: Rectangle) -> Self:
        """What holds all of `boxes`."""
        return cls(
            min(box.x_px for box in boxes),
            min(box.y_px for box in boxes),
            max(box.x_px + box.width_px for box in boxes),
            max(box.y_px + box.height_px for box in boxes),
        )

    def holds_middle_of(self, box: Rectangle) -> bool:
        """Whether the middle of `box` is in it."""
        x, y = box.x_px + box.width_px / 2, box.y_px + box.height_px / 2
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def grown(self, by_px: float) -> Area:
        """The area and what is so near to it."""
        return Area(self.left - by_px, self.top - by_px, self.right + by_px, self.bottom + by_px)

    def meets(self, other: Area) -> bool:
        """Whether the two have a place in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Warp:
    """From the render's pixels to the source's: across by the widths, down by the texts found in both."""

    scale_x: float
    render_y: Floats
    source_y: Floats
    moved: bool
    """Whether things may be elsewhere than the pictures' scale says: texts are, or there is none to tell."""

    @classmethod
    def between(cls, found: Sequence[Found], size: tuple[int, int], source_size: tuple[int, int]) -> Self:
        """Rows go by the first and last lines of each text; in between lines may break elsewhere."""
        middles = [
            (
                [box.y_px + box.height_px / 2 for paragraph in some.paragraphs for box in paragraph.boxes],
                [line.y_px + line.height_px / 2 for line in some.lines],
            )
            for some in found
        ]
        pairs = sorted({(end(here), end(there)) for here, there in middles for end in (min, max)})
        inside = [pair for pair in pairs if 0 < pair[0] < size[1] and 0 < pair[1] < source_size[1]]
        scale = source_size[1] / size[1]
        moved = not inside or any(abs(here * scale - there) > STILL_PX for here, there in inside)
        inner = _rising(inside) if moved else []
        render_y, source_y = np.array([(0.0, 0.0), *inner, (float(size[1]), float(source_size[1]))]).T
        return cls(source_size[0] / size[0], render_y, source_y, moved)

    @property
    def inverse(self) -> Warp:
        """From the source's pixels to the render's."""
        return Warp(1 / self.scale_x, self.source_y, self.render_y, self.moved)

    def to_source(self, box: Rectangle) -> Area:
        """Where a box of the render is in the source."""
        top, bottom = np.interp([box.y_px, box.y_px + box.height_px], self.render_y, self.source_y)
        left, right = box.x_px * self.scale_x, (box.x_px + box.width_px) * self.scale_x
        return Area(left, float(top), right, float(bottom))

    def to_render(self, box: Rectangle) -> Area:
        """Where a box of the source is in the render."""
        top, bottom = np.interp([box.y_px, box.y_px + box.height_px], self.source_y, self.render_y)
        left, right = box.x_px / self.scale_x, (box.x_px + box.width_px) / self.scale_x
        return Area(left, float(top), right, float(bottom))


def _rising(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The longest chain of `pairs`, sorted by their first, that rises in both."""
    if not pairs:
        return []
    values = np.array(pairs)
    lengths, before = np.ones(len(pairs), dtype=int), np.full(len(pairs), -1)
    for at in range(1, len(pairs)):
        lower = np.where((values[:at] < values[at]).all(axis=1), lengths[:at], 0)
        if lower.max() > 0:
            before[at] = int(lower.argmax())
            lengths[at] = lower.max() + 1
    chain, at = [], int(lengths.argmax())
    while at >= 0:
        chain.append(pairs[at])
        at = int(before[at])
    return chain[::-1]


def out_of_order(found: Sequence[Found]) -> list[tuple[Box, Box]]:
    """Pairs of texts that stand the other way round in the source: above and below, or left and right in a row."""
    if len(found) < 2:
        return []
    here = _edges([Area.of(*(box for paragraph in some.paragraphs for box in paragraph.boxes)) for some in found])
    there = _edges([Area.of(*some.lines) for some in found])
    above_here, above_there = _above(here), _above(there)
    turned = (above_here & above_there.T & ~above_here.T) | (_left_of(here) & _left_of(there).T)
    firsts = [some.paragraphs[0].boxes[0] for some in found]
    return [(firsts[i], firsts[j]) for i, j in np.argwhere(turned)]


def _edges(areas: list[Area]) -> Floats:
    return np.array([(area.left, area.top, area.right, area.bottom) for area in areas])


def _above(edges: Floats) -> Flags:
    """Whether one ends before the other begins, give or take a quarter of its height (readers' boxes are generous)."""
    _, top, _, bottom = edges.T
    return np.asarray(bottom[:, None] <= top[None] + TOUCH_PX + 0.25 * (bottom - top)[:, None])


def _left_of(edges: Floats) -> Flags:
    left, top, right, bottom = edges.T
    height = bottom - top
    overlap = np.minimum(bottom[:, None], bottom[None]) - np.maximum(top[:, None], top[None])
    same_row = overlap > 0.5 * np.minimum(height[:, None], height[None])
    return np.asarray(same_row & (right[:, None] <= left[None] + TOUCH_PX))


def other_colors(render: Pixels, source: Pixels, pictures: Sequence[Area], warp: Warp) -> Floats:
    """How much another colour each flat cell of the render has in the source: CIEDE2000, rows x columns of cells.

    A cell's colour may stand a little off in the source, so it is held against all cells near it, and the nearest
    colour counts; where texts have moved, against all flat colours of the source too. 0 where a cell is not of one
    colour, or in one of `pictures`, or where nobody would see it.
    """
    n_rows, n_columns = render.shape[0] // CELL_PX, render.shape[1] // CELL_PX
    rows, columns = (((np.arange(n)[:, None] * CELL_PX) + (1, 4, 6)).ravel() for n in (n_rows, n_columns))
    source_rows = np.clip(np.interp(rows + 0.5, warp.render_y, warp.source_y), 0, source.shape[0] - 1).astype(int)
    source_columns = np.clip((columns + 0.5) * warp.scale_x, 0, source.shape[1] - 1).astype(int)
    colors, flat = _cells(render[rows][:, columns])
    other, other_flat = _cells(source[source_rows][:, source_columns])
    for area in pictures:
        _cover(flat, area, value=False)
    lab, other_lab = to_lab(colors), to_lab(other)
    difference = np.where(flat, ciede2000(lab, other_lab), 0.0)
    at = np.nonzero(difference > LEAST_DIFFERENCE)
    if len(at[0]):
        down, across = SEARCH_CELLS_MOVED if warp.moved else SEARCH_CELLS, SEARCH_CELLS
        around = np.pad(other_lab, ((down, down), (across, across), (0, 0)), mode="edge")
        for dy in range(2 * down + 1):
            for dx in range(2 * across + 1):
                near = ciede2000(lab[at], around[at[0] + dy, at[1] + dx])
                difference[at] = np.minimum(difference[at], near)
        if warp.moved:
            found = to_lab(_common_colors(other[other_flat]))
            for color in found:
                difference[at] = np.minimum(difference[at], ciede2000(lab[at], color))
    return np.where(difference > LEAST_DIFFERENCE, np.minimum(difference, MOST_DIFFERENCE), 0.0)


def _common_colors(colors: Floats) -> Floats:
    """The flat colours that a good many cells have."""
    coarse, counts = np.unique((colors // 4).astype(int), axis=0, return_counts=True)
    return np.asarray(coarse[counts >= LEAST_CELLS] * 4.0 + 2.0)


def unexplained(render: Pixels, source: Pixels, boxes: Sequence[Box], lines: Sequence[Rectangle], warp: Warp) -> Floats:
    """What the source shows and the render does not, as `other_colors` tells it, but in cells of the source.

    Flat cells of a colour that the render has not there, and cells of photos and drawings that are neither in a
    picture of the render (`boxes`), nor text, there or here (`lines`, of the source). What goes on from a picture of
    the render is that picture, larger in the source than the markup says.
    """
    from scipy.ndimage import label  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types

    covered = [warp.to_source(box) for box in boxes if not box.text]
    written = [*(warp.to_source(box) for box in boxes if box.text), *(Area.of(line) for line in lines)]
    strange = other_colors(source, render, covered, warp.inverse)
    textured = _textured(source, [*covered, *written])
    strange = np.where(textured, MOST_DIFFERENCE, strange)
    labels, _ = label(strange > 0, np.ones((3, 3)))
    beside = np.zeros(strange.shape, dtype=bool)
    for area in covered:
        _cover(beside, area.grown(REACH_PX), value=True)
    return np.where(np.isin(labels, np.unique(labels[beside])), 0.0, strange)


def _textured(pixels: Pixels, without: Sequence[Area]) -> Flags:
    """Cells that are neither of one colour nor in `without`; two by two, because the edges of areas are no pictures."""
    n_rows, n_columns = pixels.shape[0] // CELL_PX, pixels.shape[1] // CELL_PX
    rows, columns = (((np.arange(n)[:, None] * CELL_PX) + (1, 4, 6)).ravel() for n in (n_rows, n_columns))
    _, flat = _cells(pixels[rows][:, columns])
    for area in without:
        _cover(flat, area, value=True)
    corners = ~(flat[:-1, :-1] | flat[1:, :-1] | flat[:-1, 1:] | flat[1:, 1:])
    textured = np.zeros_like(flat)
    for rows_of, columns_of in ((0, 0), (0, 1), (1, 0), (1, 1)):
        textured[rows_of : n_rows - 1 + rows_of, columns_of : n_columns - 1 + columns_of] |= corners
    return textured


def _cover(cells: Flags, area: Area, *, value: bool) -> None:
    """Set the cells that `area` touches, and those around them."""
    top, bottom = int(area.top // CELL_PX) - 1, int(area.bottom // CELL_PX) + 2
    left, right = int(area.left // CELL_PX) - 1, int(area.right // CELL_PX) + 2
    cells[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = value


def _cells(samples: Pixels) -> tuple[Floats, Flags]:
    """Each cell's colour and whether it is of one, from nine samples a cell."""
    n_rows, n_columns = samples.shape[0] // 3, samples.shape[1] // 3
    cells = samples.reshape(n_rows, 3, n_columns, 3, 3).transpose(0, 2, 1, 3, 4).reshape(n_rows, n_columns, 9, 3)
    spread = cells.max(axis=2).astype(np.int16) - cells.min(axis=2)
    return np.median(cells, axis=2), spread.max(axis=2) < FLAT_SPREAD
