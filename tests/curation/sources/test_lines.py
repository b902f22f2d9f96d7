"""A file of lines is cut into byte ranges that hold every line once, whatever its ends, and read with flat memory."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest

from curation.sources import lines
from curation.sources.address import resolve
from curation.sources.source import Piece
from tests.hub.server import FakeHub


def pieces(address: object, rows_per_shard: int) -> list[Piece]:
    return list(lines.list_pieces(resolve(str(address), (".txt",)), rows_per_shard))


@pytest.mark.parametrize("chunk_bytes", [1, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfa\nb\n", [b"a", b"b"]),
        (b"\xff\n\x00\n", [b"\xff", b"\x00"]),
    ],
)
def test_every_line_is_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, expected: list[bytes], chunk_bytes: int
) -> None:
    monkeypatch.setattr(lines, "_CHUNK_BYTES", chunk_bytes)
    (tmp_path / "a.txt").write_bytes(data)
    for rows_per_shard in (1, 2, 3, 100):
        found = pieces(tmp_path, rows_per_shard)
        assert [line for piece in found for line in lines.read_lines(piece)] == expected
        assert [piece.n_rows for piece in found] == [len(list(lines.read_lines(piece))) for piece in found]
        assert [piece.first_row for piece in found] == list(range(0, len(expected), rows_per_shard))


def test_random_files_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    monkeypatch.setattr(lines, "_CHUNK_BYTES", 11)
    for _ in range(100):
        expected = [rng.randbytes(rng.randint(0, 20)).replace(b"\n", b"n").rstrip(b"\r") for _ in range(30)]
        (tmp_path / "a.txt").write_bytes(b"".join(line + b"\n" for line in expected))
        found = pieces(tmp_path, rng.randint(1, 12))
        assert [line for piece in found for line in lines.read_lines(piece)] == expected


def test_a_line_beyond_the_limit_is_passed_over_without_being_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_CHUNK_BYTES", 10_000)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 20_000)
    with (tmp_path / "a.txt").open("wb") as file:
        file.write(b"first\n")
        for _ in range(2000):
            file.write(b"x" * 10_000)
        file.write(b"\nlast\n" + b"y" * 20_001)
    (piece,) = pieces(tmp_path, 100)
    tracemalloc.start()
    assert list(lines.read_lines(piece)) == [b"first", None, b"last", None]
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_piece_of_a_file_on_the_hub_fetches_its_range_only(hub: FakeHub) -> None:
    text = b"".join(b"%06d" % row + b"x" * 994 + b"\n" for row in range(1000))
    hub.publish("org/list", {"a.txt": text})
    found = pieces("org/list", 100)
    hub.requests.clear()
    assert [line[:6] for line in lines.read_lines(found[4]) if line] == [b"%06d" % row for row in range(400, 500)]
    assert hub.bytes_sent("/resolve/") == 100 * 1001
