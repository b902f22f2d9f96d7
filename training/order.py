"""The order in which a run visits rows: shuffled, friendly to row groups, and a pure function of seed and position.

Row groups come in a shuffled order, and rows are shuffled within windows of several of them. There is no state: the
row at a position is the same whoever asks, so that a run resumes at any position exactly, whatever the batch size and
the number of workers. Positions go on through the epochs, each of which has an order of its own.

With weights an epoch are as many independent draws as there are rows, with replacement, which then come in that order.

Only raw bits of numpy's PCG64 are used, whose stream numpy promises not to change, as it does not for `permutation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]

MAX_WINDOW_GROUPS: Final = 8
"""Row groups among which rows are shuffled: 800 rows of 100 in a group, which a reader holds at once."""

_GROUPS, _DRAWS, _WINDOW = range(3)  # what random bits are for: different streams of one seed


class Order:
    """Which row stands at a position.

    `group_sizes` are the numbers of rows of the row groups, in the order of the rows (an int: one group of so many);
    `weights` one number a row, whose sum need not be 1. Holds 8 bytes a group, and with weights 8 more for each row.
    """

    def __init__(
        self,
        group_sizes: Indices | int,
        seed: int,
        weights: Weights | None = None,
        window_groups: int = MAX_WINDOW_GROUPS,
    ) -> None:
        """Raises `ValueError` for sizes, weights or a window that say nothing."""
        sizes = np.atleast_1d(np.asarray(group_sizes, np.int64))
        if len(sizes) == 0 or sizes.min() < 1 or window_groups < 1:
            raise ValueError("an order needs row groups with rows, and a window of at least one")
        self._ends = np.cumsum(sizes)
        self._seed, self._window_groups = seed % 2**64, window_groups
        self._cumulative: Weights | None = None
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if weights.shape != (len(self),) or not np.isfinite(weights).all() or weights.min() < 0:
                raise ValueError(f"weights must be {len(self)} numbers, none under 0")
            if weights.sum() <= 0:
                raise ValueError("all weights are 0")
            self._cumulative = np.cumsum(weights)
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)
        self._window = lru_cache(maxsize=2)(self._make_window)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __reduce__(self) -> tuple[object, ...]:
        weights = None if self._cumulative is None else np.diff(self._cumulative, prepend=0.0)
        return Order, (np.diff(self._ends, prepend=0), self._seed, weights, self._window_groups)

    def row_at(self, position: int) -> int:
        """The row at a position of the run: position 0 begins epoch 0, position `len(order)` epoch 1."""
        if position < 0:
            raise IndexError(f"position {position}")
        number, offset = divmod(position, len(self))
        ends = self._epoch(number).window_ends
        window = int(np.searchsorted(ends, offset, side="right"))
        return int(self._window(number, window)[offset - (ends[window - 1] if window else 0)])

    def visited(self, n_positions: int) -> npt.NDArray[np.bool_]:
        """Which rows the first so many positions visit, one boolean a row."""
        seen = np.zeros(len(self), np.bool_)
        if self._cumulative is None and n_positions >= len(self):
            seen[:] = True
            return seen
        number, left = 0, n_positions
        while left > 0 and not seen.all():
            epoch = self._epoch(number)
            for window in range(len(epoch.window_ends)):
                rows = self._window(number, window)[: max(left, 0)]
                seen[rows] = True
                left -= len(rows)
            number += 1
        return seen

    def _make_epoch(self, number: int) -> _Epoch:
        starts = self._ends - np.diff(self._ends, prepend=0)
        drawn: Indices | None = None
        lows, highs = starts, self._ends
        if self._cumulative is not None:
            drawn = np.sort(self._draws(number))
            lows, highs = np.searchsorted(drawn, starts), np.searchsorted(drawn, self._ends)
        groups = _shuffled(len(self._ends), (self._seed, number, _GROUPS))
        sizes = np.cumsum((highs - lows)[groups])
        last_of_windows = np.arange(self._window_groups - 1, len(groups) + self._window_groups - 1, self._window_groups)
        return _Epoch(groups, lows, highs, drawn, sizes[np.minimum(last_of_windows, len(groups) - 1)])

    def _make_window(self, number: int, window: int) -> Indices:
        epoch = self._epoch(number)
        groups = epoch.groups[window * self._window_groups : (window + 1) * self._window_groups]
        places = np.concatenate([np.arange(epoch.lows[group], epoch.highs[group]) for group in groups])
        rows = places if epoch.drawn is None else epoch.drawn[places]
        shuffled: Indices = rows[_shuffled(len(rows), (self._seed, number, _WINDOW, window))]
        return shuffled

    def _draws(self, number: int) -> Indices:
        assert self._cumulative is not None
        # 53 bits make a float in [0, 1), as numpy's own `random` does.
        uniform = (_bits(len(self), (self._seed, number, _DRAWS)) >> np.uint64(11)) * 2.0**-53
        drawn = np.searchsorted(self._cumulative, uniform * self._cumulative[-1], side="right")
        rows: Indices = np.minimum(drawn, self._last_drawable).astype(np.int64)
        return rows

    @property
    def _last_drawable(self) -> int:
        """Rounding must not draw what lies behind the last row that has a weight."""
        assert self._cumulative is not None
        return int(np.searchsorted(self._cumulative, self._cumulative[-1], side="left"))


@dataclass(frozen=True)
class _Epoch:
    """Groups in shuffled order; each group's part of `drawn` (or of all rows); where the windows end."""

    groups: Indices
    lows: Indices
    highs: Indices
    drawn: Indices | None
    window_ends: Indices


def row_at(position: int, n_rows: int, seed: int, weights: Weights | None = None) -> int:
    """The row at a position, of rows that are not in groups. For many positions make an `Order`."""
    return Order(n_rows, seed, weights).row_at(position)


def _shuffled(n: int, stream: tuple[int, ...]) -> Indices:
    order: Indices = np.argsort(_bits(n, stream), kind="stable")
    return order


def _bits(n: int, stream: tuple[int, ...]) -> npt.NDArray[np.uint64]:
    bits: npt.NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(stream)).random_raw(n)
    return bits
