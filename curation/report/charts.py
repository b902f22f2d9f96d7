"""The report's charts, from facts to shapes: histogram, Lorenz curve, ranks of classes, shares with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from curation.report.axes import Axis, Scale
from curation.report.facts import ClassBalance, Distribution, Share
from curation.report.shapes import Box, Chart, Dot, Label, Line, Table
from curation.report.wording import NO_NUMBER, number, percent, rate, rows

MAX_CURVES: Final = 6
"""As many colours and dashes as there are."""

_MAX_RANKS: Final = 80
_LEGEND_STEP_PX: Final = 17.0
_ROW_PX: Final = 34
_CATEGORY_PX: Final = 130
_TICK_PX: Final = 50


@dataclass(frozen=True)
class Frame:
    """Size of a chart in px and what it leaves around its plot for ticks and titles."""

    width: int
    height: int
    left: float = 46
    right: float = 14
    top: float = 20
    bottom: float = 38

    def x_axis(self, low: float, high: float, scale: Scale = "linear", *, is_share: bool = False) -> Axis:
        """From left to right."""
        return Axis(low, high, self.left, self.width - self.right, scale, is_share)

    def y_axis(self, low: float, high: float, scale: Scale = "linear", *, is_share: bool = False) -> Axis:
        """From below to above."""
        return Axis(low, high, self.height - self.bottom, self.top, scale, is_share)


HISTOGRAM: Final = Frame(320, 172)
SQUARE: Final = Frame(280, 252, left=48, right=24)
RANKS: Final = Frame(300, 252)


@dataclass(frozen=True)
class Curve:
    """One line of a chart that may have several: a class balance and what to call it."""

    name: str
    """Empty where there is but one."""
    balance: ClassBalance

    @property
    def prefix(self) -> str:
        """What stands before a statement about it."""
        return f"{self.name}: " if self.name else ""

    @property
    def column(self) -> str:
        """The head of its column in a table."""
        return self.name or "Occurrences"


def distribution_chart(mine: Distribution, other: Distribution | None = None, frame: Frame = HISTOGRAM) -> Chart:
    """A histogram; with `other`, both as densities in one scale, so that different bins and sizes compare."""
    if other is None:
        return _histogram(mine, frame)
    return _overlaid(mine, other, frame)


def _histogram(shown: Distribution, frame: Frame) -> Chart:
    x, bins = _x_axis((shown,), frame), _bins(shown)
    y = replace(frame.y_axis(0, max((count for *_, count in bins), default=1) or 1), is_whole=True)
    boxes = []
    for low, high, count in bins:
        start, end = x.place(low), x.place(high)
        gap = min(1.0, 0.15 * (end - start))
        width = max(end - start - gap, 0.5)
        top = y.place(count)
        tip = f"{number(low)} to {number(high)}: {count:,}"
        boxes.append(Box(start, top, round(width, 1), round(y.start_px - top, 1), "a", tip))
    quantiles, lines, labels = shown.summary.quantiles, [], []
    if "p50" in quantiles:
        at = x.place(quantiles["p50"])
        lines.append(Line(f"M{at} {frame.top - 4}V{y.start_px}", "mark"))
        # Above the plot, on the side where there is more room.
        is_right = at > (frame.left + frame.width - frame.right) / 2
        label = f"median {number(quantiles['p50'])}"
        labels.append(Label(at + (-5 if is_right else 5), frame.top - 7, label, "end" if is_right else "start"))
    data = Table(
        f"{shown.title}: rows by value",
        ("From", "To", "Rows", "Share"),
        tuple(
            (number(low), number(high), f"{count:,}", percent(count / max(1, sum(shown.counts))))
            for low, high, count in bins
        ),
        n_words=0,
    )
    return _chart(frame, x, y, shown.unit, "rows", _told(shown), data, boxes=boxes, lines=lines, labels=labels)


def _overlaid(mine: Distribution, other: Distribution, frame: Frame) -> Chart:
    x = _x_axis((mine, other), frame)
    densities = [_densities(each, x) for each in (mine, other)]
    y = frame.y_axis(0, max((height for steps in densities for *_, height in steps), default=1.0) or 1.0)
    lines = []
    for style, steps in zip("ab", densities, strict=True):
        path = "".join(f"V{y.place(height)}H{end}" for _, end, height in steps)
        start = steps[0][0] if steps else x.start_px
        lines.append(Line(f"M{start} {y.start_px}{path}V{y.start_px}", f"step {style}"))
    data = Table(
        f"{mine.title}: share of rows by value",
        ("Data set", "From", "To", "Rows", "Share"),
        tuple(
            (letter, number(low), number(high), f"{count:,}", percent(count / max(1, sum(each.counts))))
            for letter, each in zip("AB", (mine, other), strict=True)
            for low, high, count in _bins(each)
        ),
    )
    text = f"A: {_told(mine)} B: {_told(other)}"
    chart = _chart(frame, x, y, mine.unit, "relative density", text, data, lines=lines)
    return _without_y_ticks(chart)


def lorenz_chart(curves: Sequence[Curve], frame: Frame = SQUARE) -> Chart:
    """Share of occurrences held by the rarest share of classes; the diagonal is what equal classes would give."""
    x, y = frame.x_axis(0, 1, is_share=True), frame.y_axis(0, 1, is_share=True)
    lines = [Line(f"M{x.start_px} {y.start_px}L{x.end_px} {y.end_px}", "even")]
    labels: list[Label] = []
    for index, curve in enumerate(curves[:MAX_CURVES]):
        points = " ".join(f"{x.place(a)} {y.place(b)}" for a, b in curve.balance.lorenz)
        lines.append(Line(f"M{points}" if points else "", f"curve s{index}"))
        lines, labels = _with_legend(
            lines, labels, index, frame.left + 8, frame.top + 14, f"{curve.prefix}Gini {number(curve.balance.gini)}"
        )
    data = Table(
        "Share of occurrences held by the rarest classes",
        ("Rarest classes", *(curve.column for curve in curves)),
        tuple(
            (percent(tenth / 10), *(percent(_lorenz_at(curve.balance, tenth / 10)) for curve in curves))
            for tenth in range(11)
        ),
    )
    text = " ".join(
        f"{curve.prefix}the rarest half of {curve.balance.n_classes:,} classes has "
        f"{percent(_lorenz_at(curve.balance, 0.5))} of the occurrences, the most frequent tenth "
        f"{percent(1 - _lorenz_at(curve.balance, 0.9))}."
        for curve in curves
    )
    return _chart(
        frame, x, y, "classes, rarest first", "", text[:1].upper() + text[1:], data, lines=lines, labels=labels
    )


def rank_chart(curves: Sequence[Curve], frame: Frame = RANKS) -> Chart:
    """How often the n-th most frequent class occurs, both axes logarithmic, with the line below which it is rare."""
    threshold = curves[0].balance.rare_threshold if curves else 1
    ranked = [_ranked(curve.balance) for curve in curves[:MAX_CURVES]]
    x = frame.x_axis(1, max((rank for points in ranked for rank, _ in points), default=1) * 1.1, "log")
    top = max((count for points in ranked for _, count in points), default=1)
    y = frame.y_axis(1, max(top, threshold, 2) * 1.2, "log")
    lines, dots, labels = [], [], []
    if threshold > 1:
        at = y.place(threshold)
        lines.append(Line(f"M{x.start_px} {at}H{x.end_px}", "even"))
        labels.append(Label(x.start_px + 4, at + 13, f"rare: under {threshold:,}", "start", "soft"))
    for index, (curve, points) in enumerate(zip(curves, ranked, strict=False)):
        dots += [Dot(x.place(rank), y.place(count), f"s{index}", index % 2 == 1) for rank, count in _thinned(points)]
        if len(curves) > 1:
            lines, labels = _with_legend(
                lines, labels, index, frame.left + 8, y.start_px - 8 - _LEGEND_STEP_PX * (len(ranked) - 1), curve.name
            )
    data = Table(
        "Occurrences by rank",
        ("Rank", *(curve.column for curve in curves)),
        tuple(
            (f"{rank:,}", *(_occurrences(points, rank) for points in ranked))
            for rank in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
            if any(rank <= curve.balance.n_classes for curve in curves)
        ),
    )
    text = " ".join(
        f"{curve.prefix}the most frequent class occurs {points[0][1]:,} times, the rarest {points[-1][1]:,}; "
        f"{curve.balance.n_rare:,} of {curve.balance.n_classes:,} classes occur under {threshold:,} times."
        for curve, points in zip(curves, ranked, strict=False)
        if points
    )
    return _chart(
        frame, x, y, "rank", "occurrences", text[:1].upper() + text[1:], data, lines=lines, dots=dots, labels=labels
    )


@dataclass(frozen=True)
class Shares:
    """What stands in one row of a chart of shares: the lighter one before or elsewhere, and the one that counts."""

    category: str
    before: Share | None
    after: Share | None


def share_chart(shown: Sequence[Shares], names: tuple[str, str], data: Table, width: int = 540) -> Chart:
    """Shares with their 95 % intervals, one below the other; `names` are those of `before` and `after`."""
    frame = Frame(width, _ROW_PX * len(shown) + 42, left=_CATEGORY_PX, top=6, bottom=36, right=18)
    shares = [share for row in shown for share in (row.before, row.after) if share is not None and share.n]
    x = frame.x_axis(0, max((share.high for share in shares), default=0.01) or 0.01, "root", is_share=True)
    y = frame.y_axis(0, 1)
    has_before = any(row.before is not None and row.before.n for row in shown)
    lines, dots, labels = [], [], []
    for index, row in enumerate(shown):
        middle = frame.top + _ROW_PX * (index + 0.5)
        labels.append(Label(frame.left - 10, middle + 4, row.category, "end"))
        for style, share, shift in (("b", row.before, -5.5), ("a", row.after, 5.5 if has_before else 0)):
            if share is None or not share.n:
                continue
            at = middle + shift
            low, high = x.place(share.low), x.place(share.high)
            lines.append(Line(f"M{low} {at - 3}v6m0 -3H{high}m0 -3v6", f"whisker {style}"))
            dots.append(Dot(x.place(share.share), at, style, style == "b"))
    text = "; ".join(
        f"{row.category}: "
        + ", ".join(
            f"{name} {rate(share)}" for name, share in zip(names, (row.before, row.after), strict=True) if share
        )
        for row in shown
    )
    return _without_y_ticks(
        _chart(
            frame,
            x,
            y,
            "share of rows with a mention (square-root scale)",
            "",
            f"{text}.",
            data,
            lines=lines,
            dots=dots,
            labels=labels,
        )
    )


def _chart(
    frame: Frame,
    x: Axis,
    y: Axis,
    x_title: str,
    y_title: str,
    text: str,
    data: Table,
    boxes: Sequence[Box] = (),
    lines: Sequence[Line] = (),
    dots: Sequence[Dot] = (),
    labels: Sequence[Label] = (),
) -> Chart:
    right, bottom = frame.width - frame.right, frame.height - frame.bottom
    return Chart(
        width=frame.width,
        height=frame.height,
        left=frame.left,
        right=right,
        top=frame.top,
        bottom=bottom,
        x_ticks=x.ticks(max(2, round((right - frame.left) / _TICK_PX))),
        y_ticks=y.ticks(4),
        x_title=x_title,
        y_title=y_title,
        text=text,
        data=data,
        boxes=tuple(boxes),
        lines=tuple(line for line in lines if line.path),
        dots=tuple(dots),
        labels=tuple(labels),
    )


def _without_y_ticks(chart: Chart) -> Chart:
    return replace(chart, y_ticks=())


def _x_axis(shown: Sequence[Distribution], frame: Frame) -> Axis:
    edges = [edge for each in shown for edge in each.edges] or [0.0, 1.0]
    low, high = min(edges), max(edges)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    is_log = any(each.log_scale for each in shown) and high > 0
    if is_log and low <= 0:
        # Zero has no logarithm: it stands one step left of the smallest edge that has one.
        low = min((edge for edge in edges if edge > 0), default=high) / 2
    is_whole = all(edge == int(edge) for edge in edges)
    return replace(frame.x_axis(low, high, "log" if is_log else "linear"), is_whole=is_whole)


def _bins(shown: Distribution) -> list[tuple[float, float, int]]:
    """Lower edge, upper edge, count. A bin without width is given some, so that one value alone is seen."""
    bins = [(low, high, count) for (low, high), count in zip(pairwise(shown.edges), shown.counts, strict=False)]
    return [(low - 0.5, high + 0.5, count) if high <= low else (low, high, count) for low, high, count in bins]


def _densities(shown: Distribution, x: Axis) -> list[tuple[float, float, float]]:
    """Start and end in px and share of the rows per px, of every bin that is a pixel's tenth wide."""
    n = max(1, sum(shown.counts))
    placed = [(x.place(low), x.place(high), count) for low, high, count in _bins(shown)]
    return [(start, end, count / n / (end - start)) for start, end, count in placed if end > start]


def _told(shown: Distribution) -> str:
    """The distribution in a sentence."""
    quantiles = shown.summary.quantiles
    parts = [f"median {number(quantiles['p50'])}"] if "p50" in quantiles else []
    parts.append(f"mean {number(shown.summary.mean)}")
    if {"p05", "p95"} <= quantiles.keys():
        parts.append(f"nine tenths of the rows from {number(quantiles['p05'])} to {number(quantiles['p95'])}")
    if {"min", "max"} <= quantiles.keys():
        parts.append(f"all from {number(quantiles['min'])} to {number(quantiles['max'])}")
    told = ", ".join(parts)
    missing = f", {shown.summary.n_missing:,} not" if shown.summary.n_missing else ""
    return f"{told[:1].upper()}{told[1:]}; {rows(shown.summary.n_measured)} measured{missing}."


def _with_legend(
    lines: list[Line], labels: list[Label], index: int, left: float, top: float, words: str
) -> tuple[list[Line], list[Label]]:
    y = top + _LEGEND_STEP_PX * index
    return [*lines, Line(f"M{left} {y - 4}h16", f"curve s{index}")], [*labels, Label(left + 22, y, words)]


def _lorenz_at(balance: ClassBalance, share: float) -> float:
    """The curve's height, linear between its points."""
    for (x_low, y_low), (x_high, y_high) in pairwise(balance.lorenz):
        if x_low <= share <= x_high:
            return y_low if x_high == x_low else y_low + (y_high - y_low) * (share - x_low) / (x_high - x_low)
    return share


def _ranked(balance: ClassBalance) -> list[tuple[int, int]]:
    """Rank and count of the classes that are named: the most frequent, and the rarest from the end."""
    counts = {rank: count for rank, (_, count) in enumerate(balance.most, 1)}
    counts |= {balance.n_classes - index: count for index, (_, count) in enumerate(balance.rare)}
    return sorted((rank, count) for rank, count in counts.items() if rank >= 1 and count >= 1)


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most `_MAX_RANKS` points, evenly in the logarithm of the rank, the first and the last among them."""
    if len(points) <= _MAX_RANKS:
        return points
    kept, last = [], 0.0
    step = (points[-1][0] / points[0][0]) ** (1 / (_MAX_RANKS - 2))
    for rank, count in points:
        if rank >= last * step:
            kept.append((rank, count))
            last = float(rank)
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _occurrences(points: list[tuple[int, int]], rank: int) -> str:
    found = dict(points).get(rank)
    return NO_NUMBER if found is None else f"{found:,}"
