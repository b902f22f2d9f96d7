"""Variation: drawn from the sample's id, the same every time; it changes the look, and cuts nothing off."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import fields, replace

import pytest
from PIL import Image, ImageColor

from curation.sources.generated import Generated, GeneratedTask
from rendering.errors import BadInputError, RenderingError
from rendering.profiles import PROFILES, profile_named
from rendering.renderer import Renderer
from rendering.result import Box, Rendered
from rendering.spec import MarkupKind, RenderSpec
from rendering.variation import (
    VARIATION_VERSION,
    Picture,
    Profile,
    Variation,
    finish,
    is_whole,
    lineage_of,
    profile_fingerprint,
    render_varied,
    vary,
)
from rendering.wear import Wear, encode, turned, wear_out
from tests.rendering.conftest import picture

TASKS: dict[MarkupKind, GeneratedTask] = {
    "table": "table_to_html",
    "formula": "formula_to_latex",
    "page": "page_to_html",
}
N_OF_KIND = {"table": 10, "formula": 14, "page": 4}
TABLE = "<table><thead><tr><th>Name</th><th>n</th></tr></thead><tbody><tr><td>row</td><td>1.5</td></tr></tbody></table>"


def generated(kind: MarkupKind, n: int) -> list[str]:
    source = Generated(TASKS[kind], n, seed=11)
    return [text for piece in source.pieces(n) for text in source.read_texts(piece).column("text").to_pylist()]


def varied(
    renderer: Renderer, profile: Profile, kind: MarkupKind, markups: list[str], seed: int = 42
) -> list[tuple[Rendered, Variation]]:
    base = RenderSpec(kind)
    looks = [vary(profile, base, f"{kind} {number}", seed, markup) for number, markup in enumerate(markups)]
    done = render_varied(renderer, markups, looks, [base] * len(markups))
    out = []
    for result, variation in done:
        assert isinstance(result, Rendered), result
        out.append((result, variation))
    return out


def test_a_variation_follows_from_profile_seed_and_id_alone() -> None:
    """The literal is the point: who changes what is drawn raises `VARIATION_VERSION` with it."""
    table = vary(PROFILES["journal"], RenderSpec("table"), "a" * 64, 42, TABLE)
    scan = vary(PROFILES["scan"], RenderSpec("formula"), "a" * 64, 42, "x")
    text = f"{VARIATION_VERSION} {table.spec} {scan.spec} {scan.wear}"
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "4f4022835911d462"


def test_other_ids_and_seeds_give_other_variations() -> None:
    def look(sample_id: str, seed: int) -> RenderSpec:
        return vary(PROFILES["web"], RenderSpec("table"), sample_id, seed, TABLE).spec

    assert len({look(f"id {number}", 42) for number in range(200)}) > 190
    assert len({look("id", seed) for seed in range(200)}) > 190


def test_every_choice_of_a_profile_is_drawn() -> None:
    ranges = PROFILES["journal"].table
    specs = [vary(PROFILES["journal"], RenderSpec("table"), f"id {n}", 0, TABLE).spec for n in range(600)]
    assert {spec.font for spec in specs} == set(ranges.fonts)
    assert {spec.font_size_px for spec in specs} == set(ranges.font_sizes_px)
    assert {spec.width_px for spec in specs} == set(ranges.widths_px)
    assert {spec.table.rules for spec in specs} == set(ranges.rules)
    assert {spec.table.band_color for spec in specs} == set(ranges.bands)
    assert {spec.table.column_align for spec in specs} == set(ranges.aligns)
    assert {spec.table.caption_side for spec in specs} == {"top", "bottom"}
    heights = [spec.table.line_height for spec in specs]
    low, high = ranges.line_height
    assert low <= min(heights) < low + 0.02
    assert high - 0.02 < max(heights) <= high


def test_plain_varies_nothing() -> None:
    for kind in TASKS:
        assert vary(PROFILES["plain"], RenderSpec(kind), "id", 1, TABLE) == Variation(RenderSpec(kind))


def test_a_wide_table_gets_a_wide_place() -> None:
    row = "<tr>" + "<td>many words in a cell</td>" * 9 + "</tr>"
    widths = {vary(PROFILES["journal"], RenderSpec("table"), f"{n}", 0, row * 3).spec.width_px for n in range(50)}
    assert min(widths) > 400


def test_names_of_profiles() -> None:
    assert profile_named("scan").name == "scan"
    with pytest.raises(BadInputError, match="no rendering profile 'journals'. Did you mean 'journal'?"):
        profile_named("journals")


def test_the_fingerprint_names_ranges_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: profile_fingerprint(profile) for name, profile in PROFILES.items()}
    assert len(set(before.values())) == len(PROFILES)
    scan = PROFILES["scan"]
    assert profile_fingerprint(replace(scan, page=replace(scan.page, scales=(3.0,)))) != before["scan"]
    monkeypatch.setattr("rendering.wear.version", lambda _: "0.0")
    assert profile_fingerprint(scan) != before["scan"]
    assert profile_fingerprint(PROFILES["web"]) == before["web"]  # it uses none of them
    monkeypatch.setattr("rendering.variation.VARIATION_VERSION", 0)
    assert profile_fingerprint(PROFILES["web"]) != before["web"]


def test_lineage_says_how_to_make_it_again() -> None:
    profile, base = PROFILES["web"], RenderSpec("table")
    told = lineage_of(profile, 7, vary(profile, base, "id", 7, TABLE))
    assert told == {"profile": "web", "seed": 7, "version": VARIATION_VERSION}


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_variation_cuts_content_off(renderer: Renderer, profile: Profile, kind: MarkupKind) -> None:
    """As many boxes as plain, each with its area and inside the picture; and no ink at the edge of it."""
    markups = generated(kind, N_OF_KIND[kind])
    plain = renderer.render(markups, RenderSpec(kind))
    for (result, variation), unvaried in zip(varied(renderer, profile, kind, markups), plain, strict=True):
        assert isinstance(unvaried, Rendered)
        done = finish(result, variation)
        assert is_whole(
            replace(result, boxes=done.boxes, width_px=done.width_px, height_px=done.height_px), variation.spec
        )
        if kind == "table":
            assert [box.name for box in done.boxes] == [box.name for box in unvaried.boxes]
            assert all(box.width_px > 0 and box.height_px > 0 for box in done.boxes if box.text)
        if kind != "page":
            assert share_of_ink_at_the_edge(done, variation) < 0.01


def share_of_ink_at_the_edge(done: Picture, variation: Variation) -> float:
    """Of the outermost pixels, how many are nearer to ink than to paper; 0 for none."""
    image = Image.open(io.BytesIO(done.data)).convert("L")
    assert image.size == (done.width_px, done.height_px)
    ink, paper = (ImageColor.getcolor(c, "L") for c in (variation.spec.ink_color, variation.spec.paper_color))
    assert isinstance(ink, int)
    assert isinstance(paper, int)
    width_px, height_px = image.size
    ring = [(x, y) for x in range(width_px) for y in (0, height_px - 1)]
    ring += [(x, y) for x in (0, width_px - 1) for y in range(height_px)]
    # Halfway for what was worn: its paper has noise and shade. Else its paper has exactly one colour.
    slack = abs(paper - ink) / 2 if variation.wear else 0
    return sum(abs(image.getpixel(at) - paper) > slack for at in ring) / len(ring)  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["table", "formula"])
def test_sheets_of_many_looks_give_what_rendering_one_by_one_gives(renderer: Renderer, kind: MarkupKind) -> None:
    markups = generated(kind, 12)
    base = RenderSpec(kind)
    specs = [vary(PROFILES["web"], base, str(number), 3, markup).spec for number, markup in enumerate(markups)]
    together = [picture(result) for result in renderer.render(markups, specs)]
    backwards = [picture(result) for result in renderer.render(markups[::-1], specs[::-1])][::-1]
    alone = [picture(renderer.render([m], spec)[0]) for m, spec in zip(markups, specs, strict=True)]
    assert [image.tobytes() for image in together] == [image.tobytes() for image in alone]
    assert [image.tobytes() for image in backwards] == [image.tobytes() for image in alone]
    assert len({image.tobytes() for image in together}) == len(together)


def test_a_tab_of_another_form_shows_what_a_new_one_shows(renderer: Renderer) -> None:
    markup = "<style>@media (prefers-color-scheme:dark){h1{letter-spacing:9px}}</style><h1>Wide</h1>" + "<p>words " * 40
    specs = [
        RenderSpec("page", width_px=width_px, scale=scale, color_scheme=scheme)
        for width_px in (640, 1024)
        for scale in (1.0, 1.5)
        for scheme in ("light", "dark")
    ]
    reshaped = [picture(result) for result in renderer.render([markup] * len(specs), specs)]
    assert [image.width for image in reshaped] == [round(spec.width_px * spec.scale) for spec in specs]
    for spec, image in zip(specs[::3], reshaped[::3], strict=True):
        with Renderer(1) as fresh:
            assert picture(fresh.render([markup], spec)[0]).tobytes() == image.tobytes()
    assert len({image.tobytes() for image in reshaped}) == len(specs)


def test_what_a_page_leaves_open_is_varied_and_what_it_says_is_kept(renderer: Renderer) -> None:
    base = RenderSpec("page", width_px=400)
    other = replace(base, font="Cabin", font_size_px=22, color_scheme="dark")
    open_, said = "<p>plain text", "<body style='font:16px Arimo;color:#000;background:#fff'><p>plain text"
    tailwind = (
        '<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">'
        '<body class="bg-white text-black"><p>plain text'
    )
    pages = [open_, said, tailwind]
    before = [picture(result) for result in renderer.render(pages, base)]
    after = [picture(result) for result in renderer.render(pages, other)]
    assert before[0].getpixel((390, 700)) == (255, 255, 255)
    assert sum(after[0].getpixel((390, 700))) < 100  # type: ignore[arg-type]  # the browser's dark ground
    assert before[1].tobytes() == after[1].tobytes()
    assert before[2].tobytes() != after[2].tobytes()
    assert after[2].getpixel((390, 700)) == (255, 255, 255)


def test_what_would_be_cut_off_is_rendered_plain(renderer: Renderer) -> None:
    fits = "<p>short</p>"
    wide = "<div style='width:1270px;text-align:right'>at the right</div>"
    too_wide = "<div style='white-space:nowrap'>" + "never fits " * 300
    profile = replace(PROFILES["plain"], page=replace(PROFILES["plain"].page, widths_px=(500,)))
    base = RenderSpec("page")
    markups = [fits, wide, too_wide]
    looks = [vary(profile, base, markup, 0, markup) for markup in markups]
    (fitting, first), (whole, second), (cut, _) = render_varied(renderer, markups, looks, [base] * 3)
    assert (picture(fitting).width, first.fell_back) == (500, False)
    assert (picture(whole).width, second.fell_back) == (1280, True)
    assert lineage_of(profile, 0, second)["fell_back"] is True
    assert not isinstance(cut, Rendered)
    assert cut.reason == "cut_off"


def test_the_picture_stays_true_to_a_look(renderer: Renderer) -> None:
    """Colours, rules and bands of a look are in the pixels."""
    look = replace(
        RenderSpec("table").table, rules="grid", rule_color="#ff0000", band_color="#00ff00", head_fill="#0000ff"
    )
    spec = replace(RenderSpec("table"), table=look, paper_color="#202020", ink_color="#ffffff", padding_px=3)
    rows = "".join(f"<tr><td>{n}</td><td>x</td></tr>" for n in range(3))
    image = picture(renderer.render([f"<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>{rows}"], spec)[0])
    colors = {color: n for n, color in image.getcolors(100_000) or []}
    assert image.getpixel((0, 0)) == (0x20, 0x20, 0x20)
    assert image.getpixel((3, 3)) == (255, 0, 0)
    assert colors[(0, 0, 255)] > colors[(255, 0, 0)] > 50
    assert colors[(0, 255, 0)] > 100
    assert colors[(255, 255, 255)] > 3


def test_wear_is_the_same_for_the_same_seed() -> None:
    wear = Wear(0.7, True, "#f8f4e8", 0.02, 0.2, 0.05, 0.5, 0.02, 0.001, 70, seed=5)
    image = Image.new("RGB", (90, 60), "white")
    image.paste((0, 0, 0), (20, 20, 60, 30))
    once, again, other = (encode(wear_out(image, w), 70) for w in (wear, wear, replace(wear, seed=6)))
    assert once == again
    assert once != other
    assert once.startswith(b"\xff\xd8")
    assert Image.open(io.BytesIO(encode(wear_out(image, Wear(is_grey=True)), 80))).mode == "L"
    assert encode(wear_out(image, Wear(rotation_deg=1)), None).startswith(b"\x89PNG")


@pytest.mark.parametrize("strength", [f.name for f in fields(Wear) if f.name not in {"seed", "jpeg_quality"}])
def test_every_wear_shows(strength: str) -> None:
    value = {"rotation_deg": 1.0, "is_grey": True, "paper": "#f0e0d0", "blur_sigma_px": 0.8}.get(strength, 0.05)
    image = Image.new("RGB", (80, 60), "#fafafa")
    image.paste((180, 40, 40), (20, 20, 50, 40))
    assert wear_out(image, Wear()).tobytes() == image.tobytes()
    assert wear_out(image, replace(Wear(), **{strength: value})).tobytes() != image.tobytes()


@pytest.mark.parametrize("rotation_deg", [-1.2, -0.4, 0.9, 5.0])
@pytest.mark.parametrize("size", [(400, 90), (401, 300)])
def test_boxes_turn_with_the_picture(rotation_deg: float, size: tuple[int, int]) -> None:
    boxes = [Box("td", 0, 0, 30, 10), Box("td", size[0] - 31, size[1] - 12, 31, 12), Box("td", 170, 40, 60, 8)]
    for box in boxes:
        image = Image.new("RGB", size, "white")
        left, top = int(box.x_px), int(box.y_px)
        image.paste((0, 0, 0), (left, top, left + int(box.width_px), top + int(box.height_px)))
        worn = wear_out(image, Wear(rotation_deg=rotation_deg))
        [after] = turned([box], size, rotation_deg)
        ink = worn.convert("L").point([255] * 128 + [0] * 128).getbbox()
        assert ink is not None
        told = (after.x_px, after.y_px, after.x_px + after.width_px, after.y_px + after.height_px)
        assert all(abs(a - b) <= 1.5 for a, b in zip(told, ink, strict=True)), (told, ink)
        assert min(told[:2]) >= 0
        assert told[2] <= worn.width
        assert told[3] <= worn.height


def test_without_the_library_a_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(RenderingError, match=r"albumentations, which is not installed. Run `make setup`"):
        wear_out(Image.new("RGB", (9, 9)), Wear(noise=0.1))
