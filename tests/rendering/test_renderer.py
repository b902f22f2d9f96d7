"""Markup gives pictures: the same ones every time, whatever stands beside it; or a reason."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from curation.generate.formulas import FormulaOptions, generate_formula
from curation.generate.tables import TableOptions, generate_table
from rendering.renderer import Renderer, fingerprint
from rendering.result import Rendered, RenderFailure
from rendering.spec import MarkupKind, RenderSpec
from tests.rendering.conftest import picture

PAGE = RenderSpec(kind="page", width_px=800)
TABLE = RenderSpec(kind="table")
FORMULA = RenderSpec(kind="formula")

TAILWIND = '<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">'
PAGES = [
    f'<html>{TAILWIND}<body class="bg-red-500"><h1 class="text-4xl p-8 text-white">Hello</h1></body></html>',
    "<!doctype html><h1>Latin Ελληνικά 中文 😀 ∀x∈ℝ</h1><p style='font-family:Arial'>Arial</p>",
    '<body><img src="https://source.unsplash.com/random/300x200/?dog"><p style="height:900px">tall</p></body>',
]
TABLES = [
    f"<table><thead><tr><th>Name</th><th>n</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    for rows in ([f"<tr><td>row {row}</td><td>{row * size}</td></tr>" for row in range(size)] for size in range(1, 7))
]
FORMULAS = [
    r"\frac{1}{2}",
    r"x^2 + y_1",
    r"\int_0^\infty e^{-x}\,dx = 1",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
]


def failure(renderer: Renderer, markup: str, spec: RenderSpec) -> RenderFailure:
    [result] = renderer.render([markup], spec)
    assert isinstance(result, RenderFailure), result
    return result


def test_a_page_is_as_wide_as_asked_and_as_high_as_it_is(renderer: Renderer) -> None:
    results = [picture(result) for result in renderer.render(PAGES, PAGE)]
    assert [image.width for image in results] == [800, 800, 800]
    assert results[0].height == 720
    assert results[2].height > 1_100


def test_tailwind_and_placeholders_come_from_here(renderer: Renderer) -> None:
    first, _, third = renderer.render(PAGES, RenderSpec(kind="page", width_px=800, pictures="grey"))
    assert picture(first).getpixel((700, 600)) == (239, 68, 68)  # Tailwind's red-500
    image = picture(third)
    assert image.getpixel((8 + 299, 8 + 199)) == (0x9C, 0xA3, 0xAF)
    assert image.getpixel((8 + 300, 8 + 100)) == (255, 255, 255)
    assert isinstance(third, Rendered)
    assert third.warnings == ("pictures replaced by placeholders",)


def test_unknown_style_sheets_are_a_warning(renderer: Renderer) -> None:
    [result] = renderer.render(['<link rel="stylesheet" href="https://fonts.example/a.css"><p>text'], PAGE)
    assert isinstance(result, Rendered)
    assert result.warnings == ("style sheet not known, left out: https://fonts.example/a.css",)


def test_boxes_say_where_the_text_is(renderer: Renderer) -> None:
    [result] = renderer.render(['<body style="margin:0"><p style="margin:50px 0 0 30px;line-height:20px">text'], PAGE)
    assert isinstance(result, Rendered)
    [box] = result.boxes
    assert (box.name, box.x_px) == ("p", 30)
    assert 50 <= box.y_px < box.y_px + box.height_px <= 70


def test_tables_are_cropped_to_their_ink_and_padded(renderer: Renderer) -> None:
    for result in renderer.render(TABLES, TABLE):
        image = picture(result)
        assert image.getpixel((TABLE.padding_px, TABLE.padding_px)) == (0, 0, 0)  # the rule above the table
        assert image.getpixel((TABLE.padding_px - 1, TABLE.padding_px)) == (255, 255, 255)
        assert isinstance(result, Rendered)
        assert result.boxes[0].name == "th"
        assert abs(result.boxes[0].x_px - TABLE.padding_px) <= 1


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("kind", ["formula", "table"])
def test_sheets_give_the_pixels_of_rendering_one_by_one(renderer: Renderer, kind: MarkupKind, scale: float) -> None:
    chooser = Random(3)
    made = {
        "formula": [*FORMULAS, *(generate_formula(chooser, FormulaOptions()) for _ in range(100))],
        "table": [*TABLES, *(generate_table(chooser, TableOptions()) for _ in range(30))],
    }[kind]
    spec = RenderSpec(kind=kind, scale=scale)
    together = renderer.render(made, spec)
    # The later on its sheet, the more there is to be rounded: every third will do.
    alone = {at: renderer.render([made[at]], spec)[0] for at in range(0, len(made), 3)}
    assert [at for at, result in alone.items() if result != together[at]] == []


def test_a_table_document_shows_what_a_sheet_shows(renderer: Renderer) -> None:
    """A comment sends a table down the other road."""
    sheet, document = renderer.render([TABLES[3], f"<!-- alone -->{TABLES[3]}"], TABLE)
    assert picture(sheet).tobytes() == picture(document).tobytes()


def test_a_table_cannot_reach_its_neighbours(renderer: Renderer) -> None:
    bad = "</div></div></table><table><tr><td style='position:fixed;left:0;top:0;width:5000px'>x</td></tr></table>"
    good = picture(renderer.render([TABLES[0]], TABLE)[0]).tobytes()
    results = renderer.render([TABLES[0], bad, TABLES[0]], TABLE)
    assert [picture(results[place]).tobytes() for place in (0, 2)] == [good, good]


def test_scale_multiplies_pixels(renderer: Renderer) -> None:
    [once] = renderer.render(FORMULAS[:1], FORMULA)
    [twice] = renderer.render(FORMULAS[:1], RenderSpec(kind="formula", scale=2.0))
    assert abs(picture(twice).width - 2 * picture(once).width) <= 4


def test_the_same_pixels_in_another_process_order_and_number_of_pages() -> None:
    program = (
        "import hashlib, sys; from rendering.renderer import Renderer; from tests.rendering.test_renderer import *\n"
        "with Renderer(int(sys.argv[1])) as r:\n"
        "    for markups, spec in ((PAGES, PAGE), (TABLES, TABLE), (FORMULAS, FORMULA)):\n"
        "        step = int(sys.argv[2])\n"
        "        out = r.render(markups[::step], spec)[::step]\n"
        "        print(*(hashlib.sha256(picture(result).tobytes()).hexdigest() for result in out))\n"
    )
    root = Path(__file__).resolve().parents[2]
    told = [
        subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for arguments in (("1", "1"), ("4", "-1"))
    ]
    assert told[0] == told[1]
    assert len(set(told[0].split())) == len(PAGES) + len(TABLES) + len(FORMULAS)


LATE_STYLES = (
    '<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">'
    '<u class="whitespace-pre-line">foo <div></div><q> <br><div></div><hr><q></q></q></u>'
)
WAITING_VIDEO = '<p>text<video autoplay muted loop width=400><source src="https://example.com/a.mp4"></video>'


@pytest.mark.parametrize("markup", [LATE_STYLES, WAITING_VIDEO], ids=["late styles", "waiting video"])
def test_what_is_shown_does_not_depend_on_when_it_came(renderer: Renderer, markup: str) -> None:
    assert len({picture(result).tobytes() for result in renderer.render([markup] * 40, PAGE)}) == 1


GREY = RenderSpec(kind="page", width_px=800, pictures="grey")
LARGE = RenderSpec(kind="page", width_px=800, font="Cabin", font_size_px=24)
DARK = RenderSpec(kind="page", width_px=800, color_scheme="dark")
PICTURE = '<img src="https://source.unsplash.com/random/300x200/?dog">'
BEFORE = [
    ("<!doctype html><html lang=ar dir=rtl class=a><body class=b bgcolor=red text=blue>standards</body></html>", PAGE),
    ("<html style='background:#123;overflow:hidden;writing-mode:vertical-rl;color-scheme:dark'>quirks", PAGE),
    (f"<body style='margin:50px;zoom:2;font-size:40px'>{PICTURE}<p style='height:2000px'>tall", GREY),
    (f'{TAILWIND}<body class="bg-blue-500 antialiased"><h1 class="text-6xl font-mono">Other classes</h1>', PAGE),
    (
        "<style>@media screen{*{color:green;font-family:monospace}}</style><p>x<form><input><textarea>a</textarea>",
        LARGE,
    ),
    ("<p>dark", DARK),
    ("<details open><summary>a</summary>b</details><select><option>1<option selected>2</select><a href=#>a</a>", PAGE),
]
AFTER = [
    ("<!doctype html><p>one</p><table><tr><td>cell</table><pre>mono</pre><h1>a</h1><input placeholder=here>", PAGE),
    ("<p>quirks<table><tr><td>cell</table><p lang=he>שלום", PAGE),
    (f'{TAILWIND}<body class="bg-red-500"><h1 class="text-4xl p-8 text-white">Hello</h1>', PAGE),
    (PICTURE, PAGE),
    (PICTURE, GREY),
    ("<p>text", LARGE),
    ("<details><summary>a</summary>b</details><select><option>1<option>2</select><a href=#>a</a>", PAGE),
]


def test_a_page_inherits_nothing_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each after each in one tab, written in its place, against each in a document that is new."""
    pairs = [(before, after) for before in BEFORE for after in AFTER]
    with Renderer(1) as one_tab:
        written = [one_tab.render([page for page, _ in pair], [spec for _, spec in pair])[1] for pair in pairs]
        monkeypatch.setattr("rendering.tab.is_plain_page", lambda _: False)
        new = one_tab.render([page for page, _ in AFTER], [spec for _, spec in AFTER])
    assert all(isinstance(result, Rendered) for result in new)
    assert written == new * len(BEFORE)


def test_threads_share_a_renderer(renderer: Renderer) -> None:
    expected = [picture(result).tobytes() for result in renderer.render(FORMULAS, FORMULA)]
    got: dict[int, list[bytes]] = {}

    def work(number: int) -> None:
        got[number] = [picture(result).tobytes() for result in renderer.render(FORMULAS, FORMULA)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(got.values()) == [expected] * 4


@pytest.mark.parametrize(
    "markup", ["", "<html></html>", "<p style='color:white'>x</p>", '<body style="background:red">']
)
def test_one_color_all_over_is_blank(renderer: Renderer, markup: str) -> None:
    assert failure(renderer, markup, PAGE).reason == "blank"


def test_blank_tables_and_formulas(renderer: Renderer) -> None:
    assert failure(renderer, " ", TABLE).reason == "blank"
    assert failure(renderer, r"\phantom{x}", FORMULA).reason == "blank"


def test_formulas_that_katex_does_not_take(renderer: Renderer) -> None:
    bad, good = renderer.render([r"\frac{1}", "x"], FORMULA)
    assert isinstance(bad, RenderFailure)
    assert bad.reason == "katex_error"
    assert isinstance(good, Rendered)


def test_cut_off(renderer: Renderer) -> None:
    assert failure(renderer, '<p style="height:9000px">x', PAGE).reason == "cut_off"
    assert failure(renderer, "<p style='white-space:nowrap'>" + "wide " * 400, PAGE).reason == "cut_off"
    assert failure(renderer, r"\rule{900em}{1em}", FORMULA).reason == "cut_off"
    assert failure(renderer, "<table><tr><td>" + "W" * 2000 + "</td></tr></table>", TABLE).reason == "cut_off"


def test_caps(renderer: Renderer) -> None:
    small = RenderSpec(kind="page", max_nodes=100, max_markup_bytes=10_000)
    assert failure(renderer, "<b>" * 101, small).reason == "over_cap"
    assert failure(renderer, "x" * 10_001, small).reason == "over_cap"
    assert failure(renderer, "é" * 5_001, small).reason == "over_cap"
    # Few tags, many elements: a parser opens all formatting elements again in every paragraph.
    reopened = "<p>" + "".join(f"<b id={number}>" for number in range(20)) + "x</p><p>x" * 20
    assert failure(renderer, reopened, small).reason == "over_cap"


def test_an_empty_list_needs_no_browser() -> None:
    assert Renderer().render([], PAGE) == []


def test_surrogates_do_not_break_it(renderer: Renderer) -> None:
    assert [type(result) for result in renderer.render(["<p>\ud800 x"], PAGE)] == [Rendered]
    assert [type(result) for result in renderer.render(["<table><tr><td>\ud800 x"], TABLE)] == [Rendered]


def test_a_closed_renderer_starts_again() -> None:
    renderer = Renderer(1)
    first = picture(renderer.render(FORMULAS[:1], FORMULA)[0])
    renderer.close()
    renderer.close()
    assert picture(renderer.render(FORMULAS[:1], FORMULA)[0]).tobytes() == first.tobytes()
    renderer.close()


def test_fingerprint_names_the_spec_and_starts_nothing() -> None:
    prints = {fingerprint(spec) for spec in (PAGE, TABLE, FORMULA, RenderSpec(kind="page", width_px=801))}
    assert len(prints) == 4
    assert fingerprint(PAGE) == fingerprint(RenderSpec(kind="page", width_px=800))
    hashlib.sha256(bytes.fromhex(fingerprint(PAGE)))


def test_real_pages_are_like_their_pictures(renderer: Renderer, shared_data: Path) -> None:
    import pyarrow.parquet as pq

    from rendering.compare.ssim import similarity
    from rendering.pixels import decode_rgb

    file = min((shared_data / "websight").glob("*.parquet"))
    rows = [row for row in pq.read_table(file).slice(0, 40).to_pylist() if "<img" not in row["text"]][:12]
    results = renderer.render([row["text"] for row in rows], RenderSpec(kind="page", pictures="grey"))
    values = []
    for row, result in zip(rows, results, strict=True):
        source = decode_rgb(row["image"]["bytes"])
        assert isinstance(source, Image.Image)
        values.append(similarity(source, picture(result)))
    assert sorted(values)[len(values) // 2] > 0.93
    assert min(values) > 0.8
