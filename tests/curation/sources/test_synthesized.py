"""What `synthesize` made, read as a source: samples with their lineage, and what could not be had with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.errors import AddressError
from curation.sources.synthesized import Synthesized

GOOD = {
    "prompt_id": "p1", "number": 0, "task": "formula_to_latex", "prompt": "A formula with alpha.", "text": "\\alpha",
    "classes": ["cmd:\\alpha"], "lineage": {"generator": "test", "seed": 4},
}  # fmt: skip
LOST = {
    "prompt_id": "p2",
    "number": 1,
    "task": "formula_to_latex",
    "prompt": "x",
    "reject": "class_missing",
    "detail": "d",
}


def rows_of(folder: Path) -> list[dict[str, object]]:
    source = Synthesized(str(folder), task="formula_to_latex")
    return [row for piece in source.pieces(2) for row in source.read_texts(piece).to_pylist()]


def write(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_sample_says_what_made_it_for_which_prompt(tmp_path: Path) -> None:
    write(tmp_path / "round-000.jsonl", GOOD, {**GOOD, "number": 1, "text": "\\beta"}, {**GOOD, "prompt_id": "p9"})
    first, second, other = rows_of(tmp_path)
    assert (first["text"], first["source_key"], first["image_origin"]) == ("\\alpha", "p1-0", "synthetic")
    assert (first["context"], first["task"]) == ("A formula with alpha.", "formula_to_latex")
    told = {"classes": ["cmd:\\alpha"], "generator": "test", "prompt_id": "p1", "seed": 4}
    assert json.loads(str(first["lineage"])) == told
    assert first["parent_id"] == second["parent_id"] != other["parent_id"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (LOST, "class_missing"),
        ({**LOST, "reject": "no_such_reason"}, "annotation_broken"),
        ({**GOOD, "text": None}, "annotation_broken"),
        ({**GOOD, "lineage": "x"}, "annotation_broken"),
        ({**GOOD, "task": "page_to_html"}, "annotation_broken"),
        ({**GOOD, "text": "\ud800"}, "text_not_utf8"),
        ([1], "annotation_broken"),
    ],
)
def test_what_is_no_sample_is_a_row_with_its_reason(row: object, reason: str, tmp_path: Path) -> None:
    write(tmp_path / "round-000.jsonl", row)
    (found,) = rows_of(tmp_path)
    assert (found["text"], found["reject_reason"]) == (None, reason)


def test_a_round_that_is_added_changes_no_other_s_pieces(tmp_path: Path) -> None:
    source = Synthesized(str(tmp_path), task="formula_to_latex")
    write(tmp_path / "round-000.jsonl", GOOD, LOST)
    (before,) = source.pieces(10)
    write(tmp_path / "round-001.jsonl", GOOD)
    (tmp_path / ".round-002.jsonl.new").write_text("{")
    assert next(iter(source.pieces(10))) == before
    assert len(list(source.pieces(10))) == 2


def test_a_folder_without_rounds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AddressError):
        list(Synthesized(str(tmp_path)).pieces(10))
