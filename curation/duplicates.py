"""Exact and near duplicates over any number of shards and workspaces: clusters, and the one of each that is kept.

Rows of one task only are compared. Two rows are exact duplicates where their texts are equal and, with a task whose
picture does not follow from the text, their pictures too. They are near duplicates where both of two things agree:

| task | first | second | so these are not duplicates |
|---|---|---|---|
| page, table | visible words | skeleton of tags | template siblings (other words), the same words laid out otherwise |
| formula | tokens | skeleton of commands | one form in other letters, the same letters in another form |
| caption, chat | picture (pHash) | words | other captions of one picture, equal captions of two pictures |

The picture of a page, table or formula is not asked: rendered at another width or compressed it is another picture of
the same target, and siblings of one template have nearly the same one. To be a duplicate is transitive: a cluster holds
all that are linked. Names of clusters and what is kept do not hang on the order of rows or shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.hashed_rows import HashedRows, gather
from curation.near_pairs import (
    BLOCK,
    Indices,
    Pairs,
    estimated_jaccard,
    hamming,
    packed,
    pairs_by_picture,
    pairs_by_signature,
)
from curation.signature_file import SignatureFile

DUPLICATES_VERSION: Final = 1
"""Raise it when the same rows give other clusters."""

Mode = Literal["exact", "near", "none"]

PICTURE_TASKS: Final = frozenset({"image_to_caption", "image_chat"})
"""Tasks whose picture does not follow from their text: it is half of what a row is."""

DUPLICATES_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("cluster", pa.string()),  # the smallest id of the cluster; a row's own where it is alone
        ("kept", pa.bool_()),
        ("duplicate_of", pa.string()),  # the id that is kept in its place; null where kept
        ("group", pa.string()),  # must be on one side of a split: the cluster and, of captions and chats, the picture
    ]
)


@dataclass(frozen=True)
class NearRule:
    """When two rows of a task are near duplicates: all that is given must hold.

    `text` and `skeleton` are the least estimated Jaccard indices of what they say and how they are built, `radius_bits`
    the greatest Hamming distance of their pHashes.
    """

    text: float
    skeleton: float | None = None
    radius_bits: int | None = None


RULES: Final[dict[str, NearRule]] = {
    "page_to_html": NearRule(text=0.7, skeleton=0.7),
    "table_to_html": NearRule(text=0.75, skeleton=0.8),
    "formula_to_latex": NearRule(text=0.82, skeleton=0.7),
    "image_to_caption": NearRule(text=0.65, radius_bits=6),
    "image_chat": NearRule(text=0.65, radius_bits=6),
}
"""Tuned by `benchmarks/duplicates.py` on one half of its rows and reported on the other."""


@dataclass(frozen=True)
class Clusters:
    """For each row, by its position among all: the positions of other rows, its own where there is none.

    `cluster` is the row of the smallest id in its cluster, `kept` the one that is kept of it, `group` the one of the
    smallest id on its side of a split.
    """

    cluster: Indices
    kept: Indices
    group: Indices


_REMEMBERED: Final = 4_000_037  # pairs: 32 MB; a prime, so that codes spread


def find_duplicates(tables: Iterable[pa.Table], mode: Mode = "near", rules: Mapping[str, NearRule] = RULES) -> pa.Table:
    """Clusters of all rows by name: a table of `DUPLICATES_SCHEMA` in the order of the rows. See `find_clusters`."""
    ids, found = _found(tables, mode, rules)
    is_kept = found.kept == np.arange(len(ids))
    return pa.table(
        [
            ids,
            ids.take(pa.array(found.cluster)),
            pa.array(is_kept),
            ids.take(pa.array(found.kept, mask=is_kept)),
            ids.take(pa.array(found.group)),
        ],
        schema=DUPLICATES_SCHEMA,
    )


def find_clusters(tables: Iterable[pa.Table], mode: Mode = "near", rules: Mapping[str, NearRule] = RULES) -> Clusters:
    """Clusters of all rows.

    `tables` (a shard each, of one workspace or several) have `HASH_COLUMNS` and may have `CHOICE_COLUMNS`. Kept of a
    cluster is the row of the smallest `priority`; then one without `parent_id`; with the source's own picture before a
    rendered and a synthetic one; with the most pixels; with the most tokens; of the smallest id. Held are some 200
    bytes a row, its id included; half a kilobyte more lies in a scratch file.

    Raises:
        SchemaError: a table without a column that it takes.
        StoreError: no room for the scratch file.
    """
    return _found(tables, mode, rules)[1]


def _found(tables: Iterable[pa.Table], mode: Mode, rules: Mapping[str, NearRule]) -> tuple[pa.Array, Clusters]:
    ids, by_task = gather(tables)
    cluster, kept, group = (np.arange(len(ids)) for _ in range(3))
    for task in list(by_task) if mode != "none" else []:
        rows = by_task.pop(task)
        duplicates, together = _linked(rows, task, rules[task] if mode == "near" else None)
        in_order = np.arange(len(rows))
        cluster[rows.positions] = rows.positions[duplicates.first_of(in_order)]
        group[rows.positions] = rows.positions[together.first_of(in_order)]
        kept[rows.positions] = rows.positions[duplicates.first_of(rows.best_first)]
    return ids, Clusters(cluster, kept, group)


def near_pairs(
    rows: HashedRows, rule: NearRule, is_known: Callable[[Pairs], NDArray[np.bool_]] | None = None
) -> Iterator[tuple[Pairs, Pairs]]:
    """Pairs of places among `rows`: those of near pictures (none where the rule has no radius), and near duplicates.

    Found by bands of signatures, or of pHashes where the rule has a radius; the same pair may come again. Pairs that
    `is_known` knows when they come are not compared and not told to be near duplicates.
    """
    has_all = rows.has_text if rule.skeleton is None else rows.has_text & rows.has_skeleton
    comparing = _Comparing(rows, rule, is_known)
    nothing = np.empty(0, np.int64), np.empty(0, np.int64)
    if rule.radius_bits is None:
        for pairs in pairs_by_signature(rows.text, np.flatnonzero(has_all)):
            yield nothing, comparing.alike(pairs)
        return
    places = np.flatnonzero(rows.has_phash)
    by_words = packed(rows.text.slots(range(8))[places])
    phash = rows.phash[places]
    for left, right in pairs_by_picture(phash, rule.radius_bits, by_words):
        near = hamming(phash, left, right) <= rule.radius_bits
        pictures = places[left[near]], places[right[near]]
        both = has_all[pictures[0]] & has_all[pictures[1]]
        yield pictures, comparing.alike((pictures[0][both], pictures[1][both]))


class _Comparing:
    """Compares signatures of pairs; of those that differ it remembers as many as fit into a table of fixed size."""

    def __init__(self, rows: HashedRows, rule: NearRule, is_known: Callable[[Pairs], NDArray[np.bool_]] | None) -> None:
        self._rows, self._rule, self._is_known = rows, rule, is_known
        # Most pairs that differ come again, band after band, and their signatures lie in a file.
        self._different = np.full(min(_REMEMBERED, 8 * len(rows) + 1), -1, np.int64)

    def alike(self, pairs: Pairs) -> Pairs:
        """Those of `pairs` whose signatures agree as the rule says, and that are not known."""
        left, right = pairs
        codes = left * len(self._rows) + right
        size = len(self._different)
        new = self._different[codes % size] != codes
        if self._is_known is not None:
            new &= ~self._is_known(pairs)
        left, right, codes = left[new], right[new], codes[new]
        alike = _estimates(self._rows.text, left, right) >= self._rule.text
        if self._rule.skeleton is not None:
            alike[alike] = _estimates(self._rows.skeleton, left[alike], right[alike]) >= self._rule.skeleton
        different = codes[~alike]
        self._different[different % size] = different
        return left[alike], right[alike]


def _estimates(signatures: SignatureFile, left: Indices, right: Indices) -> NDArray[np.float32]:
    """The estimated Jaccard index of each pair; so many rows are read at once that memory does not grow with pairs."""
    out = np.empty(len(left), np.float32)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        ends = np.concatenate([left[part], right[part]])
        rows, where = np.unique(ends, return_inverse=True)
        n_pairs = len(ends) // 2
        out[part] = estimated_jaccard(signatures.take(rows), where[:n_pairs], where[n_pairs:])
    return out


class _Components:
    """Which rows are linked, by whatever chain."""

    def __init__(self, n_rows: int) -> None:
        self._labels = np.arange(n_rows)

    def join(self, pairs: Pairs) -> None:
        """Link the two rows of each pair."""
        from scipy.sparse import coo_array  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types
        from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

        left, right = self._labels[pairs[0]], self._labels[pairs[1]]
        apart = left != right
        if not apart.any():
            return
        ends, places = np.unique(np.concatenate([left[apart], right[apart]]), return_inverse=True)
        n_links = len(places) // 2
        links = coo_array((np.ones(n_links, np.bool_), (places[:n_links], places[n_links:])), shape=(len(ends),) * 2)
        _, merged = connected_components(links, directed=False)
        now = np.arange(len(self._labels))
        now[ends] = ends[np.unique(merged, return_index=True)[1]][merged]
        self._labels = now[self._labels]

    def are_joined(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Whether the two rows of each pair are linked."""
        joined: NDArray[np.bool_] = self._labels[pairs[0]] == self._labels[pairs[1]]
        return joined

    def first_of(self, order: Indices) -> Indices:
        """For each row the row of its component that stands first in `order`."""
        labels, first = np.unique(self._labels[order], return_index=True)
        firsts = np.empty(len(self._labels), np.int64)
        firsts[labels] = order[first]
        return firsts[self._labels]


def _linked(rows: HashedRows, task: str, rule: NearRule | None) -> tuple[_Components, _Components]:
    """What is duplicate with what, and what has to stay together; without a rule, exact duplicates alone."""
    duplicates, together = _Components(len(rows)), _Components(len(rows))
    if task in PICTURE_TASKS:
        duplicates.join(_chained(rows.text_codes, rows.image_codes))
        together.join(_chained(rows.image_codes))
    else:
        duplicates.join(_chained(rows.text_codes))
    if rule is not None:
        for pictures, alike in near_pairs(rows, rule, duplicates.are_joined):
            together.join(pictures)
            duplicates.join(alike)
    together.join((np.arange(len(rows)), duplicates.first_of(np.arange(len(rows)))))
    return duplicates, together


def _chained(*codes: Indices) -> Pairs:
    """Each row with the next one of equal codes; rows that lack one are left out."""
    there: NDArray[np.bool_] = np.all([code >= 0 for code in codes], axis=0)
    places = np.flatnonzero(there)
    order = places[np.lexsort([code[places] for code in codes])]
    same = np.all([code[order[1:]] == code[order[:-1]] for code in codes], axis=0)
    return order[:-1][same], order[1:][same]
