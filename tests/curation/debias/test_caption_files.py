"""Captions in files of every kind: read, and written again beside what they were."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.debias.caption_files import Caption, captions_in, write_captions
from curation.errors import BadInputError, SchemaError

NEW = {"f:0": "A person.", "f:2:1": "A person too."}


def test_csv_keeps_its_cells_and_gets_the_original(tmp_path: Path) -> None:
    path, out = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text('id,caption,n\n1,"A man.",01\n2,"A dog,\nbig",\n', encoding="utf-8")
    assert captions_in(path, "f") == [Caption("f:0", "A man."), Caption("f:1", "A dog,\nbig")]
    write_captions(path, "f", NEW, out)
    assert list(csv.reader(io.StringIO(out.read_bytes().decode(), newline=""))) == [
        ["id", "caption", "n", "original_caption"],
        ["1", "A person.", "01", "A man."],
        ["2", "A dog,\nbig", "", "A dog,\nbig"],
    ]


def test_jsonl_keeps_its_values_lists_too(tmp_path: Path) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    rows = [
        {"caption": "A man.", "original_caption": "A handsome man.", "n": 1.0},
        {"caption": None},
        {"caption": ["A dog", "A man too"]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.id for one in captions_in(path, "f")] == ["f:0", "f:2:0", "f:2:1"]
    write_captions(path, "f", NEW, out)
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"caption": "A person.", "original_caption": "A handsome man.", "n": 1.0},
        {"caption": None},
        {"caption": ["A dog", "A person too."], "original_caption": ["A dog", "A man too"]},
    ]


def test_parquet_keeps_types_row_groups_and_what_datasets_is_told(tmp_path: Path) -> None:
    path, out = tmp_path / "a.parquet", tmp_path / "b.parquet"
    features = {"caption": {"dtype": "string", "_type": "Value"}, "n": {"dtype": "int8", "_type": "Value"}}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"caption": ["A man.", None, "A dog"], "n": pa.array([1, 2, 3], pa.int8())})
    pq.write_table(table.replace_schema_metadata(told), path, row_group_size=2)
    write_captions(path, "f", NEW, out)
    written = pq.read_table(out)
    assert written.column("caption").to_pylist() == ["A person.", None, "A dog"]
    assert written.column("original_caption").to_pylist() == ["A man.", None, "A dog"]
    assert written.schema.field("n").type == pa.int8()
    assert pq.ParquetFile(out).num_row_groups == 2
    now = json.loads(written.schema.metadata[b"huggingface"])["info"]["features"]
    assert now == features | {"original_caption": features["caption"]}


def test_rows_of_other_tasks_are_left_alone(tmp_path: Path) -> None:
    path, out = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(pa.table({"text": ["A man.", "<p>A man.</p>"], "task": ["image_to_caption", "page_to_html"]}), path)
    assert captions_in(path, "f") == [Caption("f:0", "A man.")]
    write_captions(path, "f", NEW | {"f:1": "never"}, out)
    assert pq.read_table(out).column("text").to_pylist() == ["A person.", "<p>A man.</p>"]


def test_what_is_no_file_of_captions_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(SchemaError, match=r"no column of captions .* it has: x, y"):
        captions_in(tmp_path / "a.csv", "f")
    pq.write_table(pa.table({"caption": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="is int64, not text"):
        captions_in(tmp_path / "a.parquet", "f")
    for name, text in (
        ("b.jsonl", '{"caption": '),
        ("c.jsonl", "[1]\n"),
        ("d.parquet", "no"),
        ("e.csv", "caption\na,b\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInputError, match=name):
            captions_in(tmp_path / name, "f")
