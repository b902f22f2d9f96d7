"""`evaluate`: predictions of one or more models in, what they are worth out, with everything that a page needs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from curation.bert_model import BertModel
from curation.clip_model import ClipModel
from curation.errors import BadInputError, StoreError
from curation.sample import Task
from rendering.renderer import Renderer
from training.evaluation.intervals import N_RESAMPLES, Interval, PairedDifference, Score, intervals, paired
from training.evaluation.metrics import GROUPS, MAIN_OF, METRICS
from training.evaluation.predictions import TASKS, Prediction, require_completions
from training.evaluation.scoring import TaskScores, Tools, reported, score_of, score_task
from training.metrics.latex_errors import count_causes
from training.metrics.latex_meaning import share_of
from training.metrics.workers import Workers

SCHEMA_VERSION: Final = 1
SIZES: Final = (0, 100, 300, 1_000, 3_000, 10_000)
"""Characters of the reference, from which a class of size begins."""
MAX_CLASSES: Final = 60
LEAST_CLASS_ROWS: Final = 5
"""Classes in fewer rows have no interval that says anything."""
MAX_COMPARED: Final = 12
DECIMALS: Final = 6
"""Of what is written: what floating-point sums reproduce on any machine, and more than anybody reads."""


@dataclass(frozen=True)
class Settings:
    """How predictions are scored. `metrics` are names of groups, none for all of a task.

    `baseline` names the model that others are compared with; without it, all pairs of models are compared.
    """

    metrics: tuple[str, ...] = ()
    baseline: str = ""
    seed: int = 0
    n_resamples: int = N_RESAMPLES
    n_examples: int = 8


@dataclass(frozen=True)
class Slice:
    """Scores of a model on some of its rows: a class, a size, or all of them."""

    model: str
    name: str
    n: int
    scores: dict[str, Interval]


@dataclass(frozen=True)
class Shown:
    """A row to look at: its place in the predictions, and the score that it was chosen by."""

    index: int
    score: float


@dataclass(frozen=True)
class TaskResult:
    """What one task's predictions are worth."""

    task: Task
    models: tuple[str, ...]
    n_samples: int
    metrics: tuple[str, ...]
    main: str
    """The metric that rows are ranked by."""
    overall: tuple[Slice, ...]
    by_class: tuple[Slice, ...]
    by_size: tuple[Slice, ...]
    compared: tuple[PairedDifference, ...]
    causes: dict[str, dict[str, int]]
    """By model, in how many predictions each cause of error is found."""
    meaning: dict[str, dict[str, float | None]]
    """By model, the share of pairs that SymPy could compare, and of them the share with the same meaning."""
    signatures: dict[str, str]
    not_measured: dict[str, str]
    worst: dict[str, tuple[Shown, ...]]
    best: dict[str, tuple[Shown, ...]]


@dataclass(frozen=True)
class Evaluation:
    """The whole result; `scores` are the rows' own, by task and in the order of the task's rows."""

    tasks: tuple[TaskResult, ...]
    settings: Settings
    n_predictions: int
    scores: dict[Task, TaskScores] = field(repr=False, default_factory=dict)
    rows: tuple[Prediction, ...] = field(repr=False, default=())


def evaluate(
    predictions: Sequence[Prediction],
    settings: Settings | None = None,
    *,
    renderer: Renderer | None = None,
    clip: ClipModel | None = None,
    bert: BertModel | None = None,
    workers: Workers | None = None,
) -> Evaluation:
    """Score predictions by every metric of their tasks whose tools are given.

    Nothing a prediction says raises: what is broken, empty or hostile scores 0, or what it is worth.

    Raises:
        BadInputError: there are no predictions, they begin with their prompts, a metric or the baseline is unknown.
    """
    settings = settings or Settings()
    require_usable(predictions, settings)
    owned = Workers() if workers is None else None
    try:
        tools = Tools(workers or owned or Workers(), renderer, clip, bert)
        scores: dict[Task, TaskScores] = {}
        results = []
        for task, indices in _by_task(predictions).items():
            scores[task] = score_task(task, [predictions[index] for index in indices], settings.metrics, tools)
            results.append(_result(task, predictions, indices, scores[task], settings))
    finally:
        if owned is not None:
            owned.close()
    return Evaluation(tuple(results), settings, len(predictions), scores, tuple(predictions))


def require_usable(predictions: Sequence[Prediction], settings: Settings) -> None:
    """Raise `BadInputError` for what would end an evaluation, before any work is done."""
    if not predictions:
        raise BadInputError("There are no predictions", "Give a file that has some")
    require_completions(predictions)
    if unknown := [name for name in settings.metrics if name not in GROUPS]:
        raise BadInputError(f"There is no metric {unknown[0]!r}", f"There are: {', '.join(GROUPS)}")
    models = dict.fromkeys(row.model for row in predictions)
    if settings.baseline and settings.baseline not in models:
        raise BadInputError(
            f"There is no model {settings.baseline!r} to compare with", f"There are: {', '.join(models)}"
        )


def result_json(found: Evaluation) -> dict[str, Any]:
    """The result as plain values: no text of a row, no picture, numbers rounded to `DECIMALS`."""
    plain = {
        "schema_version": SCHEMA_VERSION,
        "n_predictions": found.n_predictions,
        "settings": asdict(found.settings),
        "tasks": [
            asdict(result)
            | {
                kind: {
                    model: [{"id": found.rows[one.index].id, "score": one.score} for one in shown]
                    for model, shown in getattr(result, kind).items()
                }
                for kind in ("worst", "best")
            }
            for result in found.tasks
        ],
    }
    rounded: dict[str, Any] = _rounded(plain)
    return rounded


def write_result(found: Evaluation, folder: Path) -> None:
    """Write `evaluation.json`, and the rows' scores as `scores.parquet`.

    Raises `StoreError` where that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result_json(found), indent=1, ensure_ascii=False)
        (folder / "evaluation.json").write_text(text.encode("utf-8", "replace").decode() + "\n", encoding="utf-8")
        pq.write_table(scores_table(found), folder / "scores.parquet")
    except OSError as error:
        raise StoreError(f"cannot write into {folder}: {error.strerror}", "Choose another output") from error


def scores_table(found: Evaluation) -> pa.Table:
    """One row a prediction, in their order: id, model, task, and a nullable column for each metric of rows."""
    names = [name for name in METRICS if any(name in scores.columns for scores in found.scores.values())]
    columns: dict[str, list[Any]] = {name: [None] * len(found.rows) for name in names}
    for task, indices in _by_task(found.rows).items():
        for name in names:
            values = found.scores[task].columns.get(name)
            for at, index in enumerate(indices if values is not None else ()):
                columns[name][index] = None if values is None or values[at] is None else round(values[at], DECIMALS)  # type: ignore[arg-type]
    keys = {name: pa.array([getattr(row, name) for row in found.rows], pa.string()) for name in ("id", "model", "task")}
    return pa.table(keys | {name: pa.array(values, pa.float64()) for name, values in columns.items()})


def size_name(n_chars: int) -> str:
    """The class of size of a reference of so many characters."""
    start = max(size for size in SIZES if size <= n_chars)
    later = [size for size in SIZES if size > start]
    return f"{start:,} to {later[0] - 1:,} characters" if later else f"{start:,} characters and more"


def _by_task(predictions: Sequence[Prediction]) -> dict[Task, list[int]]:
    found: dict[Task, list[int]] = defaultdict(list)
    for index, row in enumerate(predictions):
        found[row.task].append(index)
    return {task: found[task] for task in sorted(found, key=TASKS.index)}


def _result(
    task: Task, predictions: Sequence[Prediction], indices: Sequence[int], scores: TaskScores, settings: Settings
) -> TaskResult:
    rows = [predictions[index] for index in indices]
    names = reported(scores)
    models = tuple(dict.fromkeys(row.model for row in rows))
    of_model = {model: [at for at, row in enumerate(rows) if row.model == model] for model in models}
    main = next(name for name in MAIN_OF[task] if any(one is not None for one in scores.columns.get(name, ())))

    def slice_of(model: str, name: str, chosen: Sequence[int]) -> Slice:
        wanted = {metric: score_of(scores, metric, chosen) for metric in names}
        found = intervals(wanted, len(chosen), settings.seed, settings.n_resamples)
        return Slice(model, name, len(chosen), found)

    ranked = {model: _ranked(scores.columns[main], chosen, main) for model, chosen in of_model.items()}
    n = settings.n_examples
    return TaskResult(
        task=task,
        models=models,
        n_samples=len({row.id for row in rows}),
        metrics=tuple(names),
        main=main,
        overall=tuple(slice_of(model, "all", chosen) for model, chosen in of_model.items()),
        by_class=tuple(
            slice_of(model, name, chosen)
            for name in _classes(rows)
            for model in models
            if (chosen := [at for at in of_model[model] if name in rows[at].classes])
        ),
        by_size=tuple(
            slice_of(model, size_name(start), chosen)
            for start in SIZES
            for model in models
            if (chosen := [at for at in of_model[model] if size_name(len(rows[at].reference)) == size_name(start)])
        ),
        compared=tuple(_compared(rows, of_model, scores, names, settings)),
        causes={
            model: dict(count_causes(scores.causes[at] for at in chosen)) if scores.causes is not None else {}
            for model, chosen in of_model.items()
        },
        meaning={
            model: {"compared": share.decided, "equal": share.equal}
            for model, chosen in of_model.items()
            if scores.meanings is not None
            for share in (share_of([scores.meanings[at] for at in chosen]),)
        },
        signatures={name: found.signature for name, found in scores.counts.items()},
        not_measured=dict(scores.not_measured),
        worst={model: _shown(found[:n], indices) for model, found in ranked.items()},
        best={
            model: _shown(found[::-1][: min(n, len(found) - len(found[:n]))], indices)
            for model, found in ranked.items()
        },
    )


def _classes(rows: Sequence[Prediction]) -> list[str]:
    """The most frequent classes, those of `LEAST_CLASS_ROWS` samples at least."""
    samples = {row.id: row.classes for row in rows}
    counted = Counter(name for classes in samples.values() for name in classes)
    often = [(name, n) for name, n in counted.items() if n >= LEAST_CLASS_ROWS]
    return [name for name, _ in sorted(often, key=lambda one: (-one[1], one[0]))[:MAX_CLASSES]]


def _compared(
    rows: Sequence[Prediction],
    of_model: dict[str, list[int]],
    scores: TaskScores,
    names: Sequence[str],
    settings: Settings,
) -> list[PairedDifference]:
    """Differences of pairs of models over the samples that both have."""
    others = [model for model in of_model if model != settings.baseline]
    if settings.baseline in of_model:
        pairs = [(model, settings.baseline) for model in others]
    else:
        pairs = [(later, earlier) for earlier, later in combinations(others, 2)]
    found: list[PairedDifference] = []
    for model, baseline in pairs[:MAX_COMPARED]:
        mine, theirs = ({rows[at].id: at for at in of_model[name]} for name in (model, baseline))
        common = [key for key in mine if key in theirs]
        by_samples: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in names:
            column = scores.columns.get(name)  # a sample counts where both have a value
            there = [key for key in common if column is None or None not in (column[mine[key]], column[theirs[key]])]
            if there:
                by_samples[tuple(there)].append(name)
        for keys, together in by_samples.items():
            here, there_too = [mine[key] for key in keys], [theirs[key] for key in keys]
            wanted: dict[str, tuple[Score, Score]] = {
                name: (score_of(scores, name, here)[0], score_of(scores, name, there_too)[0]) for name in together
            }
            found += paired(wanted, model, baseline, len(keys), settings.seed, settings.n_resamples)
    return found


def _ranked(column: Sequence[float | None], rows: Sequence[int], name: str) -> list[tuple[int, float]]:
    """Rows with their scores, worst first."""
    better_is_less = name in METRICS and not METRICS[name].higher_is_better
    found = [(row, score) for row in rows if (score := column[row]) is not None]
    return sorted(found, key=lambda one: (-one[1] if better_is_less else one[1], one[0]))


def _shown(found: Sequence[tuple[int, float]], indices: Sequence[int]) -> tuple[Shown, ...]:
    return tuple(Shown(indices[row], score) for row, score in found)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
