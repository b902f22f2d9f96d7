"""Which rows stay: duplicates across sources, evaluation sets, balance, shares; each row left out says why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from curation.balance_rules import BalanceRule
from curation.errors import BadInputError
from curation.merge.opening import entry_of
from curation.merge.spec import MergeEntry
from tests.curation.merge.sets import CAPTIONS, dropped, entries, merged, picture, rows_of, texts, write_set

LONG = (
    "The harbour master keeps a ledger of every ship that enters the bay after dark and writes down the hour the flag "
    "the cargo and the name of the pilot who brought her in through the narrow channel between the two rocks"
)


def page(text: str, tag: str = "p") -> str:
    return f"<html><body><{tag}>{text}</{tag}></body></html>"


def test_the_first_source_keeps_what_two_have(tmp_path: Path) -> None:
    one = write_set(tmp_path / "one.parquet", texts(10))
    two = write_set(tmp_path / "two.parquet", texts(10, 5))
    for sources, kept in (((one, two), {"one": 10, "two": 5}), ((two, one), {"two": 10, "one": 5})):
        result = merged(tmp_path, *sources)
        assert Counter(row["source"] for row in rows_of(result.path)) == kept
        assert dict(result.rejected) == {"duplicate_exact": 5}
    assert merged(tmp_path, one, two, dedup="none").rows_kept == 20


def test_equal_captions_of_two_pictures_are_two_rows(tmp_path: Path) -> None:
    said = texts(6, said=CAPTIONS)
    one = write_set(tmp_path / "one.parquet", said, [picture(i) for i in range(6)])
    two = write_set(tmp_path / "two.parquet", said, [picture(i if i < 2 else i + 50) for i in range(6)])
    result = merged(tmp_path, one, two)
    assert result.rows_kept == 10
    assert dict(result.rejected) == {"duplicate_exact": 2}


def test_near_duplicates_name_the_row_that_is_kept(tmp_path: Path) -> None:
    one = write_set(tmp_path / "one.parquet", [page(LONG), page("something else altogether is written on this page")])
    two = write_set(tmp_path / "two.parquet", [page(LONG.replace("harbour", "harbor")), page(LONG)])
    result = merged(tmp_path, one, two, dedup="near")
    kept = {row["text"]: row["id"] for row in rows_of(result.path)}
    assert len(kept) == 2
    assert [(row["reason"], row["duplicate_of"]) for row in dropped(result)] == [
        ("duplicate_near", kept[page(LONG)]),
        ("duplicate_exact", kept[page(LONG)]),
    ]


def test_hashes_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write_set(tmp_path / "one.parquet", texts(10))
    merged(tmp_path, one, dedup="near")
    monkeypatch.setattr("curation.merge.signatures.run_stage", None)
    assert merged(tmp_path, one, dedup="near", seed=3).made_now


def test_what_an_evaluation_set_has_is_left_out_and_listed(tmp_path: Path) -> None:
    quoted = page(f"Before that came other words of a page that nobody evaluates. {LONG}", "article")
    near = page(LONG.replace("pilot", "captain"))
    ours = write_set(tmp_path / "ours.parquet", [*texts(4), page(LONG), near, quoted])
    photos = write_set(tmp_path / "photos.parquet", texts(3, said=CAPTIONS), [picture(i) for i in range(3)])
    evaluation = write_set(
        tmp_path / "bench.parquet", [page(LONG), page("an unrelated matter in other words entirely")]
    )
    seen = write_set(tmp_path / "seen.parquet", texts(1, 70, CAPTIONS), [picture(1)])
    result = merged(tmp_path, ours, photos, decontaminate=entries(evaluation, seen))
    left_out = {row["source_key"]: (row["reason"], row["detail"]) for row in dropped(result)}
    assert left_out == {
        "ours.parquet:4": ("contaminated", "text: bench bench.parquet:0"),
        "ours.parquet:5": ("contaminated", "near: bench bench.parquet:0"),
        "ours.parquet:6": ("contaminated", left_out["ours.parquet:6"][1]),
        "photos.parquet:1": ("contaminated", "picture: seen seen.parquet:0"),
    }
    assert left_out["ours.parquet:6"][1].startswith("words: bench, seen: ")
    assert merged(tmp_path, ours, photos, decontaminate=entries(evaluation), overlap=1.0).rejected["contaminated"] == 2


def test_a_duplicate_of_a_contaminated_row_is_judged_for_itself(tmp_path: Path) -> None:
    ours = write_set(tmp_path / "ours.parquet", [page(LONG), page(LONG)])
    evaluation = write_set(tmp_path / "bench.parquet", [page(LONG), "<p>another page</p>"])
    with pytest.raises(BadInputError, match=r"no row of 2 is left .*'contaminated': 2"):
        merged(tmp_path, ours, decontaminate=entries(evaluation))


def test_quotas_and_temperatures_by_source_and_task(tmp_path: Path) -> None:
    pages = write_set(tmp_path / "pages.parquet", texts(80))
    photos = write_set(tmp_path / "photos.parquet", texts(20, said=CAPTIONS))
    by_quota = merged(tmp_path, pages, photos, balance=(BalanceRule.parsed("source:pages=30"),))
    assert Counter(row["source"] for row in rows_of(by_quota.path)) == {"pages": 30, "photos": 20}
    assert dict(by_quota.rejected) == {"over_quota": 50}
    assert {row["detail"] for row in dropped(by_quota)} == {"source:pages=30"}
    by_task = merged(tmp_path, pages, photos, balance=(BalanceRule.parsed("task=10"),))
    assert Counter(row["task"] for row in rows_of(by_task.path)) == {"page_to_html": 10, "image_to_caption": 10}
    # sizes in proportion to sqrt(80) : sqrt(20) = 2 : 1, as large as the smaller one lets them be
    by_temperature = merged(tmp_path, pages, photos, balance=(BalanceRule.parsed("source^0.5"),))
    assert Counter(row["source"] for row in rows_of(by_temperature.path)) == {"pages": 40, "photos": 20}
    grown = write_set(tmp_path / "pages.parquet", texts(80))
    again = merged(tmp_path, grown, photos, balance=(BalanceRule.parsed("source^0"),), out="even")
    assert Counter(row["source"] for row in rows_of(again.path)) == {"pages": 20, "photos": 20}


def test_a_quota_of_classes_spares_rows_with_a_rare_one(tmp_path: Path) -> None:
    said = [page(f"plain words {i}") for i in range(30)] + [page(f"<nav>rare</nav> words {i}") for i in range(3)]
    rule = BalanceRule.parsed("class:tag:p=10")
    rows = rows_of(merged(tmp_path, write_set(tmp_path / "a.parquet", said), balance=(rule,)).path)
    assert sum("<nav>" in row["text"] for row in rows) == 3
    all_classes = BalanceRule.parsed("class=10")
    few = rows_of(merged(tmp_path, write_set(tmp_path / "a.parquet", said), balance=(all_classes,)).path)
    assert sum("<nav>" in row["text"] for row in few) == 3
    assert len(few) == 10


@pytest.mark.parametrize("text", ["source", "source=x", "place=3", "source^2", "source:a^0.5", ""])
def test_a_rule_that_is_none_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BadInputError, match="there is no way to balance by"):
        BalanceRule.parsed(text)


def test_rows_are_shared_out_by_weight_and_limits_are_met_first(tmp_path: Path) -> None:
    pages = write_set(tmp_path / "pages.parquet", texts(80))
    photos = write_set(tmp_path / "photos.parquet", texts(60, said=CAPTIONS))
    heavy = MergeEntry("pages", str(pages), weight=3.0)
    result = merged(tmp_path, heavy, entry_of(str(photos)), rows=40)
    assert Counter(row["source"] for row in rows_of(result.path)) == {"pages": 30, "photos": 10}
    limited = merged(tmp_path, MergeEntry("pages", str(pages), limit=5), photos, out="limited")
    assert Counter(row["source"] for row in rows_of(limited.path)) == {"pages": 5, "photos": 60}
    assert dict(limited.rejected) == {"over_limit": 2}  # of the row group of 7 that was read
    assert limited.rows_in == 67
    assert not merged(tmp_path, MergeEntry("pages", str(pages), limit=5), photos, out="limited").made_now
