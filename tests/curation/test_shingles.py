"""What two targets have to share to be alike."""

from __future__ import annotations

import pytest

from curation.shingles import shingles, skeleton_tokens, text_tokens, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't  PANIC, it’s 12.5%!", ["don't", "panic", "it’s", "12.5"]),
        ("well-known 1,234 (a/b) …end.", ["well-known", "1,234", "a/b", "end"]),
        ("ﬁne Ｗide STRASSE ß", ["fine", "wide", "strasse", "ss"]),
        ("東京タワーopen", ["東", "京", "タ", "ワ", "ー", "open"]),
        ("— × ✓", ["—", "×", "✓"]),
        (" \n\t", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_each_kind_of_target() -> None:
    page = "<html><head><title>no</title></head><body class='b a'><p>Two <b>words</b></p></body></html>"
    table = '<table><tbody><tr><td rowspan="2" colspan="3">1</td><td>b</td></tr></tbody></table>'
    assert text_tokens("page_to_html", page) == ["two", "words"]
    assert skeleton_tokens("page_to_html", page) == ["0 html", "1 head", "2 title", "1 body", "2 p", "3 b"]
    assert text_tokens("table_to_html", table) == ["1", "b"]
    assert skeleton_tokens("table_to_html", table)[-3:] == ["4 tr", "5 td colspan=3 rowspan=2", "5 td"]
    assert text_tokens("formula_to_latex", r"\frac { x } { 1 2 }") == [r"\frac", *"{x}{12}"]
    assert skeleton_tokens("formula_to_latex", r"\frac { x } { 1 2 }") == [r"\frac", *"{a}{00}"]
    assert text_tokens("image_to_caption", "A dog.") == ["a", "dog"]
    chat = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A dog."}]
    assert text_tokens("image_chat", None, chat) == ["what", "is", "it", "a", "dog"]
    assert skeleton_tokens("image_to_caption", "A dog.") == skeleton_tokens("image_chat", None) == []


def test_attributes_and_their_order_do_not_count() -> None:
    one = '<table><tbody><tr><td rowspan="2" colspan="3" class="x y">1</td></tr></tbody></table>'
    other = '<table><tbody><tr><td class="y x" colspan="3" rowspan="2">1</td></tr></tbody></table>'
    assert skeleton_tokens("table_to_html", one) == skeleton_tokens("table_to_html", other)


def test_nothing_to_hash() -> None:
    assert text_tokens("page_to_html", None) == text_tokens("image_chat", None, None) == []
    assert skeleton_tokens("page_to_html", "<div>" * 1_000) == []  # over a cap


def test_order_and_number_count() -> None:
    assert shingles([]) == set()
    assert len(shingles(["a"])) == 1
    assert len(shingles(["a", "a", "a"])) == 4
    assert shingles(["a", "b"]) != shingles(["b", "a"])
    assert shingles(["a", "b", "a"]) > shingles(["a", "b"])
