"""Reading Arrow files as `datasets` saves them (`save_to_disk`): by record batches, texts first, images later.

Both of Arrow's formats are read, the stream and the file. Local files are mapped into memory, so that a pass over
texts touches no image. Of a remote file the asked columns are fetched alone.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import ipc

from curation.errors import SchemaError
from curation.sources.address import open_file
from curation.sources.damage import decoding, one_of_many
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.remote import reaching
from curation.sources.rows import image_array
from curation.sources.source import Piece

_FILE_MAGIC: Final = b"ARROW1\0\0"
"""What the file format puts before the messages of the stream format (Arrow's format specification, "IPC")."""
_FILE_END: Final = b"ARROW1"
_CONTINUATION: Final = 0xFFFFFFFF
_DICTIONARY_BATCH: Final = 2  # of the union MessageHeader (Message.fbs); Schema is 1
_RECORD_BATCH: Final = 3


class _Batch(NamedTuple):
    """Where a record batch lies, in bytes: its header from `start`, its body from `body` to `end`."""

    start: int
    body: int
    end: int
    n_rows: int


def list_pieces(address: ResolvedAddress, rows_per_shard: int) -> Iterator[Piece]:
    """Pieces of record batches, joined until there are `rows_per_shard` rows (fewer at a file's end), file by file.

    Raises:
        SchemaError: a file is no Arrow, is cut, or is encoded with dictionaries.
    """
    for file in address.files:
        with one_of_many():
            yield from _pieces_of(file, address.revision, rows_per_shard)


def _pieces_of(file: SourceFile, revision: str, rows_per_shard: int) -> Iterator[Piece]:
    sha256 = content_sha256(file)
    block: list[_Batch] = []
    first_row = 0
    batches = _batches(file.path, sha256)
    for number, batch in enumerate(batches):
        block.append(batch)
        n_rows = sum(batch.n_rows for batch in block)
        if n_rows and (n_rows >= rows_per_shard or number == len(batches) - 1):
            bounds = (block[0].start, block[-1].end)
            yield Piece(file.path, sha256, revision, (), first_row, n_rows, bounds)
            first_row, block = first_row + n_rows, []


def schema_of(piece: Piece) -> pa.Schema:
    """Schema of the piece's file."""
    return _schema(piece.path, piece.content_sha256)


def read_columns(piece: Piece, columns: Sequence[str]) -> pa.Table:
    """The piece's rows of `columns`."""
    batches = [batch for _, batch in _read(piece, columns, None)]
    schema = pa.schema([schema_of(piece).field(name) for name in columns])
    table = pa.Table.from_batches(batches, schema.remove_metadata())
    return table.slice(0, piece.n_rows)


def read_images(piece: Piece, column: str, rows: Sequence[int]) -> pa.Array:
    """Images (`curation.sample.IMAGE_TYPE`) of the given file rows, in the order given; null where a row has none."""
    found: dict[int, bytes | None] = {}
    for first, batch in _read(piece, [column], set(rows)):
        images = batch.column(column)
        images = images.field("bytes") if pa.types.is_struct(images.type) else images
        found.update((row, images[row - first].as_py()) for row in rows if first <= row < first + batch.num_rows)
    return image_array([found.get(row) for row in rows])


def _read(piece: Piece, columns: Sequence[str], rows: set[int] | None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(first row, batch of `columns`) of the piece's record batches; of those that hold one of `rows`, where given."""
    schema = schema_of(piece)
    first = piece.first_row
    with _opened(piece.path) as source, decoding(piece.path):
        for place in _batches(piece.path, piece.content_sha256):
            if place.start < piece.byte_range[0] or place.end > piece.byte_range[1]:
                continue
            if rows is None or any(row in rows for row in range(first, first + place.n_rows)):
                if _is_local(piece.path):
                    source.seek(place.start)
                    batch = ipc.read_record_batch(ipc.read_message(source), schema)
                else:
                    options = ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in columns])
                    batch = ipc.open_file(_WithFooter(source, schema, place), options=options).get_batch(0)
                batch = batch.select(list(columns))
                for column in batch.columns:
                    _check_offsets(column)
                yield first, batch
            first += place.n_rows


class _WithFooter(io.RawIOBase):
    """A file and, behind its end, a footer that names one of its record batches.

    So either format is the file format with one batch, of which Arrow reads the columns that are asked for and no more.
    """

    def __init__(self, source: Any, schema: pa.Schema, batch: _Batch) -> None:
        self._source, self._size, self._position = source, source.size(), 0
        self._footer = _footer_of(schema, batch)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size + len(self._footer)}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        if self._position >= self._size:
            at = self._position - self._size
            data = self._footer[at : at + len(buffer)]
        else:
            self._source.seek(self._position)
            data = self._source.read(min(len(buffer), self._size - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _footer_of(schema: pa.Schema, batch: _Batch) -> bytes:
    """What ends a file of `schema` that has `batch` alone (Arrow's File.fbs): the footer, its length, the magic."""
    sink = io.BytesIO()
    with ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist([], schema=schema))
    data = sink.getvalue()
    tail_bytes = 4 + len(_FILE_END)
    (length,) = struct.unpack_from("<i", data, len(data) - tail_bytes)
    footer = bytearray(data[-tail_bytes - length :])
    (root,) = struct.unpack_from("<I", footer)
    at = _field(footer, root, 3)
    blocks = at + struct.unpack_from("<I", footer, at)[0]
    struct.pack_into("<qi4xq", footer, blocks + 4, batch.start, batch.body - batch.start, batch.end - batch.body)
    return bytes(footer)


def _check_offsets(column: pa.Array) -> None:
    """Raises `ArrowInvalid` for values that would lie outside the column's bytes: reading them ends the process.

    What is no UTF-8 is fine: that is the fault of a row.
    """
    if pa.types.is_struct(column.type):
        for index in range(column.type.num_fields):
            _check_offsets(column.field(index))
        return
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "Invalid UTF8" not in str(error):
            raise


def _is_local(path: str) -> bool:
    return "://" not in path


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    with reaching(shown(path)):
        if _is_local(path):
            with pa.memory_map(path) as source:
                yield source
        else:
            with open_file(path) as stream, pa.PythonFile(stream, mode="r") as source:
                yield source


@lru_cache(maxsize=64)
def _schema(path: str, content_sha256: str) -> pa.Schema:  # noqa: ARG001  # the hash keeps the cache true
    with _opened(path) as source, decoding(path):
        source.seek(_first_message(source))
        schema = ipc.read_schema(source)
        for field in schema:
            field.name.encode()  # which raises where a name is no UTF-8
        return schema


@lru_cache(maxsize=64)
def _batches(path: str, content_sha256: str) -> tuple[_Batch, ...]:  # noqa: ARG001  # see `_schema`
    """The record batches of a file. Reads none."""
    batches = []
    try:
        with _opened(path) as source:
            size = source.size()
            position = _first_message(source)
            if position >= size:
                raise struct.error("no message")
            while (header := _header(source, position)) is not None:
                kind, start, length, n_rows = header
                if start + length > size:
                    raise struct.error("cut")
                if kind == _RECORD_BATCH:
                    batches.append(_Batch(position, start, start + length, n_rows))
                elif kind == _DICTIONARY_BATCH:
                    raise SchemaError(f"{shown(path)} is encoded with dictionaries", "Save it as Parquet")
                position = start + length
    except (struct.error, pa.ArrowInvalid) as error:
        problem = f"{shown(path)} cannot be read as Arrow: it is cut, or something else"
        raise SchemaError(problem, "Fetch it again") from error
    return tuple(batches)


def _first_message(source: Any) -> int:
    source.seek(0)
    return len(_FILE_MAGIC) if source.read(len(_FILE_MAGIC)) == _FILE_MAGIC else 0


def _header(source: Any, position: int) -> tuple[int, int, int, int] | None:
    """(kind, start and length of its body, number of rows) of the message at `position`; None after the last.

    The header is a flatbuffer `Message` (Arrow's Message.fbs): version, kind, header, length of the body.
    """
    source.seek(position)
    prefix = source.read(8)
    if not prefix:
        return None  # a stream may end without saying so
    continuation, size = struct.unpack("<Ii", prefix)
    if continuation != _CONTINUATION or size < 0:
        raise struct.error("no message")
    if size == 0:
        return None
    data = source.read(size)
    (root,) = struct.unpack_from("<I", data)
    (kind,) = struct.unpack_from("<B", data, _field(data, root, 1))
    length_at = _field(data, root, 3)
    (length,) = struct.unpack_from("<q", data, length_at) if length_at else (0,)
    n_rows = 0
    if kind == _RECORD_BATCH:
        at = _field(data, root, 2)
        batch = at + struct.unpack_from("<I", data, at)[0]
        rows_at = _field(data, batch, 0)
        (n_rows,) = struct.unpack_from("<q", data, rows_at) if rows_at else (0,)
    return kind, position + 8 + size, length, n_rows


def _field(data: bytes | bytearray, table: int, number: int) -> int:
    """Position of a field of a flatbuffer table; 0 where it is left out for being the default."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (vtable_bytes,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * number >= vtable_bytes:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * number)
    return table + offset if offset else 0
