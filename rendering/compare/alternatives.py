"""Lines of a picture with what else each could say: for asking not "what is read here?" but "can it be this text?".

A reader's best guess is wrong in about one letter in a hundred; what it holds for possible at each step along the line
is nearly always right. So a known text is scored by the cost of reading it there: CTC's best path (Graves et al.,
"Connectionist Temporal Classification", ICML 2006), its doubts squared, relative to the best guess.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.reading import shared_finder, shared_reader, tiles

READ_HEIGHT_PX: Final = 48
"""Of a line, as PP-OCR's recogniser takes it."""
NARROWEST: Final = 1.5
"""Width of what the recogniser is given, in its heights, at least."""
SMALLEST_SIDE_PX: Final = 3
MAX_STEP_COST: Final = 12.0
"""Nats, beyond which a doubt is certainty; and what certainty costs."""
MAX_SIGN_COST: Final = 3.0
"""Of one letter or digit that is not there, and of any other sign: readers overlook superscripts, dots and dashes."""
LAST_LETTER: Final = 0x2FFF
"""Beyond it begin the thousands of Chinese and Japanese characters, which count as one."""

# Signs that fonts hardly tell apart are one.
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("–—−‐‑―‒﹣－∼～~", "-"),
        **dict.fromkeys("’‘′`´ʹ", "'"),
        **dict.fromkeys("“”″", '"'),
        **dict.fromkeys("∗＊", "*"),
        **dict.fromkeys("·∙•", "."),
        **dict.fromkeys("‖│", "|"),
        "×": "x",
        "µ": "μ",
        "⩽": "≤",
        "⩾": "≥",
    }
)

Floats = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Line:
    """A line as read: its rectangle in picture pixels, its letters with the step that each was read at, and the costs.

    `costs` (steps × alphabet, float16) says for each step what each letter costs: by how much less likely it is than
    the likeliest (`_cost`); column 0 is "no letter". `passing` (steps) is what reading nothing may cost at each. A step
    is `step_px` wide.
    """

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    letters: tuple[tuple[int, str], ...]
    costs: Floats
    passing: Floats
    step_px: float


def folded(text: str) -> str:
    """`text` as the reader's alphabet has it: no white space or accents of their own, look-alike signs as one."""
    whole = unicodedata.normalize("NFKC", text.translate(_ALIKE)).translate(_ALIKE)
    return "".join(
        letter
        for letter in whole
        if letter.isprintable() and not letter.isspace() and not unicodedata.combining(letter)
    )


def read_alternatives(image: Image.Image, scale: float) -> tuple[Line, ...]:
    """The lines of `image` (RGB), found and read at `scale` times its size.

    Raises:
        RenderingError: rapidocr is not installed.
    """
    pixels = enlarged(image, scale)
    rectangles: list[tuple[float, ...]] = []
    for top, bottom in tiles(pixels):
        found: Any = shared_finder()(pixels[top:bottom])
        rectangles += [
            (*np.floor(corners.min(axis=0)), *np.ceil(corners.max(axis=0)))
            for corners in (() if found.boxes is None else found.boxes + np.array([0, top]))
        ]
    large = [place for place in rectangles if min(place[2] - place[0], place[3] - place[1]) >= SMALLEST_SIDE_PX]
    return _read(pixels, large, scale)


def read_places(
    pixels: npt.NDArray[np.uint8], scale: float, places: Sequence[tuple[float, float, float, float]]
) -> tuple[Line, ...]:
    """What stands in each of `places` (left, top, right, bottom) of the picture that `pixels` enlarges `scale` times.

    All have to lie in it.
    """
    return _read(pixels, [tuple(side * scale for side in place) for place in places], scale)


def reading_cost(parts: Sequence[tuple[Line, int, int]], text: str) -> float:
    """What the best way of reading `text` (folded) costs; infinite where it has no room.

    `parts` are lines with a first and a last step (not included), read one after the other. A letter that the reader's
    alphabet lacks may be anything.
    """
    index = alphabet()
    labels = np.array([index.get(letter, -1) for letter in text], dtype=np.int64)
    limits = np.array([MAX_STEP_COST if letter.isalnum() else MAX_SIGN_COST for letter in text])
    passing = np.concatenate([line.passing[first:last] for line, first, last in parts])
    reading = np.concatenate([line.costs[first:last, labels] for line, first, last in parts]).astype(np.float64)
    n_steps, n_states = len(passing), 2 * len(labels) + 1
    if n_steps < len(labels) or n_steps == 0:
        return float("inf")
    # States are no letter, first letter, no letter, second letter, …: a path stays, goes one on, or leaps over a
    # "no letter" between two letters that differ.
    states = np.empty((n_steps, n_states), dtype=np.float64)
    states[:, 0::2] = passing[:, None]
    states[:, 1::2] = np.where(labels >= 0, np.minimum(reading, limits), 0.0)
    leaps = np.zeros(n_states, dtype=bool)
    leaps[3::2] = labels[1:] != labels[:-1]
    reached = np.full(n_states + 2, np.inf)
    reached[2:4] = states[0, :2]
    for step in states[1:]:
        best = np.minimum(reached[2:], reached[1:-1])
        best = np.where(leaps, np.minimum(best, reached[:-2]), best)
        reached[2:] = best + step
    return float(reached[-2:].min())


@lru_cache(maxsize=1)
def alphabet() -> dict[str, int]:
    """The column of `Line.costs` of each letter."""
    return _columns()[0]


def _recogniser() -> Any:
    reader: Any = shared_reader()
    return reader._load_rec_model()  # noqa: SLF001 - what each letter costs is told nowhere else


def _cost(doubt: Floats) -> Floats:
    """What a doubt (nats) costs, by its square: small print is full of small doubts, a wrong letter is a great one."""
    cost: Floats = np.minimum(doubt, MAX_STEP_COST) ** 2 / MAX_STEP_COST
    return cost


def _passing(costs: Floats) -> Floats:
    """What it costs at each step to read nothing: more for a letter than for another sign."""
    is_sign = np.array([not letter.isalnum() for letter in alphabet()] + [False])
    limits = np.where(is_sign[costs.argmin(axis=1)], MAX_SIGN_COST, MAX_STEP_COST)
    return np.minimum(costs[:, 0], limits)


@lru_cache(maxsize=1)
def _columns() -> tuple[dict[str, int], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Letters and their column; the reader's characters in the order of columns; where each column begins there.

    The last column is all characters that are no letter of the alphabet.
    """
    characters: list[str] = _recogniser().postprocess_op.character
    index = {"": 0}
    groups = np.zeros(len(characters), dtype=np.int64)
    for number, character in enumerate(characters):
        letter = folded(character) if number and character != " " else ""
        if not letter:
            continue  # "no letter", and spaces, which no text has here
        if len(letter) > 1 or ord(letter) > LAST_LETTER:
            groups[number] = -1
        else:
            groups[number] = index.setdefault(letter, len(index))
    groups[groups < 0] = len(index)
    order = np.argsort(groups, kind="stable")
    return index, order, np.searchsorted(groups[order], np.arange(int(groups.max()) + 1))


def enlarged(image: Image.Image, scale: float) -> npt.NDArray[np.uint8]:
    """The pixels of `image` (RGB) at `scale` times its size, as the reader takes them: blue first."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    grown = image if scale == 1.0 else image.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(grown.convert("RGB"))[:, :, ::-1])


def _read(pixels: npt.NDArray[np.uint8], rectangles: Sequence[Any], scale: float) -> tuple[Line, ...]:
    """Recognise each rectangle of `pixels`; one at a time, for in a batch each is padded to the widest."""
    recogniser = _recogniser()
    _, order, starts = _columns()
    height_px, width_px = pixels.shape[:2]
    lines = []
    for place in rectangles:
        left, top = max(0, int(place[0])), max(0, int(place[1]))
        right, bottom = min(width_px, int(np.ceil(place[2]))), min(height_px, int(np.ceil(place[3])))
        crop = pixels[top:bottom, left:right]
        ratio = (right - left) / (bottom - top)
        ready: Any = recogniser.resize_norm_img(crop, max(NARROWEST, ratio)).astype(np.float32)[None]
        chances: Any = recogniser.session(ready)[0]
        step = ready.shape[3] / len(chances)
        chances = chances[: max(1, int(np.ceil(READ_HEIGHT_PX * ratio / step)))]
        logs: Any = np.log(np.maximum(np.add.reduceat(chances[:, order], starts, axis=1), 1e-9))
        costs = _cost(logs.max(axis=1, keepdims=True) - logs).astype(np.float16)
        lines.append(
            Line(
                left / scale,
                top / scale,
                (right - left) / scale,
                (bottom - top) / scale,
                _letters(chances),
                costs,
                _passing(costs),
                step * (bottom - top) / READ_HEIGHT_PX / scale,
            )
        )
    return tuple(lines)


def _letters(chances: Floats) -> tuple[tuple[int, str], ...]:
    """The likeliest reading: runs of one character are one, and 0 is none."""
    characters: list[str] = _recogniser().postprocess_op.character
    best = chances.argmax(axis=1)
    begins = np.flatnonzero(np.diff(best, prepend=0) != 0)
    return tuple((int(step), characters[best[step]]) for step in begins if best[step] != 0)
