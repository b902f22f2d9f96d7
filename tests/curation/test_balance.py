from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from curation import balance
from curation.balance import (
    ClassCounts,
    balance_of,
    by_namespace,
    classes_below,
    count_classes,
    count_values,
    count_words,
    entropy_bits,
    gini,
    histogram,
    lorenz_curve,
    reweighting,
    summary_of,
    top_share,
)

COUNTS = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 10_000), min_size=1, max_size=40)
CLASSES = pa.list_(pa.string())


def column(*rows: list[str] | None) -> pa.Array:
    return pa.array(rows, CLASSES)


ROWS = column(["object:cat", "object:dog"], ["object:dog"], [], None, ["object:cat", "object:dog", "tag:p"])


def test_classes_are_counted_once_a_row_and_over_batches() -> None:
    expected = ClassCounts(Counter({"object:dog": 3, "object:cat": 2, "tag:p": 1}), 5, 4, 3)
    assert count_classes([ROWS]) == expected
    assert count_classes([ROWS.slice(0, 2), pa.chunked_array([ROWS.slice(2, 1), ROWS.slice(3)])]) == expected
    assert count_classes([ROWS], "tag") == ClassCounts(Counter({"tag:p": 1}), 5, 4, 1)
    assert count_classes([]) == ClassCounts(Counter(), 0, 0, 0)


def test_namespaces_are_told_apart() -> None:
    assert by_namespace({"tag:p": 1, "object:a": 2, "object:b:c": 3, "cmd:\\:": 4}) == {
        "cmd": Counter({"cmd:\\:": 4}),
        "object": Counter({"object:a": 2, "object:b:c": 3}),
        "tag": Counter({"tag:p": 1}),
    }


def test_entropy_by_hand() -> None:
    assert entropy_bits({"a": 8}) == 0.0
    assert entropy_bits({"a": 1, "b": 1, "c": 1, "d": 1}) == 2.0
    assert entropy_bits({"a": 2, "b": 1, "c": 1}) == 1.5
    assert entropy_bits({}) == 0.0
    assert entropy_bits({"a": 3, "b": 0}) == 0.0  # what never occurs adds nothing


@given(COUNTS)
def test_entropy_is_scipys(counts: dict[str, int]) -> None:
    assert entropy_bits(counts) == pytest.approx(stats.entropy(list(counts.values()), base=2), abs=1e-9)


def test_gini_by_hand() -> None:
    assert gini({"a": 5, "b": 5, "c": 5}) == 0.0
    assert gini({"a": 0, "b": 0, "c": 0, "d": 7}) == 0.75  # (n - 1) / n: one has everything
    # 1, 2, 3, 4: the mean absolute difference over all ordered pairs is 20 / 16 = 1.25; over twice the mean 2.5
    assert gini({"a": 1, "b": 2, "c": 3, "d": 4}) == pytest.approx(0.25)
    assert gini({}) == 0.0
    assert gini({"a": 0}) == 0.0


@given(COUNTS)
def test_gini_is_the_mean_difference_and_twice_the_area_at_the_lorenz_curve(counts: dict[str, int]) -> None:
    values = np.array(list(counts.values()), float)
    by_pairs = np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())
    assert gini(counts) == pytest.approx(by_pairs, abs=1e-9)
    points = np.array(lorenz_curve(counts))
    area = ((points[1:, 0] - points[:-1, 0]) * (points[1:, 1] + points[:-1, 1]) / 2).sum()
    assert gini(counts) == pytest.approx(1 - 2 * area, abs=1e-9)


def test_top_shares() -> None:
    counts = {"a": 50, "b": 30, "c": 15, "d": 5}
    assert top_share(counts, 1) == 0.5
    assert top_share(counts, 2) == 0.8
    assert top_share(counts, 10) == 1.0
    assert top_share({}, 5) == 0.0


def test_the_lorenz_curve_goes_from_the_rarest_to_all() -> None:
    assert lorenz_curve({"a": 6, "b": 1, "c": 3}) == [(0.0, 0.0), (1 / 3, 0.1), (2 / 3, 0.4), (1.0, 1.0)]
    assert lorenz_curve({}) == [(0.0, 0.0), (1.0, 1.0)]
    many = lorenz_curve({str(i): i + 1 for i in range(10_000)}, max_points=100)
    assert len(many) == 100
    assert many[0] == (0.0, 0.0)
    assert many[-1] == (1.0, 1.0)
    assert all(x >= y for x, y in many)


def test_rare_classes_come_rarest_first() -> None:
    counts = {"a": 50, "b": 49, "c": 3, "d": 3}
    assert classes_below(counts) == [("c", 3), ("d", 3), ("b", 49)]
    assert classes_below(counts, 4, known=["a", "z"]) == [("z", 0), ("c", 3), ("d", 3)]


def test_all_numbers_of_a_namespace() -> None:
    assert balance_of({"a": 2, "b": 1, "c": 1}, rare_threshold=2) == balance.Balance(
        3, 4, 1.5, pytest.approx(1 / 6), 1.0, 1.0, 2
    )
    assert balance_of({}) == balance.Balance(0, 0, 0.0, 0.0, 0.0, 0.0, 0)


def test_weights_by_hand() -> None:
    counts = count_classes([ROWS], "object").counts
    weights, probabilities = reweighting([ROWS.slice(0, 2), ROWS.slice(2)], counts, "object")
    both, dog = (1 / 2 + 1 / 3) / 2, 1 / 3
    without = (both + dog + both) / 3  # rows without an object get the mean, not 0
    assert weights == pytest.approx([both, dog, without, without, both])
    assert probabilities == pytest.approx(weights / weights.sum())
    assert probabilities.sum() == pytest.approx(1.0)


def test_weights_without_any_class_are_uniform() -> None:
    weights, probabilities = reweighting([column([], None, [], [])], Counter())
    assert list(weights) == [1.0] * 4
    assert list(probabilities) == [0.25] * 4
    assert [len(part) for part in reweighting([], Counter())] == [0, 0]


def test_drawing_by_the_probabilities_evens_out_the_classes() -> None:
    rows = column(*[["object:common"]] * 90, *[["object:rare"]] * 10)
    counts = count_classes([rows]).counts
    _, probabilities = reweighting([rows], counts)
    assert probabilities[:90].sum() == pytest.approx(0.5)


def test_words_their_number_and_entropy() -> None:
    counts = count_words([pa.array(["A dog, a DOG's t-shirt.", None]), pa.array(["a b"])])
    assert counts == Counter({"a": 3, "dog": 1, "dog's": 1, "t-shirt": 1, "b": 1})
    assert entropy_bits(counts) == pytest.approx(stats.entropy([3, 1, 1, 1, 1], base=2))


@given(st.lists(st.integers(-50, 1_000), min_size=1, max_size=60))
def test_summaries_are_numpys(values: list[int]) -> None:
    counts = count_values([pa.array([*values, None], pa.int32())])
    summary = summary_of(counts)
    assert summary is not None
    assert (summary.n, summary.low, summary.high) == (len(values), min(values), max(values))
    assert (summary.mean, summary.std) == pytest.approx((np.mean(values), np.std(values)))
    quantiles = np.quantile(values, [0.05, 0.5, 0.95])
    assert (summary.p05, summary.median, summary.p95) == pytest.approx(quantiles)


def test_nothing_has_no_summary_and_no_histogram() -> None:
    assert summary_of(Counter()) is None
    assert histogram({}) == []


def test_histograms_have_bins_of_whole_and_equal_width() -> None:
    assert histogram({3: 2, 5: 1}) == [(3, 3, 2), (4, 4, 0), (5, 5, 1)]
    assert histogram({0: 1, 9: 2, 10: 4, 19: 8}, max_bins=2) == [(0, 9, 3), (10, 19, 12)]
    bins = histogram(Counter(range(1_003)), max_bins=10)
    assert len(bins) <= 10
    assert sum(n for _, _, n in bins) == 1_003


def test_memory_does_not_grow_with_the_rows() -> None:
    def batches(n: int) -> Iterator[pa.Array]:
        chooser = random.Random(1)
        for _ in range(n):
            yield column(*[[f"object:{chooser.randrange(200)}"] for _ in range(500)])

    peaks = []
    for n in (4, 40):
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        counts = count_classes(batches(n)).counts
        assert pa.total_allocated_bytes() - before < 1_000_000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert sum(counts.values()) == n * 500
    assert peaks[1] < 1.5 * peaks[0]
