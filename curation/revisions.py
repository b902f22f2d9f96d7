"""What the addresses of a recipe hold now, in a form that can be written down and compared: is there anything new?

Of the Hub that is the commit; of folders, files and URLs a hash over the names, sizes and versions (times, ETags) of
all files. Nothing is read. Not for what rows are made from: shards are keyed by the content of files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curation.errors import AddressError
from curation.keys import content_key
from curation.sources.address import pinned, resolve
from curation.sources.files import shown
from curation.sources.source import Source

ADDRESS_FIELDS: Final = ("address", "images", "images_map")
"""Fields of sources that hold addresses."""

COMMIT_DIGITS: Final = 40
SHORT: Final = 7
"""Digits of a revision that people are shown, as Git does."""

_COMMIT_IN_ADDRESS: Final = re.compile(r"@([0-9a-f]{40})(?=[:/]|$)")


@dataclass(frozen=True)
class Revision:
    """What an address held: `revision` is a commit (40 hex digits), a hash over files (64), or "" where none tells.

    `address` is as it was written, without what is secret in it.
    """

    address: str
    revision: str

    @property
    def is_commit(self) -> bool:
        """Whether it is a commit of the Hub."""
        return len(self.revision) == COMMIT_DIGITS

    @property
    def short(self) -> str:
        """The revision as people are shown it."""
        return self.revision[:SHORT]


def revision_of(address: str) -> Revision:
    """What `address` holds now; a branch of the Hub is resolved to its commit.

    Raises:
        AddressError: it does not exist, may not be read, or cannot be reached.
    """
    if not Path(address).expanduser().exists() and (commit := _COMMIT_IN_ADDRESS.search(pinned(address))):
        return Revision(shown(address), commit[1])
    found = resolve(address, ("",))  # files of any kind
    if not all(file.version for file in found.files):
        return Revision(shown(address), "")
    return Revision(
        shown(address), content_key(files=[(file.name, file.size_bytes, file.version) for file in found.files])
    )


def revisions_of(source: Source) -> tuple[Revision, ...]:
    """Of each address that a source reads from; none where its rows are generated.

    Raises `AddressError` as `revision_of` does for the source's own address.
    """
    addresses = [str(value) for name in ADDRESS_FIELDS if (value := getattr(source, name, ""))]
    return tuple(_beside(address) if n else revision_of(address) for n, address in enumerate(addresses))


def told(revisions: Sequence[Revision]) -> str:
    """Revisions for people: `8b9f968`, of several sources `8b9f968 + 1c2d3e4`; "" where none is known."""
    return " + ".join(dict.fromkeys(one.short for one in revisions if one.revision))


def _beside(address: str) -> Revision:
    """Of what a source reads beside its rows: each source resolves that in its own way, and says what is wrong."""
    try:
        return revision_of(address)
    except AddressError:
        return Revision(shown(address), "")
