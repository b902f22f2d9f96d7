"""One value of a row, whatever file it came from: read as text, as a name, or as a picture.

A picture is bytes, bytes and a path (`datasets.Image`), base64, a data URL, or the path of a file. A path is relative
to the folder of the file that names it, and what it names lies inside the source's root or is not read.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curation.reasons import Reason, Reject
from curation.sources.address import read_beside
from curation.sources.files import is_inside
from curation.sources.rows import decode_text

MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024
_MAX_PATH_CHARS: Final = 4_096  # PATH_MAX of Linux: what is longer is no path, and is not looked through
_MIN_BASE64_CHARS: Final = 64  # the smallest PNG there is takes 88
_BASE64: Final = re.compile(rf"[A-Za-z0-9+/_\s-]{{{_MIN_BASE64_CHARS},}}={{0,2}}\s*")
"""No dot: what has none and is this long is no file name with an ending."""

_DATA_URL: Final = re.compile(r"data:[\w.+-]*/?[\w.+-]*(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HUB_ROOT: Final = re.compile(r"hf://datasets/[^/]+/[^/]+")


@dataclass(frozen=True)
class Place:
    """Where a row was read: the file's path, and the folder that no picture may lie outside of."""

    path: str
    root: str

    @staticmethod
    def of(address: str, path: str) -> Place:
        """The place of a file of a source: its root is the folder that the address names, or the file's own."""
        if "://" not in path:
            root = Path(address.removeprefix("file://")).expanduser().absolute()
            return Place(path, str(root if root.is_dir() else Path(path).parent))
        hub = _HUB_ROOT.match(path)
        if hub:
            return Place(path, hub[0])
        base = address.rstrip("/")
        return Place(path, base if path.startswith(base + "/") else path.rpartition("/")[0])

    def inside(self, reference: str) -> str | None:
        """The file that a row names, relative to the root; None where it leaves the root."""
        if reference.startswith("/") or _URL.match(reference):
            return None
        folder = posixpath.dirname(self.path.removeprefix(self.root).lstrip("/"))
        name = posixpath.normpath(posixpath.join(folder, reference))
        return name if is_inside(name) else None


def text_of(value: object) -> str | Reject:
    """A value as text, or why it is none. A list is read where it has one element."""
    match value:
        case None:
            return Reject(Reason.TEXT_MISSING)
        case Reject():
            return value
        case bytes():
            return decode_text(value)
        case str():
            return decode_text(value.encode("utf-8", "surrogatepass"))  # JSON may spell half a surrogate pair
        case [one]:
            return text_of(one)
        case []:
            return Reject(Reason.TEXT_MISSING)
        case [*several]:
            return Reject(Reason.ANNOTATION_BROKEN, f"{len(several)} texts where one is expected")
        case _:
            return Reject(Reason.ANNOTATION_BROKEN, f"a {type(value).__name__} where a text is expected")


def name_of(value: object) -> str | None:
    """A value as the short name of something (a key, a licence): a text or a number; None where it is neither."""
    text = text_of(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    return text if isinstance(text, str) and text else None


def referenced_name(value: object, place: Place) -> str | None:
    """The file, relative to the place's root, that a value names and that may be read; None where it names none."""
    reference = _reference(value)
    return place.inside(reference) if reference else None


def picture_fault(value: object, place: Place) -> Reject | None:
    """Why a picture that is only named cannot be read, as far as its name tells. Reads nothing."""
    if isinstance(value, Reject):
        return value if value.reason is not Reason.TEXT_MISSING else None
    reference = _reference(value)
    if reference is None or place.inside(reference) is not None:
        return None
    if reference.lower().startswith(("http://", "https://")):
        return Reject(Reason.IMAGE_MISSING, "a web address: fetch the pictures first")
    return Reject(Reason.IMAGE_PATH_UNSAFE, f"{_printable(reference)} leaves the source's folder")


def picture_bytes(value: object, place: Place) -> bytes | None:
    """Encoded bytes of a picture; None where there are none. What claims to be base64 and is not is given as it is."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        embedded = value.get("bytes")
        value = value.get("path") if embedded is None else embedded
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value:
        return None
    reference = _reference(value)
    if reference is None:
        return _decoded(value)
    name = place.inside(reference)
    return read_beside(f"{place.root}/_", name, MAX_IMAGE_BYTES) if name else None


def _reference(value: object) -> str | None:
    """The path that a value names; None where it holds the picture itself, or nothing."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bytes):  # of a CSV field; pictures in bytes come from readers that give no value of them
        value = value.decode("utf-8", "replace")
    if isinstance(value, dict):
        value = value.get("path") if value.get("bytes") is None else None
    if (
        not isinstance(value, str)
        or not value
        or len(value) > _MAX_PATH_CHARS
        or _DATA_URL.match(value)
        or _BASE64.fullmatch(value)
    ):
        return None
    return value


def _decoded(text: str) -> bytes:
    payload = "".join(text[found.end() :] if (found := _DATA_URL.match(text)) else text).split()
    joined = "".join(payload).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(joined + "=" * (-len(joined) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "replace")  # which no picture decoder takes: an unreadable image, not a missing one


def _printable(text: str) -> str:
    return text[:200].encode("utf-8", "replace").decode()
