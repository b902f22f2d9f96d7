"""What near duplicates and contamination are found by, of every row: made once, kept beside the merge's cache.

The measure `hashes` of a unit's rows, keyed by the bytes they were read from. Reads pictures, and decodes them. Rows
are handed over under their numbers, so that of equal ones the first in source order is kept, whatever their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.ingest import manifest_of
from curation.keys import content_key
from curation.measures.hashes import Hashes
from curation.measuring import ROWS_PER_BATCH
from curation.merge.facts import Facts
from curation.merge.opened import Opened, Unit
from curation.merge.source_set import without_pictures
from curation.stage import Batch
from curation.store import Workspace
from curation.workers import run_stage

SIGNATURE_SCHEMA: Final = Hashes.adds
_AS_THEY_ARE: Final = ("image_sha256", "text_sha256", "parent_id", "image_origin")


def signatures_of(cache: Workspace, source: Opened, unit: Unit, n_rows: int) -> pa.Table:
    """Hashes of the first `n_rows` rows of a unit (`SIGNATURE_SCHEMA`), null where a row cannot be used."""
    stage = Hashes()
    key = content_key(unit=unit.key, source=source.settings, stage=[stage.name, stage.version, stage])
    path = f"signatures/{key}.parquet"
    if cache.finished(manifest_of(path)) is None:
        with cache.new_parquet(path, SIGNATURE_SCHEMA) as sink:
            sink.write(_measured(stage, source, unit))
            entry = sink.finish()
        cache.write_manifest(manifest_of(path), {"signatures": entry}, key=key, rows=entry.n_rows)
    with cache.open_parquet(path) as file:
        return file.read().slice(0, n_rows)


def all_signatures(sources: Sequence[Opened], facts: Facts, cache: Workspace) -> Iterator[pa.Table]:
    """Hashes of all rows, unit by unit, made where they are not there."""
    for rows in facts.units:
        yield signatures_of(cache, sources[rows.source], rows.unit, rows.n_rows)


def hash_tables(facts: Facts, usable: NDArray[np.bool_], signatures: Iterable[pa.Table] | None) -> Iterator[pa.Table]:
    """Usable rows as the comparing modules take them, unit by unit."""
    measured = iter(signatures) if signatures is not None else None
    for rows in facts.units:
        hashes = next(measured) if measured is not None else None
        keep = pa.array(usable[rows.first : rows.first + rows.n_rows])
        table = facts.table.slice(rows.first, rows.n_rows)
        numbers = pa.array([f"{row:012d}" for row in range(rows.first, rows.first + rows.n_rows)])
        columns = {"id": numbers, "task": table.column("task").cast(pa.string())}
        columns |= {name: table.column(name).cast(pa.string()) for name in _AS_THEY_ARE}
        columns["priority"] = pa.array(np.full(rows.n_rows, rows.source, np.int64))
        for field in SIGNATURE_SCHEMA:
            columns[field.name] = hashes.column(field.name) if hashes else pa.nulls(rows.n_rows, field.type)
        yield pa.table(columns).filter(keep)


def _measured(stage: Hashes, source: Opened, unit: Unit) -> pa.Table:
    table = source.texts(unit)
    usable = np.flatnonzero(table.column("reject_reason").is_null().to_numpy())
    values: dict[str, list[Any]] = {name: [None] * table.num_rows for name in SIGNATURE_SCHEMA.names}
    for rows, batch in _batches(source, unit, table, usable):
        measured = run_stage(stage, Batch(batch), unit.key).columns
        for name in SIGNATURE_SCHEMA.names:
            for row, value in zip(rows.tolist(), measured[name].to_pylist(), strict=True):
                values[name][row] = value
    return pa.table([values[name] for name in SIGNATURE_SCHEMA.names], schema=SIGNATURE_SCHEMA)


def _batches(source: Opened, unit: Unit, table: pa.Table, usable: Any) -> Iterator[tuple[Any, pa.Table]]:
    """Usable rows with their pictures, a few at a time; `table`'s columns that the measure reads."""
    at = table.column("row").to_numpy()[usable]
    start = 0
    for images in source.images(unit, at):
        if images is None:
            raise without_pictures(source.entry)
        for first in range(0, len(images), ROWS_PER_BATCH):
            some = images.slice(first, ROWS_PER_BATCH)
            rows = usable[start : start + len(some)]
            start += len(some)
            batch = table.select(["id", "task", "text", "messages"]).take(pa.array(rows))
            yield rows, batch.append_column("image", some)
