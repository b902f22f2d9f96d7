from __future__ import annotations

import time

from curation.classes.sample_classes import classes_of


def test_a_page() -> None:
    page = "<html><head></head><body><nav><a>a</a><a>b</a></nav><table><tr><td rowspan=2>c</table></body></html>"
    assert classes_of("page_to_html", page, None) == [
        "component:navbar",
        "layout:stacked",
        "span:2x1",
        *(f"tag:{tag}" for tag in ("a", "body", "head", "html", "nav", "table", "tbody", "td", "tr")),
    ]


def test_a_table() -> None:
    table = "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td><b>1</b></td></tr></tbody></table>"
    assert classes_of("table_to_html", table, None) == [
        "shape:2-4x1",
        "shape:header-1",
        *(f"tag:{tag}" for tag in ("b", "table", "tbody", "td", "th", "thead", "tr")),
    ]


def test_a_formula() -> None:
    formula = r"\begin{aligned} \frac { a } { b } \end{aligned}"
    assert classes_of("formula_to_latex", formula, None) == [r"cmd:\frac", "env:aligned"]
    assert classes_of("formula_to_latex", "x", None) == []


def test_a_caption_names_objects_unless_its_source_does() -> None:
    assert classes_of("image_to_caption", "A dog on a sofa.", None) == ["object:couch", "object:dog"]
    assert classes_of("image_to_caption", "A dog on a sofa.", ["Cat", " ", "Cat"]) == ["object:cat"]
    assert classes_of("image_to_caption", "A dog on a sofa.", []) == []  # the source says that there is none
    assert classes_of("image_to_caption", "The quiet beauty of an autumn morning.", None) == []


def test_what_cannot_be_told_is_null() -> None:
    assert classes_of("image_to_caption", "Воздушный змей летит высоко над берегом моря.", None) is None
    assert classes_of("image_to_caption", None, None) is None
    assert classes_of("image_chat", None, None) is None
    assert classes_of("image_chat", None, ["dog"]) == ["object:dog"]
    assert classes_of("page_to_html", "<div>" * 1_000, None) is None
    assert classes_of("page_to_html", "", None) is None
    assert classes_of("table_to_html", "<p>no table", None) is None


def test_names_of_any_length_are_no_classes() -> None:
    found = classes_of("page_to_html", f"<x-y>a</x-y><{'a' * 500}>b", None)
    assert found is not None
    assert "tag:x-y" in found
    assert max(map(len, found)) < 40


def test_hostile_pages_take_no_longer_than_to_parse_a_few_times() -> None:
    for page in (
        "<h2>Contact</h2>" * 15_000,
        "<div>" * 450 + "<footer>a@b.c</footer>" * 8_000,
        "<ul>" + "<li>$1" * 15_000,
    ):
        start = time.process_time()
        assert classes_of("page_to_html", page, None)
        assert time.process_time() - start < 5
