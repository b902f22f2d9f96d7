"""Rows in a shuffled order in one pass: units in a random order, some of them open at a time, their rows mixed.

    units, by the hash of seed and key ->  open: as many as fit in `OPEN_BYTES`
                                       ->  block: pictures of up to `BLOCK_BYTES`, rows by the hash of seed and id

What CorgiPile does for training out of a database (Xu et al., SIGMOD 2022): rows that stand together in a file end up
together with rows of some 50 other places, not of all. Each byte is read once and memory does not grow with the rows.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.merge.facts import Facts, UnitRows
from curation.merge.opened import OWN_SCHEMA, ROW_SCHEMA, Opened, Pictures
from curation.sample import IMAGE_TYPE

BLOCK_BYTES: Final = 64_000_000
OPEN_BYTES: Final = 128_000_000
STRETCH_ROWS: Final = 50
"""So many rows that stand together in a unit go into a block before it is another unit's turn."""

NUMBER: Final = "__number"
"""Column of a block: the row's number among the facts."""


class Block:
    """Rows as they were read, and the order to write them in: positions in `table`, which has all but the pictures.

    Pictures stay where they were read until `rows` copies those that it is asked for, once, into what is written.
    """

    def __init__(self, parts: Sequence[pa.Table], orders: NDArray[np.uint64]) -> None:
        self.table = pa.concat_tables([part.drop_columns(["image"]) for part in parts]).combine_chunks()
        self.numbers: NDArray[np.int64] = self.table.column(NUMBER).to_numpy()
        images = [chunk for part in parts for chunk in part.column("image").chunks]
        self._pictures = [Pictures(chunk) for chunk in images]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in images)])
        self.sizes = np.concatenate([one.sizes for one in self._pictures])
        self.order: NDArray[np.int64] = np.lexsort((self.numbers, orders[self.numbers]))

    def rows(self, positions: NDArray[np.int64]) -> pa.Table:
        """The rows at these positions, pictures first. Each must have a picture."""
        parts = np.searchsorted(self._starts, positions, side="right") - 1
        places = positions - self._starts[parts]
        ends = np.zeros(len(positions) + 1, np.int32)
        np.cumsum(self.sizes[positions], out=ends[1:])
        # Of Arrow's pool, which keeps its pages: fresh ones for each row group cost more than what is put into them.
        joined = pa.allocate_buffer(int(ends[-1]))
        room = memoryview(joined)
        for part, place, start, end in zip(
            *(one.tolist() for one in (parts, places, ends[:-1], ends[1:])), strict=True
        ):
            room[start:end] = self._pictures[part].at(place)
        data = pa.Array.from_buffers(pa.binary(), len(positions), [None, pa.py_buffer(ends), joined])
        images = pa.StructArray.from_arrays([data, pa.nulls(len(data), pa.string())], fields=list(IMAGE_TYPE))
        rest = self.table.take(pa.array(positions))
        return rest.add_column(0, pa.field("image", IMAGE_TYPE), images)


def blocks(
    sources: Sequence[Opened], facts: Facts, kept: NDArray[np.bool_], carried: pa.Schema, seed: int
) -> Iterator[Block]:
    """All rows that are kept (`row_schema(carried)`), a block at a time; those without a picture have a null there."""
    orders = facts.table.column("order").to_numpy()
    with_rows = [unit for unit in facts.units if kept[unit.first : unit.first + unit.n_rows].any()]
    waiting = deque(_shuffled(with_rows, seed))
    open_units: deque[tuple[int, Iterator[pa.Table]]] = deque()
    parts: list[pa.Table] = []
    n_bytes = 0
    while waiting or open_units:
        while waiting and (not open_units or _held(open_units) + waiting[0].unit.held_bytes <= OPEN_BYTES):
            unit = waiting.popleft()
            open_units.append((unit.unit.held_bytes, _rows_of(sources[unit.source], facts, unit, kept, carried)))
        held, rows = open_units.popleft()
        part = next(rows, None)
        if part is None:
            continue
        open_units.append((held, rows))
        parts.append(part)
        n_bytes += part.nbytes
        if n_bytes >= BLOCK_BYTES:
            yield Block(parts, orders)
            parts, n_bytes = [], 0
    if parts:
        yield Block(parts, orders)


def row_schema(carried: pa.Schema) -> pa.Schema:
    """Columns of a block: number, picture, what every source hands over, what is carried."""
    known = [(NUMBER, pa.int64()), ("image", IMAGE_TYPE)]
    return pa.schema([*known, *ROW_SCHEMA, *(field for field in carried)])


def _held(open_units: deque[tuple[int, Iterator[pa.Table]]]) -> int:
    return sum(held for held, _ in open_units)


def _shuffled(units: Sequence[UnitRows], seed: int) -> list[UnitRows]:
    def place(rows: UnitRows) -> bytes:
        return hashlib.blake2b(f"{seed}\x1f{rows.source}\x1f{rows.unit.key}".encode(), digest_size=8).digest()

    return sorted(units, key=place)


def _rows_of(
    source: Opened, facts: Facts, unit: UnitRows, kept: NDArray[np.bool_], carried: pa.Schema
) -> Iterator[pa.Table]:
    """A unit's kept rows with their pictures, a stretch at a time."""
    here = np.flatnonzero(kept[unit.first : unit.first + unit.n_rows])
    table = source.texts(unit.unit, with_ids=False)
    ids = facts.table.column("id").slice(unit.first, unit.n_rows).take(pa.array(here))
    at = table.column("row").to_numpy()[here]
    table = table.drop_columns(OWN_SCHEMA.names)
    table = table if len(here) == table.num_rows else table.take(pa.array(here))
    schema = row_schema(carried)
    start = 0
    for images in _stretches(source.images(unit.unit, at)):
        some = table.slice(start, len(images))
        numbers = pa.array(unit.first + here[start : start + len(images)])
        columns = {name: some.column(name) for name in some.column_names} | {NUMBER: numbers, "image": images}
        columns["id"] = ids.slice(start, len(images))
        yield pa.table(
            [
                _cast(columns[field.name], field.type) if field.name in columns else pa.nulls(len(images), field.type)
                for field in schema
            ],
            schema=schema,
        )
        start += len(images)


def _stretches(batches: Iterator[pa.Array | pa.ChunkedArray]) -> Iterator[pa.Array | pa.ChunkedArray]:
    for batch in batches:
        for start in range(0, len(batch), STRETCH_ROWS):
            yield batch.slice(start, STRETCH_ROWS)


def _cast(column: pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return column if column.type == type_ else pc.cast(column, type_)
