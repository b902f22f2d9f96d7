"""A push that is killed: the repository has the old release or the new one, and what arrived is not sent again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curation.hub import push_folder
from curation.hub_record import recorded_pushes
from tests.curation.hub.releasing import files_of, in_folder, write_release
from tests.curation.hub.test_push import UPLOADS, held
from tests.hub.faults import Fault
from tests.hub.server import FakeHub

ROOT = Path(__file__).resolve().parents[3]
PUSH = "import sys; from curation.hub import push_folder; push_folder(sys.argv[1], 'org/small')"


@contextmanager
def killed_at(hub: FakeHub, release: Path, fault: Fault) -> Iterator[None]:
    """A push in a process of its own, gone without a word when the server has come so far; then the server goes on.

    The block is what happens in between.
    """
    hub.faults.planned = [fault]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1"}
    push = subprocess.Popen(
        [sys.executable, "-c", PUSH, str(release)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with push:
        assert fault.reached.wait(60), push.communicate()[0].decode()
        said = Path(f"/proc/{push.pid}/cmdline").read_bytes() if Path("/proc").is_dir() else b""
        push.send_signal(signal.SIGKILL)
        assert push.stdout is not None
        said += push.stdout.read()
    assert push.returncode == -signal.SIGKILL
    assert hub.token.encode() not in said
    yield
    fault.go_on.set()
    assert fault.over.wait(30)  # what was still on its way from the dead is counted


@pytest.fixture
def old(hub: FakeHub, release: Path) -> dict[str, bytes]:
    """What is pushed before; then the release is another."""
    push_folder(release, "org/small")
    write_release(release, files_of(1, 5, 6, card="# new\n"))
    return held(hub)


def test_killed_in_the_middle_of_an_upload(hub: FakeHub, release: Path, old: dict[str, bytes]) -> None:
    n_before = hub.bytes_received(UPLOADS)
    with killed_at(hub, release, Fault(UPLOADS, "stall", cut_after=120_000)):
        assert held(hub) == old
    assert held(hub) == old
    n_killed = hub.bytes_received(UPLOADS) - n_before
    n_stored = sum(len(data) for data in hub.stored.values()) - 600_000
    assert n_killed <= 400_000  # what was in the sockets of the dead arrives, too
    result = push_folder(release, "org/small")
    assert held(hub) == in_folder(release)
    assert hub.bytes_received(UPLOADS) - n_before - n_killed == 400_000 - n_stored
    assert result.bytes_sent < 400_000 - n_stored + 5_000  # and the texts
    assert len(hub.repos["org/small"].log) == 3


@pytest.mark.parametrize("arrived", [False, True])
def test_killed_in_the_middle_of_the_commit(hub: FakeHub, release: Path, old: dict[str, bytes], arrived: bool) -> None:
    cut_after = 10**9 if arrived else 1_000_000
    if not arrived:  # more than sockets hold, so that the rest is still to come
        write_release(release, files_of(1, 5, 6, card="# new\n" * 2_500_000))
    with killed_at(hub, release, Fault("/commit/", "stall", cut_after=cut_after)):
        n_before = hub.bytes_received(UPLOADS)
        assert held(hub) == old
    wait_for(hub, 2 if arrived else 1)
    assert held(hub) == (in_folder(release) if arrived else old)
    result = push_folder(release, "org/small")
    assert result.made_commit is not arrived
    assert held(hub) == in_folder(release)
    assert len(hub.repos["org/small"].log) == 3
    assert hub.bytes_received(UPLOADS) == n_before
    assert recorded_pushes(str(release))[-1]["revision"] == hub.repos["org/small"].head


def wait_for(hub: FakeHub, n_commits: int) -> None:
    """Until the server has done, or given up, the commit whose client is gone."""
    for _ in range(200):
        if sum("/commit/" in request.path for request in hub.requests) >= 2:
            break
        time.sleep(0.02)
    assert len(hub.repos["org/small"].log) == 1 + n_commits
