"""How often, how surely, and how good that is: rates of hits with intervals, and their ratings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Final

import yaml

_RATINGS: Final = Path(__file__).with_name("ratings.yaml")
_WORST: Final = "poor"


@dataclass(frozen=True)
class Rate:
    """Share of hits among what was measured, with its interval; all three are None where nothing was measured."""

    n_hits: int
    n_measured: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rating:
    """`name` is "excellent", "good", "fair" or "poor", of the share as it is; `is_sure`: the whole interval has it."""

    name: str
    is_sure: bool


def hit_rate(hits: Iterable[bool | None], confidence: float = 0.95) -> Rate:
    """Rate of the hits that were measured; None is not measured and does not count."""
    measured = [hit for hit in hits if hit is not None]
    n_hits = sum(measured)
    if not measured:
        return Rate(0, 0, None, None, None)
    low, high = wilson_interval(n_hits, len(measured), confidence)
    return Rate(n_hits, len(measured), n_hits / len(measured), low, high)


def wilson_interval(n_hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, without continuity correction (Wilson 1927; Brown, Cai, DasGupta 2001).

    Raises `ValueError` unless 0 <= n_hits <= n and n > 0.
    """
    if not 0 <= n_hits <= n or n == 0:
        raise ValueError(f"no proportion: {n_hits} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = n_hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The ends are 0 and 1 exactly where there is no hit or no miss; rounding would leave 1e-17.
    return (0.0 if n_hits == 0 else middle - half), (1.0 if n_hits == n else middle + half)


def rated(rate: Rate, task: str, category: str) -> Rating | None:
    """The rating of a rate by the limits of `ratings.yaml`.

    None for a task without limits, and where nothing was measured.
    """
    limits = _limits().get(task, {}).get(category)
    if limits is None or rate.share is None or rate.low is None or rate.high is None:
        return None
    name = _name(limits, rate.share)
    return Rating(name, _name(limits, rate.low) == name == _name(limits, rate.high))


def _name(limits: dict[str, float], share: float) -> str:
    return next((name for name, limit in limits.items() if share <= limit), _WORST)


@cache
def _limits() -> dict[str, dict[str, dict[str, float]]]:
    """Limits by task, category and rating, the best rating first."""
    read: dict[str, dict[str, dict[str, float]]] = yaml.safe_load(_RATINGS.read_text(encoding="utf-8"))
    return read
