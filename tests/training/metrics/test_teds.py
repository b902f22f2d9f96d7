"""TEDS: the reference code's own values, its definition where those do not tell, and what is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from training.metrics.teds import as_document, table_tree, teds, teds_batch
from training.metrics.workers import Workers


def table(rows: str) -> str:
    return f"<html><body><table>{rows}</table></body></html>"


def test_values_of_the_reference_code(shared_data: Path) -> None:
    pairs = json.loads((shared_data / "teds" / "pubtabnet_pairs.json").read_text())
    assert len(pairs) == 10
    for pair in pairs:
        texts = pair["prediction"], pair["reference"]
        assert teds(*texts) == pytest.approx(pair["teds"], abs=1e-9), pair["name"]
        assert teds(*texts, structure_only=True) == pytest.approx(pair["teds_s"], abs=1e-9), pair["name"]


def test_one_cell_too_few_costs_one_of_all_elements() -> None:
    assert teds(table("<tr><td>a</td></tr>"), table("<tr><td>a</td><td>b</td></tr>")) == pytest.approx(2 / 3)


def test_a_cell_costs_its_share_of_wrong_characters() -> None:
    one, other = table("<tr><td>abcd</td></tr>"), table("<tr><td>abxd</td></tr>")
    assert teds(one, other) == pytest.approx(1 - 0.25 / 2)
    assert teds(one, other, structure_only=True) == 1.0


def test_inline_tags_are_tokens_of_a_cell_and_count_among_the_elements() -> None:
    one, other = table("<tr><td><b>ab</b></td></tr>"), table("<tr><td>ab</td></tr>")
    # Two of four tokens are too many; three elements below the table.
    assert teds(one, other) == pytest.approx(1 - 0.5 / 3)


def test_spans_rename_a_cell() -> None:
    one, other = table('<tr><td colspan="2">a</td></tr>'), table("<tr><td>a</td></tr>")
    assert teds(one, other) == pytest.approx(1 - 1 / 2)


def test_header_cells_are_nodes_without_text() -> None:
    assert teds(table("<tr><th>a</th></tr>"), table("<tr><th>b</th></tr>")) == 1.0


def test_the_unknown_token_has_no_end_tag() -> None:
    tree = table_tree(table("<tr><td>a<unk>b</td></tr>"))
    assert tree is not None
    assert tree.contents == (("a", "<unk>", "b"),)


def test_no_table_in_the_body_is_0_and_a_fragment_can_be_made_a_document() -> None:
    true = table("<tr><td>a</td></tr>")
    assert teds("<table><tr><td>a</td></tr></table>", true) == 0.0
    assert teds("<html><body><div><table><tr><td>a</td></tr></table></div></body></html>", true) == 0.0
    assert teds(as_document("<table><tr><td>a</td></tr></table>"), true) == 1.0
    assert as_document(true) == true
    assert as_document(" <BODY><p>") == " <BODY><p>"


def test_two_empty_tables_are_equal() -> None:
    assert teds(table(""), table("")) == 1.0


def test_a_batch_has_the_values_and_the_order_of_single_calls(shared_data: Path, workers: Workers) -> None:
    pairs = json.loads((shared_data / "teds" / "pubtabnet_pairs.json").read_text())
    predictions, references = ([pair[side] for pair in pairs] for side in ("prediction", "reference"))
    assert teds_batch(predictions, references, workers) == [
        teds(*texts) for texts in zip(predictions, references, strict=True)
    ]


def test_a_table_of_many_cells_is_scored_in_a_moment() -> None:
    rows = "".join(f"<tr>{''.join(f'<td>{row} {column}</td>' for column in range(20))}</tr>" for row in range(60))
    started_s = time.process_time()
    assert 0.9 < teds(table(rows), table(rows.replace("7 7", "8 8 8"))) < 1.0
    assert time.process_time() - started_s < 10
