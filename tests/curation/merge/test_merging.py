"""A merge: a release that `datasets` opens, the same bytes every time, and every row accounted for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import curation.merge.parquet_set
import curation.merge.shuffle
from curation.errors import BadInputError, WorkspaceLockedError
from curation.merge.opening import entry_of
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.merge.sets import (
    CAPTIONS,
    content,
    dropped,
    merged,
    picture,
    rows_of,
    split_of,
    texts,
    write_set,
)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """120 pages and 60 captions, three of which are there twice."""
    said = [*texts(60, said=CAPTIONS), *texts(3, said=CAPTIONS)]
    return write_set(tmp_path / "pages.parquet", texts(120)), write_set(tmp_path / "photos.parquet", said)


def test_datasets_opens_it(tmp_path: Path, two: tuple[Path, Path]) -> None:
    from datasets import Image as ImageFeature
    from datasets import get_dataset_config_names, load_dataset

    result = merged(tmp_path, *two)
    assert get_dataset_config_names(result.path) == ["default", "image_to_caption", "page_to_html"]
    dataset = load_dataset(result.path, cache_dir=str(tmp_path / "hf"))
    assert {split: len(rows) for split, rows in dataset.items()} == result.splits
    train = dataset["train"]
    assert isinstance(train.features["image"], ImageFeature)
    assert train.column_names == [
        *(
            "image",
            "text",
            "task",
            "source",
            "source_revision",
            "source_key",
            "license",
            "image_origin",
            "lineage",
            "id",
        )
    ]
    assert train[0]["image"].size[1] == 4


def test_every_row_is_kept_with_its_own_picture_or_accounted_for(tmp_path: Path, two: tuple[Path, Path]) -> None:
    result = merged(tmp_path, *two)
    assert (result.rows_in, result.rows_kept, dict(result.rejected)) == (183, 180, {"duplicate_exact": 3})
    rows = rows_of(result.path)
    assert sorted(row["text"] for row in rows) == sorted([*texts(120), *texts(60, said=CAPTIONS)])
    source = {row["text"]: row["image"]["bytes"] for file in two for row in pq.ParquetFile(file).read().to_pylist()}
    assert all(row["image"]["bytes"] == source[row["text"]] for row in rows)
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == 180
    for row in dropped(result):
        assert row["reason"] == "duplicate_exact"
        assert by_id[row["duplicate_of"]]["source_key"] == f"photos.parquet:{int(row['source_key'].split(':')[1]) - 60}"
    assert Counter(row["source"] for row in rows) == {"pages": 120, "photos": 60}
    assert {name: sum(of.values()) for name, of in result.composition.items()} == {"pages": 120, "photos": 60}


def test_the_same_input_gives_the_same_bytes_and_nothing_new_does_nothing(
    tmp_path: Path, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = merged(tmp_path, *two)
    before = content(first.path)
    assert first.made_now
    other = merged(tmp_path, *two, out="elsewhere")
    assert content(other.path) == {**before, "manifest.json": (Path(other.path) / "manifest.json").read_bytes()}

    monkeypatch.setattr("curation.merge.merging.gather_facts", None)  # nothing is read again
    again = merged(tmp_path, *two)
    assert not again.made_now
    assert content(again.path) == before
    assert (again.rows_in, again.rows_kept, again.splits) == (first.rows_in, first.rows_kept, first.splits)


def test_damage_new_rows_and_new_settings_are_noticed(tmp_path: Path, two: tuple[Path, Path]) -> None:
    first = merged(tmp_path, *two)
    before = content(first.path)
    (Path(first.path) / "README.md").write_text("damaged")
    assert merged(tmp_path, *two).made_now
    assert content(first.path) == before
    Path(first.dropped_path).unlink()
    assert merged(tmp_path, *two).made_now
    assert merged(tmp_path, *two, seed=7).made_now
    write_set(two[0], texts(121))
    grown = merged(tmp_path, *two, seed=7)
    assert (grown.made_now, grown.rows_kept) == (True, 181)


def test_rows_are_shuffled_by_the_seed(tmp_path: Path, two: tuple[Path, Path]) -> None:
    orders = []
    for seed in (1, 2):
        rows = rows_of(merged(tmp_path, two[0], out=str(seed), seed=seed, splits=SplitRule(1, 0, 0)).path)
        orders.append([row["text"] for row in rows])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
    places = np.array([texts(120).index(text) for text in orders[0]])
    assert abs(np.corrcoef(places, np.arange(120))[0, 1]) < 0.3


@pytest.mark.parametrize("whole_bytes", [0, 10**9])
def test_rows_and_order_do_not_hang_on_how_a_row_group_is_read(
    tmp_path: Path, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, whole_bytes: int
) -> None:
    expected = content(merged(tmp_path, *two).path)
    monkeypatch.setattr(curation.merge.parquet_set, "WHOLE_BYTES", whole_bytes)
    assert (
        content(merged(tmp_path, *two, out="other").path)["data/page_to_html/test-00000-of-00001.parquet"]
        == (expected["data/page_to_html/test-00000-of-00001.parquet"])
    )


def test_many_blocks_hold_every_row_once(
    tmp_path: Path, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation.merge.shuffle, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr(curation.merge.shuffle, "OPEN_BYTES", 3_000_000)
    monkeypatch.setattr(curation.merge.shuffle, "STRETCH_ROWS", 2)
    rows = rows_of(merged(tmp_path, *two).path)
    assert sorted(row["text"] for row in rows) == sorted([*texts(120), *texts(60, said=CAPTIONS)])


def test_the_files_are_as_the_hub_wants_them(tmp_path: Path) -> None:
    path = write_set(tmp_path / "pages.parquet", texts(350), row_group_size=350)
    result = merged(tmp_path, path, splits=SplitRule(0.9, 0.05, 0.05))
    (file,) = Path(result.path).glob("data/train-00000-of-00001.parquet")
    metadata = pq.ParquetFile(file).metadata
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups[:-1]] == [100] * (len(groups) - 1)
    text = next(
        groups[0].column(i) for i in range(groups[0].num_columns) if groups[0].column(i).path_in_schema == "text"
    )
    assert text.has_column_index
    assert text.has_offset_index
    manifest = json.loads((Path(result.path) / "manifest.json").read_text())
    contents = content(result.path)
    del contents["manifest.json"]
    assert {n: e["sha256"] for n, e in manifest["files"].items()} == {
        n: hashlib.sha256(data).hexdigest() for n, data in contents.items()
    }
    assert manifest["rows_in"] == manifest["rows_kept"] + sum(manifest["rows_rejected"].values())


def test_the_card_says_what_came_from_where(tmp_path: Path, two: tuple[Path, Path]) -> None:
    from huggingface_hub import DatasetCard

    photos = replace(entry_of(str(two[1])), license="CC-BY-4.0")
    result = merged(tmp_path, replace(entry_of(str(two[0])), license="MIT"), photos)
    card = DatasetCard.load(Path(result.path) / "README.md")
    assert card.data.license == ["cc-by-4.0", "mit"]
    assert card.data.task_categories == ["image-to-text"]
    infos = {info["config_name"]: info for info in card.data.to_dict()["dataset_info"]}
    assert set(infos) == {"default", "page_to_html", "image_to_caption"}
    assert sum(split["num_examples"] for split in infos["default"]["splits"]) == 180
    n = Counter(row["split"] for row in rows_of(result.path) if row["source"] == "pages")
    assert f"| pages | {n['train']} | {n['validation']} | {n['test']} | 120 |" in card.text
    assert "| `duplicate_exact` | 3 |" in card.text
    for name in ("preview.png", "composition.png", "lengths.png"):
        assert f"]({name})" in card.text
        assert (Path(result.path) / name).stat().st_size > 1_000
    assert "## Known limits" in card.text
    assert "## How it was made" in card.text


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path: Path, two: tuple[Path, Path]) -> None:
    planned = merged(tmp_path, *two, dry_run=True)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.dropped.parquet").exists()
    made = merged(tmp_path, *two)
    assert (planned.rows_in, planned.rows_kept, planned.rejected, planned.splits) == (
        *(made.rows_in, made.rows_kept, made.rejected, made.splits),
    )
    assert planned.composition == made.composition
    assert 0.5 * made.bytes_kept < planned.bytes_kept < 2 * made.bytes_kept
    assert merged(tmp_path, *two, dry_run=True).manifest["key"] == made.manifest["key"]  # nothing new: known, too


def test_rows_without_a_picture_or_a_text_are_left_out_with_their_reason(tmp_path: Path) -> None:
    said = [*texts(10), None, "  ", *texts(2, 50)]
    pictures = [*[picture(i) for i in range(12)], None, b""]
    result = merged(tmp_path, write_set(tmp_path / "a.parquet", said, pictures))
    assert dict(result.rejected) == {"image_missing": 2, "text_missing": 2}
    assert {row["source_key"] for row in dropped(result)} == {f"a.parquet:{row}" for row in (10, 11, 12, 13)}


def test_a_release_of_ours_keeps_ids_and_splits(tmp_path: Path, two: tuple[Path, Path]) -> None:
    first = merged(tmp_path, two[0], out="first")
    more = write_set(tmp_path / "more.parquet", texts(40, 500))
    both = merged(tmp_path, Path(first.path), more, out="both")
    before, after = split_of(first.path, "id"), split_of(both.path, "id")
    assert {id_: after[id_] for id_ in before} == before  # the same seed and the same keys
    again = {row["id"]: row for row in rows_of(both.path)}
    assert all(again[row["id"]] == row for row in rows_of(first.path))
    other_seed = split_of(merged(tmp_path, Path(first.path), more, out="other", seed=3).path, "id")
    assert {before[id_] for id_ in before if other_seed[id_] == "train"} == {"train"}


def test_a_folder_that_is_no_release_is_not_replaced(tmp_path: Path, two: tuple[Path, Path]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("two years")
    with pytest.raises(BadInputError, match="is there and is no release"):
        merged(tmp_path, *two)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "two years"


def test_a_failure_while_writing_leaves_the_old_release(
    tmp_path: Path, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(merged(tmp_path, *two).path)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("curation.merge.describing.composition_picture", broken)
    with pytest.raises(BadInputError.__mro__[1], match="No space left on device"):
        merged(tmp_path, *two, seed=5)
    assert content(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))) == [
        *("out", "out.dropped.parquet")
    ]


def test_two_merges_do_not_share_a_cache(tmp_path: Path, two: tuple[Path, Path]) -> None:
    with Workspace(tmp_path / "cache").lock(), pytest.raises(WorkspaceLockedError):
        merged(tmp_path, *two)
