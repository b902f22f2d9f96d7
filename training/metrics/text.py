"""Corpus BLEU and chrF, by sacrebleu and with its signature: of completions alone, never of a prompt with its answer.

The tokenizer moves BLEU from 89 to 47 on the same markup, so a score without its signature says nothing. To be bounded
for intervals, a corpus score is the score of summed counts (`Counts`), one row of counts for each pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from training.metrics.workers import Workers

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

TextMetric = Literal["bleu", "chrf"]

MAX_CHARS: Final = 100_000
"""Of a text; what follows is not counted (chrF takes 0.2 s for so much). The longest real page has half of it."""
_FEW: Final = 64


@dataclass(frozen=True)
class CorpusScore:
    """A score of 0 to 100 and sacrebleu's signature of how it was made."""

    score: float
    signature: str


@dataclass(frozen=True)
class Counts:
    """What a corpus score is made of: one row of n-gram counts for each pair, shape (pairs, counts)."""

    metric: TextMetric
    tokenize: str
    rows: npt.NDArray[np.float64]
    signature: str

    def score(self) -> float:
        """The corpus score."""
        return float(self.scores(np.ones((1, len(self.rows))))[0]) if len(self.rows) else 0.0

    def scores(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Scores of corpora in which each pair is as often as a row of `weights` says, shape (corpora, pairs)."""
        return np.array([self._of_sums(summed) for summed in weights @ self.rows])

    def _of_sums(self, summed: npt.NDArray[np.float64]) -> float:
        found = _metric(self.metric, self.tokenize)._compute_score_from_stats(summed.astype(np.int64).tolist())  # noqa: SLF001 - sacrebleu's own bootstrap goes this way
        return float(found.score)


def corpus_bleu(predictions: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> CorpusScore:
    """BLEU-4 of a corpus (Papineni et al., 2002), sacrebleu's `exp` smoothing."""
    found = counts("bleu", predictions, references, tokenize)
    return CorpusScore(found.score(), found.signature)


def corpus_chrf(predictions: Sequence[str], references: Sequence[str]) -> CorpusScore:
    """chrF2 of a corpus (Popović, 2015): characters up to 6-grams, no words, recall twice as important."""
    found = counts("chrf", predictions, references)
    return CorpusScore(found.score(), found.signature)


def counts(
    metric: TextMetric,
    predictions: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    workers: Workers | None = None,
) -> Counts:
    """The counts of each pair. `workers` are used for more than a few pairs."""
    pairs = [(prediction[:MAX_CHARS], one[:MAX_CHARS]) for prediction, one in zip(predictions, references, strict=True)]
    count = partial(_counts_of, metric, tokenize)
    if workers is None or len(pairs) < _FEW:
        found: list[list[int]] = [count(pair) for pair in pairs]
    else:
        nothing = _counts_of(metric, tokenize, ("", ""))
        found = workers.map(count, pairs, nothing)
    rows = np.array(found, dtype=np.float64) if found else np.zeros((0, 0))
    scorer = _metric(metric, tokenize)
    scorer.num_refs = 1  # the signature tells it, and it is only known to a scorer that has scored
    return Counts(metric, tokenize, rows, str(scorer.get_signature()))


def sentence_bleu(prediction: str, reference: str, tokenize: str = "13a") -> float:
    """BLEU of one pair alone with n-grams no longer than the text (for ranking rows, not for reporting)."""
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - half a second

    scorer = BLEU(tokenize=tokenize, effective_order=True)
    return float(scorer.sentence_score(prediction[:MAX_CHARS], [reference[:MAX_CHARS]]).score)


def _counts_of(metric: TextMetric, tokenize: str, pair: tuple[str, str]) -> list[int]:
    prediction, reference = pair
    scorer = _metric(metric, tokenize)
    [found] = scorer._extract_corpus_statistics([prediction], [[reference]])  # noqa: SLF001 - as in `score`
    return [int(count) for count in found]


@lru_cache(maxsize=8)
def _metric(metric: TextMetric, tokenize: str) -> Metric:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - half a second
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415 - as above

    return BLEU(tokenize=tokenize, force=True) if metric == "bleu" else CHRF()
