"""Bootstrap intervals: they cover as they say, they are seeded, and pairs are resampled together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from training.evaluation.intervals import Interval, PairedDifference, intervals, mean_of, paired


def interval(values: Sequence[float | None], seed: int = 0, n_resamples: int = 1_000) -> Interval | None:
    n_measured = sum(value is not None for value in values)
    return intervals({"m": (mean_of(values), n_measured)}, len(values), seed, n_resamples).get("m")


def difference(mine: Sequence[float | None], theirs: Sequence[float | None]) -> PairedDifference:
    [found] = paired({"m": (mean_of(mine), mean_of(theirs))}, "mine", "theirs", len(mine), seed=0)
    return found


def test_an_interval_is_that_of_the_normal_for_a_mean() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400).tolist()
    found = interval(values)
    assert found is not None
    assert found.value == pytest.approx(np.mean(values))
    half = 1.96 * float(np.std(values)) / 20
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half), rel=0.15)


def test_intervals_cover_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    n_covered = 0
    for _ in range(200):
        found = interval(random.random(50).tolist(), n_resamples=200)
        assert found is not None
        n_covered += found.low <= 0.5 <= found.high
    assert 0.87 <= n_covered / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [0.1, 0.5, 0.9, 0.3]
    first, second, other = (interval(values, seed, 50) for seed in (3, 3, 4))
    assert first == second != other


def test_missing_values_are_left_out_and_none_at_all_has_no_interval() -> None:
    found = interval([1.0, None, 0.0])
    assert found is not None
    assert (found.value, found.n) == (0.5, 2)
    assert interval([None, None]) is None
    assert interval([]) is None


def test_a_small_difference_on_the_same_samples_is_found_where_unpaired_intervals_overlap() -> None:
    random = np.random.default_rng(5)
    hard = random.random(200)
    theirs, mine = (hard * 0.9).tolist(), (hard * 0.9 + random.normal(0.02, 0.02, 200)).tolist()
    apart = [interval(values) for values in (mine, theirs)]
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[0].low < apart[1].high
    found = difference(mine, theirs)
    assert found.difference == pytest.approx(0.02, abs=0.005)
    assert 0 < found.low < found.high
    assert found.p < 0.01


def test_no_difference_is_none() -> None:
    values = [0.2, 0.4, 0.9]
    found = difference(values, values)
    assert (found.difference, found.p) == (0.0, 1.0)
