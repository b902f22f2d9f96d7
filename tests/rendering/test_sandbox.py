"""Chromium's own sandbox: used wherever the machine allows it to this user, and said where it does not.

A test run as root becomes another user in a user namespace of its own, where the machine has those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rendering import chromium
from rendering.chromium import Sandbox, sandbox

ROOT = Path(__file__).resolve().parents[2]
AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
# One more namespace may be made, the user's own; after that there is none for a sandbox.
WITHOUT_NAMESPACES = [
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    'echo 1 > /proc/sys/user/max_user_namespaces && exec "$@"',
    *("sh", *AS_USER),
]
PROGRAM = """
import json, os
from pathlib import Path
from flows.doctor import browser_checks
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
from tests.rendering.test_lifetime import descendants
with Renderer(1) as renderer:
    [result] = renderer.render(["<p>x"], RenderSpec("page"))
    processes = []
    for pid in descendants(os.getpid()):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/user")
        except PermissionError:  # it has taken the right to look from us
            namespace = "hidden"
        processes.append({
            "filtered": status["Seccomp"].strip() == "2",
            "pids": len(status["NSpid"].split()),
            "apart": namespace != os.readlink("/proc/self/ns/user"),
            "flag": b"--no-sandbox" in Path(f"/proc/{pid}/cmdline").read_bytes(),
        })
    check = browser_checks()[1]
    print(json.dumps([result.width_px, processes, [check.status, check.detail, check.mend]]))
"""


def told(prefix: list[str]) -> tuple[int, list[dict[str, int]], list[str]]:
    """What the program prints: a picture's width, its browser's processes, doctor's line."""
    command = [*prefix, sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    width_px, processes, check = json.loads(run.stdout)
    return width_px, processes, check


def needs(prefix: list[str]) -> list[str]:
    run = subprocess.run([*prefix, "true"], capture_output=True, text=True, timeout=10, check=False)
    if run.returncode != 0:
        pytest.skip(f"this machine lends no user namespaces: {run.stderr.strip()}")
    return prefix


@pytest.mark.skipif(sys.platform != "linux", reason="Chromium's sandbox is made of other things elsewhere")
def test_the_sandbox_is_used() -> None:
    if os.geteuid() != 0 and not sandbox().usable:
        pytest.skip(f"this machine does not allow it: {sandbox().why_not}")
    width_px, processes, check = told(needs(AS_USER) if os.geteuid() == 0 else [])
    assert width_px == 1280
    assert not any(process["flag"] for process in processes)
    assert any(process["filtered"] and process["pids"] > 1 and process["apart"] for process in processes)
    assert check == ["ok", "Chromium's own", ""]


@pytest.mark.skipif(sys.platform != "linux", reason="user namespaces are Linux's")
def test_where_there_can_be_none_doctor_says_so_and_pages_are_rendered_without() -> None:
    width_px, processes, check = told(needs(WITHOUT_NAMESPACES))
    assert width_px == 1280
    assert any(process["flag"] for process in processes)
    assert not any(process["apart"] for process in processes)
    assert check[0] == "warn"
    assert check[1].startswith("no user namespaces")
    assert check[2]


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(chromium.sys, "platform", "linux")
    sandbox.cache_clear()
    yield
    sandbox.cache_clear()


def machine(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], *, namespaces: bool, starts: bool) -> None:
    monkeypatch.setattr(chromium, "_read_setting", lambda name: settings.get(name, ""))
    monkeypatch.setattr(chromium, "_has_namespaces", lambda: namespaces)
    monkeypatch.setattr(chromium, "_starts_sandboxed", lambda _: starts)


@pytest.mark.usefixtures("not_root")
def test_apparmor_is_not_believed_of_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    restricted = {chromium.APPARMOR_SETTING: "1"}
    machine(monkeypatch, restricted, namespaces=True, starts=False)
    assert not sandbox().usable
    assert sandbox().why_not.startswith("AppArmor")
    sandbox.cache_clear()
    machine(monkeypatch, restricted, namespaces=False, starts=True)  # its own profile, or a setuid helper
    assert sandbox() == Sandbox(usable=True)


@pytest.mark.usefixtures("not_root")
def test_namespaces_that_are_off_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, {"user.max_user_namespaces": "0"}, namespaces=False, starts=False)
    assert "sysctl user.max_user_namespaces" in sandbox().why_not


def test_the_browser_itself_is_asked(tmp_path: Path) -> None:
    browser = tmp_path / "chromium"
    for status in (0, 1):
        browser.write_text(f"#!/bin/sh\nexit {status}\n")
        browser.chmod(0o755)
        assert chromium._starts_sandboxed(browser) == (status == 0)


def test_root_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
    monkeypatch.setattr(chromium.sys, "platform", "linux")
    sandbox.cache_clear()
    try:
        assert sandbox().why_not.startswith("Chromium refuses its sandbox to root: ")
    finally:
        sandbox.cache_clear()
