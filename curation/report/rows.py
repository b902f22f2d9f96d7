"""The rows of a report, a shard at a time: samples beside their measures, and the pictures of a chosen few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.ingest import measure_path, samples_path
from curation.report.measuring import ReportShard
from curation.select import selection_path
from curation.store import Workspace

ALL: Final = "all"
Place = tuple[int, int]
"""The shard, as it is numbered here, and the row in it."""


@dataclass(frozen=True)
class ReportRows:
    """Rows that count: of `split` unless that is "all", kept by `selection` where there is one, the first `limit`."""

    workspace: Workspace
    shards: tuple[ReportShard, ...]
    selection: str | None = None
    split: str = ALL
    limit: int | None = None

    def tables(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Each shard's rows that count, in order: the columns of `names` that there are.

        And `split` (string, "" where nothing tells it), `shard` and `row` (int32: the `Place`).
        """
        splits = self._selected()
        left = self.limit
        offset = 0
        for number, shard in enumerate(self.shards):
            n_rows = shard.measured.shard.rows_kept
            here = pa.array([shard.split] * n_rows, pa.string()) if splits is None else splits.slice(offset, n_rows)
            offset += n_rows
            counts = pc.equal(here, self.split) if self.split != ALL else pc.is_valid(here)
            if left is not None:
                running = pc.cumulative_sum(pc.fill_null(counts, False).cast(pa.int32()))
                counts = pc.and_(counts, pc.less_equal(running, left))
            n_counting = pc.sum(counts.cast(pa.int32())).as_py() or 0
            if left is not None:
                left -= n_counting
            if not n_counting:
                continue
            table = self._read(shard, names)
            table = table.append_column("split", here)
            table = table.append_column("shard", pa.array(np.full(n_rows, number, np.int32)))
            table = table.append_column("row", pa.array(np.arange(n_rows, dtype=np.int32)))
            yield table.filter(counts)

    def load(self, places: Sequence[Place], names: Sequence[str]) -> dict[Place, dict[str, Any]]:
        """The values of chosen rows, pictures too; of the row groups without one nothing is read."""
        by_shard: dict[int, list[int]] = defaultdict(list)
        for shard, row in places:
            by_shard[shard].append(row)
        found: dict[Place, dict[str, Any]] = {}
        for number, rows in sorted(by_shard.items()):
            for path in self._paths(self.shards[number]):
                for row, values in self._chosen(path, sorted(set(rows)), names):
                    found.setdefault((number, row), {}).update(values)
        return found

    def _chosen(self, path: str, rows: list[int], names: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        with self.workspace.open_parquet(path) as file:
            here = [name for name in names if name in file.schema_arrow.names]
            first = 0
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                wanted = [row - first for row in rows if first <= row < first + n_rows]
                if wanted and here:
                    table = file.read_row_group(group, here).take(wanted)
                    yield from zip([first + row for row in wanted], table.to_pylist(), strict=True)
                first += n_rows

    def _read(self, shard: ReportShard, names: Sequence[str]) -> pa.Table:
        columns: dict[str, pa.ChunkedArray] = {}
        ids: pa.ChunkedArray | None = None
        for path in self._paths(shard):
            with self.workspace.open_parquet(path) as file:
                here = [name for name in names if name in file.schema_arrow.names and name not in columns]
                if not here and path != samples_path(shard.measured.shard.key):
                    continue
                table = file.read(["id", *(name for name in here if name != "id")])
            if ids is None:
                ids = table.column("id")
            elif table.column("id") != ids:
                raise AssertionError(f"{path} does not hold the rows of its shard")
            columns |= {name: table.column(name) for name in here}
        assert ids is not None
        return pa.table(columns or {"id": ids})

    def _paths(self, shard: ReportShard) -> list[str]:
        measured = shard.measured
        return [samples_path(measured.shard.key), *(measure_path(ref.measure, ref.key) for ref in measured.measures)]

    def _selected(self) -> pa.Array | None:
        if self.selection is None:
            return None
        with self.workspace.open_parquet(selection_path(self.selection)) as file:
            return pa.concat_arrays(file.read(["split"]).column("split").chunks or [pa.array([], pa.string())])


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """A column of numbers or booleans as floats, NaN for null."""
    values = column.cast(pa.float32()) if not pa.types.is_boolean(column.type) else column.cast(pa.int8())
    out: npt.NDArray[np.float32] = values.cast(pa.float32()).to_numpy().astype(np.float32)
    return out
