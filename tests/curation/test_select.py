"""Selection: each row kept, or left out with the first rule that it fails; accounts that add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.errors import BadInputError
from curation.select import Keeper, Rules, Selection, SourceShards, select
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.hashing import Row, hashed_shard, signature
from tests.curation.making import png, shards_of

TABLE = "table_to_html"
TEXTS = ["a", "bb", "ccc", "dddd", "bb", None, "eeeee", "x" * 2_000, "a"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def decided(workspace: Workspace, selection: Selection) -> list[tuple[str | None, str | None]]:
    rows = workspace.open_parquet(selection.path).read().to_pylist()
    assert all((row["split"] is None) == (row["reason"] is not None) for row in rows)
    return [(row["reason"], row["detail"]) for row in rows]


def test_rules_apply_in_order_and_every_row_is_accounted_for(workspace: Workspace) -> None:
    shards = shards_of(workspace, TEXTS)
    selection = select(workspace, [shards], Rules(4, ("n_tokens <> 3", "width_px > 0")))
    assert selection.rows_in == len(TEXTS) == selection.rows_kept + sum(selection.rejected.values())
    assert dict(selection.rejected) == {
        "text_missing": 1,
        "too_many_tokens": 2,  # one at the ceiling of ingest, one at max_seq_length
        "where": 1,
        "duplicate_exact": 2,
    }
    reasons = decided(workspace, selection)
    assert reasons[2] == ("where", "n_tokens <> 3")
    first_id = workspace.open_parquet(selection.path).read(["id"]).column("id")[1].as_py()
    assert reasons[4] == ("duplicate_exact", f"same as {first_id}")


def test_a_value_that_is_not_known_does_not_pass(workspace: Workspace) -> None:
    selection = select(workspace, [shards_of(workspace, ["a", "b"])], Rules(where=("context = 'x'",)))
    assert dict(selection.rejected) == {"where": 2}


def test_a_limit_counts_rows_kept_in_source_order(workspace: Workspace) -> None:
    texts = [f"text {i % 7} {i}" if i % 3 else "same" for i in range(20)]
    selection = select(workspace, [shards_of(workspace, texts, limit=5)], Rules())
    assert selection.rows_kept == 5
    kept = [i for i, (reason, _) in enumerate(decided(workspace, selection)) if reason is None]
    assert kept == [0, 1, 2, 4, 5]


def test_a_row_beyond_the_limit_of_one_source_hides_none_of_another(workspace: Workspace) -> None:
    first = shards_of(workspace, ["a", "b"], limit=1)
    second = shards_of(workspace, ["b", "c"], task="table_to_html", images=[png("blue")] * 2)
    selection = select(workspace, [first, second], Rules())
    assert [reason for reason, _ in decided(workspace, selection)] == [None, "over_limit", None, None]


def test_equal_captions_of_other_pictures_are_no_duplicates(workspace: Workspace) -> None:
    shards = shards_of(workspace, ["A cat."] * 3, images=[png("red"), png("blue"), png("red")], task="image_to_caption")
    selection = select(workspace, [shards], Rules())
    assert [reason for reason, _ in decided(workspace, selection)] == [None, None, "duplicate_exact"]


def test_captions_of_one_picture_stay_in_one_split(workspace: Workspace) -> None:
    texts = [f"caption {i}" for i in range(60)]
    images = [png(f"#0000{i // 3:02x}") for i in range(60)]
    shards = shards_of(workspace, texts, images=images, task="image_to_caption")
    selection = select(workspace, [shards], Rules(splits=SplitRule(0.4, 0.3, 0.3)))
    splits = workspace.open_parquet(selection.path).read(["split"]).column("split").to_pylist()
    assert all(len(set(splits[i : i + 3])) == 1 for i in range(0, 60, 3))
    assert len(set(splits)) == 3


def test_the_keeper_counts_what_select_keeps(workspace: Workspace) -> None:
    shards = shards_of(workspace, [f"t{i % 9}" for i in range(30)], limit=8)
    keeper = Keeper(workspace, Rules(where=("text <> 't3'",)))
    keeper.begin_source(8)
    for measured in shards.shards:
        keeper.add(measured)
    selection = select(workspace, [shards], Rules(where=("text <> 't3'",)))
    assert keeper.is_full
    assert keeper.n_kept == selection.rows_kept == 8


def test_split_counts_leave_out_the_rest_with_a_reason(workspace: Workspace) -> None:
    shards = shards_of(workspace, [f"t{i}" for i in range(30)])
    selection = select(workspace, [shards], Rules(splits=SplitRule(20, 2, 3)))
    assert dict(selection.splits) == {"test": 3, "train": 20, "validation": 2}
    assert dict(selection.rejected) == {"over_split_count": 5}


@pytest.mark.parametrize("clause", ["no_such > 1", "n_tokens >", "'abc'", "1; SELECT 2"])
def test_a_clause_that_cannot_be_evaluated_is_one_line(workspace: Workspace, clause: str) -> None:
    with pytest.raises(BadInputError, match=r"`where` clause .* cannot be evaluated: .*Columns there are: .*n_tokens"):
        select(workspace, [shards_of(workspace, ["a"])], Rules(where=(clause,)))


def test_a_clause_reads_no_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(BadInputError, match="disabled by configuration"):
        select(
            workspace,
            [shards_of(workspace, ["a"])],
            Rules(where=(f"(SELECT count(*) FROM read_csv('{tmp_path}/secret.csv')) > 0",)),
        )


def test_the_same_rules_find_the_selection(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = shards_of(workspace, ["a", "b"])
    made = select(workspace, [shards], Rules())
    monkeypatch.setattr(Keeper, "add", None)
    assert select(workspace, [shards], Rules()) == made


def near(id_: str, of: str, **settings: Any) -> Row:
    """A table whose words and skeleton are nearly those of another."""
    return Row(id_, TABLE, signature(of, 0.1), signature(f"s {of}"), **settings)


def selected(workspace: Workspace, *sources: SourceShards, **rules: Any) -> list[dict[str, Any]]:
    selection = select(workspace, sources, Rules(**rules))
    rows: list[dict[str, Any]] = workspace.open_parquet(selection.path).read().to_pylist()
    assert selection.rows_in == len(rows) == selection.rows_kept + sum(selection.rejected.values())
    return rows


def source_of(workspace: Workspace, name: str, *rows: Row, limit: int | None = None, n: int = 2) -> SourceShards:
    """A source of these rows, `n` to a shard."""
    shards = [
        hashed_shard(workspace, f"{name}{start}", rows[start : start + n], with_hashes=name != "unhashed")
        for start in range(0, len(rows), n)
    ]
    return SourceShards(name, tuple(shards), limit)


def test_of_near_duplicates_the_best_is_kept_and_named(workspace: Workspace) -> None:
    rows = [
        near("a", "x", width_px=1),
        Row("b", TABLE),
        near("c", "x", width_px=9, height_px=9),
        near("d", "x", text_sha256="same"),
    ]
    rows += [near("e", "x", text_sha256="same")]
    found = selected(workspace, source_of(workspace, "s", *rows), dedup="near")
    assert [(row["reason"], row["detail"]) for row in found] == [
        ("duplicate_near", "nearly the same as c"),
        (None, None),
        (None, None),
        ("duplicate_near", "nearly the same as c"),
        ("duplicate_exact", "same as d, for which c is kept"),
    ]
    assert len({row["group"] for row in found}) == 2


def test_earlier_sources_are_kept_before_better_rows_of_later_ones(workspace: Workspace) -> None:
    first = source_of(workspace, "first", near("z", "x", image_origin="synthetic"))
    second = source_of(workspace, "second", near("a", "x", image_origin="source"))
    assert [row["reason"] for row in selected(workspace, first, second, dedup="near")] == [None, "duplicate_near"]


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_a_limit_is_filled_with_rows_that_are_no_near_duplicates(workspace: Workspace, n: int) -> None:
    # of each three rows the first is near to the first of all
    rows = [near(f"{i:02}", "x") if i % 3 == 0 else Row(f"{i:02}", TABLE) for i in range(30)]
    source = source_of(workspace, "s", *rows, limit=9, n=n)
    keeper = Keeper(workspace, Rules(dedup="near"))
    keeper.begin_source(9)
    for shard in source.shards:
        keeper.add(shard)
    assert keeper.is_full
    found = selected(workspace, source, dedup="near")
    reasons = [row["reason"] for row in found]
    assert reasons == [
        *[None] * 3,
        *["duplicate_near", None, None] * 3,
        *["over_limit"] * 18,
    ]
    # those beyond the limit are on the side of those that they are near to
    assert {row["group"] for row in found[::3]} == {found[0]["group"]}


def test_what_a_near_duplicate_was_kept_for_may_be_left_out_for_a_better_one(workspace: Workspace) -> None:
    rows = [*(near(id_, "x", width_px=n, height_px=9) for n, id_ in enumerate("abc")), Row("d", TABLE)]
    found = selected(workspace, source_of(workspace, "s", *rows, limit=2), dedup="near")
    assert [row["detail"] for row in found] == ["nearly the same as c", "nearly the same as c", None, None]


@pytest.mark.parametrize("dedup", ["exact", "none"])
def test_near_rows_that_are_kept_share_a_group_where_hashes_are_measured(workspace: Workspace, dedup: str) -> None:
    rows = [near("a", "x"), Row("b", TABLE), near("c", "x")]
    for name, n_groups in (("hashed", 2), ("unhashed", 3)):
        found = selected(workspace, source_of(workspace, name, *rows), dedup=dedup)
        assert [row["reason"] for row in found] == [None] * 3
        assert len({row["group"] for row in found}) == n_groups


def test_near_duplicates_without_hashes_are_refused_in_one_line(workspace: Workspace) -> None:
    with pytest.raises(BadInputError, match=r"was not measured by `hashes`.*\n?.*Add hashes to `measures`"):
        selected(workspace, source_of(workspace, "unhashed", Row("a")), dedup="near")


def test_children_go_where_their_parent_goes(workspace: Workspace) -> None:
    family = [Row("p", TABLE), Row("child", TABLE, parent_id="p"), Row("grandchild", TABLE, parent_id="child")]
    orphans = [Row("o1", TABLE, parent_id="gone"), Row("o2", TABLE, parent_id="gone"), Row("alone", TABLE)]
    groups = [row["group"] for row in selected(workspace, source_of(workspace, "s", *family, *orphans))]
    assert len(set(groups[:3])) == 1
    assert groups[3] == groups[4] == "parent:gone"
    assert len(set(groups)) == 3


def test_no_shard_is_a_selection_of_nothing(workspace: Workspace) -> None:
    assert select(workspace, [SourceShards("list", ())], Rules()).rows_kept == 0
