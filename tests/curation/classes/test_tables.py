from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from selectolax.lexbor import LexborNode

from curation.classes.tables import shapes_of, spans_in
from curation.generate.table_plan import TableOptions
from curation.generate.tables import generate_table
from curation.markup.canonical import Canonical, canonical
from curation.markup.tree import parse, root_of
from curation.reasons import Reject
from tests.curation.markup.real_html import real_texts


def table(rows: str) -> LexborNode:
    return only_table(f"<table>{rows}</table>")


def only_table(markup: str) -> LexborNode:
    tree = parse(markup)
    assert not isinstance(tree, Reject)
    found = root_of(tree).css_first("table")
    assert found is not None
    return found


def test_each_merged_extent_is_a_span() -> None:
    rows = "<tr><td colspan=2>a<td rowspan=3>b<td>c<tr><td colspan=2>d<th rowspan=2 colspan=2>e<td colspan=1>f"
    assert spans_in(table(rows)) == {"1x2", "3x1", "2x2"}
    assert spans_in(table("<tr><td>a")) == set()


@pytest.mark.parametrize(
    ("rows", "shapes"),
    [
        ("<tr><td>1", {"1x1", "header-0"}),
        ("<thead><tr><td>a<td>b<tbody><tr><td>1<td>2", {"2-4x2", "header-1"}),
        ("<tr><th>a<th>b<tr><th>c<th>d<tr><th>1<td>2", {"2-4x2", "header-2", "row-headers"}),
        ("<tr><td colspan=7>1" + "<tr><td>1" * 9, {"10-19x5-7", "header-0", "sections"}),
        ("<tr><td>1<td>2<tr><td><td>4<tr><td>5<td>6", {"2-4x2", "header-0", "empty-cells"}),
        ("<tr><td>1<td>2<tr><td><td>4", {"2-4x2", "header-0", "many-empty-cells"}),
        ("<tr><td>1<td>2<tr><td><img><td>4", {"2-4x2", "header-0"}),
        ("<tr><td>1<td>2<tr><td colspan=2>Group", {"2-4x2", "header-0", "sections"}),
        ("<tr><td>1<td>2<td>3<tr><td>Group<td><td>", {"2-4x3-4", "header-0", "sections", "many-empty-cells"}),
        ("<caption>x<tbody><tr><td>1<tfoot><tr><td>2", {"2-4x1", "header-0", "caption", "foot"}),
        ("<tr><td>1" * 60, {"50+x1", "header-0"}),
        ("", set()),
    ],
)
def test_shapes(rows: str, shapes: set[str]) -> None:
    assert shapes_of(table(rows)) == shapes


def test_what_the_generator_was_asked_for_is_found() -> None:
    for seed, (depth, span) in enumerate([(1, (2, 1)), (2, (1, 3)), (3, (2, 2)), (1, (4, 2))] * 5):
        options = TableOptions(header_depth=depth, spans=(span,), empty_share=0.0)
        form = canonical("table_to_html", generate_table(Random(seed), options))
        assert isinstance(form, Canonical)
        made = only_table(form.text)
        assert f"{span[0]}x{span[1]}" in spans_in(made)
        assert f"header-{depth}" in shapes_of(made)


def test_real_tables_have_a_size_and_a_header(shared_data: Path) -> None:
    for text in real_texts(shared_data, "pubtabnet-html"):
        form = canonical("table_to_html", text)
        assert isinstance(form, Canonical)
        shapes = shapes_of(only_table(form.text))
        assert sum(shape[0].isdigit() for shape in shapes) == 1
        assert sum(shape.startswith("header-") for shape in shapes) == 1
