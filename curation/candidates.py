"""Rows that a selection might keep: near duplicates among them, and what must stay on one side of a split.

Held are six bytes a row; hashes are read from the workspace when rows are compared, a shard at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates import find_clusters
from curation.hashed_rows import CHOICE_COLUMNS, HASH_COLUMNS
from curation.near_pairs import Indices

_KEPT: Final = 1
_NOT_KEPT: Final = 0


@dataclass
class _Shard:
    """The candidates of one shard. `first` is the position of its first row among all rows of the selection."""

    read: Callable[[], pa.Table]
    source_index: int
    first: int
    rows: array[int] = field(default_factory=lambda: array("i"))
    states: bytearray = field(default_factory=bytearray)

    def table(self, chosen: NDArray[np.bool_]) -> pa.Table:
        """The chosen rows' columns to compare by; rows of earlier sources come first."""
        table = self.read()
        table = table.select([name for name in (*HASH_COLUMNS, *CHOICE_COLUMNS) if name in table.column_names])
        table = table.take(np.array(self.rows)[chosen])
        return table.append_column("priority", pa.array(np.full(table.num_rows, self.source_index, np.int32)))


class Candidates:
    """Rows in the order of the selection, each to be kept until it is found to be a near duplicate of another.

    Rows are named by their positions among all rows of the selection.
    """

    def __init__(self) -> None:
        self._shards: list[_Shard] = []
        self._kept_for: dict[int, int] = {}
        self._is_settled = True
        self._groups: Indices | None = None  # of all candidates, where they were compared already

    def begin_shard(self, read: Callable[[], pa.Table], source_index: int, first: int) -> None:
        """Turn to the next shard, whose samples and hashes `read` reads; its first row's position is `first`."""
        self._shards.append(_Shard(read, source_index, first))

    def add(self, row: int, *, is_kept: bool) -> None:
        """Add a row of the present shard; one that is not kept (over a limit) hides no other, and joins others."""
        self._shards[-1].rows.append(row)
        self._shards[-1].states.append(_KEPT if is_kept else _NOT_KEPT)
        self._is_settled = self._is_settled and not is_kept
        self._groups = None

    def settle(self) -> None:
        """Leave out the near duplicates among the rows that are kept so far: the best of each cluster stays.

        Rows of earlier sources are better than those of later ones; for the rest see `find_clusters`.
        """
        if self._is_settled:
            return
        self._is_settled = True
        chosen = [np.frombuffer(shard.states, np.uint8) == _KEPT for shard in self._shards]
        found = find_clusters(self._tables(chosen))
        if all(here.all() for here in chosen):
            self._groups = found.group
        positions = self._positions()[np.concatenate(chosen)]
        left_out = np.flatnonzero(found.kept != np.arange(len(positions)))
        self._kept_for |= zip(positions[left_out].tolist(), positions[found.kept[left_out]].tolist(), strict=True)
        for shard in self._shards:
            for place, row in enumerate(shard.rows):
                if shard.first + row in self._kept_for:
                    shard.states[place] = _NOT_KEPT

    def n_kept(self, source_index: int) -> int:
        """How many rows of a source are kept so far."""
        return sum(shard.states.count(_KEPT) for shard in self._shards if shard.source_index == source_index)

    def kept_for(self, position: int) -> int | None:
        """The row that is kept in the place of a near duplicate; None for a row that is none."""
        kept = self._kept_for.get(position)
        while kept is not None and (further := self._kept_for.get(kept)) is not None:
            kept = further
        return kept

    def groups(self, n_rows: int) -> list[str | None]:
        """For each of the selection's rows a name that near ones share; None for rows that are no candidates."""
        if self._groups is None:
            self._groups = find_clusters(
                self._tables([np.ones(len(shard.rows), np.bool_) for shard in self._shards])
            ).group
        groups: list[str | None] = [None] * n_rows
        for position, group in zip(self._positions().tolist(), self._groups.tolist(), strict=True):
            groups[position] = f"near:{group}"
        return groups

    def _positions(self) -> Indices:
        nothing = np.empty(0, np.int64)
        return np.concatenate([nothing, *(shard.first + np.array(shard.rows, np.int64) for shard in self._shards)])

    def _tables(self, chosen: list[NDArray[np.bool_]]) -> Iterator[pa.Table]:
        for shard, here in zip(self._shards, chosen, strict=True):
            if here.any():
                yield shard.table(here)
