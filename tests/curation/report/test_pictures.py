"""Pictures of the page: new, small, and shared out."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from curation.report.pictures import MAX_HEIGHT_PX, MAX_WIDTH_PX, Group, choose_pictures, data_url, thumbnail
from tests.curation.report.facts_making import caption_example, page_example, photo_jpeg


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


def test_nothing_of_the_bytes_that_came_is_passed_on() -> None:
    out, told = io.BytesIO(), PngInfo()
    told.add_text("secret", "here")
    Image.new("RGB", (30, 20), "teal").save(out, "PNG", pnginfo=told)
    small = thumbnail(out.getvalue() + b"<script>alert(1)</script>")
    assert small is not None
    assert b"secret" not in small
    assert b"<script>" not in small
    assert opened(small).convert("RGB").getpixel((3, 3)) == (0, 128, 128)


def test_photos_become_jpeg_drawings_png_and_all_of_them_small() -> None:
    assert opened(thumbnail(photo_jpeg(1, (900, 300)))).format == "JPEG"
    assert data_url(thumbnail(photo_jpeg(1)) or b"").startswith("data:image/jpeg;base64,")
    out = io.BytesIO()
    Image.new("RGB", (1280, 8000), "white").save(out, "PNG")
    page = opened(thumbnail(out.getvalue()))
    assert (page.format, page.size) == ("PNG", (MAX_WIDTH_PX, MAX_HEIGHT_PX))
    assert thumbnail(b"no picture") is None
    assert thumbnail(photo_jpeg(1)[:500]) is None


def test_the_first_of_every_group_come_before_the_second_of_any() -> None:
    first, second = (tuple(caption_example(10 * group + index) for index in range(3)) for group in range(2))
    size = len(thumbnail(photo_jpeg(0)) or b"")
    chosen = choose_pictures([Group(first), Group(second)], budget_bytes=int(4.6 * size))
    shown = [[chosen.of(example, "picture") is not None for example in group] for group in (first, second)]
    assert shown == [[True, True, False], [True, True, False]]
    assert chosen.n_left_out == 2
    assert chosen.is_left_out(second[2])


def test_an_example_has_all_of_its_pictures_or_none_and_counts_as_often_as_it_is_shown() -> None:
    one = page_example(1, 0.5)
    sizes = [len(thumbnail(getattr(one, kind)) or b"") for kind in ("picture", "rerendered", "difference")]
    assert choose_pictures([Group((one,))], sum(sizes) + 1).n_left_out == 0
    assert choose_pictures([Group((one,))], sum(sizes) - 1).n_left_out == 3
    twice = [Group((one,)), Group((one,), ("picture",))]
    assert choose_pictures(twice, sum(sizes) + sizes[0] - 1).n_left_out == 4
    assert choose_pictures(twice, sum(sizes) + sizes[0] + 1).n_left_out == 0


def test_a_picture_that_cannot_be_read_is_not_left_out_for_want_of_room() -> None:
    broken = replace(caption_example(1), picture=b"no picture")
    chosen = choose_pictures([Group((broken,))])
    assert chosen.of(broken, "picture") is None
    assert (chosen.is_left_out(broken), chosen.n_left_out) == (False, 0)
