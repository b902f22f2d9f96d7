"""Formulas against pictures of them: a true one scores high, one wrong symbol shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageFilter

from rendering.compare.comparison import Comparison
from rendering.compare.formulas import compare_formula
from rendering.pixels import crop_to_ink, decode_rgb
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

FORMULA = r"E _ { n } = \sum _ { k = 1 } ^ { \infty } \frac { a _ { k } + \lambda ^ { 2 } } { \sqrt { 1 - v ^ { 2 } } }"
FALSE = {
    "letter": FORMULA.replace("a _ { k }", "b _ { k }"),
    "greek": FORMULA.replace(r"\lambda", r"\mu"),
    "sign": FORMULA.replace("1 - v", "1 + v"),
    "digit": FORMULA.replace(r"\lambda ^ { 2 }", r"\lambda ^ { 3 }"),
    "missing subscript": FORMULA.replace("_ { n }", ""),
    "missing term": FORMULA.replace(r"+ \lambda ^ { 2 }", ""),
    "swapped": FORMULA.replace("E _ { n }", "n _ { E }"),
    "other formula": r"\int _ { 0 } ^ { 1 } d x \, \psi ( x ) = \hbar \omega ( m + \frac { 1 } { 2 } )",
}
SPEC = RenderSpec(kind="formula", scale=2.0)


@pytest.fixture(scope="module")
def rendered(renderer: Renderer) -> dict[str, Rendered]:
    made = renderer.render([FORMULA, *FALSE.values()], SPEC)
    assert all(isinstance(result, Rendered) for result in made), made
    return dict(zip(["true", *FALSE], made, strict=True))  # type: ignore[arg-type]  # asserted


def picture_of(rendered: Rendered) -> Image.Image:
    return Image.open(io.BytesIO(rendered.png)).convert("RGB")


def worn(image: Image.Image, scale: float) -> Image.Image:
    """Another size, blurred, noisy, JPEG."""
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    noisy = np.asarray(image.filter(ImageFilter.GaussianBlur(0.5)), dtype=np.float64)
    noisy = np.clip(noisy + np.random.default_rng(1).normal(0, 5, noisy.shape), 0, 255)
    packed = io.BytesIO()
    Image.fromarray(noisy.astype(np.uint8)).save(packed, "JPEG", quality=60)
    return Image.open(packed).convert("RGB")


def test_a_true_formula_scores_high(rendered: dict[str, Rendered]) -> None:
    # Not 1: sources are taken to be LaTeX's, which sets formulas a little narrower.
    told = compare_formula(picture_of(rendered["true"]), rendered["true"])
    assert told.score > 0.8
    assert told.parts["f1"] == 1.0
    assert told.regions == ()


def test_it_is_the_same_every_time(rendered: dict[str, Rendered]) -> None:
    source = worn(picture_of(rendered["true"]), 1.3)
    assert compare_formula(source, rendered["true"]) == compare_formula(source, rendered["true"])


@pytest.mark.parametrize("scale", [0.8, 1.7])
def test_size_blur_noise_and_jpeg_leave_it_true(rendered: dict[str, Rendered], scale: float) -> None:
    source = worn(picture_of(rendered["true"]), scale)
    true = compare_formula(source, rendered["true"]).score
    assert true > max(compare_formula(source, rendered[name]).score for name in FALSE)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_formula_scores_lower(rendered: dict[str, Rendered], name: str) -> None:
    source = picture_of(rendered["true"])
    told = compare_formula(source, rendered[name])
    assert told.score < compare_formula(source, rendered["true"]).score - 0.15
    assert told.regions


def test_the_wrong_symbol_is_marked_where_it_is(rendered: dict[str, Rendered]) -> None:
    told = compare_formula(picture_of(rendered["true"]), rendered["letter"])
    width_px, height_px = rendered["letter"].width_px, rendered["letter"].height_px
    # `a_k` stands in the upper half of the fraction on the right.
    assert any(
        region.x_px > 0.4 * width_px and region.y_px + region.height_px < 0.6 * height_px for region in told.regions
    )
    assert all(0 <= region.x_px <= width_px and 0 <= region.y_px <= height_px for region in told.regions)


def test_light_on_dark_is_the_same_formula(rendered: dict[str, Rendered]) -> None:
    inverted = Image.fromarray(255 - np.asarray(picture_of(rendered["true"])))
    assert compare_formula(inverted, rendered["true"]).score > 0.8


def test_a_blank_picture_is_no_formula(rendered: dict[str, Rendered]) -> None:
    blank = Image.new("RGB", (300, 60), (255, 255, 255))
    assert compare_formula(blank, rendered["true"]) == Comparison(0.0, {"ncc": 0.0, "f1": 0.0, "worst": 0.0})


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (2000, 2)])
def test_any_size_of_picture_is_answered(rendered: dict[str, Rendered], size: tuple[int, int]) -> None:
    source = Image.new("RGB", size, (255, 255, 255))
    source.putpixel((0, 0), (0, 0, 0))
    assert 0.0 <= compare_formula(source, rendered["true"]).score < 0.5


def test_real_pictures_of_latex(renderer: Renderer, shared_data: Path) -> None:
    """im2markup's pictures were set by LaTeX: true pairs score high, each other's markup near nothing."""
    file = min((shared_data / "latex-im2markup").glob("*.parquet"))
    batch = next(pq.ParquetFile(file).iter_batches(batch_size=12)).to_pylist()
    formulas = [row["text"].split(r"\label")[0] for row in batch]
    made = renderer.render(formulas, SPEC)
    pairs = []
    for row, result in zip(batch, made, strict=True):
        if isinstance(result, Rendered) and len(pairs) < 5:
            page = decode_rgb(row["image"]["bytes"])
            assert isinstance(page, Image.Image)
            source = crop_to_ink(page, 8)
            assert source is not None
            pairs.append((source, result))
    true = [compare_formula(source, result).score for source, result in pairs]
    other = [compare_formula(pairs[i - 1][0], pairs[i][1]).score for i in range(len(pairs))]
    assert min(true) > max(other)
    assert np.median(true) > 0.7
    assert max(other) < 0.3
