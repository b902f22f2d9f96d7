"""Hostile markup: nothing leaves the page, nothing runs for ever, and the neighbours do not notice."""

from __future__ import annotations

import io
import struct
import time
import zlib
from base64 import b64encode
from pathlib import Path

import pytest

from rendering.chromium import find_chromium
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import RenderSpec
from tests.rendering.canary import ROADS, canary, hostile_page
from tests.rendering.conftest import picture

PAGE = RenderSpec(kind="page", width_px=640)
TABLE = RenderSpec(kind="table")
NEEDS_SCRIPT = {
    "inline script",
    "on error",
    "svg script",
    "beacon",
    "location",
    "speculation",
    "script",
    "module preload",
}
NOT_IN_THIS_BROWSER = {"preconnect", "icon", "manifest", "data refresh", "track"}
"""Roads that headless shell does not take by itself; they are tried against the defence all the same."""


@pytest.mark.parametrize("spec", [PAGE, TABLE], ids=["page", "table"])
def test_nothing_leaves_by_any_road(renderer: Renderer, spec: RenderSpec) -> None:
    with canary() as server:
        markups = [hostile_page(road, server.url) for road in ROADS]
        results = renderer.render(markups, spec)
        [after] = renderer.render(["<p>after</p>"], spec)
        time.sleep(0.5)
    assert server.heard == []
    assert isinstance(after, Rendered)
    if spec.kind == "page":
        shown = dict(zip(ROADS, results, strict=True))
        assert [name for name, result in shown.items() if isinstance(result, RenderFailure)] == ["frame"]


def test_the_canary_hears_those_roads_without_the_defence() -> None:
    """The same markups in the same browser, plainly opened: each road is real."""
    from playwright.sync_api import sync_playwright

    silent = []
    with canary() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium().path)
        for name in ROADS:
            server.heard.clear()
            page = browser.new_page()
            page.goto(f"{server.url}/document")
            page.set_content(hostile_page(name, server.url), wait_until="commit")
            deadline = time.monotonic() + (0.2 if name in NOT_IN_THIS_BROWSER else 3)
            while not _heard_more(server.heard) and time.monotonic() < deadline:
                page.wait_for_timeout(20)
            if not _heard_more(server.heard):
                silent.append(name)
            page.close()
        browser.close()
    assert set(silent) <= NOT_IN_THIS_BROWSER


def _heard_more(heard: list[str]) -> bool:
    return any(path not in {"/document", "/favicon.ico"} for path in heard)


def test_local_files_are_not_shown(renderer: Renderer, tmp_path: Path) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="#010203"/></svg>'
    )
    for markup in (
        f'<img src="file://{secret}">',
        f'<object data="file://{secret}"></object>',
        f'<embed src="file://{secret}">',
    ):
        [result] = renderer.render([f"<p>text</p>{markup}"], PAGE)
        assert (1, 2, 3) not in {color for _, color in picture(result).getcolors(1 << 20) or []}


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


def bomb_png(side_px: int) -> str:
    """A data address of a white PNG of `side_px` squared, small as a file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00" * (side_px // 8 + 2) * side_px, 9)
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{b64encode(png).decode()}"


def laughs(levels: int) -> str:
    """SVG `use` of ten `use` of ten …: 10 ** levels shapes in a few lines."""
    groups = "".join(
        f'<g id="g{level}">' + f'<use href="#g{level - 1}"/>' * 10 + "</g>" for level in range(1, levels + 1)
    )
    return f'<svg><g id="g0"><rect width="1" height="1"/></g>{groups}</svg>'


HOSTILE = {
    "a million elements": ("<i>" * 1_000_000, "over_cap"),
    "a million pixels high": ('<p style="height:1000000px">x', "cut_off"),
    "a million pixels wide": ('<p style="width:1000000px">x', None),
    "endless animation": (
        "<style>@keyframes a{to{transform:rotate(1turn)}}p{animation:a 1ms infinite}</style><p>x", None),
    "a long way in": ("<style>@keyframes a{from{opacity:0}}p{animation:a 3600s}</style><p>x", None),
    "dialog and popup": ("<dialog open>x</dialog><script>alert(1);open('about:blank')</script>", None),
    "huge picture": (f'<p>x<img src="{bomb_png(30_000)}" width=100>', None),
    "huge placeholder": ('<p>x<img src="https://source.unsplash.com/99999x99999">', None),
    "huge filter": ('<div style="filter:blur(900px) drop-shadow(0 0 900px red);width:9999px;height:5000px">x', None),
    "deep nesting": ("<div>" * 40_000 + "x", None),
    "ten million shapes": (laughs(7), "timeout"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_are_bounded(renderer: Renderer, name: str) -> None:
    markup, reason = HOSTILE[name]
    spec = RenderSpec(kind="page", width_px=640, timeout_s=4.0)
    [before] = renderer.render(["<p>neighbour</p>"], spec)
    began = time.monotonic()
    first, result, last = renderer.render(["<p>neighbour</p>", markup, "<p>neighbour</p>"], spec)
    took_s = time.monotonic() - began
    assert took_s < 25
    assert picture(first).tobytes() == picture(last).tobytes() == picture(before).tobytes()
    if reason is not None:
        assert isinstance(result, RenderFailure), name
        assert result.reason in {reason, "crashed"}, result


def test_animations_are_shown_at_their_end(renderer: Renderer) -> None:
    style = "<style>@keyframes a{from{opacity:0}}p{animation:a 3600s forwards}</style>"
    plain, animated = renderer.render(["<p>x", f"{style}<p>x"], PAGE)
    assert picture(plain).tobytes() == picture(animated).tobytes()


def test_a_killed_browser_is_replaced_and_its_batch_done_again() -> None:
    import os
    import signal
    import threading

    with Renderer(2) as renderer:
        expected = picture(renderer.render(["<p>x"], PAGE)[0]).tobytes()
        group = renderer._engine._scheduler._browser.process_group
        killer = threading.Timer(0.3, os.killpg, (group, signal.SIGKILL))
        killer.start()
        results = renderer.render(["<p>x"] * 60, PAGE)
        killer.join()
        results += renderer.render(["<p>x"] * 4, PAGE)
        assert renderer._engine._scheduler._browser.process_group != group
    assert {picture(result).tobytes() for result in results} == {expected}


def test_png_bytes_are_whole(renderer: Renderer) -> None:
    from PIL import Image

    [result] = renderer.render(["<p>x"], PAGE)
    assert isinstance(result, Rendered)
    Image.open(io.BytesIO(result.png)).verify()
