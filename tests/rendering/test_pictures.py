"""Pictures of pages: placeholders of the right size, or a folder's, chosen by address."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from rendering.errors import BadInputError
from rendering.network import GREY, PALETTE, placeholder_svg
from rendering.pictures import MAX_RASTER_PX, PictureFolder, PictureSource, pictures_of
from rendering.renderer import Renderer, fingerprint
from rendering.spec import RenderSpec
from tests.rendering.conftest import picture

COLORS = ("#d02020", "#20d020", "#2020d0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of one colour each, one of them deeper; a text; nothing else."""
    place = tmp_path / "photos"
    (place / "more").mkdir(parents=True)
    for color, name in zip(COLORS, ("a.png", "b.jpg", "more/c.png"), strict=True):
        Image.new("RGB", (90, 60), color).save(place / name)
    (place / "notes.txt").write_text("not a picture")
    return place


def shown(renderer: Renderer, body: str, pictures: PictureSource, width_px: int = 800) -> Image.Image:
    page = f"<!doctype html><body style='margin:0;background:#fff'>{body}"
    [result] = renderer.render([page], RenderSpec("page", width_px=width_px, pictures=pictures))
    return picture(result)


def colored_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """What is not white."""
    return image.convert("L").point([255] * 250 + [0] * 6).getbbox()


@pytest.mark.parametrize("pictures", ["palette", "grey", "folder"])
@pytest.mark.parametrize(
    ("body", "size"),
    [
        ('<img src="https://source.unsplash.com/random/300x200/?dog">', (300, 200)),
        ('<img src="/a.jpg" width=120 height=70>', (120, 70)),
        ('<img src="/a.jpg" style="width:250px;height:33px">', (250, 33)),
        ('<style>img{width:50%;aspect-ratio:4/1;object-fit:cover}</style><img src="/a.jpg">', (400, 100)),
        ('<img src="https://source.unsplash.com/random/300x200/" width=150>', (150, 100)),
        ('<img srcset="/b-200x100.jpg 1x, /b-400x200.jpg 2x">', (200, 100)),
        ('<div style="width:90px;height:40px;background:url(/a.jpg)"></div>', (90, 40)),
        ('<img src="/a.jpg">', (640, 480)),
    ],
)
def test_a_picture_is_as_large_as_address_attributes_and_styles_have_it(
    renderer: Renderer, folder: Path, body: str, size: tuple[int, int], pictures: str
) -> None:
    image = shown(renderer, body, pictures_of(str(folder) if pictures == "folder" else pictures))
    assert colored_box(image) == (0, 0, *size)
    red, green, blue = image.getpixel((size[0] // 2, size[1] // 2))  # type: ignore[misc]
    if pictures == "grey":
        assert f"#{red:02x}{green:02x}{blue:02x}" == GREY
    elif pictures == "palette":
        assert f"#{red:02x}{green:02x}{blue:02x}" in PALETTE
    else:
        *others, most = sorted((red, green, blue))  # one of COLORS, through JPEG
        assert max(others) < 60
        assert most > 180


def test_the_same_address_has_the_same_picture(renderer: Renderer, folder: Path) -> None:
    chosen = PictureFolder.open(folder)
    urls = [f"https://pictures.example/{number}.jpg" for number in range(30)]
    assert {chosen.choose(url).name for url in urls} == {"a.png", "b.jpg", "c.png"}
    body = "".join(f'<img src="{url}" width=100 height=100>' for url in urls)
    first = shown(renderer, body, chosen)
    assert shown(renderer, body, PictureFolder.open(folder)).tobytes() == first.tobytes()
    with Renderer(1) as other:
        assert shown(other, body, chosen).tobytes() == first.tobytes()


def test_pictures_are_cropped_and_not_squeezed(renderer: Renderer, tmp_path: Path) -> None:
    place = tmp_path / "one"
    place.mkdir()
    halves = Image.new("RGB", (400, 100), "#d02020")
    halves.paste((0, 0, 255), (100, 0, 300, 100))  # the middle half
    halves.save(place / "x.png")
    image = shown(renderer, '<img src="/y-100x100.jpg">', pictures_of(str(place)))
    assert all(image.getpixel((x, 50))[2] > 200 for x in (3, 50, 96))  # type: ignore[index]
    image = shown(renderer, '<img src="/y-400x100.jpg" width=100 height=100>', pictures_of(str(place)))
    assert all(image.getpixel((x, 50))[2] > 200 for x in (5, 50, 94))  # type: ignore[index]


def test_what_is_put_into_a_page_is_small(folder: Path) -> None:
    svg = placeholder_svg("https://x.example/4000x4000.jpg", PictureFolder.open(folder)).decode()
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="4000" height="4000"')
    found = re.search(r"base64,([^\"]+)", svg)
    assert found is not None
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as raster:
        assert raster.format == "JPEG"
        assert raster.width * raster.height <= MAX_RASTER_PX + 2_000


def test_a_broken_picture_gives_way_to_the_palette(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    svg = placeholder_svg("https://x.example/9x9.jpg", PictureFolder.open(tmp_path))
    assert any(color.encode() in svg for color in PALETTE)


def test_a_folder_is_known_by_its_content(folder: Path, tmp_path: Path) -> None:
    first = PictureFolder.open(folder)
    moved = folder.rename(tmp_path / "moved")
    again = PictureFolder.open(moved)
    assert again == first
    assert hash(again) == hash(first)
    prints = [fingerprint(RenderSpec("page", pictures=source)) for source in (first, again, "palette", "grey")]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (9, 9), "#112233").save(other / "a.png")
    assert PictureFolder.open(other) != first


def test_a_folder_that_is_another_than_planned_is_an_error(folder: Path) -> None:
    planned = PictureFolder(str(folder), "0" * 64)
    with pytest.raises(BadInputError, match="changed while they were in use"):
        planned.choose("https://x.example/a.jpg")


def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="there is no picture in .*none.*palette, grey, or a folder"):
        pictures_of(str(tmp_path / "none"))
    place = tmp_path / "many"
    place.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (2, 2)).save(place / name)
    monkeypatch.setattr("rendering.pictures.MAX_FILES", 1)
    with pytest.raises(BadInputError, match="2 pictures, at most 1"):
        pictures_of(str(place))
