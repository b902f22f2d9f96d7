"""The page in a real browser: it stands alone, says everything, and whoever reads it can.

What it says is looked for where a reader finds it; what strangers wrote stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from curation.errors import BadInputError
from curation.report.facts import Cluster, ReportFacts
from curation.report.page import report_page, write_page
from curation.report.pictures import BUDGET_BYTES
from tests.curation.report.facts_making import (
    captions_task,
    empty_report,
    hostile_report,
    page_example,
    pages_task,
    photo_jpeg,
    report,
)
from tests.rendering.viewing import Viewer, viewer

CONTRASTS = (Path(__file__).with_name("looking.js")).read_text(encoding="utf-8")
LIMIT_BYTES = 15_000_000
SECTIONS = [
    *("verdict", "content", "distributions", "balance", "rare", "bias", "duplicates", "examples", "rejected"),
    *("gate", "not-measured", "lineage"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Viewer]:
    with viewer() as one:
        yield one


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every kind of page, written once."""
    folder = tmp_path_factory.mktemp("pages")
    mine, other = report(), report(8_000, "websight-coco", seed=3, n_gendered=9)
    made: dict[str, tuple[ReportFacts, ReportFacts | None]] = {
        "one": (mine, None),
        "two": (mine, other),
        "hostile": (hostile_report(), None),
        "two_hostile": (hostile_report(), hostile_report()),
        "empty": (empty_report(), None),
        "beside_empty": (empty_report(), mine),
    }
    for name, (facts, compare) in made.items():
        write_page(facts, folder / f"{name}.html", compare)
    return {name: folder / f"{name}.html" for name in made}


ALL_PAGES = ["one", "two", "hostile", "two_hostile", "empty", "beside_empty"]


# Alone


@pytest.mark.parametrize("name", ALL_PAGES)
def test_it_loads_nothing_and_complains_of_nothing(browser: Viewer, pages: dict[str, Path], name: str) -> None:
    with browser.open(pages[name], viewport={"width": 1280, "height": 900}) as viewed:
        viewed.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        viewed.page.mouse.wheel(0, 1e6)
        viewed.page.wait_for_load_state("networkidle")
        assert viewed.complaints == []
        assert [url for url in viewed.requests if not url.startswith("data:image/")] == [pages[name].as_uri()]


def test_its_policy_lets_nothing_be_loaded_or_run(browser: Viewer, pages: dict[str, Path]) -> None:
    tries = {
        "fetch": "fetch('http://127.0.0.1:9/x').catch(() => 0)",
        "img": "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/a.png'}))",
        "script": "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))",
        "style": "document.body.append(Object.assign(document.createElement('style'), {textContent: 'p{color:red}'}))",
        "link": (
            "document.head.append(Object.assign(document.createElement('link'),"
            " {rel: 'stylesheet', href: 'http://127.0.0.1:9/a.css'}))"
        ),
        "frame": (
            "document.body.append(Object.assign(document.createElement('iframe'), {src: 'http://127.0.0.1:9/f'}))"
        ),
    }
    for name, expression in tries.items():
        with browser.open(pages["empty"]) as viewed:
            viewed.page.evaluate(f"() => {{ {expression} }}")
            viewed.page.wait_for_function("() => new Promise(done => setTimeout(() => done(true), 50))")
            assert any("Content Security Policy" in told for told in viewed.complaints), name
            assert viewed.page.evaluate("window.ran === undefined")


@pytest.mark.parametrize("name", ["hostile", "two_hostile"])
def test_what_strangers_wrote_is_text(browser: Viewer, pages: dict[str, Path], name: str) -> None:
    source = pages[name].read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe]", source)
    with browser.open(pages[name], viewport={"width": 400, "height": 800}) as viewed:
        found = viewed.page.evaluate("""() => ({
            elements: document.querySelectorAll('script, link, iframe, object, embed, base, form').length,
            refreshes: document.querySelectorAll('meta[http-equiv=refresh]').length,
            handlers: [...document.querySelectorAll('*')].flatMap(each => [...each.attributes])
                .filter(each => /^on|^style$/.test(each.name)).length,
            places: [...document.querySelectorAll('[src], [href]')]
                .map(each => each.getAttribute('src') ?? each.getAttribute('href'))
                .filter(place => !/^#|^data:image\\/(png|jpeg);base64,/.test(place)),
            shown: document.querySelector('#lineage dd').textContent,
            wide: document.documentElement.scrollWidth,
        })""")
        assert [found[key] for key in ("elements", "refreshes", "handlers", "places")] == [0, 0, 0, []]
        assert found["shown"].startswith("</script></style></pre><script>fetch('http://evil.example.test/x')</script>")
        assert "{{ 7*7 }}{% raw %}" in found["shown"]
        assert "‹U+202E›gnidaer" in found["shown"], "named, so that the words after it keep their order"
        assert found["wide"] == 400, "10,000 characters without a space do not widen the page"


# What it says


def text_of(viewed: Any, section: str) -> str:
    told: str = viewed.page.locator(f"#{section}").inner_text()
    return re.sub(r"\s*\n\s*", "\n", told.replace("\u00a0", " "))


def test_it_says_what_there_is_in_its_order(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["one"]) as viewed:
        ids = viewed.page.eval_on_selector_all("main > section", "all => all.map(each => each.id)")
        assert ids == SECTIONS
        told = {section: text_of(viewed, section) for section in SECTIONS}
        assert told["verdict"].startswith("Verdict\nNot fit to train on yet\nfailure\n3.1 % of the pairs look shuffled")
        assert "What to do: Select with clip_cosine >= 0.2" in told["verdict"]
        assert "Left out, of 12,031\n2,031" in told["verdict"]
        assert "1 of 4" in told["verdict"]
        assert "median 11" in viewed.page.locator("#distributions svg").nth(6).text_content()
        assert re.search(r"valid\s+5,000\s+5,000\s+100 % \(99.9 to 100\)", told["distributions"])
        assert "Gini 0." in viewed.page.locator("#balance svg").first.text_content()
        assert "68 of 76 classes occur under 50 times." in told["rare"]
        assert re.search(r"gender\s+fair, not sure\s+man 30, woman 20, boy 15\s+61 of 5,000", told["bias"])
        assert re.search(r"64.1 % \(62.7 to 65.4\)\s+1.2 % \(0.95 to 1.6\)\s+−62.9 pp", told["bias"])
        assert "204 exact and 198 near duplicates in 12,031 rows." in told["duplicates"]
        assert "14 rows, nearly the same websight row 314" in told["duplicates"]
        assert "12 of 14 shown" in told["examples"]
        assert re.search(r"too_many_tokens\s+Longer than the model is to be trained on.\s+1,204", told["rejected"])
        assert "not a picture that can be read" in told["rejected"]
        assert re.search(
            r"Found\s+bias.gender\s+image_to_caption, split train\s+failed\s+≤ 0.01\s+0.0122", told["gate"]
        )
        assert re.search(r"render_similarity.p50\s+table_to_html\s+warning\s+≥ 0.9\s+not measured", told["gate"])
        assert "bertscore\npage_to_html: the task has no caption." in told["not-measured"]
        assert "tokenizer\ndeepseek-tokenizer 0.2.0" in told["lineage"]


def test_source_rerender_and_difference_stand_side_by_side(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["one"], viewport={"width": 1280, "height": 900}) as viewed:
        figures = viewed.page.locator("#examples .example").first.locator("figure")
        boxes = [figures.nth(index).bounding_box() for index in range(3)]
        assert figures.all_inner_texts() == ["Source picture", "Rendered again", "Difference"]
        assert len({box["y"] for box in boxes}) == 1
        assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
        sizes = figures.locator("img").evaluate_all("all => all.map(each => [each.naturalWidth, each.naturalHeight])")
        assert sizes == [[420, 276]] * 3


def test_two_data_sets_stand_side_by_side(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["two"]) as viewed:
        numbers = text_of(viewed, "numbers")
        assert re.search(r"What\s+A\s+B\s+A − B", numbers)
        assert re.search(r"Rows\s+10,000\s+8,000\s+\+2,000", numbers)
        assert viewed.page.locator("#distributions .step.a").count() == 9
        assert viewed.page.locator("#distributions .step.b").count() == 9
        assert viewed.page.locator("#balance figure:first-child .curve.s1[d*=' ']").count() >= 3
        assert re.search(r"gender\s+1.2 % \([\d. to]+\)\s+0.18 % \([\d. to]+\)\s+\+1.1 pp", text_of(viewed, "bias"))
        assert re.search(r"tag, A − B\s+0\s+0 pp", text_of(viewed, "balance"))
        assert re.search(r"Worst of B page_to_html", text_of(viewed, "examples"))


def test_what_was_not_measured_has_no_number(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["empty"]) as viewed:
        assert re.search(r"Exact duplicates\s+not measured", text_of(viewed, "verdict"))
        for section in ("bias", "duplicates"):
            assert text_of(viewed, section).endswith("Not measured.")
        assert viewed.page.locator("svg").count() == 0


# Who reads it


@pytest.mark.parametrize(("name", "theme"), [("one", "light"), ("one", "dark"), ("two", "dark")])
def test_text_has_enough_contrast(browser: Viewer, pages: dict[str, Path], name: str, theme: str) -> None:
    """WCAG 2.2 AA, of the colours that the browser computed: 4.5 to 1, 3 to 1 for large text."""
    with browser.open(pages[name], viewport={"width": 1280, "height": 900}, color_scheme=theme) as viewed:
        viewed.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = viewed.page.evaluate(CONTRASTS)
        assert len(found) > 1_000
        assert [each for each in found if each["ratio"] < each["needed"]] == []
        viewed.page.evaluate("document.documentElement.style.setProperty('--soft', '#808080')")
        weak = [each["ratio"] for each in viewed.page.evaluate(CONTRASTS) if each["ratio"] < each["needed"]]
        assert (len(weak) > 100) is (theme == "light"), "grey on white is 3.9 to 1, and is found"


def test_the_theme_is_the_systems_until_it_is_switched(browser: Viewer, pages: dict[str, Path]) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 27)"
    with browser.open(pages["one"], color_scheme="dark") as viewed:
        assert viewed.page.evaluate(paper) == dark
        viewed.page.get_by_label("Light").click()
        assert viewed.page.evaluate(paper) == light
        viewed.page.keyboard.press("ArrowRight")
        assert viewed.page.get_by_label("Dark").is_checked()
        assert viewed.page.evaluate(paper) == dark
        viewed.page.emulate_media(color_scheme="light")
        assert viewed.page.evaluate(paper) == dark
        viewed.page.get_by_label("System").click()
        assert viewed.page.evaluate(paper) == light
        assert viewed.complaints == []


def test_the_keyboard_reaches_everything_in_order_and_is_seen(browser: Viewer, pages: dict[str, Path]) -> None:
    focused = """() => {
        const at = document.activeElement, style = getComputedStyle(at.closest('label') ?? at);
        return [at.id || at.getAttribute('href') || at.tagName, parseFloat(style.outlineWidth), style.outlineStyle];
    }"""
    with browser.open(pages["one"]) as viewed:
        reached = []
        for _ in range(2 + len(SECTIONS)):
            viewed.page.keyboard.press("Tab")
            reached.append(viewed.page.evaluate(focused))
        assert [name for name, *_ in reached] == ["#main", "theme-system", *(f"#{section}" for section in SECTIONS)]
        assert all(width >= 2 and style == "solid" for _, width, style in reached)
        viewed.page.keyboard.press("Enter")
        assert viewed.page.evaluate("location.hash") == "#lineage"

    with browser.open(pages["one"]) as viewed:
        viewed.page.keyboard.press("Tab")
        assert viewed.page.locator(".skip").bounding_box()["y"] >= 0, "the skip link is on the page while it has focus"
        viewed.page.keyboard.press("Enter")
        viewed.page.keyboard.press("Tab")
        assert viewed.page.evaluate("document.activeElement.closest('main') !== null")
        summary = viewed.page.locator("#distributions summary").first
        summary.focus()
        assert not viewed.page.locator("#distributions details table").first.is_visible()
        viewed.page.keyboard.press("Space")
        assert viewed.page.locator("#distributions details table").first.is_visible()


def test_every_fold_opens_and_every_link_leads_somewhere(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["two"]) as viewed:
        for section in ("distributions", "balance", "duplicates", "rejected"):
            n_open = viewed.page.locator(f"#{section} details[open]").count()
            viewed.page.locator(f"#{section} details:not([open]) > summary").first.click()
            assert viewed.page.locator(f"#{section} details[open]").count() == n_open + 1
        opened = viewed.page.eval_on_selector_all(
            "details",
            """all => all.map(each => {
                if (!each.open) each.querySelector('summary').click();
                return each.open && each.querySelector(':scope > :not(summary)').checkVisibility();
            })""",
        )
        assert len(opened) > 25
        assert all(opened)
        for link in viewed.page.locator("nav a").all():
            link.click()
            assert viewed.page.locator(link.get_attribute("href")).bounding_box()["y"] < 400
        assert viewed.complaints == []


@pytest.mark.parametrize("name", ALL_PAGES)
def test_a_screen_reader_is_told_what_is_where(browser: Viewer, pages: dict[str, Path], name: str) -> None:
    with browser.open(pages[name]) as viewed:
        page = viewed.page
        assert page.locator("html").get_attribute("lang") == "en"
        assert [page.locator(mark).count() for mark in ("main", "nav[aria-label]", "header", "footer", "h1")] == [1] * 5
        levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(each => Number(each.tagName[1]))")
        assert all(after <= before + 1 for before, after in pairwise(levels))
        ids = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
        assert len(ids) == len(set(ids))
        assert page.locator("h1, h2, h3, h4, summary, caption, th").filter(has_text=re.compile(r"^\s*$")).count() == 0
        named = "all => all.map(each => each.ariaHidden === 'true' ? null : each.getAttribute('aria-label'))"
        labels = [label for label in page.eval_on_selector_all("svg", named) if label is not None]
        assert all(len(label) > 20 for label in labels)
        assert page.locator("img:not([alt]), img[alt='']").count() == 0
        assert page.locator("table:not(:has(caption))").count() == page.locator("th:not([scope])").count() == 0
        # Each chart has its numbers in a table: below it, or (shares) beside it.
        n_charts = page.locator("figure.chart svg[role=img]").count()
        assert page.locator("figure.chart .data table").count() + page.locator("#bias figure.chart").count() == n_charts


@pytest.mark.parametrize("name", ["two", "hostile"])
def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Viewer, pages: dict[str, Path], name: str) -> None:
    for width in (320, 1280):
        with browser.open(pages[name], viewport={"width": width, "height": 800}) as viewed:
            assert viewed.page.evaluate("document.documentElement.scrollWidth") == width


def test_it_prints_on_white_without_what_is_for_the_screen(browser: Viewer, pages: dict[str, Path]) -> None:
    with browser.open(pages["one"], color_scheme="dark") as viewed:
        viewed.page.get_by_label("Dark").click()
        viewed.page.emulate_media(media="print")
        assert viewed.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert [viewed.page.locator(each).is_visible() for each in ("nav", ".theme", ".skip")] == [False] * 3
        assert viewed.page.locator("#distributions summary").first.is_hidden()
        assert viewed.page.locator("#distributions svg").first.is_visible()
        assert [each for each in viewed.page.evaluate(CONTRASTS) if each["ratio"] < each["needed"]] == []
        assert viewed.page.pdf(format="A4").startswith(b"%PDF")


# How large it is


def test_a_hundred_thousand_samples_stay_under_15_megabytes(tmp_path: Path) -> None:
    """Five tasks, all lists as long as they come, every picture noise; and two of those side by side."""
    noise = [photo_jpeg(seed, (480, 480)) for seed in range(4)]
    text = "<p>&\"'" * 2_000

    def example(index: int) -> Any:
        pictures = dict(zip(("picture", "rerendered", "difference"), noise[index % 2 :], strict=False))
        return replace(page_example(0, 0.5), id=f"{index:064x}", text=text, note=text, **pictures)

    many = tuple(example(index) for index in range(300))
    tasks = [
        replace(
            task,
            task=name,
            worst=many,
            best=many,
            balances=tuple(
                replace(task.balances[0], namespace=f"ns{index}", most=classes, rare=classes)
                for index in range(7)
            ),
        )
        for name, task in (
            *((f"pages_{index}", pages_task(100_000)) for index in range(4)), ("captions", captions_task(100_000)),
        )
        for classes in [tuple((f"class & 'long' name {place:04}" * 3, place) for place in range(300))]
    ]  # fmt: skip
    facts = report(100_000)
    facts = replace(
        facts,
        tasks=tuple(tasks),
        clusters=tuple(Cluster("near", 40, many[:40]) for _ in range(500)),
        rejected=tuple(replace(facts.rejected[0], reason=f"reason_{index}", examples=many) for index in range(60)),
    )
    size_bytes = write_page(facts, tmp_path / "report.html")
    assert size_bytes == (tmp_path / "report.html").stat().st_size
    assert BUDGET_BYTES < size_bytes < LIMIT_BYTES
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (n_left_out,) = re.findall(r"([\d,]+) pictures were left out, so that this page stays under 15 MB", page)
    assert page.count("left out: the page is full") == int(n_left_out.replace(",", ""))
    assert page.count("data:image/") > 50
    both = report_page(facts, replace(facts, tasks=facts.tasks[:2]))
    assert len(both.encode()) < LIMIT_BYTES
    assert both.count("data:image/") > 50


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot write .*No such file"):
        write_page(empty_report(), tmp_path / "nowhere" / "report.html")
