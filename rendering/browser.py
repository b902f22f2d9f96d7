"""The life of one Chromium: started, asked for tabs, closed or killed, never left behind.

Runs inside one asyncio loop. Chromium hangs on a pipe of Playwright's driver, and the driver on a pipe of this
process: when this process is gone, however it went, both end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rendering.assets import fontconfig_file
from rendering.chromium import find_chromium, launch_flags, sandbox
from rendering.errors import RenderingError
from rendering.tab import Form, Tab

if TYPE_CHECKING:
    from playwright.async_api import Browser as PlaywrightBrowser
    from playwright.async_api import Playwright

CLOSE_TIMEOUT_S: Final = 3.0
LAUNCH_TIMEOUT_S: Final = 60.0


class Browser:
    """A running Chromium."""

    def __init__(self, playwright: Playwright, browser: PlaywrightBrowser, group: int) -> None:
        self._playwright = playwright
        self._browser = browser
        self.process_group = group
        self._driver_pid = _parent_of(group)
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tabs: list[Tab] = []
        self._closed = False
        browser.on("disconnected", lambda _: self._mark_gone())

    @classmethod
    async def launch(cls) -> Browser:
        """Start Playwright's driver and Chromium.

        Raises:
            RenderingError: no Chromium, no fonts, or it does not start.
        """
        from playwright.async_api import Error, async_playwright  # heavy: only who renders pays for it

        chromium, fonts = find_chromium(), fontconfig_file()
        playwright = await async_playwright().start()
        try:
            browser = await playwright.chromium.launch(
                executable_path=chromium.path,
                args=launch_flags(),
                chromium_sandbox=sandbox().usable,
                env=_environment(str(fonts)),
                # Ctrl-C is the main thread's to answer; it closes this browser.
                handle_sigint=False,
                timeout=LAUNCH_TIMEOUT_S * 1000,
            )
            session = await browser.new_browser_cdp_session()
            processes = await session.send("SystemInfo.getProcessInfo")
        except Error as error:
            await playwright.stop()
            first_line = str(error).strip().splitlines()[0]
            raise RenderingError(
                f"{chromium.path} does not start: {first_line}", "`markupmill doctor` says more"
            ) from error
        pid = next(process["id"] for process in processes["processInfo"] if process["type"] == "browser")
        return cls(playwright, browser, os.getpgid(pid))

    @property
    def alive(self) -> bool:
        """Whether tabs can still be had from it."""
        return not self._closed and self._browser.is_connected()

    async def new_tab(self, form: Form) -> Tab:
        """A tab in a fresh context: no script unless `form` says so, fixed locale and time zone.

        Raises:
            ConnectionError: the browser went away meanwhile (Playwright may wait for ever then).
            playwright.async_api.Error: there is none.
        """
        opening = asyncio.ensure_future(self._open_tab(form))
        waited: set[asyncio.Future[Any]] = {opening, self._gone}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                raise ConnectionError
            tab = opening.result()
        finally:
            opening.cancel()
        self._tabs = [*(one for one in self._tabs if not one.gone.done()), tab]
        return tab

    async def _open_tab(self, form: Form) -> Tab:
        context = await self._browser.new_context(
            java_script_enabled=form.scripts,
            locale="en-US",
            timezone_id="UTC",
            no_viewport=True,
            accept_downloads=False,
            service_workers="block",
        )
        return await Tab.open(context, form)

    async def close(self) -> None:
        """End Chromium and the driver: politely for a few seconds, then by force."""
        was_killed, self._closed = self._closed, True
        if self._browser.is_connected() and not was_killed:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._browser.close(), CLOSE_TIMEOUT_S)
        self.kill()
        try:
            await asyncio.wait_for(self._playwright.stop(), CLOSE_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - whatever keeps the driver from ending (it may be stopped), this ends it
            if self._driver_pid is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(self._driver_pid, signal.SIGKILL)

    def kill_bloated(self, limit_bytes: int) -> bool:
        """Kill those of its processes that hold more than `limit_bytes` of memory; says whether there were any."""
        bloated = [pid for pid in _processes_of(self.process_group) if _resident_bytes(pid) > limit_bytes]
        for pid in bloated:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return bool(bloated)

    def kill(self) -> None:
        """End Chromium and its children at once: Playwright starts it in a process group of its own."""
        self._closed = True
        if self.process_group != os.getpgrp():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process_group, signal.SIGKILL)
        self._mark_gone()

    def _mark_gone(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        for tab in self._tabs:
            tab.mark_gone()


def _parent_of(pid: int) -> int | None:
    """The process that started `pid` (proc(5): the fourth field of stat); None where there is no /proc."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _processes_of(group: int) -> list[int]:
    """Process ids of a process group, from /proc; none where there is no /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                found.append(int(folder.name))
    return found


def _resident_bytes(pid: int) -> int:
    """Memory that a process holds (proc(5): the second field of statm, in pages)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _environment(fontconfig: str) -> dict[str, str | float | bool]:
    """What Chromium may know of this machine: no tokens, and no settings that move pixels."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "FONTCONFIG_FILE": fontconfig, "LANG": "C.UTF-8", "TZ": "UTC"}
