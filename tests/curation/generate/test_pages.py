"""Generated pages: well-formed, Tailwind 2.2.19 only, every layout and part, as long as asked, near WebSight."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from statistics import median

import pyarrow.parquet as pq
import pytest

from curation.generate.page_layouts import LAYOUTS, PARTS
from curation.generate.pages import STYLE_SHEET, PageOptions, generate_page, plan_page, write_page

VOID_TAGS = {"img", "br", "input", "link"}
TAILWIND = Path(__file__).resolve().parents[3] / "rendering/assets/node_modules/tailwindcss/dist/tailwind.min.css"


class TagStack(HTMLParser):
    """Collects start tags, and complains where an end tag does not close the element that is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> TagStack:
    parser = TagStack()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def pages() -> list[str]:
    return [generate_page(Random(i), PageOptions()).html for i in range(1_000)]


def test_every_page_is_one_well_formed_document(pages: list[str]) -> None:
    for page in pages:
        tags = parsed(page).tags
        assert tags[:3] == ["html", "link", "body"]
        assert page.startswith(f'<html>\n<link href="{STYLE_SHEET}" rel="stylesheet">\n<body')


def test_no_words_are_left_unfilled(pages: list[str]) -> None:
    for page in pages:
        text = parsed(page).text
        assert "{" not in text
        assert not re.search(r"\ba (?=[aeo][^nu])", text.replace("a one-of", "")), text


def test_pages_differ(pages: list[str]) -> None:
    assert len(set(pages)) == len(pages)


def test_pictures_come_from_the_address_that_websight_uses(pages: list[str]) -> None:
    addresses = [address for page in pages for address in re.findall(r"(?:src=\"|url\(')([^\"']+)", page)]
    assert len(addresses) > 1_000
    assert all(re.fullmatch(r"https://source\.unsplash\.com/random/\d+x\d+/\?[a-z]+", a) for a in addresses)


def test_every_class_is_in_the_style_sheet(pages: list[str]) -> None:
    if not TAILWIND.is_file():
        pytest.skip("needs Tailwind 2.2.19 from npm: run `make setup`")
    found = re.findall(r"\.((?:[\w-]|\\.)+)", TAILWIND.read_text(encoding="utf-8"))
    known = {re.sub(r"\\(.)", r"\1", name) for name in found}
    used = {name for page in pages for classes in re.findall(r'class="([^"]*)"', page) for name in classes.split()}
    assert used - known == set()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_can_be_asked_for(layout: str) -> None:
    plans = [plan_page(Random(i), PageOptions(layouts=(layout,))) for i in range(20)]
    assert {plan.layout for plan in plans} == {layout}
    assert all(plan.body for plan in plans)
    article = "an" if LAYOUTS[layout].words[0] in "aeiou" else "a"
    assert f" {article} {LAYOUTS[layout].words} with " in write_page(Random(0), plans[0]).idea


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_asked_for(part: str) -> None:
    for i in range(20):
        plan = plan_page(Random(i), PageOptions(parts=(part,), n_bytes=700))
        assert part in {p.name for p in (*plan.body, plan.top, plan.side, plan.bottom) if p}


@pytest.mark.parametrize("part", PARTS)
def test_each_variant_of_each_part_is_well_formed(part: str) -> None:
    drawn = Counter()
    for i in range(80):
        plan = plan_page(Random(i), PageOptions(parts=(part,)))
        drawn.update(p.variant for p in (*plan.body, plan.top, plan.side, plan.bottom) if p and p.name == part)
        parsed(write_page(Random(i), plan).html)
    assert set(drawn) == set(range(PARTS[part].n_variants))


@pytest.mark.parametrize("n_bytes", [1_500, 4_000, 15_000, 60_000])
def test_pages_are_about_as_long_as_asked(n_bytes: int) -> None:
    lengths = [len(generate_page(Random(i), PageOptions(n_bytes=n_bytes)).html) for i in range(60)]
    assert 0.8 * n_bytes < median(lengths) < 1.35 * n_bytes


def test_structure_and_words_are_apart() -> None:
    plan = plan_page(Random(1), PageOptions())
    first, second = (parsed(write_page(Random(seed), plan).html) for seed in (2, 3))
    assert first.text != second.text
    assert plan_page(Random(1), PageOptions()) == plan


def test_pages_are_near_websight(pages: list[str], shared_data: Path) -> None:
    files = sorted((shared_data / "websight").glob("*.parquet"))
    real = [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]
    for measure in (len, lambda page: len(parsed_tags(page)), lambda page: len(visible_text(page))):
        ratio = median(map(measure, pages)) / median(map(measure, real))
        assert 0.7 < ratio < 1.5


def parsed_tags(page: str) -> list[str]:
    return re.findall(r"<[a-z]", page)


def visible_text(page: str) -> str:
    return " ".join(re.sub(r"<!--.*?-->|<[^>]*>", " ", page, flags=re.DOTALL).split())
