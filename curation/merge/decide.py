"""Which rows are kept, and why each of the others is not; the first rule that a row fails is its reason.

In this order: what its source could not read and its limit (`curation.merge.facts`), evaluation sets, duplicates,
balance, the merge's number of rows, split counts. Reads texts only where a rule needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.balance_rules import BalanceRule, over_quota
from curation.merge.duplicates import Clusters, clusters_of
from curation.merge.facts import Facts
from curation.merge.opened import Opened
from curation.merge.spec import MergeSpec
from curation.merge.splits import RANKS, splits_of
from curation.reasons import Reason
from curation.store import Workspace

if TYPE_CHECKING:
    from curation.merge.evaluation_sets import Hit

DROPPED_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("source_key", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("duplicate_of", pa.string()),  # the id that is kept in its place
    ]
)
"""What was left out: beside the release, never in it."""


@dataclass
class Decisions:
    """One entry a row. `ranks` are places in `curation.merge.splits.RANKS`, beyond them where a row is left out."""

    reasons: list[str | None]
    details: dict[int, str] = field(default_factory=dict)
    duplicate_of: dict[int, int] = field(default_factory=dict)
    ranks: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    told: list[str] = field(default_factory=list)
    """What balance and evaluation sets did, a line each."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Rows that are kept."""
        return np.array([reason is None for reason in self.reasons], np.bool_)

    def leave_out(self, row: int, reason: Reason, detail: str = "") -> None:
        """Leave a row out, unless it is already."""
        if self.reasons[row] is None:
            self.reasons[row] = str(reason)
            if detail:
                self.details[row] = detail

    def rejected(self) -> dict[str, int]:
        """Rows left out by reason."""
        return dict(sorted(Counter(reason for reason in self.reasons if reason).items()))


def decide(
    sources: Sequence[Opened], facts: Facts, spec: MergeSpec, evaluation: Sequence[Opened], cache: Workspace
) -> Decisions:
    """Apply the rules of a merge to all rows."""
    table = facts.table
    decisions = Decisions(table.column("reason").to_pylist())
    for row, detail in enumerate(table.column("detail").to_pylist()):
        if detail:
            decisions.details[row] = detail
    usable = decisions.kept
    for hit in _hits(sources, facts, usable, evaluation, spec, cache):
        decisions.leave_out(hit.row, Reason.CONTAMINATED, f"{hit.by}: {hit.evaluation}")
    clusters = clusters_of(
        facts, usable, spec.dedup, _signatures(sources, facts, cache) if spec.dedup == "near" else None
    )
    _leave_out_duplicates(facts, decisions, clusters)
    for rule in spec.balance:
        _balance(sources, facts, decisions, rule)
    if spec.rows is not None:
        _share_out(facts, decisions, spec, [source.entry.weight or 1.0 for source in sources])
    decisions.ranks = splits_of(facts, usable, decisions.kept, clusters.group, spec.splits)
    for row in np.flatnonzero(decisions.kept & (decisions.ranks == len(RANKS))).tolist():
        decisions.leave_out(row, Reason.OVER_SPLIT_COUNT, f"{spec.splits.total} rows were asked for")
    return decisions


def dropped_rows(facts: Facts, decisions: Decisions) -> pa.Table:
    """Rows that were left out, in source order (`DROPPED_SCHEMA`)."""
    rows = [row for row, reason in enumerate(decisions.reasons) if reason]
    taken = facts.table.select(["id", "source", "source_key"]).take(pa.array(rows, pa.int64()))
    instead = [decisions.duplicate_of.get(row) for row in rows]
    columns: dict[str, Any] = {name: taken.column(name).cast(pa.string()) for name in taken.column_names}
    columns |= {
        "reason": pa.array([decisions.reasons[row] for row in rows], pa.string()),
        "detail": pa.array([decisions.details.get(row, "") for row in rows], pa.string()),
        "duplicate_of": facts.table.column("id").take(pa.array(instead, pa.int64())),
    }
    return pa.table([columns[name] for name in DROPPED_SCHEMA.names], schema=DROPPED_SCHEMA)


def _hits(
    sources: Sequence[Opened],
    facts: Facts,
    usable: NDArray[np.bool_],
    evaluation: Sequence[Opened],
    spec: MergeSpec,
    cache: Workspace,
) -> Iterable[Hit]:
    if not evaluation:
        return
    from curation.merge.evaluation_sets import hits_by_words, hits_of  # noqa: PLC0415 - most merges have none

    yield from hits_of(facts, usable, _signatures(sources, facts, cache), evaluation, cache)
    yield from hits_by_words(sources, facts, usable, evaluation, spec.overlap)


def _signatures(sources: Sequence[Opened], facts: Facts, cache: Workspace) -> Iterable[pa.Table]:
    from curation.merge.signatures import all_signatures  # noqa: PLC0415 - exact duplicates need none of it

    return all_signatures(sources, facts, cache)


def _leave_out_duplicates(facts: Facts, decisions: Decisions, clusters: Clusters) -> None:
    """Of rows that are duplicates one stays: the best of those that no rule before left out."""
    is_kept = decisions.kept
    texts, images = facts.table.column("text_sha256"), facts.table.column("image_sha256")
    stands_for: dict[int, int] = {}
    for row in np.flatnonzero(clusters.kept != np.arange(len(clusters.kept))).tolist():
        best = int(clusters.kept[row])
        if not is_kept[best]:  # an evaluation set has the best one, and not this one
            best = stands_for.setdefault(best, row if is_kept[row] else best)
        if best == row or not is_kept[row]:
            continue
        same = texts[row] == texts[best] and images[row] == images[best]
        decisions.leave_out(row, Reason.DUPLICATE_EXACT if same else Reason.DUPLICATE_NEAR)
        decisions.duplicate_of[row] = best


def _balance(sources: Sequence[Opened], facts: Facts, decisions: Decisions, rule: BalanceRule) -> None:
    rows = np.flatnonzero(decisions.kept)
    order = facts.table.column("order").to_numpy()[rows]
    if rule.of == "source":
        names = [source.entry.name for source in sources]
        values = [[names[index]] for index in facts.source_index[rows].tolist()]
    elif rule.of == "task":
        values = [[task] for task in facts.table.column("task").take(pa.array(rows)).to_pylist()]
    else:
        values = _classes(sources, facts, rows)
    out, told = over_quota(rule, values, order)
    for row in rows[out].tolist():
        decisions.leave_out(row, Reason.OVER_QUOTA, str(rule))
    shown = "; ".join(told[:20]) + (f"; and {len(told) - 20} more" if len(told) > 20 else "")
    decisions.told.append(f"balance {rule}: {int(out.sum()):,} rows left out ({shown})")


def _classes(sources: Sequence[Opened], facts: Facts, rows: NDArray[np.int64]) -> list[list[str]]:
    """The classes of rows, none where they cannot be told. One name of a class is held, however many rows have it."""
    from curation.classes.sample_classes import classes_of  # noqa: PLC0415 - only where a rule asks for classes

    wanted = set(rows.tolist())
    names: dict[str, str] = {}
    values: list[list[str]] = []
    for unit in facts.units:
        here = [row for row in range(unit.first, unit.first + unit.n_rows) if row in wanted]
        if not here:
            continue
        table = sources[unit.source].texts(unit.unit).take(pa.array([row - unit.first for row in here]))
        objects = table.column("objects").to_pylist() if "objects" in table.column_names else [None] * len(here)
        told = zip(table.column("task").to_pylist(), table.column("text").to_pylist(), objects, strict=True)
        values += [[names.setdefault(name, name) for name in classes_of(*row) or []] for row in told]
    return values


def _share_out(facts: Facts, decisions: Decisions, spec: MergeSpec, weights: Sequence[float]) -> None:
    """The merge's number of rows, shared out by weight: of each source the first in the order of the seed."""
    assert spec.rows is not None
    shares = [spec.rows * weight / sum(weights) for weight in weights]
    limits = [int(share) for share in shares]
    for place in sorted(range(len(shares)), key=lambda i: limits[i] - shares[i])[: spec.rows - sum(limits)]:
        limits[place] += 1
    rows = np.flatnonzero(decisions.kept)
    order, index = facts.table.column("order").to_numpy()[rows], facts.source_index[rows]
    for source, limit in enumerate(limits):
        own = rows[index == source]
        for row in own[np.argsort(order[index == source])][limit:].tolist():
            decisions.leave_out(row, Reason.OVER_LIMIT, f"{limit} of {spec.rows} rows are its share")
