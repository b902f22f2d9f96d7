"""One browser for all tests of rendering; a test that breaks it gets another from the renderer itself."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from rendering.errors import RenderingError
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    with Renderer(n_pages=2) as renderer:
        try:
            renderer.start()
        except RenderingError as error:
            pytest.fail(str(error))
        yield renderer


def picture(result: Rendered | RenderFailure) -> Image.Image:
    assert isinstance(result, Rendered), result
    image = Image.open(io.BytesIO(result.png)).convert("RGB")
    assert image.size == (result.width_px, result.height_px)
    return image
