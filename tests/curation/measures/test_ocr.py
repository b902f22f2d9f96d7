"""`ocr` holds the words that a page or table shows against those that a reader finds in its picture."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.markup.canonical import Canonical, canonical
from curation.measures.ocr import Ocr, word_scores
from curation.sample import IMAGE_TYPE
from curation.stage import Batch
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

PAGE = "<html><body><h1>Harbour Festival</h1><p>Boats, bread and music by the silver water.</p></body></html>"
TABLE = "<table><tbody><tr><td>Alpha</td><td>1250</td></tr><tr><td>Beta</td><td>7310</td></tr></tbody></table>"


def measured(rows: list[tuple[str, str | None, bytes | None]]) -> list[tuple[float | None, float | None]]:
    table = pa.table(
        {
            "task": [task for task, _, _ in rows],
            "text": pa.array([text for _, text, _ in rows], pa.string()),
            "image": pa.array([{"bytes": data, "path": None} if data else None for _, _, data in rows], IMAGE_TYPE),
        }
    )
    with Ocr().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == Ocr.adds
    return list(zip(columns.column(0).to_pylist(), columns.column(1).to_pylist(), strict=True))


class TestWordScores:
    """The rule, apart from the reader."""

    def test_order_is_free_and_each_word_is_matched_once(self) -> None:
        assert word_scores(["a", "b", "b"], ["b", "a", "b"]) == (1.0, 1.0)
        assert word_scores(["b", "b"], ["b"]) == (0.5, 1.0)
        assert word_scores(["b"], ["b", "b", "c", "d"]) == (1.0, 0.25)

    def test_a_misread_word_counts_one_minus_its_distance(self) -> None:
        assert word_scores(["harbour"], ["harbor"]) == pytest.approx((6 / 7, 6 / 7))
        assert word_scores(["word"], ["wOxd"]) == (0.0, 0.0)  # half of it is wrong: nothing
        assert word_scores(["house"], ["mouse"]) == pytest.approx((0.8, 0.8))

    def test_misread_words_are_matched_so_that_the_most_is_found(self) -> None:
        """Taken one by one, "lines" would take "line" away from "like"."""
        assert word_scores(["lines", "like"], ["line", "lined"]) == pytest.approx(((0.8 + 0.75) / 2,) * 2)

    def test_nothing_to_divide_by(self) -> None:
        assert word_scores([], ["a"]) == (None, 0.0)
        assert word_scores(["a"], []) == (0.0, None)
        assert word_scores([], []) == (None, None)


def test_true_and_false_pairs_and_rows_that_are_not_measured(renderer: Renderer) -> None:
    page, table = renderer.render([PAGE, TABLE], [RenderSpec("page", width_px=640), RenderSpec("table")])
    assert isinstance(page, Rendered)
    assert isinstance(table, Rendered)
    assert measured(
        [
            ("page_to_html", PAGE, page.png),
            ("table_to_html", TABLE, table.png),
            ("page_to_html", PAGE, b"broken"),
            ("page_to_html", PAGE, None),
            ("image_to_caption", "Harbour Festival", page.png),
            ("formula_to_latex", "Harbour", page.png),
            ("image_chat", None, page.png),
        ]
    ) == [(1.0, 1.0), (1.0, 1.0), *[(None, None)] * 5]
    [(recall, precision)] = measured([("page_to_html", PAGE, table.png)])
    assert recall is not None
    assert precision is not None
    assert max(recall, precision) < 0.3


def test_a_missing_word_costs_precision_and_an_extra_one_recall(renderer: Renderer) -> None:
    [page] = renderer.render([PAGE], RenderSpec("page", width_px=640))
    assert isinstance(page, Rendered)
    shorter, longer = PAGE.replace("silver ", ""), PAGE.replace("silver", "silver cathedral")
    assert measured([("page_to_html", shorter, page.png), ("page_to_html", longer, page.png)]) == [
        (1.0, pytest.approx(9 / 10, abs=1e-4)),
        (pytest.approx(10 / 11, abs=1e-4), 1.0),
    ]


def test_real_tables_are_told_from_each_other(shared_data: Path) -> None:
    paths = sorted((shared_data / "pubtabnet-html").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()][:2]
    forms = [canonical("table_to_html", row["html_table"]) for row in rows]
    texts = [form.text for form in forms if isinstance(form, Canonical)]
    files = [row["image"]["bytes"] for row in rows]
    true = measured([("table_to_html", text, data) for text, data in zip(texts, files, strict=True)])
    false = measured([("table_to_html", texts[0], files[1])])
    assert all(recall is not None and recall > 0.85 for recall, _ in true)
    assert false[0][0] is not None
    assert false[0][0] < 0.6
