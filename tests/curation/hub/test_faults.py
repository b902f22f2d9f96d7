"""Whatever goes wrong, the repository has the old release or the new one, whole; and what arrived is not sent again."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from curation.errors import UnreachableError
from curation.hub import MovedOnError, PushRefusedError, push_folder
from curation.sources import remote
from rendering.errors import MarkupmillError
from tests.curation.hub.releasing import files_of, in_folder, noise, write_release
from tests.curation.hub.test_push import UPLOADS, held, writes
from tests.hub.faults import Fault, Kind
from tests.hub.server import FakeHub
from tests.hub.writing import commit_files

CALLS = {
    "look": "/revision/main$",
    "create": "/repos/create$",
    "tree": "/tree/",
    "preupload": "/preupload/",
    "batch": "/objects/batch$",
    "put": "^/lfs/",
    "verify": "^/lfs-verify/",
    "card": "/validate-yaml$",
    "commit": "/commit/",
    "refs": "/refs$",
    "tag": "/tag/",
}
LOG_IN_PAGE_DOES_NOT_STOP = set(CALLS) - {"put"}


@pytest.fixture(autouse=True)
def token_is_told_nowhere(hub: FakeHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """In no file and no output, whatever a test does."""
    yield
    printed = "".join(capfd.readouterr())
    assert printed == ""  # the client's own log would hold signed addresses
    assert [path for path in tmp_path.rglob("*") if path.is_file() and hub.token.encode() in path.read_bytes()] == []


def refused(error: BaseException, hub: FakeHub) -> str:
    """The error as a person reads it; its traceback and what is behind it are looked through for the token."""
    whole = "".join(traceback.format_exception(error))
    assert hub.token not in whole + repr(error) + repr(error.args)
    assert isinstance(error, MarkupmillError)
    assert "\n" not in str(error)
    assert error.mend
    return str(error)


def after(hub: FakeHub, n_before: int, pattern: str = UPLOADS) -> int:
    return hub.bytes_received(pattern) - n_before


# What passes


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("status", 429),
        ("status", 500),
        ("status", 503),
        ("drop", 0),
        ("cut", 0),
        ("html", 0),
        ("lost", 0),
        ("hang-up", 0),
    ],
)
def test_one_fault_at_each_call(hub: FakeHub, release: Path, pauses: list[float], kind: Kind, status: int) -> None:
    hit = LOG_IN_PAGE_DOES_NOT_STOP if kind == "html" else set(CALLS)
    hub.faults.planned = [Fault(CALLS[call], kind, status or 503) for call in hit]
    result = push_folder(release, "org/small", tag="v1")
    assert {fault.pattern for fault in hub.faults.made} == {CALLS[call] for call in hit}
    assert held(hub) == in_folder(release)
    repo = hub.repos["org/small"]
    assert [summary for _, _, summary, _ in repo.log] == ["initial commit", "Release small: 1,234 rows"]
    assert (result.revision, result.made_commit) == (repo.head, True)
    assert repo.tags == {"v1": repo.head}
    assert max(pauses) < 60


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_burst_of_errors(hub: FakeHub, release: Path, pauses: list[float], status: int) -> None:
    for call in ("look", "preupload", "put", "commit"):
        hub.fail(CALLS[call], status, times=7)
    push_folder(release, "org/small")
    assert held(hub) == in_folder(release)
    assert len(pauses) >= 20
    assert max(pauses) <= 30
    assert all(fault.times == 0 for fault in hub.faults.planned)


def test_noise_on_all_calls(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    for seed in range(3):
        hub.faults.at_random(0.3, seed)
        write_release(release, files_of(seed, seed + 1, seed + 2, n_bytes=20_000))
        while True:
            try:
                push_folder(release, f"org/small-{seed}")
                break
            except MarkupmillError as error:  # a log-in page in place of an upload's answer is believed for a while
                refused(error, hub)
                assert held(hub, f"org/small-{seed}") == {}
        assert held(hub, f"org/small-{seed}") == in_folder(release)
        assert len(hub.repos[f"org/small-{seed}"].log) == 2


def test_retry_after_is_obeyed(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    for call in ("look", "put", "commit"):
        hub.fail(CALLS[call], 429, headers={"Retry-After": "7"})
    push_folder(release, "org/small")
    assert pauses.count(7.0) == 3


@pytest.mark.parametrize("call", ["look", "preupload", "batch", "put", "card", "commit"])
def test_retry_after_of_an_hour_is_not_waited_for(hub: FakeHub, release: Path, pauses: list[float], call: str) -> None:
    hub.fail(CALLS[call], 429, headers={"Retry-After": "3600"})
    with pytest.raises(UnreachableError, match=r"429.*wait for 3600 s") as caught:
        push_folder(release, "org/small")
    assert "Try again later" in refused(caught.value, hub)
    assert sum(pauses) < 60


def test_a_hub_that_stays_down_ends_it_at_the_deadline(
    hub: FakeHub, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(remote.DEADLINE_VARIABLE, "0.5")
    push_folder(release, "org/small")
    old = held(hub)
    write_release(release, files_of(1, 2, 3, 4))
    hub.fail(CALLS["commit"], 503, times=1000)
    with pytest.raises(UnreachableError, match="503") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)
    assert held(hub) == old
    hub.faults.planned.clear()
    n_before = hub.bytes_received(UPLOADS)
    assert push_folder(release, "org/small").made_commit
    assert after(hub, n_before) == 0  # all of it was there; only the commit was missing
    assert held(hub) == in_folder(release)


def test_a_hub_that_is_not_there(release: Path, monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(remote.DEADLINE_VARIABLE, "0.2")
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)


def test_an_address_that_is_none(release: Path, monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)


def test_a_client_that_is_told_to_stay_offline(release: Path, monkeypatch: pytest.MonkeyPatch, hub: FakeHub) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)


# What breaks on the way


def test_the_client_logs_nothing(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    records: list[logging.LogRecord] = []
    listening = logging.Handler()
    listening.emit = records.append  # type: ignore[method-assign]
    logging.getLogger("huggingface_hub").addHandler(listening)
    hub.faults.planned = [Fault(UPLOADS, "drop"), Fault(CALLS["tree"], "drop")]  # it would log the addresses
    push_folder(release, "org/small")
    logging.getLogger("huggingface_hub").removeHandler(listening)
    assert [record.getMessage() for record in records] == []


def test_a_cut_upload_is_sent_again_and_the_others_are_not(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    hub.faults.planned = [Fault(UPLOADS, "hang-up", cut_after=50_000)]
    result = push_folder(release, "org/small")
    assert hub.bytes_received(UPLOADS) == 3 * 200_000 + 50_000
    assert held(hub) == in_folder(release)
    assert result.bytes_sent == sum(map(len, in_folder(release).values()))


def test_what_arrived_before_an_upload_that_never_works_is_not_sent_again(
    hub: FakeHub, release: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(remote.DEADLINE_VARIABLE, "1")
    data = release / "data/train-00001-of-00003.parquet"
    name = hashlib.sha256(data.read_bytes()).hexdigest()
    hub.faults.planned = [Fault(f"^/lfs/{name}", "hang-up", times=1000, cut_after=10_000)]
    with pytest.raises(UnreachableError) as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)
    assert held(hub) == {}
    hub.faults.planned.clear()
    n_before = hub.bytes_received(UPLOADS)
    result = push_folder(release, "org/small")
    assert after(hub, n_before) == 200_000
    assert "data/train-00001-of-00003.parquet" in result.sent
    assert "data/train-00000-of-00003.parquet" not in result.sent
    assert held(hub) == in_folder(release)


def test_an_answer_to_the_commit_that_is_lost(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    push_folder(release, "org/small")
    write_release(release, files_of(1, 5))
    hub.faults.planned = [Fault(CALLS["commit"], "lost")]
    result = push_folder(release, "org/small")
    assert len(hub.repos["org/small"].log) == 3
    assert (result.revision, result.made_commit) == (hub.repos["org/small"].head, True)
    assert len(result.deleted) == 3
    assert held(hub) == in_folder(release)
    assert sum("/commit/" in path for path in writes(hub)) == 2  # one for each release: not asked for again


@pytest.mark.parametrize("kind", ["cut", "html"])
def test_an_answer_to_the_commit_that_cannot_be_read(
    hub: FakeHub, release: Path, pauses: list[float], kind: Kind
) -> None:
    hub.faults.planned = [Fault(CALLS["commit"], kind)]
    assert push_folder(release, "org/small").revision == hub.repos["org/small"].head
    assert len(hub.repos["org/small"].log) == 2


def test_a_log_in_page_in_place_of_the_storage_makes_no_commit(
    hub: FakeHub, release: Path, pauses: list[float]
) -> None:
    hub.faults.planned = [Fault(UPLOADS, "html", times=1000)]
    with pytest.raises(PushRefusedError) as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)
    assert held(hub) == {}
    hub.faults.planned.clear()
    push_folder(release, "org/small")
    assert held(hub) == in_folder(release)


# Somebody else


class Meanwhile:
    """Lets somebody else make a commit when the push asks for its own; the first `times`."""

    def __init__(self, hub: FakeHub, files: dict[str, bytes], times: int = 1) -> None:
        self.hub, self.files, self.times, self.n = hub, files, times, 0
        self.answer = hub.faults.next_for
        hub.faults.next_for = self.next_for  # type: ignore[method-assign]

    def next_for(self, path: str) -> Fault | None:
        if "/commit/" in path and self.n < self.times:
            self.n += 1
            repo = self.hub.repos["org/small"]
            changed = {name: data + b"%d" % self.n if self.times > 1 else data for name, data in self.files.items()}
            commit_files(repo, "main", {**repo.commits[repo.head], **changed}, "theirs")
        return self.answer(path)


def test_another_commit_on_other_files_is_followed(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    push_folder(release, "org/small")
    write_release(release, files_of(1, 5))
    n_before = hub.bytes_received(UPLOADS)
    Meanwhile(hub, {"LICENSE": b"theirs"})
    result = push_folder(release, "org/small")
    assert held(hub) == in_folder(release) | {"LICENSE": b"theirs"}
    assert [summary for _, _, summary, _ in hub.repos["org/small"].log][-2:] == ["theirs", "Release small: 1,234 rows"]
    assert after(hub, n_before) == 200_000
    assert result.made_commit


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": b"# theirs"},
        {"manifest.json": b'{"files": {}}', "data/train-00000-of-00001.parquet": b"theirs"},
        {"data/train-00007-of-00008.parquet": b"theirs"},  # none of ours, but it would be read as ours
    ],
)
def test_another_commit_on_our_files_stops_it(
    hub: FakeHub, release: Path, pauses: list[float], files: dict[str, bytes]
) -> None:
    push_folder(release, "org/small")
    write_release(release, files_of(1, 5, card="# new\n"))
    before = held(hub)
    Meanwhile(hub, files)
    with pytest.raises(MarkupmillError, match="moved on during the push|in the way") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)
    assert held(hub) == before | files
    assert len(hub.repos["org/small"].log) == 3


def test_another_release_pushed_meanwhile_stands(
    hub: FakeHub, release: Path, pauses: list[float], tmp_path: Path
) -> None:
    push_folder(release, "org/small")
    write_release(release, files_of(1, 5))
    theirs = in_folder(write_release(tmp_path / "theirs", files_of(8, 9)))  # pushed by us elsewhere: whole and ours
    Meanwhile(hub, theirs)
    with pytest.raises(MovedOnError, match=r"moved on during the push.*changed .*manifest\.json") as caught:
        push_folder(release, "org/small")
    refused(caught.value, hub)
    assert held(hub).items() >= theirs.items()
    assert len(hub.repos["org/small"].log) == 3


def test_the_same_release_pushed_by_another_is_left_as_it_is(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    Meanwhile(hub, in_folder(release))
    result = push_folder(release, "org/small")
    assert (result.revision, result.made_commit) == (hub.repos["org/small"].head, False)
    assert len(hub.repos["org/small"].log) == 2


def test_one_who_commits_all_the_time_ends_it(hub: FakeHub, release: Path, pauses: list[float]) -> None:
    Meanwhile(hub, {"LICENSE": b"theirs"}, times=1000)
    with pytest.raises(MovedOnError, match="keeps making commits"):
        push_folder(release, "org/small")
    assert set(held(hub)) == {"LICENSE"}


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_with_nobody_is_waited_for(hub: FakeHub, release: Path, pauses: list[float], status: int) -> None:
    hub.fail(CALLS["commit"], status, times=2)
    push_folder(release, "org/small")
    assert held(hub) == in_folder(release)
    assert len(pauses) == 2


# What is refused


@pytest.mark.parametrize("call", ["look", "create", "preupload", "batch", "commit"])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "does not take the token|no dataset org/small"),
        (403, "may not write to org/small.*ask org"),
        (404, "refuses"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: FakeHub, release: Path, pauses: list[float], call: str, status: int, said: str
) -> None:
    fault = Fault(CALLS[call], status=status, times=1000, message=f"no, Bearer {hub.token} must not do that")
    hub.faults.planned = [fault]
    with pytest.raises(PushRefusedError, match=said) as caught:
        push_folder(release, "org/small")
    assert "must not do that" in refused(caught.value, hub) or status == 401
    assert pauses == []
    assert "org/small" not in hub.repos or held(hub) == {}


def test_a_token_that_may_only_read(hub: FakeHub, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push_folder(release, "org/small")
    monkeypatch.setenv("HF_TOKEN", hub.reading_token)
    write_release(release, files_of(1, 5))
    with pytest.raises(PushRefusedError, match=r"403\): it says \"You don't have the rights"):
        push_folder(release, "org/small")
    with pytest.raises(PushRefusedError, match=r"may not write to org/other.*Give it write access to org"):
        push_folder(release, "org/other")


def test_an_organisation_that_the_token_may_not_make_repositories_in(hub: FakeHub, release: Path) -> None:
    hub.closed = {"org"}
    with pytest.raises(PushRefusedError, match=r"may not write to org/small \(HTTP 403\).*ask org for a writer's role"):
        push_folder(release, "org/small")
    hub.publish("org/small", {})  # somebody made it
    push_folder(release, "org/small")
    assert held(hub) == in_folder(release)


def test_somebody_elses_private_repository(hub: FakeHub, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish("org/small", {"a": noise(10, 1)}, private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PushRefusedError, match="token"):
        push_folder(release, "org/small")
    assert held(hub) == {"a": noise(10, 1)}
