"""Hostile and odd picture bytes give upright RGB on white, or say what is wrong: nothing raises."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rendering.pixels import ImageFault, crop_to_ink, decode_rgb, encode_png, header_size

# As `rendering.pixels` has it for the whole process; pytest starts every test with filters of its own.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def pixels(data: bytes) -> Image.Image:
    image = decode_rgb(data)
    assert isinstance(image, Image.Image), image
    assert image.mode == "RGB"
    return image


def fault(data: bytes | None, **settings: int) -> str:
    found = decode_rgb(data, **settings)
    assert isinstance(found, ImageFault)
    return found.kind


def noise(width_px: int, height_px: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return Image.fromarray(values, "RGB")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_formats_of_data_sets_are_decoded(kind: str) -> None:
    image = Image.new("RGB", (5, 3), RED)
    settings = {"lossless": True} if kind == "WEBP" else {}
    assert pixels(saved(image, kind, **settings)).tobytes() == image.tobytes()


def test_transparency_is_composited_on_white() -> None:
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    rgba.putpixel((1, 0), (255, 0, 0, 128))
    assert [pixels(saved(rgba)).getpixel((x, 0)) for x in (0, 1)] == [WHITE, (255, 127, 127)]
    grey = Image.new("LA", (1, 1), (0, 0))
    assert pixels(saved(grey)).getpixel((0, 0)) == WHITE


def test_palette_with_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((1, 0), 1)
    data = saved(image, transparency=0)
    assert [pixels(data).getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]


def test_color_key_is_composited_on_white() -> None:
    image = Image.new("RGB", (2, 1), (0, 0, 0))
    image.putpixel((1, 0), RED)
    data = saved(image, transparency=(0, 0, 0))
    assert [pixels(data).getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]


def test_cmyk_is_converted() -> None:
    red = pixels(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)).getpixel((4, 4))
    assert isinstance(red, tuple)
    assert red[0] > 240
    assert max(red[1:]) < 15


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped(kind: str) -> None:
    levels = np.array([[0, 257 * 128, 65535]], dtype=np.uint16)
    assert [pixels(saved(Image.fromarray(levels), kind)).getpixel((x, 0)) for x in range(3)] == [
        (0, 0, 0),
        (128, 128, 128),
        WHITE,
    ]


def test_float_grey_is_scaled() -> None:
    levels = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    image = pixels(saved(Image.fromarray(levels), "TIFF"))
    assert [image.getpixel((x, 0)) for x in range(4)] == [(0, 0, 0), (128, 128, 128), WHITE, (0, 0, 0)]


def test_exif_orientation_is_applied() -> None:
    image = Image.new("RGB", (4, 2), WHITE)
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    turned = pixels(saved(image, exif=exif))
    assert turned.size == (2, 4)
    assert turned.getpixel((1, 0)) == RED


def test_broken_exif_does_not_cost_the_picture() -> None:
    data = saved(Image.new("RGB", (4, 2), RED), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\xff" * 40)
    assert pixels(data).size == (4, 2)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (3, 3), color) for color in (RED, WHITE, (0, 0, 255))]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(
            frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
        )
        assert pixels(data).getpixel((1, 1)) == RED


def test_missing_and_unreadable_bytes_are_told_apart() -> None:
    assert fault(None) == "missing"
    assert fault(b"") == "missing"
    assert fault(b"<html>404</html>") == "unreadable"
    assert fault(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "unreadable"
    assert fault(b"\x89PNG\r\n\x1a\n" + b"\x00" * 40) == "unreadable"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_truncation_is_detected(kind: str) -> None:
    data = saved(noise(64, 64), kind)
    cut = decode_rgb(data[: len(data) // 2])
    assert isinstance(cut, ImageFault), kind
    if kind in {"PNG", "JPEG", "BMP", "GIF"}:
        assert cut.kind == "truncated"


def test_no_cut_or_flipped_byte_raises() -> None:
    random = np.random.default_rng(1)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = saved(noise(24, 24), kind)
        for _ in range(60):
            broken = bytearray(whole[: random.integers(1, len(whole))])
            broken[random.integers(0, len(broken))] ^= int(random.integers(1, 256))
            assert isinstance(decode_rgb(bytes(broken)), Image.Image | ImageFault)


def bomb(width_px: int, height_px: int) -> bytes:
    """A PNG whose header promises more than anyone wants to have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side_px", [7_000, 10_000, 60_000])
def test_bombs_are_refused_from_the_header(side_px: int) -> None:
    assert fault(bomb(side_px, side_px)) == "too_large"
    assert isinstance(header_size(bomb(side_px, side_px)), ImageFault)


def test_the_limit_is_a_setting() -> None:
    data = saved(Image.new("RGB", (10, 10)))
    assert fault(data, max_pixels=99) == "too_large"
    assert isinstance(decode_rgb(data, max_pixels=100), Image.Image)
    assert header_size(data) == (10, 10)


def inked(paper: tuple[int, int, int], noise_levels: float = 0.0) -> Image.Image:
    """200 x 100 px of paper with a dark mark of 40 x 20 px at (50, 30)."""
    values = np.full((100, 200, 3), paper, dtype=np.float64)
    values += np.random.default_rng(2).normal(0, noise_levels, values.shape) if noise_levels else 0
    values[30:50, 50:90] = 20
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")


@pytest.mark.parametrize("paper", [WHITE, (250, 248, 240), (235, 235, 235)])
@pytest.mark.parametrize("noise_levels", [0.0, 2.0])
def test_ink_is_found_on_any_paper(paper: tuple[int, int, int], noise_levels: float) -> None:
    image = inked(paper, noise_levels)
    cropped = crop_to_ink(image, 5)
    assert cropped is not None
    assert cropped.size == (50, 30)
    assert cropped.tobytes() == image.crop((45, 25, 95, 55)).tobytes()


def test_blank_paper_has_no_ink() -> None:
    for noise_levels in (0.0, 2.0):
        paper = inked((248, 246, 240), noise_levels).crop((0, 51, 200, 100))
        assert crop_to_ink(paper, 5) is None


def test_ink_at_the_edge_gets_its_padding_in_the_color_of_the_paper() -> None:
    image = inked((250, 250, 250)).crop((50, 30, 200, 100))
    cropped = crop_to_ink(image, 5)
    assert cropped is not None
    assert cropped.size == (50, 30)
    assert cropped.getpixel((0, 0)) == (250, 250, 250)
    assert cropped.getpixel((5, 5)) == (20, 20, 20)


def test_faint_color_is_ink() -> None:
    image = Image.new("RGB", (50, 50), WHITE)
    image.paste((255, 255, 200), (20, 20, 30, 30))
    cropped = crop_to_ink(image, 0)
    assert cropped is not None
    assert cropped.size == (10, 10)


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.new("L", (30, 20), 7), "L"),
        (Image.new("RGB", (30, 20), (9, 9, 9)), "L"),
        (Image.new("RGB", (30, 20), RED), "P"),
        (noise(15, 15), "P"),
        (noise(40, 40), "RGB"),
    ],
)
def test_png_is_lossless_and_no_larger_than_its_colors_need(image: Image.Image, mode: str) -> None:
    data = encode_png(image)
    assert pixels(data).tobytes() == image.convert("RGB").tobytes()
    assert Image.open(io.BytesIO(data)).mode == mode
    assert encode_png(image.copy()) == data
