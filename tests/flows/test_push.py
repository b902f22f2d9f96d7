"""`markupmill push`, as a person runs it: what it says, how it ends, and that its token is told nowhere."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import push_progress
from flows.push import PushOptions, _home
from flows.push_progress import PushProgress
from tests.curation.hub.releasing import FAILED, PASSED, files_of, in_folder, write_release
from tests.flows.command_host import Commands
from tests.hub.faults import Fault
from tests.hub.server import FakeHub

CANARY = "hf_canaryCANARYcanary0123456789"


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    server = FakeHub()
    server.token = CANARY
    with server.serve():
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("push")


@pytest.fixture(scope="module")
def commands(hub: FakeHub, folder: Path) -> Iterator[Commands]:
    """Commands with the token in their environment, which give up soon; their Prefect's files are looked at, too."""
    settings = {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "hf"), "MARKUPMILL_DEADLINE_S": "2"}
    host = Commands(folder / "prefect", HF_ENDPOINT=hub.endpoint, HF_TOKEN=CANARY, **settings)
    try:
        yield host
    finally:
        host.close()
        assert CANARY not in host.said
        kept = [path for path in folder.rglob("*") if path.is_file()]
        assert any(path.suffix == ".db" for path in kept)
        assert [path for path in kept if CANARY.encode() in path.read_bytes()] == []


@pytest.fixture
def release(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A release of this test's own bytes: the server keeps those of others."""
    seed = zlib.crc32(request.node.name.encode())
    return write_release(folder / str(seed) / "releases" / "small", files_of(1, seed, n_bytes=50_000))


def test_it_says_what_it_did(commands: Commands, hub: FakeHub, release: Path) -> None:
    said = commands.run("push", release, "org/small", "--dry-run")
    assert "Dry run: would make it and send 6 of 6 files, 100." in said
    assert "  send    data/train-00001-of-00002.parquet" in said
    assert "org/small" not in hub.repos
    said = commands.run("push", release, "org/small", "--private", "--tag", "v1", "--message", "First")
    repo = hub.repos["org/small"]
    assert repo.private
    assert f"Revision: {repo.head}, tagged v1\n" in said
    assert "Sent: 6 of 6 files, 100." in said
    assert "Gate: not run" in said
    assert f"Noted in: {release.parent.parent / 'pushes' / 'small.json'}" in said
    assert f'load_dataset("org/small", revision="{repo.head[:12]}")' in said
    assert repo.log[-1][2] == "First"
    said = commands.run("push", release, "org/small")
    assert "Nothing new, no commit made" in said
    assert f"Revision: {repo.head}\n" in said
    write_release(release, files_of(1, n_bytes=50_000))
    said = commands.run("push", release, "org/small", "--branch", "next")
    assert "Sent: 1 of 5 files" in said  # the one file of data has another name, and the same bytes
    assert "deleted 2" in said
    assert repo.branches["next"] != repo.head


def test_a_model(commands: Commands, hub: FakeHub, folder: Path) -> None:
    model = folder / "adapter"
    model.mkdir()
    (model / "adapter_model.safetensors").write_bytes(b"weights")
    said = commands.run("push", model, "org/adapter", "--type", "model")
    assert "load_dataset" not in said
    assert hub.repos["org/adapter"].commits[hub.repos["org/adapter"].head]["adapter_model.safetensors"] == b"weights"


def test_failed_checks_end_it_with_3(commands: Commands, hub: FakeHub, release: Path) -> None:
    write_release(release, files_of(1, checks=[FAILED, PASSED]))
    n_before = len(hub.requests)
    said = commands.run("push", release, "org/gated", expect=3)
    assert "1 of 2 checks failed: valid.share == 1 (0.5)" in said
    assert len(hub.requests) == n_before
    said = commands.run("push", release, "org/gated", "--no-gate")
    assert "Gate: skipped with --no-gate; 1 of 2 checks had failed" in said
    assert hub.repos["org/gated"].log[-1][2].endswith("(no gate)")
    assert json.loads((release.parent.parent / "pushes" / "small.json").read_text())["pushes"][0]["no_gate"] is True


@pytest.mark.parametrize(
    ("fault", "expect", "said"),
    [
        (Fault("/preupload/", status=401, message=f"{CANARY} is no token"), 2, "does not take the token"),
        (Fault("/commit/", status=412, times=1000), 1, "busy"),
        (Fault("^/lfs/", status=429, headers={"Retry-After": "3600"}), 1, "wait for 3600 s"),
        (Fault("/commit/", status=500), 0, "Pushed to"),
        (Fault("/commit/", "lost"), 0, "Pushed to"),
    ],
    ids=["401", "412", "429", "500", "lost"],
)
def test_every_fault_is_one_line(
    commands: Commands,
    hub: FakeHub,
    release: Path,
    fault: Fault,
    expect: int,
    said: str,
    request: pytest.FixtureRequest,
) -> None:
    repo_id = f"org/{request.node.callspec.id}"
    hub.faults.planned = [fault]
    assert said in commands.run("push", release, repo_id, expect=expect)
    assert hub.faults.made[-1] is fault
    command_lines = [path.read_bytes() for path in readable("/proc/[0-9]*/cmdline")]
    assert [line for line in command_lines if CANARY.encode() in line] == []
    hub.faults.planned = []
    files = hub.repos[repo_id].commits[hub.repos[repo_id].head]
    ours = {path: data for path, data in files.items() if path != ".gitattributes"}
    assert ours == ({} if expect else in_folder(release))


def readable(pattern: str) -> Iterator[Path]:
    for path in Path("/").glob(pattern.removeprefix("/")):
        try:
            path.read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is another user's
        yield path


def test_progress_in_a_log_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = iter(float(second) for second in range(0, 100, 3))
    monkeypatch.setattr(push_progress.time, "monotonic", lambda: next(clock_s))
    log, told = io.StringIO(), list[float]()
    with PushProgress("org/small", told.append, log) as progress:
        for n_sent in range(10_000_000, 60_000_000, 10_000_000):
            progress.sent(n_sent, 50_000_000)
    assert told == [40.0, 80.0]
    assert log.getvalue().splitlines() == [
        "org/small 40%: 20.0 MB of 50.0 MB sent, 3.3 MB/s",
        "org/small 80%: 40.0 MB of 50.0 MB sent, 3.3 MB/s",
    ]


def test_runs_are_kept_in_the_workspace_of_the_release(tmp_path: Path) -> None:
    assert _home(str(tmp_path / "w" / "releases" / "small")) == tmp_path / "w" / "prefect"
    assert _home(str(tmp_path / "merged")) is None
    assert _home("s3://bucket/w/releases/small") is None
    assert CANARY not in repr(PushOptions("r", "org/small"))
