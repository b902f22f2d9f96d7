"""A real browser for tests of pages that the project writes for people: opened as a reader opens them, from a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rendering.chromium import find_chromium


@dataclass
class Viewed:
    """A page that is open (`page` is Playwright's), what it has complained of, and what it has asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@dataclass
class Viewer:
    """A browser without the renderer's defences: what a page holds back, it holds back itself."""

    browser: Any

    @contextmanager
    def open(self, path: Path, **settings: Any) -> Iterator[Viewed]:
        """Open a file in a fresh profile; `settings` are of Playwright's `new_context`."""
        context = self.browser.new_context(**settings)
        viewed = Viewed(context.new_page())
        viewed.page.on("console", lambda message: viewed.complaints.append(message.text))
        viewed.page.on("pageerror", lambda error: viewed.complaints.append(str(error)))
        viewed.page.on("request", lambda request: viewed.requests.append(request.url))
        viewed.page.goto(path.as_uri())
        try:
            yield viewed
        finally:
            context.close()


@contextmanager
def viewer() -> Iterator[Viewer]:
    """One browser for several pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium().path)
        try:
            yield Viewer(browser)
        finally:
            browser.close()
