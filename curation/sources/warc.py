"""Pages of web archives (WARC): one HTML answer to a request is one row.

Records are taken apart here and read by `warcio` one at a time, so that a record that is broken, or that unpacks to
gigabytes, costs itself and no other. Pages are `response` records of status 200 and `resource` records, of HTML;
requests, redirects, pictures and the like are no rows.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from curation.errors import BadInputError
from curation.markup.tree import MAX_MARKUP_BYTES
from curation.reasons import Reason, Reject
from curation.sources.address import open_file
from curation.sources.files import ResolvedAddress, shown
from curation.sources.hashes import content_sha256
from curation.sources.page_text import decode_page
from curation.sources.remote import reaching
from curation.sources.source import Piece

SUFFIXES: Final = (".warc", ".warc.gz")
MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
"""Of a record, unpacked, no more is held."""

MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
"""Of a record no more is unpacked to find where it ends; the next one is looked for in the packed bytes then."""

_READ_BYTES: Final = 64 * 1024
_USUAL_HEADER_BYTES: Final = 4 * 1024
_MAX_HEADER_BYTES: Final = 64 * 1024
_GZIP_START: Final = b"\x1f\x8b\x08"
_RECORD_START: Final = b"WARC/"
_LENGTH: Final = re.compile(rb"\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r?\n", re.IGNORECASE)
_HTML: Final = ("text/html", "application/xhtml+xml")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_MAX_KEY_CHARS: Final = 500


@dataclass(frozen=True)
class Page:
    """One page: its address, and its text or why it has none."""

    key: str
    text: str | Reject


@dataclass(frozen=True)
class _Record:
    """A record's bytes, unpacked, up to `MAX_RECORD_BYTES`; `end` is where the next one starts in the file."""

    end: int
    data: bytes
    fault: Reject | None = None


def list_pieces(found: ResolvedAddress, rows_per_shard: int) -> Iterator[Piece]:
    """Pieces of `rows_per_shard` pages (one record's more where it holds several; fewer at a file's end)."""
    for file in found.files:
        sha256 = content_sha256(file)
        start = first_row = row = 0
        end = 0
        for end, pages in _pages(file.path, 0, file.size_bytes):
            row += len(pages)
            if row - first_row >= rows_per_shard:
                yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))
                start, first_row = end, row
        if row > first_row:
            yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))


def read_pages(piece: Piece) -> Iterator[Page]:
    """The piece's pages in order."""
    for _, pages in _pages(piece.path, *piece.byte_range):
        yield from pages


def _pages(path: str, start: int, end: int) -> Iterator[tuple[int, list[Page]]]:
    """(where its record ends, its pages) of every record between two byte positions."""
    try:
        from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]  # not in base
    except ImportError:
        raise BadInputError("web archives are read with warcio, which is not installed", "Run `make setup`") from None
    # Its warnings would put strangers' headers on the terminal, by both of these ways.
    logging.getLogger("warcio").setLevel(logging.ERROR)
    ArchiveIterator.INC_RECORD = ""
    with reaching(shown(path)), open_file(path) as stream:
        stream.seek(0)
        is_packed = stream.read(len(_GZIP_START)) == _GZIP_START
        for record in (_packed_records if is_packed else _plain_records)(stream, start, end):
            yield record.end, _pages_of(record, ArchiveIterator)


def _packed_records(stream: BinaryIO, start: int, end: int) -> Iterator[_Record]:
    """Each member of a gzip file: by the WARC standard (annex D) one record."""
    position = start
    while position < end:
        record = _unpack(stream, position, end)
        if record is None:
            found = _next_member(stream, position + 1, end)
            fault = Reject(Reason.ANNOTATION_BROKEN, f"a record at byte {position} that cannot be unpacked")
            record = _Record(found, b"", fault)
        yield record
        position = record.end


def _unpack(stream: BinaryIO, position: int, end: int) -> _Record | None:
    """The gzip member at `position`; None where it is broken, cut or unpacks to too much."""
    stream.seek(position)
    unpacker = zlib.decompressobj(wbits=31)
    kept = bytearray()
    n_unpacked = n_read = 0
    packed = b""
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail
        if not packed:
            packed = stream.read(min(_READ_BYTES, end - position - n_read))
            n_read += len(packed)
        try:
            part = unpacker.decompress(packed, _READ_BYTES * 16)
        except zlib.error:
            return None
        if not packed and not part:
            return None
        n_unpacked += len(part)
        if n_unpacked > MAX_UNPACKED_BYTES:
            return None
        kept += part[: MAX_RECORD_BYTES - len(kept)]
    fault = Reject(Reason.MARKUP_TOO_LARGE, f"a record of {n_unpacked} bytes") if n_unpacked > len(kept) else None
    return _Record(position + n_read - len(unpacker.unused_data), bytes(kept), fault)


def _next_member(stream: BinaryIO, position: int, end: int) -> int:
    """Where the next gzip member starts that holds a record, looked for in the packed bytes; `end` where none does."""
    stream.seek(position)
    window = b""
    while position < end:
        window += stream.read(min(_READ_BYTES, end - position - len(window)))
        found = window.find(_GZIP_START)
        while found >= 0:
            stream.seek(position + found)
            try:
                head = zlib.decompressobj(wbits=31).decompress(stream.read(4096), len(_RECORD_START))
            except zlib.error:
                head = b""
            if head == _RECORD_START:
                return position + found
            found = window.find(_GZIP_START, found + 1)
        kept = len(_GZIP_START) - 1
        position += max(len(window) - kept, 1)
        window = b""
        stream.seek(position)
        if end - position <= kept:
            break
    return end


def _plain_records(stream: BinaryIO, start: int, end: int) -> Iterator[_Record]:
    """Each record of a file that is not packed, by the length that its header tells."""
    position = start
    while position < end:
        stream.seek(position)
        head = stream.read(min(_USUAL_HEADER_BYTES, end - position))
        if b"\r\n\r\n" not in head.lstrip(b"\r\n"):
            head += stream.read(min(_MAX_HEADER_BYTES, end - position - len(head)))
        n_blank = len(head) - len(head.lstrip(b"\r\n"))
        if n_blank == len(head):
            return
        head_end = head.find(b"\r\n\r\n", n_blank)
        length = _LENGTH.search(head, n_blank, head_end + 4) if head_end >= 0 else None
        if length is None or not head.startswith(_RECORD_START, n_blank):
            found = _next_plain(stream, position + n_blank + 1, end)
            yield _Record(found, b"", Reject(Reason.ANNOTATION_BROKEN, f"no record at byte {position}"))
            position = found
            continue
        body = position + head_end + 4
        after = body + int(length[1])
        stream.seek(position + n_blank)
        data = stream.read(min(after - position - n_blank, MAX_RECORD_BYTES))
        fault = None
        if after > end:
            fault, after = Reject(Reason.ANNOTATION_BROKEN, f"a record at byte {position} that is cut"), end
        elif after - position - n_blank > MAX_RECORD_BYTES:
            fault = Reject(Reason.MARKUP_TOO_LARGE, f"a record of {length[1].decode()} bytes")
        yield _Record(after, data, fault)
        position = after


def _next_plain(stream: BinaryIO, position: int, end: int) -> int:
    mark = b"\n" + _RECORD_START
    stream.seek(position)
    window = b""
    while position + len(window) < end and (chunk := stream.read(min(_READ_BYTES, end - position - len(window)))):
        window += chunk
        found = window.find(mark)
        if found >= 0:
            return position + found + 1
        position, window = position + max(0, len(window) - len(mark)), window[-len(mark) :]
    return end


def _pages_of(record: _Record, archive_iterator: Callable[[BinaryIO], Any]) -> list[Page]:
    """The pages of a record: none, one, or several where records were packed together."""
    if record.fault is not None and record.fault.reason is Reason.ANNOTATION_BROKEN:
        return [Page("", record.fault)]
    # warcio would unpack what is packed twice, without a bound
    if not record.data.startswith(_RECORD_START):
        return [Page("", Reject(Reason.ANNOTATION_BROKEN, "packed bytes that are no record"))] if record.data else []
    pages: list[Page] = []
    try:
        for found in archive_iterator(io.BytesIO(record.data)):
            page = _page_of(found, record.fault)
            if page is not None:
                pages.append(page)
    except Exception as error:  # noqa: BLE001  # the parser raises whatever broken headers make it meet
        pages.append(Page("", Reject(Reason.ANNOTATION_BROKEN, f"no record ({type(error).__name__})")))
    return pages


def _page_of(found: Any, fault: Reject | None) -> Page | None:
    headers = found.http_headers or found.rec_headers
    kind = headers.get_header("Content-Type") or ""
    is_page = found.rec_type == "resource" or (found.rec_type == "response" and headers.get_statuscode() == "200")
    if not is_page or not kind.lower().lstrip().startswith(_HTML):
        return None
    url = found.rec_headers.get_header("WARC-Target-URI") or ""
    key = url[:_MAX_KEY_CHARS].encode("utf-8", "replace").decode()
    if fault is not None:
        return Page(key, fault)
    data = found.content_stream().read(MAX_MARKUP_BYTES + 1)
    if len(data) > MAX_MARKUP_BYTES:
        return Page(key, Reject(Reason.MARKUP_TOO_LARGE, f"more than {MAX_MARKUP_BYTES} bytes"))
    charset = _CHARSET.search(kind)
    return Page(key, decode_page(data, charset[1] if charset else ""))
