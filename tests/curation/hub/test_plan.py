"""What a push would send and delete, whose files these are, and which release folders may be pushed at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from curation.errors import BadInputError, StoreError
from curation.hub_files import LocalFile, RemoteFile, local_files
from curation.hub_plan import InTheWayError, PushPlan, changed_by_others, plan_push
from tests.curation.hub.releasing import files_of, write_release


def local(**contents: str) -> list[LocalFile]:
    return [
        LocalFile(name.replace("__", "/").replace("_", "."), len(text), sha256(text), content=text.encode())
        for name, text in contents.items()
    ]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def large(text: str) -> RemoteFile:
    return RemoteFile(len(text), "of the pointer", sha256(text))


def small(text: str) -> RemoteFile:
    return RemoteFile(len(text), hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest())


def manifest(**contents: str) -> dict[str, dict[str, dict[str, str]]]:
    return {"files": {file.path: {"sha256": file.sha256} for file in local(**contents)}}


def planned(
    ours: list[LocalFile],
    remote: dict[str, RemoteFile],
    earlier: dict[str, dict[str, dict[str, str]]] | None = None,
    small_ones: dict[str, str] | None = None,
    *,
    overwrite: bool = False,
) -> PushPlan:
    return plan_push(ours, remote, earlier, lambda path: sha256((small_ones or {})[path]), overwrite=overwrite)


def test_it_sends_what_is_not_there() -> None:
    plan = planned(local(a_txt="one", b_bin="two"), {})
    assert ([file.path for file in plan.send], plan.delete, plan.n_unchanged) == (["a.txt", "b.bin"], (), 0)


@pytest.mark.parametrize("there", [large("one"), small("one")])
def test_it_knows_bytes_by_the_hash_that_the_hub_keeps(there: RemoteFile) -> None:
    assert planned(local(a_txt="one"), {"a.txt": there}).is_empty


def test_what_an_earlier_push_wrote_is_replaced_and_deleted() -> None:
    remote = {"data/a.parquet": large("old"), "README.md": small("card"), "gone.txt": small("bye")}
    earlier = manifest(data__a_parquet="old", README_md="card", gone_txt="bye")
    plan = planned(
        local(data__a_parquet="new", README_md="new card"), remote, earlier, {"README.md": "card", "gone.txt": "bye"}
    )
    assert [file.path for file in plan.send] == ["data/a.parquet", "README.md"]
    assert plan.delete == ("gone.txt",)


def test_files_of_others_stay_where_they_are_not_in_the_way() -> None:
    remote = {".gitattributes": small("*.parquet"), "LICENSE": small("mine"), "old/data/x.parquet": large("x")}
    assert planned(local(a_txt="one"), remote).delete == ()
    assert planned(local(a_txt="one"), remote, overwrite=True).delete == ()


@pytest.mark.parametrize(
    ("path", "earlier"),
    [
        ("README.md", None),  # no earlier push
        ("README.md", manifest(README_md="as it was pushed")),  # edited on the Hub since
        ("data/train-00000-of-00009.parquet", None),  # would be read as rows of ours
        ("manifest.json", None),
    ],
)
def test_files_of_others_in_the_way_stop_it(path: str, earlier: dict[str, dict[str, dict[str, str]]] | None) -> None:
    ours = [*local(README_md="ours", data__train_00000_of_00001_parquet="rows"), *local(manifest_json="{}")]
    remote = {path: small("theirs")}
    with pytest.raises(InTheWayError, match=f"in the way: {path}.*--overwrite"):
        planned(ours, remote, earlier, {path: "theirs"})
    plan = planned(ours, remote, earlier, {path: "theirs"}, overwrite=True)
    assert path in plan.delete or path in {file.path for file in plan.send}


def test_what_the_hub_writes_itself_is_never_deleted() -> None:
    plan = planned(local(a_txt="one"), {".gitattributes": small("x")}, manifest(_gitattributes="x"), overwrite=True)
    assert plan.delete == ()


def test_what_others_changed_between_two_commits() -> None:
    ours = local(a_txt="one", b_txt="two", c_txt="three")
    before = {"a.txt": small("old"), "b.txt": small("two"), "other.txt": small("x")}
    after = {"a.txt": small("theirs"), "c.txt": small("three"), "other.txt": small("y")}
    assert changed_by_others(ours, before, after) == ["a.txt", "b.txt"]  # c is what we have


def test_a_release_is_what_its_manifest_names(tmp_path: Path) -> None:
    files = files_of(1)
    folder = write_release(tmp_path / "small", files)
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "notes.txt").write_text("mine")
    assert {file.path for file in local_files(folder)} == {*files, "manifest.json"}


def test_a_folder_without_a_manifest_gets_one(tmp_path: Path) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors", ".cache/x", "deep/tokenizer.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = {file.path: file for file in local_files(tmp_path)}
    assert files.keys() == {"adapter_config.json", "adapter_model.safetensors", "deep/tokenizer.json", "manifest.json"}
    made = json.loads(files["manifest.json"].content)["files"]
    assert made["deep/tokenizer.json"] == {"sha256": sha256("deep/tokenizer.json"), "n_bytes": 19}


@pytest.mark.parametrize("n_bytes", [10, 2_000_000])
def test_files_that_are_not_what_the_manifest_says_are_refused(tmp_path: Path, n_bytes: int) -> None:
    folder = write_release(tmp_path / "small", files_of(1, n_bytes=n_bytes))
    data = folder / "data/train-00000-of-00001.parquet"
    data.write_bytes(bytes(n_bytes))
    with pytest.raises(StoreError, match=r"data/train-00000.*manifest"):
        for file in local_files(folder):
            file.verify()
    data.unlink()
    with pytest.raises(StoreError, match=r"data/train-00000.*manifest"):
        local_files(folder)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b"])
def test_a_manifest_that_names_what_is_outside_is_refused(tmp_path: Path, path: str) -> None:
    folder = write_release(tmp_path / "small", files_of(1))
    entries = {"files": {path: {"sha256": "0" * 64, "n_bytes": 1}}}
    (folder / "manifest.json").write_text(json.dumps(entries))
    with pytest.raises(BadInputError, match="outside"):
        local_files(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"files": []}', '{"files": {"a": {}}}'])
def test_half_a_manifest_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_release(tmp_path / "small", files_of(1))
    (folder / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match="no manifest"):
        local_files(folder)
