"""Prompts as files, and read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from curation.errors import BadInputError
from curation.prompts.files import read_prompts, write_prompts
from curation.prompts.prompt import Prompt

PROMPTS = [
    Prompt("A dog on a mat, at noon", "image_to_caption", ("object:dog",), (3,)),
    Prompt("A dog and a “kite”", "image_to_caption", ("object:dog", "object:kite"), (3, 0)),
    Prompt(r"Write \frac", "formula_to_latex", (r"cmd:\frac",), (1,)),
]


def test_a_row_has_distilvits_fields_and_ours() -> None:
    row = PROMPTS[1].row()
    assert list(row) == ["prompt", "objects", "original_count", "type", "id", "task", "classes", "target"]
    assert (row["objects"], row["original_count"], row["type"]) == (["dog", "kite"], [3, 0], "combination")
    assert (PROMPTS[0].row()["original_count"], PROMPTS[0].row()["type"]) == (3, "single_object")
    assert row["target"] == {"object:dog": 1, "object:kite": 1}


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_what_is_written_is_read_back(tmp_path: Path, kind: str) -> None:
    write_prompts(PROMPTS, tmp_path / "p", kind)
    assert read_prompts(tmp_path / "p") == PROMPTS


def test_text_is_a_prompt_a_line_and_csv_begins_with_distilvits_columns(tmp_path: Path) -> None:
    write_prompts(PROMPTS, tmp_path / "p.txt", "txt")
    assert (tmp_path / "p.txt").read_text("utf-8").splitlines() == [prompt.text for prompt in PROMPTS]
    write_prompts(PROMPTS, tmp_path / "p.csv", "csv")
    rows = list(csv.reader((tmp_path / "p.csv").read_text("utf-8").splitlines()))
    assert rows[0][:4] == ["prompt", "objects", "type", "original_count"]
    assert rows[2][:4] == ["A dog and a “kite”", "dog;kite", "combination", "[3, 0]"]


@pytest.mark.parametrize("kind", ["jsonl", "json", "txt", "csv"])
def test_no_prompt_is_a_file_too(tmp_path: Path, kind: str) -> None:
    write_prompts([], tmp_path / "deep" / "p", kind)
    if kind != "txt":
        assert read_prompts(tmp_path / "deep" / "p") == []


def test_another_file_is_refused_with_the_prompt_named(tmp_path: Path) -> None:
    (tmp_path / "p").write_text(json.dumps({"prompt": "A dog", "objects": ["dog"]}) + "\n")
    with pytest.raises(BadInputError, match="prompt 1 is not one of ours"):
        read_prompts(tmp_path / "p")
