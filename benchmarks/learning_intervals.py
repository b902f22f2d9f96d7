"""Intervals over seeds, of which there are few: Student's t, "The probable error of a mean", 1908."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

LEVEL: Final = 0.95


@dataclass(frozen=True)
class PairedT:
    """The mean of differences with its t interval of `LEVEL`, and the two-sided p of Student's paired test."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def paired_t(first: Sequence[float], second: Sequence[float]) -> PairedT:
    """How much `second` has more than `first`, pair by pair (seeds). Raises `ValueError` for fewer than two pairs."""
    from scipy.special import stdtr, stdtrit  # scipy.stats takes ten times as long to import

    differences = np.asarray(second, float) - np.asarray(first, float)
    n = len(differences)
    if n < 2:
        raise ValueError("an interval needs two pairs at least")
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(n))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    p = float(2 * stdtr(n - 1, -abs(mean) / error)) if error else float(mean == 0)
    return PairedT(mean, mean - half, mean + half, p, n)


def mean_t(values: Sequence[float]) -> PairedT:
    """A mean with its t interval: `paired_t` against nothing."""
    return paired_t([0.0] * len(values), values)
