"""SHA-256 of a file while it is written: a thread reads behind the writer, what it reads is still in memory.

The writer may be anything that appends to the file, native code, too: nothing of what it writes passes through Python.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 20
_SYNC_BYTES: Final = 64_000_000
"""So many bytes are sent to the disk at a time, so that little is left to wait for at the end."""


class HashBehind:
    """Hashes the file at `path` up to where it is told that it is written; with `sync` it is on the disk at its end."""

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self._file = path.open("rb", buffering=0)
        self._is_synced = sync
        self._sha256 = hashlib.sha256()
        self._chunk = bytearray(_CHUNK_BYTES)
        self._done = self._synced = 0
        self._thread = ThreadPoolExecutor(1, "hash-behind")
        self._jobs: deque[Future[None]] = deque()

    def reached(self, n_bytes: int) -> None:
        """Say that the first `n_bytes` of the file are written, and stay. Raises what went wrong before."""
        while self._jobs and self._jobs[0].done():
            self._jobs.popleft().result()
        self._jobs.append(self._thread.submit(self._go_on, n_bytes))

    def finish(self, n_bytes: int) -> Future[str]:
        """The hash of the whole file, of this size, when it is there: nothing is written to it any more."""
        end = self._thread.submit(self._end, n_bytes)
        self._thread.shutdown(wait=False)
        return end

    def abandon(self) -> None:
        """Leave the file as it is."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._file.close()

    def _go_on(self, n_bytes: int) -> None:
        with memoryview(self._chunk) as room:
            while self._done < n_bytes:
                n_read = self._file.readinto(room[: min(_CHUNK_BYTES, n_bytes - self._done)])
                if not n_read:
                    raise OSError(f"{self._file.name} ends at {self._done} of {n_bytes} bytes")
                self._sha256.update(room[:n_read])
                self._done += n_read
        if self._is_synced and self._done - self._synced >= _SYNC_BYTES:
            self._sync()

    def _end(self, n_bytes: int) -> str:
        with self._file:
            for job in self._jobs:
                job.result()
            self._go_on(n_bytes)
            if self._is_synced:
                self._sync()
        return self._sha256.hexdigest()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = self._done
