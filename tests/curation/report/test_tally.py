"""What a task's rows add up to, table after table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curation.report import tally as module
from curation.report.tally import TaskTally, share_of


def table(n_rows: int, **columns: Any) -> pa.Table:
    types = {"classes": pa.list_(pa.string()), "bias_terms": pa.list_(pa.string())}
    known = {"split": ["train"] * n_rows, "shard": [0] * n_rows, "row": list(range(n_rows)), **columns}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in known.items()})


def test_tables_add_up() -> None:
    tally = TaskTally("page_to_html")
    tally.add(
        table(3, n_tokens=[1, None, 3], valid=[True, False, None], classes=[["tag:p", "tag:h1"], ["tag:p"], None])
    )
    tally.add(table(2, n_tokens=[5, 7], valid=[True, True], classes=[["tag:p", "component:nav"], []]))
    assert tally.values("n_tokens").tolist() == [1, 3, 5, 7]
    (distribution,) = tally.distributions()
    assert (distribution.summary.n_measured, distribution.summary.n_missing) == (4, 1)
    assert (tally.shares()["valid"].n_hits, tally.shares()["valid"].n) == (3, 4)
    assert tally.classes == {"tag:p": 3, "tag:h1": 1, "component:nav": 1}
    by_name = {one.namespace: one for one in tally.balances(2)}
    assert (by_name["tag"].n_rows_with, by_name["component"].n_rows_with, by_name["tag"].n_rows_measured) == (3, 1, 4)
    assert by_name["tag"].rare == (("tag:h1", 1),)
    assert by_name["tag"].most[0] == ("tag:p", 3)
    assert tally.measured_columns == {"n_tokens", "valid", "classes"}


def test_rows_whose_picture_is_another_texts_are_told_from_doubted_ones() -> None:
    tally = TaskTally("table_to_html")
    tally.add(table(6, render_similarity=[0.0, 0.04, 0.06, 0.39, 0.4, None]))
    shares = tally.shares()
    assert (shares["mismatched"].n_hits, shares["doubted"].n_hits, shares["doubted"].n) == (2, 4, 5)
    captions = TaskTally("image_to_caption")
    captions.add(table(1, clip_cosine=[0.1]))
    assert "mismatched" not in captions.shares()


def test_words_are_those_that_a_reader_sees_and_formulas_have_none() -> None:
    page, caption, formula = (TaskTally(task) for task in ("page_to_html", "image_to_caption", "formula_to_latex"))
    for tally in (page, caption, formula):
        tally.add(table(1, text=["<p>a b</p>"], visible_text=["a b"], language=["en"]))
    assert page.vocabulary == {"n_words": 2.0, "n_distinct": 2.0, "entropy_bits": 1.0}
    assert caption.vocabulary["n_words"] == 4.0
    assert formula.vocabulary == {}
    assert (page.languages, formula.languages) == ({"en": 1}, {})


def test_of_too_many_words_those_seen_once_are_let_go_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WORDS", 100)
    tally = TaskTally("image_to_caption")
    for start in range(0, 1_000, 50):
        tally.add(table(1, text=["common " + " ".join(f"word{number}" for number in range(start, start + 50))]))
        assert len(tally.words) <= 100
    assert tally.words["common"] == 20
    assert tally.vocabulary["n_words"] == 1_020
    assert tally.vocabulary["n_distinct"] == 1_001
    assert tally.vocabulary["n_let_go"] > 800


def test_bias_is_counted_among_rows_that_were_looked_at_and_remembers_a_few() -> None:
    tally = TaskTally("image_to_caption")
    terms = [["gender:man", "age:old"], [], ["gender:man"], None]
    said = {"bias_gender": [True, False, True, None], "bias_age": [True, False, False, None], "bias_terms": terms}
    tally.add(table(4, **said))
    tally.add(table(4, **said))
    by_name = {one.category: one for one in tally.bias()}
    assert set(by_name) == {"gender", "age"}
    assert (by_name["gender"].after.n_hits, by_name["gender"].after.n, by_name["gender"].before) == (4, 6, None)
    assert by_name["gender"].terms == (("man", 4),)
    assert tally.mentions["gender"] == [(0, 0), (0, 2), (0, 0)]


def test_a_share_has_wilsons_interval() -> None:
    share = share_of(5, 100)
    assert (share.share, round(share.low, 4), round(share.high, 4)) == (0.05, 0.0215, 0.1118)


def test_equal_texts_have_equal_short_hashes() -> None:
    tally = TaskTally("image_to_caption")
    tally.add(table(3, text_sha256=["ab" * 32, "cd" * 32, "ab" * 32]))
    assert len(np.unique(np.concatenate(tally.texts))) == 2
