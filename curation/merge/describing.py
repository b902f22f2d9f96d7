"""What stands in the folder of a merge beside its data: counts, card, pictures, recipe, manifest.

Imported while sources are hashed (`curation.merge.merging`): of all that a merge needs, this takes longest to import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.card import CardFacts, dataset_card
from curation.contact_sheet import contact_sheet
from curation.keys import content_key
from curation.merge.card import HOW, Story, sections
from curation.merge.decide import Decisions
from curation.merge.facts import Facts
from curation.merge.opened import ColumnFate, Opened, fingerprint
from curation.merge.pictures import composition_picture, lengths_picture, ordered
from curation.merge.spec import MERGE_VERSION, MergeSpec
from curation.merge.writing import Merged
from curation.parquet_sink import FileEntry
from curation.quality import DECIMALS, QUALITY_SCHEMA_VERSION, QUANTILES, TOLD_BY
from curation.release import RELEASE_VERSION, ReleaseSource
from curation.release_folder import file_entries, pretty, write_text
from curation.select import Selection
from rendering.pixels import encode_png

PICTURES: Final = {"composition.png": "Rows by source and split", "lengths.png": "Lengths of the texts by task"}


@dataclass(frozen=True)
class Description:
    """Everything that it is made of. `settings` is the key of all but the rows."""

    spec: MergeSpec
    sources: Sequence[Opened]
    evaluation: Sequence[Opened]
    facts: Facts
    decisions: Decisions
    columns: tuple[ColumnFate, ...]
    settings: str
    recipe_yaml: str

    def write(self, folder: Path, merged: Merged, dropped: FileEntry) -> dict[str, Any]:
        """Write all files of the folder but the data; what its manifest says."""
        spec, decisions = self.spec, self.decisions
        rejected, rows_in = decisions.rejected(), self.facts.table.num_rows
        splits = Counter[str]()
        by_source: dict[str, Counter[str]] = {}
        names = [source.entry.name for source in self.sources]
        for (source, _, split), n_rows in merged.counts.items():
            splits[split] += n_rows
            by_source.setdefault(names[source], Counter())[split] += n_rows
        composition = ordered(by_source, names)
        assert rows_in == splits.total() + sum(rejected.values()), "a row is neither kept nor left out"
        tasks = sorted({task for _, task, _ in merged.counts})
        selection = Selection("", rows_in, splits.total(), rejected, dict(sorted(splits.items())))
        quality = self._quality(selection, tasks)
        write_text(folder / "quality.json", pretty(quality))
        write_text(folder / "recipe.yaml", self.recipe_yaml)
        preview = contact_sheet(merged.written.preview)
        if preview is not None:
            (folder / "preview.png").write_bytes(encode_png(preview))
        for file, picture in zip(
            PICTURES, (composition_picture(composition), lengths_picture(self._lengths(tasks))), strict=True
        ):
            (folder / file).write_bytes(encode_png(picture))
        story = Story(composition, self.columns, rejected, decisions.told, PICTURES, tasks)
        origins = self._origins(merged)
        written = merged.written
        facts = CardFacts(
            *(spec.name, tuple(origins), selection, written.features, written.files, quality, preview is not None),
            sections=sections(spec, story),
            how=HOW,
        )
        write_text(folder / "README.md", dataset_card(facts))
        inputs = [fingerprint(one, None if one.entry.limit is None else n) for one, n in self._read()]
        manifest = {
            "key": content_key(settings=self.settings, inputs=inputs),
            "selection": "",
            "name": spec.name,
            "release_version": RELEASE_VERSION,
            "merge": {"version": MERGE_VERSION, "settings": self.settings, "inputs": inputs},
            "rows_in": rows_in,
            "rows_kept": selection.rows_kept,
            "rows_rejected": rejected,
            "splits": dict(selection.splits),
            "composition": {name: dict(sorted(of.items())) for name, of in composition.items()},
            "image_bytes": {names[source]: n for source, n in sorted(merged.image_bytes.items())},
            "sources": [asdict(origin) for origin in origins],
            "columns": [asdict(column) for column in self.columns],
            "dropped": asdict(dropped),
            "files": file_entries(folder, written.entries),
        }
        write_text(folder / "manifest.json", pretty(manifest))
        return manifest

    def _read(self) -> list[tuple[Opened, int | None]]:
        """Every source, how many of its units were read; then the evaluation sets."""
        counts = Counter(rows.source for rows in self.facts.units)
        read: list[tuple[Opened, int | None]] = [(source, counts[index]) for index, source in enumerate(self.sources)]
        return [*read, *((one, None) for one in self.evaluation)]

    def _origins(self, merged: Merged) -> list[ReleaseSource]:
        """Where rows came from: a source for each of its tasks, with the licences that its rows name."""
        kept = self.decisions.kept
        index = self.facts.source_index
        table = self.facts.table
        origins = []
        for source, task in sorted({(source, task) for source, task, _ in merged.counts}):
            provenance = self.sources[source].provenance
            own = table.filter(pa.array(kept & (index == source)))
            own = own.filter(pc.equal(own.column("task").cast(pa.string()), task))
            found = own.column("license").cast(pa.string()).unique().to_pylist()
            licenses = sorted({license_ or "unknown" for license_ in found})
            origins.append(
                ReleaseSource(
                    provenance.name, task, provenance.address, provenance.revision, "; ".join(licenses) or "unknown"
                )
            )
        return origins

    def _lengths(self, tasks: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
        """Characters of the texts that are kept, by task; conversations have none."""
        kept = self.facts.table.select(["task", "n_chars"]).filter(pa.array(self.decisions.kept))
        names = kept.column("task").cast(pa.string())
        lengths = {}
        for task in tasks:
            of_task = kept.column("n_chars").filter(pc.equal(names, task)).drop_null()
            if len(of_task):
                lengths[task] = of_task.to_numpy().astype(np.int64)
        return lengths or {"": np.zeros(1, np.int64)}

    def _quality(self, selection: Selection, tasks: Sequence[str]) -> dict[str, Any]:
        """`quality.json` as builds have it: counts, lengths, and that nothing else was measured."""
        lengths = self._lengths(tasks)
        rows = Counter(self.facts.table.column("task").filter(pa.array(self.decisions.kept)).to_pylist())
        kept = self.facts.table.select(["task", "image_origin"]).filter(pa.array(self.decisions.kept))
        synthetic = kept.filter(pc.equal(kept.column("image_origin").cast(pa.string()), "synthetic"))
        n_synthetic = Counter(synthetic.column("task").to_pylist())
        return {
            "schema_version": QUALITY_SCHEMA_VERSION,
            "rows_in": selection.rows_in,
            "rows_kept": selection.rows_kept,
            "rows_rejected": dict(selection.rejected),
            "splits": dict(selection.splits),
            "tasks": {
                task: {
                    "rows": rows[task],
                    **({"rows_synthetic": n_synthetic[task]} if n_synthetic[task] else {}),
                    **({"n_chars": _summary(lengths[task])} if task in lengths else {}),
                }
                for task in tasks
            },
            "not_measured": {task: list(TOLD_BY) for task in tasks},
            "checks": [],
        }


def _summary(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return {
        **{label: round(float(q), DECIMALS) for label, q in zip(QUANTILES, quantiles, strict=True)},
        "mean": round(float(values.mean()), DECIMALS),
        "measured": len(values),
    }
