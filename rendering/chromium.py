"""Which Chromium is on this machine, and the flags it is started with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from rendering.errors import BrowserNotFoundError

SYSTEM_NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
OVERRIDE: Final = "MARKUPMILL_CHROMIUM"
"""Environment variable that names the browser to use."""

APPARMOR_SETTING: Final = "kernel.apparmor_restrict_unprivileged_userns"
"""Where it is 1, AppArmor decides by program: what `unshare` may says nothing of Chromium (Ubuntu 23.10 and later)."""

DETERMINISM_FLAGS: Final = (
    "--disable-gpu",
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--disable-skia-runtime-opts",
    "--disable-partial-raster",
)
"""Measured: 0 of 40 pages differed over 4 processes; without them 1 to 3 differ by a level in a few pixels."""

NETWORK_FLAGS: Final = (
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--dns-prefetch-disable",
    "--no-pings",
    # Sandboxed and foreign frames stay in the page's own target, where its requests are answered.
    "--disable-site-isolation-trials",
    "--disable-features=IsolateSandboxedIframes,IsolateOrigins,site-per-process,Translate,SpareRendererForSitePerProcess",
)
"""A dead proxy for everything, loopback too: what no request handler sees (prefetch, preconnect) goes nowhere."""


@dataclass(frozen=True)
class Chromium:
    """A browser program and its version as it says it (`156.0.8078.79`)."""

    path: Path
    version: str


@dataclass(frozen=True)
class Sandbox:
    """Whether Chromium's own sandbox can be used here, and why not."""

    usable: bool
    why_not: str = ""


def find_chromium() -> Chromium:
    """The browser to render with: the one named by MARKUPMILL_CHROMIUM, the system's, else Playwright's own.

    Raises:
        BrowserNotFoundError: there is none, or the named one does not run.
    """
    named = os.environ.get(OVERRIDE)
    if named:
        path = shutil.which(named)
        if path is None:
            raise BrowserNotFoundError(f"{OVERRIDE} names {named}, which is no program", f"Correct or unset {OVERRIDE}")
        return Chromium(Path(path), _version(path))
    for path in (*filter(None, map(shutil.which, SYSTEM_NAMES)), *map(str, _playwright_browsers())):
        return Chromium(Path(path), _version(path))
    raise BrowserNotFoundError("No Chromium on this machine", "Run `make setup`, or install chromium-headless-shell")


def launch_flags() -> list[str]:
    """Every flag of a start but the sandbox's."""
    return [*DETERMINISM_FLAGS, *NETWORK_FLAGS]


@lru_cache(maxsize=1)
def sandbox() -> Sandbox:
    """Whether Chromium's own sandbox works here for this user.

    Where the namespaces that it is made of can be had, it does; elsewhere the browser is asked, since it may have leave
    of its own (a setuid helper, an AppArmor profile).

    Raises:
        BrowserNotFoundError: there is none to ask.
    """
    if not sys.platform.startswith("linux"):
        return Sandbox(usable=True)
    if os.geteuid() == 0:
        return Sandbox(usable=False, why_not="Chromium refuses its sandbox to root: run as another user")
    restricted = _read_setting(APPARMOR_SETTING) == "1"
    if (not restricted and _has_namespaces()) or _starts_sandboxed(find_chromium().path):
        return Sandbox(usable=True)
    if restricted:
        why_not = f"AppArmor keeps user namespaces from it: sysctl {APPARMOR_SETTING}=0, or a profile that allows them"
    elif _read_setting("user.max_user_namespaces") == "0":
        why_not = "user namespaces are off: sysctl user.max_user_namespaces=10000"
    else:
        why_not = "no user namespaces for this user: allow them (in a container: its seccomp profile)"
    return Sandbox(usable=False, why_not=why_not)


@lru_cache(maxsize=4)
def _version(path: str) -> str:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BrowserNotFoundError(f"{path} does not run ({type(error).__name__})", "Run `make setup`") from error
    found = re.search(r"\d+(\.\d+){2,3}", told)
    return found[0] if found else told.strip()[:80]


def _playwright_browsers() -> list[Path]:
    """Headless shells, then full browsers, that `playwright install` has put in its cache; newest first."""
    root = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    shells = sorted(root.glob("chromium_headless_shell-*/*/*headless*shell"), reverse=True)
    return [*shells, *sorted(root.glob("chromium-*/chrome-linux*/chrome"), reverse=True)]


def _has_namespaces() -> bool:
    """Whether this user can have what the sandbox is made of: user, process and network namespaces of one's own."""
    command = ["unshare", "--user", "--map-root-user", "--pid", "--net", "--fork", "true"]
    return _succeeds(command, timeout_s=10)


def _starts_sandboxed(browser: Path) -> bool:
    """Whether the browser itself starts with its sandbox; it ends at once where it cannot have it."""
    with tempfile.TemporaryDirectory() as profile:
        command = [str(browser), "--headless", "--disable-gpu", f"--user-data-dir={profile}", *NETWORK_FLAGS]
        return _succeeds([*command, "--dump-dom", "about:blank"], timeout_s=30)


def _succeeds(command: list[str], timeout_s: float) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=timeout_s, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _read_setting(name: str) -> str:
    """A kernel setting (sysctl), empty where there is none of that name."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return ""
