"""What near duplicates and contamination are found by, of every row: made once, kept beside the merge's cache.

The measure `hashes` of a unit's rows, keyed by the bytes they were read from. Reads pictures, and decodes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from curation.ingest import manifest_of
from curation.keys import content_key
from curation.measures.hashes import Hashes
from curation.measuring import ROWS_PER_BATCH
from curation.merge.opened import Opened, Unit
from curation.merge.source_set import without_pictures
from curation.stage import Batch
from curation.store import Workspace
from curation.workers import run_stage

SIGNATURE_SCHEMA: Final = Hashes.adds


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
