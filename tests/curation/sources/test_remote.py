"""A store that is busy, cut off, garbled or gone: asked again with growing pauses, or one line with its mend."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from curation.errors import AddressError, UnreachableError
from curation.sources import remote
from curation.sources.address import open_file, read_beside, resolve
from curation.sources.remote import GarbledAnswerError, Patience, persistently
from tests.hub.faults import Fault
from tests.hub.server import FakeHub

DATA = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none is waited."""
    made: list[float] = []
    monkeypatch.setattr(remote, "_sleep", made.append)
    return made


@pytest.fixture
def path(hub: FakeHub) -> str:
    """The address of a file of 1 MiB at a commit; nothing was asked for yet."""
    hub.publish("org/name", {"a.parquet": DATA})
    (file,) = resolve("org/name", (".parquet",)).files
    hub.requests.clear()
    return file.path


def read(path: str, start: int = 0, size: int = len(DATA)) -> bytes:
    with open_file(path, len(DATA)) as stream:
        stream.seek(start)
        return stream.read(size)


def answer(status: int, **headers: str) -> Exception:
    error = OSError("an answer")
    error.response = SimpleNamespace(status_code=status, headers=headers)  # type: ignore[attr-defined]
    return error


def line_of(path: str, error: type[Exception] = UnreachableError) -> str:
    with pytest.raises(error) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Pauses and the deadline


def test_pauses_grow_up_to_a_bound_and_no_two_clients_make_the_same(pauses: list[float]) -> None:
    for _ in range(2):
        patience = Patience("it")
        for _ in range(12):
            patience.wait(answer(503))
    first, second = pauses[:12], pauses[12:]
    assert first != second
    for pause, bound in zip(first, [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30], strict=True):
        assert bound / 2 <= pause <= bound


@pytest.mark.parametrize(
    ("error", "at_least"),
    [
        (answer(429, **{"Retry-After": "7"}), 7),
        (answer(503, **{"Retry-After": "7"}), 7),
        (answer(429, ratelimit='"api";r=0;t=55'), 55),
        (answer(429, ratelimit='"api";r=3;t=55'), 0),
        (answer(503, **{"Retry-After": "soon"}), 0),
    ],
)
def test_a_store_that_says_when_to_come_again_is_left_alone_until_then(
    error: Exception, at_least: float, pauses: list[float]
) -> None:
    Patience("it").wait(error)
    assert at_least <= pauses[0] <= at_least + 30


def test_a_store_may_say_a_date(pauses: list[float]) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    Patience("it").wait(answer(503, **{"Retry-After": then}))
    assert 60 <= pauses[0] <= 90


def test_the_deadline_counts_from_the_last_byte_and_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    clock_s = [0.0]
    monkeypatch.setattr(remote.time, "monotonic", lambda: clock_s[0])
    monkeypatch.setenv("MARKUPMILL_DEADLINE_S", "100")
    patience = Patience("The store")
    clock_s[0] = 99
    patience.wait(answer(503))
    patience.renew()
    clock_s[0] = 190
    patience.wait(ConnectionResetError())
    clock_s[0] = 199
    with pytest.raises(UnreachableError, match=r"The store cannot be reached \(ConnectionResetError\).*DEADLINE_S"):
        patience.wait(ConnectionResetError())


def test_waiting_longer_than_the_deadline_is_not_begun(pauses: list[float]) -> None:
    with pytest.raises(UnreachableError, match=r"\(HTTP 429, which asks to wait for 3600 s\)"):
        Patience("it").wait(answer(429, **{"Retry-After": "3600"}))
    assert pauses == []


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), PermissionError(), answer(404), answer(403), ValueError(), AddressError("x")]
)
def test_what_would_end_the_same_again_is_not_tried_again(error: Exception, pauses: list[float]) -> None:
    with pytest.raises(type(error)):
        persistently("it", lambda: (_ for _ in ()).throw(error))
    assert pauses == []


def test_a_wrong_address_is_told_soon_and_a_busy_one_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    clock_s = [0.0]
    monkeypatch.setattr(remote.time, "monotonic", lambda: clock_s[0])
    patience = Patience("it", is_first_contact=True)
    clock_s[0] = 60
    patience.wait(answer(503))
    with pytest.raises(UnreachableError):
        patience.wait(ConnectionRefusedError())


# Files of the Hub


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again_for_a_file(path: str, hub: FakeHub, status: int, pauses: list[float]) -> None:
    hub.fail("/resolve/", status, times=2, headers={"Retry-After": "5"})
    assert read(path) == DATA
    assert [request.status for request in hub.requests] == [status, status, 206]
    assert min(pauses) >= 5


def test_a_hub_that_is_busy_for_ever_is_one_line_with_the_address(
    path: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKUPMILL_DEADLINE_S", "0.6")
    hub.fail("/resolve/", 503, times=99)
    started_s = time.monotonic()
    line = line_of(path)
    assert path in line
    assert "(HTTP 503). Try again later" in line
    assert "MARKUPMILL_DEADLINE_S" in line
    assert 1 < len(hub.requests) < 10
    assert time.monotonic() - started_s < 5
    assert UnreachableError("x").exit_code == 1


@pytest.mark.parametrize("kind", ["drop", "html"])
def test_an_answer_that_is_lost_or_is_a_web_page_is_asked_for_again(
    path: str, hub: FakeHub, kind: str, pauses: list[float]
) -> None:
    hub.faults.planned.append(Fault("/resolve/", kind, times=3))  # type: ignore[arg-type]
    assert read(path, 1000, 500) == DATA[1000:1500]
    assert len(hub.requests) == 4


def test_an_answer_that_is_cut_is_continued_where_it_stopped(path: str, hub: FakeHub, pauses: list[float]) -> None:
    for cut_after in (300_000, 0, 200_000):
        hub.faults.planned.append(Fault("/resolve/", "cut", cut_after=cut_after))
    assert read(path) == DATA
    assert [request.range for request in hub.requests] == [
        f"bytes={start}-{len(DATA) - 1}" for start in (0, 300_000, 300_000, 500_000)
    ]
    assert hub.bytes_sent() == len(DATA), "no byte was fetched twice"


def test_web_pages_for_ever_name_what_may_stand_in_between(path: str, hub: FakeHub, pauses: list[float]) -> None:
    hub.faults.planned.append(Fault("/resolve/", "html", times=99))
    line = line_of(path)
    assert "text/html" in line
    assert "Check HF_ENDPOINT" in line


def test_html_in_place_of_json_is_asked_for_again_then_told(hub: FakeHub, pauses: list[float]) -> None:
    hub.publish("org/name", {"a.parquet": DATA})
    hub.faults.planned.append(Fault("/api/", "html", times=2))
    assert len(resolve("org/name", (".parquet",)).files) == 1
    hub.faults.planned.append(Fault("/tree/", "html", times=99))
    with pytest.raises(UnreachableError, match=r"org/name.*text/html where JSON was asked for\. Check HF_ENDPOINT"):
        resolve("org/name", (".parquet",))


def test_access_that_ends_in_the_middle_is_bad_input_in_one_line(
    hub: FakeHub, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    hub.repos["org/name"].private = True
    assert "hf_canary" not in line_of(path, AddressError)
    hub.repos["org/name"].private, hub.repos["org/name"].gated = False, True
    assert "is gated. Ask for access" in line_of(path, AddressError)
    assert AddressError("x").exit_code == 2


def test_a_file_that_is_gone_is_not_waited_for(path: str, hub: FakeHub) -> None:
    with pytest.raises(FileNotFoundError):
        read(path.replace("a.parquet", "b.parquet"))
    assert len(hub.requests) == 1
    assert read_beside(path, "b.png", 100) is None


def test_large_files_come_from_another_host_which_never_sees_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeHub(has_storage=True).serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        hub.publish("org/name", {"a.parquet": DATA, "a.txt": b"small"}, private=True)
        (file,) = resolve("org/name", (".parquet",)).files
        assert read(file.path) == DATA
        assert read_beside(file.path, "a.txt", 100) == b"small"
        told = {request.host.partition(":")[0]: set[str | None]() for request in hub.requests}
        for request in hub.requests:
            told[request.host.partition(":")[0]].add(request.authorization)
        assert told == {"127.0.0.1": {f"Bearer {hub.token}"}, "localhost": {None}}


def test_a_list_of_many_pages_is_read_to_its_end_from_the_endpoint_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeHub(page_size=2).serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "hf_canary")
        hub.publish("org/name", {f"{n}.parquet": b"%d" % n for n in range(5)})
        hub.fail("cursor=2", 503)  # one page only
        endpoint, hub.endpoint = hub.endpoint, "http://elsewhere.invalid"  # as a mirror that repeats the Hub's own name
        assert len(resolve("org/name", (".parquet",)).files) == 5
        assert {request.host for request in hub.requests} == {endpoint.removeprefix("http://")}


def test_a_moving_revision_is_resolved_once(hub: FakeHub) -> None:
    hub.publish("org/name", {f"{n}.parquet": b"%d" % n for n in range(3)})
    found = resolve("org/name", (".parquet",))
    hub.publish("org/name", {"9.parquet": b"9"})
    for number, file in enumerate(found.files):
        with open_file(file.path) as stream:
            assert stream.read() == b"%d" % number
    assert sum("/revision/" in request.path for request in hub.requests) == 1


# Other stores


class _FlakyStore(MemoryFileSystem):
    """Memory that loses its connection at every other read."""

    protocol = "s3"
    n_reads = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("s3:/")))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: object) -> bytes:
        type(self).n_reads += 1
        if self.n_reads % 2:
            raise ConnectionResetError("lost")
        return bytes(super().cat_file(path, start, end))


@pytest.fixture
def flaky_store() -> Iterator[None]:
    fsspec.register_implementation("s3", _FlakyStore, clobber=True)
    _FlakyStore().pipe("/bucket/a.txt", b"0123456789")
    yield
    _FlakyStore().rm("/bucket", recursive=True)


def test_other_remote_stores_are_read_by_ranges_and_asked_again_too(flaky_store: None, pauses: list[float]) -> None:
    with open_file("s3://bucket/a.txt") as stream:
        stream.seek(-4, 2)
        assert stream.read(2) == b"67"
        assert stream.read() == b"89"
        assert stream.read() == b""
    assert len(pauses) == 2


def test_offline_mode_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE is set. Unset it"):
        resolve("org/name", (".parquet",))


def test_errors_of_a_store_are_one_line(tmp_path: Path) -> None:
    for error in (OSError("x"), GarbledAnswerError("it is no file")):
        with pytest.raises(UnreachableError), remote.reaching("a file"):
            raise error
    with pytest.raises(AddressError), remote.reaching("a file"):
        (tmp_path / "gone").read_bytes()
