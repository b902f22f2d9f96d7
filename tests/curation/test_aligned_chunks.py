"""Two versions of a text are cut where they say the same, and no word of either is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curation.aligned_chunks import aligned_chunks


def count(text: str) -> int:
    """Two special tokens and one a word, so that a limit of n is n - 2 words."""
    return 2 + len(text.split())


def test_short_texts_are_one_chunk() -> None:
    assert aligned_chunks("a man runs", "a person runs", count, 5) == [("a man runs", "a person runs")]


def test_chunks_begin_at_the_same_words_though_one_text_grew() -> None:
    one = "Bread is sold here. Tea is served there. Books are read upstairs. Music is played outside."
    other = "Fresh bread of many kinds is sold here. Tea is served there. Books are read upstairs. Music is outside."
    assert aligned_chunks(one, other, count, 14) == [
        ("Bread is sold here. Tea is served there.", "Fresh bread of many kinds is sold here. Tea is served there."),
        ("Books are read upstairs. Music is played outside.", "Books are read upstairs. Music is outside."),
    ]
    assert aligned_chunks(one, other, count, 10)[:2] == [
        ("Bread is sold here.", "Fresh bread of many kinds is sold here."),
        ("Tea is served there.", "Tea is served there."),
    ]


def test_texts_with_nothing_in_common_are_cut_at_the_same_share() -> None:
    assert aligned_chunks("a b c d", "p q r s t u v w", count, 6) == [("a b", "p q r s"), ("c d", "t u v w")]


def test_one_word_is_held_against_all_of_the_other() -> None:
    assert aligned_chunks("dog", "a b c d", count, 4) == [("dog", "a b"), ("dog", "c d")]
    assert aligned_chunks("a b c d", "dog", count, 4) == [("a b", "dog"), ("c d", "dog")]


WORDS = st.lists(st.integers(0, 80).map(lambda n: f"w{n}" + "." * (n % 5 == 0)), min_size=1, max_size=60, unique=True)


@given(WORDS, WORDS, st.integers(4, 12))
def test_every_chunk_fits_and_all_words_are_there_in_order(one: list[str], other: list[str], limit: int) -> None:
    chunks = aligned_chunks(" ".join(one), " ".join(other), count, limit)
    for side, words in enumerate((one, other)):
        assert max(count(chunk[side]) for chunk in chunks) <= limit
        assert list(dict.fromkeys(word for chunk in chunks for word in chunk[side].split())) == words
