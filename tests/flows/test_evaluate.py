"""`markupmill evaluate`: a config in, files and artifacts out; what is wrong with a config is one line."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from rendering.pixels import encode_png
from tests.flows.command_host import Commands


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def commands(home: Path) -> Iterator[Commands]:
    host = Commands(home)
    yield host
    host.close()


def predictions(path: Path) -> Path:
    rows = [
        {"id": str(number), "task": "formula_to_latex", "model": model, "reference": f"x ^ {{ {number} }}",
         "prediction": f"x ^ {{ {number if number % wrong else 0} }}"}
        for model, wrong in (("good", 5), ("bad", 2))
        for number in range(1, 7)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_predictions_are_scored_and_prefect_is_told(commands: Commands, home: Path, tmp_path: Path) -> None:
    rows = predictions(tmp_path / "rows.jsonl")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"predictions: [{rows}]\nmetrics: [latex, pictures, bleu]\ncompare_with: bad\nresamples: 50\n"
        f"examples: 1\nprocesses: 1\noutput: {tmp_path / 'out'}\n"
    )
    said = commands.run("evaluate", config)
    assert "formula_to_latex, 6 samples" in said
    assert "good: Likeness of the pictures" in said
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    [task] = found["tasks"]
    assert [one["scores"]["exact_match"]["value"] for one in task["overall"]] == [0.833333, 0.5]
    assert {one["baseline"] for one in task["compared"]} == {"bad"}
    assert "<title>Evaluation of good, bad" in (tmp_path / "out" / "evaluation.html").read_text()
    with contextlib.closing(sqlite3.connect(home / "prefect.db")) as database:
        artifacts = database.execute("select data from artifact where key = 'evaluation'").fetchall()
    assert len(artifacts) == 1
    assert "### formula_to_latex: 6 samples" in artifacts[0][0]
    assert "| Exact match | " in artifacts[0][0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("predictions: [a.jsonl]\nmetrix: [teds]", "metrix"),
        ("predictions: []", "predictions"),
        ("a: [", "is no YAML"),
        ("predictions: [gone.jsonl]", "There is no file 'gone.jsonl'"),
        ("predictions: [ROWS]\nmetrics: [tedz]", "There is no metric 'tedz'"),
        ("predictions: [ROWS]\ncompare_with: x", "There is no model 'x' to compare with"),
        ("predictions: [ROWS]\nbaselines: [{name: good, model: m}]", "Two models are called 'good'"),
        ("predictions: [ROWS]\nbaselines: [{name: b, model: m}]", "No row has a picture for the baseline b"),
    ],
)
def test_what_is_wrong_is_one_line(commands: Commands, tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("ROWS", str(predictions(tmp_path / "rows.jsonl"))))
    assert said in commands.run("evaluate", config, expect=2)


def test_baselines_predict_each_sample_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import evaluate
    from training.evaluation.predictions import Prediction

    class Always:
        def predict(self, images: Iterable[Image.Image], prompt: str) -> Iterator[str]:
            yield from (f"{prompt} {image.width}" for image in images)

    monkeypatch.setattr(evaluate, "open_baseline", lambda _: Always())
    png = encode_png(Image.new("RGB", (7, 5)))
    rows = [
        Prediction("1", "table_to_html", "a", "b", "one", png, ("tag:td",)),
        Prediction("1", "table_to_html", "c", "b", "two", png),
        Prediction("2", "page_to_html", "c", "b", "two", png),
        Prediction("3", "page_to_html", "c", "b", "two"),
    ]
    entry = evaluate.BaselineEntry(name="base", model="m")
    found = evaluate.predict_baseline(entry, rows)
    assert [(row.id, row.model, row.prediction) for row in found] == [
        ("1", "base", "Convert this table to HTML. 7"),
        ("2", "base", "Write the HTML of this web page. 7"),
    ]
    asked = evaluate.predict_baseline(entry.model_copy(update={"prompt": "Go."}), rows)
    assert asked[0].prediction == "Go. 7"
    assert found[0].prompt == "Convert this table to HTML."
