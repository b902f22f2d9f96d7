"""The last good release stays: a new one whose run then failed is put aside, and the old one put back.

    releases/<name>           the last good one, whatever becomes of a run
    releases/.before-<name>   while a run works: a copy of it (hard links where the workspace is local)
    releases/.failed-<name>   what a failed run wrote, for people to look at

A run that is killed leaves its copy behind; the next one puts it back first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.store import Workspace


@contextmanager
def last_good_kept(workspace: Workspace, name: str) -> Iterator[None]:
    """Around what writes release `name` and may fail afterwards. Call with the lock of the workspace held."""
    place, before, failed = (f"releases/{prefix}{name}" for prefix in ("", ".before-", ".failed-"))
    if _key(workspace, before):
        _put_back(workspace, place, before, failed)
    if _key(workspace, place):
        _copy(workspace, place, before)
    try:
        yield
    except BaseException:
        _put_back(workspace, place, before, failed)
        raise
    _remove(workspace, before)


def _put_back(workspace: Workspace, place: str, before: str, failed: str) -> None:
    """Where there is another release than before, or one where there was none, it is put aside."""
    key_before, key_now = _key(workspace, before), _key(workspace, place)
    if key_now and key_now != key_before:
        _remove(workspace, failed)
        _move(workspace, place, failed)
    if key_before and key_now != key_before:
        _move(workspace, before, place)
    _remove(workspace, before)


def _key(workspace: Workspace, path: str) -> str | None:
    """The key of a whole release; None where there is none."""
    manifest = workspace.read_json(f"{path}/manifest.json")
    return str(manifest["key"]) if manifest and "key" in manifest else None


def _copy(workspace: Workspace, path: str, to: str) -> None:
    _remove(workspace, to)
    if not workspace.is_local:
        workspace.fs.copy(workspace.path(path), workspace.path(to), recursive=True)
        return
    # Hard links are enough, since nothing in a release is written in place. The manifest comes last: it tells that
    # the copy is whole.
    names = shutil.ignore_patterns("manifest.json")
    shutil.copytree(workspace.path(path), workspace.path(to), copy_function=os.link, ignore=names)
    Path(workspace.path(to, "manifest.json")).hardlink_to(workspace.path(path, "manifest.json"))


def _move(workspace: Workspace, path: str, to: str) -> None:
    if workspace.is_local:
        Path(workspace.path(path)).rename(workspace.path(to))
    else:
        workspace.fs.mv(workspace.path(path), workspace.path(to), recursive=True)


def _remove(workspace: Workspace, path: str) -> None:
    if workspace.fs.exists(workspace.path(path)):
        workspace.fs.rm(workspace.path(path), recursive=True)
