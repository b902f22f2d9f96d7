"""Signatures in a scratch file: written once as rows come, read by columns of slots and by chosen rows.

So that finding duplicates holds a few numbers a row, not half a kilobyte. The file has no name and is gone with the
process; it lies where `TMPDIR` says.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from curation.errors import StoreError
from curation.near_pairs import SIGNATURE_BYTES, Indices, Signatures

_ROWS_AT_ONCE: Final = 4_096  # 1 MB


class SignatureFile:
    """Signatures by the order in which they were added; `arrange` once all are there gives them another."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self._order: Indices | None = None
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def add(self, signatures: Signatures) -> None:
        """Add rows, (n, `SIGNATURE_BYTES`). Raises `StoreError` where they find no room."""
        try:
            left = memoryview(signatures.tobytes())
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            place = tempfile.gettempdir()
            raise StoreError(
                f"signatures to find duplicates by cannot be written to {place}: {error.strerror}",
                "Make room there, or set TMPDIR to another place",
            ) from error
        self._n_rows += len(signatures)

    def arrange(self, order: Indices) -> None:
        """From now on the row at place `i` is the one that was added at place `order[i]`."""
        self._order = order

    def slots(self, columns: Sequence[int]) -> Signatures:
        """Chosen slots of all rows, (n, len(columns))."""
        out = np.empty((self._n_rows, len(columns)), np.uint8)
        for start, block in self._blocks():
            out[start : start + len(block)] = block[:, columns]
        return out if self._order is None else out[self._order]

    def take(self, places: Indices) -> Signatures:
        """Whole signatures of chosen rows, (len(places), `SIGNATURE_BYTES`)."""
        wanted, where = np.unique(places if self._order is None else self._order[places], return_inverse=True)
        descriptor = self._file.fileno()
        rows = b"".join(os.pread(descriptor, SIGNATURE_BYTES, row * SIGNATURE_BYTES) for row in wanted.tolist())
        return np.frombuffer(rows, np.uint8).reshape(len(wanted), SIGNATURE_BYTES)[where]

    def _blocks(self) -> Iterator[tuple[int, Signatures]]:
        for start in range(0, self._n_rows, _ROWS_AT_ONCE):
            n_rows = min(_ROWS_AT_ONCE, self._n_rows - start)
            block = os.pread(self._file.fileno(), n_rows * SIGNATURE_BYTES, start * SIGNATURE_BYTES)
            yield start, np.frombuffer(block, np.uint8).reshape(n_rows, SIGNATURE_BYTES)
