"""The content hash of a file: the store's own, or computed once for each version of the file."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from curation.errors import AddressError
from curation.sources import hashes
from curation.sources.address import open_file, resolve
from curation.sources.files import SourceFile
from curation.sources.hashes import content_sha256
from tests.hub.server import FakeHub


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files that were opened to be hashed."""
    paths: list[str] = []

    def counting(path: str) -> object:
        paths.append(path)
        return open_file(path)

    monkeypatch.setattr(hashes, "open_file", counting)
    return paths


def the_file(address: str) -> SourceFile:
    (file,) = resolve(address, (".txt", ".parquet")).files
    return file


def write(path: Path, data: bytes, age_s: float) -> str:
    path.write_bytes(data)
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "a.txt"
    first = write(path, b"one", age_s=60)
    assert [content_sha256(the_file(str(path))) for _ in range(3)] == [first] * 3
    assert len(opened) == 1
    second = write(path, b"two", age_s=30)
    assert content_sha256(the_file(str(path))) == second
    assert len(opened) == 2


def test_a_file_that_has_only_just_changed_is_not_remembered(tmp_path: Path, opened: list[str]) -> None:
    path = tmp_path / "a.txt"
    write(path, b"one", age_s=0)
    content_sha256(the_file(str(path)))
    content_sha256(the_file(str(path)))
    assert len(opened) == 2


@pytest.mark.parametrize("broken", ["{", "[]", '{"x": 3}', "\0"])
def test_a_broken_cache_is_as_none(tmp_path: Path, broken: str, opened: list[str]) -> None:
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "markupmill" / "source_hashes.json"
    cache.parent.mkdir()
    cache.write_text(broken)
    sha256 = write(tmp_path / "a.txt", b"one", age_s=60)
    assert content_sha256(the_file(str(tmp_path))) == content_sha256(the_file(str(tmp_path))) == sha256
    assert len(opened) == 1


def test_a_cache_folder_that_cannot_be_made_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    sha256 = write(tmp_path / "a.parquet", b"one", age_s=60)
    assert content_sha256(the_file(str(tmp_path / "a.parquet"))) == sha256


def test_the_hub_tells_the_hash_of_large_files_and_small_ones_are_read(hub: FakeHub, opened: list[str]) -> None:
    hub.publish("org/name", {"a.parquet": b"large", "b.txt": b"small"})
    large, small = resolve("org/name", (".txt", ".parquet")).files
    assert content_sha256(large) == hashlib.sha256(b"large").hexdigest()
    assert opened == []
    assert content_sha256(small) == content_sha256(small) == hashlib.sha256(b"small").hexdigest()
    assert opened == [small.path]


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="cannot be reached"):
        content_sha256(SourceFile(str(tmp_path / "gone.txt"), "gone.txt", 3, version="1"))
