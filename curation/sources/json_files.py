"""Reading JSON that holds a list of objects, or an object a line, in pieces: memory does not grow with the file.

A list (LLaVA's 1-GB files are one) is walked once to find where its elements begin and end. An element that is broken
breaks the list, since nothing tells where the next one begins: that is an error of the file. A broken line is a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from curation.errors import SchemaError
from curation.reasons import Reason, Reject
from curation.sources import lines
from curation.sources.address import open_file
from curation.sources.damage import one_of_many
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.remote import reaching
from curation.sources.rows import decode_text
from curation.sources.source import Piece

SUFFIXES: Final = (".json", ".jsonl")
MAX_ELEMENT_BYTES: Final = lines.MAX_LINE_BYTES
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder(strict=False)


def list_pieces(address: ResolvedAddress, rows_per_shard: int) -> Iterator[Piece]:
    """Pieces of `rows_per_shard` objects (fewer at a file's end), file by file, each with its byte range.

    Raises:
        SchemaError: a list is cut, broken, or holds an element of more than `MAX_ELEMENT_BYTES`.
    """
    for file in address.files:
        sha256 = content_sha256(file)
        if _is_list(file.path, sha256):
            with one_of_many():
                yield from _pieces_of(file, sha256, address.revision, rows_per_shard)
        else:
            one = ResolvedAddress(address.address, address.revision, (file,))
            yield from lines.list_pieces(one, rows_per_shard)


def _pieces_of(file: SourceFile, sha256: str, revision: str, rows_per_shard: int) -> Iterator[Piece]:
    block: list[tuple[int, int]] = []
    first_row = 0
    for bounds in _elements(file):
        block.append(bounds)
        if len(block) == rows_per_shard:
            yield _piece(file, sha256, revision, first_row, block)
            first_row, block = first_row + len(block), []
    if block:
        yield _piece(file, sha256, revision, first_row, block)


def read_objects(piece: Piece) -> list[dict[str, Any] | Reject]:
    """Each row of the piece as an object, or why it is none. Texts may hold half surrogate pairs."""
    if not _is_list(piece.path, piece.content_sha256):
        return [parse_object(line) for line in lines.read_lines(piece)]
    start, end = piece.byte_range
    with reaching(shown(piece.path)), open_file(piece.path) as stream:
        stream.seek(start)
        data = stream.read(end - start)
    elements = json.loads(f"[{data.decode('utf-8', 'surrogateescape')}]", strict=False)
    return [_object(element) for element in elements]


def read_all(path: str) -> list[dict[str, Any] | Reject]:
    """Every row of a small file (prompts, a map of names). Raises `SchemaError` for a list that is broken."""
    with reaching(shown(path)), open_file(path) as stream:
        data = stream.read().removeprefix(b"\xef\xbb\xbf")
    if not data.lstrip().startswith(b"["):
        return [parse_object(line) for line in data.splitlines() if line.strip()]
    try:
        return [_object(element) for element in json.loads(data.decode("utf-8", "surrogateescape"), strict=False)]
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{shown(path)} is no JSON", "Mend it there") from error


def parse_object(line: bytes | None) -> dict[str, Any] | Reject:
    """A line as an object; a line that was too long to be read is given as None."""
    if line is None:
        return Reject(Reason.MARKUP_TOO_LARGE, f"a line of more than {lines.MAX_LINE_BYTES} bytes")
    text = decode_text(line)  # json.loads would guess UTF-16 from the bytes
    if isinstance(text, Reject):
        return text
    try:
        return _object(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return Reject(Reason.ANNOTATION_BROKEN, "the line is no JSON")


def _object(value: object) -> dict[str, Any] | Reject:
    return value if isinstance(value, dict) else Reject(Reason.ANNOTATION_BROKEN, "the row is no object")


def _piece(file: SourceFile, sha256: str, revision: str, first_row: int, block: list[tuple[int, int]]) -> Piece:
    return Piece(file.path, sha256, revision, (), first_row, len(block), (block[0][0], block[-1][1]))


@lru_cache(maxsize=64)
def _is_list(path: str, content_sha256: str) -> bool:  # noqa: ARG001  # the hash keeps the cache true
    with reaching(shown(path)), open_file(path) as stream:
        return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"[")


def _elements(file: SourceFile) -> Iterator[tuple[int, int]]:
    """(start, end) in bytes of each element of the list that the file is.

    The bytes are looked at as Latin-1, a character each, so that positions are positions in the file: what JSON
    is made of is ASCII.
    """
    text, base, position = "", 0, 0  # what is in memory, where it begins in the file, and how far it is read
    with reaching(shown(file.path)), open_file(file.path) as stream:

        def read_on() -> bool:
            nonlocal text, base, position
            chunk = stream.read(_CHUNK_BYTES)
            text, base, position = text[position:] + chunk.decode("latin-1"), base + position, 0
            return bool(chunk)

        def next_mark() -> str:
            """The next character that is no white space, empty at the end of the file."""
            nonlocal position
            while True:
                position = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # it matches everywhere
                if position < len(text) or not read_on():
                    return text[position : position + 1]

        read_on()
        position = text.index("[") + 1
        mark = next_mark()
        while mark != "]":
            end = _element_end(text, position)
            # an element that ends with what is in memory may go on: `12` may be `123`
            while end is None or end == len(text):
                if len(text) - position > MAX_ELEMENT_BYTES or not read_on():
                    raise _broken(file, base + position)
                end = _element_end(text, position)
            yield base + position, base + end
            position = end
            mark = next_mark()
            if mark == ",":
                position += 1
                mark = next_mark()
                if mark != "]":
                    continue
            if mark != "]":
                raise _broken(file, base + position)


def _element_end(text: str, start: int) -> int | None:
    """Where the JSON value that starts at `start` ends; None where it is cut or broken."""
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return None


def _broken(file: SourceFile, position: int) -> SchemaError:
    return SchemaError(f"{shown(file.path)} is cut or broken at byte {position:,}", "Fetch it again, or mend it there")
