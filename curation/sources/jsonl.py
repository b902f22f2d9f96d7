"""Files with a JSON object a line, read forwards by byte ranges: a row is parsed, used and forgotten."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from curation.reasons import Reject
from curation.sources import lines
from curation.sources.files import ResolvedAddress
from curation.sources.forward import take_forward
from curation.sources.json_files import parse_object
from curation.sources.reader import Columns, Row
from curation.sources.source import Piece
from curation.sources.values import Place, picture_bytes

_ROWS_FOR_NAMES: Final = 100
"""Objects may leave keys out: a column is one that any of so many first rows has."""


@lru_cache(maxsize=64)
def column_names(path: str, content_sha256: str) -> tuple[str, ...]:  # noqa: ARG001  # the hash keeps the cache true
    """Keys of the objects at the start of the file, in the order in which they come up; empty for an empty file."""
    start = Piece(path, "", "", (), 0, 0, (0, sys.maxsize))
    first = (parse_object(line) for line in islice(lines.read_lines(start), _ROWS_FOR_NAMES))
    return tuple(dict.fromkeys(key for row in first if not isinstance(row, Reject) for key in row))


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:  # noqa: ARG001
    """Pieces of `rows_per_shard` lines (fewer at a file's end)."""
    return lines.list_pieces(found, rows_per_shard)


def read_rows(piece: Piece, columns: Columns) -> Iterator[Row]:  # noqa: ARG001  # an object is parsed whole
    """The piece's objects in order, or why a line is none."""
    return map(parse_object, lines.read_lines(piece))


def read_pictures(piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:
    """Pictures of the given file rows. Other lines are passed over without being parsed."""
    found: dict[int, bytes | None] = {}
    for row, line in take_forward(piece, lines.read_lines, rows):
        values = parse_object(line)
        found[row] = None if isinstance(values, Reject) else picture_bytes(values.get(column), place)
    return [found.get(row) for row in rows]
