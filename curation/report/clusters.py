"""Duplicates of a report's rows: how many, and the largest clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.duplicates import PICTURE_TASKS, find_duplicates
from curation.hashed_rows import CHOICE_COLUMNS, HASH_COLUMNS
from curation.report.examples import examples_at
from curation.report.facts import Cluster
from curation.report.rows import Place, ReportRows
from curation.sample import sha256_hex

Codes = npt.NDArray[np.uint64]

N_CLUSTERS: Final = 12
N_MEMBERS: Final = 4


@dataclass(frozen=True)
class Duplicates:
    """Rows beyond the first of their cluster: equal ones, and near ones that are not equal to any.

    `duplicate_of` has the id that would be kept in each row's place, null for those that would be kept.
    """

    n_exact: int
    n_near: int
    duplicate_of: pa.ChunkedArray
    clusters: tuple[Cluster, ...]


def duplicates_of(rows: ReportRows, *, with_examples: bool = True) -> Duplicates | None:
    """Find the duplicates among all rows; None where there is no measure `hashes` to find them by."""
    if not has_hashes(rows):
        return None
    exact = _exact_codes(rows)
    n_exact = len(exact) - len(np.unique(exact))
    near = find_duplicates(rows.tables([*HASH_COLUMNS, *CHOICE_COLUMNS])).select(["cluster", "kept", "duplicate_of"])
    n_left_out: int = near.num_rows - (pc.sum(near.column("kept").cast(pa.int64())).as_py() or 0)
    clusters = tuple(_clusters(rows, near, exact)) if with_examples else ()
    return Duplicates(n_exact, n_left_out - n_exact, near.column("duplicate_of"), clusters)


def has_hashes(rows: ReportRows) -> bool:
    """Whether every shard that has rows was hashed."""
    measures = [
        {ref.measure for ref in shard.measured.measures} for shard in rows.shards if shard.measured.shard.rows_kept
    ]
    return bool(measures) and all("hashes" in names for names in measures)


def _exact_codes(rows: ReportRows) -> Codes:
    """Equal for rows that are equal as `curation.duplicates` says: their text and, with captions, their picture.

    Eight bytes a row, where that module holds a kilobyte to find near duplicates: the first 64 bits of a hash, which
    two of a million different rows share once in 10^7 data sets.
    """
    parts: list[Codes] = [np.empty(0, np.uint64)]
    first = 0
    for table in rows.tables(["id", "task", "text_sha256", "image_sha256"]):
        names: list[int] = []
        for id_, task, text, picture in zip(
            *(table.column(n).to_pylist() for n in table.column_names[:4]), strict=True
        ):
            has_all = text is not None and (task not in PICTURE_TASKS or picture is not None)
            what = (text, picture if task in PICTURE_TASKS else "") if has_all else (id_, str(first + len(names)))
            names.append(int(sha256_hex("\x1f".join((task, *what)))[:16], 16))
        parts.append(np.array(names, np.uint64))
        first += table.num_rows
    return np.concatenate(parts)


def _clusters(rows: ReportRows, near: pa.Table, exact: Codes) -> Iterator[Cluster]:
    """The largest clusters, the one of them that is kept first."""
    counted = pc.value_counts(near.column("cluster"))
    names, sizes = counted.field("values"), counted.field("counts").to_numpy()
    several = np.flatnonzero(sizes > 1)
    order = several[np.lexsort((names.take(several).to_numpy(zero_copy_only=False), -sizes[several]))][:N_CLUSTERS]
    if not len(order):
        return
    chosen = names.take(order)
    positions = np.flatnonzero(pc.is_in(near.column("cluster"), chosen).to_numpy())
    members = near.take(positions).to_pylist()
    codes = exact[positions]
    places = _places(rows, positions)
    for name, size in zip(chosen.to_pylist(), sizes[order], strict=True):
        own = [number for number, member in enumerate(members) if member["cluster"] == name]
        own.sort(key=lambda number: not members[number]["kept"])
        is_exact = len(np.unique(codes[own])) == 1
        kind: Literal["exact", "near"] = "exact" if is_exact else "near"
        shown = [places[number] for number in own[:N_MEMBERS]]
        yield Cluster(kind, int(size), tuple(examples_at(rows, shown, {shown[0]: "This one would be kept."})))


def _places(rows: ReportRows, positions: npt.NDArray[np.int64]) -> list[Place]:
    """Where the rows at these positions (sorted) among all that count are."""
    found: list[Place] = []
    first = 0
    for table in rows.tables(["id"]):
        here = positions[(positions >= first) & (positions < first + table.num_rows)] - first
        taken = table.select(["shard", "row"]).take(here)
        found += zip(taken.column("shard").to_pylist(), taken.column("row").to_pylist(), strict=True)
        first += table.num_rows
    return found
