"""What a person sees while a build runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TextIO

PLAIN_INTERVAL_S: Final = 5.0
"""How often a log gets a line."""


@dataclass
class Progress:
    """Counts rows as shards finish and shows them: rows a second, kept, rejected, time left.

    `total_rows` is what all sources hold or, with limits, will keep; None while it is not known.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    rows_in: int = 0
    rows_kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    _source: str = ""
    _done: int = 0
    _total: int | None = None
    _started_s: float = field(default_factory=time.monotonic)
    _shown_s: float = 0.0
    _rows_made: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._show(last=True)

    def begin_source(self, name: str, total: int | None) -> None:
        """Turn to the next source; `total` in rows, None where it is not known."""
        self._source, self._total, self._done = name, total, 0

    def add(self, rows_in: int, rows_kept: int, rejected: tuple[tuple[str, int], ...], *, made_now: bool, towards: int) -> None:
        """Count one shard; `towards` is how far the source has come towards its total, in rows."""
        self.rows_in += rows_in
        self.rows_kept += rows_kept
        self.rejected.update(dict(rejected))
        self._rows_made += rows_in if made_now else 0
        self._done = towards
        self._show()

    def line(self) -> str:
        """The present state in one line."""
        elapsed_s = max(time.monotonic() - self._started_s, 1e-6)
        parts = [f"{self._source}:" if self._source else ""]
        if self._total:
            parts.append(f"{min(100, 100 * self._done // self._total)}%")
        parts.append(f"{self.rows_in:,} rows, {self.rows_kept:,} in shards, {self.rejected.total():,} rejected")
        if self._rows_made:
            parts.append(f"{self._rows_made / elapsed_s:,.0f} rows/s")
            if self._total and 0 < self._done < self._total:
                parts.append(f"{_clock(elapsed_s * (self._total - self._done) / self._done)} left")
        return "  ".join(part for part in parts if part)

    def _show(self, *, last: bool = False) -> None:
        now_s = time.monotonic()
        if self.stream.isatty():
            if last or now_s - self._shown_s > 0.1:
                self._shown_s = now_s
                self.stream.write(f"\r\x1b[2K{self.line()}" + ("\n" if last else ""))
                self.stream.flush()
        elif last or now_s - self._shown_s >= PLAIN_INTERVAL_S:
            self._shown_s = now_s
            self.stream.write(self.line() + "\n")
            self.stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
