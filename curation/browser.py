"""The process's one browser: every stage and thread that renders shares it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rendering.renderer import Renderer

_lock = Lock()
_renderer: Renderer | None = None
_n_users = 0


@contextmanager
def shared_renderer() -> Iterator[Renderer]:
    """The process's renderer, started for its first user and closed when the last one leaves."""
    global _renderer, _n_users  # noqa: PLW0603 - one browser per process is what this module is for
    with _lock:
        if _renderer is None:
            _renderer = Renderer().__enter__()
        renderer = _renderer
        _n_users += 1
    try:
        yield renderer
    finally:
        with _lock:
            _n_users -= 1
            if _n_users == 0:
                _renderer = None
                renderer.__exit__(None, None, None)
