"""Rows of any file, mapped by column: the same rows whatever holds them, and nothing read that should not be."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import AddressError, BadInputError, SchemaError
from curation.ingest import Ingest, ingest_piece, samples_path
from curation.sample import IMAGE_TYPE
from curation.sources import delimited, hashes, lines, webdataset
from curation.sources.latex import Latex
from curation.sources.mapped_files import MappedFiles
from curation.sources.source import Piece
from curation.sources.values import Place, picture_bytes
from curation.stages.canonical import CanonicalForm
from curation.stages.images import CheckImage
from curation.store import Workspace
from flows.recipe import parse_recipe
from tests.curation.making import png
from tests.hub.server import FakeHub

Rows = Sequence[tuple[str, bytes, str]]
"""(key, picture, text) of each row."""

ROWS: Rows = [
    ("a1", png("red"), "x^2"),
    ("a2", png("blue"), "\\frac{1}{2}, 3"),
    ("b3", png("green", (9, 5)), 'say "no"'),
    ("b4", png("black"), "two\nlines"),
    ("c5", png("white"), "α → β"),
]


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pictures_beside(folder: Path, rows: Rows) -> list[str]:
    (folder / "images").mkdir(parents=True)
    for key, picture, _ in rows:
        (folder / "images" / f"{key}.png").write_bytes(picture)
    return [f"images/{key}.png" for key, _, _ in rows]


def write_columns(folder: Path, rows: Rows, images: Any, name: str = "rows.parquet", column: str = "image") -> None:
    folder.mkdir(exist_ok=True)
    table = pa.table({"id": [key for key, _, _ in rows], column: images, "latex": [text for _, _, text in rows]})
    pq.write_table(table, folder / name, row_group_size=2)


def write_arrow(folder: Path, rows: Rows, images: pa.Array) -> None:
    folder.mkdir(exist_ok=True)
    table = pa.table({"id": [key for key, _, _ in rows], "image": images, "latex": [text for _, _, text in rows]})
    with pa.ipc.new_stream(folder / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_jsonl(
    folder: Path, rows: Rows, images: Sequence[Any], name: str = "rows.jsonl", column: str = "image"
) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({"id": key, column: image, "latex": text})
        for (key, _, text), image in zip(rows, images, strict=True)
    ]
    (folder / name).write_text("\n".join(lines) + "\n")


def write_csv(folder: Path, rows: Rows, images: Sequence[str], name: str = "rows.csv", column: str = "image") -> None:
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if name.endswith(".tsv") else ",")
        writer.writerow(["id", column, "latex"])
        writer.writerows((key, image, text) for (key, _, text), image in zip(rows, images, strict=True))


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", **header: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in header.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(data))


def write_tar(folder: Path, rows: Rows) -> None:
    folder.mkdir()
    with tarfile.open(folder / "shard-000.tar", "w") as tar:
        for key, picture, text in rows:
            add(tar, f"./{key}.png", picture)
            add(tar, f"./{key}.json", json.dumps({"id": key, "latex": text}).encode())


def struct_of(rows: Rows) -> pa.Array:
    return pa.array([{"bytes": picture, "path": None} for _, picture, _ in rows], IMAGE_TYPE)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "parquet of structs": lambda folder, rows: write_columns(folder, rows, struct_of(rows)),
    "parquet of bytes": lambda folder, rows: write_columns(folder, rows, [picture for _, picture, _ in rows]),
    "parquet of base64": lambda folder, rows: write_columns(folder, rows, [as_base64(data) for _, data, _ in rows]),
    "parquet of paths": lambda folder, rows: write_columns(folder, rows, pictures_beside(folder, rows)),
    "parquet of structs with paths": lambda folder, rows: write_columns(
        folder, rows, pa.array([{"bytes": None, "path": path} for path in pictures_beside(folder, rows)], IMAGE_TYPE)
    ),
    "arrow of structs": lambda folder, rows: write_arrow(folder, rows, struct_of(rows)),
    "arrow of paths": lambda folder, rows: write_arrow(folder, rows, pa.array(pictures_beside(folder, rows))),
    "arrow of structs with paths": lambda folder, rows: write_arrow(
        folder, rows, pa.array([{"bytes": None, "path": path} for path in pictures_beside(folder, rows)], IMAGE_TYPE)
    ),
    "jsonl of paths": lambda folder, rows: write_jsonl(folder, rows, pictures_beside(folder, rows)),
    "jsonl of base64": lambda folder, rows: write_jsonl(folder, rows, [as_base64(data) for _, data, _ in rows]),
    "jsonl of data URLs": lambda folder, rows: write_jsonl(
        folder, rows, [f"data:image/png;base64,{as_base64(data)}" for _, data, _ in rows]
    ),
    "jsonl of structs": lambda folder, rows: write_jsonl(
        folder, rows, [{"bytes": as_base64(data), "path": None} for _, data, _ in rows]
    ),
    "csv of paths": lambda folder, rows: write_csv(folder, rows, pictures_beside(folder, rows)),
    "csv of base64": lambda folder, rows: write_csv(folder, rows, [as_base64(data) for _, data, _ in rows]),
    "tsv": lambda folder, rows: write_csv(folder, rows, pictures_beside(folder, rows), "rows.tsv"),
    "tar": write_tar,
    "image folder, csv": lambda folder, rows: write_csv(
        folder, rows, pictures_beside(folder, rows), "metadata.csv", "file_name"
    ),
    "image folder, jsonl": lambda folder, rows: write_jsonl(
        folder, rows, pictures_beside(folder, rows), "metadata.jsonl", "file_name"
    ),
    "image folder, parquet": lambda folder, rows: write_columns(
        folder, rows, pictures_beside(folder, rows), "metadata.parquet", "file_name"
    ),
}


def source_of(folder: Path, **fields: Any) -> MappedFiles:
    known: dict[str, Any] = {"task": "formula_to_latex", "text_column": "latex", "key_column": "id"}
    return MappedFiles(str(folder), **(known | fields))


def rows_of(source: MappedFiles, rows_per_shard: int = 2) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def images_of(source: MappedFiles, rows_per_shard: int = 2) -> list[bytes | None]:
    found = []
    for piece in source.pieces(rows_per_shard):
        images = source.read_images(piece, range(piece.first_row, piece.first_row + piece.n_rows))
        assert images is not None
        found += [image and image["bytes"] for image in images.to_pylist()]
    return found


@pytest.mark.parametrize("container", WRITERS)
def test_the_same_rows_come_out_of_every_container(tmp_path: Path, container: str) -> None:
    WRITERS[container](tmp_path / "in", ROWS)
    source = source_of(tmp_path / "in")
    for rows_per_shard in (1, 2, 3, 100):
        rows = rows_of(source, rows_per_shard)
        assert [(row["source_key"], row["text"], row["reject_reason"]) for row in rows] == [
            (key, text, None) for key, _, text in ROWS
        ]
        assert [row["row"] for row in rows] == list(range(len(ROWS)))
        assert images_of(source, rows_per_shard) == [picture for _, picture, _ in ROWS]
    (piece,) = source.pieces(100)
    for wanted in ([3, 1], [4], [0, 2], []):  # in any order, and backwards after forwards
        images = source.read_images(piece, wanted)
        assert images is not None
        assert [image["bytes"] for image in images.to_pylist()] == [ROWS[row][1] for row in wanted]


def test_samples_do_not_tell_which_container_they_came_in(tmp_path: Path) -> None:
    samples, ids = [], set()
    for number, (container, write) in enumerate(WRITERS.items()):
        folder = tmp_path / str(number)
        write(folder, ROWS)
        workspace = Workspace(str(tmp_path / f"w{number}"))
        source = source_of(folder, task="image_to_caption", license="MIT")
        ingest = Ingest(source, (CanonicalForm("none"),), (CheckImage(),))
        shards = [ingest_piece(workspace, ingest, piece) for piece in source.pieces(2)]
        assert sum(shard.rows_kept for shard in shards) == len(ROWS), container
        made = pa.concat_tables(pq.read_table(tmp_path / f"w{number}" / samples_path(shard.key)) for shard in shards)
        ids |= set(made.column("id").to_pylist())
        samples.append(made.drop_columns(["id"]).to_pylist())
    assert all(made == samples[0] for made in samples)
    # paths in Parquet, JSONL, CSV or the metadata of a folder: other bytes, other ids
    assert len(ids) == len(ROWS) * len(WRITERS)


def test_real_formulas_are_read_as_their_own_source_reads_them(shared_data: Path) -> None:
    address = str(shared_data / "latex-im2markup" / "train-00000-of-00002.parquet")
    mapped, own = MappedFiles(address, "formula_to_latex"), Latex(address)
    for piece, other in zip(mapped.pieces(100), own.pieces(100), strict=True):
        assert mapped.read_texts(piece) == own.read_texts(other)
        rows = range(piece.first_row, piece.first_row + 20)
        assert mapped.read_images(piece, rows) == own.read_images(other, rows)


def test_a_tar_and_an_image_folder_are_read_as_datasets_reads_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    write_tar(tmp_path / "tar", ROWS)
    WRITERS["image folder, jsonl"](tmp_path / "folder", ROWS)
    tar = datasets.load_dataset(
        "webdataset", data_files=str(tmp_path / "tar" / "*.tar"), split="train", streaming=True
    ).cast_column("png", datasets.Image(decode=False))
    assert [(row["json"]["id"], row["png"]["bytes"], row["json"]["latex"]) for row in tar] == list(ROWS)
    folder = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "folder"), split="train", streaming=True
    ).cast_column("image", datasets.Image(decode=False))
    by_key = {row["id"]: (row["image"], row["latex"]) for row in folder}
    assert {key: text for key, (_, text) in by_key.items()} == {key: text for key, _, text in ROWS}
    assert rows_of(source_of(tmp_path / "tar")) == [
        row | {"source_key": row["source_key"]} for row in rows_of(source_of(tmp_path / "folder"))
    ]


def test_keys_licences_and_contexts_are_columns_too(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "text": "a dog", "n": 7, "by": "CC0", "title": "Dogs"},
        {"image": "b.png", "text": ["a cat"], "n": None, "by": None},
        {"image": "c.png", "text": ["a", "b"], "n": 9},
        {"image": "d.png", "text": 3, "n": True},
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = MappedFiles(
        str(tmp_path), "image_to_caption", key_column="n", license_column="by", context_column="title", license="MIT"
    )
    assert [
        [row[name] for name in ("source_key", "license", "context", "text", "reject_reason")] for row in rows_of(source)
    ] == [
        ["7", "CC0", "Dogs", "a dog", None],
        ["x.jsonl:1", "MIT", None, "a cat", None],
        ["9", "MIT", None, None, "annotation_broken"],
        ["x.jsonl:3", "MIT", None, None, "annotation_broken"],
    ]


# What a user may have got wrong


@pytest.mark.parametrize(
    "container", ["parquet of structs", "arrow of structs", "jsonl of paths", "csv of paths", "tar"]
)
def test_a_wrong_column_is_told_with_the_nearest_there_is(tmp_path: Path, container: str) -> None:
    WRITERS[container](tmp_path / "in", ROWS)
    with pytest.raises(SchemaError, match=r"has no column 'latx'\. Did you mean 'latex'\? It has: .*latex"):
        rows_of(source_of(tmp_path / "in", text_column="latx"))
    with pytest.raises(SchemaError, match=r"has no column 'picture'\. It has: "):
        rows_of(source_of(tmp_path / "in", image_column="picture"))


def test_a_column_of_another_type_is_an_error_of_an_arrow_file(tmp_path: Path) -> None:
    write_arrow(tmp_path / "in", [("a", b"", "x")], pa.array([3]))
    with pytest.raises(SchemaError, match="'image' .* holds no images but int64"):
        rows_of(source_of(tmp_path / "in"))
    with pytest.raises(SchemaError, match="'image' .* holds no text but int64"):
        rows_of(source_of(tmp_path / "in", text_column="image", image_column=""))


def test_a_column_of_another_type_is_an_error_of_the_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [1, 2], "text": [0.5, 1.5], "at": [0.5, 0.5]}), tmp_path / "a.parquet")
    source = MappedFiles(str(tmp_path), "image_to_caption", text_column="text")
    with pytest.raises(SchemaError, match="'text' .* holds no text but double"):
        rows_of(source)
    pq.write_table(pa.table({"image": [1, 2], "text": ["a", "b"], "at": [0.5, 0.5]}), tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="'image' .* holds no images but int64"):
        rows_of(source)
    with pytest.raises(SchemaError, match="'at' .* holds no names but double"):
        rows_of(replace(source, image_column="", task="table_to_html", key_column="at"))


def test_files_of_several_kinds_have_to_be_told_apart(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in", ROWS[:1], ["x.png"])
    write_csv(tmp_path / "in", ROWS, ["x.png"] * 5)
    with pytest.raises(AddressError, match=r"several kinds\. Set format to one of csv, jsonl"):
        rows_of(source_of(tmp_path / "in"))
    assert len(rows_of(source_of(tmp_path / "in", format="csv"))) == 5
    assert len(rows_of(source_of(tmp_path / "in", format="jsonl"))) == 1
    with pytest.raises(AddressError, match="holds no parquet file"):
        rows_of(source_of(tmp_path / "in", format="parquet"))
    with pytest.raises(AddressError, match=r"no metadata\. Write metadata.jsonl with file_name and latex"):
        rows_of(source_of(tmp_path / "in", format="imagefolder"))


def test_an_image_folder_is_its_metadata_and_not_the_other_tables_beside_it(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.png").write_bytes(png("red" if split == "train" else "blue"))
        (tmp_path / split / "metadata.csv").write_text(f"file_name,text\na.png,{split}\n")
    (tmp_path / "notes.jsonl").write_text("{}\n")
    source = MappedFiles(str(tmp_path), "image_to_caption")
    assert [row["text"] for row in rows_of(source)] == ["train", "test"]
    assert images_of(source) == [png("red"), png("blue")]
    assert [row["text"] for row in rows_of(replace(source, split="test"))] == ["test"]


def test_without_a_column_of_pictures_the_text_is_rendered_unless_it_is_a_caption(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n")
    source = MappedFiles(str(tmp_path), "formula_to_latex", image_column="")
    (piece,) = source.pieces(10)
    assert source.read_images(piece, [0]) is None
    with pytest.raises(BadInputError, match="picture cannot be rendered"):
        next(replace(source, task="image_to_caption").pieces(10))


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.tar", b"", "cannot be read as a tar"),
        ("a.tar", gzip.compress(b"tar" * 1000, mtime=0), "cannot be read as a tar"),
        ("a.tar", b"\xff" * 2048, "cannot be read as a tar"),
        ("a.parquet", b"", "cannot be read as Parquet"),
        ("a.csv", b"", "is empty"),
        ("a.jsonl", b"", "is empty"),
        ("a.tar.gz", b"", "holds no .* file"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_is_one_line(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInputError, match=problem) as raised:
        list(source_of(tmp_path).pieces(2))
    assert "\n" not in str(raised.value)
    assert raised.value.mend


def test_a_recipe_names_the_source_and_its_columns() -> None:
    plain = {
        "name": "handwriting",
        "sources": [{"type": "files", "address": "here", "task": "formula_to_latex", "text_column": "latex"}],
        "tokens": {"tokenizer": "t", "max_seq_length": 9},
    }
    (entry,) = parse_recipe(plain, "test").sources
    assert entry.build() == MappedFiles("here", "formula_to_latex", text_column="latex")
    with pytest.raises(BadInputError, match="task"):
        parse_recipe(plain | {"sources": [{"type": "files", "address": "here"}]}, "test")


# Rows that are broken


def test_a_broken_line_spoils_its_row_only(tmp_path: Path) -> None:
    good = '{"id": "a", "image": "a.png", "latex": "x"}'
    lines = [good, "{", "", "[1]", '{"latex": "\\ud800", "image": ""}', '{"image": "a.png"}', "[" * 100_000, good]
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode() + b'\n\xff{"latex": 1}\n')
    rows = rows_of(source_of(tmp_path), rows_per_shard=4)
    broken = "annotation_broken"
    assert [row["reject_reason"] for row in rows] == [
        *(None, broken, broken, broken, "text_not_utf8", "text_missing", broken, None, "text_not_utf8"),
    ]
    assert images_of(source_of(tmp_path)) == [None] * 9


def test_a_broken_record_of_a_csv_spoils_its_row_only(tmp_path: Path) -> None:
    body = [b'a,"x\ny",p', b"b,x", b"c,x,p,q", b"", b"d,\xff,p", b'e,"say ""no""",p', b"f,x\ry,p", b'g,5" pipe,p']
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,latex,image\r\n" + b"\r\n".join(body))
    for rows_per_shard in (1, 3, 100):
        rows = rows_of(source_of(tmp_path), rows_per_shard)
        assert [(row["text"], row["reject_reason"]) for row in rows] == [
            ("x\ny", None),
            (None, "annotation_broken"),
            (None, "annotation_broken"),
            (None, "text_missing"),
            (None, "text_not_utf8"),
            ('say "no"', None),
            (None, "annotation_broken"),
            ('5" pipe', None),
        ]


def test_a_quote_that_is_never_closed_costs_a_bounded_part_of_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 1000)
    lines = [b"%d,x,p" % number for number in range(500)]
    lines[3] = b'3,"x,p'
    (tmp_path / "a.csv").write_bytes(b"id,latex,image\n" + b"\n".join([*lines, b"y" * 5000 + b",x,p", b"last,z,p"]))
    rows = rows_of(source_of(tmp_path), rows_per_shard=50)
    assert [row["text"] for row in rows[:3]] == ["x"] * 3
    assert rows[3]["reject_reason"] == "markup_too_large"
    assert [row["reject_reason"] for row in rows[-2:]] == ["markup_too_large", None]
    n_swallowed = 502 - len(rows)
    assert 0 < n_swallowed * len(b"100,x,p\n") < 1100


@pytest.mark.parametrize(("delimiter", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv")])
def test_the_header_tells_what_separates_fields(tmp_path: Path, delimiter: str, name: str) -> None:
    (tmp_path / name).write_text(
        f"id{delimiter}latex{delimiter}image\n1{delimiter}x, y; z{delimiter}p\n".replace(", y; z", " y")
    )
    assert [row["text"] for row in rows_of(source_of(tmp_path))] == ["x y"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=9), st.integers(1, 10))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory: Any, cells: Any, rows_per_shard: int) -> None:
    folder = tmp_path_factory.mktemp("csv")
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("id", "latex"), *cells])
    rows = rows_of(source_of(folder, image_column=""), rows_per_shard)
    assert [row["text"] for row in rows] == [text for _, text in cells]


# Pictures told by their path


@pytest.mark.parametrize(
    "reference",
    [
        "../secret.png",
        "/etc/hostname",
        "a/../../secret.png",
        "..\\secret.png",
        "file:///etc/hostname",
        "x" * 999 + ".png",
        "a\0b",
    ],
)
def test_a_picture_outside_the_root_is_refused(tmp_path: Path, reference: str) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    write_jsonl(tmp_path / "in", ROWS[:1], [reference])
    source = source_of(tmp_path / "in")
    (row,) = rows_of(source)
    assert (row["reject_reason"], row["text"], row["reject_excerpt"]) == ("image_path_unsafe", None, "x^2")
    assert images_of(source) == [None]


def test_a_picture_may_lie_anywhere_below_the_address(tmp_path: Path) -> None:
    (tmp_path / "in" / "pictures").mkdir(parents=True)
    (tmp_path / "in" / "pictures" / "a.png").write_bytes(png())
    references = ["../pictures/a.png", "./../pictures/./a.png", "../missing.png", "", None, "../pictures", 3]
    write_jsonl(tmp_path / "in" / "lists", [ROWS[0]] * len(references), references)
    assert images_of(source_of(tmp_path / "in")) == [png(), png(), None, None, None, None, None]
    assert {row["reject_reason"] for row in rows_of(source_of(tmp_path / "in"))} == {None}
    # with the list alone as the address, its own folder is the root
    alone = rows_of(source_of(tmp_path / "in" / "lists" / "rows.jsonl"))
    assert [row["reject_reason"] for row in alone[:3]] == ["image_path_unsafe"] * 3


def test_a_web_address_is_not_fetched(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in", ROWS[:1], ["https://example.org/a.png"])
    (row,) = rows_of(source_of(tmp_path / "in"))
    assert (row["reject_reason"], row["reject_detail"]) == ("image_missing", "a web address: fetch the pictures first")


def test_base64_that_is_none_is_an_unreadable_picture_and_not_a_missing_one() -> None:
    place = Place("/data/a.jsonl", "/data")
    assert picture_bytes("data:image/png;base64,!!!", place) == b"data:image/png;base64,!!!"
    urlsafe = base64.urlsafe_b64encode(bytes(range(250, 256)) * 20).decode().rstrip("=")
    assert picture_bytes(urlsafe, place) == bytes(range(250, 256)) * 20


def test_pictures_that_come_later_are_taken_up(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in", ROWS, pictures_beside(tmp_path / "in", ROWS))
    (tmp_path / "in" / "images" / "b3.png").unlink()
    source = source_of(tmp_path / "in")

    def keys() -> list[str]:
        return [Ingest(source, (), ()).shard_key(piece) for piece in source.pieces(2)]

    before = keys()
    assert images_of(source)[2] is None
    (tmp_path / "in" / "images" / "b3.png").write_bytes(ROWS[2][1])
    assert [old == new for old, new in zip(before, keys(), strict=True)] == [True, False, True]
    assert images_of(source)[2] == ROWS[2][1]


def test_a_text_pass_over_the_wire_fetches_no_picture(tmp_path: Path, hub: FakeHub) -> None:
    write_jsonl(tmp_path / "in", ROWS, pictures_beside(tmp_path / "in", ROWS))
    files = {path.relative_to(tmp_path / "in").as_posix(): path.read_bytes() for path in (tmp_path / "in").rglob("*.*")}
    hub.publish("me/handwriting", files)
    source = replace(source_of(tmp_path), address="me/handwriting")
    local = source_of(tmp_path / "in")
    assert rows_of(source) == rows_of(local)
    assert hub.bytes_sent(r"\.png") == 0
    assert images_of(source) == images_of(local)
    hub.publish(
        "me/tars", {"a.tar": (write_tar(tmp_path / "tar", ROWS), (tmp_path / "tar/shard-000.tar").read_bytes())[1]}
    )
    assert images_of(replace(source, address="me/tars")) == images_of(local)


# Archives


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tarfile.TarFile]:
    """An archive `in/a.tar` to be filled, with a good row before and after; nothing may be written by reading it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    with tarfile.open(tmp_path / "in" / "a.tar", "w") as tar:
        add(tar, "first.png", png("red"))
        add(tar, "first.txt", b"first")
        yield tar
    assert os.listdir(tmp_path / "cwd") == []  # noqa: PTH208


def finish(tar: tarfile.TarFile) -> MappedFiles:
    add(tar, "last.png", png("blue"))
    add(tar, "last.txt", b"last")
    tar.close()
    return MappedFiles(str(Path(str(tar.name)).parent), "image_to_caption")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("../escaped.txt", {}),
        ("/tmp/escaped.txt", {}),
        ("a/../../escaped.txt", {}),
        ("a\\..\\escaped.txt", {}),
        ("link.txt", {"type": tarfile.SYMTYPE, "linkname": "/etc/hostname"}),
        ("link.txt", {"type": tarfile.LNKTYPE, "linkname": "first.txt"}),
        ("device.txt", {"type": tarfile.CHRTYPE}),
        ("device.txt", {"type": tarfile.BLKTYPE}),
        ("pipe.txt", {"type": tarfile.FIFOTYPE}),
    ],
)
def test_a_member_that_could_do_harm_spoils_its_row(
    archive: tarfile.TarFile, name: str, header: dict[str, Any]
) -> None:
    stem = name.rpartition(".")[0]
    add(archive, f"{stem}.png", png())
    add(archive, name, b"" if header else b"harm", **header)
    source = finish(archive)
    rows = rows_of(source, rows_per_shard=10)
    assert [row["text"] for row in rows] == ["first", None, "last"]
    assert rows[1]["reject_reason"] == "member_unsafe"
    assert rows[1]["reject_detail"]


def test_what_an_archive_lacks_or_has_twice_is_a_reject(archive: tarfile.TarFile, monkeypatch: Any) -> None:
    add(archive, "folder", type=tarfile.DIRTYPE)
    add(archive, "._a.txt", b"what a Mac leaves behind")
    add(archive, "no_text.png", png())
    add(archive, "no_image.txt", b"no image")
    add(archive, "twice.txt", b"1")
    add(archive, "twice.txt", b"2")
    add(archive, "bad.json", b"{")
    add(archive, "large.txt", b"large")
    add(archive, "large.png", b"x" * 9000)
    monkeypatch.setattr(webdataset, "MAX_IMAGE_BYTES", 8000)
    rows = rows_of(finish(archive), rows_per_shard=3)
    assert [(row["source_key"], row["reject_reason"]) for row in rows] == [
        ("first", None),
        ("no_text", "text_missing"),
        ("no_image", None),  # an image_missing reject once pictures are asked for
        ("twice", "annotation_broken"),
        ("bad", "annotation_broken"),
        ("large", "image_too_large"),
        ("last", None),
    ]


@pytest.mark.parametrize("keep", [0.5, 0.777, 0.9])
def test_an_archive_that_is_cut_is_an_error_after_its_whole_pieces(tmp_path: Path, keep: float) -> None:
    write_tar(tmp_path / "in", [(f"r{number}", png(), "x") for number in range(300)])
    path = tmp_path / "in" / "shard-000.tar"
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data[: int(len(data) * keep)])
    pieces: list[Piece] = []
    with pytest.raises(SchemaError, match="tar"):
        pieces.extend(source_of(tmp_path / "in").pieces(2))
    source = source_of(tmp_path / "in")
    found = source.pieces(2)
    first = next(found)
    assert [row["reject_reason"] for row in source.read_texts(first).to_pylist()] == [None, None]


def test_a_damaged_header_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    write_tar(tmp_path / "in", ROWS)
    path = tmp_path / "in" / "shard-000.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"./b3.json")
    data[at : at + 200] = b"\x99" * 200
    path.write_bytes(data)
    with pytest.raises(SchemaError, match=r"damaged at byte \d+|cannot be read as a tar at byte"):
        list(source_of(tmp_path / "in").pieces(1))


@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_headers_that_lie_about_their_size_are_refused(
    tmp_path: Path, kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "_CHUNK_BYTES", 256 * 1024)
    (tmp_path / "in").mkdir()
    header = bytearray(tarfile.TarInfo("a.txt").tobuf())
    header[156:157] = kind
    header[124:136] = b"77777777777\0"  # 8 GB
    checksum = sum(header[:148]) + 8 * 32 + sum(header[156:512])
    header[148:156] = b"%06o\0 " % checksum
    (tmp_path / "in" / "a.tar").write_bytes(bytes(header) * 3000)
    tracemalloc.start()
    with pytest.raises(SchemaError, match="cannot be read as a tar"):
        list(source_of(tmp_path / "in").pieces(2))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_crash_the_reader_of_archives(tmp_path_factory: Any, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=data.draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    ) as tar:
        add(tar, "a.txt", b"a")
        add(tar, "long" * 60 + "é.txt", b"b")
        add(tar, "c.json", b'{"text": "c"}')
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 6000))
        raw[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
    folder = tmp_path_factory.mktemp("tar")
    (folder / "a.tar").write_bytes(raw)
    source = MappedFiles(str(folder), "formula_to_latex", image_column="")
    try:
        rows = rows_of(source)
    except SchemaError:
        return
    assert all((row["text"] is None) == (row["reject_reason"] is not None) for row in rows)


# Size


@pytest.mark.parametrize("container", ["jsonl of base64", "csv of base64", "tar"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (hashes, lines):
        monkeypatch.setattr(module, "_CHUNK_BYTES", 256 * 1024)
    picture = os.urandom(30_000)
    WRITERS[container](tmp_path / "in", [(f"r{number}", picture, "x") for number in range(600)])
    source = source_of(tmp_path / "in")
    size = sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    assert size > 18_000_000
    source.read_texts(next(source.pieces(1)))  # imports what is imported at first use
    tracemalloc.start()
    for piece in source.pieces(100):
        assert source.read_texts(piece).num_rows == 100
        for first in range(piece.first_row, piece.first_row + piece.n_rows, 20):
            images = source.read_images(piece, range(first, min(first + 20, piece.first_row + piece.n_rows)))
            assert images is not None
            assert images.null_count == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_500_000


def test_a_limit_leaves_what_comes_after_unread(tmp_path: Path) -> None:
    write_jsonl(tmp_path, ROWS, ["x.png"] * 5, "a.jsonl")
    (tmp_path / "b.jsonl").write_text('{"something": "else"}\n')
    found = source_of(tmp_path).pieces(2)
    assert [next(found).first_row for _ in range(3)] == [0, 2, 4]
    with pytest.raises(SchemaError, match="has no column"):
        next(found)
