"""A release to work from, wherever it is: a folder as it stands, or a copy of a repository at one revision.

What says whether the rows are any good comes first (`quality.json` and the manifest); the data follow when they are
asked for. What was fetched is held against the manifest, and is not fetched again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curation.errors import AddressError, StoreError
from curation.hub_files import MANIFEST, read_manifest
from curation.keys import content_key
from curation.sources.address import open_file, pinned, resolve
from curation.sources.files import ResolvedAddress, is_inside, shown
from curation.sources.remote import persistently

FIRST: Final = (MANIFEST, "quality.json", "recipe.yaml")
"""Small files that are there before any data are."""
_CHUNK_BYTES: Final = 1 << 22
_MAX_SMALL_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class ReleaseSource:
    """A release: `address` as it was given (nothing secret in it), `revision` a commit or the manifest's key.

    `remote` is what is still to be fetched into `folder`; None for a folder that was there.
    """

    address: str
    revision: str
    folder: Path
    manifest: dict[str, Any]
    remote: ResolvedAddress | None = None

    def fetch(self, prefix: str = "") -> None:
        """Have every file of the manifest that begins with `prefix` in `folder`, each as the manifest says.

        Raises:
            StoreError: a file is not what the manifest says.
            UnreachableError: the Hub did not answer by the deadline.
        """
        files = {} if self.remote is None else {file.name: file for file in self.remote.files}
        for name, entry in sorted(self.manifest["files"].items()):
            if not name.startswith(prefix):
                continue
            place = self.folder / name
            if self.remote is not None and not _is_whole(place, entry):
                if name not in files:
                    raise StoreError(f"{self.address} lacks {name}, which its manifest names", "Push the release again")
                _copy(files[name].path, files[name].size_bytes, place)
            if not _is_whole(place, entry):
                raise StoreError(f"{place} is not what its manifest says", "Build or fetch the release again")


def open_release(address: str, cache: Path) -> ReleaseSource:
    """The release at a folder, or at `org/name[@revision]` (any address of a data set), copied into `cache`.

    Raises:
        AddressError: it is not there, may not be read, or is no release of markupmill's.
        StoreError: its manifest cannot be read.
        UnreachableError: the Hub did not answer by the deadline.
    """
    folder = Path(address).expanduser()
    if "://" not in address and folder.exists():
        return _opened(shown(address), "", folder.resolve(), None)
    found = resolve(pinned(address), ("",))
    there = {file.name: file for file in found.files}
    revision = found.revision or content_key(files=[(f.name, f.size_bytes, f.version) for f in found.files])
    copy = cache / content_key(address=shown(address), revision=revision)[:16]
    for name in FIRST:
        if name in there and not (copy / name).is_file() and there[name].size_bytes <= _MAX_SMALL_BYTES:
            _copy(there[name].path, there[name].size_bytes, copy / name)
    return _opened(shown(address), revision, copy, found)


def _opened(address: str, revision: str, folder: Path, remote: ResolvedAddress | None) -> ReleaseSource:
    place = folder / MANIFEST
    if not place.is_file():
        mend = "Give a release of `markupmill build` or `merge`: <workspace>/releases/<name>, or org/name[@revision]"
        raise AddressError(f"{address} is no release: it has no {MANIFEST}", mend)
    manifest = read_manifest(place.read_bytes())
    if manifest is None or not all(is_inside(name) for name in manifest["files"]):
        raise StoreError(f"{place} is no manifest of a release", "Build the release again")
    return ReleaseSource(address, revision or str(manifest.get("key", "")), folder, manifest, remote)


def _copy(path: str, size_bytes: int, place: Path) -> None:
    """A file, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")

    def copy() -> None:
        with open_file(path, size_bytes) as source, part.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)

    persistently(shown(path), copy)
    part.replace(place)


def _is_whole(place: Path, entry: dict[str, Any]) -> bool:
    if not place.is_file() or place.stat().st_size != entry["n_bytes"]:
        return False
    with place.open("rb") as file:
        return bool(hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"])
