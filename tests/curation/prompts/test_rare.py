"""Reading which classes are rare: our files and distilvit's, and a data set that is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import BadInputError
from curation.prompts.rare import counts_of, read_counts
from tests.curation.making import png


def csv_file(tmp_path: Path, text: str, name: str = "objects_below_50.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_names_are_namespaced_and_forms_of_one_class_counted_together(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, "object,count\nman,3\nwoman,4\nsofa,2\nskatepark,1\ntag:nav,7\nspan:2x3,1\ncmd:\\frac,9\n"
    )
    counts = read_counts(path)
    assert counts.counts == {
        "object:person": 7, "object:couch": 2, "object:skatepark": 1, "tag:nav": 7, "span:2x3": 1, "cmd:\\frac": 9,
    }  # fmt: skip
    assert counts.threshold == 50
    assert counts.of_task("table_to_html") == {"tag:nav": 7, "span:2x3": 1}
    assert list(counts.by_task()) == ["image_to_caption", "page_to_html", "table_to_html", "formula_to_latex"]


def test_objects_that_say_something_protected_are_left_out_by_name(tmp_path: Path) -> None:
    counts = read_counts(csv_file(tmp_path, "object,count\nnun,3\nprincess,1\ncat,2\n"))
    assert counts.left_out == ("nun", "princess")
    assert counts.counts == {"object:cat": 2}


def test_cells_that_were_kept_from_spreadsheets_are_read_as_they_were(tmp_path: Path) -> None:
    counts = read_counts(csv_file(tmp_path, "object,count\n'-1 sign,3\n", "object_counts.csv"))
    assert counts.counts == {"object:-1 sign": 3}
    assert counts.threshold == 0


def test_a_file_without_rows_has_no_classes(tmp_path: Path) -> None:
    assert read_counts(csv_file(tmp_path, "object,count\n")).counts == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,n\ndog,3\n", "no columns object and count"),
        ("object,count\ndog,3\ncat,many\n", "line 3: 'many' is no count"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read_counts(csv_file(tmp_path, text))
    with pytest.raises(BadInputError, match="cannot be read"):
        read_counts(tmp_path / "none.csv")


def captions(tmp_path: Path, texts: list[str]) -> Path:
    pictures = [{"bytes": png(size=(8 + i, 8)), "path": None} for i in range(len(texts))]
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.table({"image": pictures, "caption": texts}), folder / "train-00000-of-00001.parquet")
    return folder


def test_a_data_set_is_counted(tmp_path: Path) -> None:
    data = captions(tmp_path, ["A dog on a bench.", "A dog and a cat.", "A kite in the sky."])
    found = counts_of(str(data), "image_to_caption", str(tmp_path / "ws"))
    assert found.counts == {"object:dog": 2, "object:bench": 1, "object:cat": 1, "object:kite": 1}
    with pytest.raises(BadInputError, match="has no rows of page_to_html"):
        counts_of(str(tmp_path / "ws"), "page_to_html", str(tmp_path / "ws"))


def test_a_report_is_read_from_its_counts(tmp_path: Path) -> None:
    csv_file(tmp_path, "object,count\ndog,3\ncat,300\n", "object_counts.csv")
    (tmp_path / "quality_summary.json").write_text(json.dumps({}))
    assert counts_of(str(tmp_path), "", "").counts == {"object:dog": 3, "object:cat": 300}
