"""Ending: at once when told to, and never later than the process that one works for.

Prefect answers Ctrl-C by waiting for every running task, which took 45 s and more. A build can be killed at any moment
and goes on from there, so the command is ended instead: its children are killed, and the process leaves without
unwinding. Python's own signal handlers would wait for the main thread to come back from whatever library it is in;
the bytes of `signal.set_wakeup_fd` are written by the C handler and read by a thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Final, NoReturn

PARENT_POLL_S: Final = 1.0

_SHOW_CURSOR: Final = "\x1b[?25h\n"
"""Whoever hid it for a progress bar is not asked any more."""

_ending = threading.Lock()
_watching = threading.Lock()


@contextmanager
def hard_exit_on_signals(last_rites: Callable[[], None]) -> Iterator[None]:
    """For the block, SIGINT and SIGTERM run `last_rites` (seconds at most) and end the process with 128 + signal.

    Processes started in the block have SIGINT blocked: Ctrl-C reaches the whole group, and only this process answers.
    Outside of the main thread, where signals cannot be handled, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that was ignored from the start (nohup, a background job) stays so.
    handled = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    watcher = threading.Thread(target=_end_on_signal, args=(read_end, last_rites), daemon=True, name="signals")
    watcher.start()  # before SIGINT is blocked, which threads inherit: this is the one that takes it
    # Starting it later would unblock SIGINT in the thread that does, and so in the workers started from there.
    resource_tracker.ensure_running()
    handlers = {number: signal.signal(number, lambda *_: None) for number in handled}
    wakeup_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        # Prefect's own handler of SIGTERM unwinds this thread while the watcher ends the process: let it.
        with _ending:
            signal.set_wakeup_fd(wakeup_before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask_before)
        os.close(write_end)
        watcher.join()
        os.close(read_end)


def _end_on_signal(read_end: int, last_rites: Callable[[], None]) -> None:
    while received := os.read(read_end, 1):
        number = received[0]
        if number == signal.SIGINT:
            end_now(128 + number, "interrupted; run the same command again to go on", last_rites)
        if number == signal.SIGTERM:
            end_now(128 + number, "stopped; run the same command again to go on", last_rites)


def end_now(exit_code: int, message: str, last_rites: Callable[[], None] = lambda: None) -> NoReturn:
    """Say `message`, run `last_rites`, kill every process started from this one, and leave without unwinding."""
    _ending.acquire()  # for good: nobody else ends, and nobody unwinds past `hard_exit_on_signals`
    try:
        _last_words(message)
        last_rites()
        kill_descendants()
    finally:
        os._exit(exit_code)


def _last_words(message: str) -> None:
    """One line; after it nothing is shown, least of all the complaints of threads whose browser was killed."""
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
    os.write(2, f"{cursor}markupmill: {message}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def kill_descendants() -> None:
    """SIGKILL every process started from this one, directly or not, whatever its group or session."""
    for pid in _descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # pid (name, which may hold anything) state ppid … (proc(5))
            after_name = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        of_one = children.get(waiting.pop(), [])
        found += of_one
        waiting += of_one
    return found


def die_with_parent() -> None:
    """In a worker process: end it, and all that it started, when the process that started it is gone.

    Does nothing in a process that no other one started as its worker; called again, it does nothing more.
    """
    parent = multiprocessing.parent_process()
    if parent is None or not _watching.acquire(blocking=False):
        return
    threading.Thread(target=_die_after, args=(parent, os.getppid()), daemon=True, name="parent").start()


def _die_after(parent: multiprocessing.process.BaseProcess, parent_pid: int) -> None:
    while parent.is_alive() and os.getppid() == parent_pid:
        parent.join(PARENT_POLL_S)
    kill_descendants()
    os._exit(1)
