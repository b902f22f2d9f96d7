"""The Parquet files of a release as `datasets` opens them: names, sizes, row groups, features in the metadata.

    data/<split>-00000-of-000NN.parquet      (data/<task>/… where a release has several tasks)

What stands in them is for others: a build's selection (`curation.release_data`), a merge (`curation.merge.writing`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import BadInputError
from curation.hash_behind import HashBehind
from curation.parquet_sink import ROWS_PER_ROW_GROUP, writer_options
from curation.sample import IMAGE_TYPE

MAX_FILE_BYTES: Final = 500_000_000
"""Size at which a split goes on in a new file; what the Hub recommends for Parquet shards."""

_BUFFER_BYTES: Final = 1 << 18
"""Texts of a row group are some fifty small pieces: they go to the file together."""

LINEAGE_COLUMNS: Final = ("task", "source", "source_revision", "source_key", "license", "image_origin", "lineage", "id")
PREVIEW_SAMPLES: Final = 12

DATASETS_TYPES: Final = {
    **{name: name for name in ("string", "bool", "int8", "int16", "int32", "int64")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64")},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
"""Arrow type to the name that `datasets` stores for it in a file's `huggingface` metadata."""


@dataclass(frozen=True)
class Written:
    """What was written: `datasets` features, rows and bytes by task and split, the first few samples, and hashes.

    `entries` are the files by their path in the release, each with its SHA-256 and size.
    """

    features: dict[str, Any]
    files: dict[str, dict[str, Any]]
    preview: list[dict[str, Any]]
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)


def with_features(schema: pa.Schema) -> pa.Schema:
    """`schema` with what `datasets` is to make of it in its metadata. Raises `BadInputError` where it has no type."""
    features = {f.name: feature_of(f.name, f.type) for f in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def features_in(schema: pa.Schema) -> dict[str, Any]:
    """The features that `with_features` put there."""
    features: dict[str, Any] = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    return features


def feature_of(name: str, type_: pa.DataType) -> dict[str, Any]:
    """The feature of `datasets` for a column of this type. Raises `BadInputError` where there is none."""
    if type_ == IMAGE_TYPE:
        return {"_type": "Image"}
    if pa.types.is_list(type_):
        return {"feature": feature_of(name, type_.value_type), "_type": "List"}
    if pa.types.is_struct(type_):
        return {part.name: feature_of(name, part.type) for part in type_}
    if str(type_) not in DATASETS_TYPES:
        raise BadInputError(f"column {name!r} of type {type_} cannot be carried into a release", "Leave it out")
    return {"dtype": DATASETS_TYPES[str(type_)], "_type": "Value"}


def chosen_for_preview(table: pa.Table, per_task: int, so_far: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
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


class SplitWriter:
    """Writes one split into numbered files of at most `MAX_FILE_BYTES`; row groups of `ROWS_PER_ROW_GROUP`.

    A thread hashes what is written. With `sync` a file is on the disk when the split is finished.
    """

    def __init__(self, folder: Path, split: str, schema: pa.Schema, *, sync: bool = False) -> None:
        self._folder, self._split, self._schema, self._sync = folder, split, schema, sync
        self._file: pa.NativeFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._hash: HashBehind | None = None
        self._pending: list[pa.Table] = []
        self._written: list[_Closed] = []
        self._path = folder
        self.facts: dict[str, Any] = {"n_rows": 0, "n_bytes": 0, "files": []}
        self.entries: dict[str, dict[str, Any]] = {}

    @property
    def room(self) -> int:
        """How many rows the row group that is being filled still takes."""
        n_pending: int = sum(part.num_rows for part in self._pending)
        return ROWS_PER_ROW_GROUP - n_pending

    def write(self, table: pa.Table) -> None:
        """Append rows; a row group is written when it is full, so that the sizes of what comes leave no trace."""
        self.facts["n_rows"] += table.num_rows
        self._pending.append(table)
        n_pending = sum(part.num_rows for part in self._pending)
        if n_pending < ROWS_PER_ROW_GROUP:
            return
        joined = pa.concat_tables(self._pending) if len(self._pending) > 1 else table
        n_full = n_pending - n_pending % ROWS_PER_ROW_GROUP
        for start in range(0, n_full, ROWS_PER_ROW_GROUP):
            self._write_group(joined.slice(start, ROWS_PER_ROW_GROUP))
        self._pending = [joined.slice(n_full).combine_chunks()] if n_pending > n_full else []

    def _write_group(self, table: pa.Table) -> None:
        if self._file is not None and self._file.tell() >= MAX_FILE_BYTES:
            self._close_file()
        if self._writer is None:
            self._open_file()
        assert self._writer is not None
        assert self._file is not None
        assert self._hash is not None
        self._writer.write_table(table.combine_chunks(), row_group_size=ROWS_PER_ROW_GROUP)
        self._file.flush()
        self._hash.reached(self._file.tell())

    def _open_file(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{self._split}-{len(self._written):05d}.parquet"
        self._file = pa.BufferedOutputStream(pa.OSFile(str(self._path), "wb"), _BUFFER_BYTES)
        self._hash = HashBehind(self._path, sync=self._sync)
        self._writer = pq.ParquetWriter(self._file, self._schema, **writer_options(self._schema))

    def _close_file(self) -> None:
        if self._writer is not None:
            assert self._file is not None
            assert self._hash is not None
            self._writer.close()
            n_bytes = self._file.tell()
            self._file.close()
            self._written.append(_Closed(self._path, n_bytes, self._hash.finish(n_bytes)))
            self._writer = self._file = self._hash = None

    def close(self) -> None:
        """Write what is pending; nothing is written any more. What is left is hashed and brought to the disk."""
        if self._pending:
            self._write_group(pa.concat_tables(self._pending))
            self._pending = []
        self._close_file()

    def finish(self) -> None:
        """Close, and give the files the names that say how many there are. Raises `OSError`."""
        self.close()
        for number, file in enumerate(self._written):
            sha256 = file.sha256.result()
            final = file.path.with_name(f"{self._split}-{number:05d}-of-{len(self._written):05d}.parquet")
            file.path.rename(final)
            self.facts["files"].append(final.name)
            self.facts["n_bytes"] += file.n_bytes
            self.entries[final.name] = {"sha256": sha256, "n_bytes": file.n_bytes}

    def abandon(self) -> None:
        """Let go of the file after a failure: what is there is thrown away."""
        if self._writer is not None:
            assert self._file is not None
            assert self._hash is not None
            self._hash.abandon()
            with suppress(OSError):  # the disk may be full: that is what went wrong
                self._writer.close()
            with suppress(OSError):
                self._file.close()
            self._writer = self._file = self._hash = None


@dataclass(frozen=True)
class _Closed:
    """A file that is written: where, its size, and its SHA-256 when that is known."""

    path: Path
    n_bytes: int
    sha256: Future[str]
