"""Measures of finished shards: written beside them, keyed by what they measured and with what."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import pyarrow as pa

from curation.ingest import MeasureRef, manifest_of, measure_path, measure_schema, samples_path
from curation.keys import content_key
from curation.stage import Batch, Stage
from curation.store import Workspace
from curation.workers import run_stage

ROWS_PER_BATCH: Final = 32
"""Decoded pictures of so many rows are in memory at a time: of a page, some 4 MB each."""


def measure_ref(stage: Stage, shard_key: str) -> MeasureRef:
    """The measure that this stage makes of this shard."""
    return MeasureRef(stage.name, content_key(shard=shard_key, stage=[stage.name, stage.version, stage]))


def measure_shard(workspace: Workspace, stages: Sequence[Stage], shard_key: str) -> list[MeasureRef]:
    """Measure a shard, or find it measured, by each of `stages`. Rows keep their order; a measure rejects none.

    Those that look at pictures share one decoding of them.

    Raises `ShardError` for anything unexpected in one row.
    """
    refs = [measure_ref(stage, shard_key) for stage in stages]
    todo = [
        (stage, ref)
        for stage, ref in zip(stages, refs, strict=True)
        if not workspace.finished(manifest_of(measure_path(ref.measure, ref.key)))
    ]
    if not todo:
        return refs
    with ExitStack() as open_files:
        samples = open_files.enter_context(workspace.open_parquet(samples_path(shard_key)))
        sinks = [
            open_files.enter_context(workspace.new_parquet(measure_path(ref.measure, ref.key), measure_schema(stage)))
            for stage, ref in todo
        ]
        for group in range(samples.num_row_groups):
            table = samples.read_row_group(group)
            parts: list[list[pa.Table]] = [[] for _ in todo]
            for start in range(0, table.num_rows, ROWS_PER_BATCH):
                batch = Batch(table.slice(start, ROWS_PER_BATCH))
                for (stage, _), measured in zip(todo, parts, strict=True):
                    columns = run_stage(stage, batch, shard_key).columns
                    schema = measure_schema(stage)
                    own = pa.table({"id": batch.table.column("id"), **columns}).select(schema.names)
                    measured.append(own.cast(schema))
            for sink, measured in zip(sinks, parts, strict=True):
                sink.write(pa.concat_tables(measured))
        entries = [sink.finish() for sink in sinks]
    for (_, ref), entry in zip(todo, entries, strict=True):
        manifest = manifest_of(measure_path(ref.measure, ref.key))
        workspace.write_manifest(manifest, {ref.measure: entry}, key=ref.key, shard=shard_key, rows=entry.n_rows)
    return refs
