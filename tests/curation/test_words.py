from __future__ import annotations

from curation.words import words_in


def test_words_are_runs_of_letters_and_digits() -> None:
    assert words_in("A man's T-shirt, 2nd-hand; don’t _run_ 3.5!") == [
        *("a", "man's", "t-shirt", "2nd-hand", "don't", "run", "3", "5")
    ]
    assert words_in(" -- ' \n") == []


def test_case_is_folded() -> None:
    assert words_in("Straße ÉTÉ") == ["strasse", "été"]


def test_han_and_kana_count_a_word_a_character() -> None:
    assert words_in("一只dog。ねこ") == ["一", "只", "dog", "ね", "こ"]
    assert words_in("собака лежит") == ["собака", "лежит"]
