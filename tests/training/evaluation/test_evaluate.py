"""Predictions in, scores and a page out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.clip_model import ClipModel, find_clip
from curation.errors import BadInputError
from rendering.pixels import encode_png
from rendering.renderer import Renderer
from tests.curation.tiny_models import tiny_clip
from tests.training.metrics.hostile import HOSTILE
from training.evaluation.evaluate import Evaluation, Settings, evaluate, result_json, size_name, write_result
from training.evaluation.page import evaluation_page, write_evaluation_page
from training.evaluation.predictions import Prediction
from training.metrics.workers import Workers

QUICK = Settings(n_resamples=60, n_examples=2)


def tables(model: str, wrong: int) -> list[Prediction]:
    """Ten tables, of which the first `wrong` lack a cell."""
    rows = []
    for number in range(10):
        true = f"<table><tr><td>a{number}</td><td>b</td></tr><tr><td>c</td><td>{number}</td></tr></table>"
        text = true.replace("<td>b</td>", "") if number < wrong else true
        classes = ("span:none", "even" if number % 2 == 0 else "odd")
        rows.append(Prediction(f"t{number}", "table_to_html", text, true, model, classes=classes))
    return rows


@pytest.fixture(scope="module")
def found(workers: Workers) -> Evaluation:
    return evaluate([*tables("good", 2), *tables("bad", 9)], QUICK, workers=workers)


def test_scores_by_model_class_and_size(found: Evaluation) -> None:
    [result] = found.tasks
    good, bad = result.overall
    assert (good.model, good.n, result.n_samples, result.main) == ("good", 10, 10, "teds")
    # A cell of six elements, and of the table's ten tokens' rows: one of 6 in each wrong one.
    assert good.scores["teds"].value == pytest.approx(1 - 0.2 / 6)
    assert bad.scores["teds"].value == pytest.approx(1 - 0.9 / 6)
    assert good.scores["teds"].low < good.scores["teds"].value < good.scores["teds"].high
    by_class = {(one.model, one.name): one for one in result.by_class}
    assert by_class["good", "even"].n == 5
    assert by_class["good", "span:none"].scores == good.scores
    assert by_class["good", "even"].scores["teds"].value == pytest.approx(1 - 0.2 / 6)
    assert [one.name for one in result.by_size if one.model == "good"] == ["0 to 99 characters"]
    assert result.signatures["bleu"].startswith("nrefs:1")
    assert size_name(250) == "100 to 299 characters"
    assert size_name(99_999) == "10,000 characters and more"


def test_models_are_compared_on_the_same_samples(found: Evaluation, workers: Workers) -> None:
    teds = next(one for one in found.tasks[0].compared if one.metric == "teds")
    assert (teds.model, teds.baseline, teds.n) == ("bad", "good", 10)
    assert teds.difference == pytest.approx(-0.7 / 6)
    assert teds.high < 0
    assert teds.p < 0.05
    three = [*tables("a", 1), *tables("b", 2), *tables("c", 3)[:5]]
    settings = Settings(("teds",), "b", n_resamples=20)
    pairs = {(one.model, one.baseline, one.n) for one in evaluate(three, settings, workers=workers).tasks[0].compared}
    assert pairs == {("a", "b", 10), ("c", "b", 5)}


def test_worst_and_best(found: Evaluation) -> None:
    [result] = found.tasks
    assert [found.rows[one.index].id for one in result.worst["good"]] == ["t0", "t1"]
    assert all(one.score == 1 for one in result.best["good"])
    assert all(found.rows[one.index].model == "bad" for one in result.worst["bad"])


def test_files_are_the_same_every_time(found: Evaluation, workers: Workers, tmp_path: Path) -> None:
    again = evaluate([*tables("good", 2), *tables("bad", 9)], QUICK, workers=workers)
    for name, result in (("one", found), ("two", again)):
        write_result(result, tmp_path / name)
    for file in ("evaluation.json", "scores.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    told = json.loads((tmp_path / "one" / "evaluation.json").read_text())
    assert told == json.loads(json.dumps(result_json(found)))
    assert told["tasks"][0]["worst"]["good"][0]["id"] == "t0"
    rows = pq.read_table(tmp_path / "one" / "scores.parquet").to_pylist()
    assert (len(rows), rows[0]["model"], rows[0]["id"]) == (20, "good", "t0")
    assert rows[0]["teds"] == pytest.approx(1 - 1 / 6, abs=1e-6)


def test_the_page_stands_alone_and_shows_both_renders(found: Evaluation, renderer: Renderer, tmp_path: Path) -> None:
    page = write_evaluation_page(found, tmp_path, renderer).read_text()
    assert page.count('alt="Prediction, rendered of') == page.count('alt="Truth, rendered of') == 8
    assert "Content-Security-Policy" in page
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert "bad less good" in page
    assert "under 0.002" in page or "0.0" in page


def test_texts_of_models_are_escaped(workers: Workers) -> None:
    row = Prediction("<script>1", "image_to_caption", "<img src=x onerror=alert(1)>\x1b", "a dog", "<b>m</b>")
    page = evaluation_page(evaluate([row], QUICK, workers=workers))
    assert "<script>1" not in page
    assert "<img src=x" not in page
    assert "&lt;b&gt;m" in page


def test_what_has_no_tool_is_said_and_has_no_number(workers: Workers) -> None:
    rows = [
        Prediction("1", "image_to_caption", "a dog", "a dog", "m"),
        Prediction("2", "page_to_html", "<p>a", "<p>a</p>", "m"),
        Prediction("3", "formula_to_latex", "x", "x", "m"),
    ]
    page, formula, caption = evaluate(rows, QUICK, workers=workers).tasks
    assert set(caption.not_measured) == {"bertscore", "clipscore"}
    assert set(page.not_measured) == {"design2code"}
    assert set(formula.not_measured) == {"pictures"}
    assert set(caption.overall[0].scores) == {"bleu", "chrf"}
    assert set(page.overall[0].scores) == {"dom_accuracy", "dom_recall", "bleu", "chrf"}


def test_formulas_and_pages_with_a_renderer(renderer: Renderer, workers: Workers) -> None:
    rows = [
        Prediction("1", "formula_to_latex", r"\frac{a}{b", r"\frac{a}{b}", "m"),
        Prediction("2", "formula_to_latex", r"\frac ab", r"\frac{a}{b}", "m"),
        Prediction("3", "page_to_html", "<h1>Words</h1>", "<h1>Words</h1>", "m"),
        Prediction("4", "page_to_html", "", "<h1>Words</h1>", "m"),
    ]
    found = evaluate(rows, QUICK, renderer=renderer, workers=workers)
    page, formula = found.tasks
    assert formula.overall[0].scores["picture_match"].value == 0.5
    assert formula.overall[0].scores["valid"].value == 0.5
    assert formula.causes == {"m": {"cut_off": 1, "missing_brace": 1}}
    assert formula.meaning["m"]["compared"] == 1.0
    assert page.overall[0].scores["design2code_blocks"].value == pytest.approx(0.5)
    assert "errors by cause" in evaluation_page(found, renderer).lower()


def test_with_a_clip_model(renderer: Renderer, workers: Workers, tmp_path: Path) -> None:
    clip = ClipModel(find_clip(str(tiny_clip(tmp_path)), ""), "cpu", "fp32", "auto")
    png = encode_png(Image.new("RGB", (40, 30), (200, 30, 30)))
    rows = [
        Prediction("1", "page_to_html", "<h1>Words</h1>", "<h1>Words</h1>", "m"),
        Prediction("2", "page_to_html", "", "<h1>Words</h1>", "m"),
        Prediction("3", "image_to_caption", "a red wall", "red", "m", png),
        Prediction("4", "image_to_caption", "a red wall", "red", "m", b"no picture"),
    ]
    found = evaluate(rows, QUICK, renderer=renderer, clip=clip, workers=workers)
    assert found.scores["page_to_html"].columns["design2code"] == pytest.approx([1, 0])
    assert found.scores["page_to_html"].columns["design2code_clip"] == pytest.approx([1, 0])
    first, second = found.scores["image_to_caption"].columns["clipscore"]
    assert first is not None
    assert 0 <= first <= 2.5
    assert second is None


def test_hostile_predictions_are_scored(renderer: Renderer, workers: Workers) -> None:
    true = {
        "table_to_html": "<table><tr><td>a</td></tr></table>",
        "formula_to_latex": r"\frac { a } { b }",
        "page_to_html": "<p>a</p>",
    }
    names = ["empty", "nested tags", "a megabyte", "half a surrogate pair", "control characters"]
    rows = [
        Prediction(f"{task} {name}", task, HOSTILE[name], reference, "m")  # type: ignore[arg-type]
        for task, reference in true.items()
        for name in names
    ]
    found = evaluate(rows, QUICK, renderer=renderer, workers=workers)
    for result in found.tasks:
        assert result.overall[0].n == len(names)
        for interval in result.overall[0].scores.values():
            assert 0 <= interval.value <= 60
    assert len(evaluation_page(found, renderer)) < 5_000_000


def test_what_cannot_be_evaluated_is_one_line(workers: Workers) -> None:
    rows = tables("m", 1)
    with pytest.raises(BadInputError, match="no predictions"):
        evaluate([], workers=workers)
    with pytest.raises(BadInputError, match="no metric 'tedz'"):
        evaluate(rows, Settings(("tedz",)), workers=workers)
    with pytest.raises(BadInputError, match="no model 'x' to compare"):
        evaluate(rows, Settings(baseline="x"), workers=workers)
