"""Formulas against pictures of them: piece of ink by piece of ink, so that one changed symbol is one bad piece.

TeX and KaTeX set the same glyphs (Computer Modern) with slightly other spacing, stroke weight and heights, so whole
pictures do not lie on each other although every symbol does. Both pictures are cropped to ink and brought to one
scale; where a symbol is to be expected is followed from left to right; each connected piece of ink of either picture
is then looked for near that place in the other.

The measures: normalised cross-correlation of each piece (Lewis, "Fast normalized cross-correlation", Vision Interface
1995, with a mask), and the F1 of matched pieces, as CDM has it for tokens (Wang et al., "CDM: A Reliable Metric for
Fair and Accurate Formula Recognition Evaluation", arXiv 2409.03643, with connected pieces in place of coloured tokens).
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.comparison import Comparison, Region
from rendering.result import Rendered

UNIT_PX: Final = 30
"""Both pictures are scaled so that a letter of middle height has so many pixels; all lengths below are in it."""

WIDTH_RATIO: Final = 0.98
"""KaTeX's formulas are a little wider than LaTeX's of the same font size. At scale 2 they are 19 % wider (5 % to 95 %:
16 to 22 %) than im2markup's of 200 dpi; all but some 2 % is the scale, if those are of 12 pt, as is assumed."""

INK_LEVEL: Final = 0.28
"""Of the render's darkest ink: low, so that hairlines (a minus sign, a serif) hold together."""

SEARCH_X: Final = 0.6
SEARCH_Y: Final = 0.8
"""How far, in units, a piece may lie from where its neighbours say."""

RING: Final = 0.2
"""Width of the paper around a piece that has to be empty too, in units."""

MAX_PIECE: Final = 1.6
"""Larger pieces (roots, brackets, fraction bars) are cut to about this size, in units."""

STRETCHES: Final = ((1.0, 1.0), (0.86, 0.86), (1.16, 1.16), (1.0, 0.86), (1.0, 1.16), (0.8, 0.72), (1.25, 1.38))
"""Width and height of large pieces: KaTeX's roots, sums and brackets come in other sizes than LaTeX's."""

SHIFT_COST: Final = (0.12, 0.08)
FREE_SHIFT: Final = 0.15
STRETCH_COST: Final = 0.03
MISSING_INK_COST: Final = 4.0
"""Of a squared unit of ink that the other picture lacks, a pixel of tolerance around it."""

NEIGHBOUR_PX: Final = 3

MATCHED: Final = 0.6
"""A piece that scores so much is taken for the same symbol (regions and F1)."""

Floats = npt.NDArray[Any]
"""Ink in [0, 1], float32; OpenCV's stubs know no more than that it is an array."""
Labels = npt.NDArray[Any]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Piece:
    """A connected piece of ink, or a part of a large one: its rectangle in working pixels and its label."""

    x: int
    y: int
    width: int
    height: int
    label: int
    is_part: bool

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class _Ink:
    """One picture at working scale: ink in [0, 1] (0.5 at a stroke's edge), its pieces, and the label of each pixel."""

    ink: Floats
    pieces: tuple[_Piece, ...]
    labels: Labels


def compare_formula(source: Image.Image, rendered: Rendered) -> Comparison:
    """How well `rendered` shows the formula of `source` (RGB, any size, dark on light or light on dark).

    The score is the mean over pieces times that of the worst piece (both in [0, 1]). Parts: `ncc` (mean normalised
    cross-correlation), `f1` (share of pieces that are matched, of both pictures), `worst` (the worst piece).
    Regions, of kind `symbol`: pieces of the render that the source lacks, and places where the source has others.
    """
    with Image.open(BytesIO(rendered.png)) as again:
        ours, (left_px, top_px) = _cropped_ink(again)
    theirs, _ = _cropped_ink(source)
    if ours is None or theirs is None:
        return Comparison(0.0, {"ncc": 0.0, "f1": 0.0, "worst": 0.0})
    zoom = UNIT_PX / _letter_height_px(ours)
    a, b = _at_one_scale(ours, theirs, zoom)
    to_b, to_a = _expected_places(a, b)
    ncc_a, missing_a, drawn_on_b = _look_for(a, b, to_b)
    ncc_b, missing_b, drawn_on_a = _look_for(b, a, to_a)
    scores_a = ncc_a * _explained(a, drawn_on_a) - MISSING_INK_COST * missing_a
    scores_b = ncc_b * _explained(b, drawn_on_b) - MISSING_INK_COST * missing_b
    scores = np.concatenate([scores_a, scores_b])
    # A piece's score goes below 0 where much ink is missing; halved, the worst still tells such apart.
    worst = float(np.clip((1.0 + scores.min()) / 2, 0.0, 1.0))
    mean = float(np.clip(scores, 0.0, 1.0).mean())
    parts = {
        "ncc": float(np.concatenate([ncc_a, ncc_b]).mean()),
        "f1": float((scores >= MATCHED).mean()),
        "worst": worst,
    }
    regions = []
    for pieces, places, values, detail in (
        (a.pieces, np.zeros_like(to_b), scores_a, "not in the picture"),
        (b.pieces, to_a, scores_b, "the picture has another symbol"),
    ):
        for piece, shift, score in zip(pieces, places, values, strict=True):
            if score < MATCHED:
                x, y = (piece.x + shift[0]) / zoom + left_px, (piece.y + shift[1]) / zoom + top_px
                regions.append(Region("symbol", x, y, piece.width / zoom, piece.height / zoom, detail))
    return Comparison(mean * worst, parts, tuple(regions))


def _cropped_ink(image: Image.Image) -> tuple[Floats | None, tuple[int, int]]:
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


def _letter_height_px(ink: Floats) -> float:
    """Median height of connected pieces that are not flat (bars, minus signs)."""
    import cv2

    _, _, stats, _ = cv2.connectedComponentsWithStats((ink > 0.4).astype(np.uint8), connectivity=8)
    heights = [height for _, _, width, height, area in stats[1:] if area >= 4 and width < 2 * height]
    return max(3.0, float(np.median(heights))) if heights else max(3.0, float(ink.shape[0]))


def _at_one_scale(ours: Floats, theirs: Floats, zoom: float) -> tuple[_Ink, _Ink]:
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


def _with_pieces(ink: Any) -> _Ink:
    import cv2

    closed = cv2.morphologyEx((ink > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, found, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    labels: Any = found
    _join_stacked(labels, stats)
    smallest = (0.15 * UNIT_PX) ** 2
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
                    pieces.append(_Piece(*at, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1, label, n_x * n_y > 1))
    return _Ink(ink, tuple(pieces), labels)


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


def _expected_places(a: _Ink, b: _Ink) -> tuple[Scores, Scores]:
    """How far (x, y) each piece of `a` has to move to be where it should be in `b`, and each of `b` in `a`."""
    import cv2

    height_a, height_b = a.ink.shape[0], b.ink.shape[0]
    ratio = height_b / height_a
    xs, shift_x, shift_y = _drift(a.ink, cv2.resize(b.ink, (b.ink.shape[1], height_a)))
    in_a = np.array([piece.center for piece in a.pieces]).reshape(-1, 2)
    in_b = np.array([piece.center for piece in b.pieces]).reshape(-1, 2)
    to_b = np.stack(
        [
            np.interp(in_a[:, 0], xs, shift_x),
            (in_a[:, 1] + np.interp(in_a[:, 0], xs, shift_y)) * ratio - in_a[:, 1],
        ],
        axis=1,
    )
    order = np.argsort(xs + shift_x, kind="stable")
    there = (xs + shift_x)[order]
    to_a = np.stack(
        [
            -np.interp(in_b[:, 0], there, shift_x[order]),
            in_b[:, 1] / ratio - np.interp(in_b[:, 0], there, shift_y[order]) - in_b[:, 1],
        ],
        axis=1,
    )
    return to_b, to_a


def _drift(a: Floats, b: Floats) -> tuple[Scores, Scores, Scores]:
    """Centres of upright strips of `a`, and the shift (x, y) of `b` against it in each; both have one height.

    Each strip is correlated with `b` around it; of all paths through the shifts, that with the best sum of
    correlations less its jumps is taken (Viterbi), so that spacing may drift by several units along the formula.
    """
    import cv2

    half = [
        cv2.resize(cv2.GaussianBlur(ink, (0, 0), 0.2 * UNIT_PX), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for ink in (a, b)
    ]
    u = UNIT_PX // 2
    width, step, reach_x, reach_y = 3 * u, 3 * u // 2, 3 * u, 3 * u // 2
    full = max(half[0].shape[1], half[1].shape[1]) + width
    padded_a = cv2.copyMakeBorder(half[0], 0, 0, 0, full - half[0].shape[1], cv2.BORDER_CONSTANT, value=0)
    padded_b = cv2.copyMakeBorder(
        half[1], reach_y, reach_y, reach_x, reach_x + full - half[1].shape[1], cv2.BORDER_CONSTANT, value=0
    )
    starts = range(0, max(1, half[0].shape[1] - u), step)
    shifts = np.arange(-reach_x, reach_x + 1)
    gains, vertical = np.zeros((len(starts), len(shifts))), np.zeros((len(starts), len(shifts)))
    upright_cost = 0.03 * (np.arange(-reach_y, reach_y + 1)[:, None] / u) ** 2
    for index, x in enumerate(starts):
        strip = padded_a[:, x : x + width]
        if strip.max() >= 0.05:
            map_ = cv2.matchTemplate(padded_b[:, x : x + width + 2 * reach_x], strip, cv2.TM_CCOEFF_NORMED)
            map_ = np.nan_to_num(map_, posinf=0.0, neginf=0.0) - upright_cost
            gains[index], vertical[index] = map_.max(axis=0), map_.argmax(axis=0) - reach_y
    jump_cost = 0.35 * np.minimum(np.abs(shifts[:, None] - shifts[None]) / u, 1.0)
    total, back = gains[0] - 0.02 * np.abs(shifts) / u, []
    for gain in gains[1:]:
        reached = total[None] - jump_cost
        back.append(reached.argmax(axis=1))
        total = reached.max(axis=1) + gain
    chosen = [int(total.argmax())]
    for came_from in reversed(back):
        chosen.append(int(came_from[chosen[-1]]))
    chosen.reverse()
    x_at = 2.0 * (np.array(starts, dtype=np.float64) + width / 2)
    shift_x = 2.0 * shifts[chosen].astype(np.float64)
    shift_y: Scores = 2.0 * vertical[np.arange(len(chosen)), chosen]
    return x_at, shift_x, shift_y


def _look_for(a: _Ink, b: _Ink, shifts: Scores) -> tuple[Scores, Scores, Floats]:
    """Look for each piece of `a` in `b`, around its place after `shifts`.

    Returns its correlation less what its way costs (in [0, 1]), the ink that one of the two lacks there (squared
    units), and a picture of `b`'s size with the pieces drawn where they were found.
    """
    import cv2

    ring, reach_x, reach_y = round(RING * UNIT_PX), int(SEARCH_X * UNIT_PX), int(SEARCH_Y * UNIT_PX)
    margin = 4 * UNIT_PX + ring
    inks = cv2.copyMakeBorder(a.ink, ring, ring, ring, ring, cv2.BORDER_CONSTANT, value=0)
    labels: Any = cv2.copyMakeBorder(a.labels, ring, ring, ring, ring, cv2.BORDER_CONSTANT, value=0)
    target = cv2.copyMakeBorder(b.ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    drawn = np.zeros_like(target)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * ring + 1, 2 * ring + 1))
    way = _way_cost(reach_x, reach_y)
    correlations, missing = np.zeros(len(a.pieces)), np.zeros(len(a.pieces))
    for index, piece in enumerate(a.pieces):
        place = np.s_[piece.y : piece.y + piece.height + 2 * ring, piece.x : piece.x + piece.width + 2 * ring]
        own = labels[place] == piece.label
        foreign = (labels[place] > 0) & ~own
        around = ((cv2.dilate(own.astype(np.uint8), disc) > 0) & ~foreign).astype(np.float32)
        x, y = (middle + shift for middle, shift in zip(piece.center, shifts[index], strict=True))
        best, at = -1.0, (0, 0)
        template, mask = inks[place], around
        stretches = STRETCHES if max(piece.width, piece.height) > 1.5 * UNIT_PX else STRETCHES[:1]
        for number, (wide, high) in enumerate(stretches):
            if best > 0.8:
                break
            ink_, mask_ = inks[place], around
            if number:
                ink_, mask_ = (cv2.resize(part, None, fx=wide, fy=high) for part in (ink_, mask_))
            height, width = ink_.shape
            x0 = int(np.clip(round(x - width / 2) - reach_x + margin, 0, target.shape[1] - width - 2 * reach_x))
            y0 = int(np.clip(round(y - height / 2) - reach_y + margin, 0, target.shape[0] - height - 2 * reach_y))
            window = target[y0 : y0 + height + 2 * reach_y, x0 : x0 + width + 2 * reach_x]
            value = _masked_correlation(window, ink_, mask_) - way - (STRETCH_COST if number else 0.0)
            top = int(value.argmax())
            if value.flat[top] > best:
                best, at = float(value.flat[top]), (x0 + top % value.shape[1], y0 + top // value.shape[1])
                template, mask = ink_, mask_
        place = np.s_[at[1] : at[1] + template.shape[0], at[0] : at[0] + template.shape[1]]
        ours, theirs, near = template > 0.5, target[place] > 0.5, mask > 0.5
        # The neighbours' ink may have moved into the ring a little: their own scores tell whether that is right.
        too_many = theirs & near & ~_grown(ours & near, 1) & ~_grown(ours & ~near, NEIGHBOUR_PX)
        too_few = ours & near & ~_grown(theirs, 1)
        missing[index] = max(int(too_many.sum()), int(too_few.sum())) / UNIT_PX**2
        correlations[index] = max(0.0, best)
        if best > 0.3:
            np.maximum(drawn[place], template * near, out=drawn[place])
    return correlations, missing, drawn[margin:-margin, margin:-margin]


def _way_cost(reach_x: int, reach_y: int) -> Scores:
    """What each shift of a piece from its place costs, up to so many pixels each way."""
    y_off, x_off = np.mgrid[-reach_y : reach_y + 1, -reach_x : reach_x + 1] / UNIT_PX
    cost: Scores = SHIFT_COST[0] * np.maximum(0.0, np.abs(x_off) - FREE_SHIFT)
    cost += SHIFT_COST[1] * np.maximum(0.0, np.abs(y_off) - FREE_SHIFT)
    return cost


def _masked_correlation(window: Floats, template: Floats, mask: Floats) -> Any:
    """Normalised cross-correlation of `template` at each place of `window`, over the pixels of `mask` only."""
    import cv2

    n = float(mask.sum())
    centered = (template - float((template * mask).sum()) / n) * mask
    variance = float((centered * centered).sum())
    sums, squares = (cv2.matchTemplate(image, mask, cv2.TM_CCORR) for image in (window, window * window))
    there = np.maximum(squares - sums * sums / n, 0.0)
    # Where there is next to no ink the quotient is noise: it counts as a twentieth of the template's at least.
    return cv2.matchTemplate(window, centered, cv2.TM_CCORR) / np.sqrt(
        np.maximum(variance * there, (0.05 * variance) ** 2 + 1e-6)
    )


def _grown(ink: npt.NDArray[np.bool_], by_px: int) -> npt.NDArray[np.bool_]:
    import cv2

    side = 2 * by_px + 1
    return cv2.dilate(ink.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _explained(picture: _Ink, drawn: Floats) -> Scores:
    """Share of each piece's ink on which a piece of the other picture was found: a symbol too many has none."""
    import cv2

    reach = max(1, round(0.25 * UNIT_PX))
    cover = cv2.dilate(drawn, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    shares = np.ones(len(picture.pieces))
    for index, piece in enumerate(picture.pieces):
        if piece.is_part:  # parts of bars are the same all along, and are found a little beside each other
            continue
        place = np.s_[piece.y : piece.y + piece.height, piece.x : piece.x + piece.width]
        ink = picture.ink[place] * ((picture.labels[place] == piece.label) & (picture.ink[place] > 0.5))
        shares[index] = float((ink * np.minimum(1.0, cover[place])).sum() / max(float(ink.sum()), 1e-6))
    return shares
