"""All that a report says, from samples and their measures: in passes over columns, whatever the number of rows.

Held are about 40 bytes a row, some 250 more while near duplicates are looked for, a count for each class and word, and
the pictures of the few that are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.balance import reweighting
from curation.reason_meanings import meaning_of
from curation.rejects import left_out
from curation.report import scores
from curation.report.clusters import Duplicates, duplicates_of
from curation.report.examples import compared_examples_at, examples_at
from curation.report.facts import BiasFinding, Check, Example, NotMeasured, Rejected, ReportFacts, TaskFacts
from curation.report.findings import Alerts, findings_of, verdict_of
from curation.report.measuring import TASKS_OF, Measured
from curation.report.ratings import ratings_of
from curation.report.rows import Place, ReportRows
from curation.report.scores import Scores, Weights, score_rows
from curation.report.subject import Subject
from curation.report.tally import READ, TaskTally
from curation.store import Workspace

SCHEMA_VERSION: Final = 1
N_REJECTS_SHOWN: Final = 6
PLACES_LOOKED_AT: Final = 10

WHY_NULL: Final = {
    "tokens": "no row has a text",
    "markup": "no row has markup that can be read",
    "statistics": "no row has a text",
    "classes": "no row's classes can be told",
    "hashes": "no row has a text or picture to hash",
    "bias": "no row has words that can be read",
    "render": "no row has markup and a picture of its own to compare with",
    "clip": "no row has a picture and a text that CLIP reads",
    "ocr": "no row has a picture and words in it",
    "bertscore": "no row has the caption that it was made from (original_caption)",
}
TOLD_BY: Final = {
    "tokens": "n_tokens",
    "markup": "valid",
    "statistics": "n_chars",
    "classes": "classes",
    "hashes": "minhash",
    "bias": "bias_gender",
    "render": "render_similarity",
    "clip": "clip_cosine",
    "ocr": "text_recall",
    "bertscore": "bertscore_f1",
}
"""A column of each measure that is null where the measure could say nothing of a row."""


@dataclass(frozen=True)
class Settings:
    """How a report is made. `n_examples` best and worst of each task are shown."""

    weights: Weights = field(default_factory=Weights)
    alerts: Alerts = field(default_factory=Alerts)
    rare_threshold: int = 50
    topk: int = 300
    n_examples: int = 4


class RowSink(Protocol):
    """Is given all rows, a table at a time, as they are scored."""

    @property
    def columns(self) -> Sequence[str]:
        """What it wants to read of samples and measures."""
        ...

    def write(self, table: pa.Table, scored: Scores, reweight: npt.NDArray[np.float64], first: int) -> None:
        """Take the next rows; `first` is the position of the first of them among all."""
        ...


@dataclass(frozen=True)
class Gathered:
    """The facts, and what the files say beyond them. All arrays are in the order of the rows.

    `worst` are the positions and places of the worst rows by combined score, at most `topk`.
    """

    facts: ReportFacts
    rows: ReportRows
    tallies: tuple[TaskTally, ...]
    weights: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]
    combined: npt.NDArray[np.float32]
    worst: tuple[tuple[int, Place], ...]
    object_misses: tuple[int, int, float]
    """Rows whose source names objects, those of them whose caption names none, and the mean share that is missed."""


class _Positions:
    """Combined score, task and place of every row."""

    def __init__(self) -> None:
        self._parts: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int8], pa.Array, pa.Array]] = []

    def add(self, table: pa.Table, combined: npt.NDArray[np.float32], codes: npt.NDArray[np.int8]) -> None:
        places = (table.column(name).combine_chunks() for name in ("shard", "row"))
        self._parts.append((combined, codes, *places))

    def joined(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8], npt.NDArray[np.int32]]:
        """Scores, task codes, and places as (rows, 2)."""
        if not self._parts:
            return np.empty(0, np.float32), np.empty(0, np.int8), np.empty((0, 2), np.int32)
        combined, codes, shards, rows = zip(*self._parts, strict=True)
        places = np.stack([np.concatenate([np.asarray(part) for part in one]) for one in (shards, rows)], axis=1)
        return np.concatenate(combined), np.concatenate(codes), places


def rows_of(subject: Subject, measured: Measured, split: str | None = None) -> ReportRows:
    """The rows that a report on `subject` is about, or those of one split of them."""
    return ReportRows(
        subject.workspace, measured.shards, subject.selection, split or subject.split, subject.max_samples
    )


def gather(
    subject: Subject,
    measured: Measured,
    settings: Settings,
    *,
    sink: RowSink | None = None,
    with_examples: bool = True,
    split: str | None = None,
) -> Gathered:
    """Gather everything; `sink` is given the rows. Without examples no picture is read.

    Raises `MarkupmillError` for a workspace that does not hold what its manifests say.
    """
    rows = rows_of(subject, measured, split)
    tallies = _tallies(rows)
    found = duplicates_of(rows, with_examples=with_examples)
    classes: Counter[str] = Counter()
    for tally in tallies:
        classes.update(tally.classes)
    has_classes = any(tally.n_classes_measured for tally in tallies)
    columns = (t.column("classes") for t in rows.tables(["classes"])) if has_classes else iter(())
    weights, probabilities = reweighting(columns, classes)
    combined, codes, places, misses = _scored(rows, tallies, settings.weights, weights, found, sink)
    order = np.argsort(-np.nan_to_num(combined, nan=-1.0), kind="stable")
    order = order[~np.isnan(combined[order])]
    tasks = tuple(
        _task_facts(rows, tally, settings, measured, places[order[codes[order] == code]], with_examples=with_examples)
        for code, tally in enumerate(tallies)
    )
    worst = tuple((int(i), (int(places[i][0]), int(places[i][1]))) for i in order[: settings.topk])
    facts = _facts(subject, measured, settings, tasks, tallies, found, rows, with_examples=with_examples)
    return Gathered(facts, rows, tuple(tallies), weights, probabilities, combined, worst, misses)


def with_checks(facts: ReportFacts, checks: Sequence[Check], alerts: Alerts) -> ReportFacts:
    """The facts with what a gate found: its findings and its verdict too."""
    told = findings_of(
        facts.n_rows,
        facts.n_rows_in,
        facts.tasks,
        facts.n_exact_duplicates,
        facts.n_near_duplicates,
        facts.rejected,
        facts.not_measured,
        checks,
        alerts,
    )
    return replace(facts, checks=tuple(checks), findings=tuple(told), verdict=verdict_of(told))


def _tallies(rows: ReportRows) -> list[TaskTally]:
    tallies: dict[str, TaskTally] = {}
    for table in rows.tables(READ):
        for task in sorted(table.column("task").unique().to_pylist()):
            part = table.filter(pc.equal(table.column("task"), task))
            tallies.setdefault(task, TaskTally(task)).add(part)
    return [tallies[task] for task in sorted(tallies)]


def _scored(
    rows: ReportRows,
    tallies: Sequence[TaskTally],
    weights: Weights,
    reweight: npt.NDArray[np.float64],
    found: Duplicates | None,
    sink: RowSink | None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8], npt.NDArray[np.int32], tuple[int, int, float]]:
    positions = _Positions()
    tasks = pa.array([tally.task for tally in tallies])
    columns = list(dict.fromkeys([*scores.READ, *(sink.columns if sink else ())]))
    first = n_with = n_none = 0
    missed = 0.0
    for table in rows.tables(columns):
        scored = score_rows(table, weights)
        codes = pc.index_in(table.column("task"), tasks).to_numpy().astype(np.int8)
        positions.add(table, scored.combined, codes)
        has_objects = scored.n_objects > 0
        n_with += int(has_objects.sum())
        n_none += int((has_objects & (scored.n_named == 0)).sum())
        missed += float(np.nansum(scored.object_miss))
        if sink:
            last = first + table.num_rows
            if found is not None:
                table = table.append_column("duplicate_of", found.duplicate_of.slice(first, table.num_rows))  # noqa: PLW2901
            sink.write(table, scored, reweight[first:last], first)
        first += table.num_rows
    return (*positions.joined(), (n_with, n_none, missed / n_with if n_with else 0.0))


def _task_facts(
    rows: ReportRows,
    tally: TaskTally,
    settings: Settings,
    measured: Measured,
    worst_first: npt.NDArray[np.int32],
    *,
    with_examples: bool,
) -> TaskFacts:
    distributions = tuple(tally.distributions())
    n = min(settings.n_examples, len(worst_first) // 2) if with_examples else 0
    worst, best = (_of_other_pictures(rows, ranked, n) for ranked in (worst_first, worst_first[::-1]))
    return TaskFacts(
        tally.task,
        tally.n_rows,
        dict(sorted(tally.splits.items())),
        distributions,
        tuple(tally.balances(settings.rare_threshold)),
        tuple(_bias(rows, tally, with_examples=with_examples)),
        dict(tally.languages.most_common()),
        tally.vocabulary,
        tuple(compared_examples_at(rows, worst, {})),
        tuple(compared_examples_at(rows, best, {})),
        ratings_of(tally.task, distributions, measured.made_with),
        tally.shares(),
    )


def _of_other_pictures(rows: ReportRows, ranked: npt.NDArray[np.int32], n: int) -> list[Place]:
    """The first `n` of ranked places, each with another picture: five captions of one picture tell less."""
    places = [(int(shard), int(row)) for shard, row in ranked[: PLACES_LOOKED_AT * n]]
    found = rows.load(places, ["image_sha256"])
    first_of = {found[place]["image_sha256"]: place for place in reversed(places)}
    return [place for place in places if place in set(first_of.values())][:n]


def _bias(rows: ReportRows, tally: TaskTally, *, with_examples: bool) -> Iterator[BiasFinding]:
    for finding in tally.bias():
        places = tally.mentions[finding.category] if with_examples else []
        yield replace(finding, examples=tuple(examples_at(rows, places)))


def _facts(
    subject: Subject,
    measured: Measured,
    settings: Settings,
    tasks: tuple[TaskFacts, ...],
    tallies: Sequence[TaskTally],
    found: Duplicates | None,
    rows: ReportRows,
    *,
    with_examples: bool,
) -> ReportFacts:
    n_rows = sum(task.n_rows for task in tasks)
    rejected = tuple(_rejected(subject.workspace, subject, measured, with_examples=with_examples))
    n_rows_in = n_rows + sum(group.n_rows for group in rejected)
    not_measured = (*measured.not_measured, *_all_null(measured, tallies, rows))
    n_exact = found.n_exact if found else None
    n_near = found.n_near if found else None
    facts = ReportFacts(
        SCHEMA_VERSION,
        subject.name,
        subject.address,
        subject.revision,
        n_rows,
        n_rows_in,
        "good",
        (),
        tasks,
        n_exact,
        n_near,
        found.clusters if found else (),
        rejected,
        tuple(not_measured),
        (),
        {**subject.lineage, **{f"measure {name}": made for name, made in measured.made_with.items()}},
    )
    return with_checks(facts, (), settings.alerts)


def _rejected(workspace: Workspace, subject: Subject, measured: Measured, *, with_examples: bool) -> list[Rejected]:
    """What ingest rejected of the shards, and where there is a selection, what it left out."""
    n_shown = N_REJECTS_SHOWN if with_examples else 0
    if subject.selection is not None:
        found = left_out(workspace, subject.release, n_examples=n_shown)
    else:
        keys = [shard.measured.shard.key for shard in measured.shards]
        found = left_out(workspace, shards=keys, n_examples=n_shown)
    return [
        Rejected(
            group.reason,
            meaning_of(group.reason),
            group.n_rows,
            tuple(
                Example(one.id, "", one.source_key, one.excerpt, {}, one.thumbnail, note=one.detail)
                for one in group.examples
            ),
        )
        for group in found.groups
    ]


def _all_null(measured: Measured, tallies: Sequence[TaskTally], rows: ReportRows) -> list[NotMeasured]:
    """Measures that were taken and have no value in any row."""
    taken = {ref.measure for shard in measured.shards for ref in shard.measured.measures}
    told = {numeric for tally in tallies for numeric in tally.measured_columns}
    names = [name for name in TASKS_OF if name in taken and name in TOLD_BY and TOLD_BY[name] not in told]
    if "hashes" in names and _has_any(rows, "minhash", "phash"):
        names.remove("hashes")
    return [NotMeasured(name, WHY_NULL[name]) for name in names]


def _has_any(rows: ReportRows, *columns: str) -> bool:
    return any(
        table.column(name).null_count < table.num_rows
        for table in rows.tables(columns)
        for name in columns
        if name in table.column_names
    )
