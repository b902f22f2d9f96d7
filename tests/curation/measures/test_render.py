"""`render` compares each row's picture with its target rendered again, as the row's task asks."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from curation.measures.render import RenderBack
from curation.sample import IMAGE_TYPE
from curation.stage import Batch
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

PAGE = "<!DOCTYPE html><html><body><h1>Harbour Festival</h1><p>Boats, bread and music.</p></body></html>"
OTHER = "<!DOCTYPE html><html><body><h1>Quarterly results</h1><p>Revenue rose.</p></body></html>"
TABLE = "<table><tbody><tr><td>Alpha</td><td>12</td></tr><tr><td>Beta</td><td>7</td></tr></tbody></table>"


def png_of(renderer: Renderer, markup: str, spec: RenderSpec) -> bytes:
    [rendered] = renderer.render([markup], spec)
    assert isinstance(rendered, Rendered), rendered
    return rendered.png


def retouched(png: bytes) -> bytes:
    """The same picture to look at, with one pixel that is not the same."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    ImageDraw.Draw(image).point((image.width - 1, image.height - 1), fill=(200, 200, 200))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def measured(
    rows: list[tuple[str, str, bytes | None]], image_origin: str = "source", lineage: str | None = None
) -> list[dict[str, object]]:
    table = pa.table(
        {
            "task": [task for task, _, _ in rows],
            "text": [text for _, text, _ in rows],
            "image_origin": [image_origin] * len(rows),
            "lineage": pa.array([lineage] * len(rows), pa.string()),
            "image": pa.array([{"bytes": data, "path": None} if data else None for _, _, data in rows], IMAGE_TYPE),
        }
    )
    with RenderBack("any").open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == RenderBack.adds
    return [dict(row) for row in columns.to_pylist()]


def test_rows_of_each_kind(renderer: Renderer) -> None:
    page = png_of(renderer, PAGE, RenderSpec(kind="page", width_px=900))
    table = png_of(renderer, TABLE, RenderSpec(kind="table"))
    same, read, false, cells, blank, missing = measured(
        [
            ("page_to_html", PAGE, page),
            ("page_to_html", PAGE, retouched(page)),
            ("page_to_html", OTHER, page),
            ("table_to_html", TABLE, table),
            ("page_to_html", "<html><body></body></html>", page),
            ("page_to_html", PAGE, None),
        ]
    )
    # The page is rendered as wide as its picture: 900 px give the same pixels.
    assert same["render_similarity"] == cells["render_similarity"] == 1.0
    assert read["render_similarity"] == pytest.approx(1.0, abs=0.05)
    assert read["render_text"] == 1.0
    assert read["render_color"] == pytest.approx(1.0, abs=0.05)
    assert isinstance(false["render_similarity"], float)
    assert false["render_similarity"] < 0.1
    assert (blank["blank"], blank["cutoff"], blank["render_failure"]) == (True, False, "blank")
    assert blank["render_similarity"] is blank["render_text"] is missing["render_similarity"] is None
    assert (same["blank"], same["cutoff"], same["render_failure"]) == (False, False, None)


def test_the_reader_is_part_of_the_key() -> None:
    from importlib.metadata import version

    assert RenderBack("any").reader == f"rapidocr {version('rapidocr')}"


def test_renders_of_ours_are_made_again_as_they_were(renderer: Renderer) -> None:
    rows = [
        (task, text, png_of(renderer, text, RenderSpec(kind)))
        for task, text, kind in (("formula_to_latex", "x^2", "formula"), ("table_to_html", TABLE, "table"))
    ]
    for lineage in (None, '{"seed":1}', '{"render":{"profile":"plain","seed":42,"version":1}}'):
        assert [row["render_similarity"] for row in measured(rows, "rendered", lineage)] == [1.0, 1.0]
    varied = measured(rows, "rendered", '{"render":{"profile":"web"}}')
    assert [row["render_similarity"] for row in varied] == [None, None]


def test_a_caption_is_not_rendered() -> None:
    [row] = measured([("image_to_caption", "A dog", None)])
    assert row["render_similarity"] is None
    assert row["render_failure"] is None
