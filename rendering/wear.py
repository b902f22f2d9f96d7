"""What paper, copier and camera do to a picture: turned a little, tinted, shaded, blurred, noisy, compressed.

Through albumentations, which is in the full set of dependencies and not in the base set. Everything is drawn before
(`rendering.variation`); the noise itself follows from `Wear.seed`.
"""

from __future__ import annotations

import importlib
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Final

import numpy as np
from PIL import Image, ImageChops

from rendering.errors import RenderingError
from rendering.pixels import encode_png
from rendering.result import Box

WEAR_LIBRARIES: Final = ("albumentations", "opencv-python-headless", "numpy", "pillow")

CONTRAST_PIVOT: Final = 0.85
"""The level (of 1) that contrast leaves as it is: lighter grows lighter, darker darker."""

INTER_CUBIC: Final = 2
"""OpenCV's number for it."""

Range = tuple[float, float]


@dataclass(frozen=True)
class WearRanges:
    """Lowest and highest of what `Wear` holds, in its units. `papers` are colours that white turns into."""

    rotation_deg: Range = (0.0, 0.0)
    is_grey: bool = False
    papers: tuple[str, ...] = ("#ffffff",)
    brightness: Range = (0.0, 0.0)
    contrast: Range = (0.0, 0.0)
    shading: Range = (0.0, 0.0)
    blur_sigma_px: Range = (0.0, 0.0)
    noise: Range = (0.0, 0.0)
    specks: Range = (0.0, 0.0)
    jpeg_quality: Range | None = None


@dataclass(frozen=True)
class Wear:
    """What one picture goes through.

    `brightness` and `contrast` are shares of the full scale; `shading` is how much of the light is missing at the
    darkest edge; `noise` is the deviation of Gaussian noise and `specks` the share of pixels turned black or white.
    With `jpeg_quality` the picture is stored as JPEG, else as PNG.
    """

    rotation_deg: float = 0.0
    is_grey: bool = False
    paper: str = "#ffffff"
    brightness: float = 0.0
    contrast: float = 0.0
    shading: float = 0.0
    blur_sigma_px: float = 0.0
    noise: float = 0.0
    specks: float = 0.0
    jpeg_quality: int | None = None
    seed: int = 0


def wear_out(image: Image.Image, wear: Wear, background: str = "#ffffff") -> Image.Image:
    """`image` (RGB) after `wear`: larger where it was turned, so that nothing is cut off.

    Raises:
        RenderingError: albumentations is not installed.
    """
    albumentations = _albumentations()
    roomy = Image.new("RGB", _turned_size(image.size, wear.rotation_deg), background)
    roomy.paste(image, ((roomy.width - image.width) // 2, (roomy.height - image.height) // 2))
    on_paper = _on_paper(roomy.convert("L").convert("RGB") if wear.is_grey else roomy, wear.paper)
    fill = on_paper.getpixel((0, 0)) if wear.rotation_deg else 0  # a corner is background
    return Image.fromarray(_steps(albumentations, wear, fill)(image=np.asarray(on_paper))["image"])


def turned(boxes: Sequence[Box], size_px: tuple[int, int], rotation_deg: float) -> tuple[Box, ...]:
    """Boxes of a picture of `size_px` (width, height) after its rotation: the upright hull of each."""
    if not rotation_deg:
        return tuple(boxes)
    width_px, height_px = size_px
    new_width_px, new_height_px = _turned_size(size_px, rotation_deg)
    cos, sin = math.cos(math.radians(rotation_deg)), math.sin(math.radians(rotation_deg))
    out = []
    for box in boxes:
        x_px, y_px = box.x_px + box.width_px / 2 - width_px / 2, box.y_px + box.height_px / 2 - height_px / 2
        half_x = (abs(cos) * box.width_px + abs(sin) * box.height_px) / 2
        half_y = (abs(sin) * box.width_px + abs(cos) * box.height_px) / 2
        # Against the clock in a picture whose y axis points down.
        center_x, center_y = x_px * cos + y_px * sin + new_width_px / 2, y_px * cos - x_px * sin + new_height_px / 2
        left, top, right, bottom = center_x - half_x, center_y - half_y, center_x + half_x, center_y + half_y
        place = [round(at, 3) for at in (left, top, right - left, bottom - top)]
        out.append(replace(box, x_px=place[0], y_px=place[1], width_px=place[2], height_px=place[3]))
    return tuple(out)


def encode(image: Image.Image, jpeg_quality: int | None) -> bytes:
    """A JPEG file of this quality (grey where the picture is), else a lossless PNG."""
    if jpeg_quality is None:
        return encode_png(image)
    out = io.BytesIO()
    (image.convert("L") if _is_grey(image) else image).save(out, "JPEG", quality=jpeg_quality)
    return out.getvalue()


def library_versions(names: Sequence[str]) -> list[str]:
    """Name and version of each installed library, without importing it."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} none")
    return found


def _albumentations() -> ModuleType:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else its import asks the network for newer versions
    try:
        return importlib.import_module("albumentations")  # takes seconds: only who needs it pays for it
    except ImportError as error:
        raise RenderingError(
            "This profile wears pictures out with albumentations, which is not installed", "Run `make setup`"
        ) from error


def _turned_size(size_px: tuple[int, int], rotation_deg: float) -> tuple[int, int]:
    """The upright box around a turned picture, with the same parity as the picture, so that centres stay centres."""
    if not rotation_deg:
        return size_px
    cos, sin = abs(math.cos(math.radians(rotation_deg))), abs(math.sin(math.radians(rotation_deg)))
    width_px, height_px = size_px
    return (
        width_px + 2 * math.ceil((width_px * cos + height_px * sin - width_px) / 2 + 1),
        height_px + 2 * math.ceil((width_px * sin + height_px * cos - height_px) / 2 + 1),
    )


def _on_paper(image: Image.Image, paper: str) -> Image.Image:
    """White becomes the paper's colour, black stays: each channel is multiplied, as ink on paper is."""
    if paper == "#ffffff":
        return image
    return ImageChops.multiply(image, Image.new("RGB", image.size, paper))


def _steps(a: Any, wear: Wear, fill: Any) -> Any:
    """The picture's way through albumentations, every strength fixed."""
    steps = []
    if wear.rotation_deg:
        steps.append(a.Affine(rotate=(wear.rotation_deg,) * 2, fill=fill, interpolation=INTER_CUBIC, p=1))
    if wear.blur_sigma_px:
        steps.append(a.GaussianBlur(blur_limit=0, sigma_limit=(wear.blur_sigma_px,) * 2, p=1))
    if wear.contrast or wear.brightness:
        # The library multiplies from black, which bleaches grey strokes; round near-white, they grow darker.
        brightness = wear.brightness - wear.contrast * CONTRAST_PIVOT
        steps.append(a.RandomBrightnessContrast((brightness,) * 2, (wear.contrast,) * 2, p=1))
    if wear.shading:
        steps.append(a.Illumination("linear", intensity_range=(wear.shading,) * 2, effect_type="darken", p=1))
    if wear.noise:
        steps.append(a.GaussNoise(std_range=(wear.noise,) * 2, per_channel=not wear.is_grey, p=1))
    if wear.specks:
        steps.append(a.SaltAndPepper(amount=(wear.specks,) * 2, salt_vs_pepper=(0.4, 0.4), p=1))
    return a.Compose(steps, seed=wear.seed)


def _is_grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return ImageChops.difference(red, green).getbbox() is None and ImageChops.difference(green, blue).getbbox() is None
