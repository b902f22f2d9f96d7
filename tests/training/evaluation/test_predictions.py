"""Files of predictions: what is read, and what is refused with one line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import AddressError, SchemaError
from training.evaluation.predictions import Prediction, read_predictions, write_predictions

ROW = {"id": "1", "task": "formula_to_latex", "prediction": "x", "reference": "y"}
PNG = b"\x89PNG picture"


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(PNG)
    rows = [
        ROW | {"classes": ["cmd:a", "cmd:a"], "prompt": "Write it."},
        ROW | {"id": "2", "prediction": None, "model": "other", "image": "1.png"},
        ROW | {"id": "3", "image": {"bytes": base64.b64encode(PNG).decode()}},
    ]
    one, two, three = read_predictions([written(tmp_path / "mine.jsonl", *rows)])
    assert one == Prediction("1", "formula_to_latex", "x", "y", "mine", None, ("cmd:a",), "Write it.")
    assert (two.model, two.prediction, two.image) == ("other", "", PNG)
    assert three.image == PNG


def test_parquet_round_trip(tmp_path: Path) -> None:
    rows = [
        Prediction("1", "table_to_html", "<table>", "<table></table>", "m", PNG, ("tag:td",), "Convert it."),
        Prediction("2", "table_to_html", "", "", "m"),
    ]
    write_predictions(rows, tmp_path / "rows.parquet")
    assert read_predictions([tmp_path / "rows.parquet"]) == rows


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "1"}], "mine.jsonl, row 1 has no 'task'"),
        ([ROW | {"task": "poem"}], "there is no task 'poem'"),
        ([ROW | {"reference": None}], "reference is no string"),
        ([ROW | {"prediction": 3}], "prediction is no string"),
        ([ROW | {"classes": "cmd:a"}], "classes is no list of strings"),
        ([ROW | {"image": "../../etc/passwd"}], "its image cannot be read"),
        ([ROW, ROW], "has two predictions for '1'"),
        ([ROW | {"prompt": "USER: write", "prediction": "USER: write x"}], "begins with its prompt"),
    ],
)
def test_what_is_refused(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(SchemaError, match=said.replace(".", r"\.")):
        read_predictions([written(tmp_path / "mine.jsonl", *rows)])


def test_one_prediction_that_begins_with_the_prompt_is_a_models_own(tmp_path: Path) -> None:
    rows = [ROW | {"prompt": "x", "prediction": "x y"}, ROW | {"id": "2", "prompt": "x", "prediction": "y"}]
    assert len(read_predictions([written(tmp_path / "mine.jsonl", *rows)])) == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="There is no file"):
        read_predictions([tmp_path / "none.jsonl"])
    (tmp_path / "rows.csv").touch()
    with pytest.raises(AddressError, match=r"ends in \.jsonl"):
        read_predictions([tmp_path / "rows.csv"])
    (tmp_path / "rows.parquet").write_bytes(b"no")
    with pytest.raises(SchemaError, match="no Parquet"):
        read_predictions([tmp_path / "rows.parquet"])
    (tmp_path / "rows.jsonl").write_text("[1]\n")
    with pytest.raises(SchemaError, match="line 1 is no JSON object"):
        read_predictions([tmp_path / "rows.jsonl"])
