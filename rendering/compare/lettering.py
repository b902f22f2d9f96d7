"""What a page says by its markup against what was read in a picture: words found, missing and left over.

Lines break elsewhere in another font, and a reader joins and splits lines as it likes; so lines are first given to
paragraphs, and then a paragraph's letters are held against the letters read for it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import numpy.typing as npt

from rendering.compare.reading import TextLine
from rendering.result import Box

Floats = npt.NDArray[np.float64]

LEAST_MATCH: Final = 0.5
"""Matches under it are none (Design2Code's threshold)."""
LEAST_RUN: Final = 3
"""Letters in a row that have to agree."""
DISTANCE_WEIGHT: Final = 0.4
"""How much of a match's worth the longest way costs: between equal texts, the nearer one wins."""

# Letters that are the same stroke in many fonts: a reader cannot tell them apart, so neither do we.
_ALIKE: Final = str.maketrans({"1": "l", "i": "l", "ı": "l", "0": "o", "5": "s"})


@dataclass(frozen=True)
class Word:
    """A word of the markup: as it stands there, its letters and digits, and the box of its line."""

    text: str
    letters: str
    box: Box


@dataclass(frozen=True)
class Paragraph:
    """Words of one block, in reading order."""

    words: tuple[Word, ...]

    @property
    def letters(self) -> str:
        """All of its letters, without spaces."""
        return "".join(word.letters for word in self.words)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Its lines."""
        return tuple(dict.fromkeys(word.box for word in self.words))


@dataclass(frozen=True)
class Found:
    """Paragraphs and the lines read that say the same."""

    paragraphs: tuple[Paragraph, ...]
    lines: tuple[TextLine, ...]
    similarity: float
    """Sørensen-Dice of the letters, as Design2Code's text similarity, in order."""
    missing: tuple[Word, ...]
    """Words of the markup that were not read."""
    left_over: tuple[tuple[TextLine, str], ...]
    """Letters read (and where) that the markup does not have."""
    ties: tuple[tuple[Box, TextLine], ...]
    """Lines of the markup, and the lines read (or the parts of them) that hold most of their letters."""


@dataclass(frozen=True)
class Lettering:
    """How the text of a page and the text of a picture go together."""

    found: tuple[Found, ...]
    missing: tuple[Paragraph, ...]
    left_over: tuple[TextLine, ...]


@dataclass(frozen=True)
class Faults:
    """What the two do not have in common: words that were not read, and letters read (and where) that nobody wrote."""

    missing: tuple[Word, ...]
    left_over: tuple[tuple[TextLine, str], ...]

    @property
    def n_letters(self) -> int:
        """How much that is, on both sides."""
        return sum(len(word.letters) for word in self.missing) + sum(len(letters) for _, letters in self.left_over)


def faults_of(lettering: Lettering) -> Faults:
    """All that is missing or left over, but for what is missing in one paragraph and left over in another.

    The end of a line may well stand in two paragraphs (`to those in need`), and go to the wrong one.
    """
    missing = [list(some.missing) for some in lettering.found] + [list(alone.words) for alone in lettering.missing]
    left_over = [pair for some in lettering.found for pair in some.left_over]
    left_over += [(line, letters_of(line.text)) for line in lettering.left_over]
    kept = []
    for line, letters in left_over:
        for words in missing:
            at = _words_of(words, letters)
            if at is not None:
                del words[at]
                break
        else:
            kept.append((line, letters))
    return Faults(tuple(word for words in missing for word in words), tuple(kept))


def _words_of(words: Sequence[Word], letters: str) -> slice | None:
    """Where `words` have just these letters, one or several in a row."""
    for first in range(len(words)):
        joined = ""
        for last in range(first, len(words)):
            joined += words[last].letters
            if joined == letters:
                return slice(first, last + 1)
            if not letters.startswith(joined):
                break
    return None


def letters_of(text: str) -> str:
    """Letters and digits alone, without case, those that look alike made one."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in folded if char.isalnum()).translate(_ALIKE)


def paragraphs_of(boxes: Sequence[Box]) -> tuple[Paragraph, ...]:
    """The text of a render, by block."""
    blocks: dict[int, list[Word]] = {}
    for box in boxes:
        words = [Word(part, letters, box) for part in box.text.split() if (letters := letters_of(part))]
        if words:
            blocks.setdefault(box.block, []).extend(words)
    return tuple(Paragraph(tuple(words)) for words in blocks.values())


def match_text(
    paragraphs: Sequence[Paragraph],
    lines: Sequence[TextLine],
    size: tuple[float, float],
    source_size: tuple[float, float],
) -> Lettering:
    """Give lines read to paragraphs, and compare their letters.

    Lines go to lines one to one where that makes the sum of similarities largest (the Hungarian method, as in
    Design2Code), what is left over to the paragraph that holds it. Sizes are widths and heights of the two pictures.
    """
    lines = [line for line in lines if letters_of(line.text)]
    links = _links(paragraphs, lines, size, source_size)
    found = []
    for some_paragraphs, some_lines in _groups(links):
        found.append(_compare([paragraphs[p] for p in some_paragraphs], [lines[at] for at in some_lines]))
    in_links = ({p for p, _ in links}, {at for _, at in links})
    return Lettering(
        tuple(found),
        tuple(paragraph for p, paragraph in enumerate(paragraphs) if p not in in_links[0]),
        tuple(line for at, line in enumerate(lines) if at not in in_links[1]),
    )


def _links(
    paragraphs: Sequence[Paragraph],
    lines: Sequence[TextLine],
    size: tuple[float, float],
    source_size: tuple[float, float],
) -> set[tuple[int, int]]:
    """Pairs (paragraph, line read) that belong together."""
    if not paragraphs or not lines:
        return set()
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; scipy has no types

    said, read = [paragraph.letters for paragraph in paragraphs], [letters_of(line.text) for line in lines]
    shared, n_said, n_read = _shared_triples(said, read)
    slots = [(p, box) for p, paragraph in enumerate(paragraphs) for box in paragraph.boxes]
    owner = np.array([p for p, _ in slots])
    places = np.array([(b.x_px + b.width_px / 2, b.y_px + b.height_px / 2) for _, b in slots]) / size
    read_at = np.array([(at.x_px + at.width_px / 2, at.y_px + at.height_px / 2) for at in lines]) / source_size
    distance = np.abs(places[:, None] - read_at[None]).max(axis=2)
    # How much of a line read stands in a paragraph: a line is never longer than the paragraph that it belongs to.
    inside = shared / n_read
    inside[inside < _share_of_whole_paragraphs(said, read, shared / n_said[:, None]) - 0.05] = 0.0
    worth = np.where(inside >= LEAST_MATCH, inside, 0.0)[owner] * (1 - DISTANCE_WEIGHT * np.minimum(distance, 1))
    chosen = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    links = {(int(owner[slot]), int(at)) for slot, at in chosen if worth[slot, at] > 0}

    nearest = np.full(shared.shape, np.inf)
    np.minimum.at(nearest, owner, distance)
    nearness = 1 - DISTANCE_WEIGHT * np.minimum(nearest, 1)
    # A paragraph may break into more lines there than here.
    for at in set(range(len(lines))) - {at for _, at in links}:
        best = int((inside[:, at] * nearness[:, at]).argmax())
        if inside[best, at] >= LEAST_MATCH:
            links.add((best, at))
    # A line may run over several paragraphs, as long as there are letters in it that nobody else has.
    holds = shared / n_said[:, None] * nearness
    free = np.array([len(letters) for letters in read], dtype=np.float64)
    for p, at in links:
        free[at] -= min(len(said[p]), len(read[at]))
    for p in sorted(set(range(len(paragraphs))) - {p for p, _ in links}, key=lambda p: -len(said[p])):
        possible = np.where(free >= LEAST_MATCH * len(said[p]), holds[p], 0.0)
        best = int(possible.argmax())
        if possible[best] >= LEAST_MATCH * nearness[p, best]:
            links.add((p, best))
            free[best] -= len(said[p])
    return links


def _share_of_whole_paragraphs(said: Sequence[str], read: Sequence[str], holds: Floats) -> Floats:
    """How much of each line read is paragraphs that stand in it whole: `Home About Contact` is three of them."""
    lengths = np.array([len(letters) for letters in said], dtype=np.float64)
    room = np.array([len(letters) for letters in read], dtype=np.float64)
    whole = (holds >= 0.9) & (lengths[:, None] <= room)
    for repeated in [p for p, letters in enumerate(said) if letters in said[:p]]:
        whole[repeated] = False
    return np.asarray(np.minimum((whole * lengths[:, None]).sum(axis=0) / room, 1.0))


def _shared_triples(first: Sequence[str], second: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """How many kinds of three letters in a row two texts have in common, each with each; and each has by itself."""
    kinds: dict[str, int] = {}
    counted = [
        [kinds.setdefault(text[at : at + 3], len(kinds)) for at in range(max(1, len(text) - 2))]
        for text in (*first, *second)
    ]
    table = np.zeros((len(counted), len(kinds)), dtype=np.float64)
    for row, triples in enumerate(counted):
        table[row, triples] = 1.0
    a, b = table[: len(first)], table[len(first) :]
    return a @ b.T, a.sum(axis=1), b.sum(axis=1)


def _groups(links: set[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Paragraphs and lines that hang together, in order."""
    group_of: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for p, at in sorted(links):
        a, b = ("paragraph", p), ("line", at)
        joined = group_of.get(a, {a}) | group_of.get(b, {b})
        for member in joined:
            group_of[member] = joined
    groups = {id(group): group for group in group_of.values()}.values()
    return [
        (sorted(i for kind, i in group if kind == "paragraph"), sorted(i for kind, i in group if kind == "line"))
        for group in groups
    ]


def _compare(paragraphs: list[Paragraph], lines: list[TextLine]) -> Found:
    words = [word for paragraph in paragraphs for word in paragraph.words]
    ordered = _in_reading_order(lines)
    said = "".join(word.letters for word in words)
    read_parts = [letters_of(line.text) for line in ordered]
    read = "".join(read_parts)
    blocks = SequenceMatcher(None, said, read, autojunk=False).get_matching_blocks()
    # One or two letters are found by chance between any two words.
    least = min(LEAST_RUN, len(said), len(read))
    blocks = [block for block in blocks if block.size >= least]
    said_matched, read_matched = np.zeros(len(said), dtype=bool), np.zeros(len(read), dtype=bool)
    partner = np.full(len(said), -1)
    for block in blocks:
        said_matched[block.a : block.a + block.size] = True
        read_matched[block.b : block.b + block.size] = True
        partner[block.a : block.a + block.size] = np.arange(block.b, block.b + block.size)
    line_of = np.repeat(np.arange(len(ordered)), [len(part) for part in read_parts])

    missing, start = [], 0
    shared: dict[tuple[Box, int], list[int]] = {}
    for word in words:
        end = start + len(word.letters)
        if said_matched[start:end].mean() < LEAST_MATCH:
            missing.append(word)
        for at in partner[start:end]:
            if at >= 0:
                shared.setdefault((word.box, int(line_of[at])), []).append(int(at))
        start = end
    begins = np.cumsum([0, *map(len, read_parts)])
    ties: dict[Box, TextLine] = {}
    for (box, at), letters in sorted(shared.items(), key=lambda item: -len(item[1])):
        if box not in ties:
            ties[box] = _part(
                ordered[at], min(letters) - begins[at], max(letters) + 1 - begins[at], len(read_parts[at])
            )
    return Found(
        tuple(paragraphs),
        tuple(ordered),
        2 * float(said_matched.sum()) / (len(said) + len(read)),
        tuple(missing),
        tuple(_runs(ordered, line_of, read, read_matched)),
        tuple(ties.items()),
    )


def _part(line: TextLine, first: int, last: int, n_letters: int) -> TextLine:
    """The letters `first` to `last` of a line's `n_letters`, about where they stand: letters taken as equally wide."""
    if last - first >= 0.9 * n_letters:
        return line
    letter_px = line.width_px / n_letters
    return replace(line, x_px=line.x_px + first * letter_px, width_px=(last - first) * letter_px)


def _runs(
    lines: list[TextLine], line_of: npt.NDArray[np.int64], read: str, matched: npt.NDArray[np.bool_]
) -> list[tuple[TextLine, str]]:
    """Unmatched letters that stand together, by line."""
    runs: list[tuple[TextLine, str]] = []
    previous = -2
    for at in np.flatnonzero(~matched):
        line = lines[line_of[at]]
        if at == previous + 1 and runs and runs[-1][0] is line:
            runs[-1] = (line, runs[-1][1] + read[at])
        else:
            runs.append((line, read[at]))
        previous = int(at)
    return runs


def _in_reading_order(lines: list[TextLine]) -> list[TextLine]:
    """From above to below; what overlaps by half its height stands in one row, read from the left."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.y_px + line.height_px / 2):
        middle = line.y_px + line.height_px / 2
        last = rows[-1][0] if rows else None
        if (
            last
            and middle < last.y_px + last.height_px
            and middle - last.y_px - last.height_px / 2 < line.height_px / 2
        ):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.x_px)]
