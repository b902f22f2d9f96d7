"""Where a source's files are: a dataset on the Hub, a local folder or file, or any fsspec URL.

`resolve` turns what a person wrote into a list of files that any process can open again by their path alone;
`open_file` opens one; `content_sha256` names its bytes. Nothing here knows what is in the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast
from urllib.parse import unquote

import fsspec

from curation.errors import AddressError
from curation.sources.files import ResolvedAddress, SourceFile, in_source_order, is_listed, shown
from curation.sources.ranges import RangeFile, Store, fetch
from curation.sources.remote import first_answer, unreachable

_HUB_ADDRESS: Final = re.compile(
    r"(?P<url>hf://datasets/)?(?P<repo>\w[\w.-]*/\w[\w.-]*)"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/:]+|[^/:]+))?(?::(?P<config>[^/:]+))?(?P<folder>/.*)?"
)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_resolved: ContextVar[dict[tuple[str, str], str]] = ContextVar("commits")
_READ_BY_RANGES: Final = {"hf", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "http", "https"}


def resolve(address: str, suffixes: Sequence[str]) -> ResolvedAddress:
    """Files with one of `suffixes` (as `.parquet`) behind `address`; a moving Hub revision becomes its commit.

    An address is an existing local path, else a URL (`hf://datasets/org/name@revision/folder` too), else
    `org/name[@revision][:config]` on the Hub. Hidden files and folders are passed over.

    Raises:
        AddressError: it does not exist, may not be read, cannot be reached, or holds no such file.
    """
    hub = _on_hub(address)
    if address.startswith("file://"):
        found = _resolve_local(unquote(address.removeprefix("file://")))
    elif hub:
        found = _resolve_hub(address, hub)
    elif "://" in address:
        found = _resolve_url(address)
    elif address and Path(address).expanduser().exists():
        found = _resolve_local(address)
    else:
        raise AddressError(f"There is no file or folder {address!r}", "Give a path, a URL, or org/name of the Hub")
    kept = [file for file in found.files if file.name.lower().endswith(tuple(suffixes))]
    if not kept:
        kinds = sorted({PurePosixPath(file.name).suffix or "(no suffix)" for file in found.files})
        holds = f"It holds {len(found.files)} files: {', '.join(kinds[:8])}" if kinds else "It is empty"
        raise AddressError(f"{shown(address)} holds no {' or '.join(suffixes)} file", holds)
    return ResolvedAddress(address, found.revision, in_source_order(kept))


def pinned(address: str) -> str:
    """`address` with a moving revision of the Hub replaced by the commit that it is now; any other as it is.

    Done once at the start of a run, so that all of it reads one commit.

    Raises:
        AddressError: the dataset or revision does not exist, may not be read, or cannot be reached.
    """
    hub = _on_hub(address)
    if hub is None or _COMMIT.fullmatch(hub["revision"] or ""):
        return address
    from curation.sources.hub_dataset import commit_of  # noqa: PLC0415  # its client takes 0.7 s to import

    moving, commits = (hub["repo"], unquote(hub["revision"] or "main")), _resolved.get({})
    commit = commits[moving] = commits.get(moving) or commit_of(*moving)
    config = f":{hub['config']}" if hub["config"] else ""
    return f"{hub['url'] or ''}{hub['repo']}@{commit}{config}{hub['folder'] or ''}"


@contextmanager
def resolved_once() -> Iterator[None]:
    """For the block, `pinned` asks the Hub once about each branch: whoever asks again gets the same commit.

    Within another such block it goes on with what that one knows.
    """
    token = _resolved.set(_resolved.get({}))
    try:
        yield
    finally:
        _resolved.reset(token)


def open_file(path: str, size_bytes: int | None = None) -> BinaryIO:
    """Open a `SourceFile.path` for reading. Remote files are read by exactly the ranges asked for.

    The default read-ahead of fsspec fetches megabytes of images around a text column. `size_bytes`, where known,
    saves asking for it.
    """
    if "://" not in path:
        return Path(path).open("rb")
    store = store_of(path)
    if store is None:
        filesystem, inner = _filesystem(path)
        return cast("BinaryIO", filesystem.open(inner, "rb"))
    return cast("BinaryIO", RangeFile(path, store, size_bytes))


def store_of(path: str) -> Store | None:
    """How the bytes of a remote file are asked for; None for files that are near: local, or in memory."""
    protocol, separator, _ = path.partition("://")
    if not separator or protocol not in _READ_BY_RANGES:
        return None
    if protocol == "hf":
        from curation.sources.hub_client import HubFile  # noqa: PLC0415  # its client takes 0.7 s to import

        return HubFile.of(path)
    return FsspecFile(path)


def read_beside(path: str, name: str, limit_bytes: int) -> bytes | None:
    """Bytes of the file `name` (relative, with `/`) in the folder of `path`; None where there is none.

    None also for what is no plain file or is larger than `limit_bytes`. `name` must be `is_inside` its folder.
    """
    folder = path.rpartition("/")[0]
    if "://" not in path:
        file = Path(folder) / name
        if not file.is_file() or file.stat().st_size > limit_bytes:
            return None
        return file.read_bytes()
    if store := store_of(f"{folder}/{name}"):
        try:
            data = fetch(store, 0, limit_bytes + 1)
        except FileNotFoundError:
            return None
        return data if len(data) <= limit_bytes else None
    filesystem, inner = _filesystem(f"{folder}/{name}")
    try:
        info = filesystem.info(inner)
    except FileNotFoundError:
        return None
    if info["type"] != "file" or (info["size"] or 0) > limit_bytes:
        return None
    return cast("bytes", filesystem.cat_file(inner))


@dataclass(frozen=True)
class FsspecFile:
    """A file of any remote file system that fsspec knows, as `curation.sources.ranges.Store`."""

    url: str

    @property
    def what(self) -> str:
        """Its address, for messages."""
        return shown(self.url)

    def size_bytes(self) -> int:
        """Size of the file, as its store tells it."""
        filesystem, inner = _filesystem(self.url)
        return int(filesystem.info(inner)["size"])

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """See `Store`; in one part."""
        filesystem, inner = _filesystem(self.url)
        yield filesystem.cat_file(inner, start=start, end=end)


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it; credentials come from the environment only."""
    if url.startswith("hf://"):
        from curation.sources.hub_dataset import hub_filesystem  # noqa: PLC0415  # its client takes 0.7 s to import

        return hub_filesystem(), url.removeprefix("hf://")
    filesystem, inner = fsspec.core.url_to_fs(url)
    return filesystem, inner


def _on_hub(address: str) -> re.Match[str] | None:
    """The parts of an address on the Hub; None for any other, and for a local path that looks like one."""
    hub = _HUB_ADDRESS.fullmatch(address)
    if hub is None or (hub["config"] and hub["folder"]):
        return None
    if not hub["url"] and (hub["folder"] or Path(address).expanduser().exists()):
        return None
    return hub


def _resolve_hub(address: str, parsed: re.Match[str]) -> ResolvedAddress:
    from curation.sources.hub_dataset import list_dataset  # noqa: PLC0415  # its client takes 0.7 s to import

    revision = unquote(parsed["revision"] or "main")
    folder = (parsed["folder"] or "").strip("/")
    commit, files = list_dataset(parsed["repo"], revision, folder, parsed["config"] or "")
    return ResolvedAddress(address, commit, files)


def _resolve_local(address: str) -> ResolvedAddress:
    root = Path(address).expanduser().absolute()
    try:
        if root.is_file():
            files = [root]
        elif root.is_dir():
            files = [Path(folder) / name for folder, name in _walk(root)]
        else:
            raise AddressError(f"There is no file or folder {address!r}", "Check the path")
        found = tuple(_local_file(file, root) for file in files)
    except PermissionError as error:
        raise AddressError(f"{error.filename} may not be read", "Check its permissions") from error
    return ResolvedAddress(address, "", found)


def _walk(root: Path) -> list[tuple[str, str]]:
    def stop(error: OSError) -> None:
        raise error

    found = []
    for folder, subfolders, names in os.walk(root, onerror=stop):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [(folder, name) for name in names if not name.startswith(".")]
    return found


def _local_file(file: Path, root: Path) -> SourceFile:
    status = file.stat()
    name = file.name if file == root else file.relative_to(root).as_posix()
    return SourceFile(str(file), name, status.st_size, version=str(status.st_mtime_ns))


def _resolve_url(url: str) -> ResolvedAddress:
    if "::" in url:
        raise AddressError(f"{shown(url)} is a chained address", "Unpack it first, or give the inner address")
    try:
        filesystem, root = _filesystem(url)
    except (ImportError, ValueError) as error:
        raise AddressError(f"{shown(url)} cannot be opened: {error}", "Install what its protocol needs") from error
    try:
        info = first_answer(lambda: filesystem.info(root))
        entries = filesystem.find(root, detail=True) if info["type"] == "directory" else {info["name"]: info}
    except FileNotFoundError as error:
        raise AddressError(f"There is nothing at {shown(url)}", "Check the address") from error
    except PermissionError as error:
        raise AddressError(f"{shown(url)} may not be read", "Check the credentials in the environment") from error
    except (OSError, TimeoutError) as error:
        raise unreachable(shown(url), error) from error
    protocol = url.partition("://")[0]
    files = []
    for path, entry in entries.items():
        name = path.removeprefix(root.rstrip("/")).lstrip("/") or PurePosixPath(path).name
        if is_listed(name):
            version = next((str(entry[key]) for key in ("ETag", "etag", "mtime", "LastModified") if entry.get(key)), "")
            opened = url if path == root else f"{protocol}://{path.removeprefix('/')}"
            files.append(SourceFile(opened, name, entry["size"] or 0, version=version))
    return ResolvedAddress(url, "", tuple(files))
