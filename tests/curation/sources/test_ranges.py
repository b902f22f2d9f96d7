"""Remote bytes are fetched before their turn: in parallel, within a bound, each once, and handed over exactly."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from curation.errors import UnreachableError
from curation.sources import ranges
from curation.sources.ranges import ReadAhead, joined

DATA = random.Random(4).randbytes(100_000)


@dataclass(frozen=True)
class Slow:
    """A store of `DATA` that notes what it is asked for, waits, and fails while `broken` is set."""

    what: str = "slow://data"
    latency_s: float = 0.0
    asked: list[tuple[int, int]] = field(default_factory=list, compare=False, hash=False)
    running: list[int] = field(default_factory=lambda: [0, 0], compare=False, hash=False)  # now, and at most
    broken: threading.Event = field(default_factory=threading.Event, compare=False, hash=False)

    def size_bytes(self) -> int:
        return len(DATA)

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        self.asked.append((start, end))
        self.running[0] += 1
        self.running[1] = max(self.running)
        time.sleep(self.latency_s)
        self.running[0] -= 1
        if self.broken.is_set():
            raise UnreachableError(f"{self.what} is broken")
        yield DATA[start : min(end, len(DATA))]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(ranges, "_NEAR_BYTES", 10)


def until(condition: object) -> None:
    deadline_s = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline_s:  # type: ignore[operator]
        time.sleep(0.005)
    assert condition()  # type: ignore[operator]


def test_what_was_told_is_fetched_in_parallel_before_it_is_read_and_once() -> None:
    store, ahead = Slow(latency_s=0.05), ReadAhead(n_connections=4)
    ahead.expect("p", store, [(0, 4_000), (50_000, 50_100)])
    ahead.expect("p", store, [(2_000, 4_000)])  # on its way already
    until(lambda: len(store.asked) == 5 and not store.running[0])
    assert 1 < store.running[1] <= 4
    assert ahead.read("p", store, 0, 4_000) == DATA[:4_000]
    assert ahead.read("p", store, 50_000, 50_100) == DATA[50_000:50_100]
    assert sorted(store.asked) == [(0, 1000), (1000, 2000), (2000, 3000), (3000, 4000), (50_000, 50_100)]
    assert ahead.n_bytes == 0


def test_no_more_is_held_than_the_bound_and_reading_goes_on() -> None:
    store, ahead = Slow(), ReadAhead(n_connections=4, max_bytes=3_500)
    ahead.expect("p", store, [(0, 20_000)])
    until(lambda: len(store.asked) == 3)
    time.sleep(0.1)
    assert len(store.asked) == 3
    assert b"".join(ahead.read("p", store, at, at + 500) for at in range(0, 20_000, 500)) == DATA[:20_000]
    assert len(store.asked) == 20
    assert ahead.peak_bytes <= 4_500, "the bound, and the one that a reader claimed for itself"


def test_a_reader_never_waits_for_the_bound() -> None:
    store, ahead = Slow(), ReadAhead(n_connections=2, max_bytes=1_000)
    ahead.expect("p", store, [(0, 1_000), (5_000, 6_000)])
    until(lambda: len(store.asked) == 1)
    assert ahead.read("p", store, 5_000, 6_000) == DATA[5_000:6_000]


def test_any_reads_at_all_give_the_bytes_that_are_there() -> None:
    rng = random.Random(9)
    store, ahead = Slow(), ReadAhead(n_connections=3, max_bytes=20_000)
    for _ in range(150):
        start = rng.randrange(len(DATA))
        end = start + rng.randrange(1, 9_000)
        if rng.random() < 0.6:
            near = max(0, start + rng.randrange(-3_000, 3_000))
            ahead.expect("p", store, [(near, min(near + rng.randrange(1, 6_000), len(DATA)))])
        assert ahead.read("p", store, start, end) == DATA[start:end]


def test_what_will_not_be_read_makes_room() -> None:
    store, ahead = Slow(), ReadAhead(n_connections=2, max_bytes=1_000)
    ahead.expect("p", store, [(0, 3_000)])
    until(lambda: ahead.n_bytes == 1_000)
    ahead.forget("p", [(0, 3_000)])
    ahead.expect("q", store, [(7_000, 8_000)])
    until(lambda: (7_000, 8_000) in store.asked)
    assert ahead.n_bytes <= 1_000


def test_what_nobody_read_for_long_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "STALE_AFTER_S", 0.1)
    store, ahead = Slow(), ReadAhead(n_connections=2, max_bytes=1_000)
    ahead.expect("p", store, [(0, 1_000)])
    until(lambda: ahead.n_bytes == 1_000)
    time.sleep(0.15)
    ahead.expect("q", store, [(7_000, 8_000)])
    until(lambda: (7_000, 8_000) in store.asked)


def test_a_failure_is_the_readers_and_the_next_read_tries_anew() -> None:
    store, ahead = Slow(), ReadAhead(n_connections=2)
    store.broken.set()
    ahead.expect("p", store, [(0, 1_000)])
    with pytest.raises(UnreachableError, match="is broken"):
        ahead.read("p", store, 0, 1_000)
    store.broken.clear()
    assert ahead.read("p", store, 0, 1_000) == DATA[:1_000]
    assert ahead.n_bytes == 0


def test_threads_may_read_the_same_spans() -> None:
    store, ahead = Slow(latency_s=0.002), ReadAhead(n_connections=4, max_bytes=5_000)
    found: list[bytes] = []

    def read_all() -> None:
        ahead.expect("p", store, [(0, 10_000)])
        found.append(b"".join(ahead.read("p", store, at, at + 700) for at in range(0, 10_500, 700)))

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [DATA[:10_500]] * 4


def test_spans_that_nearly_touch_are_one_request() -> None:
    assert joined([(100, 200), (0, 50), (205, 300), (400, 400), (311, 320)]) == [(0, 50), (100, 300), (311, 320)]
