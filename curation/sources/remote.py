"""Asking stores that may not answer: a bound on the first answer, and the error when there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, TypeVar

from curation.errors import AddressError

UNREACHABLE_AFTER_S: Final = 20.0
"""How long the first answer of a remote store may take. A client's own time-outs are for each of a host's
addresses, and name resolution has none."""

_Answer = TypeVar("_Answer")


def first_answer(call: Callable[[], _Answer]) -> _Answer:
    """The answer of a remote call, or TimeoutError after `UNREACHABLE_AFTER_S`; the call is left to end by itself."""
    future: Future[_Answer] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # handed to the caller, who waits for it
            future.set_exception(error)

    threading.Thread(target=work, daemon=True, name="first answer").start()
    return future.result(timeout=UNREACHABLE_AFTER_S)


def unreachable(what: str, error: Exception) -> AddressError:
    """The error for a store that cannot be reached."""
    mend = "Check the network, or give a local copy's path instead"
    return AddressError(f"{what} cannot be reached ({type(error).__name__})", mend)


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Makes an `AddressError` of a file or store that stops answering while it is read."""
    try:
        yield
    except Exception as error:
        # The Hub's client raises errors of its HTTP library, which is not ours to import.
        if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
            raise unreachable(what, error) from error
        raise
