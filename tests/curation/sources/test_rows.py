"""Texts of any column type become strings or a reason; rows become a table of the raw schema."""

from __future__ import annotations

import pyarrow as pa
import pytest

from curation.reasons import Reason, Reject
from curation.sources.rows import RawRow, is_text_type, optional_texts_of, raw_table, texts_of
from curation.sources.source import RAW_SCHEMA

TEXTS = ["a", None, "ü"]


def column(values: object, column_type: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, column_type)])


@pytest.mark.parametrize(
    "texts",
    [
        column(TEXTS, pa.string()),
        column(TEXTS, pa.large_string()),
        column(TEXTS, pa.string_view()),
        column([text and text.encode() for text in TEXTS], pa.binary()),
        column([text and text.encode() for text in TEXTS], pa.large_binary()),
        column(TEXTS, pa.string()).dictionary_encode(),
        column(TEXTS, pa.large_string()).dictionary_encode(),
        column([text and [text] for text in TEXTS], pa.list_(pa.string())),
        column([[text] for text in TEXTS], pa.list_(pa.string(), 1)),
        column([["a"], [], ["ü"]], pa.large_list(pa.large_string())),
    ],
    ids=lambda texts: str(texts.type),
)
def test_a_text_column_of_any_type_gives_the_same_texts(texts: pa.ChunkedArray) -> None:
    assert is_text_type(texts.type)
    assert texts_of(texts) == ["a", Reject(Reason.TEXT_MISSING), "ü"]
    assert optional_texts_of(texts) == TEXTS


def test_a_column_of_nulls_has_no_texts() -> None:
    assert texts_of(pa.chunked_array([pa.nulls(2)])) == [Reject(Reason.TEXT_MISSING)] * 2


@pytest.mark.parametrize("column_type", [pa.int64(), pa.bool_(), pa.list_(pa.int8()), pa.struct([("a", pa.string())])])
def test_other_types_are_no_texts(column_type: pa.DataType) -> None:
    assert not is_text_type(column_type)


def test_what_is_no_utf8_is_rejected_also_where_the_file_calls_it_a_string() -> None:
    raw = pa.chunked_array([pa.array([b"ok", b"\xff\xfe"], pa.binary())])
    offsets = pa.array([0, 2, 4], pa.int32()).buffers()[1]
    lie = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"ok\xff\xfe"))
    in_list = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), lie)
    for texts in (raw, pa.chunked_array([lie]), pa.chunked_array([in_list])):
        assert texts_of(texts) == ["ok", Reject(Reason.TEXT_NOT_UTF8, "byte 0 of 2")]


def test_a_list_of_several_texts_is_no_text() -> None:
    assert texts_of(column([["a", "b"]], pa.list_(pa.string()))) == [
        Reject(Reason.ANNOTATION_BROKEN, "2 texts where one is expected")
    ]


def test_a_raw_table_keeps_every_row_with_its_text_or_its_reason() -> None:
    rows = [RawRow(7, "k7", "<p>", "an idea"), RawRow(8, "k8", Reject(Reason.TEXT_MISSING, "why"))]
    table = raw_table(rows, "CC0-1.0", "page_to_html")
    assert table.schema == RAW_SCHEMA
    first, second = table.to_pylist()
    assert (first["row"], first["source_key"], first["text"], first["context"]) == (7, "k7", "<p>", "an idea")
    assert (first["reject_reason"], first["license"], first["task"]) == (None, "CC0-1.0", "page_to_html")
    assert (second["text"], second["reject_reason"], second["reject_detail"]) == (None, "text_missing", "why")
