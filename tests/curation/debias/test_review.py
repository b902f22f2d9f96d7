"""A review of changes: written, edited by hand, read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from curation.debias.review import Change, read_review, write_review
from curation.errors import BadInputError

CHANGES = [
    Change("a.csv:0", "A man sits.", "A person sits.", ("gender:man",), (), 0.91),
    Change("a.csv:3", "=SUM of a woman", "=SUM of a person", ("gender:woman",)),
]
CAPTIONS = {"a.csv:0": "A man sits.", "a.csv:1": "A dog.", "a.csv:3": "=SUM of a woman"}


def edited(tmp_path: Path, **cells: str) -> Path:
    """The review with cells of its first row changed."""
    path = tmp_path / "review.csv"
    write_review(CHANGES, path)
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    rows[0] |= cells
    lines = [",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = edited(tmp_path)
    assert read_review(path, CAPTIONS) == {"a.csv:0": "A person sits.", "a.csv:3": "=SUM of a person"}
    assert "'=SUM" in path.read_text("utf-8")  # no spreadsheet runs it


def test_an_edited_caption_wins(tmp_path: Path) -> None:
    assert read_review(edited(tmp_path, caption="Someone sits."), CAPTIONS)["a.csv:0"] == "Someone sits."


def test_a_struck_row_keeps_the_original(tmp_path: Path) -> None:
    assert "a.csv:0" not in read_review(edited(tmp_path, caption="  "), CAPTIONS)
    path = edited(tmp_path)
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[2]]), "utf-8")
    assert list(read_review(path, CAPTIONS)) == ["a.csv:3"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"id": "a.csv:9"}, r"line 2: the data has no caption 'a\.csv:9'"),
        ({"original_caption": "A man stands."}, r"line 2: caption 'a\.csv:0' is 'A man sits\.' in the data"),
        ({"id": "a.csv:3", "original_caption": "=SUM of a woman"}, r"line 3: caption 'a\.csv:3' is there twice"),
    ],
)
def test_a_row_that_does_not_fit_the_data_is_named(tmp_path: Path, cells: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read_review(edited(tmp_path, **cells), CAPTIONS)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInputError, match="is no review"):
        read_review(tmp_path / "x.csv", CAPTIONS)
    with pytest.raises(BadInputError, match="cannot be read"):
        read_review(tmp_path / "none.csv", CAPTIONS)
