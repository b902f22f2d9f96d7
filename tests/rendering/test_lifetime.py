"""However the process ends, no browser of it is alive ten seconds later."""

from __future__ import annotations

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
