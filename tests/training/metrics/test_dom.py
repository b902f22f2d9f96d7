"""DOM-node accuracy: Yang's Simple Tree Matching over trees as browsers build them."""

from __future__ import annotations

import pytest

from training.metrics.dom import dom_match, dom_match_batch
from training.metrics.workers import Workers

A = "<div><ul></ul><ol><li></li><a></a></ol><p><b></b><i></i></p></div>"


def test_equal_documents_and_nothing() -> None:
    assert dom_match(A, A).accuracy == 1.0
    assert dom_match("", "").accuracy == 1.0
    assert dom_match("", A).accuracy == 0.0
    assert dom_match(A, "").accuracy == 0.0


def test_pairs_need_equal_tags_paired_parents_and_the_same_order() -> None:
    assert dom_match("<p><b></b><i></i></p>", "<p><i></i><b></b></p>").n_matched == 2  # one of the two, and the parent
    assert dom_match("<p><b></b></p>", "<div><b></b></div>").n_matched == 0
    assert dom_match("<ul><li><a></a></li></ul>", "<ul><li></li><li><a></a></li></ul>").n_matched == 3
    assert dom_match("<div><p></p><p></p></div>", "<div><p></p></div><p></p>").n_matched == 2


def test_too_many_elements_cost_as_much_as_too_few() -> None:
    few, many = "<p></p>", "<p></p><p></p><p></p><p></p>"
    assert dom_match(few, many).accuracy == dom_match(many, few).accuracy == pytest.approx(0.25)
    assert (dom_match(few, many).recall, dom_match(few, many).precision) == (0.25, 1.0)


def test_implied_elements_are_there_and_the_head_does_not_count() -> None:
    fragment = "<table><tr><td>a</td></tr></table>"
    whole = f"<html><head><title>t</title></head><body>{fragment.replace('<tr>', '<tbody><tr>')}</body></html>"
    assert dom_match(fragment, whole).accuracy == 1.0
    assert dom_match(fragment, whole).n_reference == 4  # table, tbody, tr, td


def test_a_batch_keeps_the_order(workers: Workers) -> None:
    assert dom_match_batch([A, "", A], ["", A, A], workers) == [dom_match(A, ""), dom_match("", A), dom_match(A, A)]
