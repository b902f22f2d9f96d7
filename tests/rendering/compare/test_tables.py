"""Tables against pictures of them: other fonts and widths leave a label true, one wrong cell makes it false."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from rendering.compare.alternatives import folded
from rendering.compare.table_cells import grid_cells
from rendering.compare.tables import compare_table
from rendering.pixels import decode_rgb
from rendering.renderer import Renderer
from rendering.result import Box, Rendered
from rendering.spec import RenderSpec

HEAD = "<thead><tr><td></td><td colspan=2>Treated</td><td>Control</td></tr></thead>"
ROWS = (
    "<tr><td>Patients</td><td>128</td><td>64%</td><td>131</td></tr>",
    "<tr><td>Mean age (years)</td><td>47.2</td><td>8.1</td><td>46.9</td></tr>",
    "<tr><td>Smokers</td><td>35</td><td>27%</td><td>41</td></tr>",
    "<tr><td>Blood pressure</td><td>138.5</td><td>12.4</td><td>140.7</td></tr>",
)


def table(head: str = HEAD, *rows: str) -> str:
    return f"<table>{head}<tbody>{''.join(rows or ROWS)}</tbody></table>"


TABLE = table()
FALSE = {
    "digit": TABLE.replace("47.2", "47.9"),
    "letter": TABLE.replace("Smokers", "Smokars"),
    "text": TABLE.replace("140.7", "Patients"),
    "row removed": table(HEAD, *ROWS[:2], ROWS[3]),
    "column removed": TABLE.replace("<td>64%</td>", "")
    .replace("<td>8.1</td>", "")
    .replace("<td>27%</td>", "")
    .replace("<td>12.4</td>", "")
    .replace(" colspan=2", ""),
    "cells swapped": TABLE.replace("47.2", "#").replace("140.7", "47.2").replace("#", "140.7"),
    "rows swapped": table(HEAD, ROWS[1], ROWS[0], *ROWS[2:]),
    "columns swapped": table(
        HEAD,
        "<tr><td>Patients</td><td>128</td><td>131</td><td>64%</td></tr>",
        "<tr><td>Mean age (years)</td><td>47.2</td><td>46.9</td><td>8.1</td></tr>",
        "<tr><td>Smokers</td><td>35</td><td>41</td><td>27%</td></tr>",
        "<tr><td>Blood pressure</td><td>138.5</td><td>140.7</td><td>12.4</td></tr>",
    ),
}
JOURNAL = "<style>table{font:11px 'Tinos',serif;border-spacing:9px 2px} td{text-align:center;max-width:90px}</style>"


@pytest.fixture(scope="module")
def rendered(renderer: Renderer) -> dict[str, Rendered]:
    made = renderer.render([TABLE, *FALSE.values()], RenderSpec(kind="table"))
    assert all(isinstance(result, Rendered) for result in made), made
    return dict(zip(["true", *FALSE], made, strict=True))  # type: ignore[arg-type]  # asserted


NARROWER = TABLE.replace("<td colspan=2>Treated</td>", "<td>Treated</td><td></td>")


@pytest.fixture(scope="module")
def source(renderer: Renderer) -> Image.Image:
    """The same table as a small picture in a serif font, with other spaces and lines broken elsewhere, as JPEG."""
    [made] = renderer.render([JOURNAL + TABLE], RenderSpec(kind="page", width_px=420))
    assert isinstance(made, Rendered), made
    packed = io.BytesIO()
    Image.open(io.BytesIO(made.png)).convert("RGB").save(packed, "JPEG", quality=75)
    return Image.open(packed).convert("RGB")


def test_a_true_label_scores_high_in_another_typography(source: Image.Image, rendered: dict[str, Rendered]) -> None:
    told = compare_table(source, rendered["true"])
    assert told.score > 0.6
    assert told.parts["word_recall"] > 0.9
    assert told.parts["word_precision"] > 0.9
    assert told.parts["text"] > 0.95
    assert told.parts["position"] > 0.8
    assert told.regions == ()


def test_a_span_that_is_too_narrow_is_seen_by_where_its_text_stands(
    renderer: Renderer, source: Image.Image, rendered: dict[str, Rendered]
) -> None:
    [narrower] = renderer.render([NARROWER], RenderSpec(kind="table"))
    assert isinstance(narrower, Rendered)
    assert compare_table(source, narrower).score < compare_table(source, rendered["true"]).score - 0.2


@pytest.mark.parametrize("name", FALSE)
def test_a_false_label_scores_low(source: Image.Image, rendered: dict[str, Rendered], name: str) -> None:
    true, false = (compare_table(source, rendered[which]) for which in ("true", name))
    assert false.score < true.score - 0.2
    assert false.regions


HEADS = (
    "<tr><td></td><td colspan=2>{0}</td><td></td></tr>"
    "<tr><td></td><td>No. of patients discharged in 6 months</td><td>No. of patients discharged in 6 months</td>"
    "<td>No. of patients discharged in 12 months</td></tr>"
    "<tr><td>Age below 5 <sup>a</sup></td><td>44</td><td>51</td><td>650</td></tr>"
    "<tr><td>Age 5 or above</td><td>36</td><td>40</td><td>382</td></tr>"
)
SPAN = "Admitted to public hospitals"


def test_cells_of_several_lines_and_what_spans_columns(renderer: Renderer) -> None:
    """The words of a line are the same in cells side by side; which lines are a cell's is told by where it is."""
    spanning = "<table>" + HEADS.format(SPAN) + "</table>"
    labels = {
        "true": spanning,
        "word": spanning.replace("in 12 months", "in 11 months"),
        "span": spanning.replace("<td colspan=2>" + SPAN + "</td>", "<td>" + SPAN + "</td><td></td>"),
    }
    [made] = renderer.render([JOURNAL + spanning], RenderSpec(kind="page", width_px=420))
    assert isinstance(made, Rendered), made
    source = Image.open(io.BytesIO(made.png)).convert("RGB")
    scores = {}
    for name, rendered in zip(labels, renderer.render([*labels.values()], RenderSpec(kind="table")), strict=True):
        assert isinstance(rendered, Rendered), rendered
        scores[name] = compare_table(source, rendered).score
    assert scores["true"] > 0.6
    assert scores["word"] < 0.45
    assert scores["span"] < 0.45


def test_the_wrong_cell_is_marked(source: Image.Image, rendered: dict[str, Rendered]) -> None:
    [region] = compare_table(source, rendered["digit"]).regions
    [box] = [box for box in rendered["digit"].boxes if box.text == "47.9"]
    assert (region.kind, region.x_px, region.y_px) == ("text", box.x_px, box.y_px)
    assert region.detail == "47.2"


def test_a_blank_picture_shows_no_table(rendered: dict[str, Rendered]) -> None:
    told = compare_table(Image.new("RGB", (200, 100), (255, 255, 255)), rendered["true"])
    assert told.score < 0.1
    assert told.parts["word_recall"] == 0.0


def test_cells_tell_text_and_grid_on_a_sheet_and_alone(renderer: Renderer) -> None:
    plain = (
        "<table><tr><th>A&nbsp;<b>b</b></th><td rowspan=2>x<sup>2</sup></td></tr><tr><td>one<br>two</td></tr></table>"
    )
    alone = plain.replace("<table>", "<table style='background:url(x)'>")
    for markup in (plain, alone):
        [made] = renderer.render([markup], RenderSpec(kind="table"))
        assert isinstance(made, Rendered)
        assert [box.text for box in made.boxes] == ["A b", "x2", "one two"]
        assert [(cell.rows, cell.columns) for cell in grid_cells(made.boxes)] == [
            ((0, 0), (0, 0)),
            ((0, 1), (1, 1)),
            ((1, 1), (0, 0)),
        ]


def test_the_grid_is_told_by_edges() -> None:
    boxes = [
        Box("caption", 0, -20, 30, 10, "Table 1"),
        Box("td", 0, 0, 30.2, 10, "over both"),
        Box("td", 0, 10, 10, 10, "a"),
        Box("td", 10.3, 10, 20, 10, "b"),
    ]
    assert [(cell.rows, cell.columns) for cell in grid_cells(boxes)] == [
        ((0, 0), (0, 1)),
        ((1, 1), (0, 0)),
        ((1, 1), (1, 1)),
    ]
    assert grid_cells([]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a b", "ab"), ("−5 – 3", "-5-3"), ("10 µm", "10μm"), ("ﬁve", "five"), ("“x”", '"x"'), ("é", "é"), ("", "")],
)
def test_letters_that_look_alike_are_one(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_real_pictures_of_journals(renderer: Renderer, shared_data: Path) -> None:
    """PubTabNet's own pictures: true labels are told from each other's and from one with a digit changed."""
    rows = pq.read_table(next((shared_data / "pubtabnet-html").glob("*.parquet"))).to_pylist()
    rows = [rows[i] for i in (2, 9, 13)]  # small ones: reading takes a second for each 50 words
    texts = [row["html_table"] for row in rows]
    changed = [_other_digit(text) for text in texts]
    made = renderer.render([*texts, *changed], RenderSpec(kind="table"))
    for index, row in enumerate(rows):
        source = decode_rgb(row["image"]["bytes"])
        assert isinstance(source, Image.Image)
        true, other, false = (made[i] for i in (index, (index + 1) % len(rows), len(rows) + index))
        assert isinstance(true, Rendered)
        assert isinstance(other, Rendered)
        assert isinstance(false, Rendered)
        score = compare_table(source, true).score
        assert score > 0.4
        assert compare_table(source, false).score < score - 0.1
        assert compare_table(source, other).score < 0.05


def _other_digit(markup: str) -> str:
    """The last digit of the table's text is another one."""
    at = max(i for i, letter in enumerate(markup) if letter.isdigit())
    return markup[:at] + str((int(markup[at]) + 5) % 10) + markup[at + 1 :]
