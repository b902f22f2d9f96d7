from __future__ import annotations

import pytest
from scipy.stats import binomtest

from curation.bias.rates import Rate, Rating, hit_rate, rated, wilson_interval
from curation.bias.vocabulary import CATEGORIES


@pytest.mark.parametrize(("n_hits", "n"), [(0, 10), (10, 10), (1, 1), (3, 29), (81, 263), (15, 148), (29, 100_000)])
def test_intervals_are_those_of_scipy(n_hits: int, n: int) -> None:
    expected = binomtest(n_hits, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_hits, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_intervals_as_published() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    for n_hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson_interval(n_hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("n_hits", "n"), [(1, 0), (0, 0), (2, 1), (-1, 5)])
def test_no_interval_without_a_proportion(n_hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(n_hits, n)


def test_a_rate_leaves_out_what_was_not_measured() -> None:
    rate = hit_rate([True, None, False, False, None, False])
    assert (rate.n_hits, rate.n_measured, rate.share) == (1, 4, 0.25)
    assert (rate.low, rate.high) == wilson_interval(1, 4)
    assert hit_rate([None, None]) == hit_rate([]) == Rate(0, 0, None, None, None)


def test_a_rating_says_whether_the_interval_agrees() -> None:
    def rating(n_hits: int, n: int, category: str = "gender") -> Rating | None:
        return rated(hit_rate([index < n_hits for index in range(n)]), "image_to_caption", category)

    assert rating(0, 10_000) == Rating("excellent", is_sure=True)
    assert rating(0, 10) == Rating("excellent", is_sure=False)
    assert rating(60, 10_000) == Rating("good", is_sure=True)
    assert rating(300, 10_000) == Rating("fair", is_sure=True)
    assert rating(9_000, 10_000) == Rating("poor", is_sure=True)
    assert rating(1_500, 10_000, "age") == Rating("good", is_sure=True)


def test_what_has_no_limits_or_no_measure_is_not_rated() -> None:
    assert rated(hit_rate([True]), "page_to_html", "gender") is None
    assert rated(hit_rate([]), "image_to_caption", "gender") is None


def test_every_category_has_limits_that_rise() -> None:
    for category in CATEGORIES:
        names = [
            rated(Rate(0, 1, share, share, share), "image_to_caption", category) for share in (0.0, 0.0101, 0.06, 0.9)
        ]
        assert names[0] == Rating("excellent", is_sure=True)
        assert names[-1] == Rating("poor", is_sure=True)
