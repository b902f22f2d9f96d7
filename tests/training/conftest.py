"""What tests of training share: processes that stay, so that each is waited for once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from training.metrics.workers import Workers


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    with Workers(1) as workers:
        yield workers
