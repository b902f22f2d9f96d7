"""Weights of a report, for the training rows of its release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rendering.errors import BadInputError
from tests.training.written_release import write_release
from training.config import DataConfig
from training.rows import Rows, open_rows
from training.weights import order_of, read_weights

DATA = DataConfig(task="formula_to_latex")


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return open_rows(write_release(tmp_path / "r", [f"x {i}" for i in range(4)]), DATA, "train", None)


def write_report(folder: Path, ids: list[str], weights: list[float], order: list[int] | None = None) -> Path:
    lines = [f"{i},{weight},{weight}" for i, weight in enumerate(weights)]
    (folder / "reweighting_probs.csv").write_text("\n".join(["idx,reweight_raw,reweight_norm", *lines]) + "\n")
    numbers = order or range(len(ids))
    scores = [f'{number},"a text\nof ""two"" lines, and a comma",{ids[number]}' for number in numbers]
    (folder / "per_example_scores.csv").write_text("\n".join(["idx,alt_text,id", *scores]) + "\n")
    return folder / "reweighting_probs.csv"


def test_weights_find_their_rows_by_id(rows: Rows, tmp_path: Path) -> None:
    ids = ["test-0", "train-3", "train-0", "train-2", "train-1"]
    path = write_report(tmp_path, ids, [0.5, 0.3, 0.05, 0.1, 0.05], order=[4, 2, 0, 1, 3])
    assert read_weights(path, rows).tolist() == pytest.approx([0.1, 0.1, 0.2, 0.6])


def test_a_file_of_ones_own_may_have_ids(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("id,reweight_norm\ntrain-1,2\ntrain-0,1\ntrain-3,1\ntrain-2,4\n")
    assert read_weights(tmp_path / "w.csv", rows).tolist() == [0.125, 0.25, 0.5, 0.125]


def test_the_order_draws_with_them(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("id,reweight_norm\ntrain-0,0\ntrain-1,3\ntrain-2,1\ntrain-3,0\n")
    order = order_of(rows, DATA.model_copy(update={"weights": str(tmp_path / "w.csv")}))
    counts = np.bincount([order.row_at(i) for i in range(4_000)], minlength=4)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert 2_850 < counts[1] < 3_150
    unweighted = order_of(rows, DATA)
    assert sorted(unweighted.row_at(i) for i in range(4)) == [0, 1, 2, 3]


def test_what_does_not_fit_is_told_with_the_mend(rows: Rows, tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(BadInputError) as error:
            read_weights(path, rows)
        return str(error.value)

    assert "cannot be read" in refused(tmp_path / "none.csv")
    path = write_report(tmp_path, ["train-0", "train-9", "train-2"], [0.5, 0.25, 0.25])
    said = refused(path)
    assert "2 of 4 training rows have no weight" in said
    assert "markupmill report" in said
    (tmp_path / "per_example_scores.csv").unlink()
    assert "per_example_scores.csv is not beside it" in refused(path)
    path.write_text("a,b\n1,2\n")
    assert "has no column reweight_norm" in refused(path)
    path.write_text("idx,reweight_norm\n0,many\n")
    assert "cannot be read" in refused(path)
    (tmp_path / "w.csv").write_text("id,reweight_norm\n" + "".join(f"train-{i},0\n" for i in range(4)))
    assert "no probabilities" in refused(tmp_path / "w.csv")


def test_a_report_that_markupmill_made(tmp_path: Path) -> None:
    """Columns and ids are those that `curation.report` writes."""
    from curation.report.files import HEADER, PER_EXAMPLE, REWEIGHTING

    assert {"idx", "id"} <= set(HEADER)
    assert (PER_EXAMPLE, REWEIGHTING) == ("per_example_scores.csv", "reweighting_probs.csv")
