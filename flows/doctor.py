"""What this machine has and lacks for markupmill, each lack with its mend. Looks only; installs nothing."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from rendering.assets import FONT_FOLDERS, KATEX_CSS, KATEX_JS, LOCK_FILE, MODULES_DIR, TAILWIND_CSS
from rendering.chromium import find_chromium, sandbox
from rendering.errors import BrowserNotFoundError

ROOT = Path(__file__).resolve().parents[1]
PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 14)  # pyproject.toml's requires-python
DISK_NEEDED_BYTES = 1 << 30  # `make demo` writes a fraction of this; below it, a shard may not fit
DISK_WISHED_BYTES = 20 << 30  # 100,000 WebSight pages with their pictures, shards and release together

Status = Literal["ok", "warn", "missing"]
_COLOURS = {"ok": "green", "warn": "yellow", "missing": "red"}


@dataclass(frozen=True)
class Check:
    """One thing looked at: `warn` limits what can be done here, `missing` stops the main job."""

    name: str
    status: Status
    detail: str
    mend: str = ""


def checks(workspace: Path = Path()) -> list[Check]:
    """Everything that the main job stands on, in the order in which to mend it."""
    return [
        python_check(),
        packages_check(),
        driver_check(),
        *browser_checks(),
        *asset_checks(),
        tokenizers_check(),
        gpu_check(),
        hub_check(),
        prefect_check(),
        disk_check(workspace),
    ]


def run(workspace: Path = Path()) -> int:
    """Prints all checks on one screen; the exit code is 1 where something needed is missing, else 0."""
    found = checks(workspace)
    width = max(len(check.name) for check in found)
    for check in found:
        status = click.style(f"{check.status:<7}", fg=_COLOURS[check.status])
        click.echo(f"{status}  {check.name:<{width}}  {check.detail}")
        if check.mend:
            click.echo(f"{'':<7}  {'':<{width}}  -> {check.mend}")
    n_missing = sum(check.status == "missing" for check in found)
    click.echo(f"{n_missing} needed and missing" if n_missing else "Everything needed is there.")
    return 1 if n_missing else 0


def python_check() -> Check:
    """Python's version against what the locks were made for."""
    version = ".".join(map(str, sys.version_info[:3]))
    if PYTHON_FROM <= sys.version_info[:2] < PYTHON_BELOW:
        return Check("Python", "ok", f"{version} at {sys.executable}")
    return Check("Python", "missing", f"{version} at {sys.executable}", "make setup PYTHON=/path/to/python3.12")


def packages_check(root: Path = ROOT, prefix: Path | None = None) -> Check:
    """Whether the environment holds the locked packages, by the stamp that the Makefile leaves in it."""
    prefix = Path(sys.prefix) if prefix is None else prefix
    sources = [*sorted((root / "requirements").glob("*.txt")), root / "pyproject.toml"]
    # The Makefile's KEY: the hash of the locks and the project's own file, one after the other.
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    if (prefix / f".all-{key}").exists():
        return Check("Packages", "ok", "the full locked set")
    if (prefix / f".base-{key}").exists():
        return Check("Packages", "ok", "the base locked set (no torch; `make setup` adds the rest)")
    if any(prefix.glob(".base-*")) or any(prefix.glob(".all-*")):
        return Check("Packages", "warn", "the locks changed after this environment was made", "make setup")
    return Check("Packages", "warn", f"{prefix} was not made from the locks", "make setup, then .venv/bin/markupmill")


def driver_check(python: str = sys.executable) -> Check:
    """Whether the program runs that drives Chromium: a node in the playwright package, linked to system libraries."""
    run = subprocess.run([python, "-m", "playwright", "--version"], capture_output=True, text=True, check=False)
    told = (run.stderr or run.stdout).strip().splitlines() or ["it says nothing"]
    if run.returncode == 0:
        return Check("Driver", "ok", f"Playwright {run.stdout.split()[-1]}")
    return Check("Driver", "missing", f"Playwright's does not run: {told[-1]}", "make setup-base")


def browser_checks() -> list[Check]:
    """The browser that would render, and whether its own sandbox can be used."""
    try:
        browser = find_chromium()
    except BrowserNotFoundError as error:
        return [Check("Chromium", "missing", error.problem, error.mend)]
    found = Check("Chromium", "ok", f"{browser.version} at {browser.path}")
    why_not, _, mend = sandbox().why_not.partition(": ")
    return [found, Check("Sandbox", "ok" if sandbox().usable else "warn", why_not or "Chromium's own", mend)]


def asset_checks() -> list[Check]:
    """The npm packages that pages are rendered with: style sheets, KaTeX, fonts."""
    sheets = {"katex": [KATEX_JS, KATEX_CSS], "tailwindcss": [TAILWIND_CSS]}
    lock = json.loads(LOCK_FILE.read_text(encoding="utf-8"))["packages"]
    versions = ", ".join(f"{name} {lock[f'node_modules/{name}']['version']}" for name in sheets)
    no_sheets = [name for name, paths in sheets.items() if not all(path.exists() for path in paths)]
    n_fonts = {
        folder: sum(path.suffix in {".ttf", ".otf"} for path in (MODULES_DIR / folder).rglob("*"))
        for folder in FONT_FOLDERS
    }
    no_fonts = [folder for folder, n in n_fonts.items() if n == 0]
    return [
        _installed("Assets", no_sheets, versions),
        _installed("Fonts", no_fonts, f"{sum(n_fonts.values())} files, the only ones that pages see"),
    ]


def _installed(name: str, missing: list[str], detail: str) -> Check:
    if missing:
        return Check(name, "missing", f"not installed: {', '.join(missing)}", "make setup-base")
    return Check(name, "ok", detail)


def tokenizers_check() -> Check:
    """Which installed packages ship one `tokenizer.json`: those need no Hub."""
    found = [
        distribution.name
        for distribution in importlib.metadata.distributions()
        if sum(file.name == "tokenizer.json" for file in distribution.files or []) == 1
    ]
    if found:
        return Check("Tokenizers", "ok", ", ".join(f"package:{name}" for name in sorted(found)))
    return Check("Tokenizers", "missing", "no packaged tokenizer: the embedded profile cannot count", "make setup-base")


def gpu_check() -> Check:
    """The NVIDIA GPUs that the driver's own tool lists; torch is not imported for it."""
    mend = "building needs none; training and the model measures run on the CPU, slowly"
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check("GPU", "warn", "none (no nvidia-smi)", mend)
    try:
        listing = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return Check("GPU", "warn", "none (nvidia-smi -L fails)", mend)
    # A line of it reads: GPU 0: NVIDIA H200 (UUID: GPU-…)
    names = [line.split(": ", 1)[1].split(" (UUID")[0] for line in listing.splitlines() if line.startswith("GPU ")]
    return Check("GPU", "ok", ", ".join(names)) if names else Check("GPU", "warn", "none (nvidia-smi lists none)", mend)


def hub_check() -> Check:
    """Whether the environment has a token of the Hub, the only place where one is looked for; it is never shown."""
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(variable, "").strip():
            return Check("Hub token", "ok", f"present, from {variable}")
    return Check("Hub token", "warn", "none: public data only", "set HF_TOKEN in the environment")


def prefect_check() -> Check:
    """Which Prefect server a build would use, and whether it answers; credentials in its address are not shown."""
    address = os.environ.get("PREFECT_API_URL", "")
    if not address:
        return Check("Prefect", "ok", "embedded (PREFECT_API_URL is not set)")
    mend = "start that server, or unset PREFECT_API_URL for the embedded one"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
    if not host:
        return Check("Prefect", "missing", "PREFECT_API_URL is no address", mend)
    try:
        with socket.create_connection((host, port), timeout=2):
            return Check("Prefect", "ok", f"the server at {host}:{port}")
    except OSError:
        return Check("Prefect", "missing", f"no server answers at {host}:{port}", mend)


def disk_check(workspace: Path) -> Check:
    """Free space where the workspace is or would be."""
    existing = next(path for path in [workspace.absolute(), *workspace.absolute().parents] if path.exists())
    n_free_bytes = shutil.disk_usage(existing).free
    detail = f"{n_free_bytes / 1e9:.1f} GB free at {existing}"
    if n_free_bytes < DISK_NEEDED_BYTES:
        return Check("Disk", "missing", detail, "free some space, or --workspace on another disk")
    if n_free_bytes < DISK_WISHED_BYTES:
        return Check("Disk", "warn", detail, "enough for small builds; a large one wants --workspace on another disk")
    return Check("Disk", "ok", detail)
