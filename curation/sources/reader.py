"""What a reader of rows is: a module with these functions for one kind of file (Parquet, JSONL, CSV, WebDataset tars).

A row is a mapping from column names to values as the file has them (`curation.sources.values` reads those), or the
reason why there is none. Rows come as an iterator: what a text pass does not keep is not held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from curation.reasons import Reject
from curation.sources.files import ResolvedAddress
from curation.sources.source import Piece
from curation.sources.values import Place

Row = Mapping[str, object] | Reject


@dataclass(frozen=True)
class Columns:
    """Which columns are read: as texts, as names (keys and licences: numbers will do), as pictures (none if empty)."""

    texts: tuple[str, ...]
    names: tuple[str, ...] = ()
    image: str = ""

    @property
    def as_text(self) -> tuple[str, ...]:
        """Columns of a text pass, each once."""
        return tuple(dict.fromkeys((*self.texts, *self.names)))


class Reader(Protocol):
    """One kind of file. `content_sha256` lets a reader keep what it knows of a file."""

    def column_names(self, path: str, content_sha256: str) -> Sequence[str]:
        """Names of a file's columns, of rows at its start where nothing declares them."""
        ...

    def list_pieces(self, found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:
        """Pieces of about `rows_per_shard` rows of files that have the columns, file by file, lazily."""
        ...

    def read_rows(self, piece: Piece, columns: Columns) -> Iterator[Row]:
        """The piece's rows in order. No picture is read; what names one may be among the values, or a `Reject`."""
        ...

    def read_pictures(self, piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:
        """Encoded pictures of the given file rows, in the order given; None where a row has none."""
        ...
