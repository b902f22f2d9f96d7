"""The workspace: files appear complete or not at all, a manifest makes them count, one writer at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from curation import store
from curation.errors import StoreError, WorkspaceLockedError
from curation.keys import canonical_json, content_key
from curation.store import Workspace

SCHEMA = pa.schema([("id", pa.string())])
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["local", "memory"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w" if request.param == "local" else f"memory://{tmp_path.name}")


@dataclass(frozen=True)
class Settings:
    a: int
    b: str = "x"


def test_a_key_depends_on_every_field_and_on_nothing_else() -> None:
    assert content_key(s=Settings(1), n=2) == content_key(n=2, s=Settings(1, "x"))
    assert content_key(s=Settings(1)) != content_key(s=Settings(2))
    assert canonical_json({"b": 1, "a": [Settings(1)]}) == '{"a":[{"a":1,"b":"x","type":"Settings"}],"b":1}'


def test_a_key_refuses_what_has_no_stable_form() -> None:
    with pytest.raises(TypeError, match="cannot be part of a key"):
        content_key(s=object())


def test_a_file_is_there_when_it_is_complete(workspace: Workspace) -> None:
    with workspace.new_file("a/b.bin") as file:
        file.write(b"half")
        assert not workspace.fs.exists(workspace.path("a/b.bin"))
    assert workspace.fs.cat_file(workspace.path("a/b.bin")) == b"half"


def test_a_file_whose_writer_failed_leaves_nothing(workspace: Workspace) -> None:
    with pytest.raises(RuntimeError), workspace.new_file("a/b.bin") as file:
        file.write(b"half")
        raise RuntimeError
    assert [name for name in workspace.fs.find(workspace.root) if "b.bin" in name or ".tmp" in name] == []


def write_rows(workspace: Workspace, n_rows: int) -> None:
    with workspace.new_parquet("rows.parquet", SCHEMA) as sink:
        sink.write(pa.table({"id": [str(i) for i in range(n_rows)]}))
        entry = sink.finish()
    workspace.write_manifest("rows.json", {"rows": entry}, rows_in=n_rows)


def test_parquet_is_hashed_as_it_is_written(workspace: Workspace) -> None:
    write_rows(workspace, 250)
    manifest = workspace.finished("rows.json")
    assert manifest is not None
    assert manifest["files"]["rows"]["sha256"] == workspace.file_sha256("rows.parquet")
    assert manifest["files"]["rows"]["n_bytes"] == workspace.fs.size(workspace.path("rows.parquet"))
    with workspace.open_parquet("rows.parquet") as file:
        assert [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] == [100, 100, 50]
        assert str(file.schema_arrow.field("id").type) == "string"


def test_what_does_not_verify_is_not_finished(workspace: Workspace) -> None:
    write_rows(workspace, 3)
    workspace.fs.pipe_file(workspace.path("rows.parquet"), b"damaged")
    assert workspace.finished("rows.json") is None
    write_rows(workspace, 3)
    assert workspace.finished("rows.json") is not None
    workspace.fs.rm_file(workspace.path("rows.parquet"))
    assert workspace.finished("rows.json") is None
    workspace.fs.pipe_file(workspace.path("rows.json"), b'{"files": ')
    assert workspace.finished("rows.json") is None


def test_one_writer_at_a_time(workspace: Workspace) -> None:
    with workspace.lock(), pytest.raises(WorkspaceLockedError, match="another run holds"), workspace.lock():
        pass
    with workspace.lock():
        pass


def test_a_dead_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from curation.store import Workspace\n"
        "with Workspace(sys.argv[1]).lock(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceLockedError), Workspace(tmp_path).lock():
            pass
        (tmp_path / "samples").mkdir()
        (tmp_path / "samples" / f"{store.TEMPORARY_PREFIX}half").write_bytes(b"half")
        holder.kill()
    with Workspace(tmp_path).lock():
        assert list((tmp_path / "samples").iterdir()) == []  # what the dead writer left is gone


def test_a_stale_lease_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace("memory://stale")
    workspace.write_json(".lease.json", {"holder": "dead", "refreshed_s": time.time() - store.LEASE_S - 1})
    with workspace.lock():
        pass
    assert workspace.read_json(".lease.json") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write in workspace .*--workspace"), Workspace(tmp_path / "w").lock():
        pass


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write in workspace .*Choose another --workspace"):
        with Workspace(tmp_path / "w").lock():
            pass


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="cannot write a.bin in workspace .*: No space left on device"):
        with workspace.new_file("a.bin"):
            fail()
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_pickles_as_its_address(workspace: Workspace) -> None:
    import pickle

    assert pickle.loads(pickle.dumps(workspace)).root == workspace.root
