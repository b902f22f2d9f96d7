"""Remote files read by ranges: exactly the bytes asked for, some of them fetched before their turn.

A cut answer is continued where it stopped. What will be read next can be told (`read_ahead`): it is then fetched by
a few threads, as far ahead as `MAX_AHEAD_BYTES` goes, and handed over when it is read. Says nothing about what is in
the files; how a store is asked for bytes is `Store`.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from curation.sources.remote import GarbledAnswerError, Patience, persistently, unreachable

Span = tuple[int, int]
"""Bytes of a file, from the first up to the second."""

N_CONNECTIONS: Final = 8
"""How many ranges are fetched ahead at a time. Readers fetch what nobody fetched for them beside these."""

MAX_AHEAD_BYTES: Final = 64 * 1024 * 1024
"""What a process holds of ranges that were fetched ahead and not read yet, all files together."""

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""Longer spans are fetched ahead in parts of this size, several at a time."""

STALE_AFTER_S: Final = 120.0
"""What nobody read for so long after it was fetched makes room for others; it would be fetched again."""

_NEAR_BYTES: Final = 4096
"""Spans as near as this are fetched in one request: a request costs more than the bytes between."""


class Store(Hashable, Protocol):
    """How one remote file is asked for its bytes: a value. Tries nothing twice; `what` names the file in messages."""

    @property
    def what(self) -> str: ...  # noqa: D102

    def size_bytes(self) -> int:
        """Size of the file."""
        ...

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, part after part. Ends early only at the file's end."""
        ...


class RangeFile(io.RawIOBase):
    """A remote file as a stream; each read fetches its own bytes, or takes those that were fetched ahead."""

    def __init__(self, path: str, store: Store, size_bytes: int | None = None) -> None:
        self._path, self._store, self._size_bytes = path, store, size_bytes
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; asks the store for the size where it is from the end and not known."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        self._position = (self._size() if start is None else start) + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left without a size."""
        end = self._size() if size is None or size < 0 else min(self._position + size, self._size())
        if end <= self._position:
            return b""
        data = _ahead().read(self._path, self._store, self._position, end)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """All that is left."""
        return self.read()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        """Fill `buffer`; how many bytes there were."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _size(self) -> int:
        if self._size_bytes is None:
            self._size_bytes = _size_of(self._store)
        return self._size_bytes


def fetch(store: Store, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`, fewer only where the file ends before; continued where an answer was cut.

    Raises:
        UnreachableError: no byte came until the deadline.
        MarkupmillError: the store says why it gives none.
    """
    parts: list[bytes] = []
    position, patience = start, Patience(store.what)
    while position < end:
        try:
            for part in store.stream(position, end):
                parts.append(part)
                position += len(part)
                patience.renew()
        except Exception as error:  # noqa: BLE001  # raised again by `wait` where it does not pass
            patience.wait(error)
        else:
            break
    return b"".join(parts)


def read_ahead(path: str, store: Store, spans: Sequence[Span]) -> None:
    """Say what of a file will be read next, in order. Spans that are on their way already are not fetched again."""
    _ahead().expect(path, store, spans)


def forget(path: str, spans: Sequence[Span]) -> None:
    """Say that these spans of a file will not be read after all."""
    _ahead().forget(path, spans)


def joined(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, those that touch or nearly touch made one."""
    out: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if out and start <= out[-1][1] + _NEAR_BYTES:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


@dataclass(eq=False)
class _Block:
    """A span on its way: waiting for a thread, being fetched, or here."""

    path: str
    store: Store
    start: int
    end: int
    is_begun: bool = False
    begun_s: float = 0.0
    data: Future[bytes] = field(default_factory=Future)

    def fetch(self) -> None:
        try:
            data = fetch(self.store, self.start, self.end)
            if len(data) < self.end - self.start:
                raise unreachable(self.store.what, GarbledAnswerError("it is shorter than it was"))
            self.data.set_result(data)
        except BaseException as error:  # noqa: BLE001  # it is the reader's, if there will be one
            self.data.set_exception(error)


class ReadAhead:
    """The spans that were told to be read next, and the threads that fetch them. Threads may share one.

    Threads are daemons: one that waits for a store that does not answer keeps no process alive.
    """

    def __init__(self, n_connections: int = N_CONNECTIONS, max_bytes: int = MAX_AHEAD_BYTES) -> None:
        self._n_connections, self.max_bytes = n_connections, max_bytes
        self._changed = threading.Condition()
        self._blocks: dict[str, list[_Block]] = {}  # by path, in the order of their positions
        self._waiting: deque[_Block] = deque()
        self._n_threads = 0
        self.n_bytes = self.peak_bytes = 0  # begun and not read yet; for this the bound is

    def expect(self, path: str, store: Store, spans: Sequence[Span]) -> None:
        """See `read_ahead`."""
        with self._changed:
            self._remove_stale()
            known = self._blocks.setdefault(path, [])
            for start, end in joined(spans):
                for part in range(start, end, BLOCK_BYTES):
                    block = _Block(path, store, part, min(part + BLOCK_BYTES, end))
                    if not any(other.start < block.end and block.start < other.end for other in known):
                        known.append(block)
                        self._waiting.append(block)
            known.sort(key=lambda block: block.start)
            if not known:
                del self._blocks[path]
            n_wanted = min(self._n_connections, len(self._waiting))
            for _ in range(n_wanted - self._n_threads):
                self._n_threads += 1
                threading.Thread(target=self._work, daemon=True, name="read ahead").start()
            self._changed.notify_all()

    def forget(self, path: str, spans: Sequence[Span]) -> None:
        """See `forget`."""
        with self._changed:
            for block in list(self._blocks.get(path, ())):
                if any(start <= block.start and block.end <= end for start, end in spans):
                    self._remove(block)

    def read(self, path: str, store: Store, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`: what is on its way is waited for, the rest fetched now."""
        parts: list[bytes] = []
        position = start
        while position < end:
            block, until = self._claim(path, position, end)
            if block is None:
                data = fetch(store, position, until)
            else:
                data = self._data(block)[position - block.start : until - block.start]
                if until == block.end:
                    self._done_with(block)
            parts.append(data)
            position += len(data)
            if position < until:  # the file ends here
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _claim(self, path: str, position: int, end: int) -> tuple[_Block | None, int]:
        """The block that holds `position`, fetched now if no thread has begun it; and where it, or a gap, ends."""
        with self._changed:
            blocks = self._blocks.get(path, ())
            block = next((block for block in blocks if block.start <= position < block.end), None)
            if block is None:
                return None, min([end, *(other.start for other in blocks if other.start > position)])
            is_mine = not block.is_begun
            if is_mine:
                self._begin(block)
        if is_mine:
            block.fetch()
        return block, min(end, block.end)

    def _data(self, block: _Block) -> bytes:
        try:
            return block.data.result()
        except BaseException:
            self._done_with(block)
            raise

    def _done_with(self, block: _Block) -> None:
        with self._changed:
            self._remove(block)

    def _begin(self, block: _Block) -> None:
        self._waiting.remove(block)
        block.is_begun, block.begun_s = True, time.monotonic()
        self.n_bytes += block.end - block.start
        self.peak_bytes = max(self.peak_bytes, self.n_bytes)

    def _remove(self, block: _Block) -> None:
        blocks = self._blocks.get(block.path, [])
        if block not in blocks:
            return
        blocks.remove(block)
        if not blocks:
            del self._blocks[block.path]
        if block.is_begun:
            self.n_bytes -= block.end - block.start
        else:
            self._waiting.remove(block)
        self._changed.notify_all()

    def _remove_stale(self) -> None:
        since_s = time.monotonic() - STALE_AFTER_S
        for block in [block for blocks in self._blocks.values() for block in blocks]:
            if block.is_begun and block.begun_s < since_s and block.data.done():
                self._remove(block)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or self.n_bytes + self._length_of_next() > self.max_bytes:
                    self._changed.wait()
                block = self._waiting[0]
                self._begin(block)
            block.fetch()

    def _length_of_next(self) -> int:
        return self._waiting[0].end - self._waiting[0].start


_of_process: dict[int, ReadAhead] = {}
_lock = threading.Lock()


def _ahead() -> ReadAhead:
    """This process's own: threads do not survive a fork."""
    with _lock:
        if os.getpid() not in _of_process:
            _of_process.clear()
            _of_process[os.getpid()] = ReadAhead()
        return _of_process[os.getpid()]


@lru_cache(maxsize=1024)
def _size_of(store: Store) -> int:
    return persistently(store.what, store.size_bytes)
