"""Who renders what, when: a few tabs of one browser, renewed before they grow, replaced when they break.

Runs inside one asyncio loop; `rendering.renderer` gives it a thread. A task that breaks its tab is tried once more,
alone in a fresh browser: so the culprit is known, and its neighbours lose nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from rendering.browser import Browser
from rendering.tab import Form, Tab

RENDERS_PER_CONTEXT: Final = 100
"""A page used 2,000 times grows to 300 MB; contexts renewed every 100 renders stay at 164 MB (measured)."""

TAB_CLOSE_TIMEOUT_S: Final = 2.0
TAB_OPEN_TIMEOUT_S: Final = 15.0

WATCH_EVERY_S: Final = 0.5
MAX_PROCESS_BYTES: Final = 1_500_000_000
"""No one of Chromium's processes may hold more. Ordinary ones hold 160 MB (measured)."""

T = TypeVar("T")
Work = Callable[[Tab], Awaitable[T]]


class TabTimeoutError(Exception):
    """The work did not come back in its time, twice, the second time alone in the browser."""


class TabCrashedError(Exception):
    """The page or the browser went away under the work, twice, the second time alone in the browser."""


class _Slot:
    """Place for one tab; the tab's form is what it was shaped to last."""

    def __init__(self) -> None:
        self.tab: Tab | None = None
        self.form: Form | None = None


class Scheduler:
    """At most `n_tabs` pieces of work at a time, each with a tab of its own while it runs."""

    def __init__(self, n_tabs: int) -> None:
        self._n_tabs = n_tabs
        self._slots: asyncio.Queue[_Slot] = asyncio.Queue()
        for _ in range(n_tabs):
            self._slots.put_nowait(_Slot())
        self._browser: Browser | None = None
        self._suspect = False
        """Something broke in this browser: what a page left to draw goes on after its tab is closed (measured: 9 s)."""
        self._starting = asyncio.Lock()
        self._alone = asyncio.Lock()

    async def run(self, work: Work[T], form: Form, timeout_s: float, *, again: bool = True) -> T:
        """Do `work` with a tab of `form`; where it breaks, once more, but not where `again` is false.

        Raises:
            TabTimeoutError, TabCrashedError: twice in a row.
            RenderingError: the browser does not start.
        """
        try:
            async with self._tabs(1) as slots:
                return await self._once(slots[0], work, form, timeout_s)
        except (TabTimeoutError, TabCrashedError):
            async with self._alone, self._tabs(self._n_tabs) as slots:
                if self._suspect:
                    self._end_browser()
                if not again:
                    raise
                try:
                    return await self._once(slots[0], work, form, timeout_s)
                except (TabTimeoutError, TabCrashedError):
                    self._end_browser()
                    raise

    async def start(self) -> None:
        """Start the browser now rather than at the first work."""
        await self._running_browser()

    async def close(self) -> None:
        """End the browser; work that still runs fails."""
        if self._browser is not None:
            await self._browser.close()
            self._browser = None

    @contextlib.asynccontextmanager
    async def _tabs(self, count: int) -> AsyncIterator[list[_Slot]]:
        slots: list[_Slot] = []
        try:
            while len(slots) < count:
                slots.append(await self._slots.get())
            yield slots
        finally:
            for slot in slots:
                self._slots.put_nowait(slot)

    async def _once(self, slot: _Slot, work: Work[T], form: Form, timeout_s: float) -> T:
        from playwright.async_api import Error  # heavy, and loaded by now

        tab = await self._tab(slot, form)
        task = asyncio.ensure_future(work(tab))
        healthy = False
        try:
            await self._watch(task, tab, timeout_s)
            if not task.done():
                raise TabCrashedError("its page went away") if tab.gone.done() else TabTimeoutError
            try:
                result = task.result()
            except Error as error:
                raise TabCrashedError(str(error).strip().splitlines()[0]) from error
            healthy = True
            return result
        finally:
            if not healthy:
                self._suspect = True
                task.cancel()
                await self._discard(slot)

    async def _watch(self, task: asyncio.Future[T], tab: Tab, timeout_s: float) -> None:
        """Wait until `task` is done, the tab is gone or the time is up; what takes long may not take all memory."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        waited: set[asyncio.Future[Any]] = {task, tab.gone}
        while not task.done() and not tab.gone.done() and (left_s := deadline - clock()) > 0:
            await asyncio.wait(waited, timeout=min(left_s, WATCH_EVERY_S), return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and self._browser is not None and self._browser.kill_bloated(MAX_PROCESS_BYTES):
                raise TabCrashedError(f"it took more than {MAX_PROCESS_BYTES // 10**6} MB of memory")

    async def _tab(self, slot: _Slot, form: Form) -> Tab:
        """The slot's tab, shaped to `form`, or a new one where there is none or it has done its share."""
        from playwright.async_api import Error  # heavy, and loaded by now

        tab = slot.tab
        # What ran scripts is used once: nothing of it can meet the next page.
        once = form.scripts or (slot.form is not None and slot.form.scripts)
        if tab is not None and (once or tab.gone.done() or tab.n_renders >= RENDERS_PER_CONTEXT):
            await self._discard(slot)
        if slot.tab is not None and slot.form != form:
            try:
                await asyncio.wait_for(slot.tab.reshape(form), TAB_OPEN_TIMEOUT_S)
                slot.form = form
            except (Error, TimeoutError):
                await self._discard(slot)
        if slot.tab is None:
            browser = await self._running_browser()
            try:
                slot.tab, slot.form = await asyncio.wait_for(browser.new_tab(form), TAB_OPEN_TIMEOUT_S), form
            except (Error, TimeoutError, ConnectionError) as error:
                browser.kill()
                raise TabCrashedError(f"no new page: {type(error).__name__}") from error
        return slot.tab

    async def _discard(self, slot: _Slot) -> None:
        tab, slot.tab = slot.tab, None
        if tab is None:
            return
        tab.mark_gone()
        if self._browser is None or not self._browser.alive:
            return
        try:
            await asyncio.wait_for(tab.close(), TAB_CLOSE_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - whatever keeps a page from closing, ending its browser ends it
            self._browser.kill()

    def _end_browser(self) -> None:
        """Let nothing of this browser go on; the next work starts another."""
        if self._browser is not None:
            self._browser.kill()

    async def _running_browser(self) -> Browser:
        async with self._starting:
            if self._browser is None or not self._browser.alive:
                if self._browser is not None:
                    await self._browser.close()
                self._browser = await Browser.launch()
                self._suspect = False
            return self._browser
