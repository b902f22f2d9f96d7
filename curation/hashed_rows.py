"""Rows as duplicates are looked for in them: arrays per task, a few hundred bytes a row, in an order of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.errors import SchemaError
from curation.near_pairs import SIGNATURE_BYTES, Indices, PictureHashes, Signatures

HASH_COLUMNS: Final = ("id", "task", "image_sha256", "text_sha256", "phash", "minhash", "skeleton_minhash")
"""What has to be there of samples and of the measure `hashes`."""

CHOICE_COLUMNS: Final = ("priority", "parent_id", "image_origin", "width_px", "height_px", "n_tokens")
"""What says which row of a cluster is the best; a column that is not there counts for nothing."""

_ORIGINS: Final = ("source", "rendered", "synthetic")
_WORST: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class HashedRows:
    """The rows of one task in the order of their ids (of equal ids: of their contents), whatever order they came in.

    All arrays have a place for each row. `positions` are among all rows as they came, `best_first` orders the rows by
    what makes one worth keeping. Codes are equal where the contents are, and -1 where there is none.
    """

    positions: Indices
    best_first: Indices
    text_codes: Indices
    image_codes: Indices
    has_phash: NDArray[np.bool_]
    phash: PictureHashes
    has_text: NDArray[np.bool_]
    text: Signatures
    has_skeleton: NDArray[np.bool_]
    skeleton: Signatures

    def __len__(self) -> int:
        return len(self.positions)


def gather(tables: Iterable[pa.Table]) -> tuple[pa.Array, dict[str, HashedRows]]:
    """The ids of all rows as they come, and the rows by task. Each table is let go before the next is read.

    Raises `SchemaError` for a table without one of `HASH_COLUMNS`, or with signatures of another size.
    """
    ids: list[pa.Array] = []
    parts: defaultdict[str, list[_Part]] = defaultdict(list)
    n_rows = 0
    for table in tables:
        if missing := [name for name in HASH_COLUMNS if name not in table.column_names]:
            raise SchemaError(
                f"there is no column {missing[0]!r} to find duplicates by", "Run the measure `hashes` first"
            )
        ids.append(_whole(table, "id"))
        tasks = _whole(table, "task")
        for task in tasks.unique().to_pylist():
            chosen = pc.equal(tasks, task)
            places = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))
            parts[task].append(_part(table.filter(chosen), n_rows + places))
        n_rows += table.num_rows
    all_ids = pa.concat_arrays(ids) if ids else pa.array([], pa.string())
    return all_ids, {task: _sorted(parts.pop(task)) for task in sorted(parts)}


@dataclass(frozen=True)
class _Part:
    """Rows of one task of one table: strings as Arrow has them, the rest as arrays."""

    names: pa.Table  # id, text_sha256, image_sha256
    worth: NDArray[np.int64]  # (rows, criteria): less is better
    arrays: tuple[NDArray[Any], ...]  # as `HashedRows` has them from `has_phash` on; `positions` last


def _part(table: pa.Table, positions: Indices) -> _Part:
    phash = _whole(table, "phash")
    signatures = []
    for name in ("minhash", "skeleton_minhash"):
        column = _whole(table, name)
        signatures += [_is_there(column), _bytes_of(column, name)]
    return _Part(
        pa.table({name: _whole(table, name) for name in ("id", "text_sha256", "image_sha256")}),
        _worth(table),
        (_is_there(phash), phash.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64), *signatures, positions),
    )


def _sorted(parts: list[_Part]) -> HashedRows:
    names = pa.concat_tables([part.names for part in parts]).combine_chunks()
    order = pc.sort_indices(names, [(name, "ascending") for name in names.column_names]).to_numpy().astype(np.int64)
    worth = np.concatenate([part.worth for part in parts])[order]
    columns = [list(column) for column in zip(*(part.arrays for part in parts), strict=True)]
    parts.clear()
    arrays = []
    while columns:  # one at a time: of the large ones only one is there twice
        arrays.append(np.concatenate(columns.pop(0))[order])
    return HashedRows(
        arrays.pop(),
        np.lexsort(tuple(worth.T[::-1])).astype(np.int64),
        _codes(names.column("text_sha256"))[order],
        _codes(names.column("image_sha256"))[order],
        *arrays,
    )


def _worth(table: pa.Table) -> NDArray[np.int64]:
    there = set(table.column_names)
    n_rows = table.num_rows

    def numbers(name: str, missing: int) -> NDArray[np.int64]:
        if name not in there:
            return np.full(n_rows, missing, np.int64)
        column = _whole(table, name)
        values: NDArray[np.int64] = column.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)
        return values

    origin = np.zeros(n_rows, np.int64)
    if "image_origin" in there:
        found = pc.index_in(_whole(table, "image_origin"), pa.array(_ORIGINS)).fill_null(len(_ORIGINS))
        origin = found.to_numpy(zero_copy_only=False).astype(np.int64)
    has_parent = _is_there(_whole(table, "parent_id")) if "parent_id" in there else np.zeros(n_rows, np.bool_)
    pixels = numbers("width_px", 0) * numbers("height_px", 0)
    return np.stack([numbers("priority", _WORST), has_parent, origin, -pixels, -numbers("n_tokens", 0)], axis=1)


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _is_there(column: pa.Array) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return there


def _bytes_of(column: pa.Array, name: str) -> Signatures:
    try:
        fixed = column.fill_null(bytes(SIGNATURE_BYTES)).cast(pa.binary(SIGNATURE_BYTES))
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {name!r} holds signatures that are not of {SIGNATURE_BYTES} bytes",
            "Run the measure `hashes` again",
        ) from error
    flat = np.frombuffer(fixed.buffers()[1] or b"", np.uint8)
    start = fixed.offset * SIGNATURE_BYTES
    return flat[start : start + len(fixed) * SIGNATURE_BYTES].reshape(len(fixed), SIGNATURE_BYTES)


def _codes(column: pa.ChunkedArray) -> Indices:
    encoded = column.combine_chunks()
    encoded = pa.concat_arrays(encoded.chunks) if isinstance(encoded, pa.ChunkedArray) else encoded
    codes: Indices = encoded.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
