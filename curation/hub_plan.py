"""What a push would do: which files it sends and deletes, and whose files these are. Asks nobody.

A file of the repository is *ours* where the `manifest.json` beside it names it with the bytes that it has: an earlier
push wrote it, and nobody changed it since. Ours may be replaced, and are deleted where the new release has them no
more. Anybody else's file stays (`.gitattributes`, a licence, notes) unless it is in the way:

- it is where the release has a file of its own: a card that was edited on the Hub, say;
- it is a Parquet file under `data/`, and would be read as part of the release.

Then the push stops and names it, unless it is told to overwrite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from curation.errors import BadInputError
from curation.hub_files import MANIFEST, LocalFile, RemoteFile

NEVER_DELETED: Final = frozenset({".gitattributes", ".gitignore"})
FILES_NAMED: Final = 10
"""How many files an error names."""


class InTheWayError(BadInputError):
    """Files that others wrote are where a push wants to write."""


@dataclass(frozen=True)
class PushPlan:
    """Files to send, paths to delete, and how many files the repository has already."""

    send: tuple[LocalFile, ...]
    delete: tuple[str, ...]
    n_unchanged: int

    @property
    def is_empty(self) -> bool:
        """Whether the repository has the release as it is."""
        return not self.send and not self.delete

    @property
    def n_bytes(self) -> int:
        """Size of the files to send. Fewer go over the wire where the Hub has some from an earlier, broken push."""
        return sum(file.n_bytes for file in self.send)


def plan_push(
    local: Sequence[LocalFile],
    remote: Mapping[str, RemoteFile],
    manifest: Mapping[str, Any] | None,
    sha256_at: Callable[[str], str],
    *,
    overwrite: bool = False,
) -> PushPlan:
    """What makes `remote` hold `local`.

    `manifest` is the repository's own, and `sha256_at` the SHA-256 of one of its files that is in no large storage.

    Raises:
        InTheWayError: it would replace or delete what others wrote, and may not `overwrite` it.
    """
    send = tuple(file for file in local if not file.is_at(remote))
    ours = dict(manifest["files"]) if manifest else {}
    names = {file.path for file in local}
    gone = {path for path in remote if path not in names and (path in ours or _would_be_read(path))} - NEVER_DELETED
    if not overwrite:
        touched = sorted(gone | {file.path for file in send if file.path in remote})
        others = [path for path in touched if not _is_ours(path, remote[path], ours, sha256_at)]
        if others:
            raise InTheWayError(
                f"files that no earlier push wrote, or that were changed since, are in the way: {named(others)}",
                "Move them away on the Hub, or push with --overwrite to replace or delete them",
            )
    return PushPlan(send, tuple(sorted(gone)), len(local) - len(send))


def changed_by_others(
    local: Sequence[LocalFile], before: Mapping[str, RemoteFile], after: Mapping[str, RemoteFile]
) -> list[str]:
    """Files of the release that differ between two commits and are not what the release has; by path.

    What becomes of files that it has no more is for a new plan to say.
    """
    return sorted(
        file.path for file in local if before.get(file.path) != after.get(file.path) and not file.is_at(after)
    )


def named(paths: Sequence[str]) -> str:
    """Paths for a message, the first few."""
    more = f" and {len(paths) - FILES_NAMED:,} more" if len(paths) > FILES_NAMED else ""
    return ", ".join(paths[:FILES_NAMED]) + more


def _would_be_read(path: str) -> bool:
    """Whether the card's patterns (`data/<split>-*`, `data/<task>/<split>-*`) could take it for data."""
    return fnmatchcase(path, "data/*.parquet")


def _is_ours(path: str, there: RemoteFile, ours: Mapping[str, Any], sha256_at: Callable[[str], str]) -> bool:
    if path == MANIFEST:
        return bool(ours)
    if path not in ours:
        return False
    return bool((there.sha256 or sha256_at(path)) == ours[path]["sha256"])
