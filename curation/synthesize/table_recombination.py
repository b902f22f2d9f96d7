"""Tables put together from parts of many others: header of one, rows of another, words of several, numbers of none.

Header and rows come from tables with as many columns; rows are repeated and left out; what cells say is drawn anew:
numbers by the pattern of their digits, words from cells of the same kind and about the same length.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Final, Literal

from curation.classes.sample_classes import classes_of
from curation.generate.choose import between, pick, pick_some
from curation.synthesize.table_grid import GridCell, Row, TableGrid, blocks_of, read_table

Kind = Literal["head", "stub", "cell"]
Place = tuple[Kind, str, int]
"""What a text is (heading, label of a row, value), which tags stand in it, and about how long it is."""

_TAG: Final = re.compile(r"<(\w+)")
_WITHOUT_TAGS: Final = re.compile(r"<[^>]*>|&#?\w+;")
_DIGITS: Final = re.compile(r"\d+")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_LONG_WORDS: Final = 6
"""A text with more words is made of the halves of two."""

_THEMES: Final = 6
"""Tables whose words one made table takes before all others."""


class TableParts:
    """The parts of a reference; makes tables of them."""

    def __init__(self, tables: Iterable[str]) -> None:
        read = [(text, grid) for text in tables if (grid := read_table(text)) is not None and grid.body]
        self._grids = [grid for _, grid in read]
        self._by_columns: dict[int, list[int]] = defaultdict(list)
        self._with_class: dict[str, list[int]] = defaultdict(list)
        self._texts: dict[Place, list[tuple[int, str]]] = defaultdict(list)
        for number, (text, grid) in enumerate(read):
            self._by_columns[grid.n_columns].append(number)
            for name in classes_of("table_to_html", text, None) or ():
                self._with_class[name].append(number)
            for kind, cell in _cells_of(grid):
                if cell.inner and not _is_number(cell.inner):
                    self._texts[_place(kind, cell.inner)].append((number, cell.inner))

    def __len__(self) -> int:
        return len(self._grids)

    def has(self, name: str) -> bool:
        """Whether a table of the reference has this class."""
        return name in self._with_class

    def make(self, rng: Random, wanted: Sequence[str] = ()) -> TableGrid:
        """One table, begun from one with as many of the `wanted` classes as any has."""
        return self.filled(rng, self._frame(rng, wanted))

    def filled(self, rng: Random, grid: TableGrid) -> TableGrid:
        """The table with other words and numbers, and the attributes of a table of the reference."""
        themes = set(pick_some(rng, range(len(self._grids)), min(_THEMES, len(self._grids))))
        said: dict[str, str] = {}

        def other(kind: Kind, cell: GridCell) -> GridCell:
            if not cell.inner:
                return cell
            if _is_number(cell.inner):
                return replace(cell, inner=other_digits(rng, cell.inner))
            if kind == "stub" or cell.inner not in said:  # rows have a label each; headings and values come again
                said[cell.inner] = self._text(rng, kind, cell.inner, themes, set(said.values()))
            return replace(cell, inner=said[cell.inner])

        def rows(found: Sequence[Row], first: Kind, others: Kind) -> tuple[Row, ...]:
            places = (first, others)
            return tuple(tuple(other(places[min(i, 1)], cell) for i, cell in enumerate(row)) for row in found)

        opening = self._grids[pick(rng, range(len(self._grids)))].opening
        return replace(
            grid,
            head=rows(grid.head, "head", "head"),
            body=rows(grid.body, "stub", "cell"),
            foot=rows(grid.foot, "stub", "cell"),
            opening=opening,
        )

    def _frame(self, rng: Random, wanted: Sequence[str]) -> TableGrid:
        known = [name for name in wanted if name in self._with_class]
        numbers: Sequence[int] = range(len(self._grids))
        if known:
            sets = [set(self._with_class[name]) for name in known]
            most = max(sum(number in one for one in sets) for number in set().union(*sets))
            numbers = sorted(n for n in set().union(*sets) if sum(n in one for one in sets) == most)
        base = self._grids[pick(rng, numbers)]
        if known and rng.random() < 0.5:  # it has what is asked for as it is
            return base
        alike = [self._grids[number] for number in self._by_columns[base.n_columns]]
        head = base.head if known or rng.random() < 0.5 else pick(rng, alike).head
        body = _resized(rng, base.body, len(pick(rng, alike).body))
        return replace(base, head=head, body=body)

    def _text(self, rng: Random, kind: Kind, text: str, themes: set[int], used: set[str]) -> str:
        """Another text of this kind, markup and length; the text with other digits where there is none."""
        known = self._texts.get(_place(kind, text), ())
        near = [other for number, other in known if number in themes and other != text]
        fresh = [other for _, other in known if other not in used]
        others = [other for other in near if other not in used] or fresh or near
        if not others:
            return other_digits(rng, text)
        chosen = pick(rng, others)
        words = chosen.split(" ")
        if len(words) > _LONG_WORDS and "<" not in chosen:
            second = [other for _, other in known if "<" not in other and other != chosen]
            if second:
                tail = pick(rng, second).split(" ")
                cut = between(rng, 2, len(words) - 2)
                words = [*words[:cut], *tail[min(cut, max(1, len(tail) - 2)) :]]
        return other_digits(rng, " ".join(words))


def other_digits(rng: Random, text: str) -> str:
    """The text with other numbers of as many digits; leading zeros and the century of a year stay."""
    kept = [match.span() for match in (*_YEAR.finditer(text), *_WITHOUT_TAGS.finditer(text))]

    def drawn(match: re.Match[str]) -> str:
        digits, start = match[0], match.start()
        if any(a <= start < b for a, b in kept):
            is_year = _YEAR.fullmatch(digits) is not None
            return digits[:2] + f"{between(rng, 0, 9)}{between(rng, 0, 9)}" if is_year else digits
        if set(digits) == {"0"} or digits == "100":
            return digits
        first = "0" if digits[0] == "0" else str(between(rng, 1, 9)) if len(digits) > 1 else str(between(rng, 0, 9))
        return first + "".join(str(between(rng, 0, 9)) for _ in digits[1:])

    return _DIGITS.sub(drawn, text)


def _resized(rng: Random, rows: Sequence[Row], n_rows: int) -> tuple[Row, ...]:
    """The rows with some left out or repeated beside themselves, until they are about `n_rows`."""
    blocks = blocks_of(rows)
    while len(blocks) > 1 and sum(map(len, blocks)) > n_rows:
        del blocks[int(rng.random() * len(blocks))]
    while sum(map(len, blocks)) < n_rows and len(blocks) < 200:
        place = int(rng.random() * len(blocks))
        blocks.insert(place, blocks[place])
    return tuple(row for block in blocks for row in block)


def _cells_of(grid: TableGrid) -> Iterable[tuple[Kind, GridCell]]:
    for row in grid.head:
        for cell in row:
            yield "head", cell
    for row in (*grid.body, *grid.foot):
        for i, cell in enumerate(row):
            yield ("stub" if i == 0 else "cell"), cell


def _plain(inner: str) -> str:
    return _WITHOUT_TAGS.sub("", inner).strip()


def _is_number(inner: str) -> bool:
    """Whether a cell is figures rather than words."""
    text = _plain(inner)
    return sum(ch.isdigit() for ch in text) > 0 and sum(ch.isalpha() for ch in text) <= 2


def _place(kind: Kind, inner: str) -> Place:
    n_chars = len(_plain(inner))
    steps = (1, 2, 4, 7, 10, 14, 19, 26, 36, 50, 80, 140)
    return kind, " ".join(sorted(_TAG.findall(inner))), sum(n_chars >= step for step in steps)
