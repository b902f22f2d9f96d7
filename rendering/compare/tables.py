"""Tables against pictures of them: does each cell's text stand in the picture, in its row and its column?

The picture's text is read once, with what else each letter could be (`rendering.compare.alternatives`); its words are
given to cells by text and order (`rendering.compare.table_cells`); then each cell's text is scored against what was
read for it. Nothing is compared in pixels: a journal sets the same table in other fonts, widths and line breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.alternatives import Line, folded, read_alternatives, read_places, reading_cost
from rendering.compare.comparison import Comparison, Region
from rendering.compare.table_cells import Cell, Matching, Word, column_bands, in_reading_order, match_cells
from rendering.result import Rendered

READ_WIDTH_PX: Final = 1_000
MAX_SCALE: Final = 2.0
"""PubTabNet's pictures are 240 to 500 px wide, with letters 5 px high: read at twice their size."""

MAX_CELL_COST: Final = 30.0
SIGNS_COST: Final = 3.0
"""For a cell of signs alone (`***`, a dash), which readers overlook."""
MISSING_COST: Final = 3.0
MISSING_LETTER_COST: Final = 5.0
STRAY_COST: Final = 1.0
SHIFT_COST: Final = 4.0
FREE_SHIFT: Final = 0.7
"""Heights of a line that a cell's text may stand beside its column."""
MEAN_WEIGHT: Final = 3.0
COST_SCALE: Final = 12.0
"""The score is exp(-cost / scale): one letter that is not there costs up to 12 nats."""
REREAD_MARGIN: Final = 0.4

Points = npt.NDArray[np.float64]
"""Rows of (x, y)."""


def compare_table(source: Image.Image, rendered: Rendered) -> Comparison:
    """How well `rendered` (with the boxes of its cells) says what the picture `source` (RGB) shows.

    The score is exp(-c / 12), where c is the cost (nats) of the worst cell or stray word plus three times the mean over
    cells. Parts: `word_recall` and `word_precision` (words of markup and picture, whatever their order), `text` and
    `position` of matched cells (Design2Code, Si et al., arXiv 2403.03163: Sørensen-Dice of letters, and one less the
    greater distance of the centres along an axis, as a share of the table), `worst` (exp(-cost / 12) of the worst).
    Regions: cells whose text is not in the picture (`text`), and cells beside which stray words stand (`stray`).

    Raises:
        RenderingError: rapidocr is not installed.
    """
    reading = _read(source.size, source.convert("RGB").tobytes())
    matching = match_cells(rendered.boxes, reading.lines)
    costs = _cell_costs(matching, reading)
    stray = [_stray_cost(word) for word in matching.left_over]
    shown = [cell for cell in matching.cells if cell.text]
    if not shown:
        return Comparison(0.0 if stray else 1.0)
    every = [*costs, *stray]
    worst = max(every)
    score = float(np.exp(-(worst + MEAN_WEIGHT * sum(every) / len(shown)) / COST_SCALE))
    regions = [
        Region("text", cell.box.x_px, cell.box.y_px, cell.box.width_px, cell.box.height_px, " ".join(_read_as(cell)))
        for cell, cost in zip(shown, costs, strict=True)
        if cost > COST_SCALE / 2
    ]
    regions += [
        _beside(word, shown) for word, cost in zip(matching.left_over, stray, strict=True) if cost > COST_SCALE / 2
    ]
    parts = {**_word_shares(shown, reading.lines), **_design2code(shown), "worst": float(np.exp(-worst / COST_SCALE))}
    return Comparison(score, parts, tuple(regions))


class _Reading:
    """A picture's lines, and what stands in further places of it; each place is read once."""

    def __init__(self, image: Image.Image) -> None:
        self.scale = min(MAX_SCALE, max(1.0, READ_WIDTH_PX / image.width))
        self.lines = read_alternatives(image, self.scale)
        self._image = image
        self._places: dict[tuple[int, ...], Line | None] = {}

    def at(self, left: float, top: float, right: float, bottom: float) -> Line | None:
        """What stands in a place where no line was found."""
        place = (round(left), round(top), round(right), round(bottom))
        if place not in self._places:
            inside = place[2] > place[0] and place[3] > place[1]
            found = read_places(self._image, self.scale, [place]) if inside else ()
            self._places[place] = found[0] if found else None
        return self._places[place]


@lru_cache(maxsize=4)
def _read(size: tuple[int, int], pixels: bytes) -> _Reading:
    """The reading of a picture, kept for the next markups that are compared with the same one."""
    return _Reading(Image.frombytes("RGB", size, pixels))


def _cell_costs(matching: Matching, reading: _Reading) -> list[float]:
    """What each cell with a text costs: 0 where it is read as it should be."""
    shown = [cell for cell in matching.cells if cell.text]
    costs = [_text_cost(cell.text, cell.words) for cell in shown]
    by_place = {(cell.rows[0], cell.columns[0]): index for index, cell in enumerate(shown)}
    band = column_bands(matching.cells)
    for index, cell in enumerate(shown):
        if cell.words:
            continue
        # A reader may have joined two cells that stand close together: then the neighbour's words say both.
        for row, column, is_before in (
            (cell.rows[0], cell.columns[0] - 1, True),
            (cell.rows[0], cell.columns[1] + 1, False),
        ):
            other = by_place.get((row, column))
            if other is None or not shown[other].words:
                continue
            text = shown[other].text + cell.text if is_before else cell.text + shown[other].text
            together = _text_cost(text, shown[other].words)
            if together < costs[other] + costs[index]:
                costs[other], costs[index] = together / 2, together / 2
        if costs[index] > 1.0:
            costs[index] = min(costs[index], _reread_cost(cell, matching, band(cell), reading))
    for index, cell in enumerate(shown):
        if cell.words:
            costs[index] += SHIFT_COST * max(0.0, _shift(cell, shown) / matching.line_height_px - FREE_SHIFT)
    return [min(MAX_CELL_COST, cost) for cost in costs]


def _text_cost(text: str, words: Sequence[Word]) -> float:
    n_letters = sum(letter.isalnum() for letter in text)
    most = min(MAX_CELL_COST, MISSING_COST + MISSING_LETTER_COST * n_letters) if n_letters else SIGNS_COST
    if not words:
        return most
    parts: dict[Line, tuple[int, int]] = {}
    for word in in_reading_order(words):
        first, last = parts.get(word.line, word.steps)
        parts[word.line] = (min(first, word.steps[0]), max(last, word.steps[1]))
    cost = reading_cost([(line, first, last) for line, (first, last) in parts.items()], text)
    return min(cost, MAX_CELL_COST if n_letters else SIGNS_COST)


def _reread_cost(cell: Cell, matching: Matching, band: tuple[float, float], reading: _Reading) -> float:
    """The cost of a cell's text where it should stand: single letters are often not found as lines."""
    beside = [
        word
        for other in matching.cells
        if other is not cell and other.rows[0] == other.rows[1] and cell.rows[0] <= other.rows[0] <= cell.rows[1]
        for word in other.words
    ]
    if not beside or not np.isfinite(band).all():
        return MAX_CELL_COST
    margin = REREAD_MARGIN * matching.line_height_px
    top = min(word.line.y_px for word in beside)
    bottom = max(word.line.y_px + word.line.height_px for word in beside)
    if bottom - top > 2 * matching.line_height_px:
        return MAX_CELL_COST
    line = reading.at(band[0] - margin, top, band[1] + margin, bottom)
    return MAX_CELL_COST if line is None else reading_cost([(line, 0, len(line.costs))], cell.text)


def _shift(cell: Cell, shown: Sequence[Cell]) -> float:
    """How far (px) a cell's middle stands outside of the texts of the other cells of its columns."""
    others = [
        other.extent
        for other in shown
        if other is not cell
        and other.words
        and cell.columns[0] <= other.columns[0]
        and other.columns[1] <= cell.columns[1]
    ]
    if not others:
        return 0.0
    left, right = cell.extent
    middle = (left + right) / 2
    return max(0.0, min(left for left, _ in others) - middle, middle - max(right for _, right in others))


def _stray_cost(word: Word) -> float:
    """Of a word that no cell says; signs are often dirt, or rules."""
    n_letters = sum(letter.isascii() and letter.isalnum() for letter in word.text)
    return min(MAX_CELL_COST, STRAY_COST + MISSING_LETTER_COST * n_letters)


def _read_as(cell: Cell) -> list[str]:
    return [word.text for word in in_reading_order(cell.words)]


def _beside(word: Word, shown: Sequence[Cell]) -> Region:
    """The cell of the render whose words stand nearest to a stray word."""
    found = [cell for cell in shown if cell.words] or list(shown)

    def distance(cell: Cell) -> float:
        places = [abs(other.x_px - word.x_px) + abs(other.y_px - word.y_px) for other in cell.words]
        return min(places, default=0.0)

    box = min(found, key=distance).box
    return Region("stray", box.x_px, box.y_px, box.width_px, box.height_px, word.text)


def _word_shares(shown: Sequence[Cell], lines: Sequence[Line]) -> dict[str, float]:
    ours = Counter(folded(word) for cell in shown for word in cell.box.text.split())
    read = "".join("".join(letter for _, letter in line.letters) + " " for line in lines)
    theirs = Counter(folded(word) for word in read.split())
    both = (ours & theirs).total()
    return {"word_recall": both / max(1, ours.total()), "word_precision": both / max(1, theirs.total())}


def _design2code(shown: Sequence[Cell]) -> dict[str, float]:
    """Mean text and position similarity of the cells that have words; 0 where none has."""
    matched = [cell for cell in shown if cell.words]
    if not matched:
        return {"text": 0.0, "position": 0.0}
    texts = [SequenceMatcher(None, cell.text, "".join(_read_as(cell)), autojunk=False).ratio() for cell in matched]
    ours = np.array(
        [(cell.box.x_px + cell.box.width_px / 2, cell.box.y_px + cell.box.height_px / 2) for cell in matched]
    )
    theirs = np.array([(np.mean(cell.extent), np.mean([word.y_px for word in cell.words])) for cell in matched])
    distances = np.abs(_in_unit_square(ours) - _in_unit_square(theirs)).max(axis=1)
    return {"text": float(np.mean(texts)), "position": float(1.0 - distances.mean())}


def _in_unit_square(points: Points) -> Points:
    low, high = points.min(axis=0), points.max(axis=0)
    scaled: Points = (points - low) / np.maximum(high - low, 1.0)
    return scaled
