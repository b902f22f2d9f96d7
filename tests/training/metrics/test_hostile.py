"""Broken, empty and hostile predictions: each metric scores them in bounded time, and none raises."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.training.metrics.hostile import HOSTILE
from training.metrics.dom import dom_match
from training.metrics.html_similarity import html_similarity
from training.metrics.latex import latex_match
from training.metrics.latex_errors import latex_causes
from training.metrics.teds import teds
from training.metrics.text import corpus_bleu, corpus_chrf

TABLE = "<html><body><table><tr><td>a</td><td>b</td></tr></table></body></html>"
FORMULA = r"\frac { a } { b } + x ^ { 2 }"

METRICS: dict[str, tuple[Callable[[str, str], float], str]] = {
    "teds": (teds, TABLE),
    "html_similarity": (lambda one, other: html_similarity(one, other).mended, TABLE),
    "dom": (lambda one, other: dom_match(one, other).accuracy, TABLE),
    "latex": (lambda one, other: 1 - latex_match(one, other).edit_distance, FORMULA),
    "causes": (lambda one, other: float(not latex_causes(one, other)), FORMULA),
    "bleu": (lambda one, other: corpus_bleu([one], [other]).score / 100, TABLE),
    "chrf": (lambda one, other: corpus_chrf([one], [other]).score / 100, TABLE),
}
LIMIT_S = 8.0
"""Of CPU, on a slow machine: without its bounds each of these takes minutes for one of the texts."""


@pytest.mark.parametrize("name", METRICS)
def test_every_hostile_prediction_has_a_low_score_in_bounded_time(name: str) -> None:
    metric, reference = METRICS[name]
    assert metric(reference, reference) == pytest.approx(1)  # what has to be compiled is
    for what, text in HOSTILE.items():
        started_s = time.process_time()
        score = metric(text, reference)
        took_s = time.process_time() - started_s
        assert 0.0 <= score < 0.95, what
        assert took_s < LIMIT_S, f"{what} took {took_s:.1f} s"
        if what in ("empty", "nested tags", "half a surrogate pair"):
            assert 0.0 <= metric(reference, text) < 0.95, f"{what} as the reference"
