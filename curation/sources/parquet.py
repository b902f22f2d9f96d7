"""Reading Parquet sources by row group and column: texts first, images only of row groups with survivors.

Of remote files, what is read next is fetched ahead and in parallel (`curation.sources.ranges`): the chunks of the
columns asked for, and nothing between them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import SchemaError
from curation.sources.address import open_file, store_of
from curation.sources.damage import decoding, one_of_many
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.parquet_footer import chunks_of, expect_footer, footer_of, size_of
from curation.sources.ranges import N_CONNECTIONS, forget, read_ahead
from curation.sources.remote import reaching
from curation.sources.rows import image_array, is_text_type
from curation.sources.source import Piece

_READ_BYTES: Final = 4 * 1024 * 1024
"""How much of an image column is fetched at a time, so that a row group of 10,000 images never sits in memory.
The least that can be decoded is one page: about 1 MB, but 1,024 rows where pyarrow wrote the file by its defaults."""
_IMAGE_ROWS: Final = 16


def list_pieces(
    address: ResolvedAddress,
    rows_per_shard: int,
    text_columns: Sequence[str],
    image_column: str,
    *,
    needs_images: bool = True,
) -> Iterator[Piece]:
    """Pieces of between one and two times `rows_per_shard` rows (fewer at a file's end), file by file.

    Row groups are joined until there are enough rows, and a larger row group is cut by rows, so that a shard
    has about the size asked for however the file was written. A file's footer is read when its turn comes.
    Without `needs_images` a file may lack the column of images, but not have it with another type.

    Raises:
        SchemaError: a file is no Parquet, or lacks one of the columns, or has it with another type.
    """
    for number, file in enumerate(address.files):
        # One footer ahead, then two, …: a run that needs only the first files fetches few.
        for following in address.files[number + 1 : number + 1 + min(number + 1, N_CONNECTIONS)]:
            expect_footer(following)
        with one_of_many():
            sha256 = content_sha256(file)
            footer = _checked_footer(file.path, sha256, file.size_bytes)
            schema = footer.schema.to_arrow_schema()
            has_images = needs_images or image_column in schema.names
            check_columns(file, schema, text_columns, image_column if has_images else None)
            sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
            if min(sizes, default=0) < 0 or sum(sizes) != footer.num_rows:
                raise SchemaError(
                    f"{shown(file.path)} cannot be read as Parquet: its rows do not add up", "Fetch it again"
                )
            for groups, first_row, n_rows in _cut(sizes, rows_per_shard):
                yield Piece(file.path, sha256, address.revision, groups, first_row, n_rows)


def file_schema(path: str, content_sha256: str) -> pa.Schema:
    """The file's Arrow schema. Raises `SchemaError` where it is no Parquet."""
    return _checked_footer(path, content_sha256).schema.to_arrow_schema()


def mean_value_bytes(piece: Piece, column: str) -> float:
    """Bytes, before compression, that a value of the piece's row groups takes in `column`, on average."""
    footer = footer_of(piece.path, piece.content_sha256)
    groups = (footer.row_group(group) for group in piece.row_groups)
    chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
    of_column = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] == column]
    return float(sum(chunk.total_uncompressed_size for chunk in of_column)) / max(1, _rows_in_groups(piece))


def column_names(piece: Piece) -> list[str]:
    """Names of the columns of the piece's file."""
    return list(footer_of(piece.path, piece.content_sha256).schema.to_arrow_schema().names)


def schema_of(piece: Piece) -> pa.Schema:
    """Schema of the piece's file."""
    return footer_of(piece.path, piece.content_sha256).schema.to_arrow_schema()


def read_columns(piece: Piece, columns: Sequence[str]) -> pa.Table:
    """The piece's rows of `columns`; no byte of another column is fetched."""
    _text_columns[_folder(piece.path)] = tuple(columns)
    first, n_in_groups = _rows_before(piece), _rows_in_groups(piece)
    if n_in_groups == piece.n_rows:
        return _read_groups(piece.path, piece.content_sha256, piece.row_groups, tuple(columns))
    groups = [
        _read_cut_group(piece.path, piece.content_sha256, group, tuple(sorted(columns))) for group in piece.row_groups
    ]
    return pa.concat_tables(groups).slice(piece.first_row - first, piece.n_rows)


def read_images(piece: Piece, column: str, rows: Sequence[int]) -> pa.Array:
    """Images (`curation.sample.IMAGE_TYPE`) of the given file rows, in the order given; null where a row has no bytes.

    Reads only row groups that hold such a row, as a stream. Called again with rows further on, a thread goes on
    reading where it stopped: a row group is fetched once however many calls a piece takes.
    """
    _image_column[_folder(piece.path)] = column
    _expect_images_of(piece, column, rows)
    found: dict[int, bytes] = {}
    with decoding(piece.path):
        for group, first, wanted in _wanted(piece, rows):
            images = _image_stream(piece, group, column, wanted[0]).take(wanted)
            found.update((first + position, image) for position, image in images)
    return image_array([found.get(row) for row in rows])


def expect_texts(piece: Piece) -> None:
    """Say that this process will read the piece's texts next: those of a remote file are fetched meanwhile.

    The columns are those that were read of the files beside it. Before any was, and for other pieces than of remote
    Parquet files, this does nothing.
    """
    columns = _text_columns.get(_folder(piece.path))
    if columns and piece.row_groups and store_of(piece.path):
        _expect_columns(piece.path, piece.content_sha256, piece.row_groups, columns)


def expect_images(piece: Piece, rows: Sequence[int]) -> None:
    """Say that this thread will read the images of these file rows next. As `expect_texts`."""
    column = _image_column.get(_folder(piece.path))
    if column and piece.row_groups:
        _expect_images_of(piece, column, rows)


def image_chunks(piece: Piece, column: str, rows: Sequence[int]) -> dict[tuple[str, int], int]:
    """Bytes that reading the images of these file rows fetches, by content hash and row group. Reads no image."""
    footer = footer_of(piece.path, piece.content_sha256)
    leaf = _image_leaf(footer, column)
    return {
        (piece.content_sha256, group): sum(end - start for start, end in chunks_of(footer, [group], {leaf}))
        for group, _, _ in _wanted(piece, rows)
    }


def text_chunks(piece: Piece) -> dict[tuple[str, int], int]:
    """Bytes of the text columns that were read of the piece, as `image_chunks`."""
    columns = _text_columns.get(_folder(piece.path), ())
    footer = footer_of(piece.path, piece.content_sha256)
    return {
        (piece.content_sha256, group): sum(end - start for start, end in chunks_of(footer, [group], columns))
        for group in piece.row_groups
    }


def footer_bytes(piece: Piece) -> int:
    """Bytes of the footer of the piece's file."""
    return int(footer_of(piece.path, piece.content_sha256).serialized_size)


def _wanted(piece: Piece, rows: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
    """(row group, its first row, ascending positions in it) of the piece's row groups that hold such a row."""
    footer = footer_of(piece.path, piece.content_sha256)
    first = _rows_before(piece)
    for group in piece.row_groups:
        end = first + footer.row_group(group).num_rows
        positions = sorted({row - first for row in rows if first <= row < end})
        if positions:
            yield group, first, positions
        first = end


_text_columns: dict[str, tuple[str, ...]] = {}
_image_column: dict[str, str] = {}
"""What was last read of the files of a folder: what is read of the next piece too."""


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _expect_columns(path: str, sha256: str, groups: Sequence[int], columns: Collection[str]) -> None:
    if store := store_of(path):
        read_ahead(path, store, chunks_of(footer_of(path, sha256), groups, columns))


def _expect_images_of(piece: Piece, column: str, rows: Sequence[int]) -> None:
    """Row groups that this thread's open stream is in are on their way already."""
    store = store_of(piece.path)
    if store is None:
        return
    footer = footer_of(piece.path, piece.content_sha256)
    open_key = getattr(_open_stream, "key", None)
    groups = [group for group, _, _ in _wanted(piece, rows) if _stream_key(piece, group, column) != open_key]
    read_ahead(piece.path, store, chunks_of(footer, groups, {_image_leaf(footer, column)}))


def _image_leaf(footer: pq.FileMetaData, column: str) -> str:
    is_struct = pa.types.is_struct(footer.schema.to_arrow_schema().field(column).type)
    return f"{column}.bytes" if is_struct else column


class _ImageStream:
    """One row group's image column, read forwards a few rows at a time."""

    def __init__(self, piece: Piece, group: int, column: str) -> None:
        footer = footer_of(piece.path, piece.content_sha256)
        leaf = _image_leaf(footer, column)
        self._is_struct = leaf != column
        store = store_of(piece.path)
        # Only where it is needed: of a chunk whose metadata are damaged, pyarrow 26 asks only to abort the process.
        self._path, self._spans = piece.path, chunks_of(footer, [group], {leaf}) if store else []
        if store:
            read_ahead(piece.path, store, self._spans)
        source = _input(piece.path, piece.content_sha256)
        self._file = pq.ParquetFile(source, metadata=footer, buffer_size=_READ_BYTES, pre_buffer=False)
        self._batches = self._file.iter_batches(_IMAGE_ROWS, row_groups=[group], columns=[leaf], use_threads=False)
        self._images = pa.nulls(0)
        self.position = 0  # in the row group, of the first row of `_images`

    def take(self, wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """(position, bytes) of the rows at `wanted` positions (ascending, none before `position`) that have bytes."""
        for position in wanted:
            while position >= self.position + len(self._images):
                self.position += len(self._images)
                batch = next(self._batches, None)
                if batch is None:
                    raise ValueError(f"row {position} of a row group is not there")
                column = batch.column(0)
                self._images = column.field("bytes") if self._is_struct else column
            image = self._images[position - self.position]
            if image.is_valid:
                yield position, image.as_py()

    def leave(self) -> None:
        """No more of it will be read."""
        if "://" in self._path:
            forget(self._path, self._spans)


_open_stream = threading.local()


def _image_stream(piece: Piece, group: int, column: str, first_wanted: int) -> _ImageStream:
    """The stream that this thread has open, where it is the right one and not yet past the first wanted row."""
    key = _stream_key(piece, group, column)
    if getattr(_open_stream, "key", None) != key or _open_stream.stream.position > first_wanted:
        if getattr(_open_stream, "key", None):
            _open_stream.stream.leave()
        _open_stream.stream = _ImageStream(piece, group, column)
        _open_stream.key = key
    return cast("_ImageStream", _open_stream.stream)


def _stream_key(piece: Piece, group: int, column: str) -> tuple[object, ...]:
    return os.getpid(), piece.path, piece.content_sha256, group, column


def _input(path: str, sha256: str) -> str | BinaryIO:
    """What pyarrow reads from: it opens local files itself."""
    return open_file(path, size_of(path, sha256)) if "://" in path else path


def _cut(sizes: Sequence[int], rows_per_shard: int) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """(row groups, first row, number of rows) of each piece of a file whose row groups have these `sizes`."""
    starts = [0, *accumulate(sizes)]
    block: list[int] = []
    for group, size in enumerate(sizes):
        block += [group] if size else []
        n_rows = sum(sizes[member] for member in block)
        is_last = group == len(sizes) - 1
        if not block or (n_rows < rows_per_shard and not is_last):
            continue
        n_parts = max(1, n_rows // rows_per_shard)
        for part in range(n_parts):
            first = starts[block[0]] + n_rows * part // n_parts
            end = starts[block[0]] + n_rows * (part + 1) // n_parts
            members = tuple(m for m in block if starts[m] < end and starts[m] + sizes[m] > first)
            yield members, first, end - first
        block = []


def _rows_before(piece: Piece) -> int:
    """Position in the file of the first row of the piece's first row group."""
    footer = footer_of(piece.path, piece.content_sha256)
    return sum(footer.row_group(group).num_rows for group in range(piece.row_groups[0]))


def _rows_in_groups(piece: Piece) -> int:
    footer = footer_of(piece.path, piece.content_sha256)
    return sum(footer.row_group(group).num_rows for group in piece.row_groups)


def _read_groups(path: str, sha256: str, groups: Sequence[int], columns: Sequence[str]) -> pa.Table:
    _expect_columns(path, sha256, groups, columns)
    footer, source = footer_of(path, sha256), _input(path, sha256)
    with decoding(path), pq.ParquetFile(source, metadata=footer, pre_buffer="://" not in path) as file:
        return file.read_row_groups(list(groups), columns=list(columns))


@lru_cache(maxsize=2)
def _read_cut_group(path: str, sha256: str, group: int, columns: tuple[str, ...]) -> pa.Table:
    """A row group that several pieces share is decoded once for neighbours, not once for each of them."""
    return _read_groups(path, sha256, [group], columns)


def _checked_footer(path: str, sha256: str, size_bytes: int | None = None) -> pq.FileMetaData:
    with reaching(shown(path)):
        try:
            return footer_of(path, sha256, size_bytes)
        except (pa.ArrowException, OSError, ValueError) as error:  # the last: names of columns that are no UTF-8
            if isinstance(error, OSError) and ("://" in path or isinstance(error, FileNotFoundError | PermissionError)):
                raise
            raise SchemaError(f"{shown(path)} cannot be read as Parquet", "Fetch it again") from error


def check_columns(file: SourceFile, schema: pa.Schema, text_columns: Sequence[str], image_column: str | None) -> None:
    """Raises `SchemaError` where a file lacks one of the columns, or has it with another type."""
    for column in [*text_columns, *([image_column] if image_column else [])]:
        if column not in schema.names:
            has = ", ".join(f"{field.name} ({_type_name(field.type)})" for field in schema)
            raise SchemaError(f"{shown(file.path)} has no column {column!r}", f"It has: {has}; set the column's name")
    wrong = [(column, "text") for column in text_columns if not is_text_type(schema.field(column).type)]
    if image_column and not _is_image_type(schema.field(image_column).type):
        wrong.append((image_column, "images"))
    for column, kind in wrong:
        has = _type_name(schema.field(column).type)
        raise SchemaError(f"Column {column!r} of {shown(file.path)} holds no {kind} but {has}", "Name another column")


def _is_image_type(column_type: pa.DataType) -> bool:
    if pa.types.is_struct(column_type):
        index = column_type.get_field_index("bytes")
        return index >= 0 and _is_image_type(column_type.field(index).type)
    return bool(
        pa.types.is_binary(column_type) or pa.types.is_large_binary(column_type) or pa.types.is_null(column_type)
    )


def _type_name(column_type: pa.DataType) -> str:
    return " ".join(str(column_type).split())
