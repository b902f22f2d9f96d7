"""`markupmill prompts`: from a file of rare objects, a report or a release to a file of prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.errors import BadInputError
from curation.prompts.files import read_prompts
from flows.prompts import PromptsOptions, run_prompts

RARE = "object,count\ndog,3\numbrella,1\ntag:nav,4\n"


@pytest.fixture
def rare(tmp_path: Path) -> Path:
    path = tmp_path / "objects_below_10.csv"
    path.write_text(RARE)
    return path


def options(tmp_path: Path, **more: object) -> PromptsOptions:
    return PromptsOptions(output=str(tmp_path / "out" / "prompts.jsonl"), **more)  # type: ignore[arg-type]


def test_the_threshold_is_what_the_file_s_name_says_and_all_tasks_are_asked_for(tmp_path: Path, rare: Path) -> None:
    asked = options(tmp_path, rare_objects=str(rare))
    told = run_prompts(asked)
    rows = [json.loads(line) for line in Path(asked.output).read_text().splitlines()]
    brought = {
        name: sum(name in row["classes"] for row in rows) for name in ("object:dog", "object:umbrella", "tag:nav")
    }
    assert brought == {"object:dog": 7, "object:umbrella": 9, "tag:nav": 6}
    assert {row["task"] for row in rows} == {"image_to_caption", "page_to_html"}
    assert "2 of 2 classes are rare, 16 samples short of 10 samples each" in told
    assert told.endswith(f"Wrote {len(rows)} prompts to {asked.output}")
    assert run_prompts(asked) == told
    assert [json.loads(line) for line in Path(asked.output).read_text().splitlines()] == rows


def test_without_a_target_there_are_five_of_each_as_distilvit_makes(tmp_path: Path) -> None:
    path = tmp_path / "rare.csv"
    path.write_text("object,count\ndog,3\numbrella,1\n")
    asked = options(tmp_path, rare_objects=str(path), include_combinations=False)
    run_prompts(asked)
    assert len(read_prompts(asked.output)) == 10
    run_prompts(options(tmp_path, rare_objects=str(path), prompts_per_object=2, combination_count=3))
    assert len(read_prompts(asked.output)) == 7


def test_counts_are_flattened_to_a_gini(tmp_path: Path) -> None:
    path = tmp_path / "object_counts.csv"
    path.write_text("object,count\ndog,300\numbrella,100\nkite,20\n")
    told = run_prompts(options(tmp_path, address=str(tmp_path), target_gini=0.4, task="image_to_caption"))
    assert "Gini of these counts 0.444; 0.399 when each prompt has given one sample" in told


def test_no_rare_class_is_said_and_makes_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "objects_below_50.csv"
    path.write_text("object,count\n")
    asked = options(tmp_path, rare_objects=str(path))
    assert run_prompts(asked).startswith("No class is rare")
    assert Path(asked.output).read_text() == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "name where the rare classes are"),
        ({"rare_objects": "x.csv", "address": "y"}, "name where the rare classes are"),
        ({"rare_objects": "x.csv", "task": "image_chat"}, "no prompts are made for 'image_chat'"),
        ({"rare_objects": "x.csv"}, "x.csv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_mend(tmp_path: Path, more: dict[str, str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        run_prompts(options(tmp_path, **more))


def test_a_gini_needs_all_classes(tmp_path: Path, rare: Path) -> None:
    with pytest.raises(BadInputError, match=r"Give object_counts\.csv"):
        run_prompts(options(tmp_path, rare_objects=str(rare), target_gini=0.4))


def test_the_format_is_told_by_the_output_s_name_unless_it_is_given() -> None:
    assert PromptsOptions(output="p.csv").kind == "csv"
    assert PromptsOptions(output="p.csv", format="txt").kind == "txt"
    assert PromptsOptions(output="prompts").kind == "jsonl"
