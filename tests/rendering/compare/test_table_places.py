"""Ink and free places of a table's picture: where what a reader overlooked is looked for."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rendering.compare.alternatives import Line
from rendering.compare.table_cells import Cell, Word
from rendering.compare.table_places import Surroundings, ink_of, lines_of_ink, tight_rows
from rendering.result import Box

FONT = ImageFont.load_default(10)
LETTERS_PX = 9.0


def picture(*texts: tuple[int, int, str], band: tuple[int, int] | None = None) -> Image.Image:
    image = Image.new("RGB", (240, 80), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    if band:
        draw.rectangle((0, band[0], 239, band[1]), fill=(217, 236, 242))
    for x, y, text in texts:
        draw.text((x, y), text, fill=(40, 40, 40), font=FONT)
    draw.line((0, 20, 239, 20), fill=(0, 0, 0))
    return image


def line(x: float, y: float, width: float, height: float) -> Line:
    return Line(x, y, width, height, (), np.zeros((1, 1)), np.zeros(1), 1.0)


def cell(row: int, column: int, where: Line | None, last_column: int | None = None) -> Cell:
    made = Cell(Box("td", 0, 0, 1, 1, "x"), (row, row), (column, column if last_column is None else last_column))
    if where:
        made.words = [Word("x", where, (0, 1), where.x_px, where.x_px + where.width_px)]
    return made


def test_ink_is_letters_on_any_paper_and_no_rules() -> None:
    ink = ink_of(picture((10, 4, "white"), (10, 44, "tinted"), band=(40, 60)), 12)
    assert not ink[20].any(), "a rule is no letter"
    assert ink[:18, 8:60].any()
    assert ink[42:58, 8:60].any()
    assert not ink[36:42].any(), "nor is the edge of a band"
    assert not ink[62:].any()


def test_lines_of_ink_are_tight_and_in_order() -> None:
    ink = ink_of(picture((10, 24, "above"), (30, 40, "below it")), 12)
    above, below = lines_of_ink(ink, (0, 22, 240, 80), LETTERS_PX)
    assert 10 <= above[0] <= 12
    assert 30 <= below[0] <= 32
    assert 24 <= above[1] < above[3] <= 36 < below[1] < below[3] <= 54
    assert lines_of_ink(ink, (120, 22, 240, 80), LETTERS_PX) == []


def test_lines_that_touch_are_parted_and_raised_letters_are_not() -> None:
    ink = np.zeros((60, 60), dtype=np.bool_)
    ink[5:14, 5:50] = ink[15:24, 5:50] = True
    ink[14, 20] = True  # a letter's foot reaches the next line
    assert [(top, bottom) for _, top, _, bottom in lines_of_ink(ink, (0, 0, 60, 60), LETTERS_PX)] == [(5, 14), (14, 24)]
    ink[:] = False
    ink[8:17, 5:40] = ink[4:7, 42:45] = True  # m²
    assert lines_of_ink(ink, (0, 0, 60, 60), LETTERS_PX) == [(5, 4, 45, 17)]


def test_a_lines_own_rows_are_told_from_its_neighbours() -> None:
    ink = np.zeros((60, 60), dtype=np.bool_)
    ink[5:14, 5:50] = ink[18:27, 5:50] = True
    assert tight_rows(line(5, 12, 45, 18), ink) == (18, 27)  # the box reaches into the line above


def test_a_cell_may_stand_between_the_known_ones_and_in_its_columns() -> None:
    ink = np.zeros((80, 240), dtype=np.bool_)
    known = [
        cell(0, 0, line(5, 5, 40, 10)),
        cell(0, 1, line(80, 5, 40, 10)),
        cell(0, 2, line(160, 5, 40, 10)),
        cell(1, 0, line(5, 25, 40, 10)),
        cell(2, 0, line(5, 45, 40, 10)),
    ]
    for where in (word.line for one in known for word in one.words):
        ink[int(where.y_px) + 1 : int(where.y_px) + 9, int(where.x_px) : int(where.x_px + where.width_px)] = True
    around = Surroundings(known, ink, lambda where: tight_rows(where, ink))
    between, in_column = around.places(cell(1, 1, None))
    assert between == (45, 14, 240, 46)  # right of row 1's first cell, under row 0, above row 2
    assert in_column == (62, 14, 140, 46)  # half way to the columns beside
    assert around.places(cell(1, 1, None, last_column=2)) == [(45, 14, 240, 46), (62, 14, 240, 46)]
