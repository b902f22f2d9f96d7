"""How sure a score is: percentile bootstrap intervals, and the paired bootstrap for two models on the same samples.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; Koehn, "Statistical significance tests for machine
translation evaluation", EMNLP 2004. Seeded: the same predictions give the same intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

LEVEL: Final = 0.95
N_RESAMPLES: Final = 1_000
"""Koehn's; the ends of an interval then move by a few per cent of its width."""
_BLOCK_BYTES: Final = 50_000_000

Weights = npt.NDArray[np.float64]
"""How often each sample is drawn: one row a resample, shape (resamples, samples)."""
Scores = npt.NDArray[np.float64]
Score = Callable[[Weights], Scores]
"""The score of each resample; NaN where none of the samples drawn has a value."""


@dataclass(frozen=True)
class Interval:
    """A score over `n` samples with its interval of `LEVEL`."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """How much more `model` scores than `baseline` on the `n` samples of both.

    `p` is two-sided: how likely a difference so far from 0 would be if there were none.
    """

    model: str
    baseline: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    n: int


def mean_of(values: Sequence[float | None]) -> Score:
    """The mean of the values that there are, as a `Score`."""
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    is_there = (~np.isnan(array)).astype(np.float64)
    filled = np.where(is_there > 0, array, 0.0)

    def score(weights: Weights) -> Scores:
        n = weights @ is_there
        return np.where(n > 0, (weights @ filled) / np.maximum(n, 1), np.nan)

    return score


def intervals(
    scores: Mapping[str, tuple[Score, int]], n: int, seed: int, n_resamples: int = N_RESAMPLES
) -> dict[str, Interval]:
    """By name, the score of `n` samples with its interval, for scores and how many samples have a value for them.

    All are resampled together. A score that no sample has is left out.
    """
    everything = np.ones((1, max(n, 1)))
    values = {name: float(score(everything)[0]) for name, (score, _) in scores.items()} if n else {}
    there = {name: value for name, value in values.items() if not np.isnan(value)}
    drawn: dict[str, list[Scores]] = {name: [] for name in there}
    for weights in resamples(n, seed, n_resamples) if there else ():
        for name in there:
            drawn[name].append(scores[name][0](weights))
    return {
        name: Interval(value, *_ends(np.concatenate(drawn[name]), value), scores[name][1])
        for name, value in there.items()
    }


def paired(
    scores: Mapping[str, tuple[Score, Score]],
    model: str,
    baseline: str,
    n: int,
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> list[PairedDifference]:
    """What `model` scores more than `baseline`, by metric, over the same `n` samples, resampled together.

    A metric that one of the two has no value for is left out.
    """
    everything = np.ones((1, n))
    differences = {name: float((mine(everything) - theirs(everything))[0]) for name, (mine, theirs) in scores.items()}
    there = [name for name, difference in differences.items() if not np.isnan(difference)]
    drawn: dict[str, list[Scores]] = {name: [] for name in there}
    for weights in resamples(n, seed, n_resamples) if there else ():
        for name in there:
            mine, theirs = scores[name]
            drawn[name].append(mine(weights) - theirs(weights))
    return [_difference(name, differences[name], np.concatenate(drawn[name]), (model, baseline), n) for name in there]


def resamples(n: int, seed: int, n_resamples: int) -> Iterator[Weights]:
    """Draws of `n` samples out of `n`, with replacement, in blocks that fit in memory."""
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK_BYTES // (8 * n))
    for start in range(0, n_resamples, block):
        picked = random.integers(0, n, size=(min(block, n_resamples - start), n))
        yield np.array([np.bincount(row, minlength=n) for row in picked], dtype=np.float64)


def _difference(metric: str, value: float, drawn: Scores, models: tuple[str, str], n: int) -> PairedDifference:
    low, high = _ends(drawn, value)
    drawn = drawn[~np.isnan(drawn)]
    # One more on both sides: no p of 0 from so many tries (Davison and Hinkley, 1997).
    below, above = ((float(np.sum(side)) + 1) / (len(drawn) + 1) for side in (drawn <= 0, drawn >= 0))
    return PairedDifference(*models, metric, value, low, high, min(1.0, 2 * min(below, above)), n)


def _ends(drawn: Scores, value: float) -> tuple[float, float]:
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return value, value
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
