"""How evenly classes, words and lengths are spread over a data set: the numbers behind a report, from counts alone.

Everything streams: columns are Arrow arrays, batch after batch, and what is held is one count for each class, word or
length, and eight bytes a row where there is one number for each row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.words import words_in

RARE_THRESHOLD: Final = 50
"""Classes with fewer samples are rare: distilvit's default."""

Floats = npt.NDArray[np.float64]
Counts = Mapping[str, int]


@dataclass(frozen=True)
class ClassCounts:
    """In how many rows each class is; `n_measured` rows have a list of classes, and `n_with_class` any in it."""

    counts: Counter[str]
    n_rows: int
    n_measured: int
    n_with_class: int


@dataclass(frozen=True)
class Balance:
    """How even counts are: see the functions of the same names. All shares are 0 where nothing was counted."""

    n_classes: int
    n_occurrences: int
    entropy_bits: float
    gini: float
    top5_share: float
    top10_share: float
    n_rare: int


def count_classes(columns: Iterable[pa.Array | pa.ChunkedArray], namespace: str = "") -> ClassCounts:
    """Count the classes in columns of lists of strings, each class once a row; of one namespace ("object"), or all."""
    counts: Counter[str] = Counter()
    n_rows = n_measured = n_with_class = 0
    for chunk in _chunks(columns):
        rows, classes = _rows_and_classes(chunk, namespace)
        for entry in pc.value_counts(classes).to_pylist():
            counts[entry["values"]] += entry["counts"]
        n_rows += len(chunk)
        n_measured += len(chunk) - chunk.null_count
        n_with_class += len(np.unique(rows))
    return ClassCounts(counts, n_rows, n_measured, n_with_class)


def by_namespace(counts: Counts) -> dict[str, Counter[str]]:
    """The counts of each namespace apart: an entropy over tags and objects together says nothing."""
    apart: dict[str, Counter[str]] = {}
    for name, count in counts.items():
        apart.setdefault(name.split(":", 1)[0], Counter())[name] += count
    return dict(sorted(apart.items()))


def balance_of(counts: Counts, rare_threshold: int = RARE_THRESHOLD) -> Balance:
    """All numbers of one namespace's counts."""
    return Balance(
        n_classes=sum(count > 0 for count in counts.values()),
        n_occurrences=sum(counts.values()),
        entropy_bits=entropy_bits(counts),
        gini=gini(counts),
        top5_share=top_share(counts, 5),
        top10_share=top_share(counts, 10),
        n_rare=len(classes_below(counts, rare_threshold)),
    )


def entropy_bits(counts: Mapping[Any, int]) -> float:
    """Shannon's entropy in bits, H = -sum p log2 p with p = count / total (the maximum-likelihood estimate).

    Shannon, A Mathematical Theory of Communication, 1948. From few samples it comes out too low.
    """
    values = _positive(counts)
    if not len(values):
        return 0.0
    shares = values / values.sum()
    return max(0.0, float(-(shares * np.log2(shares)).sum()))


def gini(counts: Mapping[Any, int]) -> float:
    """The Gini coefficient of counts x_1 <= ... <= x_n: G = 2 sum(i x_i) / (n sum x) - (n + 1) / n.

    0 where all are equal, (n - 1) / n where one has everything; twice the area between the Lorenz curve and the
    diagonal (Damgaard and Weiner, Describing inequality in plant size or fecundity, Ecology 81, 2000, without their
    correction n / (n - 1)). Classes with a count of 0 take part, so that a vocabulary's unseen classes can.
    """
    values = np.sort(np.fromiter(counts.values(), np.float64, len(counts)))
    n, total = len(values), values.sum()
    if not total:
        return 0.0
    ranks = np.arange(1, n + 1)
    return max(0.0, float(2 * (ranks * values).sum() / (n * total) - (n + 1) / n))


def top_share(counts: Mapping[Any, int], k: int) -> float:
    """The share of all occurrences that the `k` most frequent classes have."""
    values = np.sort(_positive(counts))
    return float(values[-k:].sum() / values.sum()) if len(values) and k > 0 else 0.0


def lorenz_curve(counts: Mapping[Any, int], max_points: int = 500) -> list[tuple[float, float]]:
    """Points of the Lorenz curve: the share of classes, from the rarest on, and the share of occurrences they have.

    From (0, 0) to (1, 1) (Lorenz, Methods of Measuring the Concentration of Wealth, 1905); thinned out evenly to
    `max_points` where there are more classes. Only the two ends where nothing was counted.
    """
    values = np.sort(np.fromiter(counts.values(), np.float64, len(counts)))
    if not values.sum():
        return [(0.0, 0.0), (1.0, 1.0)]
    shares = np.concatenate([[0.0], np.cumsum(values) / values.sum()])
    n = len(values)
    picked = np.unique(np.linspace(0, n, min(n + 1, max_points)).round().astype(int))
    return [(float(i / n), float(shares[i])) for i in picked]


def classes_below(counts: Counts, threshold: int = RARE_THRESHOLD, known: Iterable[str] = ()) -> list[tuple[str, int]]:
    """Classes with fewer than `threshold` samples and their counts, the rarest first; those of `known` unseen too."""
    listed = {**dict.fromkeys(known, 0), **counts}
    return sorted(((name, n) for name, n in listed.items() if n < threshold), key=lambda entry: (entry[1], entry[0]))


def reweighting(
    columns: Iterable[pa.Array | pa.ChunkedArray], counts: Counts, namespace: str = ""
) -> tuple[Floats, Floats]:
    """For each row the weight and the probability to draw it with, so that rare classes come up more often.

    The weight is the mean of 1 / count over the row's classes (distilvit's rule), and the mean of all those weights
    for a row without a class, so that it is drawn as often as an average one. Probabilities are the weights over their
    sum; uniform where no row has a class. Eight bytes a row and array; 0 rows give two empty arrays.

    `counts` as `count_classes` gave them for the same columns and namespace.
    """
    parts = [_inverse_frequencies(chunk, counts, namespace) for chunk in _chunks(columns)]
    weights = np.concatenate([np.empty(0), *parts])
    missing = np.isnan(weights)
    weights[missing] = 1.0 if missing.all() else weights[~missing].mean()
    return weights, weights / weights.sum() if len(weights) else weights


def count_words(columns: Iterable[pa.Array | pa.ChunkedArray]) -> Counter[str]:
    """Words (`curation.words`) in columns of text. Its length is the vocabulary's size, `entropy_bits` its entropy."""
    counts: Counter[str] = Counter()
    for chunk in _chunks(columns):
        for text in chunk.drop_null().to_pylist():
            counts.update(words_in(text))
    return counts


def count_values(columns: Iterable[pa.Array | pa.ChunkedArray]) -> Counter[int]:
    """How often each value is in columns of integers (words, characters, tokens of a row); nulls are left out."""
    counts: Counter[int] = Counter()
    for chunk in _chunks(columns):
        for entry in pc.value_counts(chunk.drop_null()).to_pylist():
            counts[entry["values"]] += entry["counts"]
    return counts


@dataclass(frozen=True)
class Summary:
    """Of integers: `std` is the population's, quantiles are interpolated linearly as numpy's are."""

    n: int
    mean: float
    std: float
    low: int
    p05: float
    median: float
    p95: float
    high: int


def summary_of(counts: Mapping[int, int]) -> Summary | None:
    """Mean, spread and quantiles of counted integers; None where there are none."""
    values, numbers = _sorted(counts)
    n = int(numbers.sum())
    if not n:
        return None
    mean = float((values * numbers).sum() / n)
    std = float(np.sqrt((numbers * (values - mean) ** 2).sum() / n))
    p05, median, p95 = (_quantile(values, numbers, share) for share in (0.05, 0.5, 0.95))
    return Summary(n, mean, std, int(values[0]), p05, median, p95, int(values[-1]))


def histogram(counts: Mapping[int, int], max_bins: int = 50) -> list[tuple[int, int, int]]:
    """Bins of equal width over counted integers: first and last value in the bin (both included), how many.

    As many bins of the least whole width as need be, so that no bin holds more different values than another.
    """
    values, numbers = _sorted(counts)
    if not len(values):
        return []
    low, high = int(values[0]), int(values[-1])
    width = -(-(high - low + 1) // max_bins)
    totals = np.bincount((values - low).astype(int) // width, weights=numbers)
    return [(low + i * width, low + (i + 1) * width - 1, int(total)) for i, total in enumerate(totals)]


def _quantile(values: Floats, numbers: Floats, share: float) -> float:
    position = share * (numbers.sum() - 1)
    ends = np.cumsum(numbers)  # how many are at or below each value
    below, above = (float(values[np.searchsorted(ends, rank, side="right")]) for rank in _neighbours(position))
    return below + float(position - np.floor(position)) * (above - below)


def _neighbours(position: float) -> tuple[float, float]:
    return float(np.floor(position)), float(np.ceil(position))


def _sorted(counts: Mapping[int, int]) -> tuple[Floats, Floats]:
    entries = sorted(entry for entry in counts.items() if entry[1] > 0)
    return np.array([value for value, _ in entries], float), np.array([number for _, number in entries], float)


def _positive(counts: Mapping[Any, int]) -> Floats:
    values = np.fromiter(counts.values(), np.float64, len(counts))
    return values[values > 0]


def _inverse_frequencies(chunk: pa.Array, counts: Counts, namespace: str) -> Floats:
    """Each row's mean of 1 / count over its classes; NaN for a row without one."""
    rows, classes = _rows_and_classes(chunk, namespace)
    encoded = classes.dictionary_encode()
    inverse = np.array([1.0 / counts[name] for name in encoded.dictionary.to_pylist()])
    sums = np.bincount(rows, weights=inverse[encoded.indices.to_numpy()] if len(rows) else None, minlength=len(chunk))
    numbers = np.bincount(rows, minlength=len(chunk)).astype(float)
    means: Floats = np.divide(sums, numbers, out=np.full(len(chunk), np.nan), where=numbers > 0)
    return means


def _rows_and_classes(chunk: pa.Array, namespace: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """The classes of all rows one after another, and the row that each is in."""
    rows, classes = pc.list_parent_indices(chunk), chunk.flatten()
    if namespace:
        is_wanted = pc.starts_with(classes, f"{namespace}:")
        rows, classes = rows.filter(is_wanted), classes.filter(is_wanted)
    return rows.to_numpy(zero_copy_only=False).astype(np.int64), classes


def _chunks(columns: Iterable[pa.Array | pa.ChunkedArray]) -> Iterable[pa.Array]:
    for column in columns:
        yield from column.chunks if isinstance(column, pa.ChunkedArray) else [column]
