"""The last good release: kept whatever a run does, in local and remote workspaces."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from curation.last_good import last_good_kept
from curation.store import Workspace


@pytest.fixture(params=["local", "memory"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path if request.param == "local" else f"memory://{uuid4().hex}")


def write(workspace: Workspace, key: str) -> None:
    """A release as `curation.release` leaves it: another folder in the place of the one that was there."""
    if workspace.fs.exists(workspace.path("releases/r")):
        workspace.fs.rm(workspace.path("releases/r"), recursive=True)
    with workspace.new_file("releases/r/data/train.parquet") as file:
        file.write(key.encode())
    workspace.write_json("releases/r/manifest.json", {"key": key})


def releases(workspace: Workspace) -> dict[str, str]:
    root = workspace.path("releases")
    files = workspace.fs.find(root) if workspace.fs.exists(root) else []
    found = {path.removeprefix(root).lstrip("/"): workspace.fs.cat_file(path).decode() for path in files}
    return {path.removesuffix("/data/train.parquet"): text for path, text in found.items() if path.endswith("parquet")}


def run(workspace: Workspace, key: str, *, fails: bool = False) -> None:
    with last_good_kept(workspace, "r"):
        write(workspace, key)
        if fails:
            raise RuntimeError(key)


def test_a_run_that_ends_well_leaves_its_release_alone(workspace: Workspace) -> None:
    run(workspace, "one")
    run(workspace, "two")
    assert releases(workspace) == {"r": "two"}


def test_a_run_that_fails_leaves_the_release_before_and_its_own_beside_it(workspace: Workspace) -> None:
    with suppress(RuntimeError):
        run(workspace, "one", fails=True)
    assert releases(workspace) == {".failed-r": "one"}
    run(workspace, "two")
    for key in ("three", "four"):
        with pytest.raises(RuntimeError, match=key):
            run(workspace, key, fails=True)
        assert releases(workspace) == {"r": "two", ".failed-r": key}
    with pytest.raises(RuntimeError), last_good_kept(workspace, "r"):
        raise RuntimeError  # before it wrote anything
    assert releases(workspace) == {"r": "two", ".failed-r": "four"}


def test_what_a_killed_run_left_is_put_right_by_the_next(workspace: Workspace) -> None:
    run(workspace, "one")
    killed = last_good_kept(workspace, "r")
    killed.__enter__()
    write(workspace, "two")
    assert releases(workspace) == {"r": "two", ".before-r": "one"}
    seen: list[dict[str, str]] = []
    with last_good_kept(workspace, "r"):
        seen.append(releases(workspace))
    assert seen == [{"r": "one", ".before-r": "one", ".failed-r": "two"}]
    assert releases(workspace) == {"r": "one", ".failed-r": "two"}
