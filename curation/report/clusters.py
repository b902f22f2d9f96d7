"""Duplicates of a report's rows: how many, and the largest clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.duplicates import PICTURE_TASKS, Clusters, find_clusters
from curation.hashed_rows import CHOICE_COLUMNS, HASH_COLUMNS
from curation.near_pairs import Indices
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
    found = find_clusters(rows.tables([*HASH_COLUMNS, *CHOICE_COLUMNS]))
    is_left_out = found.kept != np.arange(len(found.kept))
    n_near = int(is_left_out.sum()) - n_exact
    clusters = tuple(_clusters(rows, found, exact)) if with_examples else ()
    return Duplicates(n_exact, n_near, _ids_at(rows, found.kept, is_left_out), clusters)


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


def _ids_at(rows: ReportRows, positions: Indices, where: npt.NDArray[np.bool_]) -> pa.ChunkedArray:
    """The ids of the rows at these positions among all that count, null but `where` that says so."""
    wanted, codes = np.unique(positions[where], return_inverse=True)
    ids = pa.array(_values(rows, wanted, "id"), pa.string())
    places = np.zeros(len(positions), np.int32)
    places[where] = codes
    return pa.chunked_array([ids.take(pa.array(places, mask=~where))], pa.string())


def _clusters(rows: ReportRows, found: Clusters, exact: Codes) -> Iterator[Cluster]:
    """The largest clusters, the one of them that is kept first."""
    firsts, sizes = np.unique(found.cluster, return_counts=True)
    several = np.flatnonzero(sizes > 1)
    names = np.array(_values(rows, firsts[several], "id"), np.str_)
    order = several[np.lexsort((names, -sizes[several]))][:N_CLUSTERS] if len(several) else several
    positions = np.flatnonzero(np.isin(found.cluster, firsts[order]))
    places = list(zip(_values(rows, positions, "shard"), _values(rows, positions, "row"), strict=True))
    for first, size in zip(firsts[order].tolist(), sizes[order].tolist(), strict=True):
        own = np.flatnonzero(found.cluster[positions] == first)
        own = own[np.argsort(found.kept[positions[own]] != positions[own], kind="stable")]
        is_exact = len(np.unique(exact[positions[own]])) == 1
        kind: Literal["exact", "near"] = "exact" if is_exact else "near"
        shown: list[Place] = [places[number] for number in own[:N_MEMBERS]]
        yield Cluster(kind, size, tuple(examples_at(rows, shown, {shown[0]: "This one would be kept."})))


def _values(rows: ReportRows, positions: Indices, name: str) -> list[Any]:
    """A column's values in the rows at these positions (sorted) among all that count."""
    found: list[Any] = []
    first = 0
    for table in rows.tables([name]) if len(positions) else ():
        here = positions[np.searchsorted(positions, first) : np.searchsorted(positions, first + table.num_rows)]
        found += table.column(name).take(pa.array(here - first)).to_pylist()
        first += table.num_rows
    return found
