"""Markup in, pictures out: the one door of rendering.

    with Renderer() as renderer:
        [picture] = renderer.render(["<h1>Hello</h1>"], RenderSpec(kind="page"))

Markup is hostile: no script runs (but with `scripts`, for pages of one's own), nothing is fetched, and time, pixels,
elements and bytes are capped. A markup that gives no picture is a `RenderFailure` with its reason, and its neighbours
are unharmed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any, Final, Self, TypeVar

from rendering.assets import assets_fingerprint, require_assets
from rendering.capture import Outcome, capture_page, capture_sheet, capture_table
from rendering.chromium import find_chromium, launch_flags
from rendering.document import is_plain_table, n_tags
from rendering.katex import KatexError, shared_katex
from rendering.pictures import PictureFolder
from rendering.result import Rendered, RenderFailure
from rendering.scheduling import Scheduler, TabCrashedError, TabTimeoutError
from rendering.spec import MarkupKind, RenderSpec
from rendering.tab import BrokenPageError, Form, NavigatedError

CODE_VERSION: Final = 4
"""Raise it when the same markup gives other pixels because this package's code changed."""

N_PAGES: Final = 6
"""Pages at a time. On two cores 4 leave gaps in which none draws, and 8 are no faster (benchmarks/render_speed.py)."""

SHEET_SIZE: Final = {"formula": 100, "table": 30}
SHEET_VIEWPORT_PX: Final = 1280
CLOSE_TIMEOUT_S: Final = 15.0
MAX_DETAIL_CHARS: Final = 200

T = TypeVar("T")
_Job = tuple[str, RenderSpec]
_Make = Callable[[Scheduler], Coroutine[Any, Any, T]]


class Renderer:
    """One Chromium with `n_pages` pages at a time, driven by a thread of its own; safe to share between threads.

    The browser starts with the first render (or `start`) and ends with `close`, at the end of the `with` block, or
    with the process, however that ends. Not to be used in a forked child.
    """

    def __init__(self, n_pages: int = N_PAGES) -> None:
        if n_pages < 1:
            raise ValueError(f"n_pages is {n_pages}, and must be 1 or more")
        self._n_pages = n_pages
        self._lock = threading.Lock()
        self._engine: _Engine | None = None
        self._finalizer: weakref.finalize[[_Engine], Renderer] | None = None

    def start(self) -> None:
        """Start the browser now.

        Raises:
            RenderingError: no Chromium, no assets, or it does not start.
        """
        self._running().call(lambda scheduler: scheduler.start())

    def render(self, markups: Sequence[str], spec: RenderSpec | Sequence[RenderSpec]) -> list[Rendered | RenderFailure]:
        """Pictures of `markups` in their order, or why there is none. `spec` is that of all, or one for each.

        Raises:
            RenderingError: the machinery cannot work (no Chromium, no assets). Never for what a markup says.
        """
        specs = [spec] * len(markups) if isinstance(spec, RenderSpec) else list(spec)
        outcomes: list[Outcome | None] = [_refusal(*job) for job in zip(markups, specs, strict=True)]
        todo = {index: (markups[index], specs[index]) for index, outcome in enumerate(outcomes) if outcome is None}
        formulas = [index for index, job in todo.items() if job[1].kind == "formula"]
        html = shared_katex().to_html([markups[index] for index in formulas]) if formulas else []
        for index, made in zip(formulas, html, strict=True):
            if isinstance(made, KatexError):
                outcomes[index] = RenderFailure("katex_error", made.message)
                del todo[index]
            else:
                todo[index] = (made, specs[index])
        if todo:
            rendered = self._running().call(lambda scheduler: _render_all(scheduler, todo))
            for index, outcome in rendered.items():
                outcomes[index] = outcome
        return [outcome if outcome is not None else RenderFailure("crashed", "no answer") for outcome in outcomes]

    def close(self) -> None:
        """End the browser; a later render starts a new one."""
        with self._lock:
            self._engine = None
            if self._finalizer is not None:
                self._finalizer()
                self._finalizer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> _Engine:
        with self._lock:
            if self._engine is None or not self._engine.usable:
                require_assets()
                find_chromium()
                self._engine = _Engine(self._n_pages)
                # Also at interpreter exit, when nobody called `close`.
                self._finalizer = weakref.finalize(self, _Engine.stop, self._engine)
            return self._engine


def fingerprint(spec: RenderSpec) -> str:
    """Sha256 of all that pixels depend on: Chromium's version, its flags, fonts, assets, `spec`, this code.

    Starts no browser (it asks Chromium for its version once per process).

    Raises:
        BrowserNotFoundError, AssetsMissingError: there is nothing to name.
    """
    require_assets()
    told = asdict(spec)
    if isinstance(spec.pictures, PictureFolder):  # what is in it, not where it lies
        told["pictures"] = spec.pictures.sha256
    parts = [CODE_VERSION, find_chromium().version, launch_flags(), assets_fingerprint(), told]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Engine:
    """A daemon thread with an asyncio loop, and the scheduler that lives in it."""

    def __init__(self, n_pages: int) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._scheduler = Scheduler(n_pages)
        self._thread = threading.Thread(target=self._loop.run_forever, name="markupmill-renderer", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        return self._pid == os.getpid() and self._thread.is_alive()

    def call(self, make: _Make[T]) -> T:
        """Run a coroutine over the scheduler in the loop's thread, and wait for it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(make(self._scheduler), self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C too: nothing goes on that nobody waits for
            future.cancel()
            raise

    def stop(self) -> None:
        """End the browser and the thread, within seconds."""
        if not self.usable:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._scheduler.close(), self._loop).result(CLOSE_TIMEOUT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_TIMEOUT_S)
            if not self._thread.is_alive():
                self._loop.close()


async def _render_all(scheduler: Scheduler, todo: dict[int, _Job]) -> dict[int, Outcome]:
    singles, groups = [], defaultdict(list)
    for index, (markup, spec) in todo.items():
        if spec.kind == "formula" or _fits_a_sheet(markup, spec):
            groups[_shared(spec)].append(index)
        else:
            singles.append(index)
    # Neighbours of one form: a tab is re-shaped as seldom as can be.
    singles.sort(key=lambda index: _form(todo[index][1]))
    sheets = [
        indices[at : at + SHEET_SIZE[kind]]
        for (kind, *_), indices in sorted(groups.items())
        for at in range(0, len(indices), SHEET_SIZE[kind])
    ]
    parts = await asyncio.gather(
        *(_single(scheduler, index, *todo[index]) for index in singles),
        *(_sheet(scheduler, {index: todo[index] for index in sheet}) for sheet in sheets),
    )
    return {index: outcome for part in parts for index, outcome in part.items()}


async def _single(scheduler: Scheduler, index: int, markup: str, spec: RenderSpec) -> dict[int, Outcome]:
    capture = capture_page if spec.kind == "page" else capture_table
    try:
        return {index: await scheduler.run(lambda tab: capture(tab, markup, spec), _form(spec), spec.timeout_s)}
    except BrokenPageError as error:
        return {index: RenderFailure("crashed", f"its scripts broke it: {error}"[:MAX_DETAIL_CHARS])}
    except NavigatedError:
        return {index: RenderFailure("navigated", "the page went to another address")}
    except TabTimeoutError:
        return {index: RenderFailure("timeout", f"not done in {spec.timeout_s:g} s")}
    except TabCrashedError as error:
        return {index: RenderFailure("crashed", str(error))}


async def _sheet(scheduler: Scheduler, todo: dict[int, _Job]) -> dict[int, Outcome]:
    """A sheet; where it breaks, one by one: one markup's fault costs its neighbours a further try and no more."""
    markups, specs = [markup for markup, _ in todo.values()], [spec for _, spec in todo.values()]
    form = Form(SHEET_VIEWPORT_PX, specs[0].scale)
    try:
        cut = await scheduler.run(
            lambda tab: capture_sheet(tab, markups, specs), form, specs[0].timeout_s, again=len(todo) == 1
        )
    except (TabTimeoutError, TabCrashedError) as error:
        if len(todo) == 1:
            timed_out = isinstance(error, TabTimeoutError)
            return dict.fromkeys(todo, RenderFailure("timeout" if timed_out else "crashed", str(error)))
        parts = await asyncio.gather(*(_sheet(scheduler, {index: job}) for index, job in todo.items()))
        return {index: outcome for part in parts for index, outcome in part.items()}
    done = {index: outcome for index, outcome in zip(todo, cut, strict=True) if outcome is not None}
    late = {index: job for index, job in todo.items() if index not in done}
    return done | (await _sheet(scheduler, late) if late else {})


def _form(spec: RenderSpec) -> Form:
    return Form(spec.width_px, spec.scale, spec.color_scheme if spec.kind == "page" else "light", spec.scripts)


def _shared(spec: RenderSpec) -> tuple[MarkupKind, float, int, int, float]:
    """What all markups of a sheet have in common; the rest is each cell's own."""
    return spec.kind, spec.scale, spec.max_height_px, spec.max_nodes, spec.timeout_s


def _fits_a_sheet(markup: str, spec: RenderSpec) -> bool:
    # Where scripts run, `onerror` and the like could reach the neighbours.
    return spec.kind == "table" and not spec.scripts and is_plain_table(markup)


def _refusal(markup: str, spec: RenderSpec) -> RenderFailure | None:
    """What is over a cap before a browser sees it."""
    n_bytes = len(markup) if len(markup) > spec.max_markup_bytes else len(markup.encode("utf-8", "replace"))
    if n_bytes > spec.max_markup_bytes:
        return RenderFailure("over_cap", f"{n_bytes} bytes of markup, at most {spec.max_markup_bytes} are rendered")
    if spec.kind != "formula" and (n_elements := n_tags(markup)) > spec.max_nodes:
        return RenderFailure("over_cap", f"about {n_elements} elements, at most {spec.max_nodes} are rendered")
    return None
