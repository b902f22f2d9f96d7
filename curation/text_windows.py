"""A text cut into windows that each fit a model: at words, about equally long, nothing left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

Count = Callable[[str], int]
"""Tokens of a text, special ones included."""


def windows(text: str, count: Count, limit: int) -> list[str]:
    """The text itself where it has at most `limit` tokens, else few runs of its words, about equally long, that have.

    A word that alone has more (an address, or a text written without spaces) is cut inside. White space between the
    words of a window is one space.
    """
    if count(text) <= limit:
        return [text]
    known = lru_cache(maxsize=None)(count)  # words come again and again
    words = [piece for word in text.split() for piece in pieces(word, known, limit)]
    ends = list(accumulate(map(known, words)))
    n_windows = 2
    while True:
        runs: list[list[str]] = [[] for _ in range(n_windows)]
        for word, end in zip(words, ends, strict=True):
            runs[min(n_windows - 1, (end - 1) * n_windows // ends[-1])].append(word)
        parts = [" ".join(run) for run in runs if run]
        longest = max(map(count, parts))
        if longest <= limit or len(parts) == len(words):
            return parts
        n_windows = max(n_windows + 1, n_windows * longest // (limit + 1))


def pieces(word: str, count: Count, limit: int) -> list[str]:
    """The word, or parts of it that each have at most `limit` tokens (a single character may have more)."""
    if count(word) <= limit or len(word) == 1:
        return [word]
    middle = len(word) // 2
    return [*pieces(word[:middle], count, limit), *pieces(word[middle:], count, limit)]
