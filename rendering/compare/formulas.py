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
from rendering.compare.formula_ink import UNIT_PX, Floats, Ink, at_one_scale, cropped_ink, letter_height_px
from rendering.result import Rendered

SEARCH_X: Final = 0.6
SEARCH_Y: Final = 0.8
"""How far, in units, a piece may lie from where its neighbours say."""

RING: Final = 0.2
"""Width of the paper around a piece that has to be empty too, in units."""

STRETCHES: Final = ((1.0, 1.0), (0.86, 0.86), (1.16, 1.16), (1.0, 0.86), (1.0, 1.16), (0.8, 0.72), (1.25, 1.38))
"""Width and height of large pieces: KaTeX's roots, sums and brackets come in other sizes than LaTeX's."""

SHIFT_COST: Final = (0.12, 0.08)
FREE_SHIFT: Final = 0.15
STRETCH_COST: Final = 0.03
MISSING_INK_COST: Final = 4.0
"""Of a squared unit of ink that the other picture lacks, a pixel of tolerance around it."""

MOST_WEAR: Final = 0.2
"""Of a score: in all but 1 of 100 true pairs (im2markup's, also worn) half of the pieces lack less."""

LARGE_INK: Final = 0.35
"""Squared units: of pieces with more (sums, brackets, wide letters) a share counts, as of one that has so much."""

NEIGHBOUR_PX: Final = 3

MATCHED: Final = 0.6
"""A piece that scores so much is taken for the same symbol (regions and F1)."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Looks:
    """What looking for the pieces of one picture in another one told, by piece, and what was drawn there.

    `correlations` less what their ways cost, in [0, 1]; `missing`: ink that one of the two lacks there (squared units);
    `alone`: share of a piece's ink that no other piece was found on; `drawn`: the pieces where they were found.
    """

    correlations: Scores
    missing: Scores
    alone: Scores
    drawn: Floats


def compare_formula(source: Image.Image, rendered: Rendered) -> Comparison:
    """How well `rendered` shows the formula of `source` (RGB, any size, dark on light or light on dark).

    The score is the mean over pieces times that of the worst piece (both in [0, 1]). Parts: `ncc` (mean normalised
    cross-correlation), `f1` (share of pieces that are matched, of both pictures), `worst` (the worst piece).
    Regions, of kind `symbol`: pieces of the render that the source lacks, and places where the source has others.
    """
    with Image.open(BytesIO(rendered.png)) as again:
        ours, (left_px, top_px) = cropped_ink(again)
    theirs, _ = cropped_ink(source)
    if ours is None or theirs is None:
        return Comparison(0.0, {"ncc": 0.0, "f1": 0.0, "worst": 0.0})
    zoom = UNIT_PX / letter_height_px(ours)
    a, b = at_one_scale(ours, theirs, zoom)
    to_b, to_a = _expected_places(a, b)
    in_b, in_a = _look_for(a, b, to_b), _look_for(b, a, to_a)
    scores_a, scores_b = _scores(a, in_b, in_a), _scores(b, in_a, in_b)
    # What most pieces lack is the picture's size and wear, and no fault of one of them.
    wear = min(MOST_WEAR, 1.0 - float(np.median(np.concatenate([scores_a, scores_b]))))
    scores_a, scores_b = scores_a + wear, scores_b + wear
    scores = np.concatenate([scores_a, scores_b])
    # A piece's score goes below 0 where much ink is missing; halved, the worst still tells such apart.
    worst = float(np.clip((1.0 + scores.min()) / 2, 0.0, 1.0))
    mean = float(np.clip(scores, 0.0, 1.0).mean())
    parts = {
        "ncc": float(np.concatenate([in_b.correlations, in_a.correlations]).mean()),
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


def _expected_places(a: Ink, b: Ink) -> tuple[Scores, Scores]:
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


def _scores(picture: Ink, looks: _Looks, back: _Looks) -> Scores:
    """How surely each piece of `picture` was found (1: surely), by looking for it and for the other's pieces here."""
    explained = np.maximum(_explained(picture, back.drawn), looks.alone)
    amounts = np.array([piece.ink_px for piece in picture.pieces]) / UNIT_PX**2
    missing = looks.missing * np.minimum(1.0, LARGE_INK / np.maximum(amounts, 1e-6))
    scores: Scores = looks.correlations * explained - MISSING_INK_COST * missing
    return scores


def _look_for(a: Ink, b: Ink, shifts: Scores) -> _Looks:
    """Look for each piece of `a` in `b`, around its place after `shifts`."""
    import cv2

    ring, reach_x, reach_y = round(RING * UNIT_PX), int(SEARCH_X * UNIT_PX), int(SEARCH_Y * UNIT_PX)
    margin = 4 * UNIT_PX + ring
    inks = cv2.copyMakeBorder(a.ink, ring, ring, ring, ring, cv2.BORDER_CONSTANT, value=0)
    labels: Any = cv2.copyMakeBorder(a.labels, ring, ring, ring, ring, cv2.BORDER_CONSTANT, value=0)
    target = cv2.copyMakeBorder(b.ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    drawn, n_found = np.zeros_like(target), np.zeros(target.shape, dtype=np.int16)
    strokes = []
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
        strokes.append((place, ours & near))
        if best > 0.3:
            np.maximum(drawn[place], template * near, out=drawn[place])
            n_found[place] += ours & near
    alone = np.array(
        [float((n_found[place][stroke] <= 1).mean()) if stroke.any() else 0.0 for place, stroke in strokes]
    )
    return _Looks(correlations, missing, alone, drawn[margin:-margin, margin:-margin])


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


def _explained(picture: Ink, drawn: Floats) -> Scores:
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
