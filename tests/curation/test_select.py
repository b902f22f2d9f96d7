"""Selection: each row kept, or left out with the first rule that it fails; accounts that add up."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curation.errors import BadInputError
from curation.select import Keeper, Rules, Selection, SourceShards, select
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.making import png, shards_of

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


def test_children_go_where_their_parent_goes() -> None:
    from curation.select import SELECTION_SCHEMA, _with_families

    rows = [("p", "g1"), ("child", "parent:p"), ("grandchild", "parent:child"), ("orphan", "parent:gone")]
    table = pa.Table.from_pylist([{"id": id_, "group": group} for id_, group in rows], SELECTION_SCHEMA)
    assert _with_families(table).column("group").to_pylist() == ["g1", "g1", "g1", "parent:gone"]


def test_no_shard_is_a_selection_of_nothing(workspace: Workspace) -> None:
    assert select(workspace, [SourceShards("list", ())], Rules()).rows_kept == 0
