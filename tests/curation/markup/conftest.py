"""One browser for the tests that look at what markup shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rendering.errors import RenderingError
from rendering.renderer import Renderer


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    with Renderer(n_pages=2) as renderer:
        try:
            renderer.start()
        except RenderingError as error:
            pytest.fail(str(error))
        yield renderer
