"""Numbers and strangers' text as they are shown."""

from __future__ import annotations

import math

import pytest

from curation.report.wording import cut, difference, difference_in_points, human, number, percent, rate, short, visible
from tests.curation.report.facts_making import HOSTILE, share


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0, "0"), (12, "12"), (1234567, "1,234,567"), (0.30312, "0.303"), (0.5, "0.5"), (99.96, "100")),
        *((412.6, "413"), (-0.0512, "−0.0512"), (-1234.5, "−1,234"), (3.0, "3"), (0.000031, "3.1e-05"), (10.4, "10.4")),
        *((None, "–"), (math.nan, "–"), (math.inf, "–")),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1, "100"), (0.1234, "12.3"), (0.00123, "0.12"), (0.5, "50"), (0.00001, "<0.01"), (-0.051, "−5.1")],
)
def test_shares_are_per_cent(value: float, shown: str) -> None:
    assert percent(value) == f"{shown}\u00a0%"


def test_intervals_and_differences() -> None:
    assert rate(share(61, 5_000)) == "1.2\u00a0% (0.95 to 1.6)"
    assert rate(None) == "–"
    assert difference(10_000, 8_000) == "+2,000"
    assert difference(0.789, 0.794) == "−0.005"
    assert difference(11.40, 11.44) == "0", "both are shown as 11.4"
    assert difference(None, 1) == difference(math.nan, 1) == "–"
    assert difference_in_points(0.012, 0.641) == "−62.9\u00a0pp"
    assert difference_in_points(0.02, 0.01) == "+1\u00a0pp"


def test_text_is_cut_and_says_so() -> None:
    assert cut("a" * 12, 10) == "a" * 10 + "… (2 more characters)"
    assert cut("abc", 10) == "abc"
    assert short("a  b\n c", 10) == "a b c"
    assert short("a" * 1_000, 10) == "a" * 9 + "…"
    assert human("sexual_orientation") == "sexual orientation"


def test_what_cannot_be_shown_is_seen_all_the_same() -> None:
    shown = visible(HOSTILE)
    assert shown.encode("utf-8")
    assert "␀␛]0;x␇\ufffd‹U+202E›gnidaer‹U+2066›" in shown
    assert visible("tab\tline\n\x7f مرحبا 😀") == "tab\tline\n␡ مرحبا 😀"
