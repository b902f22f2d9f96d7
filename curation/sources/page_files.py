"""Folders of pages, a page a file: many files make one piece, and each keeps the identity of its own bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from curation.markup.tree import MAX_MARKUP_BYTES
from curation.reasons import Reason, Reject
from curation.sample import sha256_hex
from curation.sources.address import open_file
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.page_text import decode_page
from curation.sources.remote import reaching
from curation.sources.source import Piece
from curation.sources.values import Place

SUFFIXES: Final = (".html", ".htm", ".xhtml")
_CHUNK_BYTES: Final = 1024 * 1024


def list_pieces(found: ResolvedAddress, rows_per_shard: int) -> Iterator[Piece]:
    """Pieces of `rows_per_shard` files, in source order."""
    for first in range(0, len(found.files), rows_per_shard):
        files = found.files[first : first + rows_per_shard]
        members = tuple((file.path, _content_sha256(file)) for file in files)
        identity = sha256_hex("\n".join(sha256 for _, sha256 in members))
        root = Place.of(found.address, files[0].path).root
        yield Piece(root, identity, found.revision, (), first, len(files), members=members)


def read_page(path: str) -> str | Reject:
    """The page in a file, or why there is none."""
    with reaching(shown(path)), open_file(path) as stream:
        data = stream.read(MAX_MARKUP_BYTES + 1)
    if len(data) > MAX_MARKUP_BYTES:
        return Reject(Reason.MARKUP_TOO_LARGE, f"more than {MAX_MARKUP_BYTES} bytes")
    return decode_page(data)


def _content_sha256(file: SourceFile) -> str:
    """The hash of a file's bytes, or what the Hub tells in its place.

    Computed each time: `curation.sources.hashes` keeps one small file of all it remembers, which is for few large ones.
    """
    if file.sha256 or file.path.startswith("hf://"):
        return file.sha256 or file.version  # a file outside LFS has its git blob's hash, which is of its content too
    digest = hashlib.sha256()
    with reaching(shown(file.path)), open_file(file.path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
