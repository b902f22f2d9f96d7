"""Asking stores that may not answer: trying again with growing pauses up to a deadline, and the error at its end.

This is the one place that tries again. The Hub's own client does so for some calls and not for others, waits as
long as a server likes, and starts a cut answer from its beginning; so it is asked to do each thing once.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from curation.errors import AddressError, MarkupmillError, UnreachableError

DEADLINE_VARIABLE: Final = "MARKUPMILL_DEADLINE_S"
"""Environment variable: for how many seconds without one byte of answer a store is asked again."""

DEFAULT_DEADLINE_S: Final = 300.0

FIRST_CONTACT_S: Final = 3.0
"""The deadline for a connection to a store that never answered: more often a wrong address than a passing fault."""

UNREACHABLE_AFTER_S: Final = 20.0
"""How long the first answer of a remote store may take. A client's own time-outs are for each of a host's
addresses, and name resolution has none."""

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0
_PASSING_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_GARBLED: Final = 8
"""As many answers in a row that are not what was asked for come from a log-in page or a wrong address."""

_TRY_LATER: Final = f"Try again later; what is finished is kept. {DEADLINE_VARIABLE} sets how long is waited"

_Answer = TypeVar("_Answer")


class GarbledAnswerError(Exception):
    """A store answered, but not with what was asked for: an HTML page in place of JSON, or of a file's bytes."""


class Patience:
    """Pauses between tries, longer each time and never the same, up to the deadline. Bytes that come renew it.

    `what` is named in the error: a dataset, or a file's address. `is_first_contact`: nothing of this store ever came.
    """

    def __init__(self, what: str, *, is_first_contact: bool = False) -> None:
        self._what, self._is_first_contact = what, is_first_contact
        self.deadline_s = deadline_s()
        self.renew()

    def renew(self) -> None:
        """Something came: the deadline counts from now, and pauses are short again."""
        self._since_s = time.monotonic()
        self._n_tries = self._n_garbled = 0

    def wait(self, error: Exception) -> None:
        """Pause before the next try, as long as the store asks for.

        Raises:
            UnreachableError: the deadline would be over before the next try.
            Exception: `error` itself, where another try would end as this one did.
        """
        if not is_passing(error):
            raise error
        self._n_tries += 1
        self._n_garbled += isinstance(error, GarbledAnswerError)
        asked_s = _retry_after_s(error) or 0.0
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._n_tries - 1, 10))
        pause_s = max(asked_s, pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the tries of many clients
        limit_s = self.deadline_s
        if self._is_first_contact and _status(error) is None and not isinstance(error, GarbledAnswerError):
            limit_s = min(limit_s, FIRST_CONTACT_S)
        if self._n_garbled >= _MAX_GARBLED or time.monotonic() - self._since_s + pause_s > limit_s:
            raise unreachable(self._what, error) from error
        _sleep(pause_s)


def persistently(what: str, call: Callable[[], _Answer], *, is_first_contact: bool = False) -> _Answer:
    """The answer of `call`, tried again for as long as its faults pass and the deadline is not over.

    Raises:
        UnreachableError: the deadline is over.
    """
    patience = Patience(what, is_first_contact=is_first_contact)
    while True:
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # raised again by `wait` where it does not pass
            patience.wait(error)


def deadline_s() -> float:
    """For how long a store that fails is asked again: `MARKUPMILL_DEADLINE_S`, else 300 s."""
    try:
        return max(0.0, float(os.environ.get(DEADLINE_VARIABLE, "")))
    except ValueError:
        return DEFAULT_DEADLINE_S


def is_passing(error: Exception) -> bool:
    """Whether the same question may be answered in a moment: a busy server, a lost connection, a garbled answer."""
    if isinstance(error, MarkupmillError | FileNotFoundError | PermissionError | IsADirectoryError):
        return False
    status = _status(error)
    if status is not None:
        return status in _PASSING_STATUSES
    name = type(error).__name__
    if isinstance(error, GarbledAnswerError) or (isinstance(error, RuntimeError) and "has been closed" in str(error)):
        return True  # the second: another thread made the Hub's shared client start afresh
    if _is_http_library(error):
        return name not in {"UnsupportedProtocol", "TooManyRedirects", "InvalidURL"}
    return isinstance(error, OSError) and name != "OfflineModeIsEnabled"


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


def unreachable(what: str, error: Exception) -> UnreachableError:
    """The error for a store that cannot be reached, or has not answered as it should by the deadline."""
    if isinstance(error, GarbledAnswerError):
        mend = "Check HF_ENDPOINT, and whether a proxy or a log-in page stands in between"
        return UnreachableError(f"{what} cannot be read: {error}", mend)
    status = _status(error)
    if status is not None:
        asked_s = _retry_after_s(error)
        waits = f", which asks to wait for {asked_s:.0f} s" if asked_s and asked_s > deadline_s() else ""
        return UnreachableError(f"{what} cannot be read now (HTTP {status}{waits})", _TRY_LATER)
    if type(error).__name__ == "OfflineModeIsEnabled":
        return UnreachableError(f"{what} is not asked: HF_HUB_OFFLINE is set", "Unset it, or give a local copy's path")
    mend = f"Check the network, or give a local copy's path instead; {DEADLINE_VARIABLE} sets how long is waited"
    return UnreachableError(f"{what} cannot be reached ({type(error).__name__})", mend)


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Makes one line of a file that is gone, or of a store that stops answering, while it is read.

    Raises:
        AddressError: the file is gone, or may not be read.
        UnreachableError: the store does not answer.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise AddressError(f"{what} cannot be reached: it is gone", "Start again") from error
    except PermissionError as error:
        raise AddressError(f"{what} may not be read", "Check its permissions") from error
    except Exception as error:
        if isinstance(error, OSError | GarbledAnswerError) or _is_http_library(error):
            raise unreachable(what, error) from error
        raise


def _is_http_library(error: Exception) -> bool:
    """Whether it comes from the Hub client's HTTP library (httpx, httpx2), which is not ours to import."""
    return type(error).__module__.startswith("httpx")


def _status(error: Exception) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _retry_after_s(error: Exception) -> float | None:
    """How long the server asks to wait: `Retry-After` (seconds or a date), else when the Hub's rate limit ends.

    RFC 9110, section 10.2.3; the Hub's `ratelimit` header is draft-ietf-httpapi-ratelimit-headers: `"api";r=0;t=55`.
    """
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    asked = headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            pass
    limit = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(limit[1]) if limit and _status(error) == 429 else None


def _sleep(pause_s: float) -> None:
    time.sleep(pause_s)
