"""WebSight is read from its Parquet: pages, pictures, the idea of each page, and the version asked for."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.errors import AddressError, SchemaError
from curation.sources.source import RAW_SCHEMA
from curation.sources.websight import WebSight
from tests.hub.server import FakeHub

WriteParquet = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]

READ_IN_ANOTHER_PROCESS = """
import pickle, sys
source, piece = pickle.load(sys.stdin.buffer)
print(source.read_texts(piece).column("text").to_pylist())
print(source.read_images(piece, [1]).to_pylist())
"""


def test_real_pages_come_whole_and_in_order(shared_data: Path) -> None:
    source = WebSight(str(shared_data / "websight"))
    pieces = list(source.pieces(64))
    tables = [source.read_texts(piece) for piece in pieces]
    assert {table.schema for table in tables} == {RAW_SCHEMA}
    files = sorted((shared_data / "websight").glob("*.parquet"))
    expected = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert len(expected) == 300
    assert [text for table in tables for text in table.column("text").to_pylist()] == [row["text"] for row in expected]
    found = [
        source.read_images(piece, table.column("row").to_pylist()) for piece, table in zip(pieces, tables, strict=True)
    ]
    assert [image["bytes"] for images in found for image in images.to_pylist()] == [
        row["image"]["bytes"] for row in expected
    ]
    assert {piece.content_sha256 for piece in pieces} == {
        hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


def test_a_row_has_its_licence_its_key_and_the_idea_behind_it(write_parquet: WriteParquet) -> None:
    columns = {"image": [b"1", b"2"], "text": ["<p>", None], "llm_generated_idea": ["a shop", None]}
    source = WebSight(str(write_parquet("a.parquet", columns)))
    (piece,) = source.pieces(10)
    first, second = source.read_texts(piece).to_pylist()
    assert {name: value for name, value in first.items() if value is not None} == {
        "row": 0,
        "sub_key": "",
        "source_key": "a.parquet:0",
        "license": "CC-BY-4.0",
        "task": "page_to_html",
        "text": "<p>",
        "context": "a shop",
    }
    assert (second["text"], second["reject_reason"]) == (None, "text_missing")


def test_columns_and_licence_are_settings(write_parquet: WriteParquet) -> None:
    path = write_parquet("a.parquet", {"shot": [b"1"], "html": ["<p>"], "idea": ["x"]})
    source = WebSight(str(path), image_column="shot", text_column="html", context_column="idea", license="MIT")
    (piece,) = source.pieces(10)
    (row,) = source.read_texts(piece).to_pylist()
    assert (row["text"], row["context"], row["license"]) == ("<p>", "x", "MIT")
    assert source.read_images(piece, [0]).to_pylist() == [{"bytes": b"1", "path": None}]


def test_pages_without_pictures_are_not_websight(write_parquet: WriteParquet) -> None:
    with pytest.raises(SchemaError, match="has no column 'image'"):
        list(WebSight(str(write_parquet("a.parquet", {"text": ["<p>"]}))).pieces(10))


def test_the_version_is_chosen_where_an_address_holds_both(hub: FakeHub, write_parquet: WriteParquet) -> None:
    page = {name: {"image": [b"1"], "text": [name]} for name in ("v0.1", "v0.2")}
    files = {name: write_parquet(f"{name}.parquet", columns).read_bytes() for name, columns in page.items()}
    hub.publish("org/both", {"data/train-0.parquet": files["v0.1"], "v0.2/train-0.parquet": files["v0.2"]})
    hub.publish("org/old", {"data/train-0.parquet": files["v0.1"]})
    hub.publish("org/new", {"v0.2/train-0.parquet": files["v0.2"]})

    def texts(source: WebSight) -> list[str]:
        return [text for piece in source.pieces(10) for text in source.read_texts(piece).column("text").to_pylist()]

    assert texts(WebSight("org/both")) == ["v0.2"]
    assert texts(WebSight("org/both", config="v0.1")) == ["v0.1"]
    assert texts(WebSight("org/old")) == ["v0.1"]
    with pytest.raises(AddressError, match=r"holds v0\.2 only"):
        texts(WebSight("org/new", config="v0.1"))


def test_a_piece_of_the_hub_is_read_in_another_process_at_its_commit(
    hub: FakeHub, write_parquet: WriteParquet, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_parquet("old.parquet", {"image": [b"1", b"2"], "text": ["a", "b"]})
    commit = hub.publish("org/pages", {"data/train-0.parquet": old.read_bytes()}, private=True)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    source = WebSight("org/pages")
    (piece,) = source.pieces(10)
    assert piece.revision == commit
    assert hub.token.encode() not in pickle.dumps((source, piece))
    hub.publish("org/pages", {"data/train-0.parquet": b"newer"}, private=True)
    answer = subprocess.run(
        [sys.executable, "-c", READ_IN_ANOTHER_PROCESS],
        input=pickle.dumps((source, piece)),
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.decode().splitlines() == ["['a', 'b']", "[{'bytes': b'2', 'path': None}]"]


def test_planning_needs_no_heavy_import() -> None:
    code = (
        "import sys, curation.sources.websight, curation.sources.pubtabnet, curation.sources.latex\n"
        "print({'huggingface_hub', 'torch', 'datasets', 'pandas'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "set()"
