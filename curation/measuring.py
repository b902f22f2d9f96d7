"""Measures of finished shards: written beside them, keyed by what they measured and with what."""

from __future__ import annotations

import pyarrow as pa

from curation.ingest import MeasureRef, manifest_of, measure_path, measure_schema, samples_path
from curation.keys import content_key
from curation.stage import Stage
from curation.store import Workspace
from curation.workers import run_stage


def measure_ref(stage: Stage, shard_key: str) -> MeasureRef:
    """The measure that this stage makes of this shard."""
    return MeasureRef(stage.name, content_key(shard=shard_key, stage=[stage.name, stage.version, stage]))


def measure_shard(workspace: Workspace, stage: Stage, shard_key: str) -> MeasureRef:
    """Measure a shard, or find it measured. Rows keep their order; a measure rejects none.

    Raises `ShardError` for anything unexpected in one row.
    """
    ref = measure_ref(stage, shard_key)
    path = measure_path(ref.measure, ref.key)
    if workspace.finished(manifest_of(path)):
        return ref
    schema = measure_schema(stage)
    with workspace.new_parquet(path, schema) as sink, workspace.open_parquet(samples_path(shard_key)) as samples:
        for group in range(samples.num_row_groups):
            table = samples.read_row_group(group)
            columns = run_stage(stage, table, shard_key).columns
            sink.write(pa.table({"id": table.column("id"), **columns}).select(schema.names).cast(schema))
        entry = sink.finish()
    workspace.write_manifest(manifest_of(path), {ref.measure: entry}, key=ref.key, shard=shard_key, rows=entry.n_rows)
    return ref
