"""Splits of merged rows: by the hash of what a row is, families whole, and never against what a source held out.

The rule of `curation.split`: a row's key says where it would go alone, and a group goes where the most held out of its
rows would. A row that its source holds out (its test or validation files, the split of a release) stays so: it, and all
that belong with it, may only move towards test.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.duplicates import PICTURE_TASKS
from curation.errors import BadInputError
from curation.merge.facts import Facts
from curation.select import PARENT
from curation.split import SplitRule, point_of

RANKS: Final = ("test", "validation", "train")
"""The most held out first."""

_NOWHERE: Final = len(RANKS)


def splits_of(
    facts: Facts, usable: NDArray[np.bool_], kept: NDArray[np.bool_], group: NDArray[np.int64], rule: SplitRule
) -> NDArray[np.int64]:
    """The rank (place in `RANKS`) of each row that is kept, `len(RANKS)` for others and where the counts are full.

    `group` as `curation.merge.duplicates.Clusters` has it; parents and children are put together here. Rows that were
    left out count, too, as long as they are usable: a group's split must not change when one of them is kept.

    Raises `BadInputError` where rows do not fill the counts asked for.
    """
    families = _families(facts, usable, group)
    points = np.ones(facts.table.num_rows)
    for row, key in _keys(facts, usable):
        points[row] = point_of(key, rule.seed)
    own = pc.index_in(facts.table.column("own_split").cast(pa.string()), pa.array(RANKS))
    held = own.fill_null(RANKS.index("train")).to_numpy().astype(np.int64)
    held[~usable] = RANKS.index("train")
    n_groups = int(families.max(initial=-1)) + 1
    least = np.ones(n_groups)
    np.minimum.at(least, families, points)
    group_held = np.full(n_groups, RANKS.index("train"), np.int64)
    np.minimum.at(group_held, families, held)
    sizes = np.bincount(families[kept], minlength=n_groups)
    if rule.by_count:
        ranks = _by_count(sizes, least, group_held, rule)
    else:
        ranks = np.minimum(np.searchsorted([rule.test, rule.test + rule.validation], least, side="right"), group_held)
    return np.where(kept, ranks[families], _NOWHERE)


def _keys(facts: Facts, usable: NDArray[np.bool_]) -> list[tuple[int, str]]:
    """What a row keeps for good: its family's name, else the hash of its picture or, of markup, of its text."""
    names = ("id", "task", "parent_id", "text_sha256", "image_sha256")
    columns = zip(*(facts.table.column(name).to_pylist() for name in names), strict=True)
    return [
        (row, f"{PARENT}{parent}" if parent else (image if task in PICTURE_TASKS else text) or id_)
        for row, (id_, task, parent, text, image) in enumerate(columns)
        if usable[row]
    ]


def _families(facts: Facts, usable: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number from 0 on for each group, with parents, children and siblings in one."""
    n_rows = len(group)
    parents = facts.table.column("parent_id").combine_chunks()
    if parents.null_count == n_rows:  # no families but the groups
        return np.asarray(np.unique(group, return_inverse=True)[1], np.int64)
    from scipy.sparse import coo_array  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    names = parents.dictionary_encode() if not isinstance(parents, pa.ChunkedArray) else parents.chunk(0)
    children = np.flatnonzero(usable & parents.is_valid().to_numpy(zero_copy_only=False))
    of_child = names.indices.fill_null(0).to_numpy()[children] if len(children) else np.empty(0, np.int64)
    found = pc.index_in(facts.table.column("id"), names.dictionary).to_numpy() if len(children) else None
    own = np.empty(0, np.int64) if found is None else np.flatnonzero(~np.isnan(found.astype(float)) & usable)
    of_parent = np.empty(0, np.int64) if found is None else found[own].astype(np.int64)
    rows = np.concatenate([np.arange(n_rows), children, own])
    nodes = np.concatenate([group, n_rows + of_child, n_rows + of_parent])  # after the rows, one for each family
    size = n_rows + len(names.dictionary)
    links = coo_array((np.ones(len(rows), np.bool_), (rows, nodes)), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    _, families = np.unique(labels[:n_rows], return_inverse=True)
    return np.asarray(families, np.int64)


def _by_count(
    sizes: NDArray[np.int64], points: NDArray[np.float64], held: NDArray[np.int64], rule: SplitRule
) -> NDArray[np.int64]:
    """Test is filled first, then validation, then train; what a source held out first of all, and never in train."""
    left = [int(rule.test), int(rule.validation), int(rule.train)]
    ranks = np.full(len(sizes), _NOWHERE, np.int64)
    for group in np.lexsort((points, held)).tolist():
        size = int(sizes[group])
        for rank in range(int(held[group]) + 1):
            if 0 < size <= left[rank]:
                ranks[group] = rank
                left[rank] -= size
                break
    if any(left):
        missing = {split: n for split, n in zip(RANKS, left, strict=True) if n}
        raise BadInputError(
            f"the split counts ask for {rule.total} rows and {int(sizes.sum())} were kept (missing: {missing})",
            "Lower the counts, or use shares such as 80/10/10",
        )
    return ranks
