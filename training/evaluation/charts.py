"""The chart of an evaluation: the main metric of each model with its interval."""

from __future__ import annotations

from typing import Final

from curation.report.axes import Axis
from curation.report.shapes import Chart, Dot, Label, Line, Table
from curation.report.wording import number, short
from training.evaluation.evaluate import TaskResult
from training.evaluation.metrics import METRICS

_WIDTH: Final = 540
_LEFT: Final = 150
_ROW_PX: Final = 34
_STYLES: Final = 6


def interval_chart(result: TaskResult) -> Chart:
    """One row a model: a dot at its score and a line over its interval; from 0 to 1, or to 100 for corpus scores."""
    name = result.main if result.main in METRICS else result.metrics[0]
    found = [(one.model, one.scores[name]) for one in result.overall if name in one.scores]
    height = _ROW_PX * len(found) + 48
    top = 100.0 if METRICS[name].is_corpus else max(1.0, *(one.high for _, one in found)) if found else 1.0
    low = min([0.0, *(one.low for _, one in found)])
    x = Axis(low, top, _LEFT, _WIDTH - 18)
    lines, dots, labels = [], [], []
    for index, (model, one) in enumerate(found):
        middle = 6 + _ROW_PX * (index + 0.5)
        labels.append(Label(_LEFT - 10, middle + 4, short(model, 22), "end"))
        start, end = x.place(one.low), x.place(one.high)
        style = f"s{index % _STYLES}"
        lines.append(Line(f"M{start} {middle - 3}v6m0 -3H{end}m0 -3v6", f"whisker {style}"))
        dots.append(Dot(x.place(one.value), middle, style))
    rows = tuple(
        (short(model), *(number(value) for value in (one.value, one.low, one.high)), f"{one.n:,}")
        for model, one in found
    )
    told = "; ".join(f"{short(model)} {number(one.value)}" for model, one in found)
    return Chart(
        width=_WIDTH,
        height=height,
        left=_LEFT,
        right=_WIDTH - 18,
        top=6,
        bottom=height - 42,
        x_ticks=x.ticks(6),
        y_ticks=(),
        x_title=METRICS[name].title,
        y_title="",
        text=f"{METRICS[name].title} with 95 % intervals: {told}.",
        data=Table(METRICS[name].title, ("Model", "Score", "From", "To", "Samples"), rows),
        lines=tuple(lines),
        dots=tuple(dots),
        labels=tuple(labels),
    )
