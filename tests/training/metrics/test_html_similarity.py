"""HTML similarity: the table seed's own numbers, niteru's, difflib's, and what the mended ones mend."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics.html_similarity import (
    html_similarity,
    html_similarity_batch,
    published_score,
    similarity_parts,
    worked_score,
)
from training.metrics.html_text import first_table, read_tags, table_text
from training.metrics.matching import ratio
from training.metrics.workers import Workers

TABLE = '<table class="t"><tr><th>Name</th><th>Age</th></tr><tr><td>Ann</td><td>34</td></tr></table>'
LETTERS = st.lists(st.sampled_from("abcd"), max_size=30)


@pytest.mark.parametrize(("parts", "score"), [((1, 0.4091, 0.1434), 0.3619), ((1, 0.9231, 1), 0.9615)])
def test_the_seeds_worked_examples(parts: tuple[float, float, float], score: float) -> None:
    assert worked_score(*parts) == pytest.approx(score, abs=1e-4)


def test_a_perfect_prediction_scores_080_as_published_and_1_by_all_others() -> None:
    found = html_similarity(TABLE, TABLE)
    assert found.published == pytest.approx(0.80, abs=1e-9)
    assert (found.worked, found.mended, found.worked_mended) == pytest.approx((1, 1, 1))


def test_the_published_terms_and_weights() -> None:
    assert published_score(1, 1, 1, 0) == pytest.approx(1.0)  # no word in common scores higher than all of them
    assert published_score(0.5, 0.2, 0.4, 0.25) == pytest.approx(0.05 + 0.08 + 0.12 + 0.15)


def test_niterus_own_example() -> None:
    # README of niteru 0.2.1
    one = '<h1 class="title">First Document</h1><ul class="menu"><li class="active">Documents</li><li>Extra</li></ul>'
    other = (
        '<h1 class="title">Second document Document</h1><ul class="menu"><li class="active">Extra Documents</li></ul>'
    )
    parts = similarity_parts(one, other)
    assert parts is not None
    assert (parts.style, parts.structure_autojunk) == (1.0, pytest.approx(0.8571428571428571))


def test_long_tables_break_the_published_structure_and_not_the_mended_one() -> None:
    row = "<tr>" + "<td>x</td>" * 9 + "</tr>"
    one, other = f"<table><thead>{row * 30}</table>", f"<table>{row * 28}<tr><th>y</th></tr></table>"
    parts = similarity_parts(one, other)
    assert parts is not None
    assert parts.structure > 0.96
    assert parts.structure_autojunk < 0.1  # what is not junk is the first tag, and one that the other lacks
    found = html_similarity(one, other)
    assert found.mended > 0.75
    assert found.published < 0.55


def test_tables_without_classes_have_no_style() -> None:
    parts = similarity_parts("<table><tr><td>a</td></tr></table>", "<table><tr><td>b</td></tr></table>")
    assert parts is not None
    assert parts.style is None
    found = html_similarity("<table><tr><td>a</td></tr></table>", "<table><tr><td>b</td></tr></table>")
    assert found.worked == pytest.approx(0.10 + 0.50)
    assert found.worked_mended == pytest.approx(0.50 / 0.90)
    assert found.mended == pytest.approx(0.40 / 0.90)


def test_text_of_the_first_table_as_the_seed_reads_it() -> None:
    assert table_text(f"<p>x</p>{TABLE}<table><tr><td>no") == "Name Age\nAnn 34"
    assert table_text("<table><tr><td> a <b> b </b> c<td>d</table>") == "abcd d"  # nothing closes the first cell
    assert table_text("<table><tr><td>a<!-- no --> b</td><td></td></tr></table>") == "ab "
    assert table_text("<p>no table</p>") == ""


def test_first_table_and_tags() -> None:
    assert first_table(f"Here: {TABLE} Done.") == TABLE
    assert first_table("<table><tr>") == "<table><tr>"
    tags = read_tags('<!DOCTYPE html><p class="a b"><!-- c --><br/>')
    assert tags.tags == ("declaration", "p", "comment", "br")
    assert tags.classes == {"a", "b"}


@settings(max_examples=150, deadline=None)
@given(LETTERS, LETTERS)
def test_ratio_is_difflibs(one: list[str], other: list[str]) -> None:
    assert ratio(one, other, autojunk=False) == difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 90), min_size=200, max_size=260), st.integers(0, 100))
def test_ratio_with_autojunk_is_difflibs(one: list[int], start: int) -> None:
    other = one[start:] + [3] * start
    assert ratio(one, other, autojunk=True) == difflib.SequenceMatcher(None, one, other).ratio()


def test_no_tags_at_all_is_0_and_a_batch_keeps_the_order(workers: Workers) -> None:
    assert html_similarity("plain", TABLE).mended == 0.0
    found = html_similarity_batch(["", TABLE, TABLE[:60]], [TABLE] * 3, workers)
    assert found == [html_similarity(text, TABLE) for text in ("", TABLE, TABLE[:60])]
