"""From values to pixels: a linear, logarithmic or square-root axis with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from curation.report.wording import MINUS

Scale = Literal["linear", "log", "root"]

_ROOT_TICKS: Final = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_ROOT_TICK_PX: Final = 36


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, `at_px` from the drawing's left or top."""

    at_px: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Values `low` to `high` over the pixels `start_px` to `end_px` (a y axis starts below).

    A logarithmic axis needs `low` > 0; what is below it is placed at its start. A square-root axis is for shares of
    which some are many times the others.
    """

    low: float
    high: float
    start_px: float
    end_px: float
    scale: Scale = "linear"
    is_share: bool = False
    is_whole: bool = False
    """Whether between two whole numbers there is nothing to mark."""

    def place(self, value: float) -> float:
        """Pixels of a value, rounded to a tenth."""
        low, high, value = (self._scaled(each) for each in (self.low, self.high, value))
        along = 0.5 if high == low else min(1.0, max(0.0, (value - low) / (high - low)))
        return round(self.start_px + along * (self.end_px - self.start_px), 1)

    def ticks(self, n_wanted: int = 5) -> tuple[Tick, ...]:
        """About `n_wanted` round values with their labels."""
        if self.scale == "root":
            values = self._root_ticks()
        else:
            values = self._log_ticks(n_wanted) if self.scale == "log" else self._linear_ticks(n_wanted)
        shown = [value for value in values if not self.is_whole or abs(value - round(value)) < 1e-9]
        return tuple(Tick(self.place(value), self._label(value)) for value in shown)

    def _scaled(self, value: float) -> float:
        if self.scale == "log":
            return math.log10(max(value, self.low))
        return math.sqrt(max(value, 0.0)) if self.scale == "root" else value

    def _root_ticks(self) -> list[float]:
        kept: list[float] = []
        for value in _ROOT_TICKS:
            far = not kept or self.place(value) - self.place(kept[-1]) >= _ROOT_TICK_PX
            if self.low <= value <= self.high and far:
                kept.append(value)
        return kept

    def _linear_ticks(self, n_wanted: int) -> list[float]:
        if self.high <= self.low:
            return [self.low]
        rough = (self.high - self.low) / n_wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def _log_ticks(self, n_wanted: int) -> list[float]:
        first, last = math.log10(self.low), math.log10(self.high)
        powers = [10.0**exponent for exponent in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
        if len(powers) >= 3:
            return powers[:: -(-len(powers) // n_wanted)]
        factors = (1, 2, 5) if last - first > 0.7 else (1, 1.5, 2, 3, 4, 5, 7)
        fine = [factor * 10.0**exponent for exponent in range(math.floor(first), math.ceil(last)) for factor in factors]
        return [value for value in fine if self.low * 0.999 <= value <= self.high * 1.001] or [self.low, self.high]

    def _label(self, value: float) -> str:
        if self.is_share:
            return f"{round(100 * value, 6):g}\u00a0%"
        size = abs(value)
        for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
            if size >= unit:
                scale = 1e3 if letter == "k" else unit
                return f"{value / scale:.4g}{letter}".replace("-", MINUS)
        return f"{value:.6g}".replace("-", MINUS) if size < 1000 else f"{value:,.0f}".replace("-", MINUS)
