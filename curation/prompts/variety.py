"""How varied texts are: distinct-n and self-BLEU, over lower-case words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from curation.words import words_in


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """The n-grams of a text's words, in lower case and in order."""
    words = [word.lower() for word in words_in(text)]
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Different n-grams over all n-grams of all texts (Li et al., A Diversity-Promoting Objective Function, 2016).

    0 where there are none. It falls with the number of texts: compare the same number.
    """
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def self_bleu(texts: Sequence[str], max_n: int = 4) -> float:
    """Mean BLEU of each text against all others, 0 to 1: high where they repeat each other (Zhu et al., Texygen, 2018).

    BLEU as Papineni et al. define it, of one sentence: geometric mean of clipped precisions of n-grams, 1 to `max_n`,
    times the brevity penalty against the reference of the nearest length. A precision of 0 counts as 0.1 / n-grams
    (method 1 of Chen and Cherry 2014), so that one order without a match does not make all 0. Of fewer than two 0.
    """
    if len(texts) < 2:
        return 0.0
    counted = [[Counter(ngrams(text, n)) for text in texts] for n in range(1, max_n + 1)]
    lengths = [sum(one.values()) for one in counted[0]]
    most = [_two_largest(of_order) for of_order in counted]
    return sum(_bleu(i, counted, most, lengths) for i in range(len(texts))) / len(texts)


def _two_largest(counters: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """For each n-gram the largest count in a text, that text, and the largest in any other."""
    most: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for i, counter in enumerate(counters):
        for gram, count in counter.items():
            first, where, second = most.get(gram, (0, -1, 0))
            if count > first:
                most[gram] = count, i, first
            elif count > second:
                most[gram] = first, where, count
    return most


def _bleu(
    i: int,
    counted: Sequence[Sequence[Counter[tuple[str, ...]]]],
    most: Sequence[dict[tuple[str, ...], tuple[int, int, int]]],
    lengths: Sequence[int],
) -> float:
    logs = []
    for counters, largest in zip(counted, most, strict=True):
        total = sum(counters[i].values())
        if not total:
            continue  # a text shorter than n says nothing about n-grams
        clipped = 0
        for gram, count in counters[i].items():
            first, where, second = largest[gram]
            clipped += min(count, second if where == i else first)
        logs.append(math.log((clipped or 0.1) / total))
    if not logs:
        return 0.0
    nearest = min((n for j, n in enumerate(lengths) if j != i), key=lambda n: (abs(n - lengths[i]), n))
    penalty = 1.0 if lengths[i] >= nearest else math.exp(1 - nearest / lengths[i])
    return penalty * math.exp(sum(logs) / len(logs))
