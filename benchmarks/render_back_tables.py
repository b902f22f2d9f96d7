"""True pairs of table pictures and markup, and ways to make one false: for `render_back.py`.

The pictures are PubTabNet's own 20 (a journal's typography), then tables of `pubtabnet-markup-only` and
`fintabnet-markup-only` rendered in the product's `journal` profile (fonts, rules, widths, JPEG, blur).
"""

from __future__ import annotations

import itertools
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image
from render_back_pair import DATA, Corruption, Pair
from selectolax.lexbor import LexborHTMLParser

from curation.markup.canonical import Canonical
from curation.markup.tables import canonical_table

JOURNAL_DATA = ("pubtabnet-markup-only", "fintabnet-markup-only")
MAX_CELLS = 400
"""Above it a table is a page of its own, and reading it takes half a minute."""


def true_pairs(n: int, seed: int) -> Iterator[Pair]:
    """PubTabNet's 20 pictures, then journal-styled renders up to `n`."""
    pairs = list(_pubtabnet())[:n]
    yield from pairs
    yield from _journal(n - len(pairs), seed)


def _pubtabnet() -> Iterator[Pair]:
    from rendering.pixels import decode_rgb

    for row in pq.read_table(_file("pubtabnet-html")).to_pylist():
        picture, markup = decode_rgb(row["image"]["bytes"]), canonical_table(row["html_table"])
        if isinstance(picture, Image.Image) and isinstance(markup, Canonical):
            yield Pair(picture, markup.text, "pubtabnet")


def _journal(n: int, seed: int) -> Iterator[Pair]:
    from rendering.pixels import decode_rgb
    from rendering.profiles import PROFILES
    from rendering.renderer import Renderer
    from rendering.result import Rendered
    from rendering.spec import RenderSpec
    from rendering.variation import finish, vary

    rows = [row for name in JOURNAL_DATA for row in pq.read_table(_file(name)).to_pylist()]
    found = [(str(row["name"]), canonical_table(row["html_table"])) for row in rows]
    tables = [
        (name, table.text)
        for name, table in found
        if isinstance(table, Canonical) and table.text.count("<td") + table.text.count("<th") <= MAX_CELLS
    ]
    tables = random.Random(seed).sample(tables, max(0, min(n, len(tables))))
    variations = [vary(PROFILES["journal"], RenderSpec(kind="table"), name, seed, text) for name, text in tables]
    with Renderer() as renderer:
        made = renderer.render([text for _, text in tables], [variation.spec for variation in variations])
    for (_, text), variation, rendered in zip(tables, variations, made, strict=True):
        if isinstance(rendered, Rendered):
            picture = decode_rgb(finish(rendered, variation).data)
            if isinstance(picture, Image.Image):
                yield Pair(picture, text, "journal", variation.spec)


def _file(name: str) -> Path:
    return DATA / name / "train-00000-of-00001.parquet"


@dataclass(eq=False)
class Cell:
    """A cell as it is written, for editing."""

    tag: str
    attributes: dict[str, str | None]
    html: str
    colspan: int = 1
    rowspan: int = 1

    @property
    def text(self) -> str:
        """The letters that a reader sees, without white space."""
        return "".join(re.sub(r"<[^>]*>", "", self.html).split())

    def write(self) -> str:
        """The cell's markup."""
        spans = {"colspan": self.colspan, "rowspan": self.rowspan}
        told = {**self.attributes, **{name: str(n) for name, n in spans.items() if n > 1}}
        attributes = "".join(f' {name}="{value or ""}"' for name, value in told.items())
        return f"<{self.tag}{attributes}>{self.html}</{self.tag}>"


@dataclass(eq=False)
class Table:
    """Row groups of rows of cells, and what comes before them."""

    before: str = ""
    groups: list[tuple[str, list[list[Cell]]]] = field(default_factory=list)

    @property
    def rows(self) -> list[list[Cell]]:
        """All rows, from above to below."""
        return [row for _, rows in self.groups for row in rows]

    @property
    def cells(self) -> list[Cell]:
        """All cells that say something."""
        return [cell for row in self.rows for cell in row if cell.text]

    def write(self) -> str:
        """The table's markup."""
        groups = (
            f"<{tag}>{''.join('<tr>' + ''.join(cell.write() for cell in row) + '</tr>' for row in rows)}</{tag}>"
            for tag, rows in self.groups
        )
        return f"<table>{self.before}{''.join(groups)}</table>"

    def grid(self) -> list[list[Cell]]:
        """The cell that covers each place (canonical tables: no holes, no overlaps)."""
        grid: list[list[Cell | None]] = [[] for _ in self.rows]
        for index, row in enumerate(self.rows):
            for cell in row:
                column = next((i for i, owner in enumerate(grid[index]) if owner is None), len(grid[index]))
                for line in grid[index : index + cell.rowspan]:
                    line.extend([None] * (column + cell.colspan - len(line)))
                    line[column : column + cell.colspan] = [cell] * cell.colspan
        return [[cell for cell in line if cell is not None] for line in grid]


def _read(markup: str) -> Table:
    element = LexborHTMLParser(markup).css_first("table")
    assert element is not None
    table = Table()
    for part in element.iter():
        if part.tag not in {"thead", "tbody", "tfoot"}:
            table.before += str(part.html)
            continue
        rows = []
        for row in part.iter():
            cells = []
            for cell in row.iter():
                attributes = dict(cell.attributes)
                spans = [int(attributes.pop(name, None) or 1) for name in ("colspan", "rowspan")]
                cells.append(Cell(str(cell.tag), attributes, cell.inner_html or "", *spans))
            rows.append(cells)
        table.groups.append((str(part.tag), rows))
    return table


def _edited(edit: Callable[[Table, random.Random], bool]) -> Corruption:
    """`edit` as a corruption: tried ten times, kept where the table is still one and shows something else."""

    def corrupt(markup: str, chooser: random.Random) -> str | None:
        shown = _shown(_read(markup))
        for _ in range(10):
            table = _read(markup)
            if edit(table, chooser):
                made = canonical_table(table.write())
                if isinstance(made, Canonical) and _shown(_read(made.text)) != shown:
                    return made.text
        return None

    return corrupt


def _shown(table: Table) -> list[list[tuple[int, str]]]:
    """What a reader can see of a table: which cell covers each place of its grid, and the letters in it."""
    grid = table.grid()
    order = {id(cell): number for number, cell in enumerate(cell for row in table.rows for cell in row)}
    return [[(order[id(cell)], cell.text) for cell in line] for line in grid]


def _change_text(table: Table, chooser: random.Random) -> bool:
    """One cell says what another cell of the table says."""
    if len(table.cells) < 2:
        return False
    cell, other = chooser.sample(table.cells, 2)
    cell.html = other.html
    return True


def _change_symbol(table: Table, chooser: random.Random) -> bool:
    """One letter or digit of one cell is another one."""
    places = [
        (cell, found.start(1))
        for cell in table.cells
        for found in re.finditer(r"<[^>]*>|&[^;\s]*;|([A-Za-z0-9])", cell.html)
        if found[1]
    ]
    if not places:
        return False
    cell, i = chooser.choice(places)
    kinds = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
    others = next(kind for kind in kinds if cell.html[i] in kind).replace(cell.html[i], "")
    cell.html = cell.html[:i] + chooser.choice(others) + cell.html[i + 1 :]
    return True


def _remove_row(table: Table, chooser: random.Random) -> bool:
    grid = table.grid()
    whole = [
        (rows, row)
        for _, rows in table.groups
        for row in rows
        if any(cell.text for cell in row) and all(cell.rowspan == 1 for cell in row) and row in grid_rows(grid)
    ]
    if len(table.rows) < 2 or not whole:
        return False
    rows, row = chooser.choice(whole)
    rows.remove(row)
    return True


def grid_rows(grid: list[list[Cell]]) -> list[list[Cell]]:
    """Each grid line's cells, each once."""
    return [list(dict.fromkeys(line)) for line in grid]


def _remove_column(table: Table, chooser: random.Random) -> bool:
    grid = table.grid()
    if len(grid[0]) < 2:
        return False
    column = chooser.randrange(len(grid[0]))
    for cell in dict.fromkeys(line[column] for line in grid):
        if cell.colspan > 1:
            cell.colspan -= 1
        else:
            next(row for row in table.rows if cell in row).remove(cell)
    return True


def _swap(a: Cell, b: Cell) -> None:
    a.html, b.html = b.html, a.html


def _swap_cells(table: Table, chooser: random.Random) -> bool:
    if len(table.cells) < 2:
        return False
    _swap(*chooser.sample(table.cells, 2))
    return True


def _swap_rows(table: Table, chooser: random.Random) -> bool:
    """Two rows next to each other change what they say."""
    lines = grid_rows(table.grid())
    places = [
        (above, below)
        for above, below in itertools.pairwise(lines)
        if [cell.colspan for cell in above] == [cell.colspan for cell in below]
        and all(cell.rowspan == 1 for cell in above + below)
    ]
    if not places:
        return False
    for a, b in zip(*chooser.choice(places), strict=True):
        _swap(a, b)
    return True


def _swap_columns(table: Table, chooser: random.Random) -> bool:
    """Two columns next to each other change what they say, but for cells that span both."""
    grid = table.grid()
    if len(grid[0]) < 2:
        return False
    column = chooser.randrange(len(grid[0]) - 1)
    pairs = [
        pair for pair in dict.fromkeys((line[column], line[column + 1]) for line in grid) if pair[0] is not pair[1]
    ]
    if any(a.colspan > 1 or b.colspan > 1 or a.rowspan != b.rowspan for a, b in pairs):
        return False
    for a, b in pairs:
        _swap(a, b)
    return True


def _narrow_span(table: Table, chooser: random.Random) -> bool:
    """A cell gives a column of its span to an empty cell on its right."""
    places = [(row, cell) for row in table.rows for cell in row if cell.colspan > 1 and cell.text]
    if not places:
        return False
    row, cell = chooser.choice(places)
    cell.colspan -= 1
    row.insert(row.index(cell) + 1, Cell(cell.tag, {}, "", 1, cell.rowspan))
    return True


def _widen_span(table: Table, chooser: random.Random) -> bool:
    """A cell takes in an empty neighbour on its right."""
    places = [
        (row, a, b)
        for row in table.rows
        for a, b in itertools.pairwise(row)
        if a.text and not b.text and a.rowspan == b.rowspan == 1
    ]
    if not places:
        return False
    row, cell, empty = chooser.choice(places)
    cell.colspan += empty.colspan
    row.remove(empty)
    return True


corruptions: dict[str, Corruption] = {
    "text_changed": _edited(_change_text),
    "symbol_changed": _edited(_change_symbol),
    "row_removed": _edited(_remove_row),
    "column_removed": _edited(_remove_column),
    "cells_swapped": _edited(_swap_cells),
    "rows_swapped": _edited(_swap_rows),
    "columns_swapped": _edited(_swap_columns),
    "span_narrower": _edited(_narrow_span),
    "span_wider": _edited(_widen_span),
}
