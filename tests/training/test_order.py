"""The order of a run: every row once an epoch, a pure function of seed and position, friendly to row groups."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.order import Order, row_at

sizes_of_groups = st.lists(st.integers(1, 30), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(sizes_of_groups, st.integers(0, 2**70), st.integers(1, 9))
def test_each_row_comes_once_an_epoch(sizes: list[int], seed: int, window: int) -> None:
    order = Order(np.array(sizes), seed, window_groups=window)
    n = len(order)
    assert n == sum(sizes)
    for epoch in range(3):
        assert sorted(order.row_at(epoch * n + i) for i in range(n)) == list(range(n))


@settings(max_examples=25, deadline=None)
@given(sizes_of_groups, st.integers(0, 99), st.integers(0, 2_000), st.booleans())
def test_a_run_goes_on_at_any_position_as_if_it_had_never_stopped(
    sizes: list[int], seed: int, resumed_at: int, weighted: bool
) -> None:
    weights = np.arange(1.0, sum(sizes) + 1) if weighted else None
    whole = Order(np.array(sizes), seed, weights)
    positions = range(resumed_at, resumed_at + 50)
    expected = [whole.row_at(position) for position in range(resumed_at + 50)][resumed_at:]
    again = pickle.loads(pickle.dumps(Order(np.array(sizes), seed, weights)))
    assert [again.row_at(position) for position in positions] == expected
    assert [again.row_at(position) for position in reversed(positions)] == expected[::-1]


def test_epochs_and_seeds_differ() -> None:
    order = Order(np.full(10, 20), 1)
    first, second = ([order.row_at(epoch * 200 + i) for i in range(200)] for epoch in (0, 1))
    assert first != second
    assert first != [Order(np.full(10, 20), 2).row_at(i) for i in range(200)]
    assert first != list(range(200))


def test_rows_stay_within_a_window_of_row_groups() -> None:
    order = Order(np.full(40, 100), 7, window_groups=8)
    rows = np.array([order.row_at(i) for i in range(4_000)])
    groups = [set(part // 100) for part in rows.reshape(5, 800)]
    assert all(len(window) == 8 for window in groups)
    assert groups != [set(range(i, i + 8)) for i in range(0, 40, 8)]  # and those are not neighbours
    # within a window rows are mixed: neighbours in the order are rarely of the same group
    assert np.mean(rows[:-1] // 100 == rows[1:] // 100) < 0.2


def test_it_is_the_same_on_every_machine() -> None:
    """Fixed values: a run that was begun with an older numpy must go on as it was."""
    order = Order(np.array([3, 4, 2]), 42, window_groups=2)
    assert [order.row_at(i) for i in range(18)] == [6, 1, 2, 5, 0, 4, 3, 7, 8, 3, 6, 4, 5, 8, 7, 2, 0, 1]
    assert [row_at(i, 9, 42) for i in range(9)] == [3, 8, 5, 6, 2, 7, 4, 1, 0]
    weighted = Order(np.array([3, 4, 2]), 42, np.arange(9.0))
    assert [weighted.row_at(i) for i in range(18)] == [6, 8, 8, 8, 6, 8, 7, 5, 4, 8, 4, 7, 8, 8, 6, 6, 7, 7]


def test_with_weights_rows_come_as_often_as_they_say() -> None:
    weights = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 2.0, 0.0])
    order = Order(np.array([3, 2, 2]), 3, weights)
    n = 20_000
    counts = np.bincount([order.row_at(i) for i in range(n)], minlength=7)
    expected = weights / weights.sum() * n
    assert set(np.flatnonzero(counts)) == set(np.flatnonzero(weights))
    # with 3 degrees of freedom chi-squared is over 16.3 once in a thousand seeds
    kept = expected > 0
    assert ((counts[kept] - expected[kept]) ** 2 / expected[kept]).sum() < 16.3


def test_with_weights_an_epoch_is_drawn_with_replacement_and_in_windows() -> None:
    order = Order(np.full(20, 100), 5, np.ones(2_000), window_groups=4)
    rows = np.array([order.row_at(i) for i in range(2_000)])
    share = len(set(rows.tolist())) / 2_000
    assert abs(share - (1 - np.exp(-1))) < 0.03  # of draws with replacement a share of 1 - 1/e differ
    changes = np.flatnonzero(np.diff(rows // 100))
    assert len(changes) > 1_000
    assert len(set((rows[:300] // 100).tolist())) <= 4


def test_a_weight_of_zero_is_never_drawn_whatever_the_rounding() -> None:
    weights = np.array([0.1] * 10 + [0.0] * 10)
    order = Order(20, 0, weights)
    assert max(order.row_at(i) for i in range(5_000)) == 9


@settings(max_examples=25, deadline=None)
@given(sizes_of_groups, st.integers(1, 900), st.booleans())
def test_it_tells_which_rows_a_run_visits(sizes: list[int], n_positions: int, weighted: bool) -> None:
    weights = np.arange(float(sum(sizes))) + 0.5 if weighted else None
    order = Order(np.array(sizes), 11, weights, window_groups=3)
    seen = {order.row_at(position) for position in range(n_positions)}
    assert set(np.flatnonzero(order.visited(n_positions))) == seen


@pytest.mark.parametrize(
    ("sizes", "weights"),
    [([], None), ([3, 0], None), ([3], [1.0, 2.0]), ([2], [0.0, 0.0]), ([2], [1.0, -1.0]), ([2], [1.0, np.nan])],
)
def test_nonsense_is_refused(sizes: list[int], weights: list[float] | None) -> None:
    with pytest.raises(ValueError, match=r"row groups|weights"):
        Order(np.array(sizes, np.int64), 1, None if weights is None else np.array(weights))


def test_a_million_rows_cost_no_memory_to_speak_of() -> None:
    import tracemalloc

    sizes = np.full(10_000, 100)
    tracemalloc.start()
    order = Order(sizes, 1)
    for position in range(0, 5_000_000, 50_021):
        order.row_at(position)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
