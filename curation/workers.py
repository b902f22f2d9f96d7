"""Opened stages, one per process: weights and browsers are loaded once and shared by the process's threads."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from threading import Lock

import pyarrow as pa

from curation.errors import ShardError
from curation.stage import Batch, Outcome, Stage, Worker
from rendering.errors import MarkupmillError

_open_workers: dict[Stage, Worker] = {}
_exits = ExitStack()
_lock = Lock()


def worker_of(stage: Stage) -> Worker:
    """The process's worker of this stage, opened on first use and closed by `close_workers` or at exit."""
    with _lock:
        worker = _open_workers.get(stage)
        if worker is None:
            worker = _open_workers[stage] = _exits.enter_context(stage.open())
        return worker


def close_workers() -> None:
    """Close every worker of this process: browsers end, weights are let go."""
    with _lock:
        _open_workers.clear()
        _exits.close()


atexit.register(close_workers)


def run_stage(stage: Stage, batch: Batch, shard: str) -> Outcome:
    """Run a stage over a batch.

    Raises `ShardError` naming stage, shard and the first row at fault for anything but our own errors
    (a missing browser stops the run as what it is, not as the fault of a row).
    """
    worker = worker_of(stage)
    try:
        return worker(batch)
    except MarkupmillError:
        raise
    except Exception as error:
        raise ShardError(stage.name, shard, _first_row_at_fault(worker, batch.table), describe(error)) from error


def _first_row_at_fault(worker: Worker, table: pa.Table) -> str:
    for index in range(table.num_rows):
        try:
            worker(Batch(table.slice(index, 1)))
        except Exception:  # noqa: BLE001 - looking for whatever row raises
            return f"row id {table.column('id')[index].as_py()}"
    return f"rows {table.column('id')[0].as_py()} and the {table.num_rows - 1} after it, together"


def describe(error: Exception) -> str:
    """An error of somebody else's in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
