"""Duplicates across sources: of equal ones the first in source order is kept, whatever their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.duplicates import PICTURE_TASKS, Mode, find_clusters
from curation.merge.facts import Facts


@dataclass(frozen=True)
class Clusters:
    """For each row the row that stands for it (itself where it is kept) and a number that it shares with its group."""

    kept: NDArray[np.int64]
    group: NDArray[np.int64]


def clusters_of(facts: Facts, usable: NDArray[np.bool_], mode: Mode, signatures: Iterable[pa.Table] | None) -> Clusters:
    """Duplicates among usable rows. With mode `none` all are kept; what belongs together is told all the same.

    Of equal rows the first in the order of sources is kept; of near ones the best, earlier sources first
    (`curation.duplicates`).
    """
    if mode == "near":
        return _near(facts, usable, signatures)
    exact = _exact(facts, usable)
    return exact if mode == "exact" else Clusters(np.arange(len(usable)), exact.group)


def _near(facts: Facts, usable: NDArray[np.bool_], signatures: Iterable[pa.Table] | None) -> Clusters:
    from curation.merge.signatures import hash_tables  # noqa: PLC0415 - exact duplicates need none of it

    rows = np.flatnonzero(usable)
    kept, group = np.arange(len(usable)), np.arange(len(usable))
    found = find_clusters(hash_tables(facts, usable, signatures), "near")
    kept[rows], group[rows] = rows[found.kept], rows[found.group]
    return Clusters(kept, group)


def _exact(facts: Facts, usable: NDArray[np.bool_]) -> Clusters:
    """Equal rows by their hashes alone: what `curation.duplicates` tells of them, without comparing anything."""
    rows = np.flatnonzero(usable)
    table = facts.table.take(pa.array(rows))
    task, text, image = (_codes(table.column(name)) for name in ("task", "text_sha256", "image_sha256"))
    is_picture = pc.is_in(table.column("task").cast(pa.string()), pa.array(sorted(PICTURE_TASKS))).to_numpy()
    # A row that has no hash is like no other.
    alone = len(rows) + np.arange(len(rows))
    own = np.where(is_picture, image, text)
    own = np.where(own < 0, alone, own)
    with_text = np.where(is_picture & (text >= 0), text, -1)
    kept, group = np.arange(len(usable)), np.arange(len(usable))
    kept[rows], group[rows] = rows[_first_of(task, own, with_text)], rows[_first_of(task, own)]
    return Clusters(kept, group)


def _first_of(*codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the first one that has the same codes."""
    _, first, inverse = np.unique(np.stack(codes, axis=1), axis=0, return_index=True, return_inverse=True)
    firsts: NDArray[np.int64] = first[inverse.reshape(-1)]
    return firsts


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each value, the same for equal ones; -1 where there is none."""
    plain = column.cast(pa.string()).combine_chunks()
    encoded = (plain.chunk(0) if isinstance(plain, pa.ChunkedArray) else plain).dictionary_encode()
    codes: NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
