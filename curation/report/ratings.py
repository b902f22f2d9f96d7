"""Whether a measure's mean is good, by the limits of `ratings.yaml`: only where they hold for task and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from curation.report.facts import Distribution

_RATINGS: Final = Path(__file__).with_name("ratings.yaml")
MEASURE_OF: Final = {"clip_cosine": "clip", "bertscore_f1": "bertscore"}
"""The measure that makes a rated column: its model is the one that limits are for."""


def ratings_of(task: str, distributions: Sequence[Distribution], made_with: Mapping[str, str]) -> dict[str, str]:
    """`good`, `fair` or `poor` of each column's mean; `made_with` says what each measure's model is."""
    told = {}
    for distribution in distributions:
        by_model = _limits().get(distribution.name, {}).get(task, {})
        model = made_with.get(MEASURE_OF.get(distribution.name, ""), "").casefold()
        limits = next((limits for key, limits in by_model.items() if key.casefold() in model), None)
        if limits is not None:
            mean = distribution.summary.mean
            told[distribution.name] = next((name for name, least in limits.items() if mean >= least), "poor")
    return told


@cache
def _limits() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    read: dict[str, dict[str, dict[str, dict[str, float]]]] = yaml.safe_load(_RATINGS.read_text(encoding="utf-8"))
    return read
