"""A Hub on this machine that can be written to, and no waiting for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from curation.sources import remote
from tests.curation.hub.releasing import files_of, write_release
from tests.hub.server import FakeHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """An empty Hub, in the environment, with a token that may write to it."""
    with FakeHub().serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_TOKEN", server.token)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, none of which is waited: ours, and those of the Hub's client."""
    asked: list[float] = []
    monkeypatch.setattr(remote, "_sleep", asked.append)
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=asked.append))
    return asked


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of three files of data in a workspace."""
    return write_release(tmp_path / "w" / "releases" / "small", files_of(1, 2, 3))
