"""What pixels must not depend on: the machine's fonts, language, time zone, carets, scroll bars, animation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rendering.assets import FONT_ALIASES, FONT_FALLBACK, VARIATION_FONTS
from rendering.profiles import PROFILES
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
from rendering.tab import Form, Tab
from tests.rendering.conftest import picture

SCRIPTS = {
    "Latin": "Zażółć gęślą jaźń Ångström ½ ‰",
    "Greek and Cyrillic": "Ελληνικά Кириллица",
    "Chinese": "中文字体漢字繁體臺灣",
    "Japanese": "日本語ひらがなカタカナ",
    "Korean": "한국어글꼴",
    "symbols": "★☎✓→⇒⌘♻♥☀⚠█░",
    "emoji": "😀🚀🎉👍🐶❤",
    "math": "∀∈ℝ∃∫∑∏≤≠≈𝔸𝒜𝐀⟨⊕⟩√∞∂∇",
}
UNASSIGNED = "\u0378"
"""A code point that no font has: shown as the mark of a missing glyph."""


@pytest.mark.parametrize("family", ["sans-serif", "serif", "monospace"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_character_has_a_glyph(renderer: Renderer, script: str, family: str) -> None:
    """Each is drawn alone, and none looks like its neighbours' missing mark."""
    characters = sorted(set(SCRIPTS[script].replace(" ", "")))
    spec = RenderSpec("table")
    cells = [f"<table style='font-family:{family}'><tr><td>{character}" for character in [UNASSIGNED, *characters]]
    missing, *shown = (picture(result).tobytes() for result in renderer.render(cells, spec))
    assert missing not in shown
    assert len(set(shown)) == len(shown)


def in_a_tab(renderer: Renderer, markup: str, work: Callable[[Tab], Any], form: Form | None = None) -> Any:
    """What `work` finds in a loaded page of the renderer's own browser."""
    form = form or Form(800, 1.0)

    async def look(tab: Tab) -> Any:
        await tab.load(markup, markup, RenderSpec("page", width_px=form.width_px))
        return await work(tab)

    return renderer._running().call(lambda scheduler: scheduler.run(look, form, 20))


def told(expression: str) -> Callable[[Tab], Any]:
    async def ask(tab: Tab) -> Any:
        answer = await tab._session.send("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        return answer["result"]["value"]

    return ask


def fonts_of(renderer: Renderer, markup: str) -> set[str]:
    """Families that Chromium says it drew the body's text with."""

    async def ask(tab: Tab) -> set[str]:
        send = tab._session.send
        await send("DOM.enable")
        await send("CSS.enable")
        root = (await send("DOM.getDocument"))["root"]["nodeId"]
        body = (await send("DOM.querySelector", {"nodeId": root, "selector": "body"}))["nodeId"]
        found = (await send("CSS.getPlatformFontsForNode", {"nodeId": body}))["fonts"]
        await send("CSS.disable")
        await send("DOM.disable")
        return {font["familyName"] for font in found}

    found: set[str] = in_a_tab(renderer, markup, ask)
    return found


def test_text_is_drawn_with_pinned_fonts_only(renderer: Renderer) -> None:
    pinned = (*FONT_FALLBACK, *(family for _, family in FONT_ALIASES))
    text = "".join(SCRIPTS.values())
    for family in ("sans-serif", "Segoe UI", "Georgia", "Ubuntu", "Noto Sans CJK JP"):
        found = fonts_of(renderer, f"<!doctype html><meta charset=utf-8><body style='font-family:{family}'>{text}")
        assert found
        assert all(name.startswith(pinned) for name in found), found  # some name their weight too


def test_profiles_name_fonts_that_are_there(renderer: Renderer) -> None:
    named = {font for profile in PROFILES.values() for font in (*profile.table.fonts, *profile.page.fonts)} - {""}
    assert named >= set(VARIATION_FONTS)
    for family in named:
        assert fonts_of(renderer, f"<body style='font-family:\"{family}\"'>Words 123") == {family}


def test_locale_time_zone_and_scale(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    zone, number = "Intl.DateTimeFormat().resolvedOptions().timeZone", "(1234.5).toLocaleString()"
    asked = f"[navigator.language, {zone}, {number}, devicePixelRatio, innerWidth]"
    with Renderer(1) as other:
        for one in (renderer, other):
            assert in_a_tab(one, "<p>x", told(asked)) == ["en-US", "UTC", "1,234.5", 1, 800]
    assert in_a_tab(renderer, "<p>x", told(asked), Form(500, 1.5))[-2:] == [1.5, 500]


def test_the_machines_language_changes_no_pixel(monkeypatch: pytest.MonkeyPatch, renderer: Renderer) -> None:
    page = "<p>骨直曜 <input type=date value=2024-03-01><input type=file><input type=number value=1234.5><q>said</q>"
    before = picture(renderer.render([page], RenderSpec("page", width_px=700))[0])
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    with Renderer(1) as other:
        assert picture(other.render([page], RenderSpec("page", width_px=700))[0]).tobytes() == before.tobytes()


def test_no_caret(renderer: Renderer) -> None:
    field = "<input {} value='' style='font-size:60px;caret-color:#f00;outline:0;border:1px solid #000'>"
    plain, focused = renderer.render([field.format(""), field.format("autofocus")], RenderSpec("page", width_px=700))
    assert picture(focused).tobytes() == picture(plain).tobytes()


@pytest.mark.parametrize(
    "style", ["html{overflow-y:scroll}", "html{overflow:scroll}", "div{overflow:scroll;height:50px}"]
)
def test_no_scroll_bars(renderer: Renderer, style: str) -> None:
    body = "<body style='margin:0'><div style='width:100%;background:#00f;color:#00f'>" + "<p>x</p>" * 9 + "</div>"
    image = picture(
        renderer.render([f"<!doctype html><style>{style}</style>{body}"], RenderSpec("page", width_px=600))[0]
    )
    assert image.size[0] == 600
    assert [image.getpixel((x, 30)) for x in (0, 590, 599)] == [(0, 0, 255)] * 3


def test_no_animation_at_all(renderer: Renderer) -> None:
    """Transitions, blinking and marquees show one state, however long they have run."""
    moving = (
        "<style>@keyframes a{to{margin-left:300px}}p{animation:a 1s infinite alternate}"
        "b{transition:all 5s}@starting-style{b{opacity:0}}</style><p>run</p><b>appear</b><marquee>move</marquee>"
    )
    spec = RenderSpec("page", width_px=600)
    first = picture(renderer.render([moving], spec)[0])
    slow = renderer.render(["<p>filler" + "<br>x" * 2_000, moving], [RenderSpec("page", max_height_px=90_000), spec])
    assert picture(slow[1]).tobytes() == first.tobytes()
