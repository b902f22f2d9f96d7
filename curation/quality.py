"""`quality.json`: what is known of a release's rows, by task, and what was not measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from curation.bias.vocabulary import CATEGORIES
from curation.select import Selection, SourceShards, read_columns
from curation.store import Workspace

QUALITY_SCHEMA_VERSION: Final = 1
QUANTILES: Final = {"min": 0.0, "p05": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}
NUMBERS: Final = (
    *("n_tokens", "n_nodes", "depth", "n_words", "render_similarity", "clip_cosine", "text_recall", "text_precision"),
    *("bertscore_f1", "width_px", "height_px"),
)
FLAGS: Final = ("valid", "blank", "cutoff", *(f"bias_{category}" for category in CATEGORIES))
DECIMALS: Final = 4

TOLD_BY: Final = {
    "tokens": "n_tokens",
    "markup": "valid",
    "render": "render_similarity",
    "clip": "clip_cosine",
    "ocr": "text_recall",
    "bertscore": "bertscore_f1",
    "bias": "bias_gender",
    "classes": "classes",
    "hashes": "minhash",
    "statistics": "n_words",
}
"""A column of each measure that has a value wherever the measure could look at a row."""


def quality_facts(workspace: Workspace, selection: Selection, shards: Sequence[SourceShards]) -> dict[str, Any]:
    """Counts, and by task the distribution of every measure over the rows that were kept.

    Values are rounded to `DECIMALS`. Holds the measures' numbers of all kept rows: 8 bytes each.
    """
    splits = workspace.open_parquet(selection.path).read(["split"]).column("split").is_valid().to_numpy()
    numbers: dict[str, dict[str, list[np.ndarray[Any, Any]]]] = defaultdict(lambda: defaultdict(list))
    n_rows: dict[str, int] = defaultdict(int)
    n_warned: dict[str, int] = defaultdict(int)
    n_synthetic: dict[str, int] = defaultdict(int)
    measures: dict[str, set[str]] = defaultdict(set)
    offset = 0
    for measured in (m for source in shards for m in source.shards):
        n_shard = measured.shard.rows_kept
        kept = splits[offset : offset + n_shard]
        offset += n_shard
        if not kept.any():
            continue
        table = read_columns(workspace, measured, "warnings").filter(kept)
        tasks = np.array(table.column("task").to_pylist())
        synthetic = np.array([origin == "synthetic" for origin in table.column("image_origin").to_pylist()])
        warned = np.array([len(warnings) > 0 for warnings in table.column("warnings").to_pylist()])
        for task in sorted(set(tasks)):
            here = tasks == task
            n_rows[task] += int(here.sum())
            n_warned[task] += int(warned[here].sum())
            n_synthetic[task] += int(synthetic[here].sum())
            measures[task] |= {ref.measure for ref in measured.measures}
            for name in (*NUMBERS, *FLAGS):
                if name in table.column_names:
                    values = table.column(name).cast("float64").to_numpy()[here]
                    numbers[task][name].append(values[~np.isnan(values)])
    return {
        "schema_version": QUALITY_SCHEMA_VERSION,
        "rows_in": selection.rows_in,
        "rows_kept": selection.rows_kept,
        "rows_rejected": dict(selection.rejected),
        "splits": dict(selection.splits),
        "tasks": {
            task: {
                "rows": n_rows[task],
                **({"rows_synthetic": n_synthetic[task]} if n_synthetic[task] else {}),
                "rows_with_warnings": n_warned[task],
                **_summaries(numbers[task]),
            }
            for task in sorted(n_rows)
        },
        "not_measured": {
            task: _not_measured(
                measures[task], {name for name, values in numbers[task].items() if sum(map(len, values))}
            )
            for task in sorted(n_rows)
        },
        "checks": [],
    }


def _summaries(columns: dict[str, list[np.ndarray[Any, Any]]]) -> dict[str, Any]:
    summaries: dict[str, Any] = {}
    for name, parts in columns.items():
        values = np.concatenate(parts)
        if not len(values):
            continue
        if name in FLAGS:
            summaries[name] = {"share": round(float(values.mean()), DECIMALS), "measured": len(values)}
        else:
            quantiles = np.quantile(values, list(QUANTILES.values()))
            summaries[name] = {
                **{label: round(float(q), DECIMALS) for label, q in zip(QUANTILES, quantiles, strict=True)},
                "mean": round(float(values.mean()), DECIMALS),
                "measured": len(values),
            }
    return summaries


def _not_measured(measures: set[str], columns: set[str]) -> list[str]:
    """Measures that were not made, and those whose numbers are null in every row."""
    return [
        name
        for name, column in TOLD_BY.items()
        if name not in measures or (column in (*NUMBERS, *FLAGS) and column not in columns)
    ]
