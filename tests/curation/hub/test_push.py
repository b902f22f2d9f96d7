"""A push: what the repository holds afterwards, what went over the wire, what is noted, and when it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from curation.errors import BadInputError, GateFailedError, StoreError
from curation.hub import InTheWayError, PushRefusedError, push_folder
from curation.hub_record import recorded_pushes
from tests.curation.hub.releasing import FAILED, PASSED, files_of, in_folder, write_release
from tests.hub.server import FakeHub
from tests.hub.writing import ATTRIBUTES, commit_files

UPLOADS = "^/lfs/"
COMMITS = "/commit/"


def held(hub: FakeHub, repo_id: str = "org/small", branch: str = "main") -> dict[str, bytes]:
    repo = hub.repos[repo_id]
    head = repo.head if branch == "main" else repo.branches[branch]
    return {path: data for path, data in repo.commits[head].items() if path != ".gitattributes"}


def writes(hub: FakeHub) -> list[str]:
    return [request.path for request in hub.requests if request.method in {"POST", "PUT"}]


def test_a_repository_holds_the_release_after_one_commit(hub: FakeHub, release: Path) -> None:
    result = push_folder(release, "org/small")
    assert held(hub) == in_folder(release)
    repo = hub.repos["org/small"]
    assert result.revision == repo.head
    assert (result.made_repo, result.made_commit, result.n_files_sent) == (True, True, 7)
    assert result.bytes_sent == sum(map(len, in_folder(release).values()))
    assert [summary for _, _, summary, _ in repo.log] == ["initial commit", "Release small: 1,234 rows"]
    assert hub.bytes_received(UPLOADS) == 600_000
    assert repo.commits[repo.head][".gitattributes"] == ATTRIBUTES


def test_nothing_changed_means_no_commit_and_no_bytes(hub: FakeHub, release: Path) -> None:
    first = push_folder(release, "org/small")
    hub.requests.clear()
    second = push_folder(release, "org/small")
    assert (second.revision, second.made_commit, second.n_files_sent, second.bytes_sent) == (
        first.revision,
        False,
        0,
        0,
    )
    assert writes(hub) == []


def test_only_what_is_new_is_sent_and_what_is_gone_is_deleted_in_the_same_commit(hub: FakeHub, release: Path) -> None:
    first = push_folder(release, "org/small")
    commit_files(hub.repos["org/small"], "main", {**held(hub), ".gitattributes": ATTRIBUTES, "LICENSE": b"x"}, "theirs")
    hub.requests.clear()
    new = files_of(1, 4)  # of two files, one is as it was but for its name
    write_release(release, new)
    second = push_folder(release, "org/small")
    assert held(hub) == in_folder(release) | {"LICENSE": b"x"}
    assert len(hub.repos["org/small"].log) == 4
    assert second.revision not in {first.revision, ""}
    assert sorted(second.deleted) == [f"data/train-{i:05d}-of-00003.parquet" for i in range(3)]
    assert hub.bytes_received(UPLOADS) == 200_000


def test_a_new_repository_is_private_where_that_is_asked_for(hub: FakeHub, release: Path) -> None:
    push_folder(release, "org/small", private=True)
    assert hub.repos["org/small"].private
    push_folder(write_release(release, files_of(5)), "org/small", private=True)
    assert held(hub) == in_folder(release)


def test_what_is_to_be_private_is_not_sent_to_a_public_repository(hub: FakeHub, release: Path) -> None:
    hub.publish("org/small", {".gitattributes": ATTRIBUTES})
    with pytest.raises(BadInputError, match="public.*private"):
        push_folder(release, "org/small", private=True)
    assert writes(hub) == []


def test_a_gated_repository_takes_the_push_of_a_token_that_has_access(hub: FakeHub, release: Path) -> None:
    hub.publish("org/small", {".gitattributes": ATTRIBUTES}, gated=True)
    push_folder(release, "org/small")
    assert held(hub) == in_folder(release)
    hub.token = "hf_another"
    with pytest.raises(PushRefusedError, match=r"gated.*Ask for access"):
        push_folder(write_release(release, files_of(5)), "org/small")


def test_a_name_alone_is_a_repository_of_the_tokens_user(hub: FakeHub, release: Path) -> None:
    assert push_folder(release, "small").repo_id == "me/small"
    assert held(hub, "me/small") == in_folder(release)


def test_a_tag_names_the_commit(hub: FakeHub, release: Path) -> None:
    result = push_folder(release, "org/small", tag="v1")
    assert hub.repos["org/small"].tags == {"v1": result.revision}
    hub.requests.clear()
    assert push_folder(release, "org/small", tag="v1").revision == result.revision
    push_folder(release, "org/small", tag="v1.0")  # nothing to commit, but to tag
    assert hub.repos["org/small"].tags == {"v1": result.revision, "v1.0": result.revision}
    assert [path.rpartition("/")[0] for path in writes(hub)] == ["/api/datasets/org/small/tag"]


def test_a_tag_is_never_moved(hub: FakeHub, release: Path) -> None:
    first = push_folder(release, "org/small", tag="v1")
    write_release(release, files_of(5))
    hub.requests.clear()
    with pytest.raises(BadInputError, match=r"'v1'.*another commit.*--tag"):
        push_folder(release, "org/small", tag="v1")
    assert writes(hub) == []
    assert hub.repos["org/small"].head == first.revision


def test_a_branch_is_made_from_main_and_main_stays(hub: FakeHub, release: Path) -> None:
    first = push_folder(release, "org/small")
    write_release(release, files_of(1, 2, 5))
    result = push_folder(release, "org/small", branch="next", tag="v2")
    assert held(hub, branch="next") == in_folder(release)
    assert hub.repos["org/small"].head == first.revision
    assert hub.repos["org/small"].tags == {"v2": result.revision}
    assert hub.bytes_received(UPLOADS) == 800_000
    assert not push_folder(release, "org/small", branch="next").made_commit


def test_a_model_is_pushed_by_the_same_code(hub: FakeHub, tmp_path: Path) -> None:
    files = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights" * 1000, "README.md": b"# model"}
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    push_folder(tmp_path, "org/model", repo_type="model")
    assert {path: data for path, data in held(hub, "org/model").items() if path != "manifest.json"} == files
    assert all("/datasets/" not in path for path in writes(hub))
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "model.safetensors")  # ours, by the manifest over there
    hub.requests.clear()
    result = push_folder(tmp_path, "org/model", repo_type="model")
    assert result.deleted == ("adapter_model.safetensors",)
    assert hub.bytes_received(UPLOADS) == 0  # the same bytes by another name
    assert not push_folder(tmp_path, "org/model", repo_type="model").made_commit


def test_a_card_that_was_edited_on_the_hub_stops_the_push(hub: FakeHub, release: Path) -> None:
    push_folder(release, "org/small")
    repo = hub.repos["org/small"]
    commit_files(repo, "main", {**repo.commits[repo.head], "README.md": b"# by hand"}, "edit")
    write_release(release, files_of(1, 2, 3, card="# new\n"))
    hub.requests.clear()
    with pytest.raises(InTheWayError, match=r"README\.md"):
        push_folder(release, "org/small")
    assert writes(hub) == []
    push_folder(release, "org/small", overwrite=True)
    assert held(hub) == in_folder(release)


def test_it_is_noted_beside_the_release_and_not_in_it(hub: FakeHub, release: Path) -> None:
    before = in_folder(release)
    first = push_folder(release, "org/small", tag="v1")
    push_folder(release, "org/small")  # finds nothing to do: nothing is noted but the missing tag
    push_folder(release, "org/small")
    assert in_folder(release) == before
    record = release.parent.parent / "pushes" / "small.json"
    assert first.record == str(record)
    pushes = json.loads(record.read_text())["pushes"]
    assert [(push["revision"], push["tag"]) for push in pushes] == [(first.revision, "v1"), (first.revision, None)]
    assert pushes[0]["bytes_sent"] == first.bytes_sent


def test_a_folder_elsewhere_is_noted_beside_itself(hub: FakeHub, tmp_path: Path) -> None:
    folder = write_release(tmp_path / "merged_dataset", files_of(1))
    assert push_folder(folder, "org/small").record == str(tmp_path / "merged_dataset.pushes.json")
    assert [push["repo_id"] for push in recorded_pushes(str(folder))] == ["org/small"]


def test_a_release_on_another_store_is_pushed_and_noted_there(hub: FakeHub, release: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.put(str(release), "/ws/releases/small", recursive=True)
    push_folder("memory://ws/releases/small", "org/small")
    assert held(hub) == in_folder(release)
    assert [push["repo_id"] for push in recorded_pushes("memory://ws/releases/small")] == ["org/small"]
    fs.rm("/ws", recursive=True)


def test_a_record_that_cannot_be_written_does_not_hide_the_push(hub: FakeHub, release: Path) -> None:
    (release.parent.parent / "pushes").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="pushed as [0-9a-f]{40}"):
        push_folder(release, "org/small")
    assert held(hub) == in_folder(release)


def test_failed_checks_stop_it_before_anything_is_sent(hub: FakeHub, tmp_path: Path) -> None:
    folder = write_release(tmp_path / "small", files_of(1, checks=[PASSED, FAILED]))
    with pytest.raises(GateFailedError, match=r"1 of 2 checks failed: valid\.share == 1 \(0\.5\).*--no-gate") as caught:
        push_folder(folder, "org/small")
    assert caught.value.exit_code == 3
    assert hub.requests == []


def test_a_push_in_spite_of_the_gate_says_so(hub: FakeHub, tmp_path: Path) -> None:
    folder = write_release(tmp_path / "small", files_of(1, checks=[FAILED]))
    push_folder(folder, "org/small", gate=False, message="Now")
    _, _, summary, description = hub.repos["org/small"].log[-1]
    assert summary == "Now (no gate)"
    assert "skipped with --no-gate; 1 of 1 checks had failed: valid.share == 1 (0.5)" in description
    note = recorded_pushes(str(folder))[-1]
    assert note["no_gate"] is True
    assert "valid.share" in note["gate"]
    assert b"no-gate" not in b"".join(in_folder(folder).values())


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([], "not run: the release was held against no gate"),
        ([PASSED], "passed 1 checks"),
        ([PASSED, {**FAILED, "severity": "warn"}], "passed 1 of 2 checks, warned of valid.share == 1 (0.5)"),
    ],
)
def test_what_the_gate_said_is_in_the_message(
    hub: FakeHub, tmp_path: Path, checks: list[dict[str, object]], said: str
) -> None:
    folder = write_release(tmp_path / "small", files_of(1, n_bytes=10, checks=checks))
    assert push_folder(folder, "org/small").gate == said
    assert hub.repos["org/small"].log[-1][3] == f"Pushed by markupmill. Gate: {said}."


def test_a_dry_run_writes_nothing_anywhere(hub: FakeHub, release: Path) -> None:
    would = push_folder(release, "org/small", dry_run=True, tag="v1")
    assert (would.made_repo, would.n_files_sent, would.bytes_sent) == (
        True,
        7,
        sum(map(len, in_folder(release).values())),
    )
    push_folder(release, "org/small")
    write_release(release, files_of(1, 2))
    hub.requests.clear()
    would = push_folder(release, "org/small", branch="next", dry_run=True)
    assert would.deleted == tuple(f"data/train-{i:05d}-of-00003.parquet" for i in range(3))
    assert not would.made_commit
    assert writes(hub) == []
    assert len(recorded_pushes(str(release))) == 1


def test_a_release_that_changes_while_it_is_pushed_is_not_committed(hub: FakeHub, release: Path) -> None:
    def rebuild(n_sent: int, n_bytes: int) -> None:
        if n_sent >= n_bytes:
            write_release(release, files_of(7, 8, 9, card="# another\n"))

    with pytest.raises(StoreError, match="Build the release again"):
        push_folder(release, "org/small", progress=rebuild)
    assert held(hub) == {}


def test_progress_is_told_in_bytes(hub: FakeHub, release: Path) -> None:
    told: list[tuple[int, int]] = []
    push_folder(release, "org/small", progress=lambda n_sent, n_bytes: told.append((n_sent, n_bytes)))
    total = sum(map(len, in_folder(release).values()))
    assert told[-1] == (total, total)
    assert [n_sent for n_sent, _ in told] == sorted(n_sent for n_sent, _ in told)
    assert len(told) > 4


def test_without_a_token_nothing_is_asked(hub: FakeHub, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " ")
    with pytest.raises(BadInputError, match=r"no token.*HF_TOKEN"):
        push_folder(release, "org/small")
    assert hub.requests == []


@pytest.mark.parametrize("folder", ["nowhere", "memory://nowhere"])
def test_no_folder(hub: FakeHub, folder: str) -> None:
    with pytest.raises(BadInputError, match="no folder"):
        push_folder(folder, "org/small")


def test_a_name_that_the_hub_cannot_have(hub: FakeHub, release: Path) -> None:
    with pytest.raises(PushRefusedError, match="names no repository"):
        push_folder(release, "org/a/b")
