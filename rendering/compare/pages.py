"""Web pages: does the markup show what the picture shows?

Published measures: SSIM (`rendering.compare.ssim`) and Design2Code's block match, text, position and colour (Si, Zhang,
Yang, Liu, Yang, "Design2Code: How far are we from automating front-end engineering?", 2024), here from the render's own
text against text read in the picture. They are means, and one wrong word hardly moves the mean of a long page. So
beside them stand five signs of a single fault: `words` that were not read or that nobody wrote, paragraphs out of
`order`, another `ink` or `ground` of one text, and an `area` in another colour, or shown by the source alone.

What stands in pictures counts for nothing: a render has other pictures than the source. Nor does text that does not
show in the render (white on white).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from rendering.compare.color import ciede2000, text_colors, to_lab
from rendering.compare.comparison import Comparison, Region
from rendering.compare.layout import CELL_PX, Area, Rectangle, Warp, other_colors, out_of_order, unexplained
from rendering.compare.lettering import (
    LEAST_MATCH,
    Faults,
    Found,
    Lettering,
    faults_of,
    letters_of,
    match_text,
    paragraphs_of,
)
from rendering.compare.reading import TextLine
from rendering.compare.ssim import similarity
from rendering.result import Box, Rendered

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

WEIGHTS: Final = {
    "ssim": 0.1,
    "text": 0.05,
    "position": 0.3,
    "words": 1.3,
    "order": 1.0,
    "ink": 0.6,
    "ground": 0.2,
    "area": 0.6,
}
"""Exponents of the parts in the score: a logistic regression on -log(part) of true pairs against all changes (63 of
pairs 0 to 139 of `benchmarks/render_back.py`), rounded, and scaled so that the threshold is a half; that of `area` was
chosen later, on the same pairs. Block match and colour got none: what they see, `words` and `ink` see better."""

FIELDS: Final = ("input", "textarea")

MASK_COLOR: Final = (128, 128, 128)
MASK_MARGIN_PX: Final = 2
LEAST_CONTRAST: Final = 24
"""Text whose box has less between its lowest and highest channel value does not show."""
MOSTLY: Final = 0.5
FLAT_GROUND: Final = 0.35
"""Text with less of one colour behind it stands on a gradient or a picture: its colours are not compared."""
MIDDLE: Final = 0.6
"""Of a line's height, what its colours are taken from."""

# What halves a part.
HALVING_LETTERS: Final = 4.0
INK_NOISE, HALVING_INK = 5.0, 10.0
GROUND_NOISE, HALVING_GROUND = 2.0, 5.0
HALVING_AREA: Final = 400.0


@dataclass(frozen=True)
class _Tie:
    """A line of the render, the line of the source that holds its letters, and how differently they are coloured."""

    box: Box
    line: TextLine
    ink: float | None
    ground: float | None


def compare_page(source: Image.Image, rendered: Rendered, lines: Sequence[TextLine]) -> Comparison:
    """How well `rendered` reproduces the page in `source` (RGB), in which `lines` were read."""
    with Image.open(BytesIO(rendered.png)) as opened:
        again = opened.convert("RGB")
    here, there = np.asarray(again), np.asarray(source)
    pictures = [box for box in rendered.boxes if not box.text]
    texts = [box for box in rendered.boxes if box.text and _shows(here, box, pictures)]
    lettering = match_text(paragraphs_of(texts), lines, again.size, source.size)
    warp = Warp.between(lettering.found, again.size, source.size)
    outside = _outside_pictures(texts, pictures, lines, lettering, warp)
    if outside is not None:
        lettering = match_text(paragraphs_of(outside[0]), outside[1], again.size, source.size)
        warp = Warp.between(lettering.found, again.size, source.size)
    covered, covered_there = [Area.of(box) for box in pictures], [warp.to_source(box) for box in pictures]
    ties = [
        _tie(here, there, box, line, warp, over_picture=any(area.holds_middle_of(box) for area in covered))
        for some in lettering.found
        for box, line in some.ties
    ]
    faults = faults_of(lettering)
    turned = out_of_order(lettering.found)
    areas = other_colors(here, there, covered, warp)
    strange = unexplained(here, there, rendered.boxes, lines, warp)

    parts = {
        "ssim": similarity(_masked(source, covered_there), _masked(again, covered)),
        "block": _block_match(lettering),
        "text": _mean([some.similarity for some in lettering.found]),
        "position": _mean([1 - _distance(tie, again.size, source.size) for tie in ties]),
        "color": _mean([1 - min(tie.ink, 100.0) / 100 for tie in ties if tie.ink is not None]),
        "words": _halving(faults.n_letters, HALVING_LETTERS),
        "order": _halving(len(turned), 1.0),
        "ink": _halving(max((tie.ink or 0.0 for tie in ties), default=0.0) - INK_NOISE, HALVING_INK),
        "ground": _halving(max((tie.ground or 0.0 for tie in ties), default=0.0) - GROUND_NOISE, HALVING_GROUND),
        "area": _halving(float(areas.sum() + strange.sum()), HALVING_AREA),
    }
    score = math.prod(parts[name] ** weight for name, weight in WEIGHTS.items())
    return Comparison(score, parts, (*_text_regions(faults, warp), *_color_regions(ties, areas, strange, turned, warp)))


def _outside_pictures(
    texts: Sequence[Box], pictures: Sequence[Box], lines: Sequence[TextLine], lettering: Lettering, warp: Warp
) -> tuple[list[Box], list[TextLine]] | None:
    """Texts and lines without those that are only in pictures; None where there are none such.

    A line read in a picture counts where the markup has text too (a heading over a photo). Text of the markup that
    stands over a picture counts where anything was read: over another picture it may be unreadable.
    """
    if not pictures:
        return None
    here, there = [Area.of(box) for box in pictures], [warp.to_source(box) for box in pictures]
    over = [box for box in texts if any(area.holds_middle_of(box) for area in here)]
    places = [warp.to_source(box) for box in over]
    said = {line for some in lettering.found for line in some.lines if _share_said(line, some) >= LEAST_MATCH}
    kept_lines = [
        line
        for line in lines
        if line in said
        or not any(area.holds_middle_of(line) for area in there)
        or any(area.meets(Area.of(line)) for area in places)
    ]
    read = [Area.of(line) for line in kept_lines]
    unread = {box for box, place in zip(over, places, strict=True) if not any(place.meets(area) for area in read)}
    unread -= {box for some in lettering.found for box, _ in some.ties}
    return [box for box in texts if box not in unread], kept_lines


def _share_said(line: TextLine, found: Found) -> float:
    """Of a line's letters, those that the markup has."""
    n_left_over = sum(len(letters) for at, letters in found.left_over if at is line)
    return 1 - n_left_over / len(letters_of(line.text))


def _halving(amount: float, halving: float) -> float:
    """1 for nothing, a half at `halving`, towards 0 beyond."""
    return 1 / (1 + max(0.0, amount) / halving)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 1.0


def _shows(render: Pixels, box: Box, pictures: Sequence[Box]) -> bool:
    """Whether anything stands in a text's box; where most of it is beside pictures, beside them: the edge of a picture
    that hides a text is no text.
    """
    pixels = _crop(render, box)
    if not pixels.size:  # it stands outside of the picture
        return False
    left, top = max(0, round(box.x_px)), max(0, round(box.y_px))
    beside = np.ones(pixels.shape[:2], dtype=bool)
    for area in map(Area.of, pictures):
        if area.meets(Area.of(box)):
            rows = slice(max(0, math.floor(area.top) - top), max(0, math.ceil(area.bottom) - top))
            beside[rows, max(0, math.floor(area.left) - left) : max(0, math.ceil(area.right) - left)] = False
    seen = pixels[beside] if beside.mean() > MOSTLY else pixels.reshape(-1, 3)
    return len(seen) > 0 and int(np.ptp(seen.astype(int), axis=0).max()) >= LEAST_CONTRAST


def _crop(pixels: Pixels, box: Rectangle) -> Pixels:
    left, top = max(0, round(box.x_px)), max(0, round(box.y_px))
    right, bottom = max(0, round(box.x_px + box.width_px)), max(0, round(box.y_px + box.height_px))
    return pixels[top:bottom, left:right]


def _letters(pixels: Pixels, box: Rectangle) -> Pixels:
    """The middle of a line's box: readers' boxes are generous, and reach over the edges of buttons."""
    aside, above = min(box.height_px / 4, box.width_px / 8), box.height_px * (1 - MIDDLE) / 2
    left, top = round(box.x_px + aside), round(box.y_px + above)
    right, bottom = round(box.x_px + box.width_px - aside), round(box.y_px + box.height_px - above)
    return pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]


def _text_of(box: Box, line: TextLine, warp: Warp) -> Rectangle:
    """Where a box's text is: of a field's box, which is mostly empty, the part where the line read would be."""
    if box.name not in FIELDS:
        return box
    at = warp.to_render(line)
    left, right = (min(max(x, box.x_px), box.x_px + box.width_px) for x in (at.left, at.right))
    top, bottom = (min(max(y, box.y_px), box.y_px + box.height_px) for y in (at.top, at.bottom))
    return replace(box, x_px=left, y_px=top, width_px=right - left, height_px=bottom - top)


def _masked(image: Image.Image, areas: Sequence[Area]) -> Image.Image:
    if not areas:
        return image
    out = image.copy()
    draw = ImageDraw.Draw(out)
    for area in areas:
        left, top = area.left - MASK_MARGIN_PX, area.top - MASK_MARGIN_PX
        draw.rectangle((left, top, area.right + MASK_MARGIN_PX, area.bottom + MASK_MARGIN_PX), fill=MASK_COLOR)
    return out


def _tie(render: Pixels, source: Pixels, box: Box, line: TextLine, warp: Warp, *, over_picture: bool) -> _Tie:
    here, there = _letters(render, _text_of(box, line, warp)), _letters(source, line)
    if over_picture or not here.size or not there.size:
        return _Tie(box, line, None, None)
    one, other = text_colors(here), text_colors(there)
    if min(one.flat, other.flat) < FLAT_GROUND:
        return _Tie(box, line, None, None)
    straight = _differences(one.ink, other.ink), _differences(one.ground, other.ground)
    # Where strokes are as wide as what is between them, either may be the most common colour.
    crossed = _differences(one.ink, other.ground), _differences(one.ground, other.ink)
    return _Tie(box, line, *(crossed if max(crossed) < max(straight) / 2 else straight))


def _differences(first: Floats, second: Floats) -> float:
    return float(ciede2000(to_lab(first), to_lab(second)))


def _distance(tie: _Tie, size: tuple[int, int], source_size: tuple[int, int]) -> float:
    """Design2Code's: the larger of the ways across and down between two middles, of the pictures' sides."""
    across, down = (
        abs((box_at + box_side / 2) / side - (line_at + line_side / 2) / source_side)
        for box_at, box_side, side, line_at, line_side, source_side in (
            (tie.box.x_px, tie.box.width_px, size[0], tie.line.x_px, tie.line.width_px, source_size[0]),
            (tie.box.y_px, tie.box.height_px, size[1], tie.line.y_px, tie.line.height_px, source_size[1]),
        )
    )
    return min(1.0, max(across, down))


def _block_match(lettering: Lettering) -> float:
    """Design2Code's block match: of the area of all text of both pictures, that of text with a counterpart."""
    matched = [at for some in lettering.found for p in some.paragraphs for at in p.boxes]
    matched_there = [at for some in lettering.found for at in some.lines]
    alone = [at for paragraph in lettering.missing for at in paragraph.boxes]
    with_counterpart = _surface(matched) + _surface(matched_there)
    whole = with_counterpart + _surface(alone) + _surface(lettering.left_over)
    return with_counterpart / whole if whole else 1.0


def _surface(boxes: Sequence[Rectangle]) -> float:
    return sum(box.width_px * box.height_px for box in boxes)


def _text_regions(faults: Faults, warp: Warp) -> list[Region]:
    missing: dict[Box, list[str]] = {}
    for word in faults.missing:
        missing.setdefault(word.box, []).append(word.text)
    return [
        *(_region("text", Area.of(box), f"not in the picture: {' '.join(words)}") for box, words in missing.items()),
        *(
            _region("text", warp.to_render(line), f"in the picture only: {letters} of {line.text}")
            for line, letters in faults.left_over
        ),
    ]


def _color_regions(
    ties: Sequence[_Tie], areas: Floats, strange: Floats, turned: Sequence[tuple[Box, Box]], warp: Warp
) -> list[Region]:
    regions = [
        _region("order", Area.of(first, second), f"the other way round: {first.text} / {second.text}")
        for first, second in turned
    ]
    for tie in ties:
        if (tie.ink or 0.0) > INK_NOISE + HALVING_INK:
            regions.append(_region("color", Area.of(tie.box), f"text in another colour: CIEDE2000 {tie.ink:.0f}"))
        if (tie.ground or 0.0) > GROUND_NOISE + HALVING_GROUND:
            regions.append(_region("color", Area.of(tie.box), f"on another colour: CIEDE2000 {tie.ground:.0f}"))
    regions += [
        _region("color", Area.of(at), f"area in another colour: CIEDE2000 {most:.0f}") for at, most in _spots(areas)
    ]
    regions += [
        _region("picture", warp.to_render(at), "area that the markup does not have") for at, _ in _spots(strange)
    ]
    return regions


def _spots(differences: Floats) -> Iterator[tuple[Box, float]]:
    """Where cells differ that touch each other, and by how much at most."""
    from scipy.ndimage import find_objects, label  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types

    for rows, columns in find_objects(label(differences > 0)[0]):
        part = differences[rows, columns]
        if part.sum() > HALVING_AREA:
            sides = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            at = Box("", *(side * CELL_PX for side in sides))
            yield at, float(part.max())


def _region(kind: str, area: Area, detail: str) -> Region:
    return Region(kind, area.left, area.top, area.right - area.left, area.bottom - area.top, detail)
