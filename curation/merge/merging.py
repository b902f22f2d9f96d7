"""A merge from its settings to a folder: open, look at all rows, decide, write, describe. Or say that nothing is new.

<save path>/                      a release, as `curation.release` writes them
<save path>.dropped.parquet       what was left out: ids, reasons, the id that is kept instead
<cache>/signatures/               what near duplicates are found by
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.card import CardFacts, dataset_card
from curation.contact_sheet import contact_sheet
from curation.errors import BadInputError
from curation.keys import content_key
from curation.merge.card import HOW, Story, sections
from curation.merge.decide import DROPPED_SCHEMA, Decisions, decide, dropped_rows
from curation.merge.facts import Facts, gather_facts
from curation.merge.opened import ColumnFate, Opened
from curation.merge.opening import open_entry, with_names_apart
from curation.merge.pictures import composition_picture, lengths_picture, ordered
from curation.merge.schema import unify
from curation.merge.spec import MERGE_VERSION, MergeSpec
from curation.merge.splits import RANKS
from curation.merge.writing import Merged, write_merged
from curation.parquet_sink import FileEntry
from curation.quality import DECIMALS, QUALITY_SCHEMA_VERSION, QUANTILES, TOLD_BY
from curation.release import RELEASE_VERSION, ReleaseSource
from curation.release_folder import file_entries, new_folder, pretty, verifies, write_text
from curation.select import Selection
from curation.store import Workspace
from rendering.pixels import encode_png

Tell = Callable[[str, str, int], None]
"""Told what is done ("read" or "written"), of which source ("" for all), and of how many rows now."""

PICTURES: Final = {"composition.png": "Rows by source and split", "lengths.png": "Lengths of the texts by task"}


@dataclass(frozen=True)
class MergeResult:
    """What a merge made, found, or (`dry_run`) would make. Bytes are those of pictures; of a dry run, about."""

    path: str
    dropped_path: str
    manifest: Mapping[str, Any]
    columns: tuple[ColumnFate, ...]
    composition: Mapping[str, Mapping[str, int]]
    rows_in: int
    rows_kept: int
    rejected: Mapping[str, int]
    splits: Mapping[str, int]
    bytes_in: int
    bytes_kept: int
    told: tuple[str, ...]
    made_now: bool
    dry_run: bool = False
    not_compared: int = 0
    """Rows of remote captions whose pictures a dry run did not fetch."""


def merge(
    spec: MergeSpec, save_path: str, cache_dir: str, recipe_yaml: str, tell: Tell, *, dry_run: bool = False
) -> MergeResult:
    """Merge the sources of `spec` into the folder `save_path`, or find it as it should be.

    Raises:
        BadInputError: a source is missing, empty, has no pictures, or does not fit the others; nothing is kept; what
            is at `save_path` is no release.
        StoreError: a folder cannot be written, or another merge uses the cache.
    """
    home, name = _place(save_path)
    cache = Workspace(Path(cache_dir).expanduser().absolute())
    sources = [open_entry(entry) for entry in with_names_apart(spec.entries)]
    evaluation = [open_entry(entry) for entry in with_names_apart(spec.decontaminate)]
    carried, columns = unify(sources, spec.carry)
    settings = _settings_key(spec, sources, evaluation, carried, recipe_yaml)
    manifest = home.read_json(f"{name}/manifest.json")
    if manifest and _is_current(home, name, manifest, settings, sources, evaluation):
        return _found(home, name, manifest, columns, dry_run=dry_run)
    with cache.lock():
        facts = gather_facts(sources, spec.seed, partial(tell, "read"), with_remote_pictures=not dry_run)
        decisions = decide(sources, facts, spec, evaluation, cache)
        if not decisions.kept.any():
            mend = "Loosen what leaves rows out: --dedup, --decontaminate, --balance, --splits"
            raise BadInputError(f"no row of {facts.table.num_rows} is left ({decisions.rejected()})", mend)
        if dry_run:
            return _planned(home, name, sources, facts, decisions, columns)
        writer = _Release(spec, sources, evaluation, facts, decisions, columns, settings, recipe_yaml)
        return writer.write(home, name, carried, partial(tell, "written", ""))


@dataclass(frozen=True)
class _Release:
    """Everything that the folder of a merge is made of."""

    spec: MergeSpec
    sources: Sequence[Opened]
    evaluation: Sequence[Opened]
    facts: Facts
    decisions: Decisions
    columns: tuple[ColumnFate, ...]
    settings: str
    recipe_yaml: str

    def write(self, home: Workspace, name: str, carried: pa.Schema, tell: Callable[[int], None]) -> MergeResult:
        """Write the folder and, beside it, what was left out."""
        with new_folder(home, name) as folder:
            merged = write_merged(self.sources, self.facts, self.decisions, self.spec, carried, folder, tell)
            dropped = self._write_dropped(home, name)
            manifest = self._describe(folder, merged, dropped)
        return MergeResult(
            **_places(home, name),
            manifest=manifest,
            columns=self.columns,
            composition=manifest["composition"],
            **_accounts(manifest),
            bytes_in=_bytes_in(self.facts),
            bytes_kept=merged.image_bytes.total(),
            told=tuple(self.decisions.told),
            made_now=True,
        )

    def _write_dropped(self, home: Workspace, name: str) -> FileEntry:
        with home.new_parquet(f"{name}.dropped.parquet", DROPPED_SCHEMA) as sink:
            sink.write(dropped_rows(self.facts, self.decisions))
            return sink.finish()

    def _describe(self, folder: Path, merged: Merged, dropped: FileEntry) -> dict[str, Any]:
        """All files but the data."""
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


def fingerprint(source: Opened, n_units: int | None) -> dict[str, Any]:
    """What was read of a source: the hashes of its first units (None: all of them), and how many they are."""
    keys = [unit.key for unit in islice(source.units(), n_units)]
    return {"name": source.entry.name, "n_units": len(keys), "units": content_key(keys=keys)}


def _settings_key(
    spec: MergeSpec, sources: Sequence[Opened], evaluation: Sequence[Opened], carried: pa.Schema, recipe_yaml: str
) -> str:
    """Everything but the rows that a release follows from."""
    return content_key(
        version=[RELEASE_VERSION, MERGE_VERSION],
        recipe=recipe_yaml,
        name=spec.name,
        choices=[spec.rows, spec.seed, spec.splits, spec.dedup, spec.overlap, spec.balance, spec.layout, spec.prompt],
        columns=[spec.carry, spec.rename, str(carried)],
        sources=[[one.provenance, one.settings, one.entry.weight] for one in (*sources, *evaluation)],
    )


def _is_current(
    home: Workspace,
    name: str,
    manifest: Mapping[str, Any],
    settings: str,
    sources: Sequence[Opened],
    evaluation: Sequence[Opened],
) -> bool:
    """Whether what is there was made of the same rows by the same settings, and is intact."""
    made = manifest.get("merge")
    if not made or made["settings"] != settings:
        return False
    everything = [*sources, *evaluation]
    if len(made["inputs"]) != len(everything):
        return False
    for source, recorded in zip(everything, made["inputs"], strict=True):
        if fingerprint(source, recorded["n_units"] if source.entry.limit is not None else None) != recorded:
            return False
    dropped = manifest["dropped"]
    return home.file_sha256(dropped["path"]) == dropped["sha256"] and verifies(home, name, manifest)


def _found(
    home: Workspace, name: str, manifest: Mapping[str, Any], columns: tuple[ColumnFate, ...], *, dry_run: bool
) -> MergeResult:
    n_bytes = sum(manifest["image_bytes"].values())
    return MergeResult(
        **_places(home, name),
        manifest=manifest,
        columns=columns,
        composition=manifest["composition"],
        **_accounts(manifest),
        bytes_in=n_bytes,
        bytes_kept=n_bytes,
        told=(),
        made_now=False,
        dry_run=dry_run,
    )


def _planned(
    home: Workspace,
    name: str,
    sources: Sequence[Opened],
    facts: Facts,
    decisions: Decisions,
    columns: tuple[ColumnFate, ...],
) -> MergeResult:
    """What a merge would make, as far as can be told without a picture."""
    kept = decisions.kept
    names = [source.entry.name for source in sources]
    by_source: dict[str, Counter[str]] = {}
    for source, rank in zip(facts.source_index[kept].tolist(), decisions.ranks[kept].tolist(), strict=True):
        by_source.setdefault(names[source], Counter())[RANKS[rank]] += 1
    composition = ordered(by_source, names)
    splits = Counter[str]()
    for of in composition.values():
        splits.update(of)
    bytes_kept = sum(
        rows.unit.n_bytes * int(kept[rows.first : rows.first + rows.n_rows].sum()) // max(1, rows.n_rows)
        for rows in facts.units
    )
    unseen = sum(rows.n_rows for rows in facts.units if rows.unit.is_remote)
    return MergeResult(
        **_places(home, name),
        manifest={},
        columns=columns,
        composition=composition,
        rows_in=facts.table.num_rows,
        rows_kept=int(kept.sum()),
        rejected=decisions.rejected(),
        splits=dict(sorted(splits.items())),
        bytes_in=_bytes_in(facts),
        bytes_kept=bytes_kept,
        told=tuple(decisions.told),
        made_now=False,
        dry_run=True,
        not_compared=unseen,
    )


def _place(save_path: str) -> tuple[Workspace, str]:
    """The folder that the release lies in, and its name there. What is no release of ours is not replaced."""
    path = Path(save_path).expanduser().absolute()
    home = Workspace(path.parent)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        manifest = home.read_json(f"{path.name}/manifest.json") if path.is_dir() else None
        if manifest is None or "release_version" not in manifest:
            raise BadInputError(f"{save_path} is there and is no release", "Choose another --save-path, or remove it")
    return home, path.name


def _places(home: Workspace, name: str) -> dict[str, Any]:
    return {"path": home.path(name), "dropped_path": home.path(f"{name}.dropped.parquet")}


def _accounts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rows_in": manifest["rows_in"],
        "rows_kept": manifest["rows_kept"],
        "rejected": manifest["rows_rejected"],
        "splits": manifest["splits"],
    }


def _bytes_in(facts: Facts) -> int:
    return sum(rows.unit.n_bytes for rows in facts.units)


def _summary(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return {
        **{label: round(float(q), DECIMALS) for label, q in zip(QUANTILES, quantiles, strict=True)},
        "mean": round(float(values.mean()), DECIMALS),
        "measured": len(values),
    }
