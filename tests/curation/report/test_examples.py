"""Examples: small pictures, cut texts, and for markup what it renders to and what differs."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from curation.report.examples import TEXT_CHARS, THUMBNAIL_PX, compared_examples_at, example_of, small, thumbnail
from curation.report.measuring import Choice, measure_subject
from curation.report.rows import ReportRows
from curation.report.subject import Asked, open_subject
from curation.sample import IMAGE_TYPE
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec
from tests.curation.report.strangers import picture, write_parquet

TABLE = "<table><tr><td>{}</td><td>{}</td></tr><tr><td>apples</td><td>7</td></tr></table>"


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_a_thumbnail_fits_and_is_png_or_jpeg_whichever_is_smaller() -> None:
    noise = Image.effect_noise((1_000, 700), 90).convert("RGB")
    plain = Image.new("RGB", (1_000, 700), "white")
    assert (opened(small(noise)).format, opened(small(plain)).format) == ("JPEG", "PNG")
    for image in (noise, plain):
        width, height = opened(small(image)).size
        assert width <= THUMBNAIL_PX[0]
        assert height <= THUMBNAIL_PX[1]
    assert thumbnail(picture(1)[:40]) is None
    assert thumbnail(None) is None


def test_an_example_tells_what_was_measured_and_cuts_long_texts() -> None:
    row = {
        "id": "i",
        "task": "image_to_caption",
        "text": "x" * 5_000,
        "source_key": None,
        "image": {"bytes": picture(1)},
    }
    example = example_of(row | {"clip_cosine": 0.31234567, "n_tokens": None, "original_caption": "A man."}, "Worst.")
    assert (example.title, example.scores) == ("i", {"clip_cosine": 0.3123})
    assert len(example.text) == TEXT_CHARS + 1
    assert example.note == "Worst. Before: A man."
    chat = {
        "id": "c",
        "task": "image_chat",
        "text": None,
        "messages": [{"role": "user", "content": "What?"}],
        "image": None,
    }
    assert example_of(chat).text == "user: What?"
    assert example_of(chat).picture is None


def test_markup_is_rendered_again_and_what_differs_is_in_colour(tmp_path: Path, renderer: Renderer) -> None:
    texts = [TABLE.format("pears", 3), TABLE.format("pears", 3)]
    made = renderer.render([texts[0], TABLE.format("plums", 9)], RenderSpec("table"))
    assert all(isinstance(one, Rendered) for one in made)
    pictures = [{"bytes": one.png, "path": None} for one in made if isinstance(one, Rendered)]
    table = pa.table({"image": pa.array(pictures, IMAGE_TYPE), "html_table": pa.array(texts)})
    subject = open_subject(Asked(str(write_parquet(tmp_path / "data", table))), str(tmp_path / "ws"))
    measured = measure_subject(subject, Choice(("markup",)))
    rows = ReportRows(subject.workspace, measured.shards)
    same, other = compared_examples_at(rows, [(0, 0), (0, 1)], {(0, 1): "Look."})
    for example in (same, other):
        assert example.picture is not None
        assert example.rerendered is not None
        assert example.difference is not None
    assert other.note == "Look."
    assert colored(same.difference) == 0
    assert colored(other.difference) > 20


def colored(data: bytes | None) -> int:
    """Pixels that are red or blue."""
    assert data is not None
    pixels = np.asarray(opened(data).convert("RGB"), np.int16)
    return int((abs(pixels[..., 0] - pixels[..., 2]) > 60).sum())


@pytest.mark.parametrize("places", [[], [(0, 1), (0, 0)]])
def test_places_are_told_in_the_order_that_they_are_asked_in(tmp_path: Path, places: list[tuple[int, int]]) -> None:
    subject = open_subject(Asked(str(write_parquet(tmp_path / "data"))), str(tmp_path / "ws"))
    rows = ReportRows(subject.workspace, measure_subject(subject, Choice(("markup",))).shards)
    assert [one.title for one in compared_examples_at(rows, places, {})] == [f"img-{row}" for _, row in places]
