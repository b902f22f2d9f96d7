"""Measures of a shard: made once, together, over one decoding of its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

from curation import stage as stage_module
from curation.ingest import ShardRef, measure_path
from curation.measures.hashes import Hashes
from curation.measures.markup import Markup
from curation.measuring import ROWS_PER_BATCH, measure_shard
from curation.pipeline import MEASURES
from curation.stage import Stage
from curation.store import Workspace
from flows.recipe import MeasureName
from rendering.pixels import DecodedImage, decode_rgb
from tests.curation.making import shards_of

N_ROWS = 2 * ROWS_PER_BATCH + 5


class HashesAgain(Hashes):
    """Another measure that looks at pictures."""

    name = "hashes_again"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """The pictures that were decoded, in order."""
    seen: list[bytes | None] = []

    def counting(data: bytes | None) -> DecodedImage:
        seen.append(data)
        return decode_rgb(data)

    monkeypatch.setattr(stage_module, "decode_rgb", counting)
    return seen


def made_shard(workspace: Workspace) -> ShardRef:
    texts = [f"<table><tr><td>{n}</td></tr></table>" for n in range(N_ROWS)]
    [measured] = shards_of(workspace, texts, N_ROWS).shards
    return measured.shard


def test_measures_that_look_at_pictures_share_one_decoding(tmp_path: Path, decoded: list[bytes | None]) -> None:
    workspace = Workspace(tmp_path)
    shard = made_shard(workspace)
    decoded.clear()
    stages: list[Stage] = [Hashes(), HashesAgain(), Markup()]
    refs = measure_shard(workspace, stages, shard.key)
    assert len(decoded) == N_ROWS
    ids = pq.read_table(tmp_path / f"samples/{shard.key}.parquet", columns=["id"]).column("id")
    tables = [pq.read_table(tmp_path / measure_path(ref.measure, ref.key)) for ref in refs]
    assert [table.column("id") == ids for table in tables] == [True] * 3
    assert tables[0].column("phash") == tables[1].column("phash")


def test_what_was_measured_is_not_measured_again(tmp_path: Path, decoded: list[bytes | None]) -> None:
    workspace = Workspace(tmp_path)
    shard = made_shard(workspace)
    first = measure_shard(workspace, [Hashes()], shard.key)
    decoded.clear()
    assert measure_shard(workspace, [Hashes(), Markup()], shard.key)[:1] == first
    assert decoded == []


def test_recipes_can_ask_for_every_measure_and_no_other() -> None:
    assert set(get_args(MeasureName)) == set(MEASURES)
