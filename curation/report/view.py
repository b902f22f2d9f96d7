"""What the page shows, in its order: facts made into charts, tables and a choice of examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from curation.report import figures, pairs
from curation.report.charts import Curve, Shares, distribution_chart, lorenz_chart, rank_chart, share_chart
from curation.report.facts import (
    BiasFinding,
    ClassBalance,
    Cluster,
    Distribution,
    Rejected,
    ReportFacts,
    TaskFacts,
)
from curation.report.pairs import Pair
from curation.report.pictures import BUDGET_BYTES, Group, Pictures, choose_pictures
from curation.report.shapes import Chart, Table, Tag
from curation.report.wording import human, short

MAX_WORST: Final = 12
"""So many worst, and so many best, examples of a task are shown: more are not looked at on a page."""

MAX_CLUSTERS: Final = 20
MAX_MEMBERS: Final = 4
MAX_REJECTED: Final = 4
"""Of each reason."""

MAX_MENTIONS: Final = 3
"""Examples of each category of bias."""

N_CLASSES_FIRST: Final = 10
_SOURCE_ALONE: Final = ("picture",)


@dataclass(frozen=True)
class Panel:
    """A chart under its heading. `numbers` stands beside it where two are compared."""

    heading: str
    chart: Chart
    tag: Tag | None = None
    numbers: Table | None = None


@dataclass(frozen=True)
class BalanceView:
    """A namespace of classes."""

    name: str
    """As the classes have it before their colon."""
    lorenz: Chart
    ranks: Chart
    frequent: Table
    frequent_rest: Table | None
    rare: ClassBalance
    other: ClassBalance | None


@dataclass(frozen=True)
class BiasView:
    """A task's mentions of people's groups."""

    chart: Chart
    table: Table
    examples: tuple[BiasFinding, ...]


@dataclass(frozen=True)
class TaskView:
    """One task's part of every section."""

    name: str
    ratings: tuple[tuple[str, Tag | None], ...]
    panels: tuple[Panel, ...]
    shares: Table | None
    spread: Table | None
    balances: tuple[BalanceView, ...]
    bias: BiasView | None
    sides: tuple[tuple[str, TaskFacts], ...]
    """The task's facts by what they are called: one, or A and B."""


@dataclass(frozen=True)
class View:
    """The whole page."""

    facts: ReportFacts
    other: ReportFacts | None
    sides: tuple[tuple[str, ReportFacts], ...]
    tasks: tuple[TaskView, ...]
    overview: Table
    side_by_side: Table | None
    rejects: Table | None
    checks: Table | None
    pictures: Pictures


def view_of(facts: ReportFacts, other: ReportFacts | None = None, picture_bytes: int = BUDGET_BYTES) -> View:
    """The page of `facts`, beside `other` if there is one, with at most so many bytes of pictures."""
    is_compared = other is not None
    rejected, checks = pairs.rejected(facts, other), pairs.checks(facts, other)
    return View(
        facts,
        other,
        sides=(("A", facts), ("B", other)) if other else (("", facts),),
        tasks=tuple(_task(pair, is_compared) for pair in pairs.tasks(facts, other)),
        overview=figures.overview(pairs.tasks(facts, other), is_compared=is_compared),
        side_by_side=figures.side_by_side(facts, other) if other else None,
        rejects=figures.rejects_table(rejected, is_compared=is_compared) if rejected else None,
        checks=figures.checks_table(checks, is_compared=is_compared) if checks else None,
        pictures=choose_pictures(
            [group for each in (facts, other) if each for group in shown_examples(each)], picture_bytes
        ),
    )


def shown_examples(facts: ReportFacts) -> Iterator[Group]:
    """The examples of a report that the page shows, in groups among which its bytes are shared out."""
    for task in facts.tasks:
        yield Group(task.worst[:MAX_WORST])
        yield Group(task.best[:MAX_WORST])
        yield Group(tuple(each for finding in task.bias for each in finding.examples[:MAX_MENTIONS]), _SOURCE_ALONE)
    yield from (Group(cluster.members[:MAX_MEMBERS], _SOURCE_ALONE) for cluster in shown_clusters(facts))
    yield from (Group(found.examples[:MAX_REJECTED], _SOURCE_ALONE) for found in facts.rejected)


def shown_clusters(facts: ReportFacts) -> tuple[Cluster, ...]:
    """The largest clusters."""
    return tuple(sorted(facts.clusters, key=lambda cluster: -cluster.n_rows)[:MAX_CLUSTERS])


def shown_rejects(facts: ReportFacts) -> tuple[Rejected, ...]:
    """The reasons with examples, the most frequent first."""
    return tuple(sorted((found for found in facts.rejected if found.examples), key=lambda found: -found.n_rows))


def _task(pair: Pair[TaskFacts], is_compared: bool) -> TaskView:
    found_balances, found_bias = pairs.balances(pair), pairs.bias(pair)
    ratings = pair.either.ratings
    return TaskView(
        figures.named(pair),
        tuple((human(measure), figures.rating_tag(rating)) for measure, rating in ratings.items()),
        tuple(_panel(shown, ratings) for shown in pairs.distributions(pair)),
        figures.shares_table(pair, is_compared=is_compared),
        figures.balance_table(found_balances, is_compared=is_compared) if found_balances else None,
        tuple(map(_balance, found_balances)),
        _bias(found_bias, is_compared) if found_bias else None,
        tuple((name, task) for name, task in (("A" if is_compared else "", pair.mine), ("B", pair.other)) if task),
    )


def _panel(shown: Pair[Distribution], ratings: dict[str, str]) -> Panel:
    one = shown.either
    return Panel(
        one.title,
        distribution_chart(one, shown.other if shown.mine else None),
        figures.rating_tag(ratings.get(one.name)),
        figures.quantiles(shown) if shown.mine and shown.other else None,
    )


def _balance(pair: Pair[ClassBalance]) -> BalanceView:
    one = pair.either
    both = pair.mine is not None and pair.other is not None
    curves = [Curve("A" if both else "", one)] + ([Curve("B", pair.other)] if both and pair.other else [])
    has_rest = len(one.most) > N_CLASSES_FIRST
    return BalanceView(
        pair.name,
        lorenz_chart(curves),
        rank_chart(curves),
        figures.frequent_classes(pair, 0, N_CLASSES_FIRST),
        figures.frequent_classes(pair, N_CLASSES_FIRST) if has_rest else None,
        one,
        pair.other if both else None,
    )


def _bias(found: tuple[Pair[BiasFinding], ...], is_compared: bool) -> BiasView:
    table = figures.bias_table(found, is_compared=is_compared)
    if is_compared:
        rows = [
            Shares(
                human(short(pair.name, 24)),
                pair.other.after if pair.other else None,
                pair.mine.after if pair.mine else None,
            )
            for pair in found
        ]
        return BiasView(share_chart(rows, ("B", "A"), table), table, ())
    rows = [Shares(human(short(pair.name, 24)), pair.either.before, pair.either.after) for pair in found]
    with_examples = tuple(pair.either for pair in found if pair.either.examples)
    return BiasView(share_chart(rows, ("before", "now"), table), table, with_examples)
