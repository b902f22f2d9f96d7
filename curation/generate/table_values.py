"""What stands in the cells of generated tables: numbers with their spreads and units, words, row labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from curation.generate.choose import between, pick, pick_some
from curation.generate.table_subjects import FREE_TEXT, LABEL_PARTS, Measure, Subject
from curation.generate.words import LAST_NAMES, MONTHS


@dataclass(frozen=True)
class NumberStyle:
    """How one table writes numbers, the same in all its cells.

    `span` takes the two ends of a range; `spread` a value and its deviation; `share` a count and its percentage;
    `total` is the size of a whole group; `decimals` those of values without a unit.
    """

    span: str
    spread: str
    share: str
    percent: str
    total: int
    decimals: int


def draw_style(rng: Random) -> NumberStyle:
    """A style of numbers."""
    return NumberStyle(
        span=pick(rng, ("{}–{}", "{}–{}", "{}-{}", "{}, {}", "{} to {}", "({}–{})", "[{}, {}]", "({}, {})", "({}-{})")),
        spread=pick(rng, ("{} ± {}", "{} ± {}", "{}±{}", "{} ({})", "{} (± {})")),
        share=pick(rng, ("{} ({})", "{} ({})", "{} ({}%)", "{}({}%)")),
        percent=pick(rng, ("{}", "{}", "{}%")),
        total=pick(rng, (18, 36, 53, 61, 96, 120, 214, 388, 679, 1245, 4652)),
        decimals=pick(rng, (1, 1, 2, 2, 3)),
    )


ColumnWriter = Callable[[Random, NumberStyle, Sequence[Measure], Subject], list[str]]
"""The cells of one column, one for each measure given: it sets the range of a cell that has none by its kind."""


def _fixed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", "−") if value < 0 else f"{value:.{decimals}f}"


def _counts(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    return [f"{int(style.total * rng.random() ** 2):,}" for _ in measures]


def _percents(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    decimals = min(2, style.decimals)
    return [style.percent.format(_fixed(100 * rng.random() ** 2, decimals)) for _ in measures]


def _shares(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    counts = [int(style.total * rng.random() ** 2) for _ in measures]
    return [style.share.format(count, _fixed(100 * count / style.total, min(2, style.decimals))) for count in counts]


def _spreads(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    return [style.spread.format(_value(rng, m), _fixed(_deviation(rng, m), m.decimals)) for m in measures]


def _deviations(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    return [_fixed(_deviation(rng, m), max(m.decimals, style.decimals)) for m in measures]


def _quartiles(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    cells, span = [], style.span.strip("()[]")
    for m in measures:
        below, above = _deviation(rng, m), _deviation(rng, m)
        middle = m.low + below + (m.high - m.low - below - above) * rng.random()
        ends = span.format(_fixed(middle - below, m.decimals), _fixed(middle + above, m.decimals))
        cells.append(f"{_fixed(middle, m.decimals)} ({ends})")
    return cells


def _ranges(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    cells = []
    for m in measures:
        low = m.low + 0.5 * (m.high - m.low) * rng.random()
        cells.append(
            style.span.format(_fixed(low, m.decimals), _fixed(low + (m.high - low) * rng.random(), m.decimals))
        )
    return cells


def _ratios(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    d = max(2, style.decimals)
    return [_fixed(1, d) if rng.random() < 0.12 else _fixed(0.2 + 3 * rng.random() ** 2, d) for _ in measures]


def _intervals(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    d, cells = max(2, style.decimals), []
    for _ in measures:
        low = 0.1 + 1.6 * rng.random() ** 2
        cells.append(style.span.format(_fixed(low, d), _fixed(low * (1.2 + 3 * rng.random()), d)))
    return cells


def _ratios_with_intervals(
    rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject
) -> list[str]:
    d, span, cells = max(2, style.decimals), style.span.strip("()[]"), []
    for _ in measures:
        value = 0.3 + 2.5 * rng.random() ** 2
        ends = span.format(_fixed(value * (0.4 + 0.4 * rng.random()), d), _fixed(value * (1.3 + rng.random()), d))
        cells.append(f"{_fixed(value, d)} ({ends})")
    return cells


def _p_values(rng: Random, style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    smallest = pick(rng, ("&lt;0.001", "&lt; 0.001", "&lt;0.0001", "&lt;.001", "0.000"))
    decimals = max(2, style.decimals)
    return [smallest if rng.random() < 0.25 else _fixed(0.98 * rng.random() ** 2 + 0.01, decimals) for _ in measures]


def _decimals(rng: Random, _style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    return [_value(rng, m) for m in measures]


def _powers(rng: Random, _style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    if rng.random() < 0.5:
        return [f"{1 + 8.9 * rng.random():.2f}E-{between(rng, 2, 19):02d}" for _ in measures]
    return [f"{1 + 8.9 * rng.random():.1f} × 10<sup>−{between(rng, 2, 19)}</sup>" for _ in measures]


def _words(rng: Random, _style: NumberStyle, measures: Sequence[Measure], subject: Subject) -> list[str]:
    chosen = pick_some(rng, subject.words, min(len(subject.words), between(rng, 2, 4)))
    return [pick(rng, chosen) for _ in measures]


def _texts(rng: Random, _style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    texts = pick_some(rng, FREE_TEXT, len(measures))
    if rng.random() < 0.4:
        return [f"{text}; {pick(rng, FREE_TEXT).lower()}" if rng.random() < 0.6 else text for text in texts]
    return texts


def _sequences(rng: Random, _style: NumberStyle, measures: Sequence[Measure], _subject: Subject) -> list[str]:
    return ["".join(["ACGT"[int(rng.random() * 4)] for _ in range(between(rng, 18, 24))]) for _ in measures]


def _value(rng: Random, measure: Measure) -> str:
    value = measure.low + (measure.high - measure.low) * rng.random()
    return f"{int(value):,}" if measure.high >= 10_000 else _fixed(value, measure.decimals)


def _deviation(rng: Random, measure: Measure) -> float:
    """A spread that suits the measure's range."""
    return (measure.high - measure.low) / 8 * (0.2 + rng.random())


@dataclass(frozen=True)
class ColumnKind:
    """A kind of column: what it may be headed (empty: after its measure) and who writes its cells."""

    heads: tuple[str, ...]
    write: ColumnWriter


COLUMN_KINDS: Final = {
    "count": ColumnKind(("N", "n", "No.", "Number", "Total", "<i>n</i>", "No. of cases", "Frequency"), _counts),
    "percent": ColumnKind(("%", "%", "Percent", "Rate (%)", "(%)"), _percents),
    "n_pct": ColumnKind(("n (%)", "No. (%)", "N (%)", "<i>n</i> (%)", "Number (%)"), _shares),
    "mean_sd": ColumnKind(("Mean ± SD", "Mean (SD)", "Mean ± SEM", "Value"), _spreads),
    "mean": ColumnKind(("Mean", "Mean", "Average", "M"), _decimals),
    "sd": ColumnKind(("SD", "SE", "Std.", "S.D.", "SEM"), _deviations),
    "median": ColumnKind(("Median",), _decimals),
    "median_iqr": ColumnKind(("Median (IQR)", "Median (range)"), _quartiles),
    "range": ColumnKind(("Range", "Min–Max", "IQR"), _ranges),
    "ratio": ColumnKind(("OR", "HR", "Hazard ratio", "Odds ratio", "RR", "aOR"), _ratios),
    "ci": ColumnKind(("95% CI", "95% CI", "95 % CI", "(95% CI)"), _intervals),
    "ratio_ci": ColumnKind(
        ("OR (95% CI)", "HR (95% CI)", "RR (95% CI)", "Adjusted OR (95% CI)"), _ratios_with_intervals
    ),
    "p": ColumnKind(("<i>P</i> value", "<i>p</i> value", "P value", "p-value", "<i>P</i>", "<i>p</i>", "P"), _p_values),
    "decimal": ColumnKind((), _decimals),
    "sci": ColumnKind(("<i>P</i> value", "FDR", "<i>E</i> value", "q-value"), _powers),
    "word": ColumnKind(("Type", "Status", "Outcome", "Category", "Result", "Group", "Comment"), _words),
    "text": ColumnKind(("Description", "Comments", "Function", "Remarks", "Findings", "Design"), _texts),
    "sequence": ColumnKind(("Sequence (5′–3′)", "Primer sequence (5′–3′)", "Sequence (5′ to 3′)", "5′–3′"), _sequences),
}


def make_labels(rng: Random, subject: Subject, n: int) -> list[str]:
    """`n` row labels as the subject makes them up (`Subject.maker`)."""
    parts = LABEL_PARTS
    match subject.maker:
        case "gene":
            return [
                f"{pick(rng, parts['gene'])}{between(rng, 1, 29)}" + pick(rng, ("", "", "A", "B")) for _ in range(n)
            ]
        case "primer":
            ends = pick(rng, ((" sense", " antisense"), ("-F", "-R"), (" forward", " reverse"), ("_fw", "_rv")))
            return [
                gene + end
                for gene in (f"{pick(rng, parts['gene'])}{between(rng, 1, 29)}" for _ in range((n + 1) // 2))
                for end in ends
            ][:n]
        case "species":
            return [f"{pick(rng, parts['genus'])} {pick(rng, parts['epithet'])}" for _ in range(n)]
        case "patient":
            form = pick(rng, ("{}", "{}", "Patient {}", "P{}", "Case {}"))
            return [form.format(i + 1) for i in range(n)]
        case "compound" if rng.random() < 0.5:
            stem, first = pick(rng, ("", "", "C", "S", "T", "Sample ")), between(rng, 1, 9)
            return [f"{stem}{first + i}" + ("" if stem else "abcdefgh"[i % 8]) for i in range(n)]
        case "study":
            return [f"{pick(rng, LAST_NAMES)} et al. ({between(rng, 1994, 2019)})" for _ in range(n)]
        case "date":
            first = between(rng, 1, 12)
            dating = int(rng.random() * 3)
            if dating == 0:
                return [str(1984 + first + i) for i in range(n)]
            month = pick(rng, MONTHS)
            return [f"{first + i} {month}" if dating == 1 and first + i < 31 else f"Day {first + i}" for i in range(n)]
        case maker:
            return pick_some(rng, parts[maker], n)
