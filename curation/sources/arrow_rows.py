"""Arrow files as `datasets` saves them (`save_to_disk`), as rows: what `parquet_rows` is for Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from curation.sources import arrow
from curation.sources.files import ResolvedAddress
from curation.sources.hashes import content_sha256
from curation.sources.parquet import check_columns
from curation.sources.parquet_rows import check_names, has_path, is_string, values_of
from curation.sources.reader import Columns, Row
from curation.sources.source import Piece
from curation.sources.values import Place, picture_bytes


def column_names(path: str, content_sha256: str) -> tuple[str, ...]:
    """Names of the file's columns."""
    return tuple(_schema(path, content_sha256).names)


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:
    """Pieces of record batches, joined until there are `rows_per_shard` rows (fewer at a file's end)."""
    for file in found.files:
        schema = _schema(file.path, content_sha256(file))
        as_text = bool(columns.image) and is_string(schema.field(columns.image).type)
        check_columns(file, schema, columns.texts, None if as_text else columns.image or None)
        check_names(file, schema, columns.names)
    yield from arrow.list_pieces(found, rows_per_shard)


def read_rows(piece: Piece, columns: Columns) -> Iterator[Row]:
    """The piece's rows in order."""
    is_named = bool(columns.image) and is_string(arrow.schema_of(piece).field(columns.image).type)
    names = [*columns.as_text, *([columns.image] if is_named else [])]
    table = arrow.read_columns(piece, names)
    values = [values_of(table.column(name)) for name in names]
    return (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))


def read_pictures(piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:
    """Pictures of the given file rows."""
    type_ = arrow.schema_of(piece).field(column).type
    if is_string(type_):
        values = values_of(arrow.read_columns(piece, [column]).column(0))
        return [picture_bytes(values[row - piece.first_row], place) for row in rows]
    images = [image and image["bytes"] for image in arrow.read_images(piece, column, rows).to_pylist()]
    if None in images and has_path(type_):  # `datasets` writes so where pictures are not embedded
        values = arrow.read_columns(piece, [column]).column(0).combine_chunks().field("path").to_pylist()
        for index, row in enumerate(rows):
            if images[index] is None:
                images[index] = picture_bytes({"bytes": None, "path": values[row - piece.first_row]}, place)
    return images


def _schema(path: str, content_sha256: str) -> pa.Schema:
    return arrow.schema_of(Piece(path, content_sha256, "", (), 0, 0))
