"""How many of each class are missing, and which classes go together."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.balance import gini
from curation.errors import BadInputError
from curation.prompts.amounts import combinations, missing_to_gini, missing_to_threshold

COUNTS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 200), min_size=1, max_size=20)


def test_each_class_is_brought_to_the_threshold() -> None:
    assert missing_to_threshold({"dog": 3, "cat": 50, "kite": 0, "cup": 49}, 50) == {"dog": 47, "kite": 50, "cup": 1}


@given(COUNTS, st.floats(0, 1))
def test_the_gini_that_is_asked_for_is_reached_and_not_one_level_lower(counts: dict[str, int], target: float) -> None:
    missing = missing_to_gini(counts, target)
    after = {name: n + missing.get(name, 0) for name, n in counts.items()}
    assert gini(after) <= target + 1e-9
    if missing:
        level = min(after[name] for name in missing) - 1
        assert gini({name: max(n, level) for name, n in counts.items()}) > target


def test_a_gini_of_which_there_is_none_is_refused() -> None:
    with pytest.raises(BadInputError, match="is none"):
        missing_to_gini({"dog": 1}, 1.5)


@given(st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(0, 9), max_size=12), st.integers(0, 30))
def test_combinations_bring_no_class_more_often_than_it_lacks(missing: dict[str, int], n: int) -> None:
    groups = combinations(missing, n)
    brought = Counter(chain.from_iterable(groups))
    assert len(groups) <= n
    assert all(2 <= len(set(group)) == len(group) <= 3 for group in groups)
    assert all(brought[name] <= missing[name] for name in brought)
    lacks = {name: missing[name] - brought[name] for name in missing if missing[name] > brought[name]}
    assert len(groups) == n or len(lacks) <= 1  # fewer only where no two classes are left


def test_what_lacks_most_comes_first_and_no_two_meet_again_while_others_lack_as_much() -> None:
    missing = {"a": 50, "b": 50, "c": 50, "d": 50, "e": 50, "f": 50, "rare": 1}
    groups = combinations(missing, 2)
    assert set(chain.from_iterable(groups)) == set("abcdef")


def test_of_equals_those_of_one_kind_go_together_and_what_does_not_fit_never_does() -> None:
    kinds = {"cup": "kitchen", "lion": "savanna", "pan": "kitchen", "zebra": "savanna"}
    assert combinations(dict.fromkeys(kinds, 9), 1, kind_of=kinds.__getitem__)[0][:2] == ("cup", "pan")
    assert combinations(dict.fromkeys(kinds, 9), 1, lambda group, name: kinds[name] == kinds[group[0]]) == [
        ("cup", "pan")
    ]
    assert combinations({"dog": 9}, 3) == []
