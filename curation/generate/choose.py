"""Drawing from a seeded generator, with the same result on every platform and Python version.

Only `Random.random()` is used, whose sequence Python guarantees for a seed; `choice`, `sample` and `gauss` are not
guaranteed, and logarithms differ between C libraries in their last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import TypeVar

T = TypeVar("T")


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of `options`, each as likely."""
    return options[int(rng.random() * len(options))]


def pick_some(rng: Random, options: Sequence[T], n: int) -> list[T]:
    """`n` of `options` in random order, none twice while there are enough; then they start again."""
    pool = list(options)
    size = len(pool)
    if n > size:
        return pick_some(rng, pool, size) + pick_some(rng, pool, n - size)
    for i in range(n):
        j = i + int(rng.random() * (size - i))
        pool[i], pool[j] = pool[j], pool[i]
    return pool[:n]


def pick_weighted(rng: Random, weights: Mapping[T, float]) -> T:
    """A key, as likely as its weight says."""
    left = rng.random() * sum(weights.values())
    for key, weight in weights.items():
        left -= weight
        if left < 0:
            return key
    return next(reversed(list(weights)))


def between(rng: Random, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def from_quantiles(rng: Random, quantiles: Sequence[tuple[float, float]]) -> float:
    """A value whose distribution has these (share, value) quantiles, straight lines between them.

    The first share is 0, the last is 1.
    """
    share = rng.random()
    for (share_low, low), (share_high, high) in pairwise(quantiles):
        if share < share_high:
            return low + (high - low) * (share - share_low) / (share_high - share_low)
    return quantiles[-1][1]
