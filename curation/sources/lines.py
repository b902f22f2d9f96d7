"""Reading files of lines (JSONL, formula lists) by byte ranges, with memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from curation.sources.address import open_file
from curation.sources.files import ResolvedAddress, SourceFile
from curation.sources.hashes import content_sha256
from curation.sources.source import Piece

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""A longer line is no annotation (the longest of PubTabNet's has under 1 MB): it is passed over, not read."""
_CHUNK_BYTES: Final = 4 * 1024 * 1024


def list_pieces(address: ResolvedAddress, rows_per_shard: int) -> Iterator[Piece]:
    """Pieces of `rows_per_shard` lines (fewer at a file's end), file by file, each with its byte range."""
    for file in address.files:
        sha256 = content_sha256(file)
        first_row = 0
        for start, end, n_lines in _cut(file, rows_per_shard):
            yield Piece(file.path, sha256, address.revision, (), first_row, n_lines, (start, end))
            first_row += n_lines


def read_lines(piece: Piece) -> Iterator[bytes | None]:
    """The piece's lines without their ends; None for a line over `MAX_LINE_BYTES`. A byte order mark is left out."""
    parts: list[bytes] = []
    size = 0
    for part in _chunks(piece.path, *piece.byte_range):
        *ended, rest = part.split(b"\n")
        for line in ended:
            yield _joined(parts, size, line)
            parts, size = [], 0
        size += len(rest)
        parts = [*parts, rest] if size <= MAX_LINE_BYTES else []
    if size:
        yield _joined(parts, size, b"")


def _joined(parts: list[bytes], size: int, last: bytes) -> bytes | None:
    if size + len(last) > MAX_LINE_BYTES:
        return None
    return b"".join([*parts, last]).removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")


def _cut(file: SourceFile, rows_per_shard: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, number of lines) of each run of `rows_per_shard` lines; start and end in bytes."""
    start = position = n_lines = 0
    for chunk in _chunks(file.path, 0, file.size_bytes):
        offset = 0
        while (newline := chunk.find(b"\n", offset)) >= 0:
            offset = newline + 1
            n_lines += 1
            if n_lines == rows_per_shard:
                yield start, position + offset, n_lines
                start, n_lines = position + offset, 0
        position += len(chunk)
        has_open_line = not chunk.endswith(b"\n")
    if position > start:
        yield start, position, n_lines + has_open_line


def _chunks(path: str, start: int, end: int) -> Iterator[bytes]:
    with open_file(path) as stream:
        stream.seek(start)
        while start < end and (chunk := stream.read(min(_CHUNK_BYTES, end - start))):
            yield chunk
            start += len(chunk)
