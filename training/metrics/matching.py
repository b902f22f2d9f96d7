"""Ratcliff and Obershelp's similarity of sequences, as `difflib.SequenceMatcher.ratio` gives it, compiled and bounded.

difflib in pure Python takes minutes for two tables of 2,000 equal tags. Its `autojunk` leaves out what is more than
1 % of a second sequence of 200 and more, and so breaks the ratio of long ones (0.044 where 0.588 is right): it is there
for metrics whose published values have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.metrics.compiling import compiled

MAX_STEPS: Final = 2_000_000_000
"""Some seconds. Two tables of 2,500 tags each need 30 to 200 million."""
AUTOJUNK_FROM: Final = 200

Ids = npt.NDArray[np.int32]


def ratio(first: Sequence[Hashable], second: Sequence[Hashable], *, autojunk: bool) -> float | None:
    """2 M / T: M the elements in matching blocks, T those of both sequences; 1.0 for two empty ones.

    None where it would take more than `MAX_STEPS` steps.
    """
    n_total = len(first) + len(second)
    if not n_total:
        return 1.0
    known: dict[Hashable, int] = {}
    a, b = (np.array([known.setdefault(one, len(known)) for one in side], dtype=np.int32) for side in (first, second))
    is_popular = np.zeros(len(second), dtype=np.bool_)
    if autojunk and len(second) >= AUTOJUNK_FROM:
        popular = {one for one, n in Counter(b.tolist()).items() if n > len(second) // 100 + 1}
        is_popular = np.array([one in popular for one in b.tolist()], dtype=np.bool_)
    n_matched = int(_matcher()(a, b, is_popular, MAX_STEPS))
    return None if n_matched < 0 else 2.0 * n_matched / n_total


@cache
def _matcher() -> Callable[..., Any]:
    return compiled(_n_matched)


def _n_matched(a: Ids, b: Ids, is_popular: npt.NDArray[np.bool_], max_steps: int) -> int:
    """Elements in matching blocks: the longest one, then to its left and right. -1 where it takes too long."""
    n_steps = 0
    total = 0
    todo = [(0, len(a), 0, len(b))]
    before = np.zeros(len(b) + 1, dtype=np.int32)
    now = np.zeros(len(b) + 1, dtype=np.int32)
    while todo:
        a_low, a_high, b_low, b_high = todo.pop()
        n_steps += (a_high - a_low) * (b_high - b_low)
        if n_steps > max_steps:
            return -1
        best_i, best_j, best = a_low, b_low, 0
        before[b_low : b_high + 1] = 0
        now[b_low : b_high + 1] = 0
        for i in range(a_low, a_high):
            for j in range(b_low, b_high):
                # Longest common run that ends here; `>` keeps the earliest of equal ones, in `a` and then in `b`.
                run = before[j] + 1 if a[i] == b[j] and not is_popular[j] else 0
                now[j + 1] = run
                if run > best:
                    best_i, best_j, best = i - run + 1, j - run + 1, run
            before, now = now, before
        while best_i > a_low and best_j > b_low and a[best_i - 1] == b[best_j - 1]:
            best_i, best_j, best = best_i - 1, best_j - 1, best + 1
        while best_i + best < a_high and best_j + best < b_high and a[best_i + best] == b[best_j + best]:
            best += 1
        if best:
            total += best
            if a_low < best_i and b_low < best_j:
                todo.append((a_low, best_i, b_low, best_j))
            if best_i + best < a_high and best_j + best < b_high:
                todo.append((best_i + best, a_high, best_j + best, b_high))
    return total
