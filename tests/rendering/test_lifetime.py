"""However the process ends, no browser of it is alive ten seconds later."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GRACE_S = 10.0
PROGRAM = """
import os, sys
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
renderer = Renderer(2)
assert renderer.render(["<p>x"], RenderSpec("page"))[0].width_px == 1280
print("ready", flush=True)
if sys.argv[1] == "error":
    raise ValueError("on purpose")
while sys.argv[1] == "busy":
    renderer.render(["<p>x"] * 20, RenderSpec("page"))
if sys.argv[1] == "idle":
    sys.stdin.read()
"""
# name: what the program does, the signal it gets, the exit status
ENDS = {
    "normal end": ("end", None, 0),
    "exception": ("error", None, 1),
    "Ctrl-C": ("busy", signal.SIGINT, -signal.SIGINT),
    "terminated": ("busy", signal.SIGTERM, -signal.SIGTERM),
    "killed while rendering": ("busy", signal.SIGKILL, -signal.SIGKILL),
    "killed while idle": ("idle", signal.SIGKILL, -signal.SIGKILL),
}


def descendants(pid: int) -> set[int]:
    """Ids of the live processes below `pid`."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(folder.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    living = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            living.add(pid)
    return living


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc, which is not here")
@pytest.mark.parametrize("end", ENDS)
def test_no_browser_is_left(end: str) -> None:
    doing, sent, status = ENDS[end]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, doing],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        below = descendants(process.pid)
        if sent is not None:
            assert below, "the browser runs"
            time.sleep(0.3)
            below |= descendants(process.pid)
            process.send_signal(sent)
        began = time.monotonic()
        try:
            assert process.wait(GRACE_S) == status
        finally:
            process.kill()
        while alive(below) and time.monotonic() < began + GRACE_S:
            time.sleep(0.05)
        assert alive(below) == set()


POOL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from flows.lifetime import die_with_parent, hard_exit_on_signals, kill_descendants
from tests.rendering.test_lifetime import render_for_ever
with hard_exit_on_signals(kill_descendants):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=die_with_parent) as pool:
        list(pool.map(render_for_ever, range(2)))
"""
"""A build with `--runner processes`, without what is slow to start of it."""


def render_for_ever(number: int) -> None:
    from rendering.renderer import Renderer
    from rendering.spec import RenderSpec

    with Renderer(1) as renderer:
        while True:
            renderer.render([f"<p>{number}"] * 20, RenderSpec("page"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc, which is not here")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_no_browser_of_a_pools_workers_is_left(sent: signal.Signals, status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", POOL], cwd=ROOT, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 120
            while len(chromiums(below := descendants(process.pid))) < 2:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.3)
            below |= descendants(process.pid)
            process.send_signal(sent)
            began = time.monotonic()
            assert process.wait(GRACE_S) == status
        finally:
            process.kill()
        while alive(below) and time.monotonic() < began + GRACE_S:
            time.sleep(0.05)
        assert alive(below) == set()


def chromiums(pids: set[int]) -> set[int]:
    """Those that show pages: Chromium's own renderers."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found
