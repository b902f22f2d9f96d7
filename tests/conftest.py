"""What all tests share: where the real data is, and one browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rendering.errors import RenderingError
from rendering.renderer import Renderer

# A background job has SIGINT ignored, and every process that a test starts and interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; a test that asks for it skips where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real data in ../shared/data beside the checkout, which this machine does not have")
    return folder


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    """One browser a test process; a test that breaks it gets another from the renderer itself."""
    with Renderer(n_pages=2) as renderer:
        try:
            renderer.start()
        except RenderingError as error:
            pytest.fail(str(error))
        yield renderer
