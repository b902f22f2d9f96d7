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
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rendering.document import CONTENT_POLICY, ORIGIN, SCRIPTS_POLICY, is_plain_page
from rendering.network import answer
from rendering.pictures import PictureFolder
from rendering.spec import RenderSpec

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Page

SCRIPTS_DIR: Final = Path(__file__).parent / "scripts"
VIEWPORT_HEIGHT_PX: Final = 720
NO_DATAGRAMS: Final = (
    "for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport']) delete self[name];"
)
"""Run in every frame before its own scripts: what can send beside the requests that are answered here is taken away."""
NO_SURFACE: Final = "Unable to capture screenshot"
"""What Chromium says where the compositor gave it no picture of a page."""
MAX_WARNINGS: Final = 20
"""A page can name style sheets by the ten thousand; a sample has no use for all their addresses."""


class Form(NamedTuple):
    """What a page is shaped to before a document is put into it."""

    width_px: int
    scale: float
    color_scheme: Literal["light", "dark"] = "light"
    scripts: bool = False


class NavigatedError(Exception):
    """The page went, or tried to go, to another address: what is seen may not be its own."""


class BrokenPageError(Exception):
    """The page's own scripts left it in a state that cannot be measured."""


class Tab:
    """A page with its own context. `gone` is done when the page crashed or its browser went away."""

    def __init__(self, context: BrowserContext, page: Page, session: CDPSession, *, scripts: bool) -> None:
        self._viewport_px = (0, 0)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.n_renders = 0
        self.sheet: object = None
        self._context = context
        self._session = session
        self._scripts = scripts
        self._main_frame = ""
        self._world: int | None = None
        self._left = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._n_loads = 0
        self._url = ""
        self._document: str | None = None
        self._is_plain = False
        """Whether nothing of the document that is shown will outlive it."""
        self._has_asked = False
        """Whether an answer to a document may still be in Blink's memory."""
        self._markup = ""
        self._spec: RenderSpec | None = None
        self._warnings: set[str] = set()
        self._arrived = False
        """Whether the document that is awaited is there: a load event before that is of the one before it."""
        self._loaded = asyncio.Event()
        page.on("crash", lambda _: self.mark_gone())
        page.on("close", lambda _: self.mark_gone())
        page.on("dialog", lambda dialog: self._in_background(dialog.dismiss()))
        session.on("Fetch.requestPaused", lambda event: self._in_background(self._answer(event)))
        session.on("Page.loadEventFired", self._note_load)
        session.on("Page.frameNavigated", self._note_navigation)

    @classmethod
    async def open(cls, context: BrowserContext, form: Form) -> Tab:
        """A tab in `context` of this form whose every request is answered here."""
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        tab = cls(context, page, session, scripts=form.scripts)
        await session.send("Page.enable")
        tab._main_frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        if form.scripts:
            await session.send("Page.addScriptToEvaluateOnNewDocument", {"source": NO_DATAGRAMS})
        await tab.reshape(form)
        return tab

    def mark_gone(self) -> None:
        """Say that nothing will come from this tab any more."""
        if not self.gone.done():
            self.gone.set_result(None)

    async def close(self) -> None:
        """Close the page and its context."""
        await self._context.close()

    async def reshape(self, form: Form) -> None:
        """Give the page another viewport width, scale and colour scheme: cheaper than another page."""
        self.sheet = None
        self._is_plain = False  # what the document before was laid out for stays with it (measured)
        self._viewport_px = (form.width_px, VIEWPORT_HEIGHT_PX)
        await self._session.send(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": form.width_px,
                "height": VIEWPORT_HEIGHT_PX,
                "deviceScaleFactor": form.scale,
                "mobile": False,
            },
        )
        features = {"prefers-color-scheme": form.color_scheme, "prefers-reduced-motion": "reduce"}
        await self._session.send(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": name, "value": value} for name, value in features.items()]},
        )

    async def load(self, document: str, markup: str, spec: RenderSpec) -> None:
        """Show `document` until its load event. `markup` tells the styles it needs.

        Raises:
            NavigatedError: it has gone elsewhere.
        """
        self._markup, self._spec = markup, spec
        self._warnings.clear()
        self._loaded.clear()
        self._left = False
        plain = not self._scripts and is_plain_page(document)
        if plain and self.sheet is None and self._is_plain:
            # In the place of the one before, under the same policy: half the work of going to another (benchmarks).
            content = {"frameId": self._main_frame, "html": document}
            forgotten, self._has_asked = not self._has_asked, False
            if forgotten:
                await self._in_page("Page.setDocumentContent", content)
            else:
                # To say again that nothing is cached empties Blink's memory of pictures, as going elsewhere does.
                await asyncio.gather(
                    self._in_page("Network.setCacheDisabled", {"cacheDisabled": True}),
                    self._in_page("Page.setDocumentContent", content),
                )
            await self._loaded.wait()
            return
        self.sheet = None
        self._n_loads += 1
        self._url = f"{ORIGIN}?{self._n_loads}"
        self._document, self._is_plain, self._arrived, self._has_asked = document, False, False, False
        begun = await self._session.send("Page.navigate", {"url": self._url})
        if "loaderId" in begun and not self._left:
            await self._loaded.wait()
            self._is_plain = plain
        if self._scripts:
            await self._settle()

    async def _settle(self) -> None:
        """Wait until what scripts asked for is there and shown, then stop them: what is measured is what is taken."""
        # A world of our own: in it, no script of the page has put anything in the place of the DOM's functions.
        world = await self._in_page("Page.createIsolatedWorld", {"frameId": self._main_frame})
        self._world = world["executionContextId"]
        while await self.evaluate("settle") or self._tasks:
            pass
        await self._in_page("Emulation.setScriptExecutionDisabled", {"value": True})

    async def _in_page(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Ask the page something.

        Raises:
            NavigatedError: it has left the document, or tried to.
            playwright.async_api.Error: no answer will come.
        """
        from playwright.async_api import Error  # heavy, and loaded by now

        try:
            told = await self._session.send(method, parameters)
        except Error as error:
            if self._left and not self.gone.done():
                raise NavigatedError from error
            raise
        if self._left:
            raise NavigatedError
        return told

    async def evaluate(self, script: str, *arguments: str) -> Any:
        """Call the function in `scripts/<script>.js`; the arguments are JSON texts.

        Raises:
            BrokenPageError, NavigatedError: what the page did.
            RuntimeError: it is our script that fails.
        """
        world = {} if self._world is None else {"contextId": self._world}
        told = await self._in_page(
            "Runtime.evaluate",
            {
                "expression": f"({_script(script)})({','.join(arguments)})",
                "returnByValue": True,
                "awaitPromise": True,
                **world,
            },
        )
        if "exceptionDetails" in told:
            text = told["exceptionDetails"].get("exception", {}).get("description", "no description")
            raise BrokenPageError(text.splitlines()[0]) if self._scripts else RuntimeError(f"{script}.js: {text}")
        return told["result"].get("value")

    async def screenshot(self, width_px: int, height_px: int) -> bytes:
        """PNG of the top left `width_px` x `height_px` CSS pixels, at the scale of the tab's form."""
        from playwright.async_api import Error  # heavy, and loaded by now

        # A capture beyond the viewport lays the page out twice more, for the larger size and back.
        fits = width_px <= self._viewport_px[0] and height_px <= self._viewport_px[1]
        asked = {
            "format": "png",
            "optimizeForSpeed": True,
            "captureBeyondViewport": not fits,
            "clip": {"x": 0, "y": 0, "width": width_px, "height": height_px, "scale": 1},
        }
        try:
            taken = await self._in_page("Page.captureScreenshot", asked)
        except Error as error:
            # A browser that has only just started, on a busy machine, has nothing to copy from once in a while.
            if NO_SURFACE not in str(error) or self.gone.done():
                raise
            taken = await self._in_page("Page.captureScreenshot", asked)
        return base64.b64decode(taken["data"])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or replaced since the last load, in an order that does not depend on time."""
        told = sorted(self._warnings)
        n_more = len(told) - MAX_WARNINGS
        return (*told[:MAX_WARNINGS], f"and {n_more} more") if n_more > 0 else tuple(told)

    def _note_navigation(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if frame["id"] != self._main_frame:
            return
        if frame["url"] == self._url:
            self._arrived = True
        else:
            self._note_leaving()

    def _note_load(self, _: dict[str, Any]) -> None:
        if self._arrived:
            self._loaded.set()

    def _note_leaving(self) -> None:
        """The document's load event may never come now."""
        self._left = True
        self._loaded.set()

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
        if kind == "Document" and event["frameId"] == self._main_frame:
            # It stays where it is: with 204 (No Content) nothing takes a document's place.
            self._note_leaving()
            await self._session.send("Fetch.fulfillRequest", {"requestId": request_id, "responseCode": 204})
            return
        assert self._spec is not None
        self._has_asked = True
        pictures, font = self._spec.pictures, self._spec.font
        if kind == "Image" and isinstance(pictures, PictureFolder):  # it is decoded and made small: not in the loop
            reply = await asyncio.to_thread(answer, url, kind, self._markup, pictures, font)
        else:
            reply = answer(url, kind, self._markup, pictures, font)
        if reply.warning:
            self._warnings.add(reply.warning)
        if reply.body is None:
            await self._session.send("Fetch.failRequest", {"requestId": request_id, "errorReason": "BlockedByClient"})
        else:
            await self._fulfill(request_id, reply.content_type, reply.body)

    async def _fulfill(self, request_id: str, content_type: str, body: bytes) -> None:
        headers = {"Content-Type": content_type, "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
        if content_type.startswith("text/html"):
            headers["Content-Security-Policy"] = SCRIPTS_POLICY if self._scripts else CONTENT_POLICY
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
