from __future__ import annotations

from pathlib import Path

import pytest

from curation.markup.canonical import Canonical
from curation.markup.tables import Cell, canonical_table, resolve_grid
from curation.reasons import Reason, Reject
from rendering.renderer import Renderer
from tests.curation.markup.real_html import FOLDERS, pixel_differences, real_texts

TABLE_FOLDERS = [folder for folder, (task, _, _) in FOLDERS.items() if task == "table_to_html"]


def table(text: str) -> Canonical:
    result = canonical_table(text)
    assert isinstance(result, Canonical), result
    return result


def cells(text: str) -> str:
    """The canonical form of `text` as one row of cells."""
    return (
        table(f"<table><tr>{text}</table>")
        .text.removeprefix("<table><tbody><tr>")
        .removesuffix("</tr></tbody></table>")
    )


def refused(text: str) -> Reject:
    result = canonical_table(text)
    assert isinstance(result, Reject), result
    return result


# Extraction


@pytest.mark.parametrize(
    "source",
    [
        "<table><tr><td>a</td></tr></table>",
        "<html><body><table><tbody><tr><td>a</td></tr></tbody></table></body></html>",
        "<!DOCTYPE html><html><head><title>t</title></head><body>\n<table>\n<tr>\n<td>\n a\n</td></tr></table>\n",
        "```html\n<table><td>a\n```",
        "<table><!-- b --><td>a<script>c</script></table>",
    ],
)
def test_the_table_alone_without_a_warning(source: str) -> None:
    assert table(source) == Canonical("<table><tbody><tr><td>a</td></tr></tbody></table>")


def test_what_is_lost_around_the_table_is_a_warning() -> None:
    result = table("<style>td{color:red}</style><h1>Title</h1><center><table><td style=color:red>a</table></center>")
    assert result.text == "<table><tbody><tr><td>a</td></tr></tbody></table>"
    assert result.warnings == (
        "1 style sheets left out",
        "1 styles of table parts removed",
        "text and 2 elements around the table left out",
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<p>a</p>", Reason.TABLE_MISSING),
        ("<tr><td>a</td></tr>", Reason.TABLE_MISSING),
        ("a | b", Reason.TABLE_MISSING),
        ("<table><td><table><td>a</table></table>", Reason.TABLE_NESTED),
        ("<table><td>a</table><table><td>b</table>", Reason.TABLE_SEVERAL),
        ("<table></table>", Reason.MARKUP_EMPTY),
        ("<table><caption>a</caption><tr></tr></table>", Reason.MARKUP_EMPTY),
        ("<table><td>a<td hidden>b</table>", Reason.MARKUP_INVALID),
        ("<table><td>a<td style='display: none'>b</table>", Reason.MARKUP_INVALID),
    ],
)
def test_not_one_table(source: str, reason: Reason) -> None:
    assert refused(source).reason == reason


# Attributes


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<td colspan=1 rowspan='1'>a", "<td>a</td>"),
        ("<td colspan=0>a", "<td>a</td>"),  # a browser takes it for 1
        ("<td colspan=' 2x'>a", '<td colspan="2">a</td>'),
        ("<td colspan=-2>a", "<td>a</td>"),
        ("<td rowspan=0>a", "<td>a</td>"),  # to the end of its row group of one row
        ("<th scope=row class=a style='color:red' id=b data-c=d onclick=e()>a", "<th>a</th>"),
        ("<td align=right bgcolor=red nowrap>a", '<td align="right" bgcolor="red" nowrap="">a</td>'),
        ('<td><a class="b" href="#c">a</a>', '<td><a href="#c">a</a></td>'),
        ('<td><i style="color:red">a</i>', '<td><i style="color:red">a</i></td>'),
        ('<td><svg><g id="b" class="c"></g></svg>', '<td><svg><g id="b" class="c"></g></svg></td>'),
    ],
)
def test_attributes_that_draw_nothing_go(source: str, expected: str) -> None:
    assert cells(source) == expected


def test_attributes_of_the_table_that_draw_stay() -> None:
    source = (
        '<table frame="hsides" rules="groups" width="100%" class="a" summary="b"><tbody><tr><td>a</td></tr></tbody>'
    )
    assert table(source).text.startswith('<table frame="hsides" rules="groups" width="100%"><tbody>')


def test_a_span_to_the_end_of_its_row_group_is_written_as_a_number() -> None:
    source = "<table><tr><td rowspan=0>a<td>b<tr><td>c<tr><td>d</table>"
    assert '<td rowspan="3">a</td>' in table(source).text


# White space


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<td>\n  a  \n</td>  <td> </td>", "<td>a</td><td></td>"),
        ("<td> <b> a </b> </td>", "<td><b>a</b></td>"),
        ("<td>a <b> b </b> c", "<td>a <b>b </b>c</td>"),  # the first of two runs stays
        ("<td>Stock\n   <sup>\n  (1)\n </sup>\n</td>", "<td>Stock <sup>(1)</sup></td>"),
        ("<td>a <br> b", "<td>a<br>b</td>"),
        ("<td> <p> a </p> <p> b </p> ", "<td><p>a</p><p>b</p></td>"),
        ("<td> &nbsp; a", "<td>&nbsp; a</td>"),
        ("<td>a <img src=b> c ", '<td>a <img src="b"> c</td>'),
        ("<td><ul> <li> a </li> </ul>", "<td><ul> <li> a </li> </ul></td>"),  # a marker may stand before it
        ("<td>a <i style='display:inline-block'> b </i> c", '<td>a <i style="display:inline-block"> b </i> c</td>'),
        ("<td><pre>\n\n a\n b </pre>", "<td><pre>\n\n a\n b </pre></td>"),
        ("<td>中\n文", "<td>中 文</td>"),
    ],
)
def test_white_space_that_shows_nothing_goes(source: str, expected: str) -> None:
    assert cells(source) == expected


# The grid


def test_each_slot_names_its_cell() -> None:
    head = [[Cell(rowspan=2), Cell(colspan=2)], [Cell(), Cell()]]
    body = [[Cell(), Cell(rowspan=0), Cell()], [Cell(), Cell()]]
    assert resolve_grid([head, body]) == [[0, 1, 1], [0, 2, 3], [4, 5, 6], [7, 5, 8]]


def test_a_row_that_others_span_whole_needs_no_cell() -> None:
    assert resolve_grid([[[Cell(rowspan=2)], []]]) == [[0], [0]]


@pytest.mark.parametrize(
    ("row_groups", "reject"),
    [
        # a grows down beside b; c is two wide and grows over it
        (
            [[[Cell(), Cell(rowspan=2)], [Cell(colspan=2)]]],
            Reject(Reason.TABLE_SPANS_OVERLAP, "row 2, column 1"),
        ),
        ([[[Cell(), Cell()], [Cell()]]], Reject(Reason.TABLE_RAGGED, "row 2 covers 1 of 2 columns")),
        ([[[Cell()], []]], Reject(Reason.TABLE_RAGGED, "row 2 covers 0 of 1 columns")),
        (
            [[[Cell(rowspan=2), Cell()]], [[Cell(), Cell()]]],  # from the head into the body
            Reject(Reason.TABLE_RAGGED, "row 1: a rowspan of 2 with 1 rows left"),
        ),
        ([], Reject(Reason.MARKUP_EMPTY, "a table without cells")),
        ([[[Cell(colspan=1000)] * 1001]], Reject(Reason.MARKUP_TOO_LARGE, "a grid of more than 1000000 slots")),
    ],
)
def test_a_grid_that_does_not_resolve_says_where(row_groups: list[list[list[Cell]]], reject: Reject) -> None:
    assert resolve_grid(row_groups) == reject


def test_spans_are_read_from_the_markup() -> None:
    assert refused("<table><tr><td>a<td rowspan=2>b<tr><td colspan=2>c</table>").reason == Reason.TABLE_SPANS_OVERLAP
    assert refused("<table><tr><td>a<td>b<tr><td>c</table>").reason == Reason.TABLE_RAGGED
    assert refused("<table><tr><td rowspan=9>a</table>").reason == Reason.TABLE_RAGGED


# Real tables


@pytest.mark.parametrize("folder", TABLE_FOLDERS)
def test_no_real_table_is_refused_and_nothing_of_one_is_lost(shared_data: Path, folder: str) -> None:
    for text in real_texts(shared_data, folder):
        result = table(text)
        assert result.warnings == ()
        assert result.text.startswith("<table")
        assert result.text.endswith("</table>")
        assert "\n" not in result.text


@pytest.mark.parametrize("folder", TABLE_FOLDERS)
def test_real_tables_show_the_same(shared_data: Path, renderer: Renderer, folder: str) -> None:
    pairs = [(source, table(source).text) for source in real_texts(shared_data, folder)]
    assert all(source != form for source, form in pairs)
    assert pixel_differences(renderer, "table_to_html", pairs) == []


@pytest.mark.parametrize(
    "content",
    [
        "a <b> b </b> c  <u> d </u> ",
        " <i> a</i> <br> <u> b </u> <br>c",
        "<p> a </p> b <div> c </div> d",
        "a <wbr> b <q> c </q> <span style='padding:9px'> d </span> e",
        "<ul> <li> a </li> </ul> b <button> c </button> d",
        "<pre>\n\n a  b</pre> c <textarea> d  e </textarea> f",
        "a\u200b\nb <sup>\n(1)\n</sup> , c",
    ],
)
def test_white_space_in_cells_shows_the_same(renderer: Renderer, content: str) -> None:
    source = f"<table border=1><tr>\n <td colspan='1'> {content} </td> <td> x\n y </td></tr></table>"
    assert pixel_differences(renderer, "table_to_html", [(source, table(source).text)]) == []
