"""A long text is cut into windows that fit, at words, and nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text_windows import windows


def count(text: str) -> int:
    """Two special tokens, and one for each four characters of a word."""
    return 2 + sum(-(-len(word) // 4) for word in text.split())


def test_a_text_that_fits_is_left_as_it_is() -> None:
    assert windows(" a  dog\n", count, 4) == [" a  dog\n"]
    assert windows("", count, 4) == [""]


def test_windows_are_about_equally_long() -> None:
    parts = windows(" ".join(["word"] * 21), count, 12)
    assert [len(part.split()) for part in parts] == [7, 7, 7]


def test_a_word_that_is_too_long_is_cut_inside() -> None:
    parts = windows("see " + "x" * 40, count, 6)
    assert "".join(parts).replace(" ", "") == "see" + "x" * 40
    assert max(map(count, parts)) <= 6


@given(st.text(alphabet="ab \n\t漢", max_size=120), st.integers(3, 9))
def test_every_letter_is_in_one_window_and_every_window_fits(text: str, limit: int) -> None:
    parts = windows(text, count, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert max(map(count, parts)) <= limit


@pytest.mark.parametrize("n_words", [1_000, 5_000])
def test_the_fewest_that_do(n_words: int) -> None:
    parts = windows(" ".join(["word"] * n_words), count, 77)
    assert len(parts) == -(-n_words // 75)
