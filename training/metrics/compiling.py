"""numba behind one door: what it compiles is kept on disk where it can, so that only the first process waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code, compiled with its first call (a second or two), then read from numba's cache.

    The cache lies beside the source, else in the user's cache folder; where neither can be written, nothing is kept.
    """
    from numba import njit  # noqa: PLC0415 - a second

    try:
        made: Callable[..., Any] = njit(cache=True)(function)
    except RuntimeError:  # "no locator available": no folder can be written
        made = njit(function)
    return made
