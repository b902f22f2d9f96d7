"""How many prompts each class needs, and which classes go into one prompt together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from curation.balance import gini
from curation.errors import BadInputError

MAX_TOGETHER: Final = 3
"""Classes in one prompt: distilvit's."""

_NEARLY: Final = 0.8
"""Share of the most that is missing from which on other things may decide: what a group brings is one of each."""

Fits = Callable[[Sequence[str], str], bool]
"""Whether a class can stand in one result with those chosen before."""


def missing_to_threshold(counts: Mapping[str, int], threshold: int) -> dict[str, int]:
    """What each class under the threshold lacks to it."""
    return {name: threshold - n for name, n in counts.items() if n < threshold}


def missing_to_gini(counts: Mapping[str, int], target: float) -> dict[str, int]:
    """What the rarest classes lack so that the Gini coefficient of all counts is no more than `target`.

    All classes below a level are raised to it; the level is the lowest that does (the coefficient falls as the level
    rises, to 0 at the largest count). `counts` are those of one namespace: of several the coefficient says nothing.

    Raises `BadInputError` for a target that is not from 0 to 1.
    """
    if not 0 <= target <= 1:
        raise BadInputError(f"a Gini coefficient of {target:g} is none", "Ask for one from 0 to 1")
    low, high = 0, max(counts.values(), default=0)
    while low < high:
        level = (low + high) // 2
        if gini({name: max(n, level) for name, n in counts.items()}) <= target:
            high = level
        else:
            low = level + 1
    return missing_to_threshold(counts, low)


def combinations(
    missing: Mapping[str, int],
    n: int,
    fits: Fits = lambda *_: True,
    kind_of: Callable[[str], str] = lambda _: "",
) -> list[tuple[str, ...]]:
    """`n` groups of two or three classes that cover the most of what is missing; fewer where it is covered before.

    Greedy: each group takes the class that lacks most, then of those that fit it and lack nearly as much as any (see
    `_NEARLY`) one that it was not yet together with, of its kind where there is one. What a group brings is no longer
    missing, so that no class is brought more often than it lacks.
    """
    left = Counter({name: lacks for name, lacks in missing.items() if lacks > 0})
    together: Counter[frozenset[str]] = Counter()
    groups: list[tuple[str, ...]] = []
    while len(groups) < n:
        order = sorted(left, key=lambda name: (-left[name], name))
        group = _group(order, left, together, fits, kind_of)
        if group is None:
            break
        groups.append(group)
        for name in group:
            left[name] -= 1
            together.update(frozenset((name, other)) for other in group if other < name)
        left = +left
    return groups


def _group(
    order: list[str],
    left: Counter[str],
    together: Counter[frozenset[str]],
    fits: Fits,
    kind_of: Callable[[str], str],
) -> tuple[str, ...] | None:
    """The first group that can be made; None where no two of what is left fit."""
    for first in order:
        group = [first]
        while len(group) < MAX_TOGETHER:
            fitting = [name for name in order if name not in group and fits(group, name)]
            if not fitting:
                break
            most = left[fitting[0]]  # they are in the order of what they lack
            nearly = [name for name in fitting if left[name] >= _NEARLY * most]
            met = {name: sum(together[frozenset((name, one))] for one in group) for name in nearly}
            is_other = {name: kind_of(name) != kind_of(first) for name in nearly}
            group.append(min(nearly, key=lambda name: (met[name], is_other[name], -left[name], name)))
        if len(group) > 1:
            return tuple(group)
    return None
