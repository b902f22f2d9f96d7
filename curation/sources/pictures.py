"""Pictures that lie in a folder apart from the file that names them: found, told apart, read by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from curation.errors import AddressError
from curation.sample import sha256_hex
from curation.sources.address import pinned, read_beside, resolve
from curation.sources.files import is_inside, shown

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class PictureFolder:
    """A folder of pictures: an absolute path, or a URL that any process can read (the Hub's with its commit)."""

    root: str

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Size in bytes of every picture, by its name relative to the folder (with `/`), sorted.

        Raises:
            AddressError: the folder cannot be read, or holds no picture.
        """
        found = resolve(self.root, SUFFIXES).files
        return {file.name: file.size_bytes for file in sorted(found, key=lambda file: file.name)}

    def sha256_of(self, names: Iterable[str]) -> str:
        """Tells whether the pictures of these names are the same ones as before: by which there are, and their sizes.

        Of a remote folder, all pictures are looked at: one listing costs less than a request for each name.
        """
        if "://" in self.root:
            known: Mapping[str, int | None] = self.sizes
        else:
            known = {name: self._local_size(name) for name in names}
        return sha256_hex("".join(f"{name}\x1f{size}\x1e" for name, size in sorted(known.items())))

    def read(self, name: str) -> bytes | None:
        """The bytes of a picture; None where there is none of this name that may be read."""
        return read_beside(f"{self.root}/-", name, MAX_IMAGE_BYTES) if is_inside(name) else None

    def _local_size(self, name: str) -> int | None:
        file = Path(self.root, name)
        return file.stat().st_size if is_inside(name) and file.is_file() else None


def picture_folder(images: str, beside: str) -> PictureFolder:
    """The folder `images`, or where that is empty the one in which the file `beside` lies.

    Raises:
        AddressError: there is no such folder.
    """
    if not images:
        return PictureFolder(beside.rpartition("/")[0])
    if "://" in images:
        return PictureFolder(pinned(images).rstrip("/"))
    if Path(images).expanduser().is_dir():
        return PictureFolder(str(Path(images).expanduser().absolute()))
    on_hub = pinned(images)
    if on_hub == images:
        raise AddressError(f"There is no folder of pictures {shown(images)!r}", "Set images to the folder they are in")
    return PictureFolder(f"hf://datasets/{on_hub}")
