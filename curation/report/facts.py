"""What a quality report says, as plain values: made once, then told as files, as a page and to a gate.

Nothing here knows how it was found or how it is shown. Shares are 0 to 1; intervals are of 95 %. What could not be
measured is None or absent, and named in `not_measured`: no number stands in for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["good", "note", "warn", "fail"]


@dataclass(frozen=True)
class Summary:
    """A measure's values over the rows that have one."""

    n_measured: int
    n_missing: int
    mean: float
    quantiles: dict[str, float]
    """By name: min, p01, p05, p25, p50, p75, p95, p99, max."""


@dataclass(frozen=True)
class Distribution:
    """A histogram: `counts[i]` values lie in `edges[i]` to `edges[i + 1]`."""

    name: str
    """The measure's column: `n_tokens`, `clip_cosine`, ..."""
    title: str
    unit: str
    summary: Summary
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    log_scale: bool = False


@dataclass(frozen=True)
class ClassBalance:
    """How evenly one namespace of classes ("object", "tag", "cmd", ...) is spread."""

    namespace: str
    n_classes: int
    n_rows_measured: int
    n_rows_with: int
    entropy_bits: float
    gini: float
    top5_share: float
    top10_share: float
    lorenz: tuple[tuple[float, float], ...]
    """Points (share of classes, share of occurrences) from (0, 0) to (1, 1), at most 101."""
    most: tuple[tuple[str, int], ...]
    """The most frequent classes with their counts, at most 300."""
    rare: tuple[tuple[str, int], ...]
    """Classes below the threshold, rarest first, at most 300; `n_rare` counts all of them."""
    n_rare: int
    rare_threshold: int


@dataclass(frozen=True)
class Share:
    """`n_hits` of `n`, with Wilson's interval."""

    n_hits: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class BiasFinding:
    """One of the seven categories, before (`original_caption`) and after (`text`)."""

    category: str
    before: Share | None
    after: Share
    rating: str | None
    is_sure: bool
    terms: tuple[tuple[str, int], ...]
    """The most frequent terms in `text`."""
    examples: tuple[Example, ...] = ()
    """Rows with a mention that is left; `note` tells the caption before."""


@dataclass(frozen=True)
class Example:
    """A sample that is worth a look. Pictures are PNG or JPEG, made small, safe to show."""

    id: str
    task: str
    title: str
    text: str
    """The target, cut to what is shown."""
    scores: dict[str, float]
    picture: bytes | None = None
    rerendered: bytes | None = None
    difference: bytes | None = None
    note: str = ""


@dataclass(frozen=True)
class Cluster:
    """Rows that are one thing told several times; `members` are some of `n_rows`, the kept one first."""

    kind: Literal["exact", "near"]
    n_rows: int
    members: tuple[Example, ...]


@dataclass(frozen=True)
class Rejected:
    """Rows left out for one reason."""

    reason: str
    meaning: str
    n_rows: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class NotMeasured:
    """A measure that has no number, and why."""

    measure: str
    why: str


@dataclass(frozen=True)
class Check:
    """A line of a gate, and what became of it. `value` is None where nothing was measured: it has not passed then."""

    metric: str
    comparison: str
    limit: float
    value: float | None
    severity: Literal["warn", "fail"]
    passed: bool
    task: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that the reader should know first, and what to do about it."""

    severity: Severity
    what: str
    todo: str


@dataclass(frozen=True)
class TaskFacts:
    """All that is known of one task's rows."""

    task: str
    n_rows: int
    splits: dict[str, int]
    distributions: tuple[Distribution, ...]
    balances: tuple[ClassBalance, ...]
    bias: tuple[BiasFinding, ...]
    languages: dict[str, int]
    vocabulary: dict[str, float]
    """`n_words`, `n_distinct`, `entropy_bits` of the visible words."""
    worst: tuple[Example, ...]
    best: tuple[Example, ...]
    ratings: dict[str, str]
    """By measure: "good", "fair", "poor", from the thresholds of this task and model; absent where none hold."""
    shares: dict[str, Share] = field(default_factory=dict)
    """Of rows, by what is true of them: `valid`, `blank`, `cutoff`, `clip_truncated`, `mismatched` (the picture is
    another text's) and `doubted` (the target renders to something else than the picture)."""


@dataclass(frozen=True)
class ReportFacts:
    """A whole report."""

    schema_version: int
    name: str
    address: str
    """What was looked at, as the user named it, without secrets."""
    revision: str
    n_rows: int
    n_rows_in: int
    verdict: Severity
    findings: tuple[Finding, ...]
    tasks: tuple[TaskFacts, ...]
    n_exact_duplicates: int | None
    n_near_duplicates: int | None
    clusters: tuple[Cluster, ...]
    rejected: tuple[Rejected, ...]
    not_measured: tuple[NotMeasured, ...]
    checks: tuple[Check, ...] = ()
    lineage: dict[str, str] = field(default_factory=dict)
    """How it was made: sources with revision and licence, models, versions, seeds."""
