"""An address is a local path, a URL or a dataset of the Hub; what cannot be read is one line with its mend."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import fsspec
import pytest

from curation.errors import AddressError, MarkupmillError, UnreachableError
from curation.ingest import Ingest
from curation.pipeline import pinned_source
from curation.sources import remote
from curation.sources.address import open_file, pinned, read_beside, resolve
from curation.sources.captions import Captions
from curation.sources.files import is_inside
from curation.sources.generated import Generated
from curation.sources.llava_chat import LlavaChat
from curation.sources.source import Piece
from tests.hub.server import FakeHub

SUFFIXES = (".parquet",)


def names(address: str) -> list[str]:
    return [file.name for file in resolve(address, SUFFIXES).files]


def problem(address: str, error: type[MarkupmillError] = AddressError) -> str:
    with pytest.raises(error) as caught:
        resolve(address, SUFFIXES)
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    return str(caught.value)


def put(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def test_a_folder_gives_its_files_train_first_then_by_name_without_hidden_ones(tmp_path: Path) -> None:
    put(tmp_path, "data/test-0.parquet", "data/train-1.parquet", "data/train-0.parquet", "b.parquet", "notes.md")
    put(tmp_path, ".cache/x.parquet", "data/.partial.parquet")
    assert names(str(tmp_path)) == ["data/train-0.parquet", "data/train-1.parquet", "b.parquet", "data/test-0.parquet"]


def test_a_file_is_an_address_too_and_so_is_its_file_url(tmp_path: Path) -> None:
    put(tmp_path, "one file.parquet")
    for address in (str(tmp_path / "one file.parquet"), f"file://{tmp_path}/one%20file.parquet"):
        (file,) = resolve(address, SUFFIXES).files
        assert (file.name, file.size_bytes) == ("one file.parquet", 16)
        with open_file(file.path) as stream:
            assert stream.read() == b"one file.parquet"


def test_a_relative_path_that_exists_wins_over_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: FakeHub
) -> None:
    hub.publish("org/name", {"hub.parquet": b"hub"})
    assert names("org/name") == ["hub.parquet"]
    put(tmp_path, "org/name/local.parquet")
    monkeypatch.chdir(tmp_path)
    assert names("org/name") == ["local.parquet"]


def test_a_url_of_any_file_system_opens_again_by_the_paths_that_it_gives() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/data/a.parquet", b"abc")
    memory.pipe("/bucket/readme.md", b"")
    for address in ("memory://bucket", "memory://bucket/", "memory://bucket/data/a.parquet"):
        (file,) = resolve(address, SUFFIXES).files
        assert file.size_bytes == 3
        with open_file(file.path) as stream:
            assert stream.read() == b"abc"


def test_what_does_not_exist_is_said_so(tmp_path: Path, hub: FakeHub) -> None:
    assert "There is no file or folder" in problem(str(tmp_path / "missing"))
    assert "There is no file or folder" in problem("")
    assert "There is no file or folder" in problem("one/two/three")
    assert "There is nothing at memory://no/such" in problem("memory://no/such")
    assert "no folder and no dataset on the Hub named org/none" in problem("org/none")
    assert "cannot be opened" in problem("nosuchprotocol://x")
    assert "chained" in problem("zip://*.parquet::file.zip")


def test_a_folder_without_such_files_says_what_it_holds(tmp_path: Path) -> None:
    assert "It is empty" in problem(str(tmp_path))
    put(tmp_path, "a.csv", "b.csv", "LICENSE")
    assert "holds no .parquet file. It holds 3 files: (no suffix), .csv" in problem(str(tmp_path))


def test_a_folder_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    put(tmp_path, "a.parquet")
    monkeypatch.setattr("os.scandir", refuse)
    assert "may not be read. Check its permissions" in problem(str(tmp_path))


def test_a_password_in_a_url_is_not_repeated() -> None:
    assert "hunter2" not in problem("nosuchprotocol://me:hunter2@host/x")


def test_a_moving_revision_becomes_the_commit_that_it_is_now(hub: FakeHub) -> None:
    first = hub.publish("org/name", {"a.parquet": b"1"})
    second = hub.publish("org/name", {"a.parquet": b"22"})
    assert resolve("org/name", SUFFIXES).revision == second
    assert resolve("org/name@main", SUFFIXES).revision == second
    pinned = resolve(f"org/name@{first}", SUFFIXES)
    assert (pinned.revision, pinned.files[0].size_bytes) == (first, 1)
    with open_file(pinned.files[0].path) as stream:
        assert stream.read() == b"1"
    assert "has no revision 'nope'" in problem("org/name@nope")


def test_a_folder_of_a_dataset_is_addressed_by_url(hub: FakeHub) -> None:
    hub.publish("org/name", {"v1/a.parquet": b"1", "v2/b.parquet": b"2", "v2/c #%20.parquet": b"33"})
    assert names("hf://datasets/org/name/v2") == ["b.parquet", "c #%20.parquet"]
    odd = resolve("hf://datasets/org/name/v2", SUFFIXES).files[1]
    with open_file(odd.path) as stream:
        assert stream.read() == b"33"


def test_private_and_gated_datasets_want_a_token_which_no_message_shows(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish("org/private", {"a.parquet": b"1"}, private=True)
    hub.publish("org/gated", {"a.parquet": b"1"}, gated=True)
    assert "HF_TOKEN" in problem("org/private")
    assert "is gated. Ask for access" in problem("org/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "hf_wrong" not in problem("org/gated") + problem("org/private")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert names("org/private") == names("org/gated") == ["a.parquet"]
    assert hub.token not in repr(resolve("org/private", SUFFIXES))


def test_a_saved_login_is_not_used(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(hub.token)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.publish("org/name", {"a.parquet": b"1"})
    names("org/name")
    assert {request.authorization for request in hub.requests} == {None}


def test_a_busy_hub_is_asked_again_and_a_broken_one_named(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.DEADLINE_VARIABLE, "1")
    monkeypatch.setattr(remote, "_sleep", lambda _: None)
    hub.publish("org/name", {"a.parquet": b"1"})
    hub.fail("/api/datasets/org/name", 503, times=2)
    assert names("org/name") == ["a.parquet"]
    hub.fail("/api/datasets/org/name", 503, times=99_999)
    assert "(HTTP 503). Try again later" in problem("org/name", UnreachableError)


def test_a_hub_that_refuses_a_connection_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert "cannot be reached" in problem("org/name", UnreachableError)


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "UNREACHABLE_AFTER_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert "cannot be reached (TimeoutError)" in problem("org/name", UnreachableError)
        assert time.monotonic() - started < 5


def test_a_split_chooses_files_by_their_names(tmp_path: Path) -> None:
    put(tmp_path, "data/train-0.parquet", "data/val-0.parquet", "full/test/0000.parquet", "loose.parquet")
    found = resolve(str(tmp_path), SUFFIXES)
    assert [file.name for file in found.of_split("train").files] == ["data/train-0.parquet", "loose.parquet"]
    assert [file.name for file in found.of_split("validation").files] == ["loose.parquet", "data/val-0.parquet"]
    assert found.of_split("all") == found
    put(tmp_path / "only", "train-0.parquet")
    named = resolve(str(tmp_path / "data/val-0.parquet"), SUFFIXES)
    assert named.of_split("train") == named
    with pytest.raises(AddressError, match=r"has no split 'test'\. It has: train"):
        resolve(str(tmp_path / "only"), SUFFIXES).of_split("test")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", ".", "", "a\\..\\b", "a\0b", "./a", "x" * 300, "\ud800"]
)
def test_a_name_that_leaves_its_folder_is_known(name: str) -> None:
    assert not is_inside(name)
    assert is_inside("train/PMC1_0.png")


def test_a_file_beside_another_is_read_from_every_store(tmp_path: Path, hub: FakeHub) -> None:
    put(tmp_path, "list.parquet", "train/x.png")
    fsspec.filesystem("memory").pipe({"/beside/list.parquet": b"", "/beside/train/x.png": b"train/x.png"})
    hub.publish("org/name", {"list.parquet": b"1", "train/x.png": b"train/x.png"})
    for address in (str(tmp_path), "memory://beside", "org/name"):
        (file,) = resolve(address, SUFFIXES).files
        assert read_beside(file.path, "train/x.png", 100) == b"train/x.png"
        assert read_beside(file.path, "train/x.png", 3) is None
        assert read_beside(file.path, "train", 100) is None
        assert read_beside(file.path, "train/y.png", 100) is None


CARD = b"""---
license: mit
configs:
- config_name: v0.1
  data_files:
  - split: train
    path: data/train-*
- config_name: many
  data_files:
    train: ["data/train-*", "extra/*.parquet"]
    test: v0.2/test/*
- config_name: all
  data_files: "**/*.parquet"
- config_name: inside
  data_dir: v0.2
- config_name: none
  data_files: nothing-*
---
# A data set
"""
CONFIG_FILES = (
    "data/train-0.parquet",
    "extra/a.parquet",
    "extra/deep/b.parquet",
    "v0.2/test/c.parquet",
    "other.parquet",
)


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ("v0.1", ["data/train-0.parquet"]),
        ("many", ["data/train-0.parquet", "extra/a.parquet", "v0.2/test/c.parquet"]),
        ("all", [*CONFIG_FILES[:3], "other.parquet", "v0.2/test/c.parquet"]),
        ("inside", ["v0.2/test/c.parquet"]),
        ("extra", ["extra/a.parquet", "extra/deep/b.parquet"]),
        ("other", ["other.parquet"]),
    ],
)
def test_a_config_of_a_dataset_is_what_its_card_says_or_a_folder_or_a_file(
    config: str, files: list[str], hub: FakeHub
) -> None:
    commit = hub.publish("org/name", {"README.md": CARD, **dict.fromkeys(CONFIG_FILES, b"1")})
    hub.publish("org/name", {"README.md": b"", "data/train-0.parquet": b"later"})
    found = resolve(f"org/name@{commit}:{config}", SUFFIXES)
    assert sorted(file.name for file in found.files) == files
    assert found.revision == commit
    assert names(f"hf://datasets/org/name@{commit}:{config}") == [file.name for file in found.files]


def test_a_config_that_is_not_there_is_said_with_those_that_are(hub: FakeHub) -> None:
    hub.publish("org/name", {"README.md": CARD, **dict.fromkeys(CONFIG_FILES, b"1")})
    assert "no config 'v0.9'. It has: all, inside, many, none, v0.1" in problem("org/name:v0.9")
    assert "no config 'none'" in problem("org/name:none")
    for card in (b"", b"---\n: [\n---\n", b"---\njust text\n---\n", b"---\nconfigs: 7\n---\n", b"\xff\xfe"):
        hub.publish("org/plain", {"README.md": card, "a/x.parquet": b"1", "chat.json": b"[]"})
        assert "no config 'b'. It has: a, chat" in problem("org/plain:b")
        assert names("org/plain:a") == ["a/x.parquet"]
    hub.publish("org/bare", {"a.parquet": b"1"})
    assert "It has: a" in problem("org/bare:b")


def test_a_config_of_a_private_dataset_is_read_with_the_token(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish("org/private", {"README.md": CARD, **dict.fromkeys(CONFIG_FILES, b"1")}, private=True)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert names("org/private:v0.1") == ["data/train-0.parquet"]


def test_a_moving_revision_is_pinned_once_for_a_whole_run(hub: FakeHub, tmp_path: Path) -> None:
    first = hub.publish("org/name", {"v1/a.parquet": b"1"})
    written = {
        "org/name": f"org/name@{first}",
        "org/name@main": f"org/name@{first}",
        "org/name@main:v1": f"org/name@{first}:v1",
        "hf://datasets/org/name/v1": f"hf://datasets/org/name@{first}/v1",
    }
    for address, expected in written.items():
        assert pinned(address) == expected
    hub.publish("org/name", {"v1/a.parquet": b"22"})
    n_requests = len(hub.requests)
    for address in (*written.values(), str(tmp_path), "memory://x", "", "one/two/three"):
        assert pinned(address) == address
    assert len(hub.requests) == n_requests  # a commit is taken at its word
    assert [resolve(address, SUFFIXES).files[0].size_bytes for address in written.values()] == [1] * 4
    with pytest.raises(AddressError, match="no dataset on the Hub named org/none"):
        pinned("org/none")


def test_all_addresses_of_a_source_are_pinned_and_its_shards_keep_their_key(hub: FakeHub, tmp_path: Path) -> None:
    chats = hub.publish("org/chats", {"a.json": b"[]"})
    pictures = hub.publish("org/pictures", {"a.png": b""})
    source = LlavaChat("org/chats:a", images="org/pictures")
    fixed = pinned_source(source)
    assert fixed == LlavaChat(f"org/chats@{chats}:a", images=f"org/pictures@{pictures}")
    piece = Piece("a.json", "0" * 64, chats, (), 0, 1)
    assert Ingest(fixed, (), ()).shard_key(piece) == Ingest(source, (), ()).shard_key(piece)
    assert pinned_source(Captions(preset="docornot", address=str(tmp_path))).license == "other"
    generated = Generated()
    assert pinned_source(generated) is generated
