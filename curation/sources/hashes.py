"""Content hashes of source files, computed once for each version of a file and remembered between runs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from curation.sources.address import open_file
from curation.sources.files import SourceFile, shown
from curation.sources.remote import reaching

if TYPE_CHECKING:
    from io import BufferedReader

_CHUNK_BYTES: Final = 8 * 1024 * 1024
_SETTLED_AFTER_S: Final = 2.0
"""A file that changed less than this ago can change again with the same time stamp: its hash is not remembered."""

_remembering: Final = Lock()


def content_sha256(file: SourceFile) -> str:
    """SHA-256 of the file's bytes in hex: the store's own where it tells it, else remembered, else computed."""
    if file.sha256:
        return file.sha256
    remembered = _read_cache().get(file.path)
    if _is_settled(file) and remembered and remembered[:2] == [file.size_bytes, file.version]:
        return str(remembered[2])
    with reaching(shown(file.path)), open_file(file.path) as stream:
        if "://" in file.path:
            sha256 = _of_few_requests(stream)
        else:
            sha256 = hashlib.file_digest(cast("BufferedReader", stream), "sha256").hexdigest()
    if _is_settled(file):
        with _remembering:
            _remember(file, sha256)
    return sha256


def _of_few_requests(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _is_settled(file: SourceFile) -> bool:
    if "://" in file.path or not file.version:
        return bool(file.version)
    return time.time() - int(file.version) / 1e9 > _SETTLED_AFTER_S


def _cache_file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "markupmill" / "source_hashes.json"


def _read_cache() -> dict[str, list[int | str]]:
    """By path: the size and version that the file had, and its hash."""
    try:
        cache = json.loads(_cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(cache, dict):
        return {}
    return {path: entry for path, entry in cache.items() if isinstance(entry, list) and len(entry) == 3}


def _remember(file: SourceFile, sha256: str) -> None:
    """Add to the cache. Where two processes write at once one entry may be lost, and is computed again."""
    target = _cache_file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=target.parent, delete=False, encoding="utf-8") as temporary:
            json.dump({**_read_cache(), file.path: [file.size_bytes, file.version, sha256]}, temporary)
        Path(temporary.name).replace(target)
    except OSError:
        return  # a cache folder that cannot be written costs time, not correctness
