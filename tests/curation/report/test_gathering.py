"""Facts from samples and measures: what is in the data is in the facts, counted once, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.report.facts import BiasFinding, ReportFacts
from curation.report.gathering import Gathered, Settings, gather
from curation.report.measuring import Choice, Measured, measure_subject
from curation.report.subject import Asked, Subject, open_subject
from tests.curation.report.strangers import captions_table, markup_table, write_arrow, write_parquet

MEASURES = ("markup", "statistics", "classes", "hashes", "bias")


def looked_at(
    tmp_path: Path, folder: Path, names: tuple[str, ...] = MEASURES, **asked: object
) -> tuple[Subject, Measured]:
    subject = open_subject(Asked(str(folder), **asked), str(tmp_path / "ws"))  # type: ignore[arg-type]
    return subject, measure_subject(subject, Choice(names))


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Gathered:
    folder = tmp_path_factory.mktemp("captions")
    subject, measured = looked_at(folder, write_parquet(folder / "data"))
    return gather(subject, measured, Settings(n_examples=2, topk=3))


@pytest.fixture
def facts(captions: Gathered) -> ReportFacts:
    return captions.facts


def bias_of(facts: ReportFacts, category: str) -> BiasFinding:
    return next(one for one in facts.tasks[0].bias if one.category == category)


def test_rows_and_rejects_add_up(facts: ReportFacts) -> None:
    assert (facts.n_rows, facts.n_rows_in) == (5, 6)
    (rejected,) = facts.rejected
    assert (rejected.reason, rejected.n_rows) == ("image_truncated", 1)
    assert "end before the picture does" in rejected.meaning
    assert rejected.examples[0].title == "img-5"
    assert rejected.examples[0].text == "Two women walk along a busy street today."
    (task,) = facts.tasks
    assert (task.task, task.n_rows, task.splits) == ("image_to_caption", 5, {"train": 5})


def test_numbers_are_those_of_the_measures(facts: ReportFacts) -> None:
    by_name = {one.name: one for one in facts.tasks[0].distributions}
    assert {"n_words", "n_chars", "width_px", "height_px", "aspect"} == set(by_name)
    assert by_name["n_words"].summary.quantiles["min"] == 8
    assert by_name["n_words"].summary.n_measured == 5
    assert by_name["width_px"].summary.mean == 24.0
    assert facts.tasks[0].vocabulary["n_words"] == 10 * by_name["n_words"].summary.mean / 2
    assert facts.tasks[0].shares["valid"].share == 1.0


def test_bias_before_and_after_with_intervals_and_examples(facts: ReportFacts) -> None:
    gender = bias_of(facts, "gender")
    assert (gender.after.n_hits, gender.after.n) == (1, 5)
    assert gender.before is not None
    assert (gender.before.n_hits, gender.before.n) == (1, 2)
    assert gender.after.low < 0.2 < gender.after.high
    assert gender.rating == "poor"
    assert gender.terms == (("man", 1),)
    assert [one.text for one in gender.examples] == ["A man rides a brown horse on the beach."]
    assert bias_of(facts, "religion").after.n_hits == 0


def test_classes_of_objects_and_rare_ones(facts: ReportFacts) -> None:
    (objects,) = facts.tasks[0].balances
    assert objects.namespace == "object"
    assert dict(objects.most)["object:dog"] == 2
    assert objects.n_rare == objects.n_classes == len(objects.rare)
    assert objects.lorenz[0] == (0.0, 0.0)
    assert objects.lorenz[-1] == (1.0, 1.0)


def test_duplicates_are_counted_once_and_shown(facts: ReportFacts) -> None:
    assert (facts.n_exact_duplicates, facts.n_near_duplicates) == (1, 0)
    (cluster,) = facts.clusters
    assert (cluster.kind, cluster.n_rows) == ("exact", 2)
    assert {one.title for one in cluster.members} == {"img-1", "img-3"}
    assert cluster.members[0].note.startswith("This one would be kept.")
    assert cluster.members[0].picture is not None
    assert cluster.members[0].picture.startswith(b"\x89PNG")


def test_worst_rows_miss_objects_and_each_shows_another_picture(captions: Gathered) -> None:
    task = captions.facts.tasks[0]
    # Row 1 (a bottle that is not named) is the worst, row 0 names all.
    assert [one.title for one in task.worst] == ["img-1", "img-0"]
    assert task.best[0].title in {"img-0", "img-2", "img-3"}
    assert captions.worst[0][0] == 1
    assert captions.object_misses[:2] == (4, 0)
    assert captions.object_misses[2] == pytest.approx(1 / 12, abs=1e-6)
    assert task.worst[0].note.startswith("Before: A dog sleeps")


def test_rare_objects_are_drawn_more_often(captions: Gathered) -> None:
    assert captions.probabilities.sum() == pytest.approx(1.0)
    # horse 1, person 2; dog 2, couch 1, bottle 1; person 2; dog 2; cat 1
    assert captions.weights.tolist() == pytest.approx([3 / 4, 5 / 6, 1 / 2, 1 / 2, 1.0])


def test_what_was_not_measured_is_named_with_its_reason(facts: ReportFacts) -> None:
    why = {one.measure: one.why for one in facts.not_measured}
    assert why == {
        "tokens": "not asked for: add tokens to --measures",
        "clip": "not asked for: add clip to --measures",
        "bertscore": "not asked for: add bertscore to --measures",
    }
    assert facts.verdict == "fail"
    assert facts.findings[0].severity == "fail"
    assert any("Not measured: tokens, clip, bertscore" in finding.what for finding in facts.findings)


def test_a_measure_without_a_single_value_is_not_measured(tmp_path: Path) -> None:
    said = ["Eine Frau geht mit ihrem Hund durch den verschneiten Wald nach Hause."] * 6
    table = captions_table().select(["image"]).append_column("caption", pa.array(said))
    subject, measured = looked_at(tmp_path, write_parquet(tmp_path / "data", table), ("classes", "statistics"))
    facts = gather(subject, measured, Settings()).facts
    why = {one.measure: one.why for one in facts.not_measured}
    assert why["classes"] == "no row's classes can be told"
    assert facts.tasks[0].languages == {"de": 5}
    assert facts.tasks[0].balances == ()
    assert facts.n_exact_duplicates is None
    assert facts.tasks[0].worst == ()


def test_a_model_that_cannot_be_had_is_not_measured_and_the_rest_is(tmp_path: Path) -> None:
    subject = open_subject(Asked(str(write_parquet(tmp_path / "data"))), str(tmp_path / "ws"))
    measured = measure_subject(subject, Choice(("tokens", "markup"), tokenizer="package:no-such-tokenizer"))
    facts = gather(subject, measured, Settings(), with_examples=False).facts
    (tokens,) = [one for one in facts.not_measured if one.measure == "tokens"]
    assert "no-such-tokenizer" in tokens.why
    assert facts.tasks[0].shares["valid"].n == 5


def test_markup_is_counted_by_its_classes_and_rejected_by_its_faults(tmp_path: Path) -> None:
    texts = [f"<table><tr><td>{n} apples</td><td><b>x</b></td></tr></table>" for n in range(6)]
    texts[4] = "<table><tr><td rowspan=2>a</td></tr><tr><td>b</td><td>c</td></tr></table>"
    texts[5] = "no table"
    table = markup_table(texts)
    subject, measured = looked_at(tmp_path, write_arrow(tmp_path / "data", table), ("markup", "classes", "hashes"))
    facts = gather(subject, measured, Settings()).facts
    (task,) = facts.tasks
    assert {one.namespace for one in task.balances} >= {"tag", "shape"}
    tags = next(one for one in task.balances if one.namespace == "tag")
    assert dict(tags.most)["tag:b"] == 4
    assert {group.reason for group in facts.rejected} == {"table_missing", "table_ragged"}
    assert (facts.n_rows, facts.n_rows_in) == (4, 6)
    assert task.bias == ()


def test_one_split_alone(tmp_path: Path) -> None:
    for split, n_rows in (("train", 4), ("test", 2)):
        table = markup_table([f"<table><tr><td>{split} {n}</td></tr></table>" for n in range(n_rows)])
        write_parquet(tmp_path / "data", table, f"{split}.parquet")
    subject, measured = looked_at(tmp_path, tmp_path / "data", ("markup",))
    whole = gather(subject, measured, Settings(), with_examples=False)
    alone = gather(subject, measured, Settings(), with_examples=False, split="test")
    assert whole.facts.tasks[0].splits == {"test": 2, "train": 4}
    assert (alone.facts.n_rows, alone.facts.tasks[0].splits) == (2, {"test": 2})


def test_all_rows_rejected_is_a_report_too(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([b"no", b""]), "caption": pa.array(["A dog.", "A cat."])})
    subject, measured = looked_at(tmp_path, write_parquet(tmp_path / "data", table))
    gathered = gather(subject, measured, Settings())
    assert (gathered.facts.n_rows, gathered.facts.n_rows_in, gathered.facts.tasks) == (0, 2, ())
    assert gathered.facts.verdict == "fail"
    assert len(gathered.combined) == len(gathered.weights) == 0
    assert np.isfinite(gathered.probabilities).all()
