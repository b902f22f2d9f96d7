"""What a person sees while a build or a render runs: a live bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_INTERVAL_S: Final = 5.0
"""How often a log gets a line."""


class BuildProgress:
    """Counts rows as shards finish and shows them: rows a second, kept, rejected, time left.

    `kept` says what rows that are not rejected become. A live bar where `stream` is a terminal; elsewhere a line every
    `PLAIN_INTERVAL_S` and one at the end.
    """

    def __init__(self, stream: TextIO | None = None, kept: str = "in shards") -> None:
        self._kept = kept
        self.rows_in = self.rows_kept = 0
        self._rows_made = 0
        self._stream = stream or sys.stderr
        self._is_live = self._stream.isatty()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[counts]}"),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            disable=not self._is_live,
        )
        self._task = self._bar.add_task("", total=None, visible=False, counts="")
        self._source = ""
        self._started_s = self._shown_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Show what there is to show for the last time: something else is shown from here on."""
        self._bar.stop()
        if not self._is_live and self._source:
            self._print_line()
        self._source = ""

    def begin_source(self, name: str, total_rows: int | None) -> None:
        """Turn to the next source; its total is all its rows or, with a limit, those it will keep; None: not known."""
        self._source = name
        self._task = self._bar.add_task(name, total=total_rows, counts="")

    def add(self, rows_in: int, rows_kept: int, *, made_now: bool, completed_rows: int) -> None:
        """Count one shard; `completed_rows` is how far the source has come towards its total."""
        self.rows_in += rows_in
        self.rows_kept += rows_kept
        self._rows_made += rows_in if made_now else 0
        self._bar.update(self._task, completed=completed_rows, counts=self.counts())
        if not self._is_live and time.monotonic() - self._shown_s >= PLAIN_INTERVAL_S:
            self._print_line()

    def counts(self) -> str:
        """Rows so far, of all sources."""
        counts = f"{self.rows_in:,} rows, {self.rows_kept:,} {self._kept}, {self.rows_in - self.rows_kept:,} rejected"
        if self._rows_made:
            counts += f", {self._rows_made / (time.monotonic() - self._started_s):,.0f} rows/s"
        return counts

    def _print_line(self) -> None:
        self._shown_s = time.monotonic()
        task = next(task for task in self._bar.tasks if task.id == self._task)
        percentage = f"{min(100, 100 * task.completed / task.total):.0f}%" if task.total else ""
        left_s = task.time_remaining if task.total and task.completed < task.total else None
        left = f", {timedelta(seconds=round(left_s))} left" if left_s is not None else ""
        self._stream.write(f"{self._source} {percentage}: {self.counts()}{left}\n")
        self._stream.flush()


_shown: ContextVar[BuildProgress] = ContextVar("progress")


@contextmanager
def shown(progress: BuildProgress) -> Iterator[None]:
    """Make this the progress of the flow that runs in the block.

    Not a parameter of the flow: Prefect sends those to every worker process.
    """
    token = _shown.set(progress)
    try:
        yield
    finally:
        _shown.reset(token)


def shown_progress() -> BuildProgress:
    """The progress of the flow that runs."""
    return _shown.get()
