"""Rows of a file that can only be read forwards: the next call of a thread goes on where its last one stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from curation.sources.source import Piece

_open = threading.local()


def take_forward(
    piece: Piece, open_rows: Callable[[Piece], Iterator[Any]], rows: Sequence[int]
) -> Iterator[tuple[int, Any]]:
    """(row, what `open_rows` gives for it) of the wanted file rows, in ascending order.

    `open_rows` iterates over the piece's rows. A piece is read once however many calls it takes, as long as each
    wants rows further on.
    """
    wanted = sorted(set(rows))
    if not wanted:
        return
    key = (os.getpid(), piece, open_rows)
    if getattr(_open, "key", None) != key or _open.next_row > wanted[0]:
        _open.key, _open.rows, _open.next_row = key, open_rows(piece), piece.first_row
    for row in wanted:
        while _open.next_row <= row:
            value = next(_open.rows)
            _open.next_row += 1
        yield row, value
    if _open.next_row >= piece.first_row + piece.n_rows:
        _open.key = _open.rows = None
