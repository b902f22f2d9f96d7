"""WebDataset tars: members that share a name up to its first dot are one row, and their endings are its columns.

Read in place, header by header, with memory that does not grow with the archive. Nothing is written to disk, and a
member that could do harm there (an absolute path, `..`, a link, a device) spoils its row all the same: an archive with
such a member was not made by a tool for data sets. Only plain tars: a compressed one cannot be read from the middle.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import BinaryIO, Final, cast

from curation.errors import SchemaError
from curation.reasons import Reason, Reject
from curation.sources.address import open_file
from curation.sources.files import ResolvedAddress, is_inside, shown
from curation.sources.hashes import content_sha256
from curation.sources.reader import Columns, Row
from curation.sources.source import Piece
from curation.sources.values import MAX_IMAGE_BYTES, Place

KEY_COLUMN: Final = "__key__"
PICTURE_ENDINGS: Final = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
MAX_TEXT_BYTES: Final = 16 * 1024 * 1024

_ALIASES: Final = {"image": PICTURE_ENDINGS, "text": ("txt",)}
"""Columns that stand for endings, so that the usual names fit the usual archives."""

_MAX_HEADER_BYTES: Final = 1024 * 1024  # long names and pax records are read whole
_ROWS_FOR_NAMES: Final = 100
_READ_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class _Member:
    offset: int  # of its bytes in the archive
    size: int


@dataclass
class _Sample:
    """One row: where its members lie; `fault` where one of them is not to be touched."""

    key: str
    start: int
    end: int
    members: dict[str, _Member] = field(default_factory=dict)
    fault: Reject | None = None


@lru_cache(maxsize=64)
def column_names(path: str, content_sha256: str) -> tuple[str, ...]:  # noqa: ARG001  # the hash keeps the cache true
    """Endings and keys of JSON members of the first rows, and the aliases that they answer to.

    Raises:
        SchemaError: the file is no tar.
    """
    names: dict[str, None] = {KEY_COLUMN: None}
    with _opened(path) as stream:
        for sample in islice(_samples(path, stream, 0, sys.maxsize), _ROWS_FOR_NAMES):
            names |= dict.fromkeys(sample.members)
            annotation = _annotation(stream, sample)
            names |= {} if isinstance(annotation, Reject) else dict.fromkeys(annotation)
    aliases = (alias for alias, endings in _ALIASES.items() if names.keys() & set(endings))
    return tuple(names | dict.fromkeys(aliases))


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:  # noqa: ARG001
    """Pieces of `rows_per_shard` rows (fewer at a file's end), each with its byte range."""
    for file in found.files:
        sha256 = content_sha256(file)
        first_row = row = start = end = 0
        with _opened(file.path) as stream:
            for row, sample in enumerate(_samples(file.path, stream, 0, file.size_bytes), start=1):
                start = sample.start if row == first_row + 1 else start
                end = sample.end
                if row - first_row == rows_per_shard:
                    yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))
                    first_row = row
        if row > first_row:
            yield Piece(file.path, sha256, found.revision, (), first_row, row - first_row, (start, end))


def read_rows(piece: Piece, columns: Columns) -> Iterator[Row]:
    """The piece's rows in order: bytes of members, or what JSON members have, or why a row cannot be used."""
    with _opened(piece.path) as stream:
        for sample in _index(piece):
            values: dict[str, object] = {KEY_COLUMN: sample.key}
            for column in columns.as_text:
                member = _member(sample, column)
                if sample.fault is not None:
                    values[column] = sample.fault
                elif member is not None:
                    values[column] = _read(stream, member, MAX_TEXT_BYTES)
                elif column != KEY_COLUMN:
                    annotation = _annotation(stream, sample)
                    values[column] = annotation if isinstance(annotation, Reject) else annotation.get(column)
            picture = _member(sample, columns.image)
            if picture is not None and picture.size > MAX_IMAGE_BYTES:
                values[columns.image] = Reject(Reason.IMAGE_TOO_LARGE, f"{picture.size} bytes")
            yield values


def read_pictures(piece: Piece, column: str, rows: Sequence[int], place: Place) -> list[bytes | None]:  # noqa: ARG001
    """Pictures of the given file rows; they are members of the archive, whatever the place."""
    found: list[bytes | None] = []
    with _opened(piece.path) as stream:
        for row in rows:
            member = _member(_index(piece)[row - piece.first_row], column)
            data = None if member is None else _read(stream, member, MAX_IMAGE_BYTES)
            found.append(data if isinstance(data, bytes) else None)
    return found


class _CappedReads:
    """A stream whose single reads are bounded: `tarfile` reads as much as a hostile header says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)


def _opened(path: str) -> BinaryIO:
    stream = open_file(path)
    # a remote file would be asked for 512 bytes at a time
    return cast("BinaryIO", io.BufferedReader(stream, _READ_BYTES)) if "://" in path else stream


@lru_cache(maxsize=4)
def _index(piece: Piece) -> tuple[_Sample, ...]:
    with _opened(piece.path) as stream:
        return tuple(_samples(piece.path, stream, *piece.byte_range))


def _samples(path: str, stream: BinaryIO, start: int, end: int) -> Iterator[_Sample]:
    """Rows whose members lie between two byte positions. Hidden files are passed over, as everywhere."""
    sample: _Sample | None = None
    for member, after in _members(path, stream, start, end):
        name = member.name.removeprefix("./")
        folder, _, base = name.rpartition("/")
        if member.isdir() or base.startswith("."):
            continue
        stem, _, ending = base.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if sample is None or sample.key != key:
            if sample is not None:
                yield sample
            sample = _Sample(key, member.offset, after)
        sample.end = after
        sample.fault = sample.fault or _fault(member, name, taken=ending.lower() in sample.members)
        sample.members[ending.lower()] = _Member(member.offset_data, member.size)
    if sample is not None:
        yield sample


def _fault(member: tarfile.TarInfo, name: str, *, taken: bool) -> Reject | None:
    printable = name[:200].encode("utf-8", "replace").decode()
    if not is_inside(name):
        return Reject(Reason.MEMBER_UNSAFE, f"{printable} leads out of the archive's folder")
    if not member.isreg() or member.issparse():
        return Reject(Reason.MEMBER_UNSAFE, f"{printable} is a link, a device or no plain file")
    return Reject(Reason.ANNOTATION_BROKEN, f"{printable} comes twice") if taken else None


def _members(path: str, stream: BinaryIO, start: int, end: int) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """(header, where the next one starts) of the members between two byte positions.

    Raises:
        SchemaError: the archive is damaged; `tarfile` itself would end there without a word.
    """
    stream.seek(start)
    position = start
    try:
        archive = tarfile.open(fileobj=cast("BinaryIO", _CappedReads(stream)), mode="r:")  # noqa: SIM115  # the stream is the caller's
        while position < end and (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # which would hold every header of the archive
            if archive.offset <= position:  # a size that is negative
                raise tarfile.ReadError(f"a member of {member.size} bytes")
            position = archive.offset
            yield member, position
    except (tarfile.TarError, ValueError, OverflowError, IndexError, RecursionError, LookupError) as error:
        mend = "Fetch or pack it again; only plain tars are read"
        raise SchemaError(f"{shown(path)} cannot be read as a tar at byte {position} ({error})", mend) from error
    if position > end:
        raise SchemaError(
            f"{shown(path)} is cut: its last member reaches to byte {position} of {end}", "Fetch it again"
        )
    stream.seek(position)
    if position < end and stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise SchemaError(f"{shown(path)} is damaged at byte {position}", "Fetch it again")


def _member(sample: _Sample, column: str) -> _Member | None:
    """The member that a column names, by its ending or by an alias."""
    endings = (column, *_ALIASES.get(column, ()))
    return next((sample.members[ending] for ending in endings if ending in sample.members), None)


def _read(stream: BinaryIO, member: _Member, limit_bytes: int) -> bytes | Reject:
    if member.size > limit_bytes:
        return Reject(Reason.MARKUP_TOO_LARGE, f"{member.size} bytes")
    stream.seek(member.offset)
    return stream.read(member.size)


def _annotation(stream: BinaryIO, sample: _Sample) -> Mapping[str, object] | Reject:
    """The object in the row's `json` member; empty where it has none."""
    member = sample.members.get("json")
    if member is None or sample.fault is not None:
        return {}
    data = _read(stream, member, MAX_TEXT_BYTES)
    if isinstance(data, Reject):
        return data
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return Reject(Reason.ANNOTATION_BROKEN, "the row's json member is no JSON")
    return value if isinstance(value, dict) else Reject(Reason.ANNOTATION_BROKEN, "the row's json member is no object")
