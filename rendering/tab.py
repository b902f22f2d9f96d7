"""One page of the browser, used again and again over the DevTools protocol: load a document, look, take its picture.

Every request of the page ends in `Tab._answer`; nothing is fetched. A tab that failed once is thrown away by its
owner (`rendering.browser`), never mended.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rendering.document import CONTENT_POLICY, ORIGIN
from rendering.network import answer

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Page

SCRIPTS_DIR: Final = Path(__file__).parent / "scripts"


class Tab:
    """A page with its own context. `gone` is done when the page crashed or its browser went away."""

    def __init__(self, context: BrowserContext, page: Page, session: CDPSession) -> None:
        viewport = page.viewport_size
        self._viewport_px = (viewport["width"], viewport["height"]) if viewport else (0, 0)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.n_renders = 0
        self.sheet: object = None
        self._context = context
        self._session = session
        self._tasks: set[asyncio.Task[None]] = set()
        self._n_loads = 0
        self._url = ""
        self._document: str | None = None
        self._markup = ""
        self._pictures: Literal["palette", "grey"] = "palette"
        self._warnings: set[str] = set()
        self._loaded: dict[str, asyncio.Event] = {}
        page.on("crash", lambda _: self.mark_gone())
        page.on("close", lambda _: self.mark_gone())
        page.on("dialog", lambda dialog: self._in_background(dialog.dismiss()))
        session.on("Fetch.requestPaused", lambda event: self._in_background(self._answer(event)))
        session.on("Page.lifecycleEvent", self._note_lifecycle)

    @classmethod
    async def open(cls, context: BrowserContext) -> Tab:
        """A tab in `context` whose every request is answered here."""
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        tab = cls(context, page, session)
        await session.send("Page.enable")
        await session.send("Page.setLifecycleEventsEnabled", {"enabled": True})
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        return tab

    def mark_gone(self) -> None:
        """Say that nothing will come from this tab any more."""
        if not self.gone.done():
            self.gone.set_result(None)

    async def close(self) -> None:
        """Close the page and its context."""
        await self._context.close()

    async def load(self, document: str, markup: str, pictures: Literal["palette", "grey"]) -> str:
        """Show `document` until its load event; returns its address. `markup` tells the styles it needs."""
        self.sheet = None
        self._n_loads += 1
        self._url = f"{ORIGIN}?{self._n_loads}"
        self._document, self._markup, self._pictures = document, markup, pictures
        self._warnings.clear()
        self._loaded.clear()
        begun = await self._session.send("Page.navigate", {"url": self._url})
        if "loaderId" in begun:
            await self._load_event(begun["loaderId"]).wait()
        return self._url

    async def evaluate(self, script: str, *arguments: str) -> Any:
        """Call the function in `scripts/<script>.js`; the arguments are JSON texts."""
        told = await self._session.send(
            "Runtime.evaluate",
            {"expression": f"({_script(script)})({','.join(arguments)})", "returnByValue": True, "awaitPromise": True},
        )
        if "exceptionDetails" in told:
            text = told["exceptionDetails"].get("exception", {}).get("description", "no description")
            raise RuntimeError(f"{script}.js: {text}")
        return told["result"].get("value")

    async def screenshot(self, width_px: int, height_px: int, scale: float) -> bytes:
        """PNG of the top left `width_px` x `height_px` CSS pixels, `scale` picture pixels for each."""
        # A capture beyond the viewport lays the page out twice more, for the larger size and back.
        fits = width_px <= self._viewport_px[0] and height_px <= self._viewport_px[1]
        taken = await self._session.send(
            "Page.captureScreenshot",
            {
                "format": "png",
                "optimizeForSpeed": True,
                "captureBeyondViewport": not fits,
                "clip": {"x": 0, "y": 0, "width": width_px, "height": height_px, "scale": scale},
            },
        )
        return base64.b64decode(taken["data"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or replaced since the last load, in an order that does not depend on time."""
        return tuple(sorted(self._warnings))

    def _load_event(self, loader_id: str) -> asyncio.Event:
        return self._loaded.setdefault(loader_id, asyncio.Event())

    def _note_lifecycle(self, event: dict[str, Any]) -> None:
        if event["name"] == "load":
            self._load_event(event["loaderId"]).set()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself only holds tasks weakly
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # The page went away, or took the request back, while it was answered: whoever waits for it finds out.
            pass

    async def _answer(self, event: dict[str, Any]) -> None:
        request_id, url, kind = event["requestId"], event["request"]["url"], event["resourceType"]
        if kind == "Document" and url == self._url and self._document is not None:
            document, self._document = self._document, None
            await self._fulfill(request_id, "text/html; charset=utf-8", document.encode("utf-8", "replace"))
            return
        reply = answer(url, kind, self._markup, self._pictures)
        if reply.warning:
            self._warnings.add(reply.warning)
        if reply.body is None:
            await self._session.send("Fetch.failRequest", {"requestId": request_id, "errorReason": "BlockedByClient"})
        else:
            await self._fulfill(request_id, reply.content_type, reply.body)

    async def _fulfill(self, request_id: str, content_type: str, body: bytes) -> None:
        headers = {"Content-Type": content_type, "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
        if content_type.startswith("text/html"):
            headers["Content-Security-Policy"] = CONTENT_POLICY
        await self._session.send(
            "Fetch.fulfillRequest",
            {
                "requestId": request_id,
                "responseCode": 200,
                "responseHeaders": [{"name": name, "value": value} for name, value in headers.items()],
                "body": base64.b64encode(body).decode(),
            },
        )


@lru_cache(maxsize=8)
def _script(name: str) -> str:
    """The function of a script file, without the comment above it."""
    lines = (SCRIPTS_DIR / f"{name}.js").read_text(encoding="utf-8").strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith("//")).rstrip(";")
