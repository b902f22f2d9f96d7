"""Summaries and histograms of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from curation.report.distributions import N_BINS, NUMERICS, Numeric, distribution_of, summary_of

WHOLE = Numeric("n", "n", "px")


def test_a_summary_is_numpys() -> None:
    values = np.arange(1, 102, dtype=np.float32)
    summary = summary_of(values, 7)
    assert (summary.n_measured, summary.n_missing, summary.mean) == (101, 7, 51.0)
    assert summary.quantiles == {
        "min": 1.0, "p01": 2.0, "p05": 6.0, "p25": 26.0, "p50": 51.0, "p75": 76.0, "p95": 96.0, "p99": 100.0,
        "max": 101.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("numeric", "values"),
    [
        (WHOLE, [1280] * 9),
        (WHOLE, [3, 4, 4, 9]),
        (WHOLE, list(range(1, 900, 7))),
        (WHOLE, [1, 5, 70, 900, 30_000]),
        (WHOLE, [0, 5, 70, 900, 30_000]),
        (Numeric("aspect", "", "", is_whole=False), [1.5] * 3),
        (Numeric("aspect", "", "", is_whole=False), [0.2, 1.5, 3.0]),
        (Numeric("aspect", "", "", is_whole=False), [0.01, 1.5, 300.0]),
        (Numeric("score", "", "", False, True), [0.0, 0.3, 1.0]),
    ],
)
def test_every_value_is_in_a_bin(numeric: Numeric, values: list[float]) -> None:
    found = distribution_of(numeric, np.array(values, np.float32), 2)
    assert sum(found.counts) == len(values)
    assert len(found.edges) == len(found.counts) + 1 <= N_BINS + 1
    assert list(found.edges) == sorted(set(found.edges))
    assert found.log_scale == (min(values) > 0 and max(values) >= 200 * min(values))


def test_bins_of_whole_numbers_hold_as_many_of_them_each() -> None:
    found = distribution_of(WHOLE, np.arange(100, dtype=np.float32), 0)
    assert set(found.counts[:-1]) == {3}
    assert found.edges[:2] == (0.0, 3.0)


def test_shares_are_told_from_0_to_1() -> None:
    (share,) = [numeric for numeric in NUMERICS if numeric.name == "render_similarity"]
    found = distribution_of(share, np.array([0.5, 0.52], np.float32), 0)
    assert (found.edges[0], found.edges[-1]) == (0.0, 1.0)
