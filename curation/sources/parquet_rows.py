"""Parquet files as rows: columns as `curation.sources.parquet` reads them, and pictures told by their path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from curation.errors import SchemaError
from curation.sources import parquet
from curation.sources.damage import decoding
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.reader import Columns, Row
from curation.sources.rows import is_text_type, texts_of
from curation.sources.source import Piece
from curation.sources.values import Place, picture_bytes

_MAX_PATH_BYTES: Final = 1_024
"""A column of strings that take more than this on average holds pictures in base64, not their paths."""


def column_names(path: str, content_sha256: str) -> tuple[str, ...]:
    """Names of the file's columns."""
    return tuple(parquet.file_schema(path, content_sha256).names)


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:
    """Pieces of between one and two times `rows_per_shard` rows (fewer at a file's end)."""
    for file in found.files:
        schema = parquet.file_schema(file.path, content_sha256(file))
        as_text = bool(columns.image) and is_string(schema.field(columns.image).type)
        check_names(file, schema, columns.names)
        one = replace(found, files=(file,))
        image = "" if as_text else columns.image
        yield from parquet.list_pieces(one, rows_per_shard, columns.texts, image, needs_images=False)


def read_rows(piece: Piece, columns: Columns) -> Iterator[Row]:
    """The piece's rows in order."""
    names = [*columns.as_text, *([columns.image] if columns.image and _holds_paths(piece, columns.image) else [])]
    table = parquet.read_columns(piece, names)
    values = [values_of(table.column(name)) for name in names]
    return (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))


def read_pictures(piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:
    """Pictures of the given file rows."""
    schema = parquet.file_schema(piece.path, piece.content_sha256)
    if is_string(schema.field(column).type):
        return [picture_bytes(value, place) for value in _rows_of(piece, column, rows)]
    images = [image and image["bytes"] for image in parquet.read_images(piece, column, rows).to_pylist()]
    missing = [index for index, image in enumerate(images) if image is None]
    if missing and has_path(schema.field(column).type):  # `datasets` writes so where pictures are not embedded
        paths = _rows_of(piece, f"{column}.path", [rows[index] for index in missing])
        for index, path in zip(missing, paths, strict=True):
            images[index] = picture_bytes({"bytes": None, "path": path}, place)
    return images


def _rows_of(piece: Piece, column: str, rows: Sequence[int]) -> list[Any]:
    values = parquet.read_columns(piece, [column]).column(0)
    with decoding(piece.path):
        values = values.combine_chunks().field("path") if pa.types.is_struct(values.type) else values
        chosen = values.take(pa.array([row - piece.first_row for row in rows], pa.int64()))
        # As bytes first: Parquet says "string" of what may be no UTF-8.
        return [name and name.decode("utf-8", "replace") for name in chosen.cast(pa.large_binary()).to_pylist()]


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """Texts, or why there is none; values of other types as Python has them."""
    return texts_of(column) if is_text_type(column.type) else column.to_pylist()


def _holds_paths(piece: Piece, column: str) -> bool:
    """Whether a column of strings is short enough to be paths, as the file's footer tells without reading it."""
    if not is_string(parquet.file_schema(piece.path, piece.content_sha256).field(column).type):
        return False
    return parquet.mean_value_bytes(piece, column) <= _MAX_PATH_BYTES


def is_string(column_type: pa.DataType) -> bool:
    """Whether a column of this type holds strings, as they are or by a dictionary."""
    if pa.types.is_dictionary(column_type):
        return is_string(column_type.value_type)
    return bool(pa.types.is_string(column_type) or pa.types.is_large_string(column_type))


def check_names(file: SourceFile, schema: pa.Schema, columns: Sequence[str]) -> None:
    """Raises `SchemaError` for a column that holds neither texts nor whole numbers."""
    for column in columns:
        has = schema.field(column).type
        if not _is_name_type(has):
            raise SchemaError(
                f"Column {column!r} of {shown(file.path)} holds no names but {has}", "Name another column"
            )


def has_path(column_type: pa.DataType) -> bool:
    """Whether pictures of this type can be told by their path."""
    return bool(pa.types.is_struct(column_type)) and column_type.get_field_index("path") >= 0


def _is_name_type(column_type: pa.DataType) -> bool:
    return is_text_type(column_type) or bool(pa.types.is_integer(column_type))
