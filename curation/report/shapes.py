"""What the templates draw: a chart as shapes in pixels, and a table as cells. No number is computed in a template."""

from __future__ import annotations

from dataclasses import dataclass

from curation.report.axes import Tick
from curation.report.facts import Severity


@dataclass(frozen=True)
class Tag:
    """A word with the colour of its meaning; the word alone says it too."""

    severity: Severity
    word: str


@dataclass(frozen=True)
class Bar:
    """A bar in a cell, `share` of the cell's width. It repeats a number of its row and is hidden from readers."""

    share: float


Cell = str | Tag | Bar


@dataclass(frozen=True)
class Table:
    """A table whose first column names its row. The `n_words` first columns are words; others are numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_words: int = 1


@dataclass(frozen=True)
class Box:
    """A filled rectangle; `tip` is what a pointer is told."""

    x: float
    y: float
    width: float
    height: float
    style: str
    tip: str = ""


@dataclass(frozen=True)
class Line:
    """A path, as SVG has it."""

    path: str
    style: str


@dataclass(frozen=True)
class Dot:
    """A point: round, or square for what is compared with."""

    x: float
    y: float
    style: str
    is_square: bool = False


@dataclass(frozen=True)
class Label:
    """Words in a chart."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    style: str = "words"


@dataclass(frozen=True)
class Chart:
    """A drawing of `width` x `height` px; `text` says what it shows to who does not see it, `data` has its numbers."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    text: str
    data: Table
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    labels: tuple[Label, ...] = ()
