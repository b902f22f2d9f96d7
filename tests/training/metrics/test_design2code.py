"""Design2Code's parts: their definitions on blocks made by hand, and real pages rendered."""

from __future__ import annotations

import pytest

from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec
from training.metrics.design2code import Block, Design2Code, design2code, text_blocks, without_text

BLACK = (0.0, 0.0, 0.0)
PAGE = """<body style="margin:0;font-family:DejaVu Sans"><h1 style="color:#c00">A heading</h1>
<p>Some <b>bold</b> words in a paragraph of their own.</p><p style="margin-top:200px">At the foot</p></body>"""


def block(text: str, x: float = 0.0, y: float = 0.0, color: tuple[float, float, float] = BLACK) -> Block:
    return Block(text, x, y, 0.2, 0.1, color)


def test_equal_pages_have_all_parts() -> None:
    blocks = [block("one"), block("another", y=0.5)]
    found = design2code(blocks, blocks)
    assert (found.size, found.text, found.position, found.color) == pytest.approx((1, 1, 1, 1))
    assert found.blocks == pytest.approx(1)
    assert found.score is None  # without CLIP there is none
    assert found.with_clip(0.5).score == pytest.approx(0.2 * 4.5)


def test_matches_under_half_alike_are_dropped() -> None:
    assert design2code([block("abcd")], [block("wxyz")]) == Design2Code(0, 0, 0, 0)
    assert design2code([], [block("a")]) == design2code([block("a")], []) == Design2Code(0, 0, 0, 0)
    half = design2code([block("abxy")], [block("abcd")])  # 2 x 2 of 8 letters
    assert half.text == 0.5


def test_size_is_the_share_of_matched_area() -> None:
    found = design2code([block("same words")], [block("same words"), block("quite another", y=0.5)])
    assert found.size == pytest.approx(2 / 3)


def test_position_is_the_longer_way_between_the_middles() -> None:
    assert design2code([block("here", 0.1, 0.3)], [block("here", 0.2, 0.05)]).position == pytest.approx(0.75)


def test_color_is_ciede2000_of_100() -> None:
    # Black and white differ by 100 (Sharma et al., 2005: L* alone).
    found = design2code([block("here", color=(255.0, 255.0, 255.0))], [block("here")])
    assert found.color == pytest.approx(0.0, abs=1e-6)
    same = design2code([block("here", color=(200.0, 0.0, 0.0))], [block("here", color=(200.0, 0.0, 0.0))])
    assert same.color == 1.0


def test_neighbours_are_merged_where_the_texts_then_agree() -> None:
    split = [block("a sentence that was"), block("cut into two blocks", y=0.1)]
    whole = [Block("a sentence that was cut into two blocks", 0, 0, 0.2, 0.2, BLACK)]
    found = design2code(split, whole)
    assert (found.size, found.text) == pytest.approx((1, 1))
    assert design2code(whole, split) == found


def test_rendered_pages(renderer: Renderer) -> None:
    spec = RenderSpec(kind="page", width_px=600)
    changed = PAGE.replace("#c00", "#00c").replace("200px", "20px").replace("At the foot", "")
    page, other = renderer.render([PAGE, changed], spec)
    assert isinstance(page, Rendered)
    assert isinstance(other, Rendered)
    blocks, others = text_blocks(page), text_blocks(other)
    assert [one.text for one in blocks] == ["A heading", "Some bold words in a paragraph of their own.", "At the foot"]
    assert blocks[0].color == pytest.approx((204, 0, 0), abs=25)
    assert design2code(blocks, blocks).blocks == pytest.approx(1)
    found = design2code(others, blocks)
    assert found.size < 1
    assert found.text == 1
    assert found.color < 0.9


def test_text_is_painted_over_for_clip(renderer: Renderer) -> None:
    [page] = renderer.render(['<body style="background:#fff"><p>Words</p></body>'], RenderSpec(kind="page"))
    assert isinstance(page, Rendered)
    picture = without_text(page, text_blocks(page))
    assert picture.width == picture.height == min(page.width_px, page.height_px)
    assert picture.convert("L").getextrema() == (255, 255)
