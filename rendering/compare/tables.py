"""Tables against pictures of them: does each cell's text stand in the picture, in its row and its column?

The picture's text is read once, with what else each letter could be (`rendering.compare.alternatives`); its words are
given to cells by text and order (`rendering.compare.table_cells`); then each cell's text is scored against what was
read for it, and doubtful cells are looked at again (`rendering.compare.table_costs`), and the text of cells that span
columns against where such text may stand (`rendering.compare.table_spans`). Nothing is compared in pixels: a journal
sets the same table in other fonts, widths and line breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.alternatives import Line, folded
from rendering.compare.comparison import Comparison, Region
from rendering.compare.table_cells import Cell, Word, in_reading_order, match_cells
from rendering.compare.table_costs import cell_costs, read_table, stray_words
from rendering.result import Rendered

MEAN_WEIGHT: Final = 1.0
COST_SCALE: Final = 12.0
"""Costs are as in `rendering.compare.alternatives`: of a letter that is surely not there, 12."""

Points = npt.NDArray[np.float64]
"""Rows of (x, y)."""


def compare_table(source: Image.Image, rendered: Rendered) -> Comparison:
    """How well `rendered` (with the boxes of its cells) says what the picture `source` (RGB) shows.

    The score is exp(-c / 12), where c is the cost of the worst cell or stray word plus the mean over cells: one wrong
    letter costs up to 12. Parts: `word_recall` and `word_precision` (words of markup and picture, whatever their
    order), `text` and `position` of matched cells (Design2Code, Si et al., arXiv 2403.03163: Sørensen-Dice of letters,
    and one less the greater distance of the centres along an axis, as a share of the table), `worst` (exp(-cost / 12)
    of the worst). Regions: cells whose text is not in the picture (`text`), and cells beside which stray words stand
    (`stray`).

    Raises:
        RenderingError: rapidocr is not installed.
    """
    reading = read_table(source.convert("RGB"))
    matching = match_cells(rendered.boxes, reading.words)
    shown = [cell for cell in matching.cells if cell.text]
    if not shown:
        return Comparison(0.0 if reading.words else 1.0)
    costs, read = cell_costs(shown, matching, reading)
    strays = stray_words(shown, read, reading)
    every = [*costs, *(cost for _, cost in strays)]
    worst = max(every)
    score = float(np.exp(-(worst + MEAN_WEIGHT * sum(every) / len(shown)) / COST_SCALE))
    regions = [
        Region("text", cell.box.x_px, cell.box.y_px, cell.box.width_px, cell.box.height_px, " ".join(_read_as(cell)))
        for cell, cost in zip(shown, costs, strict=True)
        if cost > COST_SCALE / 2
    ]
    regions += [_beside(word, shown) for word, cost in strays if cost > COST_SCALE / 2]
    parts = {**_word_shares(shown, reading.lines), **_design2code(shown), "worst": float(np.exp(-worst / COST_SCALE))}
    return Comparison(score, parts, tuple(regions))


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
