from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.classes.objects import VOCABULARY_FILE
from curation.keys import content_key
from curation.measures.classes import Classes
from curation.sample import sha256_hex
from curation.stage import Batch


def measured(table: pa.Table) -> list[Any]:
    with Classes().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * table.num_rows
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == Classes.adds
    return list(columns.column("classes").to_pylist())


def test_one_list_a_row_whatever_its_task() -> None:
    tasks = ["page_to_html", "table_to_html", "formula_to_latex", "image_to_caption", "image_to_caption", "image_chat"]
    texts = ["<p>a</p>", "<table><tr><td>1</table>", r"\alpha", "a dog", "a dog", None]
    objects = pa.array([None, None, None, None, ["TV"], None], pa.list_(pa.string()))
    rows = measured(pa.table({"task": tasks, "text": texts, "objects": objects}))
    assert [row and row[0].split(":")[0] for row in rows] == ["layout", "shape", "cmd", "object", "object", None]
    assert rows[3:] == [["object:dog"], ["object:tv"], None]
    assert all(row == sorted(set(row)) for row in rows if row)


def test_without_a_column_of_objects_captions_are_read() -> None:
    assert measured(pa.table({"task": ["image_to_caption"], "text": ["two dogs"]})) == [["object:dog"]]


def test_the_key_changes_with_the_vocabulary_and_the_language_reader() -> None:
    assert Classes().vocabulary == sha256_hex(VOCABULARY_FILE.read_bytes())[:16]
    stages = [Classes(), Classes(vocabulary="another"), Classes(language="another")]
    assert len({content_key(stage=stage) for stage in stages}) == 3
