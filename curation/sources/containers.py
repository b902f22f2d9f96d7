"""Which files of an address hold rows, what kind they are, and whether they have the columns that are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Literal

from curation.errors import AddressError, SchemaError
from curation.sources import arrow_rows, delimited, jsonl, parquet_rows, webdataset
from curation.sources.damage import one_of_many
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.reader import Columns, Reader
from curation.sources.source import Piece

Kind = Literal["parquet", "arrow", "jsonl", "csv", "webdataset"]

_SUFFIXES: Final[dict[str, Kind]] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".tar": "webdataset",
}
SUFFIXES: Final = tuple(_SUFFIXES)
_READERS: Final = MappingProxyType[Kind, Reader](
    {"parquet": parquet_rows, "arrow": arrow_rows, "jsonl": jsonl, "csv": delimited, "webdataset": webdataset}
)
_NAMES_SHOWN: Final = 20


def kind_of(path: str) -> Kind:
    """What a file is, by the ending of its name."""
    return next(kind for suffix, kind in _SUFFIXES.items() if path.lower().endswith(suffix))


def reader_of(path: str) -> Reader:
    """What reads a file."""
    return _READERS[kind_of(path)]


def of_one_kind(found: ResolvedAddress, kind: Kind | None) -> ResolvedAddress:
    """The files of `kind`; all of them where none is asked for and they are of one kind.

    Raises:
        AddressError: there are none, or they are of several kinds.
    """
    kinds = sorted({kind_of(file.name) for file in found.files})
    if kind is None and len(kinds) > 1:
        mend = f"Set format to one of {', '.join(kinds)}"
        raise AddressError(f"{shown(found.address)} holds rows in files of several kinds", mend)
    kept = tuple(file for file in found.files if kind in (None, kind_of(file.name)))
    if not kept:
        raise AddressError(f"{shown(found.address)} holds no {kind} file", f"Set format to {' or '.join(kinds)}")
    return replace(found, files=kept)


def list_pieces(found: ResolvedAddress, rows_per_shard: int, columns: Columns) -> Iterator[Piece]:
    """Pieces of about `rows_per_shard` rows, file by file, lazily.

    Raises:
        SchemaError: a file cannot be read, or lacks a column; the mend names the nearest that it has.
    """
    for file in found.files:
        with one_of_many():
            here = _checked(file, columns)
            yield from reader_of(file.path).list_pieces(replace(found, files=(file,)), rows_per_shard, here)


def _checked(file: SourceFile, columns: Columns) -> Columns:
    """`columns` as the file names them, which it has all of."""
    has = reader_of(file.path).column_names(file.path, content_sha256(file))
    if not has and file.size_bytes == 0:
        raise SchemaError(f"{shown(file.path)} is empty", "Fetch it again, or leave it out")
    here = replace(columns, image=image_column(has, columns.image) or columns.image)
    for column in (*here.as_text, *([here.image] if here.image else [])):
        if column not in has:
            raise SchemaError(f"{shown(file.path)} has no column {column!r}", _nearest(column, has))
    return here


def columns_of(piece: Piece, columns: Columns) -> Columns:
    """`columns` as the piece's file names them."""
    if not columns.image:
        return columns
    has = reader_of(piece.path).column_names(piece.path, piece.content_sha256)
    return replace(columns, image=image_column(has, columns.image))


def image_column(has: Sequence[str], wanted: str) -> str:
    """The column of `has` that tells the pictures `wanted`; empty where there is none.

    In the metadata of an image folder `file_name` holds the paths of `image`, and `x_file_name` those of `x`
    (as `datasets` reads them).
    """
    if not wanted or wanted in has:
        return wanted
    stored = "file_name" if wanted == "image" else f"{wanted}_file_name"
    return stored if stored in has else ""


def _nearest(column: str, has: Sequence[str]) -> str:
    close = difflib.get_close_matches(column, has, n=3, cutoff=0.4)
    names = [name[:80].encode("utf-8", "replace").decode() for name in has[:_NAMES_SHOWN]]
    listed = f"It has: {', '.join(names) or 'none'}{', …' if len(has) > _NAMES_SHOWN else ''}"
    return f"Did you mean {' or '.join(map(repr, close))}? {listed}" if close else listed
