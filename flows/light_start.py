"""Starting a command that lives for seconds: what its imports would cost and it has no use for is left out."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def light_start() -> Iterator[None]:
    """For a command's imports, once in a process of its own.

    What is imported stays: collecting garbage among it finds none. And pyarrow imports pandas with the first array it
    makes (0.3 s), to ask whether it was given something of pandas; here nothing is, and it is told that there is none.
    Who asks for pandas later gets it (`to_pandas`).
    """
    gc.disable()
    sys.meta_path.insert(0, _without_pandas)
    try:
        yield
        import pyarrow as pa  # noqa: PLC0415 - not before

        pa.array([0])  # asks, once and for all
    finally:
        sys.meta_path.remove(_without_pandas)
        gc.freeze()
        atexit.register(gc.unfreeze)
        gc.enable()


class _WithoutPandas:
    """Stands before all finders of modules, and says of one that it is not there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002 - Python asks so
        """None: others are asked. Raises `ModuleNotFoundError` for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for", name=name)


_without_pandas = _WithoutPandas()
