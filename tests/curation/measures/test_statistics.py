from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.measures.statistics import Statistics
from curation.sample import MESSAGES_TYPE
from curation.stage import Batch


def measured(columns: dict[str, Any]) -> dict[str, list[Any]]:
    table = pa.table(columns)
    with Statistics().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * table.num_rows
    made = pa.table(dict(outcome.columns))
    assert made.schema == Statistics.adds
    return dict(made.to_pydict())


def test_what_a_reader_sees_is_counted() -> None:
    body = "<p class='no'>Two words,</p><p>and they are in English</p>"
    page = f"<html><head><title>no</title></head><body>{body}</body></html>"
    rows = measured(
        {
            "task": ["page_to_html", "table_to_html", "formula_to_latex", "image_to_caption"],
            "text": [page, "<table><tr><td>1</td><td>b c</td></tr></table>", r"\frac { a } { b }", "A t-shirt."],
        }
    )
    assert rows["n_words"] == [7, 3, None, 2]
    assert rows["n_chars"] == [len("Two words,\nand they are in English"), len("1\tb c"), 17, 10]
    assert rows["language"] == ["en", None, None, None]
    assert rows["aspect"] == [None] * 4


def test_the_turns_of_a_conversation_are_its_text() -> None:
    chat = [
        {"role": "user", "content": "What is in it?"},
        {"role": "assistant", "content": "Ein Hund auf dem Sofa im Haus."},
    ]
    rows = measured(
        {
            "task": ["image_chat", "image_chat"],
            "text": pa.nulls(2, pa.string()),
            "messages": pa.array([chat, None], MESSAGES_TYPE),
        }
    )
    assert rows["n_words"] == [11, None]
    assert rows["n_chars"][1] is None


def test_aspect_is_width_by_height() -> None:
    sizes = {
        "width_px": pa.array([1280, 100, None, 5], pa.int32()),
        "height_px": pa.array([720, 300, 1, 0], pa.int32()),
    }
    rows = measured({"task": ["image_to_caption"] * 4, "text": [None, "a", "a", ""], **sizes})
    assert [value and round(value, 4) for value in rows["aspect"]] == [1.7778, 0.3333, None, None]
    assert rows["n_words"] == [None, 1, 1, 0]
    assert rows["language"] == [None] * 4


def test_markup_over_a_cap_is_null() -> None:
    rows = measured({"task": ["page_to_html"], "text": ["<div>" * 1_000]})
    assert rows == {"n_words": [None], "n_chars": [None], "language": [None], "aspect": [None]}
