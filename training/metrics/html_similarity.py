"""HTML similarity of tables: the table seed's measure as it is published, as its worked examples have it, and mended.

The seed (JulioSanchezD/TableVision2html) fine-tunes Granite-Vision for PubTabNet-HTML. Its parts: style (niteru's
Jaccard index of CSS classes), structure (niteru's difflib ratio of start tags), content (1 − Levenshtein over the
longer of the tables' texts) and tokens (Jaccard index of the words).

| function | weights of style, structure, content, tokens | |
|---|---|---|
| `published` | 0.10 0.40 0.30 0.20 | the tokens' term is coded as a *distance*: a perfect prediction scores 0.80 |
| `worked` | 0.10 0.50 0.40 | what its worked examples compute with: 0.3619 from (1, 0.4091, 0.1434) |
| `mended` | 0.10 0.40 0.30 0.20 | tokens as a similarity, no autojunk, style left out where there are no classes |
| `worked_mended` | 0.10 0.50 0.40 | no autojunk, style left out where there are no classes |

Values are only compared under one of these names. Style is 1 for every pair of tables without classes, which is why
the mended ones leave it out there and share its weight among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

from training.metrics.html_text import first_table, is_bounded, read_tags, table_text
from training.metrics.matching import ratio
from training.metrics.workers import Workers

PUBLISHED_WEIGHTS: Final = (0.10, 0.40, 0.30, 0.20)
WORKED_WEIGHTS: Final = (0.10, 0.50, 0.40)
_EPSILON: Final = 1e-10
"""The seed's, against division by zero."""


@dataclass(frozen=True)
class Parts:
    """What the scores are made of, each in [0, 1]. `style` is None where neither table names a class."""

    style: float | None
    structure: float
    structure_autojunk: float
    """As niteru has it."""
    content: float
    tokens: float
    """Jaccard index of the words; 1 where neither has any."""


@dataclass(frozen=True)
class HtmlSimilarity:
    """The four scores of a pair, by the names of the module's table."""

    published: float
    worked: float
    mended: float
    worked_mended: float


NOTHING: Final = HtmlSimilarity(0.0, 0.0, 0.0, 0.0)


def html_similarity(prediction: str, reference: str) -> HtmlSimilarity:
    """All four scores; 0 where one side has no tag, or is over a cap."""
    parts = similarity_parts(prediction, reference)
    if parts is None:
        return NOTHING
    style = 1.0 if parts.style is None else parts.style
    return HtmlSimilarity(
        published=published_score(style, parts.structure_autojunk, parts.content, parts.tokens),
        worked=worked_score(style, parts.structure_autojunk, parts.content),
        mended=_weighted(PUBLISHED_WEIGHTS, (parts.style, parts.structure, parts.content, parts.tokens)),
        worked_mended=_weighted(WORKED_WEIGHTS, (parts.style, parts.structure, parts.content)),
    )


def html_similarity_batch(
    predictions: Sequence[str], references: Sequence[str], workers: Workers
) -> list[HtmlSimilarity]:
    """`html_similarity` of each pair, on all cores."""
    return workers.map(_of_pair, list(zip(predictions, references, strict=True)), NOTHING)


def similarity_parts(prediction: str, reference: str) -> Parts | None:
    """The parts; None where one side has no tag at all (niteru: no HTML), or is over a cap."""
    ours, theirs = first_table(prediction), first_table(reference)
    if not is_bounded(ours) or not is_bounded(theirs):
        return None
    tags, true_tags = read_tags(ours), read_tags(theirs)
    if not tags.tags or not true_tags.tags:
        return None
    mended, published = (ratio(tags.tags, true_tags.tags, autojunk=autojunk) for autojunk in (False, True))
    text, true_text = table_text(ours), table_text(theirs)
    return Parts(
        style=_jaccard(tags.classes, true_tags.classes) if tags.classes | true_tags.classes else None,
        structure=mended or 0.0,
        structure_autojunk=published or 0.0,
        content=1.0 - Levenshtein.distance(text, true_text) / max(len(text), len(true_text) + _EPSILON),
        tokens=_jaccard(frozenset(text.split()), frozenset(true_text.split())),
    )


def published_score(style: float, structure: float, content: float, tokens: float) -> float:
    """The seed's code, whose last term is 1 − Jaccard: a distance, added as if it were a similarity."""
    terms = (style, structure, content, 1.0 - (tokens + _EPSILON))
    return max(0.0, min(1.0, sum(weight * term for weight, term in zip(PUBLISHED_WEIGHTS, terms, strict=True))))


def worked_score(style: float, structure: float, content: float) -> float:
    """What the seed's worked examples compute: 0.10 style + 0.50 structure + 0.40 content."""
    return sum(weight * term for weight, term in zip(WORKED_WEIGHTS, (style, structure, content), strict=True))


def _weighted(weights: Sequence[float], terms: Sequence[float | None]) -> float:
    """The weighted mean of the terms that there are."""
    there = [(weight, term) for weight, term in zip(weights, terms, strict=True) if term is not None]
    return sum(weight * term for weight, term in there) / sum(weight for weight, _ in there)


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    union = first | second
    return len(first & second) / len(union) if union else 1.0


def _of_pair(pair: tuple[str, str]) -> HtmlSimilarity:
    return html_similarity(*pair)


def as_columns(found: HtmlSimilarity) -> dict[str, float]:
    """The scores by the names that tables and files use."""
    return {f"html_similarity_{name}": score for name, score in asdict(found).items()}
