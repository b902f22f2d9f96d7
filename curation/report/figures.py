"""The report's tables of numbers, each for one data set or for two side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from curation.report import pairs
from curation.report.facts import BiasFinding, Check, ClassBalance, Distribution, Rejected, ReportFacts, TaskFacts
from curation.report.pairs import Pair
from curation.report.shapes import Bar, Cell, Table, Tag
from curation.report.wording import (
    NO_NUMBER,
    bare,
    cut,
    difference,
    difference_in_points,
    human,
    number,
    percent,
    rate,
    short,
)

N_LANGUAGES: Final = 5
N_TERMS: Final = 8
MAX_CLASSES: Final = 100
"""Of the most frequent, and as many of the rarest: `object_counts.csv` has them all."""

NAME_CHARS: Final = 60

_COMPARISONS: Final = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
_RATING_SEVERITY: Final[dict[str, Tag]] = {
    "excellent": Tag("good", "excellent"),
    "good": Tag("good", "good"),
    "fair": Tag("warn", "fair"),
    "poor": Tag("fail", "poor"),
}


def named(pair: Pair[Any]) -> str:
    """The pair's name, in the length that a heading or cell has room for."""
    return short(pair.name, NAME_CHARS)


def rating_tag(rating: str | None) -> Tag | None:
    """A rating as a coloured word; one of another name is told without a colour."""
    return None if rating is None else _RATING_SEVERITY.get(rating, Tag("note", short(rating, 30)))


def overview(tasks: Sequence[Pair[TaskFacts]], *, is_compared: bool) -> Table:
    """What is in it: rows, splits, languages and words of each task."""
    rows: list[tuple[Cell, ...]] = []
    for pair in tasks:
        for letter, facts in (("A", pair.mine), ("B", pair.other)):
            if facts is None:
                continue
            words = facts.vocabulary
            name = f"{named(pair)}, {letter}" if is_compared else named(pair)
            rows.append(
                (
                    *(name, _counts(facts.splits), _counts(facts.languages, N_LANGUAGES), f"{facts.n_rows:,}"),
                    *(number(words.get(key)) for key in ("n_words", "n_distinct", "entropy_bits")),
                )
            )
    head = ("Task", "Splits", "Languages", "Rows", "Words", "Distinct words", "Entropy (bits)")
    return Table("What is in it, by task", head, tuple(rows), n_words=3)


def side_by_side(mine: ReportFacts, other: ReportFacts) -> Table:
    """The numbers that are most asked for, of both, with their difference."""
    rows: list[tuple[Cell, ...]] = [
        _beside("Rows", mine.n_rows, other.n_rows),
        _beside("Rows looked at", mine.n_rows_in, other.n_rows_in),
        _beside("Rows left out", mine.n_rows_in - mine.n_rows, other.n_rows_in - other.n_rows),
        _beside("Exact duplicates", mine.n_exact_duplicates, other.n_exact_duplicates),
        _beside("Near duplicates", mine.n_near_duplicates, other.n_near_duplicates),
        _beside("Gate checks failed", *(_n_failed(facts) for facts in (mine, other))),
    ]
    for task in pairs.tasks(mine, other):
        rows.append(_beside(f"{named(task)}: rows", *task.values(lambda facts: facts.n_rows)))
        for found in pairs.parts(task, lambda facts: facts.bias, lambda one: one.category):
            shares = [one.after.share if one else None for one in (found.mine, found.other)]
            if any(shares):
                cells = (percent(share) if share is not None else NO_NUMBER for share in shares)
                what = f"{named(task)}: rows that name {human(named(found))}"
                rows.append((what, *cells, difference_in_points(*shares)))
        for shown in pairs.distributions(task):
            title = shown.either.title
            rows.append(_beside(f"{named(task)}: {title}, mean", *shown.values(lambda each: each.summary.mean)))
        rows += [
            _beside(f"{named(task)}: Gini of {named(balance)}", *balance.values(lambda each: each.gini))
            for balance in pairs.balances(task)
        ]
    return Table("A and B in numbers", ("What", "A", "B", "A − B"), tuple(rows))


def quantiles(shown: Pair[Distribution]) -> Table:
    """Two distributions in numbers."""
    rows: list[tuple[Cell, ...]] = [
        _beside("Mean", *shown.values(lambda each: each.summary.mean)),
        *(
            _beside(words, *shown.values(lambda each, key=key: each.summary.quantiles.get(key)))  # type: ignore[misc]
            for key, words in (("p05", "5 % lie below"), ("p50", "Median"), ("p95", "95 % lie below"))
        ),
        _beside("Measured", *shown.values(lambda each: each.summary.n_measured)),
        _beside("Not measured", *shown.values(lambda each: each.summary.n_missing)),
    ]
    title = shown.either.title
    return Table(f"{title} in numbers", ("", "A", "B", "A − B"), tuple(rows))


def shares_table(task: Pair[TaskFacts], *, is_compared: bool) -> Table | None:
    """How many rows something is true of: valid, blank, cut off; None where nothing of the kind was looked at."""
    found = pairs.parts(task, lambda facts: facts.shares.items(), lambda item: item[0])
    if not found:
        return None
    rows: list[tuple[Cell, ...]] = []
    for pair in found:
        name = human(named(pair))
        if is_compared:
            shares = [each[1] if each else None for each in (pair.mine, pair.other)]
            more = difference_in_points(*(share.share if share else None for share in shares))
            rows.append((name, *map(rate, shares), more))
        else:
            share = pair.either[1]
            rows.append((name, f"{share.n_hits:,}", f"{share.n:,}", rate(share)))
    head = ("Rows that are", "A", "B", "A − B") if is_compared else ("Rows that are", "Rows", "Of", "Share")
    return Table("Rows of which something is true", head, tuple(rows))


def balance_table(found: Sequence[Pair[ClassBalance]], *, is_compared: bool) -> Table:
    """How evenly classes are spread, by namespace."""
    rows: list[tuple[Cell, ...]] = []
    for pair in found:
        for letter, each in (("A", pair.mine), ("B", pair.other)):
            if each is not None:
                rows.append((f"{named(pair)}, {letter}" if is_compared else named(pair), *_spread(each)))
        if pair.mine and pair.other:
            rows.append((f"{named(pair)}, A − B", *_spread_difference(pair.mine, pair.other)))
    head = (
        *("Classes of", "Classes", "Rows with one", "Entropy (bits)", "of the most possible"),
        *("Gini", "Top 5", "Top 10", "Rare"),
    )
    return Table("How evenly classes are spread", head, tuple(rows))


def _spread(balance: ClassBalance) -> tuple[str, ...]:
    most_bits = math.log2(balance.n_classes) if balance.n_classes > 1 else None
    return (
        *(f"{balance.n_classes:,}", percent(balance.n_rows_with / max(1, balance.n_rows_measured))),
        *(number(balance.entropy_bits), percent(balance.entropy_bits / most_bits) if most_bits else NO_NUMBER),
        *(number(balance.gini), percent(balance.top5_share), percent(balance.top10_share), f"{balance.n_rare:,}"),
    )


def _spread_difference(mine: ClassBalance, other: ClassBalance) -> tuple[str, ...]:
    shares = [each.n_rows_with / max(1, each.n_rows_measured) for each in (mine, other)]
    evenness = [each.entropy_bits / math.log2(each.n_classes) if each.n_classes > 1 else None for each in (mine, other)]
    return (
        difference(mine.n_classes, other.n_classes),
        difference_in_points(*shares),
        difference(mine.entropy_bits, other.entropy_bits),
        difference_in_points(*evenness),
        difference(mine.gini, other.gini),
        difference_in_points(mine.top5_share, other.top5_share),
        difference_in_points(mine.top10_share, other.top10_share),
        difference(mine.n_rare, other.n_rare),
    )


def frequent_classes(pair: Pair[ClassBalance], first: int = 0, last: int = MAX_CLASSES) -> Table:
    """The most frequent classes, from place `first` to `last`."""
    balance = pair.either
    names = balance.most[first : min(last, MAX_CLASSES)]
    top = max((count for _, count in balance.most), default=1) or 1
    caption = f"Most frequent classes of {named(pair)}"

    def told(name: str) -> str:
        return short(bare(name, pair.name), NAME_CHARS)

    if pair.mine and pair.other:
        return Table(
            caption,
            ("Class", "A", "B", "A − B"),
            tuple((told(name), f"{n:,}", *_other_count(pair.other, name, n)) for name, n in names),
        )
    if first:  # bars are for the first ones, which are seen at once
        return Table(caption, ("Class", "Occurrences"), tuple((told(name), f"{count:,}") for name, count in names))
    return Table(
        caption,
        ("Class", "Occurrences", ""),
        tuple((told(name), f"{count:,}", Bar(count / top)) for name, count in names),
    )


def _other_count(other: ClassBalance, name: str, n: int) -> tuple[str, str]:
    """A class's count there and the difference. A class that is not named there is absent only if all are named."""
    known = dict((*other.most, *other.rare))
    if name not in known and len(known) < other.n_classes:
        return NO_NUMBER, NO_NUMBER
    return f"{known.get(name, 0):,}", difference(n, known.get(name, 0))


def bias_table(found: Sequence[Pair[BiasFinding]], *, is_compared: bool) -> Table:
    """Mentions by category: before and after, or A and B, each with its interval."""
    rows: list[tuple[Cell, ...]] = []
    for pair in found:
        name = human(named(pair))
        one = pair.either
        if is_compared:
            after = [None if each is None else each.after for each in (pair.mine, pair.other)]
            shares = (None if each is None else each.share for each in after)
            rows.append((name, *map(rate, after), difference_in_points(*shares)))
            continue
        tag = rating_tag(one.rating)
        if tag and not one.is_sure:
            tag = Tag(tag.severity, f"{tag.word}, not sure")
        terms = ", ".join(f"{short(term, 30)} {count:,}" for term, count in one.terms[:N_TERMS])
        change = difference_in_points(one.after.share, one.before.share) if one.before else NO_NUMBER
        n_rows = f"{one.after.n_hits:,} of {one.after.n:,}"
        told = (n_rows, rate(one.before), rate(one.after), change)
        rows.append((name, tag or "not rated", terms or NO_NUMBER, *told))
    if is_compared:
        return Table("Rows with a mention, A and B", ("Category", "A", "B", "A − B"), tuple(rows))
    head = ("Category", "Rating", "Most frequent terms now", "Rows now", "Before", "Now", "Change")
    return Table("Rows with a mention", head, tuple(rows), n_words=3)


def rejects_table(found: Sequence[Pair[Rejected]], *, is_compared: bool) -> Table:
    """Rows left out, by reason."""
    rows: list[tuple[Cell, ...]] = []
    top = max((pair.mine.n_rows for pair in found if pair.mine), default=1) or 1
    for pair in found:
        meaning = cut(pair.either.meaning, 300)
        mine = pair.mine.n_rows if pair.mine else 0
        if is_compared:
            other = pair.other.n_rows if pair.other else 0
            rows.append((short(pair.name), meaning, f"{mine:,}", f"{other:,}", difference(mine, other)))
        else:
            rows.append((short(pair.name), meaning, f"{mine:,}", Bar(mine / top)))
    head = ("Reason", "Meaning", "A", "B", "A − B") if is_compared else ("Reason", "Meaning", "Rows", "")
    return Table("Rows left out, by reason", head, tuple(rows), n_words=2)


def checks_table(found: Sequence[Pair[Check]], *, is_compared: bool) -> Table:
    """Every check of the gate, failed ones first."""
    rows: list[tuple[Cell, ...]] = []
    for pair in sorted(found, key=lambda pair: _urgency(pair.mine)):
        check = pair.either
        where = ", ".join(filter(None, (check.task, f"split {check.split}" if check.split else None))) or "all rows"
        wanted = f"{_COMPARISONS.get(check.comparison, short(check.comparison, 10))} {number(check.limit)}"
        found_values = [_found(each) for each in ((pair.mine, pair.other) if is_compared else (pair.mine,))]
        results = [_result(each) for each in ((pair.mine, pair.other) if is_compared else (pair.mine,))]
        rows.append((short(check.metric), short(where), *results, wanted, *found_values))
    if is_compared:
        return Table("Gate checks", ("Metric", "Of", "A", "B", "Wanted", "Found in A", "Found in B"), tuple(rows), 4)
    return Table("Gate checks", ("Metric", "Of", "Result", "Wanted", "Found"), tuple(rows), 3)


def _result(check: Check | None) -> Cell:
    if check is None:
        return "not checked"
    if check.passed:
        return Tag("good", "passed")
    return Tag(check.severity, "failed" if check.severity == "fail" else "warning")


def _found(check: Check | None) -> str:
    if check is None:
        return NO_NUMBER
    return "not measured" if check.value is None else number(check.value)


def _urgency(check: Check | None) -> int:
    return 3 if check is None else 2 if check.passed else 0 if check.severity == "fail" else 1


def _n_failed(facts: ReportFacts) -> int | None:
    return sum(not check.passed for check in facts.checks) if facts.checks else None


def _beside(what: str, mine: float | None, other: float | None) -> tuple[Cell, ...]:
    return what, number(mine), number(other), difference(mine, other)


def _counts(counts: dict[str, int], limit: int = 8) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])[:limit] if len(counts) > limit else list(counts.items())
    told = ", ".join(f"{short(name, 30)} {count:,}" for name, count in most)
    return (told + f", {len(counts) - len(most)} more" if len(counts) > len(most) else told) or NO_NUMBER
