"""Splits that hold families and near duplicates together, and that a data set which grows keeps to.

Each row has a key: the hash of its text or picture, or the name of its parent. The hash of the key says where the row
would go alone; a group goes, whole, where the most held out of its rows would: test before validation before train.
A group that grows, or two that a new row joins, can therefore only move from train to validation to test. What was
in test is never trained on later, in whatever order rows come, and no record of earlier splits is needed.

The price: a group of k keys is in test with probability 1 - (1 - t)^k, t being the share of test. Equal texts, captions
of one picture and children of one parent have one key and cost nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from curation.errors import BadInputError
from curation.sample import sha256_hex

SPLITS: Final = ("train", "validation", "test")
SHARE_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class SplitRule:
    """How rows are split: shares that add up to 1, or exact counts of rows.

    With shares the hashes of the group's keys decide, so a data set that grows never moves a row from test into train.
    With counts, groups are taken in the order of their hashes: test is filled first, then validation, then train;
    rows beyond the counts are left out. New rows then move others.
    """

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    seed: int = 42

    def __post_init__(self) -> None:
        values = (self.train, self.validation, self.test)
        if min(values) < 0:
            raise BadInputError(f"splits {values} have a negative part", "Give shares or counts of at least 0")
        if not self.by_count and abs(sum(values) - 1) > SHARE_TOLERANCE:
            raise BadInputError(
                f"split shares {values} add up to {sum(values):g}", "Give shares that add up to 1, or counts above 1"
            )
        if self.by_count and any(value != int(value) for value in values):
            raise BadInputError(f"splits {values} mix counts and shares", "Give whole numbers of rows for all three")

    @property
    def by_count(self) -> bool:
        """Whether the numbers are rows, not shares."""
        return max(self.train, self.validation, self.test) > 1

    @property
    def total(self) -> int | None:
        """Rows asked for, or None for shares."""
        return int(self.train + self.validation + self.test) if self.by_count else None


def split_groups(
    groups: Sequence[str], keys: Sequence[str], rule: SplitRule, kept: Sequence[bool] | None = None
) -> list[str | None]:
    """The split of each row, given its group and its own key; None where the row is not `kept` or the counts are full.

    Rows of one group go into one split: that of the key whose hash is the most held out (see the module). Names of
    groups count for nothing, so they may change as a data set grows. For the promise to hold, `keys` are what a row
    keeps for good (never a cluster's name), groups once joined stay joined, and all their rows are given: those that
    are left out as duplicates, too, with False in `kept` (None: all are kept).

    Raises `BadInputError` where the rows that are kept do not fill the counts asked for.
    """
    kept = [True] * len(groups) if kept is None else kept
    points = {key: point_of(key, rule.seed) for key in set(keys)}
    most_held_out: dict[str, float] = {}
    for group, key in zip(groups, keys, strict=True):
        most_held_out[group] = min(most_held_out.get(group, 1.0), points[key])
    split_of: Mapping[str, str | None]
    if rule.by_count:
        sizes = Counter(group for group, is_kept in zip(groups, kept, strict=True) if is_kept)
        split_of = _by_count(sizes, most_held_out, rule)
    else:
        split_of = {group: _by_share(point, rule) for group, point in most_held_out.items()}
    return [split_of[group] if is_kept else None for group, is_kept in zip(groups, kept, strict=True)]


def assign_splits(groups: Sequence[str], rule: SplitRule) -> list[str | None]:
    """The split of each row where a group's name is all there is to go by: see `split_groups`."""
    return split_groups(groups, groups, rule)


def joined(names: Sequence[str], *labels: Sequence[str | None]) -> list[str]:
    """The group of each row: rows that share a label, by whatever chain, are one.

    Labels of all columns are of one namespace (a child's parent is the label that its parent has as a name); None is no
    label, and `names` are labels too. A group is called by the smallest of its rows' names.
    """
    from scipy.sparse import coo_array  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    n_rows = len(names)
    columns = pa.chunked_array([pa.array(column, pa.string()) for column in (names, *labels)], pa.string())
    encoded = columns.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.tile(np.arange(n_rows), 1 + len(labels))[codes >= 0]
    nodes = n_rows + codes[codes >= 0]  # after the rows, one for each label
    size = n_rows + len(encoded.dictionary)
    _, component = connected_components(
        coo_array((np.ones(len(rows), np.bool_), (rows, nodes)), shape=(size, size)), directed=False
    )
    smallest: dict[int, str] = {}
    own = component[:n_rows].tolist()
    for group, name in zip(own, names, strict=True):
        smallest[group] = min(smallest.get(group, name), name)
    return [smallest[group] for group in own]


def point_of(key: str, seed: int) -> float:
    """A uniform number in [0, 1) from the hash of the key: 52 bits, what a float holds exactly."""
    return int(sha256_hex(f"{seed}\x1f{key}")[:13], 16) / 16**13


def _by_share(point: float, rule: SplitRule) -> str:
    # test lies at the low end and train at the high end, so that raising the test share takes rows from
    # validation and train only
    if point < rule.test:
        return "test"
    return "validation" if point < rule.test + rule.validation else "train"


def _by_count(sizes: Mapping[str, int], points: Mapping[str, float], rule: SplitRule) -> dict[str, str | None]:
    left = {"test": int(rule.test), "validation": int(rule.validation), "train": int(rule.train)}
    split_of: dict[str, str | None] = defaultdict(lambda: None)
    for group in sorted(sizes, key=lambda g: (points[g], g)):
        for split, n_left in left.items():
            if sizes[group] <= n_left:
                split_of[group] = split
                left[split] -= sizes[group]
                break
    if missing := {split: n for split, n in left.items() if n}:
        raise BadInputError(
            f"the split counts ask for {rule.total} rows and {sum(sizes.values())} were kept (missing: {missing})",
            "Lower the counts, raise the limit, or use shares such as 0.8/0.1/0.1",
        )
    return split_of
