"""Which browser is found, and what is said when there is none."""

from pathlib import Path

import pytest

from rendering import chromium
from rendering.chromium import find_chromium, launch_flags
from rendering.errors import BrowserNotFoundError


def program(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'Chromium {version} built on Debian'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser; programs put into the folder are on its PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.delenv(chromium.OVERRIDE, raising=False)
    return tmp_path


def test_none(machine: Path) -> None:
    with pytest.raises(BrowserNotFoundError, match="make setup"):
        find_chromium()


def test_the_headless_shell_comes_first(machine: Path) -> None:
    program(machine, "google-chrome", "1.2.3.4")
    assert find_chromium().version == "1.2.3.4"
    shell = program(machine, "chromium-headless-shell", "5.6.7.8")
    assert (find_chromium().path, find_chromium().version) == (shell, "5.6.7.8")


def test_playwrights_own_comes_last(machine: Path) -> None:
    own = program(
        machine, "playwright/chromium_headless_shell-1200/chrome-headless-shell-linux64/headless_shell", "9.9.9.9"
    )
    assert find_chromium().path == own
    program(machine, "chromium", "1.1.1.1")
    assert find_chromium().version == "1.1.1.1"


def test_one_can_be_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine, "chromium", "1.1.1.1")
    mine = program(machine, "mine", "3.3.3.3")
    monkeypatch.setenv(chromium.OVERRIDE, str(mine))
    assert find_chromium().path == mine
    monkeypatch.setenv(chromium.OVERRIDE, "/nowhere/chromium")
    with pytest.raises(BrowserNotFoundError, match="/nowhere/chromium"):
        find_chromium()


def test_one_that_does_not_run_is_an_error(machine: Path) -> None:
    path = program(machine, "chromium", "1.1.1.1")
    path.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(BrowserNotFoundError, match="does not run"):
        find_chromium()


def test_flags_cut_the_network() -> None:
    assert "--proxy-server=http://127.0.0.1:9" in launch_flags()
    assert "--proxy-bypass-list=<-loopback>" in launch_flags()
    assert "--no-sandbox" not in launch_flags()
