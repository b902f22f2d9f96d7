"""PubTabNet in both its forms gives the same tables and pictures; what does not weave is rejected, never lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.reasons import Reason, Reject
from curation.sources.pubtabnet import PubTabNet, weave
from curation.sources.source import Piece
from tests.hub.server import FakeHub

WriteParquet = Callable[..., Path]


def rows_of(source: PubTabNet, rows_per_shard: int = 7) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def images_of(source: PubTabNet, rows_per_shard: int = 7) -> list[bytes | None]:
    found = []
    for piece in source.pieces(rows_per_shard):
        images = source.read_images(piece, range(piece.first_row, piece.first_row + piece.n_rows))
        assert images is not None
        found += [image and image["bytes"] for image in images.to_pylist()]
    return found


def html(structure: list[str], *cells: list[str]) -> dict[str, Any]:
    return {"structure": {"tokens": structure}, "cells": [{"tokens": cell} for cell in cells]}


def table_of(*cells: list[str]) -> dict[str, Any]:
    return html(["<tr>", *["<td>", "</td>"] * len(cells), "</tr>"], *cells)


def annotation(filename: str = "a.png", split: str = "train", text: str = "x") -> dict[str, Any]:
    return {"filename": filename, "split": split, "imgid": 1, "html": table_of([text])}


@pytest.fixture
def original(tmp_path: Path) -> Callable[..., PubTabNet]:
    """A folder in the original form: lines of JSONL (objects or raw bytes), and pictures by name."""

    def write(lines: list[dict[str, Any] | bytes], pictures: dict[str, bytes] | None = None) -> PubTabNet:
        root = tmp_path / "pubtabnet"
        root.mkdir()
        data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        (root / "PubTabNet.jsonl").write_bytes(b"\n".join(data) + b"\n")
        for name, picture in (pictures or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(picture)
        return PubTabNet(str(root))

    return write


def test_both_forms_of_the_real_tables_are_equal(shared_data: Path) -> None:
    parquet = PubTabNet(str(shared_data / "pubtabnet-html"))
    original = PubTabNet(str(shared_data / "pubtabnet-raw"))
    assert rows_of(original) == rows_of(parquet)
    assert len(rows_of(original)) == 20
    assert images_of(original) == images_of(parquet)
    assert None not in images_of(original)


@pytest.mark.parametrize(("folder", "n_rows"), [("pubtabnet-markup-only", 111), ("fintabnet-markup-only", 99)])
def test_tables_without_pictures_are_to_be_rendered(shared_data: Path, folder: str, n_rows: int) -> None:
    source = PubTabNet(str(shared_data / folder))
    rows = rows_of(source)
    assert len(rows) == len({row["source_key"] for row in rows}) == n_rows
    assert all(row["text"].lstrip().startswith("<") and row["reject_reason"] is None for row in rows)
    assert all(source.read_images(piece, [piece.first_row]) is None for piece in source.pieces(50))


def test_cells_are_woven_into_the_structure_with_their_spans() -> None:
    structure = ["<thead>", "<tr>", "<td", ' colspan="2"', ">", "</td>", "</tr>", "</thead>"]
    structure += ["<tbody>", "<tr>", "<td>", "</td>", "<td></td>", "</tr>", "</tbody>"]
    assert weave(html(structure, ["<b>", "A", "</b>"], [], ["1", "."])) == (
        '<html><body><table><thead><tr><td colspan="2"><b>A</b></td></tr></thead>'
        "<tbody><tr><td></td><td>1.</td></tr></tbody></table></body></html>"
    )


def test_text_that_html_would_read_as_markup_is_escaped_and_other_text_left() -> None:
    cells = [
        ["x", "<", "y"],
        ["p", " ", "<", "0"],
        ["R", "&", "D"],
        ["a", " ", "&", " ", "b"],
        ["<i>", "<", "/", "</i>"],
    ]
    woven = weave(table_of(*cells))
    assert isinstance(woven, str)
    assert woven.removeprefix("<html><body><table><tr><td>").split("</td>")[0] == "x&lt;y"
    assert "<td>p <0</td><td>R&amp;D</td><td>a & b</td><td><i>&lt;/</i></td>" in woven


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"structure": {"tokens": []}},
        {"structure": None, "cells": []},
        {"structure": {"tokens": ["<td>", 3]}, "cells": []},
        {"structure": {"tokens": ["<td>", "</td>"]}, "cells": [{"bbox": [1, 2, 3, 4]}]},
        {"structure": {"tokens": ["<td>", "</td>"]}, "cells": [{"tokens": [None]}]},
        html(["<td>", "</td>"], ["a"], ["b"]),
        html(["<td>", "</td>", "<td>", "</td>"], ["a"]),
    ],
)
def test_tokens_that_do_not_weave_are_rejected(broken: object) -> None:
    woven = weave(broken)
    assert isinstance(woven, Reject)
    assert woven.reason is Reason.ANNOTATION_BROKEN
    assert woven.detail


def test_a_bad_line_is_a_reject_and_the_lines_around_it_are_read(original: Callable[..., PubTabNet]) -> None:
    bad: list[dict[str, Any] | bytes] = [b"{", b"", b"[1]", b"\xff\xfe{}", b"[" * 100_000]
    bad += [{**annotation(), "html": table_of(["\ud800"])}, {**annotation("\ud800.png"), "html": None}]
    source = original([annotation(text="first"), *bad, annotation(text="last")])
    rows = rows_of(source, rows_per_shard=3)
    assert [row["row"] for row in rows] == list(range(len(bad) + 2))
    assert [row["reject_reason"] for row in rows] == [
        None,
        "annotation_broken",
        "annotation_broken",
        "annotation_broken",
        "text_not_utf8",
        "annotation_broken",
        "text_not_utf8",  # half a surrogate pair, spelled in JSON
        "annotation_broken",
        None,
    ]
    assert "first" in rows[0]["text"]
    assert "last" in rows[-1]["text"]
    assert len(images_of(source)) == len(rows)


def test_a_picture_is_found_beside_the_list_or_in_a_folder_of_its_split(original: Callable[..., PubTabNet]) -> None:
    pictures = {"a.png": b"A", "train/b.png": b"B", "val/c.png": b"C"}
    names = ["a.png", "b.png", "c.png", "train/b.png", "missing.png"]
    source = original([annotation(name) for name in names], pictures)
    assert images_of(source) == [b"A", b"B", b"C", b"B", None]
    (piece,) = source.pieces(10)
    images = source.read_images(piece, [4, 2, 0])
    assert images is not None
    assert [image and image["bytes"] for image in images.to_pylist()] == [None, b"C", b"A"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "train/../../secret.png", "", "x" * 5000, 3, None])
def test_a_picture_outside_the_folder_is_refused(original: Callable[..., PubTabNet], name: object) -> None:
    source = original([{**annotation(), "filename": name}])
    (Path(source.address).parent / "secret.png").write_bytes(b"secret")
    (row,) = rows_of(source)
    assert (row["reject_reason"], row["text"]) == ("annotation_broken", None)
    assert images_of(source) == [None]


def test_a_split_is_asked_for_by_row_and_by_file(
    original: Callable[..., PubTabNet], write_parquet: WriteParquet, tmp_path: Path
) -> None:
    source = original([annotation("a.png", "train"), annotation("b.png", "val"), annotation("c.png", "test")])
    for split, kept in {"train": [0], "val": [1], "validation": [1], "all": [0, 1, 2]}.items():
        rows = rows_of(replace(source, split=split))
        assert [row["row"] for row in rows if row["reject_reason"] is None] == kept
        assert {row["reject_reason"] for row in rows} <= {None, "other_split"}
    for split in ("train", "validation"):
        write_parquet(f"hub/data/{split}-0.parquet", {"html_table": [split], "imgid": [5]})
    assert [row["text"] for row in rows_of(PubTabNet(str(tmp_path / "hub"), split="val"))] == ["validation"]
    assert [row["text"] for row in rows_of(PubTabNet(str(tmp_path / "hub")))] == ["train"]


def test_a_row_is_known_by_the_name_that_its_file_has(write_parquet: WriteParquet) -> None:
    def key(**columns: object) -> str:
        path = write_parquet("t.parquet", {"html_table": ["<table>"], **columns})
        return str(rows_of(PubTabNet(str(path)))[0]["source_key"])

    assert key(filename=["PMC1.png"], imgid=[7]) == "PMC1.png"
    assert key(imgid=[7]) == "7"
    assert key(name=["n"]) == "n"
    assert key() == "t.parquet:0"


def test_the_original_form_is_read_from_the_hub(shared_data: Path, hub: FakeHub) -> None:
    folder = shared_data / "pubtabnet-raw"
    hub.publish("org/raw", {path.name: path.read_bytes() for path in folder.iterdir()})
    source, local = PubTabNet("org/raw"), PubTabNet(str(folder))
    assert rows_of(source) == rows_of(local)
    pieces: list[Piece] = list(source.pieces(7))
    hub.requests.clear()
    images = source.read_images(pieces[1], [8, 13])
    assert images is not None
    assert [image["bytes"] for image in images.to_pylist()] == [images_of(local)[8], images_of(local)[13]]
    assert hub.bytes_sent(r"\.png") == sum(len(image["bytes"]) for image in images.to_pylist())


def test_a_folder_in_the_place_of_a_picture_is_no_picture(original: Callable[..., PubTabNet]) -> None:
    source = original([annotation("a.png")])
    (Path(source.address) / "a.png").mkdir()
    assert images_of(source) == [None]
    shutil.rmtree(Path(source.address) / "a.png")
