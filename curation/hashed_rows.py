"""Rows as duplicates are looked for in them: arrays per task, in an order of their own; signatures in scratch files.

Held are the ids while rows are read and put in order, then some 60 bytes a row.
"""

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
from curation.sample import sha256_hex
from curation.signature_file import SignatureFile

HASH_COLUMNS: Final = ("id", "task", "image_sha256", "text_sha256", "phash", "minhash", "skeleton_minhash")
"""What has to be there of samples and of the measure `hashes`."""

CHOICE_COLUMNS: Final = ("priority", "parent_id", "image_origin", "width_px", "height_px", "n_tokens")
"""What says which row of a cluster is the best; a column that is not there counts for nothing."""

_ORIGINS: Final = ("source", "rendered", "synthetic")
_WORST: Final = np.iinfo(np.int64).max
_WORTH: Final = ("priority", "has_parent", "origin", "pixels", "n_tokens")


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
    text: SignatureFile
    has_skeleton: NDArray[np.bool_]
    skeleton: SignatureFile

    def __len__(self) -> int:
        return len(self.positions)


def gather(tables: Iterable[pa.Table]) -> tuple[pa.Array, dict[str, HashedRows]]:
    """The ids of all rows as they come, and the rows by task. Each table is let go before the next is read.

    Raises:
        SchemaError: a table without one of `HASH_COLUMNS`, or with signatures of another size.
        StoreError: no room for the scratch files.
    """
    ids: list[pa.Array] = []
    unsorted: defaultdict[str, _Unsorted] = defaultdict(_Unsorted)
    n_rows = 0
    for table in tables:
        if missing := [name for name in HASH_COLUMNS if name not in table.column_names]:
            raise SchemaError(
                f"there is no column {missing[0]!r} to find duplicates by", "Run the measure `hashes` first"
            )
        ids.append(pa.concat_arrays([_whole(table, "id")]))
        tasks = _whole(table, "task")
        for task in tasks.unique().to_pylist():
            chosen = pc.equal(tasks, task)
            places = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))
            unsorted[task].add(table.filter(chosen), n_rows + places)
        n_rows += table.num_rows
    all_ids = pa.concat_arrays(ids) if ids else pa.array([], pa.string())
    ids.clear()
    return all_ids, {task: unsorted.pop(task).sorted(all_ids) for task in sorted(unsorted)}


class _Unsorted:
    """The rows of one task as they come."""

    def __init__(self) -> None:
        self._columns: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
        self._text, self._skeleton = SignatureFile(), SignatureFile()

    def add(self, table: pa.Table, positions: Indices) -> None:
        """Take the rows of a table, which are at these positions among all."""
        phash = _whole(table, "phash")
        arrays = {
            "positions": positions,
            "text_codes": _codes(table, "text_sha256"),
            "image_codes": _codes(table, "image_sha256"),
            "phash": phash.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64),
            "has_phash": _is_there(phash),
            "has_text": _is_there(_whole(table, "minhash")),
            "has_skeleton": _is_there(_whole(table, "skeleton_minhash")),
            **_worth(table),
        }
        for name, array in arrays.items():
            self._columns[name].append(array)
        self._text.add(_bytes_of(table, "minhash"))
        self._skeleton.add(_bytes_of(table, "skeleton_minhash"))

    def sorted(self, all_ids: pa.Array) -> HashedRows:
        """The rows in order; nothing is left here."""
        # one at a time: of no column is more there twice than of one
        column = {name: np.concatenate(self._columns.pop(name)) for name in list(self._columns)}
        names = pa.table(
            {
                "id": all_ids.take(pa.array(column["positions"])),
                "text": column["text_codes"],
                "image": column["image_codes"],
            }
        )
        order = pc.sort_indices(names, [(name, "ascending") for name in names.column_names]).to_numpy().astype(np.int64)
        del names
        for name in column:
            column[name] = column[name][order]
        best_first = np.lexsort(tuple(column.pop(name) for name in _WORTH[::-1])).astype(np.int64)
        self._text.arrange(order)
        self._skeleton.arrange(order)
        return HashedRows(best_first=best_first, text=self._text, skeleton=self._skeleton, **column)


def _worth(table: pa.Table) -> dict[str, NDArray[Any]]:
    """What makes a row worth keeping, the first before the second and so on: less is better."""
    there = set(table.column_names)
    n_rows = table.num_rows

    def numbers(name: str, missing: int) -> NDArray[np.int64]:
        if name not in there:
            return np.full(n_rows, missing, np.int64)
        column = _whole(table, name)
        values: NDArray[np.int64] = column.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)
        return values

    origin = np.zeros(n_rows, np.int8)
    if "image_origin" in there:
        found = pc.index_in(_whole(table, "image_origin"), pa.array(_ORIGINS)).fill_null(len(_ORIGINS))
        origin = found.to_numpy(zero_copy_only=False).astype(np.int8)
    has_parent = _is_there(_whole(table, "parent_id")) if "parent_id" in there else np.zeros(n_rows, np.bool_)
    pixels = numbers("width_px", 0) * numbers("height_px", 0)
    values = (numbers("priority", _WORST), has_parent, origin, -pixels, -numbers("n_tokens", 0))
    return dict(zip(_WORTH, values, strict=True))


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name).combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _is_there(column: pa.Array) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return there


def _bytes_of(table: pa.Table, name: str) -> Signatures:
    try:
        fixed = _whole(table, name).fill_null(bytes(SIGNATURE_BYTES)).cast(pa.binary(SIGNATURE_BYTES))
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {name!r} holds signatures that are not of {SIGNATURE_BYTES} bytes",
            "Run the measure `hashes` again",
        ) from error
    flat = np.frombuffer(fixed.buffers()[1] or b"", np.uint8)
    start = fixed.offset * SIGNATURE_BYTES
    return flat[start : start + len(fixed) * SIGNATURE_BYTES].reshape(len(fixed), SIGNATURE_BYTES)


def _codes(table: pa.Table, name: str) -> Indices:
    """63 bits of the hash of each value: two of a million different ones share them once in 10^7 data sets."""
    values = _whole(table, name).to_pylist()
    return np.array([-1 if value is None else int(sha256_hex(value)[:16], 16) >> 1 for value in values], np.int64)
