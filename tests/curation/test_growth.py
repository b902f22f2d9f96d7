"""A data set that grows: what was held out is never trained on later, and what belongs together is never divided."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.select import Rules, SourceShards, select
from curation.split import SplitRule, joined, split_groups
from curation.store import Workspace
from tests.curation.hashing import Row, hashed_shard, picture, signature

HELD_OUT = {"train": 0, "validation": 1, "test": 2}
RULE = SplitRule(0.4, 0.3, 0.3)

Step = tuple[str, int, int, int]
"""Task, path, place on it, and the row (of all) that is the parent, if there is one: see `row_of`."""


def on_path(path: int, place: int) -> bytes:
    """Signatures in a row of which neighbours are 0.84 alike, those that lie farther apart at most 0.69."""
    slots = bytearray(signature(f"path {path}"))
    for slot in range(place * 40):
        slots[slot] ^= 0xFF
    return bytes(slots)


def row_of(number: int, step: Step, *, seed: int) -> Row:
    """A table that is near to its neighbours on a path, or a caption of one of three pictures."""
    task, path, place, parent = step
    id_ = f"{number:03} {seed}"
    parent_id = f"{parent:03} {seed}" if parent < number + 3 and parent != number else None  # it may come later
    if task == "image_to_caption":
        image, phash = f"image {path} {place % 2}", picture(f"picture {path}", place % 3)
        return Row(id_, task, on_path(path, place), None, phash, "", image, parent_id=parent_id)
    text = f"text {path} {place}"  # equal places are exact duplicates
    return Row(id_, task, on_path(path, place), signature(f"s {path}"), text_sha256=text, parent_id=parent_id)


steps = st.tuples(
    st.sampled_from(["table_to_html", "table_to_html", "image_to_caption"]),
    st.integers(0, 2),
    st.integers(0, 5),
    st.integers(0, 40),
)
growth = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 9), st.lists(steps, min_size=1, max_size=6)), min_size=2, max_size=5
)
"""Each step: which of two sources grows, where in it, and by which rows."""


@pytest.mark.parametrize(("dedup", "limit"), [("near", None), ("none", None), ("near", 5)])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(growth, st.integers(0, 1_000))
def test_no_row_that_was_held_out_is_trained_on_later(
    dedup: str, limit: int | None, added: Sequence[tuple[int, int, list[Step]]], seed: int
) -> None:
    """Wherever rows are put in; where a limit cuts a source off, at its end alone."""
    workspace = Workspace(f"memory://growth-{uuid.uuid4().hex}")
    shards: tuple[list[Any], list[Any]] = ([], [])
    before: dict[str, dict[str, Any]] = {}
    n_rows = 0
    for source, place, new in added:
        rows = [row_of(n_rows + n, step, seed=seed) for n, step in enumerate(new)]
        n_rows += len(rows)
        shards[source].insert(
            place if limit is None else len(shards[source]), hashed_shard(workspace, f"{n_rows:03}", rows)
        )
        sources = [SourceShards(f"source {n}", tuple(own), limit) for n, own in enumerate(shards)]
        selection = select(workspace, sources, Rules(dedup=dedup, splits=RULE))  # type: ignore[arg-type]
        found = {row["id"]: row for row in workspace.open_parquet(selection.path).read().to_pylist()}
        assert selection.rows_in == len(found) == n_rows == selection.rows_kept + sum(selection.rejected.values())
        split_of = {row["group"]: row["split"] for row in found.values() if row["split"]}
        # of one group all are on one side
        assert all(row["split"] in (None, split_of.get(row["group"])) for row in found.values())
        for id_, row in before.items():
            # where the row was left out since, what is kept for it stands in its place
            now = split_of.get(found[id_]["group"])
            if row["split"] and now:
                assert HELD_OUT[now] >= HELD_OUT[row["split"]]
            elif row["split"]:
                assert found[id_]["reason"]
        for row in found.values():
            if row["reason"] == "duplicate_near":
                kept = found[row["detail"].removeprefix("nearly the same as ")]
                assert kept["reason"] is None
                assert kept["group"] == row["group"]
        before = found
    workspace.fs.rm(workspace.root, recursive=True)


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), max_size=12), st.data())
def test_joining_groups_moves_rows_towards_test_alone(links: list[list[int]], data: st.DataObject) -> None:
    names = [f"key {n}" for n in range(31)]
    known = data.draw(st.integers(0, len(links)))

    def splits(some: Sequence[Sequence[int]]) -> list[str | None]:
        labels: list[list[str | None]] = [
            [f"link {n}" if row in link else None for row in range(31)] for n, link in enumerate(some)
        ]
        return split_groups(joined(names, *labels), names, RULE)

    for earlier, later in zip(splits(links[:known]), splits(links), strict=True):
        assert earlier is not None
        assert later is not None
        assert HELD_OUT[later] >= HELD_OUT[earlier]


def test_shares_stay_near_what_is_asked() -> None:
    """A fifth of 20,000 rows in near pairs, a tenth in families of a parent and three children."""
    keys = [f"key {n}" for n in range(20_000)]
    groups = list(keys)
    for n in range(0, 4_000, 2):
        groups[n] = groups[n + 1]
    for n in range(4_000, 6_000, 4):
        keys[n + 1 : n + 4] = [f"parent:{n}"] * 3
        groups[n : n + 4] = [f"family {n}"] * 4
    counts = Counter(split_groups(groups, keys, SplitRule()))
    in_pairs, alone = 4_000 + 2_000, 14_000
    expected = in_pairs * (1 - 0.9**2) + alone * 0.1
    assert abs(counts["test"] - expected) < 200
    assert 0.10 < counts["test"] / 20_000 < 0.14
