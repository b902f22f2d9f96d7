"""Files that cannot be used: what a library says of their bytes becomes one line, and a listing goes on without them.

A file is never left out silently. Where someone listens (`set_aside`), those that cannot be used are handed over one
by one, so that a build makes what it can of the others before it fails; elsewhere the first one ends the listing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import pyarrow as pa

from curation.errors import MarkupmillError, SchemaError
from curation.sources.files import shown

_OF_DAMAGED_BYTES: Final = (pa.ArrowException, OSError, ValueError, IndexError, KeyError, OverflowError, struct.error)
"""What pyarrow raises where a footer promises what the pages do not hold: not Arrow's own errors alone."""

_MAX_CAUSE_CHARS: Final = 160

_set_aside: ContextVar[list[SchemaError] | None] = ContextVar("set_aside", default=None)


@contextmanager
def decoding(path: str) -> Iterator[None]:
    """Reads of a file in a binary format: damaged bytes are one line that names the file.

    Raises:
        SchemaError: the bytes are not what the file's own header or footer promises.
    """
    try:
        yield
    except (MarkupmillError, FileNotFoundError, PermissionError):
        raise
    except _OF_DAMAGED_BYTES as error:
        lines = f"{error}".splitlines() or [""]
        problem = f"{shown(path)} is damaged ({type(error).__name__}: {lines[0][:_MAX_CAUSE_CHARS]})"
        raise SchemaError(problem.rstrip(". "), "Fetch it again, or leave it out") from error


@contextmanager
def one_of_many() -> Iterator[None]:
    """The listing of one file of several: where someone listens, its `SchemaError` is set aside, not raised."""
    try:
        yield
    except SchemaError as error:
        aside = _set_aside.get()
        if aside is None:
            raise
        if str(error) not in map(str, aside):
            aside.append(error)


@contextmanager
def set_aside() -> Iterator[list[SchemaError]]:
    """Files that cannot be used, as listings of sources in this block meet them, each once.

    Whoever opens the block answers for them: what is set aside is not in the pieces.
    """
    aside: list[SchemaError] = []
    token = _set_aside.set(aside)
    try:
        yield aside
    finally:
        _set_aside.reset(token)
