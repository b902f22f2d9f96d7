"""Is this picture file whole? Answered from its container where the format allows, without decoding pixels.

A PNG's chunks carry checksums up to its end mark, so a cut or damaged one shows at the speed of reading it (most
data sets of markup hold PNGs). Every other format is decoded once, since nothing less tells.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from PIL import Image

from rendering.pixels import ImageFault, decode_rgb, header_size

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PNG_CHUNK_OVERHEAD_BYTES: Final = 12  # length, type, CRC-32 (PNG specification, section 5.3)


def check_file(data: bytes | None, max_pixels: int) -> tuple[int, int] | ImageFault:
    """Upright width and height in pixels of a whole picture file, or what is wrong with it.

    Nothing beyond `max_pixels` is decoded.
    """
    size = header_size(data, max_pixels)
    if isinstance(size, ImageFault) or data is None:
        return size
    if data.startswith(PNG_SIGNATURE) and b"eXIf" not in data[:4096]:
        return _png_fault(data) or size
    decoded = decode_rgb(data, max_pixels)
    return decoded.size if isinstance(decoded, Image.Image) else decoded


def _png_fault(data: bytes) -> ImageFault | None:
    """Walk the chunks: each whole with the right CRC-32, pixels among them, IEND at the end."""
    view, offset, has_pixels = memoryview(data), len(PNG_SIGNATURE), False
    while offset + PNG_CHUNK_OVERHEAD_BYTES <= len(view):
        (length,) = struct.unpack_from(">I", view, offset)
        kind, end = bytes(view[offset + 4 : offset + 8]), offset + PNG_CHUNK_OVERHEAD_BYTES + length
        if end > len(view):
            break
        (expected,) = struct.unpack_from(">I", view, end - 4)
        if zlib.crc32(view[offset + 4 : end - 4]) != expected:
            return ImageFault("unreadable", f"PNG chunk {kind!r} at byte {offset} has a wrong checksum")
        if kind == b"IEND":
            return None if has_pixels else ImageFault("unreadable", "PNG without pixels")
        has_pixels = has_pixels or kind == b"IDAT"
        offset = end
    return ImageFault("truncated", f"PNG of {len(data)} bytes ends before its end mark")
