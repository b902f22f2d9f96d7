"""`quality_summary.json`: distilvit's fields, and ours under `markupmill`. Null where nothing was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np

from curation.balance import balance_of, by_namespace, entropy_bits, gini, top_share
from curation.bias.vocabulary import CATEGORIES
from curation.report.facts import TaskFacts
from curation.report.findings import OBJECTS, Alerts, imbalance_warnings
from curation.report.gathering import Gathered

DECIMALS: Final = 6
SHOWN: Final = frozenset({"worst", "best", "examples", "members", "lorenz"})
"""Parts of the facts that are pictures or curves: they are in the page."""


def quality_summary(gathered: Gathered, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The summary as JSON values. `settings`: `split`, `rare_threshold` and whatever else is to be told.

    distilvit's `avg_object_coverage` is here what its name says, the mean share of the source's objects that a caption
    names; `duplicate_rate` is the share of texts that another row has, too.
    """
    facts = gathered.facts
    objects: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for tally in gathered.tallies:
        objects.update(by_namespace(tally.classes).get(OBJECTS, {}))
        words.update(tally.words)
    n_with, n_none, mean_miss = gathered.object_misses
    balance = balance_of(objects, int(settings["rare_threshold"]))
    has_objects = balance.n_classes > 0
    alerts = Alerts(settings["imbalance_gini_alert"], settings["imbalance_topk_alert"])
    texts = np.concatenate([np.empty(0, np.uint64), *(part for tally in gathered.tallies for part in tally.texts)])
    n_words = _values(gathered, "n_words")
    return {
        "dataset": facts.address,
        "split": settings["split"],
        "total_samples": facts.n_rows,
        "samples_with_images": len(_values(gathered, "width_px")),
        **_moments("clip_score", _values(gathered, "clip_cosine"), ("mean", "std", "min", "max", "median")),
        **_moments("bert_score", _values(gathered, "bertscore_f1"), ("mean", "std")),
        "avg_word_count": _rounded(n_words.mean(dtype=np.float64)) if len(n_words) else None,
        "median_word_count": _rounded(np.median(n_words)) if len(n_words) else None,
        "unique_words": len(words) + sum(tally.n_words_let_go for tally in gathered.tallies) if words else None,
        "total_words": sum(tally.n_words for tally in gathered.tallies) if words else None,
        "vocabulary_entropy": _rounded(entropy_bits(words)) if words else None,
        **_bias_rates(facts.tasks),
        "avg_object_coverage": _rounded(1.0 - mean_miss) if n_with else None,
        "duplicate_rate": _rounded(1.0 - len(np.unique(texts)) / len(texts)) if len(texts) else None,
        "word_dist_entropy": _rounded(entropy_bits(words)) if words else None,
        "word_dist_gini": _rounded(gini(words)) if words else None,
        "word_dist_top10_share": _rounded(top_share(words, 10)) if words else None,
        "obj_num_unique": balance.n_classes,
        "obj_total_mentions": balance.n_occurrences,
        "obj_entropy_bits": _rounded(balance.entropy_bits) if has_objects else None,
        "obj_gini": _rounded(balance.gini) if has_objects else None,
        "obj_top5_share": _rounded(balance.top5_share) if has_objects else None,
        "obj_top10_share": _rounded(balance.top10_share) if has_objects else None,
        "obj_rare_count": balance.n_rare,
        "obj_rare_threshold": int(settings["rare_threshold"]),
        "obj_miss_rate": _rounded(n_none / n_with) if n_with else None,
        "imbalance_warnings": [
            warning
            for task in facts.tasks
            for one in task.balances
            if one.namespace == OBJECTS
            for warning in imbalance_warnings(one, alerts)
        ],
        "markupmill": {**_plain(facts), "settings": dict(settings)},
    }


def _values(gathered: Gathered, name: str) -> Any:
    return np.concatenate([np.empty(0, np.float32), *(tally.values(name) for tally in gathered.tallies)])


def _moments(name: str, values: Any, wanted: tuple[str, ...]) -> dict[str, float | None]:
    """As numpy has them under the same names; the deviation is the population's, as distilvit's is."""
    doubles = values.astype(np.float64)
    return {f"{name}_{one}": _rounded(getattr(np, one)(doubles)) if len(values) else None for one in wanted}


def _bias_rates(tasks: tuple[TaskFacts, ...]) -> dict[str, float | None]:
    """Of all rows that were looked at, whatever their task."""
    rates: dict[str, float | None] = {}
    for when in ("transformed", "original"):
        for category in CATEGORIES:
            found = [bias for task in tasks for bias in task.bias if bias.category == category]
            shares = [one for bias in found if (one := bias.after if when == "transformed" else bias.before)]
            n = sum(share.n for share in shares)
            rates[f"protected_{category}_rate_{when}"] = (
                _rounded(sum(share.n_hits for share in shares) / n) if n else None
            )
    return rates


def _plain(value: Any) -> Any:
    """Facts as JSON values, without what is only to be looked at."""
    if hasattr(value, "__dataclass_fields__"):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in SHOWN}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return None
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: Any) -> float:
    return round(float(value), DECIMALS)
