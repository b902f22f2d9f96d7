"""Where pictures go: whole files or none, names that stay inside, Parquet that `datasets` opens."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.errors import BadInputError
from curation.markup_files import Markup
from curation.picture_files import MAX_GROUP_BYTES, Folder, ParquetFile, RejectList, write_atomically
from curation.reasons import Reason, Reject
from rendering.variation import Picture
from tests.curation.making import png


def markup(row: int, text: str | Reject = "<p>x") -> Markup:
    return Markup(f"t.parquet:{row}", f"{row:06d}", row, f"id {row}", "page", text)


def picture(data: bytes | None = None) -> Picture:
    return Picture(data or png(), 4, 3)


def test_a_folder_has_pictures_by_name_and_a_line_for_each(tmp_path: Path) -> None:
    with Folder(tmp_path / "out") as folder:
        folder.add(markup(7), picture(), ("left out: font",), None)
        folder.add(markup(8), picture(b"\xff\xd8 a JPEG"), (), '{"seed": 1}')
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000007.png", "000008.jpg", "metadata.jsonl"]
    first, second = map(json.loads, (tmp_path / "out/metadata.jsonl").read_text().splitlines())
    assert first == {
        "file_name": "000007.png", "text": "<p>x", "id": "id 7", "row": 7, "place": "t.parquet:7", "kind": "page",
        "width_px": 4, "height_px": 3, "warnings": ["left out: font"], "lineage": None,
    }  # fmt: skip
    assert second["lineage"] == '{"seed": 1}'


def test_parquet_opens_in_datasets_as_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    with ParquetFile(tmp_path / "out.parquet") as sink:
        for row in range(250):
            sink.add(markup(row, f"<p>{row}"), picture(), ("w",) if row else (), None)
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [100, 100, 50]
    import datasets

    loaded = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"), cache_dir=str(tmp_path / "cache"))
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded.column_names[:2] == ["image", "text"]
    row = loaded[249]
    assert row["image"].size == (4, 3)
    assert (row["text"], row["id"], row["row"], row["warnings"]) == ("<p>249", "id 249", 249, ["w"])


def test_a_row_group_of_large_pictures_is_written_early(tmp_path: Path) -> None:
    with ParquetFile(tmp_path / "out.parquet") as sink:
        for row in range(4):
            sink.add(markup(row), picture(bytes(MAX_GROUP_BYTES * 2 // 3)), (), None)
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [2, 2]


def test_parquet_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").write_bytes(b"an older one")
    with pytest.raises(KeyboardInterrupt), ParquetFile(tmp_path / "out.parquet") as sink:
        sink.add(markup(0), picture(), (), None)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert (tmp_path / "out.parquet").read_bytes() == b"an older one"


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    for name in ("a.png", ".a.png.draft", "rejects.jsonl"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    write_atomically(tmp_path / "a.png", b"picture")
    with RejectList(tmp_path / "rejects.jsonl") as rejects:
        rejects.add(markup(0), Reject(Reason.RENDER_BLANK))
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "a.png").read_bytes() == b"picture"
    assert not (tmp_path / "a.png").is_symlink()


def test_files_are_as_readable_as_any_other(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.png", b"picture")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.png", tmp_path):
        with pytest.raises(BadInputError, match="-o"):
            write_atomically(path, b"picture")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_rejects_are_counted_and_excerpted(tmp_path: Path) -> None:
    with RejectList(tmp_path / "rejects.jsonl") as rejects:
        rejects.add(markup(1, "é" * 600), Reject(Reason.RENDER_BLANK, "one colour"))
        rejects.add(markup(2, Reject(Reason.TEXT_MISSING)), Reject(Reason.TEXT_MISSING))
        rejects.add(markup(3), Reject(Reason.RENDER_BLANK))
    assert rejects.counts == {"render_blank": 2, "text_missing": 1}
    assert rejects.first["render_blank"][0].row == 1
    first, second, _ = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert first == {
        "row": 1, "place": "t.parquet:1", "id": "id 1", "reason": "render_blank", "detail": "one colour",
        "excerpt": "é" * 500,
    }  # fmt: skip
    assert second["excerpt"] == ""
