"""The workspace: content-keyed files on any fsspec path, each finished by a manifest that is written last.

    <workspace>/samples/<key>.parquet            + <key>.json
    <workspace>/measures/<measure>/<key>.parquet + <key>.json
    <workspace>/rejects/<key>.parquet
    <workspace>/selections/<key>.parquet         + <key>.json
    <workspace>/releases/<name>/

A key is the hash of everything that went in, so a file that exists and verifies never has to be made
again: that is the whole checkpoint mechanism. Not for deciding what goes into a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from curation.errors import StoreError, WorkspaceLockedError
from curation.parquet_sink import FileEntry, HashingSink, ParquetSink

LEASE_S: Final = 120.0
"""How long a lock on a remote workspace outlives a holder that died (a local one: not at all)."""

TEMPORARY_PREFIX: Final = ".tmp-"


class Workspace:
    """One folder of keyed files on any fsspec path (`build/demo`, `s3://…`, `memory://…`).

    Raises `StoreError` where the place cannot be written.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.url = str(root)
        self.fs, self.root = fsspec.url_to_fs(self.url)
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def __reduce__(self) -> tuple[type[Workspace], tuple[str]]:
        return Workspace, (self.url,)

    def path(self, *parts: str) -> str:
        """Full path, on the workspace's file system, of a path inside it."""
        return posixpath.join(self.root, *parts)

    @contextmanager
    def new_file(self, path: str) -> Iterator[Any]:
        """A binary file that appears at `path` complete or not at all.

        Local: a temporary name beside it, fsynced, renamed. Elsewhere: made here, then uploaded, which object
        stores show only when it is complete.
        """
        try:
            if self.is_local:
                folder = Path(self.path(posixpath.dirname(path)))
                folder.mkdir(parents=True, exist_ok=True)
                with _temporary_in(folder) as (file, temporary):
                    yield file
                    _sync(file)
                    temporary.replace(self.path(path))
                    _sync_folder(folder)
            else:
                with tempfile.TemporaryDirectory() as scratch, _temporary_in(Path(scratch)) as (file, temporary):
                    yield file
                    file.flush()
                    self.fs.makedirs(posixpath.dirname(self.path(path)), exist_ok=True)
                    self.fs.put_file(str(temporary), self.path(path))
        except OSError as error:
            raise cannot_write(path, self.url, error) from error

    @contextmanager
    def new_parquet(self, path: str, schema: pa.Schema) -> Iterator[ParquetSink]:
        """A Parquet file that appears complete or not at all. Call `finish()` before leaving."""
        with self.new_file(path) as file:
            sink = ParquetSink(HashingSink(file), schema, path)
            try:
                yield sink
            except BaseException:
                sink.abandon()
                raise

    def write_json(self, path: str, value: Mapping[str, Any]) -> None:
        """Write indented JSON with sorted keys, atomically."""
        with self.new_file(path) as file:
            file.write((json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())

    def read_json(self, path: str) -> dict[str, Any] | None:
        """The JSON object at `path`, or None where there is none (or half of one, on a store without rename)."""
        try:
            value = json.loads(self.fs.cat_file(self.path(path)))
        except (FileNotFoundError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write_manifest(self, path: str, files: Mapping[str, FileEntry], **facts: Any) -> None:
        """Write the manifest that makes `files` count as finished. Always the last thing written."""
        self.write_json(path, {**facts, "files": {name: asdict(entry) for name, entry in files.items()}})

    def finished(self, manifest_path: str) -> dict[str, Any] | None:
        """The manifest, if it is there and every file it names is there with the SHA-256 it names."""
        manifest = self.read_json(manifest_path)
        if manifest is None:
            return None
        for entry in manifest["files"].values():
            if self.file_sha256(entry["path"]) != entry["sha256"]:
                return None
        return manifest

    def file_sha256(self, path: str) -> str | None:
        """SHA-256 of a file in the workspace, or None where there is none."""
        try:
            with self.fs.open(self.path(path), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def open_parquet(self, path: str) -> pq.ParquetFile:
        """A Parquet file of the workspace, opened for reading by row group and column."""
        return pq.ParquetFile(self.path(path), filesystem=self.fs)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for one writer, and clear away what dead writers left half-written.

        Raises `WorkspaceLockedError` where another run holds it. A lock dies with its holder: at once on a
        local path (`flock`), after `LEASE_S` elsewhere.
        """
        with self._local_lock() if self.is_local else self._lease():
            self._remove_temporaries()
            yield

    @contextmanager
    def _local_lock(self) -> Iterator[None]:
        import fcntl  # noqa: PLC0415 - not on every platform, and only needed here

        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            file = Path(self.path(".lock")).open("a")  # noqa: SIM115 - closed below, whatever happens
        except OSError as error:
            raise StoreError(
                f"cannot write in workspace {self.url}: {error.strerror or error}", "Choose another --workspace"
            ) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._locked_error() from None
            yield

    @contextmanager
    def _lease(self) -> Iterator[None]:
        """A lease on a file system without locks: refreshed by whoever holds it, free once it is stale."""
        path, holder = ".lease.json", uuid.uuid4().hex
        lease = self.read_json(path)
        if lease and time.time() - float(lease["refreshed_s"]) < LEASE_S:
            raise self._locked_error()
        with _refreshing(lambda: self.write_json(path, {"holder": holder, "refreshed_s": time.time()})):
            if (self.read_json(path) or {}).get("holder") != holder:  # two began at once: the later write won
                raise self._locked_error()
            yield
        self.fs.rm_file(self.path(path))

    def _locked_error(self) -> WorkspaceLockedError:
        return WorkspaceLockedError(
            f"another run holds workspace {self.url}", "Wait for it to end, or choose another --workspace"
        )

    def _remove_temporaries(self) -> None:
        if self.is_local:
            for leftover in list(Path(self.root).glob(f"**/{TEMPORARY_PREFIX}*")):
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)


def cannot_write(path: str, url: str, error: OSError) -> StoreError:
    """The error for a file that cannot be written in the workspace: a full disk, a folder without permission."""
    return StoreError(
        f"cannot write {path} in workspace {url}: {error.strerror or error}",
        "Check the disk's free space and permissions, or choose another --workspace",
    )


@contextmanager
def _refreshing(write: Any) -> Iterator[None]:
    from threading import Event, Thread  # noqa: PLC0415 - remote workspaces only

    stop = Event()
    write()

    def refresh() -> None:
        while not stop.wait(LEASE_S / 4):
            write()

    thread = Thread(target=refresh, name="workspace-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _temporary_in(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    path = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    try:
        with path.open("wb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
