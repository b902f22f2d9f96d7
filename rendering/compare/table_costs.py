"""What each cell of a table costs against a picture: nothing where its text can be read where it should stand.

First by the words that were found in the whole picture and given to cells; cells that are then doubtful are looked at
again, the worst first, in the places that the cells around them leave free.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image

from rendering.compare.alternatives import Line, enlarged, read_alternatives, read_places, reading_cost
from rendering.compare.table_cells import Cell, Matching, Word, in_reading_order, words_of
from rendering.compare.table_places import Place, Surroundings, ink_of, lines_of_ink, tight_rows
from rendering.compare.table_spans import misplacements

READ_WIDTH_PX: Final = 1_000
MAX_SCALE: Final = 2.0
"""PubTabNet's pictures are 240 to 500 px wide, with letters 5 px high: read at twice their size."""

MAX_CELL_COST: Final = 60.0
SIGNS_COST: Final = 3.0
"""For a cell of signs alone (`***`, a dash), which readers overlook."""
MISSING_COST: Final = 3.0
MISSING_LETTER_COST: Final = 5.0
PLACE_COST: Final = 12.0
FREE_PLACE: Final = 0.3
"""Heights of a line that a cell's words may reach into the next column, or stand beside their own; the cost beyond."""
MOST_OVERHANG_COST: Final = 12.0
MOST_MISPLACED_COST: Final = 6.0
"""Typographies differ: the place of a span alone is no proof of a false label."""
EDGE: Final = 0.1
"""Share of a column's cells that may begin before it does."""

CERTAIN: Final = 1.0
"""A cell that costs less is as it should be."""
KNOWN: Final = 0.5
"""A letter: where a cell that costs less stands is known, though not every letter."""
N_LOOKED_AT: Final = 8
"""Cells that are looked at again in one go."""
MOST_LOOKS: Final = 5
LEAST_ROOM: Final = 0.5
MOST_ROOM: Final = 2.5
"""Width of the ink that is read for a text, as a share of what it should be by the letters that are known."""


class Reading:
    """A picture's lines, words and ink, and what stands in further places of it; each place is read once.

    Raises:
        RenderingError: rapidocr is not installed.
    """

    def __init__(self, image: Image.Image) -> None:
        scale = min(MAX_SCALE, max(1.0, READ_WIDTH_PX / image.width))
        self.lines = read_alternatives(image, scale)
        self.words = tuple(word for line in self.lines for word in words_of(line))
        self.ink = ink_of(image, float(np.median([line.height_px for line in self.lines])) if self.lines else 1.0)
        # Small print is read in two ways, grown smoothly and as it is: where one fails the other often does not.
        self._ways = {way: enlarged(image, way) for way in (scale, 1.0)}
        self._places: dict[Place, tuple[Line, ...]] = {}
        self._rows: dict[Line, tuple[int, int]] = {}
        heights = [bottom - top for top, bottom in map(self.rows_of, self.lines)]
        self.letters_px = float(np.median(heights)) if heights else 1.0
        """Height of a line's ink."""

    def rows_of(self, line: Line) -> tuple[int, int]:
        """First and last (not included) row of a line's ink."""
        if line not in self._rows:
            self._rows[line] = tight_rows(line, self.ink)
        return self._rows[line]

    def at(self, places: Sequence[Place]) -> list[tuple[Line, ...]]:
        """What stands in places of ink, with a pixel around each: the lines in order, once for each way of reading."""
        height, width = self.ink.shape
        for place in places:
            if place not in self._places:
                left, top, right, bottom = place
                grown = (max(0, left - 1), max(0, top - 1), min(width, right + 1), min(height, bottom + 1))
                self._places[place] = tuple(
                    read_places(pixels, scale, [grown])[0] for scale, pixels in self._ways.items()
                )
        return list(zip(*(self._places[place] for place in places), strict=True))


def read_table(image: Image.Image) -> Reading:
    """The reading of a picture (RGB), kept for the next markups that are compared with the same one.

    Raises:
        RenderingError: rapidocr is not installed.
    """
    return _read(image.size, image.tobytes())


@lru_cache(maxsize=4)
def _read(size: tuple[int, int], pixels: bytes) -> Reading:
    return Reading(Image.frombytes("RGB", size, pixels))


def cell_costs(shown: Sequence[Cell], matching: Matching, reading: Reading) -> tuple[list[float], list[Line]]:
    """What each of `shown` (the cells of `matching` that have a text) costs, and the lines that were read for them.

    Cells get the words that they are read from in the end; several that are read from one line together get none.
    """
    costs = [_text_cost(cell.text, cell.words) for cell in shown]
    shared: list[Line] = []
    for _ in range(MOST_LOOKS):
        looked_at, is_better = _look_again(shown, costs, shared, reading)
        if not is_better and (not looked_at or int(np.argmax(costs)) in looked_at):
            break  # the worst stays as bad as it is, however good the others are
    height = matching.line_height_px
    for most, off in (
        (MOST_OVERHANG_COST, _overhangs(shown, height)),
        (MOST_MISPLACED_COST, misplacements(shown, costs, height)),
    ):
        extra = (min(most, PLACE_COST * max(0.0, by - FREE_PLACE)) for by in off)
        costs = [cost + more for cost, more in zip(costs, extra, strict=True)]
    own = {word.line for cell in shown for word in cell.words}.difference(reading.lines)
    return [min(MAX_CELL_COST, cost) for cost in costs], [*own, *shared]


def stray_words(shown: Sequence[Cell], read: Sequence[Line], reading: Reading) -> list[tuple[Word, float]]:
    """The words that no cell says, each with what it costs to read nothing there.

    A word in a line that was `read` for a cell, or in one of a cell's words, is none: it is the same ink, read
    otherwise.
    """
    used = {word for cell in shown for word in cell.words}
    places = [
        *((word.left_px, word.line.y_px, word.right_px, word.line.y_px + word.line.height_px) for word in used),
        *((line.x_px, line.y_px, line.x_px + line.width_px, line.y_px + line.height_px) for line in read),
    ]
    left, top, right, bottom = np.array(places).reshape(-1, 4).T
    return [
        (word, min(MAX_CELL_COST, float(word.line.passing[slice(*word.steps)].sum(dtype=np.float64))))
        for word in reading.words
        if word not in used
        and not ((left <= word.x_px) & (word.x_px <= right) & (top <= word.y_px) & (word.y_px <= bottom)).any()
    ]


def _text_cost(text: str, words: Sequence[Word]) -> float:
    n_letters = sum(letter.isalnum() for letter in text)
    if not words:
        return MISSING_COST + MISSING_LETTER_COST * n_letters if n_letters else SIGNS_COST
    parts: dict[Line, tuple[int, int]] = {}
    for word in in_reading_order(words):
        first, last = parts.get(word.line, word.steps)
        parts[word.line] = (min(first, word.steps[0]), max(last, word.steps[1]))
    cost = reading_cost([(line, first, last) for line, (first, last) in parts.items()], text)
    return min(cost, MAX_CELL_COST if n_letters else SIGNS_COST)


def _look_again(
    shown: Sequence[Cell], costs: list[float], shared: list[Line], reading: Reading
) -> tuple[set[int], bool]:
    """Read the worst of the doubtful cells once more, where the cells around them leave room.

    Returns which were looked at, and whether any is better now. `shared` gets the lines that several are read from.
    """
    doubtful = [index for index in np.argsort(costs)[::-1].tolist() if costs[index] > CERTAIN]
    looked_at = set(doubtful[:N_LOOKED_AT])
    is_better = False
    for lines, readers in _places(shown, costs, doubtful, reading):
        if all(looked_at.isdisjoint(cells) for cells in readers):
            continue
        for read in reading.at(lines):
            parts = [(line, 0, len(line.costs)) for line in read]
            words = [word for line in read for word in words_of(line)]
            for cells in readers if words else []:
                text = "".join(shown[index].text for index in cells)
                cost = reading_cost(parts, text)
                if cost >= sum(costs[index] for index in cells):
                    continue
                if len(cells) == 1:
                    costs[cells[0]], shown[cells[0]].words, is_better = cost, words, True
                elif cost < KNOWN * len(text):
                    for index in cells:
                        costs[index], shown[index].words = 0.0, []
                    costs[cells[0]], is_better = cost, True
                    shared += read
    return looked_at, is_better


def _places(
    shown: Sequence[Cell], costs: Sequence[float], doubtful: Sequence[int], reading: Reading
) -> list[tuple[list[Place], list[tuple[int, ...]]]]:
    """Lines of ink between the known cells, and between the certain ones, and which doubtful cells may stand in them.

    Either one of them (its index), or all together that have the place between known cells to themselves, from left to
    right: a line with no gap between them.
    """
    candidates: dict[Place, list[int]] = {}
    letter_px = 0.0
    for most in (0.0, KNOWN):
        known = [
            cell
            for cell, cost in zip(shown, costs, strict=True)
            if cell.words and cost <= max(CERTAIN, most * len(cell.text))
        ]
        if not known:
            continue
        letter_px = float(np.median([_width(cell.words) / len(cell.text) for cell in known]))
        around = Surroundings(known, reading.ink, reading.rows_of)
        for index in sorted(doubtful, key=lambda index: shown[index].columns):
            for place in around.places(shown[index]):
                indices = candidates.setdefault(place, [])
                if index not in indices:
                    indices.append(index)
    found = []
    for place, indices in candidates.items():
        lines = lines_of_ink(reading.ink, place, reading.letters_px)
        width = sum(right - left for left, _, right, _ in lines)
        readers = [(index,) for index in indices] + ([tuple(indices)] if len(indices) > 1 else [])
        readers = [cells for cells in readers if _has_room(width / letter_px, sum(len(shown[i].text) for i in cells))]
        if readers:
            found.append((lines, readers))
    return found


def _width(words: Sequence[Word]) -> float:
    """How much of their lines words take, in px."""
    return sum(word.right_px - word.left_px for word in words)


def _has_room(width: float, n_letters: int) -> bool:
    """Whether ink (its width in letters) is about as wide as a text is long: what cannot be it is not read."""
    return LEAST_ROOM * n_letters <= width <= MOST_ROOM * (n_letters + 1)


def _overhangs(shown: Sequence[Cell], line_height_px: float) -> list[float]:
    """How far (in heights of a line) each cell's words reach over where those of a column beside its own begin."""
    single = [cell for cell in shown if cell.words and cell.columns[0] == cell.columns[1]]
    columns = np.array([cell.columns[0] for cell in single])
    left, right = np.array([cell.extent for cell in single]).reshape(-1, 2).T
    at = sorted(set(columns.tolist()))
    starts = {column: float(np.quantile(left[columns == column], EDGE)) for column in at}
    ends = {column: float(np.quantile(right[columns == column], 1 - EDGE)) for column in at}
    overhangs = []
    for cell in shown:
        over = 0.0
        if cell.words:
            first, last = cell.extent
            over = max(last - min((x for column, x in starts.items() if column > cell.columns[1]), default=last), over)
            over = max(max((x for column, x in ends.items() if column < cell.columns[0]), default=first) - first, over)
        overhangs.append(over / line_height_px)
    return overhangs
