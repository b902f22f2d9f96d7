"""Geometry of charts: values stand where the axis says, and what is drawn is also told in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from curation.report.axes import Axis
from curation.report.charts import (
    HISTOGRAM,
    Curve,
    Shares,
    distribution_chart,
    lorenz_chart,
    rank_chart,
    share_chart,
)
from curation.report.facts import Distribution, Summary
from curation.report.shapes import Table
from curation.report.wording import percent
from tests.curation.report.facts_making import balance, histogram, share


def labels(axis: Axis) -> list[str]:
    return [tick.label for tick in axis.ticks()]


def test_axes_place_values_and_have_round_ticks() -> None:
    linear = Axis(0, 200, 10, 110)
    assert [linear.place(value) for value in (0, 100, 200, 300, -5)] == [10, 60, 110, 110, 10]
    assert labels(linear) == ["0", "50", "100", "150", "200"]
    assert labels(Axis(0.116, 0.409, 0, 100)) == ["0.2", "0.3", "0.4"]
    assert labels(Axis(0, 2_400_000, 0, 100)) == ["0", "500k", "1M", "1.5M", "2M"]
    assert labels(Axis(-1, 1, 0, 100)) == ["−1", "−0.5", "0", "0.5", "1"]
    assert labels(Axis(0, 1, 0, 100, is_share=True)) == [f"{n}\u00a0%" for n in (0, 20, 40, 60, 80, 100)]
    logarithmic = Axis(1, 10_000, 0, 400, "log")
    assert [logarithmic.place(value) for value in (1, 10, 10_000, 0)] == [0, 100, 400, 0]
    assert labels(logarithmic) == ["1", "10", "100", "1,000", "10k"]
    root = Axis(0, 0.64, 0, 800, "root", is_share=True)
    assert [root.place(value) for value in (0, 0.01, 0.16, 0.64)] == [0, 100, 400, 800]
    assert labels(root)[:3] == ["0\u00a0%", "1\u00a0%", "5\u00a0%"], "0.1 % stands too close to 0 %"
    assert Axis(3, 3, 0, 100).place(3) == 50
    assert labels(Axis(0, 2, 0, 100, is_whole=True)) == ["0", "1", "2"]


def test_a_histogram_has_a_bar_a_bin_as_high_as_its_count() -> None:
    shown = histogram("n", "Tokens", "tokens", np.array([1.0, 1, 1, 5, 9, 9]))
    chart = distribution_chart(shown)
    heights = {box.tip: box.height for box in chart.boxes if box.height}
    assert heights == {"1 to 1.2: 3": pytest.approx(114, abs=0.1), "5 to 5.2: 1": pytest.approx(38, abs=0.1),
                       "8.8 to 9: 2": pytest.approx(76, abs=0.1)}  # fmt: skip
    assert chart.text == "Median 3, mean 4.33, nine tenths of the rows from 1 to 9, all from 1 to 9; 6 rows measured."
    assert [row[2] for row in chart.data.rows if row[2] != "0"] == ["3", "1", "2"]
    assert chart.labels[0].text == "median 3"


@pytest.mark.parametrize(
    ("edges", "counts", "is_log"),
    [((5.0, 5.0), (7,), False), ((0.0, 0.0), (7,), True), ((0.0, 1.0, 10.0), (0, 0), True), ((), (), False)],
)
def test_odd_histograms_are_drawn_within_their_frame(
    edges: tuple[float, ...], counts: tuple[int, ...], is_log: bool
) -> None:
    summary = Summary(sum(counts), 0, 5.0, {})
    for other in (None, histogram("n", "N", "", np.arange(9.0))):
        chart = distribution_chart(Distribution("n", "N", "", summary, edges, counts, is_log), other)
        assert all(46 <= box.x <= box.x + box.width <= 306.5 and box.height >= 0 for box in chart.boxes)
        assert all("nan" not in line.path for line in chart.lines)


def test_densities_of_the_same_values_are_the_same_whatever_the_bins_and_sizes() -> None:
    """Twice the rows in half the bins: the area below a stretch of the axis stays the share of the rows in it."""
    one = Distribution("n", "N", "", Summary(8, 0, 2, {}), (0, 1, 2, 3, 4), (1, 3, 3, 1))
    two = Distribution("n", "N", "", Summary(16, 0, 2, {}), (0, 2, 4), (8, 8))
    chart = distribution_chart(one, two)
    a, b = (line.path for line in chart.lines)
    base = HISTOGRAM.height - HISTOGRAM.bottom

    def areas(path: str) -> list[float]:
        x_px, found = 46.0, []
        for step in path.split("V")[1:-1]:
            y, _, end = step.partition("H")
            found.append((base - float(y)) * (float(end) - x_px))
            x_px = float(end)
        return found

    halves = areas(a)
    assert sum(halves[:2]) == pytest.approx(areas(b)[0], rel=0.01)
    assert halves[1] == pytest.approx(3 * halves[0], rel=0.01)
    assert chart.y_ticks == ()
    assert {row[0] for row in chart.data.rows} == {"A", "B"}


def test_a_lorenz_curve_is_told_by_its_halves_and_tenths() -> None:
    even = replace(balance("tag", ["a", "b"], 0, 100), lorenz=((0, 0), (1, 1)), gini=0.0)
    assert lorenz_chart([Curve("", even)]).text == (
        "The rarest half of 2 classes has 50\u00a0% of the occurrences, the most frequent tenth 10\u00a0%."
    )
    uneven = balance("object", [f"o{n}" for n in range(100)], 1.3, 100_000)
    chart = lorenz_chart([Curve("A", uneven), Curve("B", even)])
    assert [label.text for label in chart.labels] == [f"A: Gini {uneven.gini:.3f}", "B: Gini 0"]
    assert chart.data.head == ("Rarest classes", "A", "B")
    assert chart.data.rows[5] == ("50\u00a0%", percent(uneven.lorenz[50][1]), "50\u00a0%")
    assert len(lorenz_chart([Curve(str(n), even) for n in range(9)]).labels) == 6, "as many as have a colour"


def test_ranks_are_those_of_all_classes_though_the_middle_is_not_named() -> None:
    found = balance("cmd", [f"c{n}" for n in range(2_000)], 1.0, 100_000)
    chart = rank_chart([Curve("", found)])
    assert dict(chart.data.rows)["200"] == f"{found.most[199][1]:,}"
    assert dict(chart.data.rows)["500"] == "–", "neither among the 300 most frequent nor the 300 rarest"
    assert len(chart.dots) <= 82
    assert (chart.dots[0].x, chart.labels[0].text) == (chart.left, "rare: under 50")
    assert f"{found.n_rare:,} of 2,000 classes occur under 50 times." in chart.text


def test_shares_have_their_intervals() -> None:
    rows = [Shares("gender", share(640, 1_000), share(10, 1_000)), Shares("age", None, share(0, 1_000))]
    chart = share_chart(rows, ("before", "now"), Table("t", (), ()))
    assert len(chart.dots) == len(chart.lines) == 3
    assert [dot.is_square for dot in chart.dots] == [True, False, False]
    assert "gender: before 64\u00a0% (61 to 66.9), now 1\u00a0% (0.54 to 1.8)" in chart.text
    assert "age: now 0\u00a0% (0 to 0.38)" in chart.text
