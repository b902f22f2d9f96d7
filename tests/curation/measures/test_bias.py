from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.bias.vocabulary import CATEGORIES
from curation.measures.bias import Bias
from curation.sample import MESSAGES_TYPE
from curation.stage import Batch

FIELDS = pa.schema(
    [("task", pa.string()), ("text", pa.string()), ("messages", MESSAGES_TYPE), ("original_caption", pa.string())]
)


def measured(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    table = pa.Table.from_pylist([{name: row.get(name) for name in FIELDS.names} for row in rows], schema=FIELDS)
    with Bias().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns)).select(Bias.adds.names)
    assert columns.schema == Bias.adds
    read: list[dict[str, Any]] = columns.to_pylist()
    return read


def hits(row: dict[str, Any], ending: str = "") -> set[str] | None:
    found = [row[f"bias_{category}{ending}"] for category in CATEGORIES]
    if None in found:
        assert found == [None] * len(CATEGORIES)
        assert row[f"bias_terms{ending}"] is None
        return None
    return {category for category, hit in zip(CATEGORIES, found, strict=True) if hit}


def test_original_and_changed_caption() -> None:
    [row] = measured(
        [
            {
                "task": "image_to_caption",
                "text": "A person and another person in the snow.",
                "original_caption": "A young woman and another woman in the snow.",
            }
        ]
    )
    assert hits(row) == set()
    assert row["bias_terms"] == []
    assert hits(row, "_original") == {"gender", "age"}
    assert row["bias_terms_original"] == ["age:young", "gender:woman"]


def test_a_caption_without_an_original_has_no_measure_of_it() -> None:
    [row] = measured([{"task": "image_to_caption", "text": "Two men."}])
    assert hits(row) == {"gender"}
    assert hits(row, "_original") is None


def test_of_markup_only_what_is_seen_counts() -> None:
    page = (
        "<html><head><title>Women</title><style>.black { color: white } .old::before { content: 'his' }</style></head>"
        '<body class="man"><img alt="an old man" src="girl.png"><p class="text-white" id="his">Hello people</p>'
        '<ul><li>Men</li><li>Women</li></ul><div style="display:none">a blind man</div></body></html>'
    )
    table = '<table><tbody><tr><td class="woman">Sex</td><td>2</td></tr></tbody></table>'
    told = "<html><head></head><body><p>Our founder and her two sons are Irish people.</p></body></html>"
    rows = measured(
        [
            {"task": "page_to_html", "text": page},
            {"task": "table_to_html", "text": table},
            {"task": "page_to_html", "text": told},
            {"task": "table_to_html", "text": "<table><tbody><tr><td>Women</td><td>2</td></tr></tbody></table>"},
        ]
    )
    assert [hits(row) for row in rows] == [set(), set(), {"gender", "nationality"}, {"gender"}]


def test_what_cannot_be_read_is_not_measured() -> None:
    rows = measured(
        [
            {"task": "formula_to_latex", "text": r"\text{man}"},
            {"task": "image_to_caption", "text": None},
            {"task": "page_to_html", "text": "<div>" * 1_000},
            {"task": "image_chat", "text": None},
        ]
    )
    assert [hits(row) for row in rows] == [None] * 4


def test_a_conversation_is_read_on_both_sides_and_without_its_markup() -> None:
    def chat(*said: tuple[str, str | None]) -> dict[str, Any]:
        return {"task": "image_chat", "messages": [{"role": role, "content": content} for role, content in said]}

    rows = measured(
        [
            chat(("user", "He is old."), ("assistant", None)),
            chat(("user", "What is this?"), ("assistant", "A deaf student.")),
            chat(("system", "You are a wise old man."), ("user", "Write it."), ("assistant", "A dog.")),
            chat(("assistant", '<style>.woman {}</style><p class="black man">Hello<br>people</p>')),
        ]
    )
    assert [hits(row) for row in rows] == [{"gender", "age"}, {"disability"}, set(), set()]


def test_the_vocabulary_is_part_of_what_is_measured_with() -> None:
    assert Bias() == Bias()
    assert Bias() != Bias(vocabulary="another")


def test_real_captions_and_pages_are_measured(shared_data: Path) -> None:
    captions = pq.read_table(shared_data / "captions-text", columns=["caption"]).column("caption").to_pylist()[:2_000]
    rows = measured([{"task": "image_to_caption", "text": caption} for caption in captions])
    share = sum(row["bias_gender"] for row in rows) / len(rows)
    assert 0.1 < share < 0.4
    assert all(bool(row["bias_terms"]) == bool(hits(row)) for row in rows)
    pages = pq.read_table(shared_data / "websight", columns=["text"]).column("text").to_pylist()
    found = measured([{"task": "page_to_html", "text": page} for page in pages])
    assert 0 < sum(row["bias_gender"] for row in found) < 0.1 * len(found)
