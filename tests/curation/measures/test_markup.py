from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from curation.markup.canonical import Canonical, canonical
from curation.measures.markup import Markup
from curation.stage import Batch
from tests.curation.markup.real_html import FOLDERS, real_texts


def measured(rows: Sequence[tuple[str, str | None]]) -> dict[str, list[object]]:
    table = pa.table({"task": [task for task, _ in rows], "text": pa.array([text for _, text in rows], pa.string())})
    with Markup().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == Markup.adds
    return {name: columns.column(name).to_pylist() for name in columns.schema.names}


def test_each_kind_of_target() -> None:
    page = "<html><head></head><body><p>a</p></body></html>"
    rows = [
        ("page_to_html", page),
        ("table_to_html", "<table><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"),
        ("image_to_caption", "A dog."),
        ("image_chat", None),
    ]
    assert measured(rows) == {
        "valid": [True, True, True, None],
        "visible_text": ["a", "1\t2", "A dog.", None],
        "n_nodes": [4, 5, None, None],
        "depth": [3, 4, None, None],
    }


def test_what_is_not_in_canonical_form_is_not_valid() -> None:
    rows = [("page_to_html", "<p>a"), ("table_to_html", "<p>a"), ("image_to_caption", " a"), ("page_to_html", "")]
    assert measured(rows)["valid"] == [False] * 4


def test_a_tree_over_a_cap_has_no_measures_but_is_measured() -> None:
    assert measured([("page_to_html", "<div>" * 1_000)]) == {
        "valid": [False],
        "visible_text": [None],
        "n_nodes": [None],
        "depth": [None],
    }


def test_real_rows_in_canonical_form_are_valid(shared_data: Path) -> None:
    rows: list[tuple[str, str | None]] = []
    for folder, (task, _, _) in FOLDERS.items():
        for text in real_texts(shared_data, folder)[::7]:
            form = canonical(task, text)
            assert isinstance(form, Canonical)
            rows.append((task, form.text))
    columns = measured(rows)
    assert columns["valid"] == [True] * len(rows)
    assert all(columns["visible_text"])
    assert all(isinstance(depth, int) and 3 <= depth < 50 for depth in columns["depth"])
