"""The data files of a release: selected rows in one sequential pass, image bytes passed through.

    data/<split>-00000-of-000NN.parquet      (data/<task>/… where a release has several tasks)

`datasets` opens them as they are: its features stand in each file's metadata. Not for the rest of the folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import BadInputError
from curation.ingest import measure_path, samples_path
from curation.parquet_sink import ROWS_PER_ROW_GROUP, writer_options
from curation.sample import IMAGE_TYPE, SAMPLE_SCHEMA
from curation.select import MeasuredShard, Selection, SourceShards
from curation.split import SPLITS
from curation.store import Workspace

MAX_FILE_BYTES: Final = 500_000_000
"""Size at which a split goes on in a new file; what the Hub recommends for Parquet shards."""

LINEAGE_COLUMNS: Final = ("task", "source", "source_revision", "source_key", "license", "image_origin", "lineage", "id")
PREVIEW_SAMPLES: Final = 12

DATASETS_TYPES: Final = {
    "string": {"dtype": "string", "_type": "Value"},
    "int32": {"dtype": "int32", "_type": "Value"},
    "int16": {"dtype": "int16", "_type": "Value"},
    "float": {"dtype": "float32", "_type": "Value"},
    "bool": {"dtype": "bool", "_type": "Value"},
}
"""Arrow type to the feature that `datasets` stores in a file's `huggingface` metadata."""


@dataclass(frozen=True)
class ReleaseSpec:
    """What a release is called and which columns it has beside `image`, `text` and lineage.

    `carry` names sample or measure columns to take along; `rename` gives columns other names
    (`{"text": "html"}`).
    """

    name: str
    carry: tuple[str, ...] = ("n_tokens",)
    rename: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Written:
    """What was written: `datasets` features, rows and bytes by split and task, and the first few samples."""

    features: dict[str, Any]
    files: dict[str, dict[str, Any]]
    preview: list[dict[str, Any]]


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
        outputs: dict[tuple[str, str], _SplitWriter] = {}
        always = ("image", "text", *(["messages"] if "image_chat" in tasks else []), *LINEAGE_COLUMNS)
        for table in _selected_batches(workspace, shards, spec, splits, always):
            preview += _for_preview(table, PREVIEW_SAMPLES // len(tasks), preview)
            renamed = _renamed(table.drop_columns(["split"]), dict(spec.rename))
            schema = schema or _with_features(renamed.schema)
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
    return Written(json.loads(schema.metadata[b"huggingface"])["info"]["features"], files, preview)


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


def _with_features(schema: pa.Schema) -> pa.Schema:
    features = {f.name: {"_type": "Image"} if f.type == IMAGE_TYPE else _feature(f.name, f.type) for f in schema}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return schema.with_metadata(metadata)


def _feature(name: str, type_: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(type_):
        return {"feature": _feature(name, type_.value_type), "_type": "List"}
    if pa.types.is_struct(type_):
        return {field.name: _feature(name, field.type) for field in type_}
    if str(type_) not in DATASETS_TYPES:
        raise BadInputError(f"column {name!r} of type {type_} cannot be carried into a release", "Leave it out")
    return DATASETS_TYPES[str(type_)]


def _for_preview(table: pa.Table, per_task: int, so_far: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first samples of each task, each with another picture: five captions of one tell less."""
    count = Counter(sample["task"] for sample in so_far)
    shown = {(sample["image"] or {}).get("bytes") for sample in so_far}
    chosen = []
    for row, task in enumerate(table.column("task").to_pylist()):
        if count[task] >= per_task:
            continue
        (sample,) = table.slice(row, 1).to_pylist()
        picture = (sample["image"] or {}).get("bytes")
        if picture not in shown:
            shown.add(picture)
            count[task] += 1
            chosen.append(sample)
    return chosen


class _SplitWriter:
    """Writes one split into numbered files of at most `MAX_FILE_BYTES`; row groups of `ROWS_PER_ROW_GROUP`."""

    def __init__(self, folder: Path, split: str, schema: pa.Schema) -> None:
        self._folder, self._split, self._schema = folder, split, schema
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._paths: list[Path] = []
        self.facts: dict[str, Any] = {"n_rows": 0, "n_bytes": 0, "files": []}

    def write(self, table: pa.Table) -> None:
        """Append rows; a row group is written when it is full, so that shards' sizes leave no trace."""
        self._pending.append(table)
        self.facts["n_rows"] += table.num_rows
        while sum(t.num_rows for t in self._pending) >= ROWS_PER_ROW_GROUP:
            joined = pa.concat_tables(self._pending).combine_chunks()
            self._write_group(joined.slice(0, ROWS_PER_ROW_GROUP))
            self._pending = [joined.slice(ROWS_PER_ROW_GROUP)]

    def _write_group(self, table: pa.Table) -> None:
        if self._writer is not None and self._paths[-1].stat().st_size >= MAX_FILE_BYTES:
            self._close_file()
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._paths.append(self._folder / f"{self._split}-{len(self._paths):05d}.parquet")
            self._writer = pq.ParquetWriter(self._paths[-1], self._schema, **writer_options(self._schema))
        self._writer.write_table(table, row_group_size=ROWS_PER_ROW_GROUP)

    def _close_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def finish(self) -> None:
        """Write what is pending, and give the files the names that say how many there are."""
        if pending := sum(table.num_rows for table in self._pending):
            self._write_group(pa.concat_tables(self._pending).combine_chunks().slice(0, pending))
        self._close_file()
        for number, path in enumerate(self._paths):
            final = path.with_name(f"{self._split}-{number:05d}-of-{len(self._paths):05d}.parquet")
            path.rename(final)
            self.facts["files"].append(final.name)
            self.facts["n_bytes"] += final.stat().st_size


@contextmanager
def _split_writer(folder: Path, split: str, schema: pa.Schema) -> Iterator[_SplitWriter]:
    writer = _SplitWriter(folder, split, schema)
    yield writer
    writer.finish()
