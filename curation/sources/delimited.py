"""CSV and TSV files, read by byte ranges: a quoted field may hold line breaks, so records are found by parsing.

Bytes go through the parser as Latin-1, which loses none of them: a field that is no UTF-8 spoils its row only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO, Final, cast

from curation.errors import SchemaError
from curation.reasons import Reason, Reject
from curation.sources.address import open_file
from curation.sources.files import ResolvedAddress, shown
from curation.sources.forward import take_forward
from curation.sources.hashes import content_sha256
from curation.sources.reader import Columns, Row
from curation.sources.source import Piece
from curation.sources.values import Place, picture_bytes, text_of

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024
_BYTE_ORDER_MARK: Final = "\xef\xbb\xbf"  # UTF-8's, as Latin-1 shows it
_DELIMITERS: Final = (",", ";", "\t", "|")

Record = Sequence[str] | Reject
"""Fields as Latin-1, or why the bytes are no record."""


def column_names(path: str, content_sha256: str) -> tuple[str, ...]:
    """Names in the file's first record; empty for an empty file.

    Raises:
        SchemaError: the header cannot be read.
    """
    return _header(path, content_sha256).names


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:  # noqa: ARG001
    """Pieces of `rows_per_shard` records (fewer at a file's end), each with its byte range."""
    for file in found.files:
        sha256 = content_sha256(file)
        header = _header(file.path, sha256)
        start = end = header.end
        first_row = row = 0
        for row, (end, _) in enumerate(_records(file.path, header.end, file.size_bytes, header.delimiter), start=1):
            if row - first_row == rows_per_shard:
                yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))
                start, first_row = end, row
        if row > first_row:
            yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))


def read_rows(piece: Piece, columns: Columns) -> Iterator[Row]:  # noqa: ARG001  # a record is parsed whole
    """The piece's records in order by column name, or why one is none."""
    names = _header(piece.path, piece.content_sha256).names
    return (_by_name(record, names) for record in _piece_records(piece))


def read_pictures(piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:
    """Pictures of the given file rows."""
    names = _header(piece.path, piece.content_sha256).names
    found: dict[int, bytes | None] = {}
    for row, record in take_forward(piece, _piece_records, rows):
        values = _by_name(record, names)
        text = None if isinstance(values, Reject) else text_of(values.get(column))
        found[row] = picture_bytes(text, place) if isinstance(text, str) else None
    return [found.get(row) for row in rows]


class _Header:
    def __init__(self, path: str) -> None:
        with _opened(path) as stream:
            line = stream.readline(MAX_RECORD_BYTES)
        text = line.decode("latin-1").removeprefix(_BYTE_ORDER_MARK)
        found = [delimiter for delimiter in _DELIMITERS if delimiter in text]
        self.delimiter = "\t" if path.lower().endswith(".tsv") else found[0] if found else ","
        self.end, fields = next(_records(path, 0, 2 * MAX_RECORD_BYTES, self.delimiter), (0, ()))
        if isinstance(fields, Reject):
            raise SchemaError(f"{shown(path)} has no header that can be read: {fields.detail}", "Write column names")
        self.names = tuple(
            name.removeprefix(_BYTE_ORDER_MARK).encode("latin-1").decode("utf-8", "replace").strip() for name in fields
        )


@lru_cache(maxsize=16)
def _header(path: str, content_sha256: str) -> _Header:  # noqa: ARG001  # the hash keeps the cache true
    return _Header(path)


def _piece_records(piece: Piece) -> Iterator[Record]:
    delimiter = _header(piece.path, piece.content_sha256).delimiter
    return (record for _, record in _records(piece.path, *piece.byte_range, delimiter))


def _records(path: str, start: int, end: int, delimiter: str) -> Iterator[tuple[int, Record]]:
    """(where it ends in the file, record) of every record between two byte positions."""
    csv.field_size_limit(MAX_RECORD_BYTES)  # its default would refuse a page of 128 kB
    with _opened(path) as stream:
        lines = _Lines(stream, start, end)
        reader = csv.reader(lines, delimiter=delimiter)
        while True:
            lines.record_start = lines.position
            record: Record
            try:
                record = next(reader)
            except StopIteration:
                return
            except _TooLargeError:
                record = Reject(Reason.MARKUP_TOO_LARGE, f"a record of more than {MAX_RECORD_BYTES} bytes")
            except csv.Error as error:
                record = Reject(Reason.ANNOTATION_BROKEN, f"no CSV: {error}")
            if isinstance(record, Reject):
                reader = csv.reader(lines, delimiter=delimiter)  # with the state of a new line
            yield lines.position, record


def _opened(path: str) -> BinaryIO:
    """The file behind a buffer: a remote one would be fetched by the line."""
    return cast("BinaryIO", io.BufferedReader(open_file(path), _READ_BYTES))


class _TooLargeError(Exception):
    """A record is over `MAX_RECORD_BYTES`: most likely a quote was never closed."""


class _Lines(Iterator[str]):
    """Lines of a range of a file as Latin-1; knows how far it has read."""

    def __init__(self, stream: BinaryIO, start: int, end: int) -> None:
        stream.seek(start)
        self._stream, self._end = stream, end
        self.position = self.record_start = start

    def __next__(self) -> str:
        line = self._read()
        if not line:
            raise StopIteration
        while len(line) == MAX_RECORD_BYTES and not line.endswith(b"\n"):
            if (line := self._read()).endswith(b"\n") or not line:
                raise _TooLargeError
        if self.position - self.record_start > MAX_RECORD_BYTES:
            raise _TooLargeError
        return line.decode("latin-1")

    def _read(self) -> bytes:
        line = self._stream.readline(min(MAX_RECORD_BYTES, self._end - self.position))
        self.position += len(line)
        return line


def _by_name(record: Record, names: Sequence[str]) -> Row:
    if isinstance(record, Reject):
        return record
    if not record:
        return Reject(Reason.TEXT_MISSING, "an empty line")
    if len(record) != len(names):
        return Reject(Reason.ANNOTATION_BROKEN, f"{len(record)} fields where the header has {len(names)}")
    return dict(zip(names, (field.encode("latin-1") for field in record), strict=True))
