"""The evaluation as one page that needs nothing else: no network, no script, pictures as data URLs.

It wears the quality report's style and parts. Texts are what models wrote: all of them are escaped by its templates.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import FileSystemLoader, Template

from curation.errors import StoreError
from curation.report.pictures import data_url, thumbnail
from curation.report.shapes import Chart, Table
from curation.report.templates import style, template
from curation.report.wording import number, percent, short
from rendering.errors import RenderingError
from rendering.renderer import Renderer
from rendering.result import Rendered
from training.evaluation.charts import interval_chart
from training.evaluation.evaluate import Evaluation, Shown, Slice, TaskResult
from training.evaluation.intervals import Interval
from training.evaluation.metrics import METRICS
from training.evaluation.pictures import KIND_OF, renders

PAGE: Final = "evaluation.html"
PICTURE_BYTES: Final = 7_500_000
"""Of encoded pictures; base64 makes 10 MB of it."""
MAX_TEXT_CHARS: Final = 600
_TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class ExampleView:
    """A row as the page shows it. Pictures are data URLs, with what is said where there is none."""

    id: str
    score: str
    scores: tuple[tuple[str, str], ...]
    pictures: tuple[tuple[str, str, str], ...]
    """What it is, its URL, or else why there is none."""
    prediction: str
    reference: str


@dataclass(frozen=True)
class ExamplesView:
    """The worst or best rows of a model."""

    heading: str
    model: str
    examples: tuple[ExampleView, ...]


@dataclass(frozen=True)
class TaskView:
    """A task's part of the page."""

    name: str
    result: TaskResult
    main_title: str
    overall: Table
    chart: Chart
    compared: Table | None
    by_class: Table | None
    by_size: Table
    causes: Table | None
    meaning: Table | None
    examples: tuple[ExamplesView, ...]


def write_evaluation_page(found: Evaluation, folder: Path, renderer: Renderer | None = None) -> Path:
    """Write `evaluation.html` into `folder`; `renderer` draws predictions and references of the examples.

    Raises `StoreError` where that cannot be done.
    """
    path = folder / PAGE
    try:
        path.write_bytes(evaluation_page(found, renderer).encode("utf-8"))
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", "Choose another output") from error
    return path


def evaluation_page(found: Evaluation, renderer: Renderer | None = None) -> str:
    """The page, complete."""
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    budget = _Budget(PICTURE_BYTES)
    views = [_task_view(found, result, renderer, budget) for result in found.tasks]
    return _template().render(
        evaluation=found,
        tasks=views,
        models=list(dict.fromkeys(model for result in found.tasks for model in result.models)),
        style=css,
        style_hash=f"sha256-{digest}",
        max_chars=MAX_TEXT_CHARS,
    )


def _template() -> Template:
    parts = template("parts.html").environment
    loaders = [_TEMPLATES, Path(str(template("parts.html").filename)).parent]
    return parts.overlay(loader=FileSystemLoader(loaders)).get_template("evaluation.html")


def _task_view(found: Evaluation, result: TaskResult, renderer: Renderer | None, budget: _Budget) -> TaskView:
    drawn = _drawn(found, result, renderer)
    groups = [
        ExamplesView(heading, model, tuple(_example(found, result, one, drawn, budget) for one in shown[model]))
        for model in result.models
        for heading, shown in (("Worst", result.worst), ("Best", result.best))
        if shown[model]
    ]
    main = METRICS.get(result.main)
    return TaskView(
        name=result.task,
        result=result,
        main_title=main.title if main else "BLEU of the row",
        overall=_overall(result),
        chart=interval_chart(result),
        compared=_compared(result) if result.compared else None,
        by_class=_by_slice(result, result.by_class, "Class") if result.by_class else None,
        by_size=_by_slice(result, result.by_size, "Size of the reference"),
        causes=_causes(result) if any(result.causes.values()) else None,
        meaning=_meaning(result) if result.meaning else None,
        examples=tuple(groups),
    )


def _overall(result: TaskResult) -> Table:
    rows = [
        (METRICS[name].title + ("" if METRICS[name].higher_is_better else " (less is better)"), *cells)
        for name in result.metrics
        if any(cells := [_told(one.scores.get(name)) for one in result.overall])
    ]
    return Table("Scores with 95 % intervals", ("Metric", *map(short, result.models)), tuple(rows))


def _by_slice(result: TaskResult, slices: Sequence[Slice], first: str) -> Table:
    """One metric of every class by model: that which rows are ranked by, or else the first that there is."""
    name = result.main if result.main in METRICS else result.metrics[0]
    by_name: dict[str, dict[str, Slice]] = {}
    for one in slices:
        by_name.setdefault(one.name, {})[one.model] = one
    rows = []
    for label, there in by_name.items():
        n = max(one.n for one in there.values())
        cells = [_told(there[model].scores.get(name)) if model in there else "–" for model in result.models]
        rows.append((short(label, 60), f"{n:,}", *cells))
    head = (first, "Samples", *map(short, result.models))
    return Table(f"{METRICS[name].title} by {first.lower()}", head, tuple(rows))


def _compared(result: TaskResult) -> Table:
    rows = [
        (
            f"{short(one.model, 40)} less {short(one.baseline, 40)}",
            METRICS[one.metric].title,
            f"{number(one.difference)} ({number(one.low)} to {number(one.high)})",
            "under 0.002" if one.p < 0.002 else number(one.p),
            f"{one.n:,}",
        )
        for one in result.compared
    ]
    head = ("Models", "Metric", "Difference", "p", "Samples")
    return Table("Models on the same samples", head, tuple(rows), n_words=2)


def _causes(result: TaskResult) -> Table:
    n = {one.model: one.n for one in result.overall}
    names = dict.fromkeys(cause for counted in result.causes.values() for cause in counted)
    rows = [
        (
            cause.replace("_", " "),
            *(f"{(k := result.causes[model].get(cause, 0)):,} ({percent(k / n[model])})" for model in result.models),
        )
        for cause in names
    ]
    return Table("Predictions by cause of error", ("Cause", *map(short, result.models)), tuple(rows))


def _meaning(result: TaskResult) -> Table:
    rows = [
        (short(model), percent(shares["compared"]), percent(shares["equal"]))
        for model, shares in result.meaning.items()
    ]
    head = ("Model", "Pairs that SymPy could compare", "Of them, same meaning")
    return Table("Meaning, by SymPy", head, tuple(rows))


def _told(found: Interval | None) -> str:
    return "" if found is None else f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


class _Budget:
    """How many bytes of pictures the page may still take."""

    def __init__(self, n_bytes: int) -> None:
        self._left = n_bytes

    def url(self, picture: bytes | None, otherwise: str) -> tuple[str, str]:
        """The picture's data URL, or an empty one and why."""
        if picture is None:
            return "", otherwise
        small = thumbnail(picture)
        if small is None:
            return "", "not a picture that can be read"
        if len(small) > self._left:
            return "", "left out: the page is full"
        self._left -= len(small)
        return data_url(small), ""


def _drawn(found: Evaluation, result: TaskResult, renderer: Renderer | None) -> dict[str, bytes | str]:
    """By markup, its picture as PNG or why there is none."""
    if result.task not in KIND_OF or renderer is None:
        return {}
    shown = [one for model in result.models for one in (*result.worst[model], *result.best[model])]
    texts = [text for one in shown for text in (found.rows[one.index].prediction, found.rows[one.index].reference)]
    try:
        return {
            text: render.png if isinstance(render, Rendered) else f"no picture: {render.reason.replace('_', ' ')}"
            for text, render in renders(result.task, texts, renderer)
        }
    except RenderingError:
        return {}


def _example(
    found: Evaluation, result: TaskResult, shown: Shown, drawn: dict[str, bytes | str], budget: _Budget
) -> ExampleView:
    row = found.rows[shown.index]
    at = [index for index, one in enumerate(found.rows) if one.task == result.task].index(shown.index)
    scores = found.scores[result.task].columns
    pictures = []
    for name, text in (("Truth, rendered", row.reference), ("Prediction, rendered", row.prediction)):
        if text in drawn:
            there = drawn[text]
            pictures.append((name, *budget.url(there if isinstance(there, bytes) else None, str(there))))
    if row.image is not None:
        pictures.append(("Picture", *budget.url(row.image, "")))
    told = [
        (METRICS[name].title, number(value))
        for name in result.metrics
        if name != result.main and (value := scores.get(name, [None] * (at + 1))[at]) is not None
    ]
    return ExampleView(
        id=row.id,
        score=number(shown.score),
        scores=tuple(told[:4]),
        pictures=tuple(pictures),
        prediction=row.prediction,
        reference=row.reference,
    )
