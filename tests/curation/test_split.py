"""Splits: families stay together, growth moves nothing, counts are exact or refused."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import BadInputError
from curation.split import SplitRule, assign_splits

GROUPS = [f"group {i}" for i in range(20_000)]


def test_shares_are_met_within_chance() -> None:
    counts = Counter(assign_splits(GROUPS, SplitRule(0.8, 0.1, 0.1)))
    assert abs(counts["test"] - 2_000) < 150  # 3.5 standard deviations of a binomial
    assert abs(counts["validation"] - 2_000) < 150
    assert counts.total() == 20_000


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1))
def test_a_group_is_never_divided(groups: list[str]) -> None:
    splits = assign_splits(groups, SplitRule(0.5, 0.25, 0.25))
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))


def test_growth_moves_no_row() -> None:
    before = assign_splits(GROUPS[:5_000], SplitRule())
    assert assign_splits(GROUPS, SplitRule())[:5_000] == before


def test_the_seed_decides() -> None:
    assert assign_splits(GROUPS, SplitRule(seed=1)) != assign_splits(GROUPS, SplitRule(seed=2))


def test_counts_are_exact_and_the_rest_is_left_out() -> None:
    counts = Counter(assign_splits(GROUPS[:11_000], SplitRule(10_000, 250, 500)))
    assert counts == {"train": 10_000, "validation": 250, "test": 500, None: 250}


def test_counts_hold_groups_together() -> None:
    groups = [f"group {i // 3}" for i in range(300)]
    splits = assign_splits(groups, SplitRule(240, 30, 30))
    assert Counter(splits) == {"train": 240, "validation": 30, "test": 30}
    assert len(set(zip(groups, splits, strict=True))) == 100


def test_counts_that_cannot_be_filled_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"ask for 10750 rows and 300 were kept .*use shares"):
        assign_splits(GROUPS[:300], SplitRule(10_000, 250, 500))


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.2), (0.5, 0.1, 0.1), (-0.1, 0.6, 0.5), (10_000, 0.5, 0.5)])
def test_nonsense_is_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(BadInputError):
        SplitRule(*shares)


def test_a_split_may_be_empty() -> None:
    assert set(assign_splits(GROUPS[:100], SplitRule(1.0, 0.0, 0.0))) == {"train"}
