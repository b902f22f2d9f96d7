"""Two reports side by side: what belongs together, by name. Without a second one every partner is None."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from curation.report.facts import BiasFinding, Check, ClassBalance, Distribution, Rejected, ReportFacts, TaskFacts

T = TypeVar("T")


@dataclass(frozen=True)
class Pair(Generic[T]):
    """The same thing in both reports; one of the two may lack it."""

    name: str
    mine: T | None
    other: T | None

    @property
    def either(self) -> T:
        """The first one's, or the other's where the first lacks it."""
        found = self.other if self.mine is None else self.mine
        assert found is not None, "a pair has one of the two"
        return found

    def values(self, value: Callable[[T], float | None]) -> tuple[float | None, float | None]:
        """A number of each."""
        return (
            None if self.mine is None else value(self.mine),
            None if self.other is None else value(self.other),
        )


def paired(mine: Iterable[T], other: Iterable[T], name: Callable[[T], str]) -> tuple[Pair[T], ...]:
    """Partners by `name`, in the order of `mine`, then what only `other` has."""
    first = {name(each): each for each in mine}
    second = {name(each): each for each in other}
    return tuple(Pair(key, first.get(key), second.get(key)) for key in {**first, **second})


def tasks(mine: ReportFacts, other: ReportFacts | None) -> tuple[Pair[TaskFacts], ...]:
    """By task."""
    return paired(mine.tasks, other.tasks if other else (), lambda facts: facts.task)


def parts(
    task: Pair[TaskFacts], of: Callable[[TaskFacts], Iterable[T]], name: Callable[[T], str]
) -> tuple[Pair[T], ...]:
    """What a task has several of, in both reports."""
    return paired(of(task.mine) if task.mine else (), of(task.other) if task.other else (), name)


def distributions(task: Pair[TaskFacts]) -> tuple[Pair[Distribution], ...]:
    """By column."""
    return parts(task, lambda facts: facts.distributions, lambda each: each.name)


def balances(task: Pair[TaskFacts]) -> tuple[Pair[ClassBalance], ...]:
    """By namespace."""
    return parts(task, lambda facts: facts.balances, lambda each: each.namespace)


def bias(task: Pair[TaskFacts]) -> tuple[Pair[BiasFinding], ...]:
    """By category."""
    return parts(task, lambda facts: facts.bias, lambda each: each.category)


def rejected(mine: ReportFacts, other: ReportFacts | None) -> tuple[Pair[Rejected], ...]:
    """By reason, the most frequent first."""
    found = paired(mine.rejected, other.rejected if other else (), lambda each: each.reason)
    return tuple(sorted(found, key=lambda pair: -max(each.n_rows for each in (pair.mine, pair.other) if each)))


def checks(mine: ReportFacts, other: ReportFacts | None) -> tuple[Pair[Check], ...]:
    """By what is asked: metric, comparison, limit, and of which rows."""
    return paired(
        mine.checks,
        other.checks if other else (),
        lambda check: f"{check.metric} {check.comparison} {check.limit!r} {check.task} {check.split} {check.severity}",
    )
