"""A function over many items on all cores, in processes that are ended when an item takes too long or kills them.

`concurrent.futures` cannot end a task that hangs in C code; here each worker answers item by item, so that one item
costs its own time limit and nothing else. Results come in the order of the items, whatever the number of processes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Self, TypeVar

from rendering.errors import MarkupmillError

Item = TypeVar("Item")
Result = TypeVar("Result")
Default = TypeVar("Default")

START_TIMEOUT_S: Final = 60.0
"""For a process to come up and import what it runs, on a busy machine."""
MEMORY_BYTES: Final = 4_000_000_000
"""Data that an item may add to what its process had at its start; address space would not do, V8 reserves gigabytes."""
_MAX_DEATHS: Final = 3
"""Processes that may end before one item is answered: after that it is not the items."""
_CHUNK: Final = 32


def n_cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    todo: deque[int] = field(default_factory=deque)
    """Items sent and not answered."""
    deadline_s: float = 0.0
    is_up: bool = False


class Workers:
    """Processes that stay for several calls; they start with the first one.

        with Workers() as workers:
            scores = workers.map(score, pairs, default=0.0)

    The function and its module are imported in each process (`spawn`), so a program that uses this from its top level
    needs `if __name__ == "__main__":`.
    """

    def __init__(self, n_processes: int | None = None) -> None:
        self._n_processes = n_processes or n_cores()
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._n_answered = self._n_deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        default: Default,
        timeout_s: float = 60.0,
        prepare: Callable[[], None] | None = None,
    ) -> list[Result | Default]:
        """`function` of each item, in their order.

        `default` stands for an item that takes longer than `timeout_s`, needs more than `MEMORY_BYTES`, or kills its
        process. Errors that the function raises are raised here, by the first item that has one. `prepare` is called
        in a process before the items are: what is slow to import takes none of their time.

        Raises `MarkupmillError` where processes end whatever the item is: no default may stand for a broken machine.
        """
        results: list[Any] = [default] * len(items)
        errors: dict[int, BaseException] = {}
        waiting = deque(range(len(items)))
        n_wanted = min(self._n_processes, len(items))
        self._n_answered = self._n_deaths = 0
        while waiting or any(worker.todo for worker in self._workers):
            while waiting and len(self._workers) < n_wanted:
                self._workers.append(self._start())
            size = max(1, min(_CHUNK, len(waiting) // (2 * n_wanted)))
            for worker in self._workers:
                if not worker.todo and waiting:
                    worker.todo = deque(waiting.popleft() for _ in range(min(size, len(waiting))))
                    self._give(worker, (function, prepare, [items[index] for index in worker.todo]))
                    worker.deadline_s = time.monotonic() + (timeout_s if worker.is_up else START_TIMEOUT_S + timeout_s)
            self._collect(results, errors, waiting, timeout_s)
        if errors:
            raise errors[min(errors)]
        return results

    def close(self) -> None:
        """End the processes; a later `map` starts new ones."""
        for worker in self._workers:
            _end(worker)
        self._workers = []

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(
        self, worker: _Worker, work: tuple[Callable[[Item], Result], Callable[[], None] | None, list[Item]]
    ) -> None:
        # A process that has just died is found when its answer is read.
        with contextlib.suppress(OSError):
            worker.pipe.send(work)

    def _collect(
        self, results: list[Any], errors: dict[int, BaseException], waiting: deque[int], timeout_s: float
    ) -> None:
        """Wait for the next answers, and end what has run out of time."""
        busy = [worker for worker in self._workers if worker.todo]
        patience_s = max(0.0, min(worker.deadline_s for worker in busy) - time.monotonic())
        for ready in wait([worker.pipe for worker in busy], patience_s):
            worker = next(each for each in busy if each.pipe is ready)
            try:
                told = worker.pipe.recv()
            except (EOFError, OSError):
                self._n_deaths += 1
                if not self._n_answered and self._n_deaths >= _MAX_DEATHS:
                    self.close()
                    problem = "processes that score predictions end before they have scored one"
                    raise MarkupmillError(problem, "Look for what ends them (memory, a missing library)") from None
                self._give_up(worker, waiting)
                continue
            worker.is_up = True
            worker.deadline_s = time.monotonic() + timeout_s
            if told is None:  # it has imported what it runs: now the first item's time begins
                continue
            is_error, answer = told
            self._n_answered += 1
            index = worker.todo.popleft()
            if is_error:
                errors[index] = answer
            elif not isinstance(answer, _TooLarge):
                results[index] = answer
        now_s = time.monotonic()
        for worker in busy:
            if worker in self._workers and worker.todo and now_s > worker.deadline_s and not worker.pipe.poll():
                self._give_up(worker, waiting)

    def _give_up(self, worker: _Worker, waiting: deque[int]) -> None:
        """End a process; the item it was at has had its chance, the others go to another one."""
        _end(worker)
        self._workers.remove(worker)
        left = list(worker.todo)
        waiting.extendleft(reversed(left[1:]))


class _TooLarge:
    """In place of the answer to an item that did not fit in memory."""


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.process.close()
    worker.pipe.close()


def _work(pipe: Connection) -> None:
    """A process's whole life: take a function and items, answer each."""
    is_limited = False
    # Ended by its parent, or when that is gone; Ctrl-C is the parent's to answer.
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            function, prepare, items = pipe.recv()
            if prepare is not None:
                prepare()
            pipe.send(None)
            if not is_limited:
                _limit_memory()
                is_limited = True
            for item in items:
                try:
                    answer: tuple[bool, Any] = (False, function(item))
                except MemoryError:
                    answer = (False, _TooLarge())
                except Exception as error:  # noqa: BLE001 - raised again where the answer is read
                    answer = (True, error)
                pipe.send(answer)


def _limit_memory() -> None:
    """Let no item take the machine's memory (on Linux)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on Windows
        from pathlib import Path  # noqa: PLC0415 - as above

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
