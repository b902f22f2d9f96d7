"""What all tests share: where the real data is."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# A background job has SIGINT ignored, and every process that a test starts and interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; a test that asks for it skips where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real data in ../shared/data beside the checkout, which this machine does not have")
    return folder
