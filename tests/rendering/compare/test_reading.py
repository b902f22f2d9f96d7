"""Lines are read where they stand, in tall pictures too, by several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from rendering.compare import reading
from rendering.compare.alternatives import read_alternatives
from rendering.compare.reading import TILE_PX, TextLine, read_lines


def picture(lines: dict[int, str], height_px: int = 200, size_px: int = 22) -> Image.Image:
    image = Image.new("RGB", (640, height_px), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    for y, text in lines.items():
        draw.text((30, y), text, fill=(20, 20, 60), font=ImageFont.load_default(size_px))
    return image


def test_text_and_place() -> None:
    first, second = read_lines(picture({40: "Our Programs", 110: "Contact us: 555 0142"}))
    assert (first.text, second.text) == ("Our Programs", "Contact us: 555 0142")
    assert first.confidence > 0.9
    assert 20 <= first.x_px <= 34
    assert 30 <= first.y_px <= 48
    assert 100 <= second.y_px <= 118
    assert 130 <= first.width_px <= 190


def test_a_tall_picture_is_read_in_tiles_cut_between_lines() -> None:
    # A line every 40 px leaves no other place to cut than between them.
    image = picture({y: f"Line number {y}" for y in range(10, 2 * TILE_PX, 400)}, 2 * TILE_PX, 18)
    assert [line.text for line in read_lines(image)] == [f"Line number {y}" for y in range(10, 2 * TILE_PX, 400)]
    dense = np.asarray(picture(dict.fromkeys(range(10, 3 * TILE_PX, 40), "Words " * 9), 3 * TILE_PX, 22))
    tiles = reading.tiles(dense)
    assert [top for top, _ in tiles[1:]] == [bottom for _, bottom in tiles[:-1]]
    assert (tiles[0][0], tiles[-1][1]) == (0, 3 * TILE_PX)
    for top, _ in tiles[1:]:
        assert dense[top].min() > 240, "a line of text was cut through"


def test_enlarged_for_reading_places_stay_the_pictures_own() -> None:
    small = picture({20: "Small print of a table"}, 60, 12)
    [line] = read_lines(small, scale=2.0)
    assert line.text == "Small print of a table"
    assert 10 <= line.y_px <= 30
    assert line.width_px < 200


def test_nothing_to_read() -> None:
    assert read_lines(Image.new("RGB", (300, 200), (255, 255, 255))) == ()


def test_threads_share_one_reader() -> None:
    texts = ["Apples", "Oranges", "Bananas", "Cherries"]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(read_lines, [picture({40: text}, 100) for text in texts]))
    assert [[line.text for line in lines] for lines in told] == [[text] for text in texts]
    assert reading.shared_reader() is reading.shared_reader()


def test_without_a_reader_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from rendering.errors import RenderingError

    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    reading._open.cache_clear()
    try:
        with pytest.raises(RenderingError, match=r"needs rapidocr\. Run `make setup`"):
            read_lines(picture({}))
    finally:
        monkeypatch.undo()
        reading._open.cache_clear()


def test_a_line_is_a_value() -> None:
    assert TextLine("a", 1, 2, 3, 4) == TextLine("a", 1, 2, 3, 4, 1.0)


def test_finding_lines_does_not_keep_the_next_picture_from_being_read() -> None:
    page = picture({40: "Hello reader"})
    before = read_lines(page)
    assert read_alternatives(page, 2.0)
    assert read_lines(page) == before != ()
