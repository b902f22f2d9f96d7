"""The data files of a release: selected rows in one sequential pass, image bytes passed through.

    data/<split>-00000-of-000NN.parquet      (data/<task>/… where a release has several tasks)

`datasets` opens them as they are: its features stand in each file's metadata. Not for the rest of the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.conversation import Prompt
from curation.errors import BadInputError
from curation.ingest import measure_path, samples_path
from curation.layouts import Layout, laid_out
from curation.release_files import (
    LINEAGE_COLUMNS,
    PREVIEW_SAMPLES,
    SplitWriter,
    Written,
    chosen_for_preview,
    features_in,
    with_features,
)
from curation.sample import SAMPLE_SCHEMA
from curation.select import MeasuredShard, Selection, SourceShards
from curation.split import SPLITS
from curation.store import Workspace


@dataclass(frozen=True)
class ReleaseSpec:
    """What a release is called and which columns it has beside `image`, `text` and lineage.

    `carry` names sample or measure columns to take along; `rename` gives columns other names
    (`{"text": "html"}`). With a `layout` of conversations they hold what `prompt` says around the target.
    """

    name: str
    carry: tuple[str, ...] = ("n_tokens",)
    rename: tuple[tuple[str, str], ...] = ()
    layout: Layout = "image_text"
    prompt: Prompt = field(default_factory=Prompt)


def write_data(
    workspace: Workspace, selection: Selection, shards: Sequence[SourceShards], spec: ReleaseSpec, folder: Path
) -> Written:
    """Write every selected row, in source order, into `folder/data`.

    Raises `BadInputError` for a column to carry or rename that does not exist.
    """
    splits = workspace.open_parquet(selection.path).read(["split"]).column("split")
    tasks = _tasks(workspace, shards, splits)
    schema: pa.Schema | None = None
    preview: list[dict[str, Any]] = []
    with ExitStack() as exits:
        outputs: dict[tuple[str, str], SplitWriter] = {}
        always = ("image", "text", *(["messages"] if "image_chat" in tasks else []), *LINEAGE_COLUMNS)
        for table in _selected_batches(workspace, shards, spec, splits, always):
            preview += chosen_for_preview(table, PREVIEW_SAMPLES // len(tasks), preview)
            arranged = laid_out(table.drop_columns(["split"]), spec.layout, spec.prompt)
            renamed = _renamed(arranged, dict(spec.rename))
            schema = schema or with_features(renamed.schema)
            renamed = renamed.cast(schema)
            for task in tasks:
                for split in SPLITS:
                    wanted = pc.and_(pc.equal(table.column("task"), task), pc.equal(table.column("split"), split))
                    part = renamed.filter(wanted)
                    if part.num_rows == 0:
                        continue
                    where = folder / "data" / task if len(tasks) > 1 else folder / "data"
                    if (task, split) not in outputs:
                        outputs[task, split] = exits.enter_context(_split_writer(where, split, schema))
                    outputs[task, split].write(part)
    assert schema is not None
    files = {f"{task}/{split}": writer.facts for (task, split), writer in sorted(outputs.items())}
    entries = {
        f"data/{task}/{name}" if len(tasks) > 1 else f"data/{name}": entry
        for (task, _), writer in sorted(outputs.items())
        for name, entry in writer.entries.items()
    }
    return Written(features_in(schema), files, preview, entries)


def _shards_with_splits(
    shards: Sequence[SourceShards], splits: pa.ChunkedArray
) -> Iterator[tuple[MeasuredShard, pa.ChunkedArray]]:
    """Each shard with its rows' splits: a selection holds every row of every shard, in their order."""
    offset = 0
    for measured in (m for source in shards for m in source.shards):
        yield measured, splits.slice(offset, measured.shard.rows_kept)
        offset += measured.shard.rows_kept


def _tasks(workspace: Workspace, shards: Sequence[SourceShards], splits: pa.ChunkedArray) -> list[str]:
    tasks: set[str] = set()
    for measured, shard_splits in _shards_with_splits(shards, splits):
        column = workspace.open_parquet(samples_path(measured.shard.key)).read(["task"]).column("task")
        tasks.update(column.filter(pc.is_valid(shard_splits)).unique().to_pylist())
    return sorted(tasks)


def _selected_batches(
    workspace: Workspace,
    shards: Sequence[SourceShards],
    spec: ReleaseSpec,
    splits: pa.ChunkedArray,
    always: Sequence[str],
) -> Iterator[pa.Table]:
    """Selected rows in order, a row group at a time: image, text, lineage, carried columns, and the split."""
    for measured, shard_splits in _shards_with_splits(shards, splits):
        if shard_splits.null_count == len(shard_splits):
            continue
        with ExitStack() as exits:
            samples = exits.enter_context(workspace.open_parquet(samples_path(measured.shard.key)))
            measures = [
                exits.enter_context(workspace.open_parquet(measure_path(m.measure, m.key))) for m in measured.measures
            ]
            offset = 0
            for group in range(samples.num_row_groups):
                n_rows = samples.metadata.row_group(group).num_rows
                group_splits = shard_splits.slice(offset, n_rows)
                offset += n_rows
                if group_splits.null_count < n_rows:
                    columns = _release_columns(samples, measures, group, [*always, *spec.carry])
                    yield pa.table({**columns, "split": group_splits}).filter(pc.is_valid(group_splits))


def _release_columns(
    samples: pq.ParquetFile, measures: list[pq.ParquetFile], group: int, names: Sequence[str]
) -> dict[str, pa.ChunkedArray]:
    wanted: list[str] = []
    for name in names:
        known = name in SAMPLE_SCHEMA.names or any(name in file.schema_arrow.names for file in measures)
        if not known:
            has = sorted({*SAMPLE_SCHEMA.names, *(n for file in measures for n in file.schema_arrow.names)})
            raise BadInputError(f"`carry` names {name!r}, which no measure has", f"There are: {', '.join(has)}")
        wanted += [name] if name not in wanted else []
    table = samples.read_row_group(group, [name for name in wanted if name in SAMPLE_SCHEMA.names])
    columns = {name: table.column(name) for name in table.column_names}
    for file in measures:
        if here := [name for name in wanted if name not in columns and name in file.schema_arrow.names]:
            # measures are written in row groups of the same rows as their samples
            read = file.read_row_group(group, here)
            columns |= {name: read.column(name) for name in here}
    return {name: columns[name] for name in wanted}


def _renamed(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    if unknown := sorted(set(names) - set(table.column_names)):
        raise BadInputError(
            f"`rename` names {unknown[0]!r}, which the release does not have",
            f"It has: {', '.join(table.column_names)}",
        )
    return table.rename_columns([names.get(name, name) for name in table.column_names])


@contextmanager
def _split_writer(folder: Path, split: str, schema: pa.Schema) -> Iterator[SplitWriter]:
    writer = SplitWriter(folder, split, schema)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise
    writer.finish()
