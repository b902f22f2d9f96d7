"""Splits of merged rows: families whole, nothing that was held out is ever trained on, however a data set grows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import BadInputError
from curation.merge.opening import entry_of
from curation.split import SplitRule
from tests.curation.merge.sets import CAPTIONS, merged, picture, rows_of, split_of, texts, write_set

HALVES = SplitRule(0.4, 0.3, 0.3)


def test_captions_of_one_picture_are_in_one_split(tmp_path: Path) -> None:
    said = texts(120, said=CAPTIONS)
    path = write_set(tmp_path / "photos.parquet", said, [picture(i // 4) for i in range(120)])
    splits_of_picture = defaultdict(set)
    for dedup in ("exact", "none"):
        for row in rows_of(merged(tmp_path, path, splits=HALVES, dedup=dedup, out=dedup).path):
            splits_of_picture[dedup, row["image"]["bytes"]].add(row["split"])
    assert len(splits_of_picture) == 60
    assert {len(splits) for splits in splits_of_picture.values()} == {1}
    assert len({split for splits in splits_of_picture.values() for split in splits}) == 3


def ours(path: Path, ids: list[str], parents: list[str | None]) -> Path:
    """A file with lineage, as releases have it, so that rows keep their ids."""
    n_rows = len(ids)
    return write_set(
        path, texts(n_rows, 1_000 * len(path.name)), id=ids, parent_id=parents, lineage=["{}"] * n_rows,
        **{name: ["page_to_html" if name == "task" else "x"] * n_rows
           for name in ("task", "source", "source_revision", "source_key", "license", "image_origin")},
    )  # fmt: skip


def test_families_are_in_one_split_across_sources(tmp_path: Path) -> None:
    parents = ours(tmp_path / "parents.parquet", [f"p{i}" for i in range(30)], [None] * 30)
    ids = [f"c{i}" for i in range(90)]
    children = ours(tmp_path / "children.parquet", ids, [f"p{i % 30}" if i < 60 else f"gone{i % 6}" for i in range(90)])
    grandchildren = ours(tmp_path / "more.parquet", [f"g{i}" for i in range(20)], [f"c{i}" for i in range(20)])
    split = split_of(merged(tmp_path, grandchildren, children, parents, splits=HALVES).path, "id")
    assert len(split) == 140
    assert all(split[f"c{i}"] == split[f"p{i % 30}"] for i in range(60))
    assert all(split[f"c{i}"] == split[f"c{60 + i % 6}"] for i in range(60, 90))
    assert all(split[f"g{i}"] == split[f"c{i}"] for i in range(20))
    assert len(set(split.values())) == 3


def test_near_duplicates_that_are_kept_apart_by_nothing_are_in_one_split(tmp_path: Path) -> None:
    words = "the quick brown fox jumps over the lazy dog near a river bank while seven old sailors sing about"
    said = [f"{words} {name} {i}" for i in range(12) for name in ("tides", "storms")]
    pages = [f"<html><body><p>{text}</p></body></html>" for text in said]
    result = merged(tmp_path, write_set(tmp_path / "pages.parquet", pages), dedup="near", splits=HALVES)
    assert result.rows_kept + sum(result.rejected.values()) == 24
    assert result.rejected["duplicate_near"] == 23
    assert len(result.splits) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_data_set_that_grows_moves_no_test_row_into_train(tmp_path: Path, seed: int) -> None:
    """By new rows, by captions that join two pictures' groups, and by a parent that comes later than its children."""
    pictures = [picture(i) for i in range(60)]
    photos = write_set(tmp_path / "photos.parquet", texts(60, said=CAPTIONS), pictures)
    children = ours(tmp_path / "children.parquet", [f"c{i}" for i in range(40)], [f"p{i % 20}" for i in range(40)])
    before = split_of(merged(tmp_path, photos, children, splits=HALVES, seed=seed).path, "id")

    parents = ours(tmp_path / "parents.parquet", [f"p{i}" for i in range(20)], [None] * 20)
    more_photos = write_set(tmp_path / "more.parquet", texts(30, 900, CAPTIONS), pictures[:30])
    write_set(photos, texts(80, said=CAPTIONS), [*pictures, *(picture(i) for i in range(60, 80))], row_group_size=9)
    # The ids of a file change with its bytes: rows are told apart by what they say.
    grown = rows_of(
        merged(tmp_path, more_photos, photos, parents, children, splits=HALVES, seed=seed, out="grown").path
    )
    after = {row["text"]: row["split"] for row in grown}
    said = {row["id"]: row["text"] for row in rows_of(tmp_path / "out")}
    rank = {"test": 0, "validation": 1, "train": 2}
    moved = Counter((split, after[said[id_]]) for id_, split in before.items() if rank[after[said[id_]]] > rank[split])
    assert moved == {}
    assert set(before.values()) == set(rank)


def test_what_a_source_holds_out_is_never_in_train(tmp_path: Path) -> None:
    folder = tmp_path / "told"
    write_set(folder / "train-00000-of-00001.parquet", texts(40))
    write_set(folder / "test-00000-of-00001.parquet", texts(30, 100))
    column = write_set(tmp_path / "column.parquet", texts(60, 300), split=["val", "train", "other"] * 20)
    twin = write_set(tmp_path / "twin.parquet", texts(30, 100))  # what the first set holds out, told by nobody
    split = split_of(merged(tmp_path, twin, folder, column).path)
    assert {split[text] for text in texts(30, 100)} == {"test"}
    validation = texts(60, 300)[::3]
    assert {split[text] for text in validation} <= {"validation", "test"}
    assert "train" in {split[text] for text in texts(40)}
    only_train = split_of(merged(tmp_path, replace(entry_of(str(folder)), split="train"), out="train").path)
    assert sorted(only_train) == sorted(texts(40))


def test_splits_can_be_numbers_of_rows(tmp_path: Path) -> None:
    folder = tmp_path / "told"
    write_set(folder / "train.parquet", texts(90))
    write_set(folder / "test.parquet", texts(10, 100))
    result = merged(tmp_path, folder, splits=SplitRule(50, 10, 20))
    assert result.splits == {"train": 50, "validation": 10, "test": 20}
    assert dict(result.rejected) == {"over_split_count": 20}
    assert {split_of(result.path)[text] for text in texts(10, 100)} == {"test"}
    with pytest.raises(BadInputError, match="the split counts ask for 200 rows and 100 were kept"):
        merged(tmp_path, folder, splits=SplitRule(150, 25, 25), out="more")
