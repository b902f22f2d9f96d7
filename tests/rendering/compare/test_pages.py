"""A page's own picture scores high though fonts and photos differ; one thing changed scores lower, and is marked."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rendering.compare.comparison import Comparison, compare, spec_like
from rendering.compare.layout import CELL_PX, Warp, unexplained
from rendering.compare.reading import TextLine, read_lines
from rendering.renderer import Renderer
from rendering.result import Box, Rendered
from rendering.spec import RenderSpec

STYLE = (
    "<!DOCTYPE html><style>body{margin:0;font:18px/26px Arimo}header{background:#dc2626;color:#fff;padding:24px}"
    "section{padding:24px;background:#f3f4f6}button{background:#2563eb;color:#fff;border:0;padding:12px;font-size:18px}"
    "p{color:#1f2937;width:560px}nav a{margin-right:24px}</style>"
)
HEADER = "<header><h1>Harbour Festival</h1><nav><a>Program</a><a>Tickets</a><a>Arrival</a></nav></header>"
TEXT = (
    "<p>Every summer the old harbour opens its gates to musicians, cooks and sailors from all around the lake, and "
    "visitors come by boat, by train and on foot.</p>"
)
PICTURE = "<img src=https://example.com/400x200.png>"
FIRST = "<section><h2>Opening night</h2>" + TEXT + "<button>Buy tickets</button></section>"
SECOND = "<section><h2>Where to eat</h2><ul><li>Fish market</li><li>Lantern garden</li><li>Bakery</li></ul></section>"
PAGE = STYLE + HEADER + PICTURE + FIRST + SECOND

CHANGES = {
    "another heading": PAGE.replace("Opening night", "Closing night"),
    "another word": PAGE.replace("sailors", "painters"),
    "another button": PAGE.replace("Buy tickets", "Buy snacks"),
    "a paragraph less": PAGE.replace(TEXT, ""),
    "an item less": PAGE.replace("<li>Lantern garden</li>", ""),
    "sections swapped": STYLE + HEADER + PICTURE + SECOND + FIRST,
    "another ground": PAGE.replace("background:#f3f4f6", "background:#fde68a"),
    "another button colour": PAGE.replace("background:#2563eb", "background:#16a34a"),
    "another ink": PAGE.replace("p{color:#1f2937", "p{color:#b91c1c"),
    "another page": STYLE + "<h1>Quarterly results</h1><p>Revenue rose by four percent.</p>",
}
KINDS = {
    "another ground": "color",
    "another button colour": "color",
    "another ink": "color",
    "sections swapped": "order",
}
SPEC = RenderSpec(kind="page", width_px=800)


def render(renderer: Renderer, markup: str, spec: RenderSpec = SPEC) -> Rendered:
    [rendered] = renderer.render([markup], spec)
    assert isinstance(rendered, Rendered), rendered
    return rendered


def decoded(rendered: Rendered) -> Image.Image:
    return Image.open(io.BytesIO(rendered.png)).convert("RGB")


def as_read(rendered: Rendered) -> tuple[TextLine, ...]:
    """What a perfect reader would read: the rows of text, parts of a row joined as readers join them."""
    rows: dict[float, list[Box]] = {}
    for box in rendered.boxes:
        if box.text:
            rows.setdefault(box.y_px, []).append(box)
    return tuple(
        TextLine(
            " ".join(box.text for box in row),
            row[0].x_px,
            y,
            row[-1].x_px + row[-1].width_px - row[0].x_px,
            row[0].height_px,
        )
        for y, row in sorted(rows.items())
    )


@pytest.fixture(scope="module")
def source(renderer: Renderer) -> tuple[Image.Image, tuple[TextLine, ...]]:
    """The page in another font, with a photo in its picture's place, as JPEG."""
    rendered = render(renderer, PAGE.replace("Arimo", "DejaVu Sans"))
    image = decoded(rendered)
    [at] = [box for box in rendered.boxes if not box.text]
    photo = Image.effect_mandelbrot((int(at.width_px), int(at.height_px)), (-2, -1.5, 1, 1.5), 40).convert("RGB")
    ImageDraw.Draw(photo).text((40, 40), "STOP", fill=(255, 255, 255), font_size=60)
    image.paste(photo, (int(at.x_px), int(at.y_px)))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=60)
    lines = (*as_read(rendered), TextLine("STOP", at.x_px + 40, at.y_px + 40, 140, 60))
    return Image.open(packed).convert("RGB"), lines


def told(renderer: Renderer, source: tuple[Image.Image, tuple[TextLine, ...]], markup: str) -> Comparison:
    return compare(source[0], render(renderer, markup), "page", source[1])


def test_another_font_a_photo_and_jpeg_are_no_fault(
    renderer: Renderer, source: tuple[Image.Image, tuple[TextLine, ...]]
) -> None:
    true = told(renderer, source, PAGE)
    assert true.regions == ()
    assert {name: true.parts[name] for name in ("words", "order", "ground", "area", "block", "text")} == {
        **dict.fromkeys(("words", "order", "block", "text"), 1.0),
        "ground": pytest.approx(1, abs=0.2),
        "area": pytest.approx(1, abs=0.3),
    }
    assert all(0 <= value <= 1 for value in (true.score, *true.parts.values()))


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_is_seen_and_marked(
    renderer: Renderer, source: tuple[Image.Image, tuple[TextLine, ...]], change: str
) -> None:
    true, false = (told(renderer, source, markup) for markup in (PAGE, CHANGES[change]))
    assert false.score < 0.8 * true.score
    assert KINDS.get(change, "text") in {region.kind for region in false.regions}


def test_the_changed_word_is_marked_where_it_stands(
    renderer: Renderer, source: tuple[Image.Image, tuple[TextLine, ...]]
) -> None:
    rendered = render(renderer, CHANGES["another word"])
    [line] = [box for box in rendered.boxes if "painters" in box.text]
    regions = compare(source[0], rendered, "page", source[1]).regions
    [marked] = [region for region in regions if "painters" in region.detail]
    assert (marked.x_px, marked.y_px, marked.width_px) == (line.x_px, line.y_px, line.width_px)


def test_the_same_pixels_are_the_same_and_nothing_is_read(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rendering.compare.comparison.read_lines", lambda _: pytest.fail("read"))
    rendered = render(renderer, PAGE)
    assert compare(decoded(rendered), rendered, "page") == Comparison(1.0)


def test_text_that_does_not_show_is_not_missed(renderer: Renderer) -> None:
    rendered = render(renderer, STYLE + HEADER + "<p style='color:#fff;background:#fff'>Nobody sees this</p>")
    lines = tuple(line for line in as_read(rendered) if "Nobody" not in line.text)
    image = decoded(rendered)
    image.putpixel((0, 0), (0, 0, 0))
    assert compare(image, rendered, "page", lines).parts["words"] == 1.0


def test_text_hidden_by_a_box_with_a_picture_is_not_missed(renderer: Renderer) -> None:
    hiding = "<div style='position:absolute;left:0;top:0;width:800px;height:500px;background:#dc2626'>"
    page = STYLE + TEXT + hiding + "<img src=https://example.com/100x300.png></div>"
    rendered = render(renderer, page)
    assert compare(decoded(render(renderer, page, replace(SPEC, pictures="grey"))), rendered, "page", ()).score > 0.9


def test_pictures_of_another_size_move_what_is_below_them(renderer: Renderer) -> None:
    page = "<body style='margin:0;background:#f59e0b'><img style='width:50%;display:block' src=https://a.org/{}.png>"
    page += "<div style='height:200px;background:#dc2626'>"
    rendered, other = (render(renderer, page.format(size)) for size in ("300x300", "300x200"))
    heights = [box.height_px for box in (*rendered.boxes, *other.boxes) if box.name == "img"]
    assert heights == [400, pytest.approx(267, abs=1)]
    assert compare(decoded(other), rendered, "page", ()).score > 0.9


def test_the_ink_of_a_field_is_that_of_its_text(renderer: Renderer) -> None:
    page = "<!DOCTYPE html><body><input placeholder=Name style='width:500px;height:60px;font:16px Arimo'>"
    rendered = render(renderer, page + "<p>Text</p>")
    [field] = [box for box in rendered.boxes if box.name == "input"]
    [text] = [box for box in rendered.boxes if box.name == "p"]
    lines = (
        TextLine("Name", field.x_px + 3, field.y_px + 20, 44, 20),
        TextLine("Text", text.x_px, text.y_px, text.width_px, text.height_px),
    )
    image = decoded(rendered)
    image.putpixel((0, 0), (0, 0, 0))
    assert compare(image, rendered, "page", lines).parts["ink"] == 1.0


def test_text_over_a_picture_counts_and_text_in_it_does_not(renderer: Renderer) -> None:
    hero = "<div style='height:300px;width:800px;padding:20px;color:#fff;background:url(https://a.org/900x600.png)'>"
    page = STYLE + hero + "<h1>Harbour Festival</h1></div>" + TEXT
    rendered = render(renderer, page)
    image = decoded(render(renderer, page, replace(SPEC, pictures="grey")))
    lines = (*as_read(rendered), TextLine("CAFE BRISTOL", 500, 240, 160, 40))
    true = compare(image, rendered, "page", lines)
    assert (true.parts["words"], true.parts["block"], true.regions) == (1.0, 1.0, ())
    changed = compare(image, render(renderer, page.replace("Harbour", "Mountain")), "page", lines)
    assert changed.parts["words"] < 0.5


@pytest.mark.parametrize("shown", ["photo", "grey", "icon"])
def test_a_picture_that_the_markup_does_not_have(renderer: Renderer, shown: str) -> None:
    rendered = render(renderer, STYLE + HEADER + FIRST)
    image = decoded(rendered)
    size = (40, 40) if shown == "icon" else (400, 150)
    photo = Image.new("RGB", size, (156, 163, 175)) if shown == "grey" else Image.effect_noise(size, 90).convert("RGB")
    image.paste(photo, (380, image.height - 160))
    told = compare(image, rendered, "page", as_read(rendered))
    assert told.parts["area"] < 0.4
    [region] = [region for region in told.regions if region.kind == "picture"]
    assert abs(region.x_px - 380) <= CELL_PX
    assert abs(region.y_px - (image.height - 160)) <= CELL_PX


def test_a_picture_that_is_larger_than_the_markup_says_is_the_same_picture() -> None:
    page = np.full((400, 600, 3), 255, dtype=np.uint8)
    source = page.copy()
    source[80:320, 100:400] = np.random.default_rng(0).integers(0, 255, (240, 300, 3))
    warp = Warp.between([], (600, 400), (600, 400))
    assert unexplained(page, source, [], [], warp).sum() > 10_000
    assert unexplained(page, source, [Box("img", 100, 80, 200, 160)], [], warp).sum() == 0
    assert unexplained(page, source, [Box("img", 450, 80, 100, 100)], [], warp).sum() > 10_000


def test_pages_without_any_text(renderer: Renderer) -> None:
    plain, other = (
        render(renderer, f"<body style='margin:0'><div style='width:400px;height:300px;background:{color}'>")
        for color in ("#059669", "#7c3aed")
    )
    image = decoded(plain)
    image.putpixel((0, 0), (0, 0, 0))
    assert compare(image, plain, "page", ()).score > 0.9
    assert compare(image, other, "page", ()).score < 0.5


def test_read_for_real(renderer: Renderer) -> None:
    rendered = render(renderer, PAGE)
    image = decoded(render(renderer, PAGE, replace(SPEC, pictures="grey")))
    lines = read_lines(image)
    assert compare(image, rendered, "page", lines).regions == ()
    changed = compare(image, render(renderer, CHANGES["another word"]), "page", lines)
    assert changed.parts["words"] < 0.4


def test_a_page_is_rendered_as_wide_as_its_picture() -> None:
    widths = {width: spec_like(Image.new("RGB", (width, 10)), "page").width_px for width in (100, 1024, 9000)}
    assert widths == {100: 320, 1024: 1024, 9000: 2560}
    assert spec_like(Image.new("RGB", (500, 10)), "table") == RenderSpec(kind="table")
