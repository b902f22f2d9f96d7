"""The safety of rendering as tables: each road out of a page, each defence by itself, each hostile page.

    python benchmarks/safety_matrix.py [roads] [layers] [hostile]

`roads`: how much the canary heard of each road, rendered as a page and as a table, scripts off and on, and opened
without any defence. `layers`: the same with one defence alone, and with each one taken away. `hostile`: what becomes of
each hostile page, in what time and memory. Prints Markdown.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rendering import browser, tab  # noqa: E402 - benchmarks run as scripts, from anywhere
from rendering.chromium import DETERMINISM_FLAGS, launch_flags  # noqa: E402
from rendering.renderer import Renderer  # noqa: E402
from rendering.result import RenderFailure  # noqa: E402
from rendering.spec import RenderSpec  # noqa: E402
from tests.rendering.canary import ALL_ROADS, canary, open_plainly  # noqa: E402
from tests.rendering.hostile import SCRIPTED, STATIC  # noqa: E402
from tests.rendering.test_lifetime import descendants  # noqa: E402

LINGER_S = 1.0
"""How long is listened after the last picture."""
SPECS = {
    f"{kind}, scripts {'on' if scripts else 'off'}": RenderSpec(kind=kind, width_px=640, scripts=scripts)
    for kind in ("page", "table")
    for scripts in (False, True)
}
LAYERS = ("flags", "handler", "policy")
"""Chromium's switches; the answers given to requests; the content security policy."""


def heard_by(spec: RenderSpec) -> dict[str, int]:
    """How much was heard of each road when all are rendered."""
    with tempfile.TemporaryDirectory() as folder, canary(Path(folder)) as ears, Renderer(2) as renderer:
        renderer.render([ears.page(road) for road in ALL_ROADS], spec)
        time.sleep(LINGER_S)
        return {road: len(heard) for road, heard in ears.heard.items()}


def heard_in_the_open(*, scripts: bool) -> dict[str, int]:
    """How much is heard of each road when its page is opened in the same browser as it comes."""
    with tempfile.TemporaryDirectory() as folder, canary(Path(folder)) as ears:
        open_plainly(ears, ALL_ROADS, (), scripts=scripts)
        return {road: len(heard) for road, heard in ears.heard.items()}


@contextlib.contextmanager
def only(layers: set[str]) -> Iterator[None]:
    """The production code with all other defences taken out of it."""
    with contextlib.ExitStack() as stack:
        if "flags" not in layers:
            stack.enter_context(patch.object(browser, "launch_flags", lambda: list(DETERMINISM_FLAGS)))
        else:
            stack.enter_context(patch.object(browser, "launch_flags", launch_flags))
        if "policy" not in layers:
            stack.enter_context(patch.object(tab, "CONTENT_POLICY", "img-src *"))
            stack.enter_context(patch.object(tab, "SCRIPTS_POLICY", "img-src *"))
        if "handler" not in layers:
            stack.enter_context(patch.object(tab.Tab, "_answer", _let_through))
        yield


async def _let_through(self: Any, event: dict[str, Any]) -> None:
    """In the place of `Tab._answer`: the document is given, everything else may go to the network."""
    if event["resourceType"] == "Document" and event["request"]["url"] == self._url and self._document is not None:
        document, self._document = self._document, None
        await self._fulfill(event["requestId"], "text/html; charset=utf-8", document.encode("utf-8", "replace"))
    else:
        await self._session.send("Fetch.continueRequest", {"requestId": event["requestId"]})


def table(columns: list[str], rows: dict[str, list[object]]) -> None:
    """Prints a Markdown table."""
    print("|", " | ".join(columns), "|")
    print("|---" * len(columns) + "|")
    for name, cells in rows.items():
        print("|", " | ".join(map(str, [name, *cells])), "|", flush=True)
    print()


def roads() -> None:
    """Road by road, what was heard."""
    columns = {name: heard_by(spec) for name, spec in SPECS.items()}
    columns["undefended, scripts off"] = heard_in_the_open(scripts=False)
    columns["undefended, scripts on"] = heard_in_the_open(scripts=True)
    table(["road", *columns], {road: [heard[road] for heard in columns.values()] for road in ALL_ROADS})
    table(["roads heard", *columns], {"": [sum(map(bool, heard.values())) for heard in columns.values()]})


def layers() -> None:
    """By which roads pages left with some of the defences, of all roads tried."""
    rows: dict[str, list[object]] = {}
    sets = [set(LAYERS), *({one} for one in LAYERS), *(set(LAYERS) - {one} for one in LAYERS), set[str]()]
    for kept in sets:
        with only(kept):
            heard = [heard_by(SPECS[f"page, scripts {state}"]) for state in ("off", "on")]
        name = " + ".join(one for one in LAYERS if one in kept) or "none"
        rows[name] = [", ".join(road for road, n in one.items() if n) or "0" for one in heard]
    table(["defences", "heard, scripts off", "heard, scripts on"], rows)


class Memory(threading.Thread):
    """Looks at the processes below this one: the largest one's resident memory, and that of all."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.largest_bytes = self.all_bytes = 0

    def run(self) -> None:
        """Until the process ends."""
        while True:
            held = [_resident_bytes(pid) for pid in descendants(os.getpid())]
            self.largest_bytes = max(self.largest_bytes, *held, 0)
            self.all_bytes = max(self.all_bytes, sum(held))
            time.sleep(0.1)


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def hostile(timeout_s: float = 4.0) -> None:
    """Page by page: rendered between two neighbours, then one more."""
    plain = RenderSpec(kind="page", width_px=640)
    rows: dict[str, list[object]] = {}
    memory = Memory()
    memory.start()
    with Renderer(2) as renderer:
        [good] = renderer.render(["<p>neighbour"], plain)
        for name, page in (STATIC | SCRIPTED).items():
            memory.largest_bytes = memory.all_bytes = 0
            spec = RenderSpec(kind="page", width_px=640, timeout_s=timeout_s, scripts=page.scripts)
            began = time.monotonic()
            first, result, last = renderer.render(["<p>neighbour", page.markup, "<p>neighbour"], [plain, spec, plain])
            took_s = time.monotonic() - began
            unharmed = first == last == renderer.render(["<p>neighbour"], plain)[0] == good
            rows[name] = [
                "on" if page.scripts else "off",
                result.reason if isinstance(result, RenderFailure) else f"{result.width_px} x {result.height_px} px",
                f"{took_s:.1f}",
                f"{memory.largest_bytes / 1e6:.0f}",
                f"{memory.all_bytes / 1e6:.0f}",
                "unharmed" if unharmed else "HARMED",
            ]
    table(["page", "scripts", "becomes", "s", "MB of the largest process", "MB of all", "neighbours"], rows)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("roads", "layers", "hostile"):
        {"roads": roads, "layers": layers, "hostile": hostile}[part]()
