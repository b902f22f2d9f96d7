"""Layouts of a release: what TRL's trainers take, and that the words are the task's own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curation.conversation import DEFAULT_USER, Prompt
from curation.layouts import Layout, laid_out
from curation.sample import IMAGE_TYPE, MESSAGES_TYPE
from tests.curation.making import png
from tests.curation.merge.sets import merged, rows_of, texts, write_set

CHAT = [
    {"role": "user", "content": "<image>\nWhat is it?"},
    {"role": "assistant", "content": "A dog."},
    {"role": "user", "content": "What colour?"},
    {"role": "assistant", "content": "Brown."},
]


@pytest.fixture
def table() -> pa.Table:
    images = pa.array([{"bytes": png("red"), "path": None}, {"bytes": png("blue"), "path": None}], IMAGE_TYPE)
    columns = {
        "image": images,
        "text": pa.array(["<p>a</p>", None]),
        "messages": pa.array([None, CHAT], MESSAGES_TYPE),
        "task": pa.array(["page_to_html", "image_chat"]),
        "id": pa.array(["1", "2"]),
    }
    return pa.table(columns)


def test_messages_are_what_is_asked_and_the_target(table: pa.Table) -> None:
    rows = laid_out(table, "messages", Prompt(system="Be brief.")).to_pylist()
    assert list(rows[0]) == ["images", "messages", "task", "id"]
    assert rows[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": DEFAULT_USER["page_to_html"]},
        {"role": "assistant", "content": "<p>a</p>"},
    ]
    assert [turn["content"] for turn in rows[1]["messages"]] == [
        *("Be brief.", "What is it?", "A dog.", "What colour?", "Brown.")
    ]
    assert rows[0]["images"] == [{"bytes": png("red"), "path": None}]


def test_the_last_answer_is_the_completion(table: pa.Table) -> None:
    rows = laid_out(table, "prompt_completion", Prompt(user="Write it.")).to_pylist()
    assert list(rows[0]) == ["images", "prompt", "completion", "task", "id"]
    assert rows[0]["prompt"] == [{"role": "user", "content": "Write it."}]
    assert rows[0]["completion"] == [{"role": "assistant", "content": "<p>a</p>"}]
    assert len(rows[1]["prompt"]) == 3
    assert rows[1]["completion"] == [{"role": "assistant", "content": "Brown."}]


def test_image_text_stays_as_it_is(table: pa.Table) -> None:
    assert laid_out(table, "image_text", Prompt()) is table


@pytest.mark.parametrize("layout", ["messages", "prompt_completion"])
def test_datasets_opens_a_merge_in_the_layout(tmp_path: Path, layout: Layout) -> None:
    """TRL itself (1.16, `prepare_multimodal_messages`) took these rows; its import alone takes ten seconds."""
    from datasets import load_dataset

    result = merged(tmp_path, write_set(tmp_path / "pages.parquet", texts(40)), layout=layout)
    row = load_dataset(result.path, split="train", cache_dir=str(tmp_path / "hf"))[0]
    said = row["messages"] if layout == "messages" else [*row["prompt"], *row["completion"]]
    assert [turn["role"] for turn in said] == ["user", "assistant"]
    assert said[1]["content"].startswith("<!DOCTYPE html>")
    assert row["images"][0].size[1] == 4
    assert len(rows_of(result.path)) == 40
