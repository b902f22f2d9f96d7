"""The report's files: distilvit's names and columns, computed rightly, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from curation.errors import StoreError
from curation.report.files import HEADER, PerExampleCsv, cell, write_files
from curation.report.gathering import Gathered, Settings, gather
from curation.report.measuring import Choice, measure_subject
from curation.report.subject import Asked, open_subject
from curation.sample import IMAGE_TYPE
from tests.curation.report.strangers import captions_table, picture, write_parquet

SETTINGS = {"split": "all", "rare_threshold": 2, "imbalance_gini_alert": 0.5, "imbalance_topk_alert": 0.5}
OF_DISTILVIT = [
    "dataset", "split", "total_samples", "samples_with_images", "clip_score_mean", "clip_score_std",
    "clip_score_min", "clip_score_max", "clip_score_median", "bert_score_mean", "bert_score_std", "avg_word_count",
    "median_word_count", "unique_words", "total_words", "vocabulary_entropy", "avg_object_coverage",
    "duplicate_rate", "word_dist_entropy", "word_dist_gini", "word_dist_top10_share", "obj_num_unique",
    "obj_total_mentions", "obj_entropy_bits", "obj_gini", "obj_top5_share", "obj_top10_share", "obj_rare_count",
    "obj_rare_threshold", "obj_miss_rate", "imbalance_warnings",
]  # fmt: skip
CATEGORIES = ["gender", "sexual_orientation", "race_ethnicity", "nationality", "religion", "disability", "age"]


def written(tmp_path: Path, table: pa.Table, names: tuple[str, ...]) -> tuple[Path, Gathered]:
    subject = open_subject(Asked(str(write_parquet(tmp_path / "data", table))), str(tmp_path / "ws"))
    measured = measure_subject(subject, Choice(names))
    out = tmp_path / "out"
    out.mkdir()
    with PerExampleCsv(out) as rows:
        gathered = gather(subject, measured, Settings(rare_threshold=2, topk=3), sink=rows, with_examples=False)
    rows.write_ranked(gathered.combined)
    write_files(gathered, out, SETTINGS)
    return out, gathered


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("files"), captions_table(), ("bias", "statistics", "classes", "hashes"))[0]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_there(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {
        "quality_summary.json", "per_example_scores.csv", "ranked_by_combined.csv", "object_counts.csv",
        "objects_below_2.csv", "reweighting_probs.csv", "top_failures",
    }  # fmt: skip


def test_the_summary_has_distilvits_fields_and_null_where_nothing_was_measured(out: Path) -> None:
    summary: dict[str, Any] = json.loads((out / "quality_summary.json").read_text("utf-8"))
    rates = [f"protected_{name}_rate_{when}" for when in ("transformed", "original") for name in CATEGORIES]
    assert set(summary) == {*OF_DISTILVIT, *rates, "markupmill"}
    assert (summary["total_samples"], summary["samples_with_images"]) == (5, 5)
    assert summary["clip_score_mean"] is summary["bert_score_std"] is None
    assert summary["protected_gender_rate_transformed"] == 0.2
    assert summary["protected_gender_rate_original"] == 0.5
    # Of 2, 3, 1 and 1 objects that sources name, captions name 2, 2, 1 and 1.
    assert summary["avg_object_coverage"] == pytest.approx((1 + 2 / 3 + 1 + 1) / 4, abs=1e-6)
    assert summary["obj_miss_rate"] == 0.0
    assert summary["duplicate_rate"] == 0.2
    assert summary["obj_total_mentions"] == 2 + 3 + 1 + 1 + 1
    assert summary["markupmill"]["schema_version"] == 1
    assert summary["markupmill"]["n_rows_in"] == 6
    assert summary["markupmill"]["settings"]["rare_threshold"] == 2


def test_every_row_has_its_scores_and_what_was_not_measured_is_empty(out: Path) -> None:
    rows = rows_of(out / "per_example_scores.csv")
    assert tuple(rows[0]) == HEADER
    assert [row["idx"] for row in rows] == ["0", "1", "2", "3", "4"]
    first, second, third = rows[:3]
    assert (first["alt_text"], first["word_count"], first["has_image"]) == (
        "A man rides a brown horse on the beach.", "9", "True",
    )  # fmt: skip
    assert (first["protected_gender_transformed"], first["protected_gender_original"]) == ("1", "")
    assert (third["protected_gender_transformed"], third["protected_gender_original"]) == ("0", "1")
    assert (first["clip_score"], first["bert_score"], first["render_similarity"]) == ("", "", "")
    assert (second["objs_matched"], second["objs_total"], second["combined_terms"]) == ("2", "3", "obj")
    assert float(second["obj_miss_frac"]) == pytest.approx(1 / 3, abs=1e-5)
    assert (rows[4]["objs_total"], rows[4]["combined_score"], rows[4]["combined_terms"]) == ("", "", "")
    # Of equal rows the one of the smallest id is kept.
    kept, left_out = sorted((second, rows[3]), key=lambda row: row["id"])
    assert {row["id"]: row["duplicate_of"] for row in rows if row["duplicate_of"]} == {left_out["id"]: kept["id"]}
    assert second["objects"] == "dog; sofa; bottle"
    assert (second["split"], second["task"], second["source_key"]) == ("train", "image_to_caption", "img-1")


def test_the_ranking_holds_the_same_rows_the_worst_first_and_those_without_a_score_last(out: Path) -> None:
    rows, ranked = rows_of(out / "per_example_scores.csv"), rows_of(out / "ranked_by_combined.csv")
    assert [row["idx"] for row in ranked] == ["1", "0", "2", "3", "4"]
    assert sorted(ranked, key=lambda row: int(row["idx"])) == rows


def test_counts_rare_objects_and_weights(out: Path) -> None:
    counts = {row["object"]: int(row["count"]) for row in rows_of(out / "object_counts.csv")}
    assert counts == {"dog": 2, "person": 2, "bottle": 1, "cat": 1, "couch": 1, "horse": 1}
    assert [row["object"] for row in rows_of(out / "objects_below_2.csv")] == ["bottle", "cat", "couch", "horse"]
    weights = rows_of(out / "reweighting_probs.csv")
    assert sum(float(row["reweight_norm"]) for row in weights) == pytest.approx(1.0)
    assert [float(row["reweight_raw"]) for row in weights] == pytest.approx([3 / 4, 5 / 6, 1 / 2, 1 / 2, 1.0])


def test_a_row_without_an_object_gets_the_mean_weight(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": pa.array([{"bytes": picture(n), "path": None} for n in range(3)], IMAGE_TYPE),
            "caption": ["A dog and a cat.", "A dog.", "It is very quiet here today."],
            "objects": pa.array([["dog", "cat"], ["dog"], []], pa.list_(pa.string())),
        }
    )
    out, gathered = written(tmp_path, table, ("classes",))
    assert gathered.weights.tolist() == pytest.approx([3 / 4, 1 / 2, 5 / 8])
    assert (out / "object_counts.csv").read_text() == "object,count\ndog,2\ncat,1\n"


def test_the_worst_rows_are_written_out_with_their_pictures(out: Path) -> None:
    names = {path.name for path in (out / "top_failures").iterdir()}
    assert names == {"0.txt", "0.jpg", "1.txt", "1.jpg", "2.txt", "2.jpg"}
    told = (out / "top_failures" / "1.txt").read_text("utf-8")
    assert "alt_text: A dog sleeps on a red couch in the sun.\n" in told
    assert "clip_score: \n" in told
    with Image.open(out / "top_failures" / "1.jpg") as image:
        assert image.size == (24, 18)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\t=1", "'\t=1"), ("  =1", "'  =1"),
        ("＝1", "'＝1"), ("plain = text", "plain = text"), (-0.25, "-0.25"), (float("nan"), ""), (None, ""), (3, 3),
        ("a\0b", "ab"), ("", ""),
    ],
)  # fmt: skip
def test_no_text_is_a_formula(value: object, expected: object) -> None:
    assert cell(value) == expected


def test_no_cell_of_any_file_is_a_formula(out: Path) -> None:
    for path in out.glob("*.csv"):
        for row in rows_of(path):
            for name, value in row.items():
                assert not value.startswith(("=", "+", "@", "\t")), (path.name, name, value)
    assert any(row["alt_text"].startswith("'=HYPERLINK") for row in rows_of(out / "per_example_scores.csv"))


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    _, gathered = written(tmp_path, captions_table(), ("statistics",))
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the report into"):
        write_files(gathered, tmp_path / "file" / "out", SETTINGS)
