"""A text as words with their places: what phrases, hyphens, possessives and sentences are, once for all rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"(?:[A-Za-z]\.){2,}|[^\W_]+(?:['’][^\W_]+)*\+?")
"""Letters and digits, apostrophes inside; abbreviations such as "U.S." whole. A hyphen parts words, as a space does."""

_LINKS: Final = frozenset([" ", "-", "‐", "‑", "–", " - "])
"""What may stand between the words of a phrase: "African American", "African-American"."""

_APOSTROPHES: Final = ("'", "\u2019")

_ENDS: Final = re.compile(r"[.!?;:|\n\t•·»]")
"""What ends a sentence, a cell or a label."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one text, all lists of equal length.

    `keys` are in lower case, without a possessive ending; `raw` as they stand; `starts` and `ends` are offsets into the
    text, the ending included; `possessive` says whether there was one; `linked` whether only a space or a hyphen parts
    the word from the one before; `sentence` numbers the sentence, table cell or line that the word stands in.
    """

    keys: list[str]
    raw: list[str]
    starts: list[int]
    ends: list[int]
    possessive: list[bool]
    linked: list[bool]
    sentence: list[int]


def words_of(text: str) -> Words:
    """The words of a text."""
    keys: list[str] = []
    raws: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    possessives: list[bool] = []
    linked: list[bool] = []
    sentences: list[int] = []
    last_end = sentence = 0
    for match in _WORD.finditer(text):
        raw = match[0]
        start, end = match.span()
        gap = text[last_end:start]
        is_linked = gap in _LINKS
        if not is_linked and _ENDS.search(gap):
            sentence += 1
        key = raw.lower()
        possessive = False
        if "'" in key or "\u2019" in key:
            key = key.replace("\u2019", "'")
            possessive = key.endswith("'s")
            key = key.removesuffix("'s")
        elif text[end : end + 1] in _APOSTROPHES and key.endswith("s"):
            possessive, end = True, end + 1  # the boys' kite
        keys.append(key.rstrip("."))
        raws.append(raw)
        starts.append(start)
        ends.append(end)
        possessives.append(possessive)
        linked.append(is_linked and last_end > 0)
        sentences.append(sentence)
        last_end = end
    return Words(keys, raws, starts, ends, possessives, linked, sentences)
