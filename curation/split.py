"""Splits that hold families together: a group's own hash, or exact counts, decide where all of its rows go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from curation.errors import BadInputError
from curation.sample import sha256_hex

SPLITS: Final = ("train", "validation", "test")
SHARE_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class SplitRule:
    """How rows are split: shares that add up to 1, or exact counts of rows.

    With shares the hash of the group alone decides, so a dataset that grows never moves a row from one split
    to another. With counts, groups are taken in the order of their hash: test is filled first, then validation,
    then train; rows beyond the counts are left out.
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


def assign_splits(groups: Sequence[str], rule: SplitRule) -> list[str | None]:
    """The split of each row, given each row's group; None where the counts are full.

    Raises `BadInputError` where the rows do not fill the counts asked for.
    """
    sizes = Counter(groups)
    points = {group: _point(group, rule.seed) for group in sizes}
    split_of = _by_count(sizes, points, rule) if rule.by_count else {g: _by_share(p, rule) for g, p in points.items()}
    return [split_of[group] for group in groups]


def _point(group: str, seed: int) -> float:
    """A uniform number in [0, 1) from the hash of the group: 52 bits, what a float holds exactly."""
    return int(sha256_hex(f"{seed}\x1f{group}")[:13], 16) / 16**13


def _by_share(point: float, rule: SplitRule) -> str:
    # test lies at the low end and train at the high end, so that raising the test share takes rows from
    # validation and train only
    if point < rule.test:
        return "test"
    return "validation" if point < rule.test + rule.validation else "train"


def _by_count(sizes: Counter[str], points: dict[str, float], rule: SplitRule) -> dict[str, str | None]:
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
