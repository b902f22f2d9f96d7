"""Numbers over rows as a report shows them: which measures' columns they are, their summary, their histogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from curation.report.facts import Distribution, Summary

QUANTILES: Final = {
    "min": 0.0,
    "p01": 0.01,
    "p05": 0.05,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "p99": 0.99,
    "max": 1.0,
}
N_BINS: Final = 40
LOG_FROM: Final = 200.0
"""How many times the smallest value the largest is where a histogram's bins get wider by a factor."""

DECIMALS: Final = 6

Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Numeric:
    """A column of numbers; `is_share`: between 0 and 1."""

    name: str
    title: str
    unit: str
    is_whole: bool = True
    is_share: bool = False


NUMERICS: Final = (
    Numeric("n_tokens", "Tokens of the target", "tokens"),
    Numeric("n_words", "Words", "words"),
    Numeric("n_chars", "Characters", "characters"),
    Numeric("n_nodes", "Elements or formula tokens", "nodes"),
    Numeric("depth", "Depth of the tree", "levels"),
    Numeric("width_px", "Width of the picture", "px"),
    Numeric("height_px", "Height of the picture", "px"),
    Numeric("aspect", "Width by height of the picture", "ratio", is_whole=False),
    Numeric("render_similarity", "Similarity of the re-rendered target to the picture", "score", False, True),
    Numeric("clip_cosine", "CLIP: picture and text", "cosine", is_whole=False),
    Numeric("text_recall", "Words of the target found in the picture", "share", False, True),
    Numeric("text_precision", "Words in the picture that the target has", "share", False, True),
    Numeric("bertscore_f1", "BERTScore: caption and original", "F1", is_whole=False),
)


def summary_of(values: Numbers, n_missing: int) -> Summary:
    """Mean and quantiles (interpolated linearly, as numpy's are) of at least one value; no NaN among them."""
    found = np.quantile(values.astype(np.float64), list(QUANTILES.values()))
    quantiles = {name: round(float(value), DECIMALS) for name, value in zip(QUANTILES, found, strict=True)}
    return Summary(len(values), n_missing, round(float(values.mean(dtype=np.float64)), DECIMALS), quantiles)


def distribution_of(numeric: Numeric, values: Numbers, n_missing: int) -> Distribution:
    """The histogram and summary of at least one value: at most `N_BINS` bins, of whole width for whole numbers."""
    low, high = float(values.min()), float(values.max())
    is_log = low > 0 and high >= LOG_FROM * low
    edges = _edges(numeric, low, high, is_log=is_log)
    counts, _ = np.histogram(values, edges)
    return Distribution(
        numeric.name,
        numeric.title,
        numeric.unit,
        summary_of(values, n_missing),
        tuple(round(float(edge), DECIMALS) for edge in edges),
        tuple(int(count) for count in counts),
        is_log,
    )


def _edges(numeric: Numeric, low: float, high: float, *, is_log: bool) -> Numbers:
    if numeric.is_share:
        return np.linspace(0.0, 1.0, N_BINS + 1)
    if is_log:
        last = high + 1 if numeric.is_whole else high * 1.000_001
        edges = np.geomspace(low, last, N_BINS + 1)
        return np.append(np.unique(np.floor(edges[:-1])), last) if numeric.is_whole else edges
    if numeric.is_whole:
        width = int(-(-(high - low + 1) // N_BINS))
        n_bins = int(-(-(high - low + 1) // width))
        return low + width * np.arange(n_bins + 1, dtype=np.float64)
    margin = 0.0 if high > low else max(abs(low), 1.0) * 0.01
    return np.linspace(low - margin, high + margin, N_BINS + 1)
