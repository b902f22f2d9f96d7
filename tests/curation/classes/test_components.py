"""Components and layouts: one page each, pages of the generator whose parts are known, real pages read by a person."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from curation.classes.components import COMPONENTS, components_of
from curation.classes.layouts import layouts_of
from curation.classes.page_tree import Element, elements_of
from curation.generate.pages import PageOptions, plan_page, write_page
from curation.markup.tree import parse, root_of
from curation.reasons import Reject
from curation.sample import sha256_hex

LABELS = Path(__file__).with_name("components_of_pages.jsonl")

CARD = "<div><h3>Title here</h3><p>Some words about it.</p></div>"
PRICED = '<div><img src="a.png"><p>Tea</p><p>$4</p></div>'
PLAN = "<div><h3>Basic</h3><p>$5/month</p><ul><li>One</li></ul></div>"
SIDE = '<div class="flex"><div class="w-1/4"><ul><li>a</li><li>b</li></ul></div><div class="w-3/4">text</div></div>'


def elements(markup: str) -> list[Element]:
    tree = parse(markup)
    assert not isinstance(tree, Reject)
    return elements_of(root_of(tree))


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("accordion", "<details><summary>a</summary>b</details>", "<p>accordion</p>"),
        ("article", "<article><p>a<p>b<p>c</article>", "<article><p>a<p>b</article>"),
        ("breadcrumb", '<ol class="Breadcrumb"><li>a</ol>', "<ol><li>breadcrumb</ol>"),
        ("button", '<a class="bg-blue-500 px-4 rounded">Go</a>', '<a class="text-blue-500">Go</a>'),
        ("card-grid", f'<div class="grid grid-cols-2">{CARD * 2}</div>', f"<div>{CARD * 2}</div>"),
        ("carousel", '<div class="carousel">a</div>', "<div>carousel</div>"),
        ("contact", "<p>Call 555-123-4567</p>", "<p>Call 5551234567890</p>"),
        ("dialog", "<dialog>a</dialog>", "<p>dialog</p>"),
        ("faq", "<h2>FAQ</h2><p>All that you have always asked.</p>", "<h2>FAQ</h2>"),
        (
            "figures",
            '<div class="flex"><div><p>12</p><p>Dogs</p></div><div><p>$3k</p></div><div><b>7%</b></div></div>',
            '<div class="flex"><div><p>Twelve</p></div><div><p>Three</p></div><div><p>Seven</p></div></div>',
        ),
        ("footer", "<footer>© us</footer>", "<footer></footer>"),
        ("form", "<form><input></form>", "<form>nothing</form>"),
        ("gallery", "<div><img><img><img></div>", "<div><img><img></div>"),
        ("hero", "<div><h1>Hello</h1><p>you</p><button>Go</button></div>", "<div><h1>Hello</h1><p>you</p></div>"),
        ("list", "<ul><li>a<li>b<li>c</ul>", "<nav><ul><li>a<li>b<li>c</ul></nav>"),
        ("login", '<input type="password">', '<input type="email">'),
        ("navbar", "<nav><a>a</a><a>b</a></nav>", "<footer><nav><a>a</a><a>b</a></nav></footer>"),
        ("newsletter", '<div>Newsletter <input type="email"></div>', '<div>Write <input type="email"></div>'),
        ("pagination", '<div class="pagination">1 2</div>', "<div>1 2</div>"),
        (
            "price-list",
            "<ul><li>Tea $1</li><li>Pie $2</li><li>Jam $3</li></ul>",
            "<ul><li>Tea $1</li><li>Pie</li></ul>",
        ),
        ("pricing", f"<div>{PLAN * 2}</div>", f"<div>{PRICED * 2}</div>"),
        ("products", f"<div>{PRICED * 2}</div>", f"<div>{PLAN * 2}</div>"),
        ("progress", "<progress></progress>", "<p>progress</p>"),
        ("quote", "<blockquote>a</blockquote>", "<q>a</q>"),
        ("search", '<input placeholder="Search here">', '<input placeholder="Name">'),
        ("sidebar", SIDE, SIDE.replace("w-1/4", "w-1/2").replace("w-3/4", "w-1/2")),
        ("table", "<table><tr><td>1<tr><td>2</table>", '<table role="presentation"><tr><td>1<tr><td>2</table>'),
        ("tabs", '<div role="tablist">a</div>', "<div>tabs</div>"),
        ("team", "<div><h2>Our Team</h2><img></div>", "<div><h2>Our Goal</h2><img></div>"),
        ("teasers", "<div><article>a</article><article>b</article></div>", "<div><article>a</article></div>"),
        ("testimonials", "<blockquote>a</blockquote><blockquote>b</blockquote>", "<h2>Testimonials</h2>"),
        ("video", "<video></video>", "<p>video</p>"),
    ],
)
def test_each_component(name: str, yes: str, no: str) -> None:
    assert name in components_of(elements(yes))
    assert name not in components_of(elements(no))


def test_every_component_has_a_test() -> None:
    cases = next(mark for mark in test_each_component.pytestmark if mark.name == "parametrize").args[1]  # type: ignore[attr-defined]
    assert {case[0] for case in cases} == set(COMPONENTS)


def test_an_empty_page_has_no_component() -> None:
    assert components_of(elements("")) == set()
    assert layouts_of(elements("")) == {"stacked"}


@pytest.mark.parametrize(
    ("markup", "layouts"),
    [
        ("<p>a</p>", {"stacked"}),
        (SIDE, {"sidebar-left"}),
        ('<div class="flex"><main>text</main><aside>links</aside></div>', {"sidebar-right"}),
        ('<div class="flex"><div class="w-1/2">a</div><div class="w-1/2">b</div></div>', {"split", "grid-2"}),
        ('<div class="min-h-screen flex items-center justify-center"><p>a</p></div>', {"centered"}),
        (
            '<h1>a long heading of many words</h1><div class="grid grid-cols-1 md:grid-cols-3"><p>a</p><p>b</p></div>',
            {"stacked", "grid-3"},
        ),
        ('<div class="grid md:grid-cols-none"><p>a</p><p>b</p></div>', {"stacked"}),
    ],
)
def test_layouts(markup: str, layouts: set[str]) -> None:
    assert layouts_of(elements(markup)) == layouts


OF_PARTS = {
    "side_menu": "sidebar",
    "footer": "footer",
    "features": "card-grid",
    "bullets": "list",
    "article": "article",
    "posts": "teasers",
    "questions": "faq",
    "figures": "figures",
    "data_table": "table",
    "products": "products",
    "gallery": "gallery",
    "dishes": "price-list",
    "plans": "pricing",
    "voices": "testimonials",
    "team": "team",
    "contact": "contact",
    "form": "form",
}
OF_SHELLS = {"side_left": "sidebar-left", "side_right": "sidebar-right", "bare": "centered", "centered": "centered"}


def test_parts_that_the_generator_put_into_a_page_are_found() -> None:
    for seed in range(150):
        rng = Random(seed)
        plan = plan_page(rng, PageOptions())
        page = elements(write_page(rng, plan).html)
        found = components_of(page)
        parts = [part for part in (plan.top, *plan.body, plan.side, plan.bottom) if part]
        assert {OF_PARTS[part.name] for part in parts if part.name in OF_PARTS} <= found, seed
        assert (plan.top is not None and plan.top.variant not in {4, 5}) <= ("navbar" in found)  # those have no links
        assert "sidebar" not in found or plan.side is not None
        assert plan.shell not in OF_SHELLS or OF_SHELLS[plan.shell] in layouts_of(page), seed


def test_against_a_reader_of_real_pages(shared_data: Path) -> None:
    pages = pq.read_table(shared_data / "websight", columns=["text"]).column("text").to_pylist()
    labels = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()][1:]
    n_right = n_found = n_named = 0
    for label in labels:
        assert sha256_hex(pages[label["row"]])[:16] == label["text_sha256"]
        found, named = components_of(elements(pages[label["row"]])), set(label["components"])
        n_right, n_found, n_named = n_right + len(found & named), n_found + len(found), n_named + len(named)
    assert len(labels) == 74
    assert n_right / n_found > 0.95
    assert n_right / n_named > 0.95
