r"""Formulas against formulas: exact match, canonical match, edit distance, validity.

Meaning: `training.metrics.latex_meaning`; pictures: `training.metrics.latex_pictures`; what went wrong:
`training.metrics.latex_errors`. Canonical form is the one of the data sets (`curation.markup.latex`): what shows the
same in another notation (`a\over b`, `\frac ab`) is the same, and validity is KaTeX's word on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

from curation.markup.canonical import Canonical
from curation.markup.latex import canonical_latex_batch
from curation.markup.latex_tokens import CONTROL_SPACE, SPACE, tokenize
from training.metrics.workers import Workers

MAX_CHARS: Final = 200_000
"""Of a text that has no canonical form; what follows is not compared."""


@dataclass(frozen=True)
class LatexMatch:
    """A pair's verdicts.

    `canonical_match` is None where the reference has no canonical form. `edit_distance` is in [0, 1], 0 for equal
    token lists: Levenshtein over the longer list (im2latex's "edit distance" is 1 − this, of a corpus).
    `prediction` and `reference` are the canonical forms, None where there is none.
    """

    exact_match: bool
    canonical_match: bool | None
    edit_distance: float
    valid: bool
    prediction: str | None = None
    reference: str | None = None


def latex_match(prediction: str, reference: str) -> LatexMatch:
    """Compare a formula with the true one."""
    forms = (one.text if isinstance(one, Canonical) else None for one in canonical_latex_batch([prediction, reference]))
    ours, theirs = forms
    written = [one if one is not None else text[:MAX_CHARS] for one, text in ((ours, prediction), (theirs, reference))]
    return LatexMatch(
        exact_match=prediction.strip() == reference.strip(),
        canonical_match=None if theirs is None else ours == theirs,
        edit_distance=edit_distance(*written),
        valid=ours is not None,
        prediction=ours,
        reference=theirs,
    )


def latex_match_batch(predictions: Sequence[str], references: Sequence[str], workers: Workers) -> list[LatexMatch]:
    """`latex_match` of each pair, on all cores."""
    nothing = LatexMatch(exact_match=False, canonical_match=False, edit_distance=1.0, valid=False)
    return workers.map(_of_pair, list(zip(predictions, references, strict=True)), nothing)


def edit_distance(prediction: str, reference: str) -> float:
    """Levenshtein distance of the LaTeX tokens over the longer list; 0 for two empty ones."""
    return float(Levenshtein.normalized_distance(latex_tokens(prediction), latex_tokens(reference)))


def latex_tokens(text: str) -> list[str]:
    """Tokens without white space."""
    return [token for token in tokenize(text) if token not in (SPACE, CONTROL_SPACE)]


def _of_pair(pair: tuple[str, str]) -> LatexMatch:
    return latex_match(*pair)
