"""What a rendered page tells of its text and pictures: lines as laid out, by paragraph, and where pictures are."""

from __future__ import annotations

import pytest

from rendering.renderer import Renderer
from rendering.result import Box, Rendered
from rendering.spec import RenderSpec

PAGE = RenderSpec(kind="page", width_px=400)


def boxes(renderer: Renderer, markup: str) -> tuple[Box, ...]:
    [rendered] = renderer.render([f"<!DOCTYPE html><body style='margin:10px;font:16px/24px Arimo'>{markup}"], PAGE)
    assert isinstance(rendered, Rendered), rendered
    return rendered.boxes


def test_a_paragraph_has_a_box_for_each_line_with_the_words_on_it(renderer: Renderer) -> None:
    text = "The quick brown fox jumps over the lazy dog and runs away through the forest until night falls."
    told = boxes(renderer, f"<p>{text}</p>")
    assert len(told) >= 2
    assert " ".join(box.text for box in told) == text
    assert [box.y_px for box in told] == sorted(box.y_px for box in told)
    assert {box.y_px - told[0].y_px for box in told} == {24.0 * line for line in range(len(told))}
    assert len({box.block for box in told}) == 1
    assert all(box.x_px + box.width_px <= 390 for box in told)


def test_scripts_without_spaces_break_into_lines_too(renderer: Renderer) -> None:
    text = "数据集" * 20
    told = boxes(renderer, f"<p>{text}</p>")
    assert len(told) == 3
    assert "".join(box.text for box in told) == text


def test_parts_of_a_line_are_of_one_block_and_columns_are_not(renderer: Renderer) -> None:
    told = boxes(renderer, "<p>one <b>two</b> three</p><div style='display:flex'><a>left</a><a>right</a></div>")
    blocks = {box.text: box.block for box in told}
    assert blocks["one"] == blocks["two"] == blocks["three"]
    assert len({blocks["one"], blocks["left"], blocks["right"]}) == 3


def test_fields_show_what_is_in_them(renderer: Renderer) -> None:
    told = boxes(
        renderer,
        "<input value=Ada><input placeholder='Your mail'><input type=submit value=Send><textarea>Long</textarea>"
        "<input type=checkbox value=no><input type=password value=secret><input type=hidden value=no>",
    )
    assert sorted(box.text for box in told) == ["Ada", "Long", "Send", "Your mail"]


@pytest.mark.parametrize("fill", ["<textarea {}>{}</textarea>", "<textarea {} placeholder='{}'></textarea>"])
def test_of_a_scrolling_field_what_is_in_sight_is_told(renderer: Renderer, fill: str) -> None:
    words = " ".join(f"word{number}" for number in range(400))
    field = fill.format("style='font:16px/20px Arimo;width:200px;height:60px;padding:0;border:1px solid'", words)
    markup = f"<!DOCTYPE html><body style='margin:10px'>{field}<p>after"
    [rendered] = renderer.render([markup], PAGE)
    assert isinstance(rendered, Rendered)
    [shown] = [box.text for box in rendered.boxes if box.name == "textarea"]
    # Three lines of 20 px; 200 px hold some three words.
    assert words.startswith(shown + " ")
    assert 7 <= len(shown.split()) <= 12
    # Looking leaves no trace: nothing that is out of sight changes a pixel.
    in_sight = " ".join(words.split()[: len(shown.split()) + 1])
    [whole] = renderer.render([markup.replace(words, in_sight + " again" * 300)], PAGE)
    assert isinstance(whole, Rendered)
    assert whole.png == rendered.png


def test_pictures_have_boxes_without_a_text(renderer: Renderer) -> None:
    told = boxes(
        renderer,
        "<img src=https://example.com/120x80.png><div style='height:50px;width:200px;background:url(a.png)'>over</div>",
    )
    pictures = {box.name: box for box in told if not box.text}
    assert set(pictures) == {"img", "background"}
    assert (pictures["img"].width_px, pictures["img"].height_px) == (120, 80)
    assert (pictures["background"].width_px, pictures["background"].height_px) == (200, 50)
    assert [box.text for box in told if box.text] == ["over"]


@pytest.mark.parametrize("markup", ["<p hidden>no</p>x", "<title>no</title>x", "<select><option>no</select>x"])
def test_what_has_no_place_has_no_box(renderer: Renderer, markup: str) -> None:
    assert [box.text for box in boxes(renderer, markup) if box.text] == ["x"]


def test_names_taken_by_the_page_change_nothing(renderer: Renderer) -> None:
    forms = "<form name=querySelectorAll></form><img name=createRange><form><input name=localName value=v></form>"
    told = boxes(renderer, forms + "<p>text</p>")
    assert [box.text for box in told if box.text] == ["text", "v"]
