"""Captions: a sample for each or one for all, whatever shape the column has; presets take what distilvit's merge took.

Its leaks are left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc

from curation.errors import AddressError, SchemaError
from curation.reasons import Reason, Reject
from curation.sources.caption_shapes import objects_in, texts_in
from curation.sources.captions import PRESETS, Captions
from curation.stage import Batch
from tests.curation.making import png
from tests.curation.sources.building import build, tokens
from tests.hub.server import FakeHub

WriteParquet = Callable[..., Path]


def rows_of(source: Captions, rows_per_shard: int = 100) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def texts_of(source: Captions) -> list[str | None]:
    return [row["text"] for row in rows_of(source)]


def pictures(n: int) -> list[bytes]:
    return [png(f"#{index:06x}") for index in range(n)]


def write_arrow(path: Path, columns: dict[str, object], batch_rows: int = 2, kind: str = "stream") -> Path:
    """As `datasets` saves a data set: record batches of a few rows."""
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = ipc.new_stream if kind == "stream" else ipc.new_file
    with new(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return path


def test_real_captions_are_a_sample_each(shared_data: Path) -> None:
    source = Captions(address=str(shared_data / "coco-captions"))
    rows = rows_of(source, 30)
    assert len(rows) == 390
    assert len({(row["row"], row["sub_key"]) for row in rows}) == 390
    by_picture: dict[str, int] = defaultdict(int)
    for row in rows:
        by_picture[row["source_key"]] += 1
        assert row["text"]
        assert row["reject_reason"] is None
        assert row["objects"]
        assert all(isinstance(name, str) for name in row["objects"])
    assert (len(by_picture), set(by_picture.values())) == (78, {5})


def test_real_captions_joined_are_a_sample_for_each_picture(shared_data: Path) -> None:
    rows = rows_of(Captions(address=str(shared_data / "coco-captions"), captions="joined"))
    assert len(rows) == 78
    assert rows[0]["text"].startswith("Living room decorated for Christmas with gifts galore. a living room with many")
    assert rows[0]["sub_key"] == ""


def test_real_captions_become_a_release_in_which_no_picture_straddles_splits(shared_data: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    source = Captions(address=str(shared_data / "coco-captions"), n_rows=20)
    built = build(source, tmp_path / "w", carry=("n_tokens", "objects", "original_caption"))
    assert (len(built.samples), built.rejects) == (100, [])
    with tokens().open() as count:
        table = pa.table({"task": ["image_to_caption"], "text": [built.samples[0]["text"]]})
        (expected,) = count(Batch(table)).columns["n_tokens"].to_pylist()
    splits = load_dataset(built.release.path, cache_dir=str(tmp_path / "cache"))
    split_of: dict[str, set[str]] = defaultdict(set)
    found = {}
    for split, dataset in splits.items():
        for row in dataset.remove_columns("image"):
            split_of[row["source_key"]].add(split)
            found[row["id"]] = row
    assert len(split_of) == 20
    assert {len(names) for names in split_of.values()} == {1}
    first = found[built.samples[0]["id"]]
    assert first["n_tokens"] == expected > 5  # the caption in its conversation, not the caption alone
    assert first["objects"] == built.samples[0]["objects"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("a dog", ["a dog"]),
        (b"a dog", ["a dog"]),
        (["a dog", "a cat"], ["a dog", "a cat"]),
        ('["a dog", "a cat"]', ["a dog", "a cat"]),
        ("['a dog', \"a cat's\"]", ["a dog", "a cat's"]),
        ("[sic] a dog", ["[sic] a dog"]),
        ("[1, 2]", ["[1, 2]"]),
        ("[unreadable]", ["[unreadable]"]),
        ({"raw": "a dog", "sentid": 3}, ["a dog"]),
        ([{"raw": "a dog", "sentid": 3}, {"raw": "a cat", "sentid": 4}], ["a dog", "a cat"]),
        ({"string": None, "list": ["a dog", "a cat"]}, ["a dog", "a cat"]),
        ({"anything": "a dog", "other": None}, ["a dog"]),
        ([["a dog"], ["a cat"]], ["a dog", "a cat"]),
        (None, [Reject(Reason.TEXT_MISSING)]),
        ([], [Reject(Reason.TEXT_MISSING, "no caption")]),
        (["a dog", None], ["a dog", Reject(Reason.TEXT_MISSING)]),
        (b"\xff", [Reject(Reason.TEXT_NOT_UTF8, "byte 0 of 1")]),
        ("\ud800", [Reject(Reason.TEXT_NOT_UTF8, "byte 0 of 3")]),
        (7, [Reject(Reason.ANNOTATION_BROKEN, "int where a caption is expected")]),
        ({"a": "x", "b": "y"}, [Reject(Reason.ANNOTATION_BROKEN, "a struct without a caption")]),
    ],
)
def test_a_caption_is_found_in_any_shape(value: object, texts: list[str | Reject]) -> None:
    assert texts_in(value) == texts


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["dog", "cat"], ["dog", "cat"]),
        ("dog, hair drier;cat", ["dog", "hair drier", "cat"]),
        ([{"name": "dog"}, {"name": "cat"}], ["dog", "cat"]),
        ('["dog", "cat"]', ["dog", "cat"]),
        ([], []),
        (None, None),
    ],
)
def test_objects_are_found_in_any_shape(value: object, names: list[str] | None) -> None:
    assert objects_in(value) == names


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a dog", "a cat"]),
        pa.array(["a dog", "a cat"], pa.large_string()),
        pa.array(["a dog", "a cat"]).dictionary_encode(),
        pa.array([["a dog"], ["a cat"]]),
        pa.array([["a dog"], ["a cat"]], pa.large_list(pa.large_string())),
        pa.array([{"raw": "a dog", "id": 1}, {"raw": "a cat", "id": 2}]),
        pa.array([[{"raw": "a dog"}], [{"raw": "a cat"}]]),
        pa.array(['["a dog"]', "a cat"]),
    ],
)
def test_a_column_of_any_type_is_read_from_every_kind_of_file(
    column: pa.Array, write_parquet: WriteParquet, tmp_path: Path
) -> None:
    columns = {"image": pictures(2), "caption": column}
    paths = [write_parquet("a.parquet", columns)]
    if not pa.types.is_dictionary(column.type):  # `datasets` saves none
        paths += [write_arrow(tmp_path / f"{kind}.arrow", columns, 1, kind) for kind in ("stream", "file")]
    assert [texts_of(Captions(address=str(path))) for path in paths] == [["a dog", "a cat"]] * len(paths)


def test_each_caption_keeps_its_original_and_its_own_id(write_parquet: WriteParquet) -> None:
    columns = {
        "image": pictures(2),
        "alt_text": [["a person", "a child"], ["a dog"]],
        "original_alt_text": [["a man", "a boy"], ["a fat dog", "one dog"]],
    }
    rows = rows_of(Captions(address=str(write_parquet("a.parquet", columns))))
    assert [(r["row"], r["sub_key"], r["text"], r["original_caption"]) for r in rows] == [
        (0, "0", "a person", "a man"),
        (0, "1", "a child", "a boy"),
        (1, "0", "a dog", "a fat dog"),
    ]


def test_joined_captions_are_sentences_without_those_that_cannot_be_read(write_parquet: WriteParquet) -> None:
    columns = {"image": pictures(3), "caption": [["a dog ", "A cat.", None, " "], [None], []]}
    rows = rows_of(Captions(address=str(write_parquet("a.parquet", columns)), captions="joined"))
    assert [(row["text"], row["reject_reason"]) for row in rows] == [
        ("a dog. A cat.", None),
        (None, "text_missing"),
        (None, "text_missing"),
    ]


def test_what_datasets_saves_is_read_shard_by_shard(tmp_path: Path) -> None:
    """As in Mozilla/coco-gpt4o: a folder for each split, `alt_text` a list in one shard and a string in another."""
    from datasets import Dataset, Features, Image, List, Value

    for name, feature, texts in (
        ("a", List(Value("string")), [["one", "two"], ["three"]]),
        ("b", Value("string"), ["x", "y"]),
    ):
        features = Features({"image": Image(), "alt_text": feature, "image_id": Value("int64")})
        images = [{"bytes": data, "path": None} for data in pictures(2)]
        saved = Dataset.from_dict({"image": images, "alt_text": texts, "image_id": [1, 2]}, features)
        saved.save_to_disk(str(tmp_path / name))
        target = tmp_path / "set" / "train" / f"data-0000{name}.arrow"
        target.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "data-00000-of-00001.arrow").rename(target)
    write_arrow(tmp_path / "set" / "test" / "data-0.arrow", {"image": pictures(1), "alt_text": ["not read"]})
    source = Captions(preset="coco", address=str(tmp_path / "set"))
    assert texts_of(source) == ["one", "two", "three", "x", "y"]
    built = build(source, tmp_path / "w", rows=1)
    assert [row["image"]["bytes"] for row in built.samples] == [pictures(2)[i] for i in (0, 0, 1, 0, 1)]
    assert [row["source_key"] for row in built.samples] == ["1", "1", "2", "1", "2"]
    assert built.selection.rows_kept == 5


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_of_arrow_files_of_the_hub_the_asked_columns_alone_are_fetched(
    kind: str, tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.hub.server.LFS_SUFFIXES", (".arrow",))  # as the Hub stores them: it tells their hash
    big = [png(size=(9, 9)) + bytes(100_000) for _ in range(20)]
    captions = [f"caption {n} " * 200 for n in range(20)]
    columns = {"image": [{"bytes": data, "path": None} for data in big], "caption": captions}
    data = write_arrow(tmp_path / "a.arrow", columns, 5, kind).read_bytes()
    hub.publish("org/name", {"train/data-0.arrow": data})
    source = Captions(address="org/name")
    pieces = list(source.pieces(5))
    assert [piece.n_rows for piece in pieces] == [5, 5, 5, 5]
    assert [text for piece in pieces for text in source.read_texts(piece)["text"].to_pylist()] == captions
    assert hub.bytes_sent("/resolve/") <= 1.2 * sum(map(len, captions))
    assert source.read_images(pieces[2], [12]).to_pylist()[0]["bytes"] == big[12]
    assert hub.bytes_sent("/resolve/") < 7 * len(big[0])


def test_docornot_takes_documents_of_the_first_rows_only(write_parquet: WriteParquet, tmp_path: Path) -> None:
    flags = [1, 0, 1, 1, 0, 1, 1, 1]
    path = write_parquet("data/train-0.parquet", {"image": pictures(8), "is_document": flags}, 3)
    write_parquet("data/test-0.parquet", {"image": pictures(1), "is_document": [1]})
    assert PRESETS["docornot"]["n_rows"] == 2000
    built = build(Captions(preset="docornot", address=str(path.parent), n_rows=5), tmp_path / "w", rows=2)
    assert [row["text"] for row in built.samples] == ["Text document."] * 3
    assert [(row["reason"], row["detail"]) for row in built.rejects] == [("source_rule", "is_document is 0, not 1")] * 2
    assert built.selection.rows_in == 5
    everything = Captions(preset="docornot", address=str(path.parent), n_rows=0)
    assert len(rows_of(everything)) == 8


def test_validation_takes_rows_with_a_rewritten_caption_only(write_parquet: WriteParquet, tmp_path: Path) -> None:
    columns = {"image": pictures(4), "alt_text": ["x"] * 4, "gpt_alt_text": ["a dog", "", " ", None]}
    path = write_parquet("data/train-0.parquet", columns)
    built = build(Captions(preset="validation", address=str(path.parent)), tmp_path / "w")
    assert [row["text"] for row in built.samples] == ["a dog"]
    assert sorted(row["reason"] for row in built.rejects) == ["markup_empty", "markup_empty", "text_missing"]
    assert built.selection.rows_kept == sum(built.selection.splits.values()) == 1  # in one split, not in three


def test_flickr_leaves_out_rows_of_other_splits_though_all_files_are_named_test(write_parquet: WriteParquet) -> None:
    columns = {"image": pictures(3), "alt_text": ["a", "b", "c"], "split": ["train", "val", "test"]}
    path = write_parquet("data/test-0.parquet", columns)
    write_parquet("data/test-1.parquet", {name: values[:1] for name, values in columns.items()})
    rows = rows_of(Captions(preset="flickr", address=str(path.parent)))
    assert [(row["text"], row["reject_reason"]) for row in rows] == [
        ("a", None),
        (None, "other_split"),
        (None, "other_split"),
        ("a", None),
    ]
    assert rows[1]["reject_excerpt"] == "b"
    everything = Captions(preset="flickr", address=str(path.parent), split="all")
    assert texts_of(everything) == ["a", "b", "c", "a"]


def test_a_recipe_may_change_what_a_preset_sets() -> None:
    source = Captions(preset="docornot", fixed_caption="A page.", n_rows=0)
    assert (source.address, source.fixed_caption, source.n_rows) == ("mozilla/docornot", "A page.", 0)
    with pytest.raises(AddressError, match=r"no address\. Set its address, or a preset: coco, flickr"):
        Captions()


def test_rows_of_one_jsonl_may_have_a_string_or_a_list(tmp_path: Path) -> None:
    for name, picture in zip(("a.png", "sub/b.png"), pictures(2), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture)
    lines = [
        {"file_name": "a.png", "caption": "one", "objects": "dog, cat"},
        {"file_name": "sub/b.png", "caption": ["two", {"raw": "three"}], "original_caption": "drei"},
        {"file_name": "../a.png", "caption": "four"},
        {"file_name": "a.png"},
        ["no object"],
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = Captions(address=str(tmp_path))
    built = build(source, tmp_path / "w")
    assert [(row["text"], row["objects"], row["original_caption"]) for row in built.samples] == [
        ("one", ["dog", "cat"], None),
        ("two", None, "drei"),
        ("three", None, "drei"),
    ]
    assert [row["image"]["bytes"] for row in built.samples] == [pictures(2)[i] for i in (0, 1, 1)]
    assert sorted(row["reason"] for row in built.rejects) == ["annotation_broken", "image_missing", "text_missing"]


@pytest.mark.parametrize(
    ("columns", "settings", "problem"),
    [
        ({"image": [b"1"], "x": ["a"]}, {}, "has no column alt_text or caption or captions or text. It has: image, x"),
        ({"image": [b"1"], "text": ["a"]}, {"caption_column": "y"}, "has no column y"),
        ({"image": [b"1"], "text": ["a"]}, {"only": {"kind": 1}}, "has no column kind"),
        ({"picture": [b"1"], "text": ["a"]}, {}, "has no column 'image'"),
        ({"image": [b"1"], "text": [1]}, {}, "holds no captions but int64"),
    ],
)
def test_a_file_without_what_is_wanted_is_one_line_with_the_mend(
    columns: dict[str, object], settings: dict[str, Any], problem: str, write_parquet: WriteParquet, tmp_path: Path
) -> None:
    for path in (write_parquet("a.parquet", columns), write_arrow(tmp_path / "a.arrow", columns)):
        with pytest.raises(SchemaError) as caught:
            list(Captions(address=str(path), **settings).pieces(10))
        assert problem.replace("'", "") in str(caught.value).replace("'image'", "image").replace("'text' of", "of")
        assert "\n" not in str(caught.value)
        assert caught.value.mend


@pytest.mark.parametrize("damage", ["cut", "empty", "something else"])
def test_a_broken_arrow_file_is_said_so(damage: str, tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", {"image": pictures(3), "caption": ["a", "b", "c"]})
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "something else": b"PAR1" * 50}[damage])
    with pytest.raises(SchemaError, match="cannot be read as Arrow"):
        list(Captions(address=str(path)).pieces(10))
