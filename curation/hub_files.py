"""What is there to push, and what of it a repository has: files by path, size and hash. Asks nobody."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from curation.errors import BadInputError, StoreError
from curation.store import Workspace

MANIFEST: Final = "manifest.json"

VERIFIED_AT_ONCE_BYTES: Final = 1 << 20
"""Files up to this size are held against the manifest when they are found; larger ones when they are to be sent."""


@dataclass(frozen=True)
class LocalFile:
    """A file to push. `content` where it is on no disk; `stamp` is what a change of the file on disk changes.

    `was_read`: its SHA-256 was found in its bytes, and is not only what the manifest says.
    """

    path: str
    n_bytes: int
    sha256: str
    disk: Path | None = None
    content: bytes = b""
    stamp: tuple[int, int, int] = (0, 0, 0)
    was_read: bool = True

    @property
    def source(self) -> str | bytes:
        """What the Hub's client is given."""
        return self.content if self.disk is None else str(self.disk)

    def is_at(self, remote: Mapping[str, RemoteFile]) -> bool:
        """Whether the repository has these bytes at this path."""
        there = remote.get(self.path)
        if there is None or there.n_bytes != self.n_bytes:
            return False
        return self.sha256 == there.sha256 if there.sha256 else self._git_oid() == there.oid

    def verify(self) -> None:
        """Raises `StoreError` where the file on disk is not what it was when the release was made."""
        self.require_untouched()
        if self.disk is not None and not self.was_read and _sha256(self.disk) != self.sha256:
            raise _changed(self.path)

    def require_untouched(self) -> None:
        """Raises `StoreError` where the file on disk was written since it was looked at: costs no reading."""
        if self.disk is not None and _stamp(self.disk) != self.stamp:
            raise _changed(self.path)

    def _git_oid(self) -> str:
        """Git's name of the bytes: SHA-1 over `blob <size>`, a zero byte, and them (git-hash-object)."""
        digest = hashlib.sha1(b"blob %d\0" % self.n_bytes, usedforsecurity=False)
        if self.disk is None:
            digest.update(self.content)
            return digest.hexdigest()
        with self.disk.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
        return digest.hexdigest()


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository at a commit: git's name of it; in large storage the SHA-256 of its bytes, too."""

    n_bytes: int
    oid: str
    sha256: str | None = None


@contextmanager
def local_folder(folder: str) -> Iterator[Path]:
    """`folder` as a path on this machine: copied here for the block where it is on another store.

    Raises:
        BadInputError: there is no such folder.
    """
    place = Workspace(folder)
    if not place.fs.isdir(place.root):
        raise BadInputError(f"there is no folder {folder} to push", "Name a release: <workspace>/releases/<name>")
    if place.is_local:
        yield Path(place.root)
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "release"
        place.fs.get(place.root, str(copy), recursive=True)
        yield copy


def local_files(folder: Path) -> list[LocalFile]:
    """The files of a release: those that its manifest names, and the manifest itself, by path.

    A folder without a manifest (a model) is all its files that are not hidden, and a manifest that is made of them: in
    the repository it says which files are ours.

    Raises:
        BadInputError: the folder is empty, or its manifest names what is outside of it.
        StoreError: a file is not what the manifest says.
    """
    manifest = read_manifest(_bytes_of(folder / MANIFEST))
    if manifest is None:
        if (folder / MANIFEST).exists():
            raise StoreError(f"{folder / MANIFEST} is no manifest of a release", "Build the release again")
        files = [_found(folder, path) for path in _visible(folder)]
        if not files:
            raise BadInputError(f"there are no files in {folder}", "Name a release: <workspace>/releases/<name>")
        return [*files, _made_manifest(files)]
    files = [_named(folder, path, entry) for path, entry in sorted(manifest["files"].items())]
    return [*files, _found(folder, MANIFEST)]


def read_manifest(content: bytes | None) -> dict[str, Any] | None:
    """A manifest of ours, None for anything else: it names files, each with its SHA-256."""
    try:
        manifest: Any = json.loads(content or b"")
    except ValueError:
        return None
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict):
        return None
    is_ours = all(isinstance(entry, dict) and isinstance(entry.get("sha256"), str) for entry in files.values())
    return dict(manifest) if is_ours else None


def _visible(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _named(folder: Path, path: str, entry: Mapping[str, Any]) -> LocalFile:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise BadInputError(f"the manifest of {folder} names a file outside of it: {path!r}", "Build the release again")
    disk = folder / path
    if not disk.is_file() or disk.stat().st_size != entry.get("n_bytes"):
        raise _changed(path)
    file = LocalFile(path, disk.stat().st_size, entry["sha256"], disk, stamp=_stamp(disk), was_read=False)
    if file.n_bytes <= VERIFIED_AT_ONCE_BYTES:
        file.verify()
    return file


def _found(folder: Path, path: str) -> LocalFile:
    disk = folder / path
    stamp = _stamp(disk)
    return LocalFile(path, disk.stat().st_size, _sha256(disk), disk, stamp=stamp)


def _made_manifest(files: Iterable[LocalFile]) -> LocalFile:
    entries = {file.path: {"sha256": file.sha256, "n_bytes": file.n_bytes} for file in files}
    content = (json.dumps({"files": entries}, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    return LocalFile(MANIFEST, len(content), hashlib.sha256(content).hexdigest(), content=content)


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changed(path: str) -> StoreError:
    return StoreError(f"{path} is not what the release's manifest says", "Build the release again, then push it")
