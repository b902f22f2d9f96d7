"""Rows as a source hands them over: texts made plain strings whatever their column's type, put into `RAW_SCHEMA`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import pyarrow as pa

from curation.reasons import Reason, Reject
from curation.sample import IMAGE_TYPE, Task
from curation.sources.source import RAW_SCHEMA


@dataclass(frozen=True)
class RawRow:
    """One row of a source: its text (None for a conversation), or the reason why it has none that can be used.

    `task` and `license` stand in for the source's own where rows differ. `excerpt` is what a rejected row says.
    """

    row: int
    source_key: str
    text: str | Reject | None
    context: str | None = None
    sub_key: str = ""
    task: Task | None = None
    messages: Sequence[Mapping[str, str]] | None = None
    original_caption: str | None = None
    objects: Sequence[str] | None = None
    image_origin: str | None = None
    parent_id: str | None = None
    lineage: str | None = None
    excerpt: str | None = None
    license: str | None = None
    content_sha256: str | None = None


_AS_THEY_ARE: Final = ("messages", "original_caption", "objects", "image_origin", "parent_id", "lineage")


def raw_table(rows: Sequence[RawRow], license_name: str, task: Task) -> pa.Table:
    """`rows` as a table of `RAW_SCHEMA`; the text of a rejected row is null."""
    texts = [None if isinstance(row.text, Reject) else row.text for row in rows]
    rejects = [row.text if isinstance(row.text, Reject) else None for row in rows]
    columns = {
        "row": [row.row for row in rows],
        "content_sha256": [row.content_sha256 for row in rows],
        "sub_key": [row.sub_key for row in rows],
        "source_key": [row.source_key for row in rows],
        "license": [row.license or license_name for row in rows],
        "task": [row.task or task for row in rows],
        "text": texts,
        "context": [row.context for row in rows],
        **{name: [getattr(row, name) for row in rows] for name in _AS_THEY_ARE},
        "reject_reason": [reject.reason.value if reject else None for reject in rejects],
        "reject_detail": [reject.detail if reject else None for reject in rejects],
        "reject_excerpt": [row.excerpt for row in rows],
    }
    return pa.table(columns, schema=RAW_SCHEMA)


def image_array(images: Sequence[bytes | None]) -> pa.Array:
    """Encoded `images` as `IMAGE_TYPE`, null where there is none; without a path: a row is known by its key."""
    parts = [pa.array(images, pa.binary()), pa.nulls(len(images), pa.string())]
    missing = pa.array([image is None for image in images], pa.bool_())
    return pa.StructArray.from_arrays(parts, fields=list(IMAGE_TYPE), mask=missing)


def row_key(path: str, row: int) -> str:
    """What a person looks a row up by where the source gives it no name: file name and position."""
    return f"{PurePosixPath(path).name}:{row}"


def decode_text(value: bytes | None) -> str | Reject:
    """UTF-8 `value` as a string, or why it is none."""
    if value is None:
        return Reject(Reason.TEXT_MISSING)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject(Reason.TEXT_NOT_UTF8, f"byte {error.start} of {len(value)}")


def is_text_type(column_type: pa.DataType) -> bool:
    """Whether `texts_of` reads a column of this type: strings, bytes, dictionaries and lists of them, or nulls."""
    if pa.types.is_dictionary(column_type) or _is_list(column_type):
        return _is_text(column_type.value_type)
    return _is_text(column_type) or pa.types.is_null(column_type)


def texts_of(column: pa.ChunkedArray) -> list[str | Reject]:
    """Each row's text or why it has none. A list is read where it has one element."""
    if pa.types.is_dictionary(column.type):
        return texts_of(column.cast(column.type.value_type))
    if pa.types.is_null(column.type):
        return [Reject(Reason.TEXT_MISSING)] * len(column)
    # As bytes first: Parquet says "string" of what may be no UTF-8, and Arrow takes its word.
    if _is_list(column.type):
        return [_only_text(value) for value in column.cast(pa.list_(pa.large_binary())).to_pylist()]
    return [decode_text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def optional_texts_of(column: pa.ChunkedArray) -> list[str | None]:
    """Each row's text, null where it has none that can be read."""
    return [None if isinstance(text, Reject) else text for text in texts_of(column)]


def _only_text(values: list[bytes | None] | None) -> str | Reject:
    if values and len(values) > 1:
        return Reject(Reason.ANNOTATION_BROKEN, f"{len(values)} texts where one is expected")
    return decode_text(values[0] if values else None)


def _is_list(column_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(column_type) or pa.types.is_large_list(column_type) or pa.types.is_fixed_size_list(column_type)
    )


def _is_text(column_type: pa.DataType) -> bool:
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
    )
    return any(test(column_type) for test in tests)
