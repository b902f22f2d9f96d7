"""Picture bytes to RGB pixels and back: the one place where pictures are decoded.

Pictures come from strangers: nothing here raises for what the bytes say; what cannot be used is an `ImageFault`.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageChops, ImageOps

MAX_PIXELS: Final = 40_000_000
"""A page of 1280 x 8000 px at scale 2 has 41 % of it; an A4 scan at 600 dpi 87 %. Decoded: 160 MB."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What data sets hold. A closed list keeps out decoders that start programs (EPS) or that nobody hardens."""

_WHITE: Final = (255, 255, 255)


# What Pillow finds odd in strangers' bytes (tags, EXIF, sizes) is answered here, and not for the user's terminal.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class ImageFault:
    """Why picture bytes gave no pixels. `detail` is one line."""

    kind: Literal["missing", "unreadable", "truncated", "too_large"]
    detail: str = ""


DecodedImage = Image.Image | ImageFault
"""Pixels in mode RGB, or why there are none."""


def decode_rgb(data: bytes | None, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode the first frame of `data` into RGB, upright, on white.

    EXIF orientation is applied, transparency (alpha, palette, colour key) composited on white, CMYK converted,
    16-bit scaled to 8. Over `max_pixels` is refused from the header, before anything is decoded.
    """
    opened = _open(data, max_pixels)
    if isinstance(opened, ImageFault):
        return opened
    try:
        with opened:
            opened.load()
            return _on_white(_upright(opened))
    except MemoryError:
        return ImageFault("too_large", f"{opened.width} x {opened.height} px did not fit in memory")
    except Exception as error:  # noqa: BLE001 - decoders of hostile bytes raise anything; each is a verdict on the bytes
        return _fault(error)


def header_size(data: bytes | None, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | ImageFault:
    """Width and height in pixels as the header has them (before EXIF orientation); decodes nothing."""
    opened = _open(data, max_pixels)
    if isinstance(opened, ImageFault):
        return opened
    with opened:
        return opened.size


def crop_to_ink(image: Image.Image, padding_px: int) -> Image.Image | None:
    """The part of `image` that is not background, with `padding_px` of background around it; None when blank.

    The background is the most common colour, so that paper which is not quite white counts as blank, and ink is
    what differs from it by more than the paper's own noise.
    """
    rgb = image if image.mode == "RGB" else _on_white(image)
    background = _background(rgb)
    box = _ink_mask(rgb, background).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    canvas = Image.new("RGB", (right - left + 2 * padding_px, bottom - top + 2 * padding_px), background)
    # What the picture really has around the ink is kept; only what lies beyond its edge is made up.
    x_px, y_px = max(0, left - padding_px), max(0, top - padding_px)
    around = rgb.crop((x_px, y_px, min(rgb.width, right + padding_px), min(rgb.height, bottom + padding_px)))
    canvas.paste(around, (x_px - left + padding_px, y_px - top + padding_px))
    return canvas


def encode_png(image: Image.Image) -> bytes:
    """Lossless PNG of `image`, the same bytes for the same pixels: grey or palette where that loses nothing."""
    out = io.BytesIO()
    _fewest_channels(image if image.mode in {"RGB", "L"} else _on_white(image)).save(out, "PNG", compress_level=4)
    return out.getvalue()


def _open(data: bytes | None, max_pixels: int) -> Image.Image | ImageFault:
    if not data:
        return ImageFault("missing", "no picture bytes")
    try:
        opened = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return ImageFault("too_large", f"more than {max_pixels} px by its header")
    except Exception as error:  # noqa: BLE001 - parsers of hostile headers raise anything; each is a verdict on the bytes
        return _fault(error)
    if opened.width * opened.height > max_pixels:
        opened.close()
        return ImageFault("too_large", f"{opened.width} x {opened.height} px, at most {max_pixels} are read")
    return opened


def _fault(error: Exception) -> ImageFault:
    """Pillow tells truncation apart only by its message."""
    text = " ".join(str(error).split())[:200]
    cut = isinstance(error, EOFError) or "truncated" in text.lower() or "not enough image data" in text
    return ImageFault(
        "truncated" if cut else "unreadable", text if "BytesIO" not in text else "not a known picture format"
    )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the pixels, which are there
        return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _from_deep(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (*_WHITE, 255)), rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 8 bits: Pillow's own conversion clips, which turns most of it white."""
    levels = np.asarray(image).astype(np.float64)
    levels = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(levels.max(initial=0.0))
    if image.mode == "F":
        full = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else 65_535.0
    else:
        full = 65_535.0 if top <= 65_535.0 else 2.0**31 - 1
    grey = np.clip(np.rint(levels * (255.0 / full)), 0, 255).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey[levels == key] = 255
    return Image.fromarray(grey, "L").convert("RGB")


def _background(rgb: Image.Image) -> tuple[int, int, int]:
    """The most common level of each channel, over a window of five levels."""
    counts = np.asarray(rgb.histogram()).reshape(3, 256)
    smooth = [np.convolve(channel, np.ones(5), mode="same") for channel in counts]
    # Within the window the single most common level, so that clean white is 255 and not 253.
    peaks = [int(np.argmax(channel)) for channel in smooth]
    red, green, blue = (
        max(0, peak - 2) + int(np.argmax(channel[max(0, peak - 2) : peak + 3]))
        for peak, channel in zip(peaks, counts, strict=True)
    )
    return red, green, blue


def _ink_mask(rgb: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    difference = ImageChops.difference(rgb, Image.new("RGB", rgb.size, background))
    red, green, blue = difference.split()
    distance = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    # The paper's noise: half of the pixels near the background differ by at most 0.674 standard deviations.
    near = np.cumsum(distance.histogram()[:64])
    deviation = float(np.searchsorted(near, near[-1] / 2)) / 0.674
    threshold = min(96, max(12, round(6 * deviation)))
    return distance.point([0] * (threshold + 1) + [255] * (255 - threshold))


def _fewest_channels(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    red, green, blue = image.split()
    if ImageChops.difference(red, green).getbbox() is None and ImageChops.difference(green, blue).getbbox() is None:
        return red
    colors = image.getcolors(256)
    if colors is None:
        return image
    palette = sorted(color for _, color in colors if isinstance(color, tuple))
    # A table over all 24-bit colours maps pixels to palette places in one pass, exactly.
    place = np.zeros(1 << 24, dtype=np.uint8)
    for index, (r, g, b) in enumerate(palette):
        place[r | g << 8 | b << 16] = index
    packed = np.frombuffer(image.convert("RGBX").tobytes(), dtype="<u4") & 0xFFFFFF
    indexed = Image.frombytes("P", image.size, place[packed].tobytes())
    indexed.putpalette([level for color in palette for level in color])
    return indexed
