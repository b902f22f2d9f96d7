"""The folder of a release: filled beside its place and moved there whole; its files, and whether they are intact.

What stands in it is for `curation.release` and `curation.merge`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from curation.store import TEMPORARY_PREFIX, Workspace, cannot_write


@contextmanager
def new_folder(workspace: Workspace, path: str) -> Iterator[Path]:
    """A local folder to fill that then takes the place of `path`, whole."""
    if not workspace.is_local:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "release"
            folder.mkdir()
            yield folder
            if workspace.fs.exists(workspace.path(path)):
                workspace.fs.rm(workspace.path(path), recursive=True)
            workspace.fs.put(str(folder), workspace.path(path), recursive=True)
        return
    final = Path(workspace.path(path))
    staging, old = (final.with_name(f"{TEMPORARY_PREFIX}{word}-{final.name}") for word in ("new", "old"))
    for leftover in (staging, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        yield staging
        if final.exists():
            final.rename(old)
        staging.rename(final)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_write(path, workspace.url, error) from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def verifies(workspace: Workspace, path: str, manifest: Mapping[str, Any]) -> bool:
    """Whether every file that the manifest of the folder at `path` names is there with its SHA-256."""
    return all(workspace.file_sha256(f"{path}/{name}") == entry["sha256"] for name, entry in manifest["files"].items())


def file_entries(folder: Path, known: Mapping[str, dict[str, Any]] = MappingProxyType({})) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of each file in a folder, by its path there; those that are `known` are not read again."""
    entries = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = file.relative_to(folder).as_posix()
        if name in known:
            entries[name] = dict(known[name])
            continue
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        entries[name] = {"sha256": digest, "n_bytes": file.stat().st_size}
    return entries


def pretty(value: Mapping[str, Any]) -> str:
    """Indented JSON with sorted keys."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with the same line ends everywhere."""
    path.write_text(text, encoding="utf-8", newline="\n")
