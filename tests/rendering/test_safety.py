"""Hostile markup: nothing leaves the page, nothing runs for ever, and the neighbours do not notice."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import RenderSpec
from tests.rendering.canary import ALL_ROADS, ROADS, SCRIPT_ROADS, SECRET_COLOR, canary, open_plainly
from tests.rendering.conftest import picture
from tests.rendering.hostile import SCRIPTED, STATIC, TOO_MUCH
from tests.rendering.test_lifetime import descendants

PAGE = RenderSpec(kind="page", width_px=640)
LEAVING = {"refresh", "location", "navigation", "blob location", "download"}
"""Roads by which a page goes away itself."""
SILENT = {
    "icon": "headless shell has no tab to put it on",
    "touch icon": "headless shell has no tab to put it on",
    "manifest": "headless shell installs no apps",
    "prerender": "headless shell does not prerender for a link",
    "preconnect": "headless shell does not do it",
    "added preconnect": "headless shell does not do it",
    "data refresh": "Chromium lets no page take itself to a data address",
    "data location": "Chromium lets no page take itself to a data address",
    "policy report": "Chromium takes no report address from markup",
    "xslt": "Chromium's XSLT loads nothing",
    "file fetch": "Chromium fetches no files, not even for a file",
    "file request": "Chromium fetches no files, not even for a file",
    "file worker": "Chromium starts no worker from a file",
    "file import of a module": "Chromium takes no modules from files",
    "name": "the canary does not hear the machine's resolver: see test_no_name_is_looked_up",
}
"""Roads that the browser does not take by itself, and why; they are tried against the defence all the same."""


@pytest.mark.parametrize("scripts", [False, True], ids=["scripts off", "scripts on"])
@pytest.mark.parametrize("kind", ["page", "table"])
def test_nothing_leaves_by_any_road(
    renderer: Renderer, kind: Literal["page", "table"], scripts: bool, tmp_path: Path
) -> None:
    spec = RenderSpec(kind=kind, width_px=640, scripts=scripts)
    # A table that may run scripts is a page but for its style: there the roads are tried that scripts open.
    roads = SCRIPT_ROADS if kind == "table" and scripts else ALL_ROADS
    with canary(tmp_path) as ears:
        shown = dict(zip(roads, renderer.render([ears.page(road) for road in roads], spec), strict=True))
        [after] = renderer.render(["<p>after</p>"], spec)
        time.sleep(0.5)  # what a page left behind would come by now
    assert ears.taken == set()
    assert isinstance(after, Rendered)
    reasons = {road: result.reason for road, result in shown.items() if isinstance(result, RenderFailure)}
    navigated = {road for road, reason in reasons.items() if reason == "navigated"}
    assert navigated == (LEAVING & roads.keys() if scripts else set())
    assert set(reasons.values()) <= {"navigated", "blank", "cut_off"}  # as the frame, and the mark of a list's item
    for result in shown.values():
        if isinstance(result, Rendered):
            assert SECRET_COLOR not in {color for _, color in picture(result).getcolors(1 << 20) or []}


@pytest.mark.parametrize("scripts", [False, True], ids=["scripts off", "scripts on"])
def test_the_canary_hears_those_roads_without_the_defence(scripts: bool, tmp_path: Path) -> None:
    """The same markups in the same browser, plainly opened: each road is real."""
    roads = ALL_ROADS if scripts else ROADS
    silent = SILENT.keys() | ({"noscript"} if scripts else {"speculation", "file script", "module preload"})
    with canary(tmp_path) as ears:
        open_plainly(ears, roads, silent, scripts=scripts)
    assert roads.keys() - ears.taken <= silent


NAMES_PROGRAM = """
import sys
from rendering.chromium import find_chromium
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
markups = sys.argv[2:]
if sys.argv[1] == "defended":
    with Renderer(2) as renderer:
        for scripts in (False, True):
            renderer.render(markups, RenderSpec("page", scripts=scripts, timeout_s=60))
else:
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=find_chromium().path).new_page()
        for markup in markups:
            page.set_content(markup, wait_until="commit")
            page.wait_for_timeout(500)
"""
NAMES_MARKUPS = (
    '<p>x<link rel=dns-prefetch href="//road.example.test"><img src="http://road.example.test/a.png">',
    "<p>x<script>fetch('http://road.example.test/')</script>",
    (
        "<p>x<script>let c=new RTCPeerConnection({iceServers:[{urls:'stun:road.example.test'}]});"
        "c.createDataChannel('x');c.createOffer().then(o=>c.setLocalDescription(o))</script>"
    ),
)


def test_no_name_is_looked_up(tmp_path: Path) -> None:
    """Told by the system calls: no process of Chromium's connects or sends to an address, not to a name server's."""
    strace = shutil.which("strace")
    if strace is None or subprocess.run([strace, "-qq", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs strace, and leave to use it")
    calls = {}
    for how in ("defended", "plain"):
        log = tmp_path / how
        subprocess.run(
            [
                *(strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", log),
                *(sys.executable, "-c", NAMES_PROGRAM, how, *NAMES_MARKUPS),
            ],
            cwd=Path(__file__).resolve().parents[2],
            check=True,
            timeout=200,
        )
        calls[how] = [line for line in log.read_text(errors="replace").splitlines() if "AF_INET" in line]
    assert calls["plain"]
    assert calls["defended"] == []


def test_scripts_do_not_run(renderer: Renderer) -> None:
    script = "document.body.innerHTML='';document.body.style.background='black'"
    [plain, hostile] = renderer.render(["<p>text", f'<p>text<script>{script}</script><svg onload="{script}">'], PAGE)
    assert picture(plain).getpixel((600, 300)) == picture(hostile).getpixel((600, 300)) == (255, 255, 255)


def test_names_of_elements_do_not_fool_the_measuring(renderer: Renderer) -> None:
    names = (
        "documentElement",
        "getElementsByTagName",
        "getAnimations",
        "fonts",
        "scrollingElement",
        "createRange",
        "body",
    )
    clobbered = "".join(f"<img name={name}><form id={name}></form>" for name in names)
    [result] = renderer.render([f"<p style='height:900px'>text</p>{clobbered}"], PAGE)
    assert picture(result).height > 900


HOSTILE = {
    **{name: page for name, page in STATIC.items() if page.reasons != TOO_MUCH},
    **{name: page for name, page in SCRIPTED.items() if not page.reasons >= TOO_MUCH},
    **{name: STATIC[name] for name in ("ten million shapes", "filters of what lies behind")},
    **{name: SCRIPTED[name] for name in ("dialogs, popups, downloads", "memory in arrays")},
}
"""Those that are quickly tried; `benchmarks/safety_matrix.py` tries all."""

MAX_PROCESS_BYTES = 2_500_000_000
"""Above the scheduler's own limit by what a process can take between two looks at it."""


def test_hostile_pages_are_bounded(renderer: Renderer) -> None:
    neighbour = RenderSpec(kind="page", width_px=640)
    [before] = renderer.render(["<p>neighbour</p>"], neighbour)
    markups, specs = [], []
    for page in HOSTILE.values():
        markups += [page.markup, "<p>neighbour</p>"]
        timeout_s = 1.0 if page.reasons >= TOO_MUCH else 10.0
        specs += [RenderSpec(kind="page", width_px=640, timeout_s=timeout_s, scripts=page.scripts), neighbour]
    began = time.monotonic()
    with memory_watched() as peak_bytes:
        results = renderer.render(markups, specs)
    assert time.monotonic() - began < 120
    assert 0 < max(peak_bytes) < MAX_PROCESS_BYTES
    assert renderer.render(["<p>neighbour</p>"], neighbour) == [before]
    assert {type(result) if result != before else "as before" for result in results[1::2]} == {"as before"}
    told = {
        name: result.reason if isinstance(result, RenderFailure) else ""
        for name, result in zip(HOSTILE, results[::2], strict=True)
    }
    assert {name: reason for name, reason in told.items() if reason not in (HOSTILE[name].reasons or {""})} == {}


@contextlib.contextmanager
def memory_watched() -> Iterator[list[int]]:
    """The memory of the largest process below this one, looked at again and again."""
    seen, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for pid in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    n_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                    seen.append(n_pages * os.sysconf("SC_PAGE_SIZE"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def test_a_hostile_table_harms_none_of_its_sheet(renderer: Renderer) -> None:
    plain = RenderSpec(kind="table", timeout_s=3.0)
    tables = [f"<table><tr><td>{number}</table>" for number in range(29)]
    before = renderer.render(tables, plain)
    began = time.monotonic()
    *after, result = renderer.render([*tables, HOSTILE_TABLE], plain)
    assert time.monotonic() - began < 60
    assert after == before
    assert isinstance(result, RenderFailure)
    assert result.reason in TOO_MUCH


HOSTILE_TABLE = "<table><tr>" + "<td colspan=1000 rowspan=65534>x" * 20_000 + "</table>"
"""Plain markup, fit for a sheet."""


def test_what_a_page_left_to_draw_does_not_harm_the_next(renderer: Renderer) -> None:
    """Its tab is closed, and Chromium's drawing process goes on with its filters for many seconds."""
    slow = RenderSpec(kind="page", width_px=640, timeout_s=1.5)
    page = STATIC["filters of what lies behind"].markup
    assert isinstance(renderer.render([page], slow)[0], RenderFailure)
    assert isinstance(renderer.render(["<p>next</p>"], slow)[0], Rendered)


def test_warnings_are_few_however_much_was_left_out(renderer: Renderer) -> None:
    markup = "<p>x" + "".join(f'<link rel=stylesheet href="http://a.test/{number}">' for number in range(300))
    [result] = renderer.render([markup], PAGE)
    assert isinstance(result, Rendered)
    assert len(result.warnings) == 21
    assert result.warnings[-1] == "and 280 more"


def test_animations_are_shown_at_their_end(renderer: Renderer) -> None:
    style = "<style>@keyframes a{from{opacity:0}}p{animation:a 3600s forwards}</style>"
    plain, animated = renderer.render(["<p>x", f"{style}<p>x"], PAGE)
    assert picture(plain).tobytes() == picture(animated).tobytes()


def processes(renderer_pids: set[int], name: str) -> set[int]:
    """Those of a renderer's processes that are of one kind: `browser`, `driver` or a `--type` of Chromium's."""
    found = set()
    for pid in renderer_pids:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            kind = words.partition("--type=")[2].split(" ")[0]
            if not kind:
                kind = "driver" if "run-driver" in words else "browser"
            found |= {pid} if kind == name else set()
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc, which is not here")
def test_what_is_killed_or_hangs_is_replaced_and_its_batch_done_again() -> None:
    spec = RenderSpec(kind="page", width_px=640, timeout_s=2.0)
    others = descendants(os.getpid())
    with Renderer(2) as renderer:
        [expected] = renderer.render(["<p>x"], spec)
        assert isinstance(expected, Rendered)
        for sent, names in ENDS.items():
            for name in names:
                hit = processes(descendants(os.getpid()) - others, name)
                assert hit, name
                killer = threading.Timer(0.05, send, (hit, sent))
                killer.start()
                results = renderer.render(["<p>x"] * 12, spec)
                killer.join()
                results += renderer.render(["<p>x"] * 4, spec)
                got = {result if isinstance(result, RenderFailure) else result.png for result in results}
                assert got == {expected.png}, (sent, name)
    deadline = time.monotonic() + 5
    while (left := descendants(os.getpid()) - others) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == set()


ENDS = {
    signal.SIGKILL: ("browser", "renderer", "gpu-process", "zygote", "driver"),
    signal.SIGSTOP: ("browser", "driver"),
}


def send(pids: set[int], sent: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)


def test_png_bytes_are_whole(renderer: Renderer) -> None:
    from PIL import Image

    [result] = renderer.render(["<p>x"], PAGE)
    assert isinstance(result, Rendered)
    Image.open(io.BytesIO(result.png)).verify()
