"""Drawing: every option is reached, weights and quantiles are kept, and a seed gives the same on every platform."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from curation.generate.choose import between, from_quantiles, pick, pick_some, pick_weighted


def test_a_seed_gives_these_values_everywhere() -> None:
    rng = Random(2024)
    drawn = [
        pick(rng, "abcdef"),
        pick_some(rng, range(6), 3),
        pick_weighted(rng, {"x": 1.0, "y": 2.0}),
        between(rng, 1, 9),
    ]
    assert drawn == ["c", [4, 2, 5], "y", 7]


def test_between_includes_both_ends() -> None:
    rng = Random(0)
    assert {between(rng, 3, 6) for _ in range(200)} == {3, 4, 5, 6}


def test_pick_some_repeats_nothing_until_it_has_to() -> None:
    rng = Random(0)
    for _ in range(50):
        assert len(set(pick_some(rng, range(10), 10))) == 10
    assert Counter(pick_some(rng, "abc", 7)).most_common()[-1][1] == 2
    assert pick_some(rng, "abc", 0) == []


def test_weights_are_shares() -> None:
    rng = Random(0)
    drawn = Counter(pick_weighted(rng, {"rare": 1.0, "common": 9.0}) for _ in range(10_000))
    assert drawn["rare"] == pytest.approx(1_000, rel=0.1)


def test_quantiles_are_kept() -> None:
    rng = Random(0)
    drawn = sorted(from_quantiles(rng, ((0.0, 10.0), (0.5, 20.0), (1.0, 120.0))) for _ in range(10_000))
    assert drawn[0] >= 10.0
    assert drawn[-1] <= 120.0
    assert drawn[5_000] == pytest.approx(20.0, rel=0.05)
    assert drawn[7_500] == pytest.approx(70.0, rel=0.05)
