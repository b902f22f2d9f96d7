"""`HashBehind`: the hash of a file that is being written, whoever writes it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from curation.hash_behind import HashBehind

_PIECES = [bytes([n]) * (700_000 + n) for n in range(5)]


@pytest.mark.parametrize("sync", [False, True])
def test_the_hash_is_that_of_the_whole_file_however_far_it_was_told(tmp_path: Path, sync: bool) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        behind = HashBehind(tmp_path / "file", sync=sync)
        for number, piece in enumerate(_PIECES):
            file.write(piece)
            if number != 2:
                behind.reached(file.tell())
    whole = b"".join(_PIECES)

    assert behind.finish(len(whole)).result(10) == hashlib.sha256(whole).hexdigest()


def test_an_empty_file_has_a_hash(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert HashBehind(tmp_path / "file").finish(0).result(10) == hashlib.sha256(b"").hexdigest()


def test_what_was_not_written_is_an_error_and_no_hash(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")
    behind = HashBehind(tmp_path / "file")

    with pytest.raises(OSError, match="ends at 5 of 9 bytes"):
        behind.finish(9).result(10)


def test_an_error_on_the_way_reaches_the_writer(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"short")
    behind = HashBehind(tmp_path / "file")

    with pytest.raises(OSError, match="ends at 5 of 9 bytes"):
        for _ in range(1_000):
            behind.reached(9)
            time.sleep(0.01)
    behind.abandon()


def test_an_abandoned_file_is_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some")
    behind = HashBehind(tmp_path / "file")
    behind.reached(4)
    behind.abandon()

    with pytest.raises(RuntimeError):
        behind.reached(4)
