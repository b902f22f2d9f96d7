"""Two versions of a text, cut at the same places: where both say the same words, so that no chunk loses its partner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rapidfuzz.distance import LCSseq

from curation.text_windows import Count, pieces

_SENTENCE_ENDS: Final = (".", "!", "?", "。", "！", "？")
_MIDDLE: Final = 0.2
"""How far from the middle, of both texts' lengths, the end of a sentence is still preferred to any other place."""

Cut = tuple[int, int]
"""Words before it in the one text and in the other."""


def aligned_chunks(first: str, second: str, count: Count, limit: int) -> list[tuple[str, str]]:
    """The two texts where each has at most `limit` tokens, else runs of words of both that have, in order.

    Cuts are after words that are the same in a longest common subsequence of the two, at ends of sentences where there
    are some near the middle; where texts have nothing in common, at the same share of both. Every word is in a chunk;
    a side that is one word beside many is in each of theirs.
    """
    if count(first) <= limit and count(second) <= limit:
        return [(first, second)]
    one, other = ([piece for word in text.split() for piece in pieces(word, count, limit)] for text in (first, second))
    same = LCSseq.editops(one, other).as_matching_blocks()
    cuts = [(block.a + n, block.b + n) for block in same for n in range(1, block.size + 1)]
    return _chunks(one, other, (0, 0), (len(one), len(other)), cuts, count, limit)


def _chunks(
    one: Sequence[str], other: Sequence[str], start: Cut, end: Cut, cuts: list[Cut], count: Count, limit: int
) -> list[tuple[str, str]]:
    texts = " ".join(one[start[0] : end[0]]), " ".join(other[start[1] : end[1]])
    sizes = end[0] - start[0], end[1] - start[1]
    if max(map(count, texts)) <= limit or max(sizes) <= 1:
        return [texts]
    if min(sizes) <= 1:  # the short side stays whole
        middle = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
        firsts = (middle[0], end[1]) if sizes[1] <= 1 else (end[0], middle[1])
        seconds = (middle[0], start[1]) if sizes[1] <= 1 else (start[0], middle[1])
        return [
            *_chunks(one, other, start, firsts, [], count, limit),
            *_chunks(one, other, seconds, end, [], count, limit),
        ]
    inside = [cut for cut in cuts if start[0] < cut[0] < end[0] and start[1] < cut[1] < end[1]]
    cut = _middle(inside, one, start, end) or ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
    return [
        *_chunks(one, other, start, cut, inside, count, limit),
        *_chunks(one, other, cut, end, inside, count, limit),
    ]


def _middle(cuts: list[Cut], one: Sequence[str], start: Cut, end: Cut) -> Cut | None:
    """The cut that halves both best; None where there is none."""

    def unevenness(cut: Cut) -> float:
        return max(abs((cut[side] - start[side]) / (end[side] - start[side]) - 0.5) for side in (0, 1))

    ends = [cut for cut in cuts if one[cut[0] - 1].endswith(_SENTENCE_ENDS) and unevenness(cut) <= _MIDDLE]
    return min(ends or cuts, key=unevenness, default=None)
