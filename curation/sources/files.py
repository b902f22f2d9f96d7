"""What an address resolves to: files, each of which any process can open by its path. Says nothing about reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from curation.errors import AddressError

_SPLIT_WORD: Final = re.compile(r"(?:^|[/_.-])(train|validation|valid|val|dev|test)(?=[/_.-])")
_SPLIT_NAMES: Final = {"valid": "validation", "val": "validation", "dev": "validation"}
_MAX_NAME_BYTES: Final = 255  # what file systems take for one part of a path
_SPLIT_ORDER: Final = {"train": 0, "": 1, "validation": 2, "test": 3}


@dataclass(frozen=True)
class SourceFile:
    """One file. `path` opens in any process; `name` is relative to the address, with `/`.

    `sha256` is the content hash where the store tells it, else empty: `curation.sources.hashes` computes it.
    `version` changes when the file does (a modification time, an ETag); empty where the store tells nothing.
    """

    path: str
    name: str
    size_bytes: int
    sha256: str = ""
    version: str = ""

    @property
    def split(self) -> str:
        """The split that the file's name tells by the Hub's conventions: train, validation, test, or empty."""
        words = _SPLIT_WORD.findall(self.name)
        return normal_split(words[-1]) if words else ""


@dataclass(frozen=True)
class ResolvedAddress:
    """The files behind an address, train files first, then by name. `revision` is the commit on the Hub, else empty."""

    address: str
    revision: str
    files: tuple[SourceFile, ...]

    def of_split(self, split: str) -> ResolvedAddress:
        """Only files of `split`; files whose names tell no split stay. `all` keeps everything.

        A file that the address itself names stays whatever its name tells.

        Raises:
            AddressError: no file is left.
        """
        names_a_file = len(self.files) == 1 and self.address.endswith(self.files[0].name)
        if split == "all" or names_a_file:
            return self
        kept = tuple(file for file in self.files if file.split in {"", normal_split(split)})
        if not kept:
            found = ", ".join(sorted({file.split for file in self.files}))
            raise AddressError(f"{shown(self.address)} has no split {split!r}", f"It has: {found}")
        return replace(self, files=kept)


def in_source_order(files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Train files first, then those that tell no split, validation and test; by name among themselves."""
    return tuple(sorted(files, key=lambda file: (_SPLIT_ORDER[file.split], file.name)))


def normal_split(split: str) -> str:
    """One name for each split: `val`, `valid` and `dev` are `validation`."""
    return _SPLIT_NAMES.get(split, split)


def shown(address: str) -> str:
    """`address` fit for a message: without a password in a URL."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def is_listed(name: str) -> bool:
    """Whether a file of this name is looked at: hidden files and folders are not."""
    return not any(part.startswith(".") for part in name.split("/"))


def is_inside(name: str) -> bool:
    """Whether a file name from a hostile list stays in the folder that it is relative to, and can be a name at all."""
    if re.search(r"[\\\x00-\x1f\ud800-\udfff]", name) or len(name.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
        return False
    return not any(part in {"", ".", ".."} for part in name.split("/"))
