"""What a source may be, and what of its columns goes along; what does not fit is one line that says who is at fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import AddressError, BadInputError, SchemaError
from curation.merge.opening import entry_of, open_entry
from curation.merge.presets import PRESETS
from curation.merge.spec import MergeEntry
from curation.select import Rules, select
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.making import shards_of
from tests.curation.merge.sets import CAPTIONS, merged, picture, rows_of, split_of, texts, write_set


def fates(result: object) -> dict[tuple[str, str], tuple[str, str]]:
    return {(one.source, one.theirs): (one.fate, one.ours) for one in result.columns}  # type: ignore[attr-defined]


def test_columns_are_mapped_cast_or_dropped_and_each_is_told(tmp_path: Path) -> None:
    ints, longs = pa.array(range(9), pa.int32()), pa.array(range(8), pa.int64())
    one = write_set(
        tmp_path / "one.parquet", texts(9), text="html", score=ints, note=["a"] * 9,
        file_name=[f"f{i}" for i in range(9)],
        tag=pa.array(["x"] * 9).dictionary_encode(), when=pa.array([0] * 9, pa.timestamp("s")),
    )  # fmt: skip
    two = write_set(tmp_path / "two.parquet", texts(8, 50), score=longs, tag=pa.array(["y"] * 8, pa.large_string()))
    result = merged(tmp_path, one, two)
    assert fates(result) == {
        ("one", "image"): ("mapped", "image"),
        ("one", "html"): ("mapped", "text"),
        ("one", "file_name"): ("mapped", "source_key"),
        ("one", "score"): ("cast", "score"),
        ("one", "note"): ("dropped", ""),
        ("one", "tag"): ("cast", "tag"),
        ("one", "when"): ("dropped", ""),
        ("two", "image"): ("mapped", "image"),
        ("two", "text"): ("mapped", "text"),
        ("two", "score"): ("mapped", "score"),
        ("two", "tag"): ("cast", "tag"),
    }
    rows = rows_of(result.path)
    assert {row["tag"] for row in rows} == {"x", "y"}
    assert {row["source_key"] for row in rows if row["source"] == "one"} == {f"f{i}" for i in range(9)}
    file = next(Path(result.path).glob("data/*.parquet"))
    assert pq.read_schema(file).field("score").type == pa.int64()
    carried = rows_of(merged(tmp_path, one, two, out="carried", carry=("note",)).path)
    assert {(row["source"], row["note"]) for row in carried} == {("one", "a"), ("two", None)}
    with pytest.raises(BadInputError, match="`carry` names 'nothing', which no source has"):
        merged(tmp_path, one, two, carry=("nothing",), out="x")


def test_a_conflict_of_types_names_both_sources(tmp_path: Path) -> None:
    one = write_set(tmp_path / "one.parquet", texts(3), level=["low"] * 3)
    two = write_set(tmp_path / "two.parquet", texts(3, 9), level=[1, 2, 3])
    with pytest.raises(SchemaError, match="column 'level' does not fit: two has int64, one has string"):
        merged(tmp_path, one, two)
    renamed = replace(entry_of(str(two)), columns=(("level_2", "level"),))
    result = merged(tmp_path, one, renamed)
    assert fates(result)["two", "level"] == ("dropped", "")


def test_lineage_is_in_every_row(tmp_path: Path) -> None:
    path = write_set(tmp_path / "one.parquet", texts(5), license=["MIT", None, "MIT", "MIT", "MIT"])
    entry = replace(entry_of(str(path)), license="CC0-1.0", name="mine")
    rows = rows_of(merged(tmp_path, entry).path)
    assert {(row["source"], row["task"], row["image_origin"]) for row in rows} == {("mine", "page_to_html", "source")}
    assert {row["source_key"]: row["license"] for row in rows} == {
        f"one.parquet:{i}": "CC0-1.0" if i == 1 else "MIT" for i in range(5)
    }
    assert {len(row["id"]) for row in rows} == {64}
    moved = path.rename(tmp_path / "moved.parquet")
    again = rows_of(merged(tmp_path, replace(entry, address=str(moved)), out="moved").path)
    assert {row["id"] for row in again} == {row["id"] for row in rows}  # of the bytes, not of where they lie


def test_a_missing_an_empty_and_a_markup_only_source_are_errors(tmp_path: Path) -> None:
    good = write_set(tmp_path / "good.parquet", texts(3))
    empty = write_set(tmp_path / "empty.parquet", [])
    markup = tmp_path / "markup.jsonl"
    markup.write_text("".join(json.dumps({"name": str(i), "html": text}) + "\n" for i, text in enumerate(texts(3))))
    with pytest.raises(AddressError, match="There is no file or folder"):
        merged(tmp_path, good, tmp_path / "nowhere")
    with pytest.raises(AddressError, match="source empty .* has no rows"):
        merged(tmp_path, good, empty)
    with pytest.raises(BadInputError, match=r"source markup.jsonl .* has markup and no pictures.*markupmill build"):
        merged(tmp_path, good, markup)
    pages = tmp_path / "pages.parquet"
    pq.write_table(pa.table({"html_table": ["<table><tr><td>1</td></tr></table>"] * 3}), pages)
    with pytest.raises(BadInputError, match=r"source pubtabnet .* has markup and no pictures"):
        merged(tmp_path, MergeEntry("pubtabnet", str(pages), "pubtabnet"))
    assert not (tmp_path / "out").exists()


def test_texts_that_are_no_utf8_are_left_out(tmp_path: Path) -> None:
    said = pa.array([b"<p>good one</p>", b"<p>\xff</p>", b"<p>other</p>"])
    said = pa.Array.from_buffers(pa.string(), 3, said.buffers())  # as a file may say of any bytes
    path = tmp_path / "a.parquet"
    images = pa.array([{"bytes": picture(i), "path": None} for i in range(3)])
    pq.write_table(pa.table({"image": images, "text": said}), path)
    result = merged(tmp_path, path)
    assert dict(result.rejected) == {"text_not_utf8": 1}
    assert sorted(split_of(result.path)) == ["<p>good one</p>", "<p>other</p>"]


def test_lists_of_captions_pass_through_their_source(tmp_path: Path) -> None:
    captions = pa.array([[f"{CAPTIONS} {i}, first", f"{CAPTIONS} {i}, second"] for i in range(10)])
    path = tmp_path / "photos.parquet"
    images = pa.array([{"bytes": picture(i), "path": None} for i in range(10)])
    pq.write_table(pa.table({"image": images, "captions": captions, "objects": [["dog"]] * 10}), path)
    rows = rows_of(merged(tmp_path, path).path)
    assert len(rows) == 20
    assert {tuple(row["objects"]) for row in rows} == {("dog",)}
    preset = rows_of(merged(tmp_path, MergeEntry("coco", str(path), "coco"), out="preset").path)
    assert {(row["id"], row["text"], row["license"]) for row in preset} == {
        (row["id"], row["text"], "Apache-2.0") for row in rows
    }


def test_pictures_beside_a_list_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    lines = []
    for i, text in enumerate(texts(6)):
        (folder / f"{i}.png").write_bytes(picture(i))
        lines.append(json.dumps({"file_name": f"{i}.png", "text": text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    rows = rows_of(merged(tmp_path, folder).path)
    assert {row["text"]: row["image"]["bytes"] for row in rows} == {t: picture(i) for i, t in enumerate(texts(6))}


def test_a_workspace_gives_what_its_selection_keeps_with_its_splits(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    shards = shards_of(workspace, [*texts(40), "<p>left out</p>"], task="page_to_html")
    rules = Rules(where=("text <> '<p>left out</p>'",), splits=SplitRule(0.5, 0.25, 0.25))
    select(workspace, [shards], rules)
    opened = open_entry(entry_of(str(tmp_path / "w")))
    assert opened.provenance.kind == "workspace"
    rows = rows_of(merged(tmp_path, tmp_path / "w").path)
    assert sorted(row["text"] for row in rows) == sorted(texts(40))
    assert {row["license"] for row in rows} == {"MIT"}
    selected = workspace.open_parquet(select(workspace, [shards], rules).path).read().to_pylist()
    held_out = {row["id"] for row in selected if row["split"] in ("validation", "test")}
    assert held_out
    assert not held_out & {row["id"] for row in rows if row["split"] == "train"}


def test_presets_are_known_by_name_and_their_settings_are_checked(shared_data: Path) -> None:
    assert PRESETS == ("coco", "flickr", "pexels", "docornot", "validation", "websight", "pubtabnet", "latex")
    entry = MergeEntry("websight", str(shared_data / "websight"), "websight", settings=(("config", "v0.2"),))
    assert open_entry(entry).provenance.license == "CC-BY-4.0"
    with pytest.raises(BadInputError, match="preset websight has no setting 'confg'"):
        open_entry(replace(entry, settings=(("confg", "v0.2"),)))
    with pytest.raises(BadInputError, match="preset websight maps no column 'objects'"):
        open_entry(replace(entry, columns=(("objects", "tags"),), settings=()))


def test_the_real_sets_merge_by_preset(tmp_path: Path, shared_data: Path) -> None:
    folders = {"pubtabnet": "pubtabnet-html", "latex": "latex-im2markup", "coco": "coco-captions"}
    sources = [MergeEntry(name, str(shared_data / folder), name, limit=12) for name, folder in folders.items()]
    result = merged(tmp_path, *sources)
    assert {name: sum(of.values()) for name, of in result.composition.items()} == dict.fromkeys(folders, 12)
    raw = merged(tmp_path, MergeEntry("pubtabnet", str(shared_data / "pubtabnet-raw"), "pubtabnet"), out="raw")
    assert raw.rows_kept > 0
