"""Which metrics a task has, what they are called, and which way is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from curation.errors import BadInputError
from curation.sample import Task


@dataclass(frozen=True)
class Metric:
    """A column of scores, or a score of the corpus (`is_corpus`: BLEU is no mean of rows)."""

    name: str
    group: str
    """What it is asked for by: metrics of one group are made together."""
    title: str
    is_corpus: bool = False
    higher_is_better: bool = True


_ALL: Final = (
    Metric("teds", "teds", "TEDS"),
    Metric("teds_s", "teds", "TEDS-S"),
    Metric("html_similarity_mended", "html_similarity", "HTML similarity, mended"),
    Metric("html_similarity_published", "html_similarity", "HTML similarity, as published"),
    Metric("html_similarity_worked", "html_similarity", "HTML similarity, as its worked examples"),
    Metric("html_similarity_worked_mended", "html_similarity", "HTML similarity, worked examples mended"),
    Metric("design2code", "design2code", "Design2Code"),
    Metric("design2code_blocks", "design2code", "Design2Code without CLIP"),
    Metric("design2code_size", "design2code", "Design2Code: size of matched blocks"),
    Metric("design2code_text", "design2code", "Design2Code: text"),
    Metric("design2code_position", "design2code", "Design2Code: position"),
    Metric("design2code_color", "design2code", "Design2Code: colour"),
    Metric("design2code_clip", "design2code", "Design2Code: CLIP"),
    Metric("dom_accuracy", "dom", "DOM-node accuracy"),
    Metric("dom_recall", "dom", "DOM-node recall"),
    Metric("picture_match", "pictures", "Same picture"),
    Metric("picture_similarity", "pictures", "Likeness of the pictures"),
    Metric("canonical_match", "latex", "Canonical match"),
    Metric("exact_match", "latex", "Exact match"),
    Metric("edit_distance", "latex", "Edit distance of tokens", higher_is_better=False),
    Metric("valid", "latex", "Valid LaTeX"),
    Metric("same_meaning", "meaning", "Same meaning, where SymPy reads it"),
    Metric("bertscore_f1", "bertscore", "BERTScore F1"),
    Metric("clipscore", "clipscore", "CLIPScore"),
    Metric("bleu", "bleu", "Corpus BLEU", is_corpus=True),
    Metric("chrf", "chrf", "Corpus chrF", is_corpus=True),
)
METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}

GROUPS_OF: Final[dict[Task, tuple[str, ...]]] = {
    "page_to_html": ("design2code", "dom", "bleu", "chrf"),
    "table_to_html": ("teds", "html_similarity", "dom", "bleu", "chrf"),
    "formula_to_latex": ("latex", "meaning", "pictures", "bleu", "chrf"),
    "image_to_caption": ("bertscore", "clipscore", "bleu", "chrf"),
    "image_chat": ("bertscore", "bleu", "chrf"),
}
"""What each task is scored by, the most telling first."""

MAIN_OF: Final[dict[Task, tuple[str, ...]]] = {
    "page_to_html": ("design2code", "design2code_blocks", "dom_accuracy", "bleu_of_row"),
    "table_to_html": ("teds", "html_similarity_mended", "dom_accuracy", "bleu_of_row"),
    "formula_to_latex": ("picture_similarity", "edit_distance", "bleu_of_row"),
    "image_to_caption": ("bertscore_f1", "clipscore", "bleu_of_row"),
    "image_chat": ("bertscore_f1", "bleu_of_row"),
}
"""What rows are ranked by: the first of these that was measured."""

GROUPS: Final = tuple(dict.fromkeys(metric.group for metric in _ALL))


def groups_of(task: Task, asked: Sequence[str]) -> tuple[str, ...]:
    """The groups that are made for a task: all that it has, or those of them that are asked for.

    Raises `BadInputError` for a name that no group has.
    """
    if unknown := [name for name in asked if name not in GROUPS]:
        raise BadInputError(f"There is no metric {unknown[0]!r}", f"There are: {', '.join(GROUPS)}")
    return tuple(group for group in GROUPS_OF[task] if not asked or group in asked)


def is_better(name: str, value: float, other: float) -> bool:
    """Whether `value` of a metric is better than `other`."""
    metric = METRICS.get(name)
    return value > other if metric is None or metric.higher_is_better else value < other
