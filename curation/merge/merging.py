"""A merge from its settings to a folder: open, look at all rows, decide, write, describe. Or say that nothing is new.

<save path>/                      a release, as `curation.release` writes them
<save path>.dropped.parquet       what was left out: ids, reasons, the id that is kept instead
<cache>/signatures/               what near duplicates are found by
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curation.errors import BadInputError
from curation.keys import content_key
from curation.merge.decide import DROPPED_SCHEMA, Decisions, decide, dropped_rows
from curation.merge.facts import N_THREADS, Facts, gather_facts
from curation.merge.opened import ColumnFate, Opened, fingerprint
from curation.merge.opening import open_entry, with_names_apart
from curation.merge.schema import unify
from curation.merge.spec import MERGE_VERSION, MergeSpec
from curation.merge.splits import RANKS
from curation.merge.writing import write_merged
from curation.release_folder import new_folder, verifies
from curation.store import Workspace

if TYPE_CHECKING:
    from curation.merge.describing import Description

Tell = Callable[[str, str, int], None]
"""Told what is done ("read" or "written"), of which source ("" for all), and of how many rows now."""


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
    with _opening(spec) as opening:
        from curation.merge import describing  # noqa: PLC0415 - takes its time, in which sources are hashed
        from curation.release import RELEASE_VERSION  # noqa: PLC0415 - as above

        opened = [one.result() for one in opening]
    sources, evaluation = opened[: len(spec.entries)], opened[len(spec.entries) :]
    carried, columns = unify(sources, spec.carry)
    versions = [RELEASE_VERSION, MERGE_VERSION]
    settings = _settings_key(versions, spec, sources, evaluation, carried, recipe_yaml)
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
        about = describing.Description(spec, sources, evaluation, facts, decisions, columns, settings, recipe_yaml)
        return _write(about, home, name, carried, partial(tell, "written", ""))


@contextmanager
def _opening(spec: MergeSpec) -> Iterator[list[Future[Opened]]]:
    """Sources, then evaluation sets, opened in threads: files whose hash is not known are read for it, whole."""
    entries = [*with_names_apart(spec.entries), *with_names_apart(spec.decontaminate)]
    with ThreadPoolExecutor(N_THREADS, "merge-open") as pool:
        opening = [pool.submit(copy_context().run, open_entry, entry) for entry in entries]
        try:
            yield opening
        finally:
            for one in opening:
                one.cancel()


def _write(
    about: Description, home: Workspace, name: str, carried: pa.Schema, tell: Callable[[int], None]
) -> MergeResult:
    """Write the folder and, beside it, what was left out."""
    facts, decisions = about.facts, about.decisions
    with new_folder(home, name) as folder:
        merged = write_merged(about.sources, facts, decisions, about.spec, carried, folder, tell)
        with home.new_parquet(f"{name}.dropped.parquet", DROPPED_SCHEMA) as sink:
            sink.write(dropped_rows(facts, decisions))
            dropped = sink.finish()
        manifest = about.write(folder, merged, dropped)
    return MergeResult(
        **_places(home, name),
        manifest=manifest,
        columns=about.columns,
        composition=manifest["composition"],
        **_accounts(manifest),
        bytes_in=_bytes_in(facts),
        bytes_kept=merged.image_bytes.total(),
        told=tuple(decisions.told),
        made_now=True,
    )


def _settings_key(
    versions: Sequence[int],
    spec: MergeSpec,
    sources: Sequence[Opened],
    evaluation: Sequence[Opened],
    carried: pa.Schema,
    recipe_yaml: str,
) -> str:
    """Everything but the rows that a release follows from."""
    return content_key(
        version=list(versions),
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
    composition = {name: by_source.get(name, Counter()) for name in names}
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
