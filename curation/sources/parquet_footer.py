"""Footers of Parquet files, each read once by a process, and where in a file they say that its columns lie."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from curation.sources.address import open_file, store_of
from curation.sources.files import SourceFile
from curation.sources.ranges import Span, read_ahead

_FOOTER_BYTES: Final = (8 * 1024, 64 * 1024)
"""The least and the most of a remote file's end that is fetched for its footer at first: a thousandth of the file,
which is enough where it holds pictures. A longer footer takes a second request."""
_N_FOOTERS: Final = 64


@dataclass
class _Footer:
    """A file's footer, read once; `lock` is for those that want it at the same time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    metadata: pq.FileMetaData | None = None
    size_bytes: int | None = None


_footers: OrderedDict[tuple[str, str], _Footer] = OrderedDict()
_footers_lock = threading.Lock()


def _entry(path: str, sha256: str) -> _Footer:
    with _footers_lock:
        entry = _footers.setdefault((path, sha256), _Footer())
        _footers.move_to_end((path, sha256))
        if len(_footers) > _N_FOOTERS:
            _footers.popitem(last=False)
        return entry


def footer_of(path: str, sha256: str, size_bytes: int | None = None) -> pq.FileMetaData:
    """The file's footer; the hash of its content keeps it true. `size_bytes`, where known, saves asking for it."""
    entry = _entry(path, sha256)
    with entry.lock:
        if entry.metadata is None:
            entry.metadata, entry.size_bytes = _read_footer(path, size_bytes)
        return entry.metadata


def size_of(path: str, sha256: str) -> int | None:
    """Size in bytes of a remote file whose footer was read."""
    return _entry(path, sha256).size_bytes


def _read_footer(path: str, size_bytes: int | None) -> tuple[pq.FileMetaData, int | None]:
    if "://" not in path:
        with pq.ParquetFile(path) as file:
            return file.metadata, None
    with open_file(path, size_bytes) as stream:
        size_bytes = stream.seek(0, os.SEEK_END)
        start, _ = _end_of(size_bytes)
        stream.seek(start)
        end = stream.read(size_bytes - start)
        # A Parquet file ends with its footer, the footer's length in four bytes, and "PAR1".
        n_bytes = int.from_bytes(end[-8:-4], "little") + 8
        if end[-4:] != b"PAR1" or not 12 <= n_bytes <= size_bytes:
            raise pa.ArrowInvalid("no Parquet magic bytes at the end")
        if n_bytes > len(end):
            stream.seek(size_bytes - n_bytes)
            end = stream.read(n_bytes - len(end)) + end
    return pq.read_metadata(pa.BufferReader(end[-n_bytes:])), size_bytes


def _end_of(size_bytes: int) -> Span:
    """The span in which the footer of a file of this size most likely lies."""
    least, most = _FOOTER_BYTES
    return max(0, size_bytes - min(max(size_bytes // 1000, least), most)), size_bytes


def expect_footer(file: SourceFile) -> None:
    """Say that this file's footer will be read soon: that of a remote one is fetched meanwhile."""
    is_known = (file.path, file.sha256) in _footers
    if file.sha256 and not is_known and (store := store_of(file.path)):
        read_ahead(file.path, store, [_end_of(file.size_bytes)])


def chunks_of(footer: pq.FileMetaData, groups: Sequence[int], columns: Collection[str]) -> list[Span]:
    """Where in the file the columns (or leaves of them, as `image.bytes`) of the row groups lie."""
    spans = []
    for group in groups:
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            chunk = row_group.column(index)
            leaf = chunk.path_in_schema
            if leaf in columns or leaf.partition(".")[0] in columns:
                # As Arrow has it (ComputeColumnChunkRange): from the first page, be it one of a dictionary.
                start = min(offset for offset in (chunk.dictionary_page_offset, chunk.data_page_offset) if offset)
                spans.append((start, start + chunk.total_compressed_size))
    return spans
