"""The Makefile: says in one line what a machine lacks, does nothing twice, and explains every target."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what set-up reads, without an environment."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(folder: Path, name: str, script: str) -> str:
    """Writes a shell script that stands in for a program of the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # `fakes` comes first on the path; make's own variables of an outer `make test` are not ours.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["PATH"] = f"{checkout / 'fakes'}{os.pathsep}{os.environ['PATH']}"
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def stamp(checkout: Path, which: str) -> None:
    """Marks the environment as holding the set `which` of the present locks."""
    program(checkout / ".venv/bin", "uv", "exit 1")
    key = re.search(r"\.venv/\.base-(\w+)", make(checkout, "-n", "setup-base").stdout)
    assert key
    (checkout / f".venv/.{which}-{key[1]}").touch()


def test_an_old_python_is_named_in_one_line(checkout: Path) -> None:
    old = program(checkout / "fakes", "python3", '[ "$1" = --version ] && echo "Python 3.9.2"; [ "$1" = --version ]')
    run = make(checkout, "setup-base", f"PYTHON={old}")
    assert run.returncode != 0
    assert run.stderr.splitlines()[0] == (
        "Python 3.9.2 will not do, Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.12"
    )


def test_a_missing_system_package_is_named_in_one_line(checkout: Path) -> None:
    # Debian's python3 has no ensurepip; whoever is not root cannot have it installed.
    python = program(
        checkout / "fakes", "python3", f'case "$*" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"'
    )
    program(checkout / "fakes", "id", "echo 1000")
    run = make(checkout, "setup-base", f"PYTHON={python}")
    assert run.returncode != 0
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert run.stderr.splitlines()[0] == (f"A system package is missing: as root, apt-get install python{version}-venv")


@pytest.mark.parametrize("held", ["base", "all"])
def test_a_second_set_up_installs_nothing(checkout: Path, held: str) -> None:
    stamp(checkout, held)
    assert make(checkout, "-n", "setup-base").stdout.splitlines() == [".venv/bin/python -m rendering.install"]


def test_the_full_set_is_added_to_the_base_set(checkout: Path) -> None:
    stamp(checkout, "base")
    assert "requirements/all.txt" in make(checkout, "-n", "setup").stdout


def test_a_changed_lock_never_takes_the_full_set_away(checkout: Path) -> None:
    stamp(checkout, "all")
    with (checkout / "requirements/base.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    planned = make(checkout, "-n", "setup-base").stdout
    assert "requirements/all.txt" in planned
    assert "requirements/base.txt" not in planned


def test_help_explains_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)
    assert phony
    explained = [line.split()[1] for line in make(ROOT, "help").stdout.splitlines()]
    assert sorted(explained) == sorted(phony[1].split())
