"""What a person sees while a push sends bytes: a live bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from flows.progress import PLAIN_INTERVAL_S


class PushProgress:
    """Shows bytes as they go out. Threads may call `sent` at the same time.

    `tell` is given the percentage every `PLAIN_INTERVAL_S`.
    """

    def __init__(self, name: str, tell: Callable[[float], None], stream: TextIO | None = None) -> None:
        self._name, self._tell, self._stream = name, tell, stream or sys.stderr
        self._is_live = self._stream.isatty()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            disable=not self._is_live,
        )
        self._task = self._bar.add_task(name, total=None)
        self._lock = Lock()
        self._started_s = self._shown_s = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def sent(self, n_sent: int, n_bytes: int) -> None:
        """So many bytes of at most `n_bytes` went out."""
        with self._lock:
            self._bar.update(self._task, completed=n_sent, total=n_bytes)
            now_s = time.monotonic()
            if now_s - self._shown_s < PLAIN_INTERVAL_S or not n_bytes:
                return
            self._shown_s = now_s
            self._tell(100.0 * n_sent / n_bytes)
            if not self._is_live:
                rate = size(int(n_sent / (now_s - self._started_s)))
                share = f"{n_sent / n_bytes:.0%}"
                self._stream.write(f"{self._name} {share}: {size(n_sent)} of {size(n_bytes)} sent, {rate}/s\n")
                self._stream.flush()


def size(n_bytes: int) -> str:
    """A number of bytes for a person, in powers of ten."""
    return decimal(n_bytes)
