"""Rows of one task, scored by every metric that the task has: columns of scores, and what corpus scores are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from curation.bert_model import BertModel
from curation.clip_model import ClipModel
from curation.sample import Task
from rendering.errors import RenderingError
from rendering.pixels import ImageFault, decode_rgb
from rendering.renderer import Renderer
from rendering.result import Rendered
from training.evaluation.intervals import Score, mean_of
from training.evaluation.metrics import METRICS, groups_of
from training.evaluation.pictures import renders
from training.evaluation.predictions import Prediction
from training.metrics.design2code import NOTHING as NO_PAGE
from training.metrics.design2code import Block, Design2Code, design2code_of_pair, text_blocks, without_text
from training.metrics.dom import dom_match_batch
from training.metrics.embeddings import bert_scores, clip_scores
from training.metrics.html_similarity import as_columns, html_similarity_batch
from training.metrics.latex import latex_match_batch
from training.metrics.latex_errors import Cause, latex_causes
from training.metrics.latex_meaning import Meaning, meanings
from training.metrics.latex_pictures import PictureMatch, picture_matches
from training.metrics.teds import as_document, teds_batch
from training.metrics.text import Counts, TextMetric, counts, sentence_bleu
from training.metrics.workers import Workers

ROW_BLEU: Final = "bleu_of_row"
"""A column that rows are ranked by where nothing better is there; its mean says nothing and is not reported."""
_PICTURES: Final = 64

Column = list[float | None]


@dataclass(frozen=True)
class Tools:
    """What metrics work with; a metric whose tool is None is not measured, and said so."""

    workers: Workers
    renderer: Renderer | None = None
    clip: ClipModel | None = None
    bert: BertModel | None = None


@dataclass
class TaskScores:
    """Scores of a task's rows, in their order. Columns have one value or None a row."""

    columns: dict[str, Column] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    causes: list[tuple[Cause, ...]] | None = None
    meanings: list[Meaning] | None = None
    not_measured: dict[str, str] = field(default_factory=dict)
    """By metric group, why."""


def score_task(task: Task, rows: Sequence[Prediction], asked: Sequence[str], tools: Tools) -> TaskScores:
    """Score the rows of a task (of all models together) by the groups of metrics `asked` for, or all that it has."""
    scores = TaskScores()
    for group in groups_of(task, asked):
        _SCORERS[group](task, rows, tools, scores)
    scores.columns[ROW_BLEU] = list(tools.workers.map(_row_bleu, _pairs(rows), 0.0))
    return scores


def _text(metric: TextMetric) -> Callable[[Task, Sequence[Prediction], Tools, TaskScores], None]:
    def score(task: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:  # noqa: ARG001 - all scorers have these
        scores.counts[metric] = counts(metric, *_sides(rows), workers=tools.workers)

    return score


def _teds(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    predictions, references = ([as_document(text) for text in side] for side in _sides(rows))
    scores.columns["teds"] = list(teds_batch(predictions, references, tools.workers))
    scores.columns["teds_s"] = list(teds_batch(predictions, references, tools.workers, structure_only=True))


def _html_similarity(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    found = [as_columns(one) for one in html_similarity_batch(*_sides(rows), tools.workers)]
    for name in found[0]:
        scores.columns[name] = [one[name] for one in found]


def _dom(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    found = dom_match_batch(*_sides(rows), tools.workers)
    scores.columns["dom_accuracy"] = [one.accuracy for one in found]
    scores.columns["dom_recall"] = [one.recall for one in found]


def _latex(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    found = latex_match_batch(*_sides(rows), tools.workers)
    scores.columns["exact_match"] = [float(one.exact_match) for one in found]
    scores.columns["canonical_match"] = [
        None if one.canonical_match is None else float(one.canonical_match) for one in found
    ]
    scores.columns["edit_distance"] = [one.edit_distance for one in found]
    scores.columns["valid"] = [float(one.valid) for one in found]
    unknown: tuple[Cause, ...] = ()
    scores.causes = tools.workers.map(_causes, _pairs(rows), unknown)


def _meaning(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    scores.meanings = meanings(*_sides(rows), tools.workers)
    worth: dict[Meaning, float] = {"equal": 1.0, "different": 0.0, "prediction_not_read": 0.0}
    scores.columns["same_meaning"] = [worth.get(one) for one in scores.meanings]


def _formula_pictures(task: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    if tools.renderer is None:
        scores.not_measured["pictures"] = "rendering is switched off"
        return
    found: list[PictureMatch | None] = []
    try:
        for start in range(0, len(rows), _PICTURES):  # with their pairs, so that few pictures are held
            part = rows[start : start + _PICTURES]
            drawn = dict(
                renders(task, [text for row in part for text in (row.prediction, row.reference)], tools.renderer)
            )
            ours, theirs = ([drawn[text] for text in side] for side in _sides(part))
            found += picture_matches(ours, theirs, tools.workers)
    except RenderingError as error:
        scores.not_measured["pictures"] = str(error)
        return
    scores.columns["picture_match"] = [None if one is None else float(one.match) for one in found]
    scores.columns["picture_similarity"] = [None if one is None else one.similarity for one in found]


def _design2code(task: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    if tools.renderer is None:
        scores.not_measured["design2code"] = "rendering is switched off"
        return
    blocks: dict[str, list[Block]] = {}
    seen: dict[str, Any] = {}
    try:
        for text, render in renders(
            task, [text for row in rows for text in (row.reference, row.prediction)], tools.renderer
        ):
            if isinstance(render, Rendered):
                blocks[text] = text_blocks(render)
                if tools.clip is not None:
                    seen[text] = _embedding(tools.clip, render, blocks[text])
    except RenderingError as error:
        scores.not_measured["design2code"] = str(error)
        return
    both = [index for index, row in enumerate(rows) if row.prediction in blocks and row.reference in blocks]
    pairs = [(blocks[rows[index].prediction], blocks[rows[index].reference]) for index in both]
    # A reference without a picture says nothing of the prediction.
    found: list[Design2Code | None] = [NO_PAGE if row.reference in blocks else None for row in rows]
    for index, one in zip(both, tools.workers.map(design2code_of_pair, pairs, NO_PAGE), strict=True):
        if tools.clip is not None:
            row = rows[index]
            one = one.with_clip(float(seen[row.prediction] @ seen[row.reference]))  # noqa: PLW2901 - the same, completed
        found[index] = one
    if tools.clip is None:
        scores.not_measured["design2code"] = "its CLIP part and so its score: no CLIP model was named"
    for part in ("size", "text", "position", "color", *(("clip",) if tools.clip is not None else ())):
        scores.columns[f"design2code_{part}"] = [None if one is None else getattr(one, part) for one in found]
    scores.columns["design2code_blocks"] = [None if one is None else one.blocks for one in found]
    if tools.clip is not None:
        scores.columns["design2code"] = [None if one is None else one.score for one in found]


def _embedding(clip: ClipModel, render: Rendered, blocks: Sequence[Block]) -> Any:
    return clip.embed_pictures([clip.prepared(without_text(render, blocks))])[0]


def _bertscore(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    if tools.bert is None:
        scores.not_measured["bertscore"] = "no encoder was named"
        return
    found = bert_scores(*_sides(rows), tools.bert)
    scores.columns["bertscore_f1"] = [None if one is None else one.f1 for one in found]


def _clipscore(_: Task, rows: Sequence[Prediction], tools: Tools, scores: TaskScores) -> None:
    if tools.clip is None:
        scores.not_measured["clipscore"] = "no CLIP model was named"
        return
    column: Column = [None] * len(rows)
    for start in range(0, len(rows), _PICTURES):
        decoded = {index: decode_rgb(rows[index].image) for index in range(start, min(start + _PICTURES, len(rows)))}
        there = {index: picture for index, picture in decoded.items() if not isinstance(picture, ImageFault)}
        found = clip_scores(list(there.values()), [rows[index].prediction for index in there], tools.clip)
        for index, score in zip(there, found, strict=True):
            column[index] = score
    if any(value is not None for value in column):
        scores.columns["clipscore"] = column
    else:
        scores.not_measured["clipscore"] = "no row has a picture that can be read"


_SCORERS: Final[dict[str, Callable[[Task, Sequence[Prediction], Tools, TaskScores], None]]] = {
    "bleu": _text("bleu"),
    "chrf": _text("chrf"),
    "teds": _teds,
    "html_similarity": _html_similarity,
    "dom": _dom,
    "latex": _latex,
    "meaning": _meaning,
    "pictures": _formula_pictures,
    "design2code": _design2code,
    "bertscore": _bertscore,
    "clipscore": _clipscore,
}


def reported(scores: TaskScores) -> list[str]:
    """Names of the metrics that were measured, in the order of `METRICS`."""
    return [name for name in METRICS if name in scores.columns or name in scores.counts]


def score_of(scores: TaskScores, name: str, rows: Sequence[int]) -> tuple[Score, int]:
    """A metric over some of the rows as a function of how often each is drawn, and how many of them have a value."""
    if name in scores.counts:
        every = scores.counts[name]
        return Counts(every.metric, every.tokenize, every.rows[list(rows)], every.signature).scores, len(rows)
    values = [scores.columns[name][row] for row in rows]
    return mean_of(values), sum(value is not None for value in values)


def _sides(rows: Iterable[Prediction]) -> tuple[list[str], list[str]]:
    pairs = _pairs(rows)
    return [prediction for prediction, _ in pairs], [reference for _, reference in pairs]


def _pairs(rows: Iterable[Prediction]) -> list[tuple[str, str]]:
    return [(row.prediction, row.reference) for row in rows]


def _row_bleu(pair: tuple[str, str]) -> float:
    return sentence_bleu(*pair)


def _causes(pair: tuple[str, str]) -> tuple[Cause, ...]:
    return latex_causes(*pair)
