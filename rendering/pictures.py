"""A folder of pictures that stands in for the photographs of pages: chosen by address, cropped, made small.

The pictures come from the user, but not necessarily from the user's own camera: they are decoded as strangers' bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, Self

from PIL import Image, ImageOps

from rendering.errors import BadInputError
from rendering.pixels import ImageFault, decode_rgb

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MAX_FILES: Final = 5_000
MAX_FILE_BYTES: Final = 30_000_000
MAX_RASTER_PX: Final = 640_000
"""Pixels of one re-encoded picture (800 x 800): a page shows few larger ones, and a page of many stays small."""
JPEG_QUALITY: Final = 85


@dataclass(frozen=True)
class PictureFolder:
    """A folder of pictures by content: `sha256` is over the names and bytes of its files; `path` only says where."""

    path: str = field(compare=False)
    sha256: str

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read the folder once, to know what is in it.

        Raises:
            BadInputError: no such folder, no picture in it, more than `MAX_FILES`, or none that can be read.
        """
        folder = Path(path).expanduser().resolve()
        return cls(str(folder), _listing(str(folder))[0])

    def choose(self, url: str) -> Path:
        """The file for an address: always the same one.

        Raises:
            BadInputError: the folder's content is no longer what it was when it was opened.
        """
        sha256, names = _listing(self.path)
        if sha256 != self.sha256:
            raise BadInputError(f"the pictures in {self.path} changed while they were in use", "Run it again")
        digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()
        return Path(self.path, names[int.from_bytes(digest[:8], "big") % len(names)])

    def svg(self, url: str, width_px: int, height_px: int) -> bytes | None:
        """An SVG of exactly that size around the picture for `url`, cover-cropped; None where it does not decode."""
        shrink = min(1.0, (MAX_RASTER_PX / (width_px * height_px)) ** 0.5)
        raster_px = max(1, round(width_px * shrink)), max(1, round(height_px * shrink))
        jpeg = _jpeg(str(self.choose(url)), self.sha256, *raster_px)
        if jpeg is None:
            return None
        # `slice` also crops rather than squeezes where the page shows it in a box of another shape.
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{height_px}" '
            f'viewBox="0 0 {width_px} {height_px}" preserveAspectRatio="xMidYMid slice">'
            f'<image width="{width_px}" height="{height_px}" preserveAspectRatio="none" '
            f'href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"/></svg>'
        ).encode()


PictureSource = Literal["palette", "grey"] | PictureFolder
"""What a page's pictures are replaced with."""


def pictures_of(setting: str) -> PictureSource:
    """The source that a recipe or a command line names: `palette`, `grey`, or a folder. Raises BadInputError."""
    named: dict[str, PictureSource] = {"palette": "palette", "grey": "grey"}
    if setting in named:
        return named[setting]
    return PictureFolder.open(setting)


@lru_cache(maxsize=8)
def _listing(folder: str) -> tuple[str, tuple[str, ...]]:
    """Hash over the folder's pictures, and their names in order; read once a process."""
    try:
        paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise BadInputError(f"the picture folder {folder} cannot be read ({error.strerror})", "Correct it") from error
    paths = [path for path in paths if path.stat().st_size <= MAX_FILE_BYTES]
    if not paths:
        raise BadInputError(
            f"there is no picture in {folder}",
            f"`pictures` is palette, grey, or a folder with files named {', '.join(sorted(SUFFIXES))}",
        )
    if len(paths) > MAX_FILES:
        raise BadInputError(f"{folder} has {len(paths)} pictures, at most {MAX_FILES} are taken", "Take a part of it")
    total = hashlib.sha256()
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    for name, path in zip(names, paths, strict=True):
        with path.open("rb") as file:
            total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest(), names


@lru_cache(maxsize=256)
def _jpeg(path: str, sha256: str, width_px: int, height_px: int) -> bytes | None:  # noqa: ARG001 - part of the cache's key
    picture = decode_rgb(Path(path).read_bytes())
    if isinstance(picture, ImageFault):
        return None
    out = io.BytesIO()
    ImageOps.fit(picture, (width_px, height_px), Image.Resampling.BILINEAR).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
