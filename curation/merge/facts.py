"""The plan pass: what is to be known of every row before one is chosen. Reads all columns but pictures.

Pictures are read, and hashed, only of tasks whose picture does not follow from the text (captions): two of them are
the same only if their pictures are. What is held is some 250 bytes a row.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.duplicates import PICTURE_TASKS
from curation.errors import AddressError
from curation.keys import canonical_json
from curation.merge.opened import Opened, Pictures, Unit
from curation.reasons import Reason
from curation.sources.files import shown

FACT_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source_key", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
        ("task", pa.string()),
        ("parent_id", pa.string()),
        ("image_origin", pa.string()),
        ("own_split", pa.string()),
        ("text_sha256", pa.string()),
        ("image_sha256", pa.string()),  # null where it is not asked
        ("n_chars", pa.int32()),
        ("image_bytes", pa.int64()),  # as above
        ("order", pa.uint64()),  # of the row among all, by the seed and its id
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

N_THREADS: Final = 2
"""Hashing and decoding let other threads run; more would hold more pictures."""

_CODED: Final = ("source", "license", "task", "image_origin", "own_split", "reason")
"""Columns of few values: held as dictionaries."""


@dataclass(frozen=True)
class UnitRows:
    """A unit and where its rows are among all."""

    source: int
    unit: Unit
    first: int
    n_rows: int


@dataclass(frozen=True)
class Facts:
    """All rows of all sources in source order, and the units that they are read from."""

    table: pa.Table
    units: tuple[UnitRows, ...]
    n_sources: int

    @property
    def source_index(self) -> NDArray[np.int64]:
        """Which source each row is from."""
        indices = [np.full(rows.n_rows, rows.source, np.int64) for rows in self.units]
        return np.concatenate(indices) if indices else np.empty(0, np.int64)


Tell = Callable[[str, int], None]
"""Told the name of a source and how many rows were looked at now."""


def gather_facts(sources: Sequence[Opened], seed: int, tell: Tell, *, with_remote_pictures: bool = True) -> Facts:
    """Look at every row of every source, up to its limit.

    Without `with_remote_pictures` the pictures of remote captions are not fetched: they count as all different.

    Raises `AddressError` for a source without rows.
    """
    tables = [_coded(FACT_SCHEMA.empty_table())]
    units: list[UnitRows] = []
    first = 0
    for index, source in enumerate(sources):
        left = source.entry.limit
        found = 0
        look = partial(_facts_if, source, seed, with_remote_pictures)
        for unit, whole in _in_turn(source.units(), look, ahead=left is None):
            table = whole
            if left is not None:
                table, n_usable = _within(whole, left)
                left -= n_usable
            found += table.num_rows
            units.append(UnitRows(index, unit, first, table.num_rows))
            first += table.num_rows
            tables.append(_coded(table))
            tell(source.entry.name, table.num_rows)
            if left is not None and left <= 0:
                break
        if not found:
            where = shown(source.entry.address) or f"preset {source.entry.preset}"
            raise AddressError(f"source {source.entry.name} ({where}) has no rows", "Check its address and split")
    return Facts(pa.concat_tables(tables).unify_dictionaries().combine_chunks(), tuple(units), len(sources))


def _facts_if(source: Opened, seed: int, with_remote_pictures: bool, unit: Unit) -> pa.Table:
    return facts_of(source, unit, seed, with_pictures=with_remote_pictures or not unit.is_remote)


def _in_turn(
    units: Iterator[Unit], look: Callable[[Unit], pa.Table], *, ahead: bool
) -> Iterator[tuple[Unit, pa.Table]]:
    """Each unit with what `look` makes of it, in their order; `ahead` looks at some more meanwhile, in threads."""
    if not ahead:
        for unit in units:
            yield unit, look(unit)
        return
    with ThreadPoolExecutor(N_THREADS, "merge-look") as pool:
        coming: deque[tuple[Unit, Future[pa.Table]]] = deque()
        try:
            for unit in units:
                coming.append((unit, pool.submit(look, unit)))
                if len(coming) > N_THREADS:
                    first, table = coming.popleft()
                    yield first, table.result()
            while coming:
                first, table = coming.popleft()
                yield first, table.result()
        finally:
            for _, table in coming:
                table.cancel()


def facts_of(source: Opened, unit: Unit, seed: int, *, with_pictures: bool) -> pa.Table:
    """The facts of a unit's rows (`FACT_SCHEMA`)."""
    rows = source.texts(unit)
    n_rows = rows.num_rows
    tasks = rows.column("task").to_pylist()
    texts = rows.column("text").cast(pa.binary()).to_pylist()
    chats = rows.column("messages").to_pylist() if rows.column("messages").null_count < n_rows else [None] * n_rows
    said = [canonical_json(chat).encode() if chat else text for chat, text in zip(chats, texts, strict=True)]
    reasons, details = rows.column("reject_reason").to_pylist(), rows.column("reject_detail").to_pylist()
    image_hashes: list[str | None] = [None] * n_rows
    image_bytes: list[int | None] = [None] * n_rows
    asked = [i for i in range(n_rows) if reasons[i] is None and tasks[i] in PICTURE_TASKS]
    if asked and with_pictures:
        at = rows.column("row").to_numpy()[asked]
        for row, (digest, n_bytes) in zip(asked, _hashed(source.images(unit, at)), strict=True):
            image_hashes[row], image_bytes[row] = digest, n_bytes
            if digest is None:
                reasons[row] = str(Reason.IMAGE_MISSING)
    ids = rows.column("id").to_pylist()
    columns: dict[str, Any] = {name: rows.column(name) for name in FACT_SCHEMA.names if name in rows.column_names}
    columns |= {
        "text_sha256": pa.array([None if one is None else hashlib.sha256(one).hexdigest() for one in said]),
        "image_sha256": pa.array(image_hashes, pa.string()),
        "n_chars": pc.cast(pc.utf8_length(rows.column("text")), pa.int32()),
        "image_bytes": pa.array(image_bytes, pa.int64()),
        "order": pa.array([order_of(id_, seed) for id_ in ids], pa.uint64()),
        "reason": pa.array(reasons, pa.string()),
        "detail": pa.array(details, pa.string()),
    }
    return pa.table([columns[name] for name in FACT_SCHEMA.names], schema=FACT_SCHEMA)


def order_of(id_: str, seed: int) -> int:
    """A row's place among all: 64 bits of the hash of the seed and its id, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}\x1f{id_}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _hashed(batches: Iterator[pa.Array | pa.ChunkedArray]) -> Iterator[tuple[str | None, int]]:
    """SHA-256 and size of each picture, without a copy of it."""
    for batch in batches:
        for chunk in batch.chunks if isinstance(batch, pa.ChunkedArray) else [batch]:
            pictures = Pictures(chunk)
            for place, size in enumerate(pictures.sizes.tolist()):
                # A picture of no bytes is none.
                yield (hashlib.sha256(pictures.at(place)).hexdigest(), size) if size else (None, 0)


def _within(table: pa.Table, limit: int) -> tuple[pa.Table, int]:
    """Rows beyond the first `limit` that can be used are left out for it; how many were used."""
    usable = table.column("reason").is_null().to_numpy()
    counted = np.cumsum(usable)
    over = usable & (counted > limit)
    n_usable = int(min(counted[-1], limit)) if len(counted) else 0
    if not over.any():
        return table, n_usable
    place = table.schema.get_field_index("reason")
    reasons = pc.if_else(pa.array(over), str(Reason.OVER_LIMIT), table.column("reason"))
    table = table.set_column(place, "reason", reasons)
    place = table.schema.get_field_index("detail")
    return table.set_column(
        place, "detail", pc.if_else(pa.array(over), f"limit {limit}", table.column("detail"))
    ), n_usable


def _coded(table: pa.Table) -> pa.Table:
    for name in _CODED:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).dictionary_encode())
    return table
