"""What a build of synthetic rows kept, and why the others were left out; what a release has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from curation.classes.sample_classes import classes_of
from curation.ingest import samples_path
from curation.select import Selection
from curation.store import Workspace
from curation.synthesize.loop import Counted


def count_built(workspace: Workspace, selection: Selection, asked: Mapping[str, Sequence[str]]) -> Counted:
    """Classes of the rows that the selection keeps, counted in their texts as they are released.

    `asked` are the classes that each sample was asked for, by its `source_key`.
    """
    decided = workspace.open_parquet(selection.path).read(["id", "shard", "reason"]).to_pylist()
    reasons = {row["id"]: row["reason"] for row in decided}
    kept: dict[str, Counter[str]] = {}
    left_out: dict[str, Counter[str]] = {}
    for shard in dict.fromkeys(row["shard"] for row in decided):
        table = workspace.open_parquet(samples_path(shard)).read(["id", "source_key", "task", "text"])
        for row in table.to_pylist():
            reason = reasons.get(row["id"])
            if reason is None:
                found = classes_of(row["task"], row["text"], None) or ()
                kept.setdefault(row["task"], Counter()).update(found)
            else:
                for name in asked.get(row["source_key"], ()):
                    left_out.setdefault(name, Counter())[reason] += 1
        if workspace.fs.exists(workspace.path("rejects", f"{shard}.parquet")):
            rejects = workspace.open_parquet(f"rejects/{shard}.parquet").read(["source_key", "reason", "stage"])
            for row in rejects.to_pylist():
                if not row["stage"].startswith("source "):  # those were no samples: the drafts are counted
                    for name in asked.get(row["source_key"], ()):
                        left_out.setdefault(name, Counter())[row["reason"]] += 1
    return Counted(kept, left_out)


@dataclass(frozen=True)
class ReleaseCounts:
    """Samples with each class, all rows and the synthetic ones, each by task."""

    classes: Mapping[str, Counter[str]]
    n_rows: Mapping[str, int]
    n_synthetic: Mapping[str, int]


def count_release(folder: Path, rename: Mapping[str, str]) -> ReleaseCounts:
    """Count the classes in the texts of a release's files; `rename` are the names that its recipe gave to columns."""
    classes: dict[str, Counter[str]] = {}
    n_rows: Counter[str] = Counter()
    n_synthetic: Counter[str] = Counter()
    names = [rename.get(name, name) for name in ("task", "text", "image_origin")]
    for path in sorted(folder.glob("data/**/*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1_000, columns=names):
                for task, text, origin in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                    n_rows[task] += 1
                    n_synthetic[task] += origin == "synthetic"
                    classes.setdefault(task, Counter()).update(classes_of(task, text, None) or ())
    return ReleaseCounts(classes, n_rows, n_synthetic)
