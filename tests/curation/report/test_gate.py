"""Gates: files of checks, what becomes of them, and where that is kept."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import BadInputError, GateFailedError
from curation.report.facts import Check, ClassBalance, Distribution, Rejected, ReportFacts, Share, Summary, TaskFacts
from curation.report.findings import Alerts
from curation.report.gate import Gate, GateError, load_gate, require_passed, run_gate, shipped_gates, told
from curation.report.gathering import with_checks
from curation.report.recording import record_checks
from curation.report.tally import share_of
from curation.store import Workspace

QUANTILES = {"min": 0.1, "p01": 0.1, "p05": 0.2, "p25": 0.3, "p50": 0.4, "p75": 0.5, "p95": 0.6, "p99": 0.7, "max": 0.9}


def task_facts(name: str, **shares: Share) -> TaskFacts:
    return TaskFacts(
        name,
        90,
        {"train": 90},
        (Distribution("clip_cosine", "", "", Summary(80, 10, 0.33, QUANTILES), (0.0, 1.0), (80,)),),
        (ClassBalance("object", 9, 90, 80, 2.5, 0.61, 0.7, 1.0, (), (), (), 3, 50),),
        (),
        {},
        {},
        (),
        (),
        {},
        shares,
    )


@pytest.fixture
def facts() -> ReportFacts:
    tasks = (task_facts("image_to_caption"), task_facts("page_to_html", valid=share_of(89, 90)))
    rejected = (Rejected("image_truncated", "", 8, ()), Rejected("text_missing", "", 2, ()))
    return ReportFacts(1, "d", "d", "", 180, 190, "good", (), tasks, 9, None, (), rejected, ())


def gate_of(*lines: str) -> Gate:
    return Gate.model_validate({"checks": [dict(part.split("=", 1) for part in line.split()) for line in lines]})


def outcomes(facts: ReportFacts, line: str, **of_split: ReportFacts) -> list[tuple[str | None, float | None, bool]]:
    return [(check.task, check.value, check.passed) for check in run_gate(gate_of(line), facts, of_split)]


@pytest.mark.parametrize(
    ("line", "value", "passed"),
    [
        ("metric=n_exact_duplicates.share comparison=<= value=0.05", 0.05, True),
        ("metric=n_exact_duplicates.count comparison=< value=9", 9.0, False),
        ("metric=n_near_duplicates.share comparison=<= value=1", None, False),
        ("metric=rejected.share comparison=< value=0.06", round(10 / 190, 6), True),
        ("metric=rejected.text_missing.count comparison=== value=2", 2.0, True),
        ("metric=rejected.image_blank.count comparison=== value=0", 0.0, True),
        ("metric=rows.count comparison=>= value=181", 180.0, False),
    ],
)
def test_metrics_of_all_rows(facts: ReportFacts, line: str, value: float | None, passed: bool) -> None:
    assert outcomes(facts, line) == [(None, value, passed)]


@pytest.mark.parametrize(
    ("line", "value", "passed"),
    [
        ("metric=clip_cosine.p05 comparison=>= value=0.2", 0.2, True),
        ("metric=clip_cosine.mean comparison=> value=0.33", 0.33, False),
        ("metric=clip_cosine.measured_share comparison=>= value=0.8", round(80 / 90, 6), True),
        ("metric=balance.object.gini comparison=<= value=0.5", 0.61, False),
        ("metric=balance.tag.gini comparison=<= value=0.5", None, False),
        ("metric=valid.share comparison=>= value=0.98", round(89 / 90, 6), True),
        ("metric=render_similarity.p50 comparison=>= value=0", None, False),
        ("metric=bias_gender.share comparison=<= value=1", None, False),
        ("metric=rows.count comparison=>= value=90", 90.0, True),
    ],
)
def test_metrics_of_one_task(facts: ReportFacts, line: str, value: float | None, passed: bool) -> None:
    assert outcomes(facts, f"{line} task=page_to_html") == [("page_to_html", value, passed)]


def test_without_a_task_a_check_is_made_for_each_and_a_task_that_is_not_there_has_not_passed(
    facts: ReportFacts,
) -> None:
    assert outcomes(facts, "metric=clip_cosine.p50 comparison=>= value=0.4") == [
        ("image_to_caption", 0.4, True), ("page_to_html", 0.4, True),
    ]  # fmt: skip
    assert outcomes(facts, "metric=n_tokens.max comparison=<= value=9 task=formula_to_latex") == [
        ("formula_to_latex", None, False)
    ]


def test_a_check_of_a_split_looks_at_that_split(facts: ReportFacts) -> None:
    small = replace(facts, n_rows=20)
    line = "metric=rows.count comparison=>= value=100 split=test"
    assert outcomes(facts, line, test=small) == [(None, 20.0, False)]


def test_failed_checks_are_named_in_one_line_with_exit_code_3(facts: ReportFacts) -> None:
    gate = gate_of(
        "metric=rows.count comparison=>= value=200 severity=warn",
        "metric=clip_cosine.p05 comparison=>= value=0.3 task=page_to_html",
        "metric=n_near_duplicates.share comparison=<= value=0.1",
        "metric=rejected.share comparison=<= value=0.1",
    )
    checks = run_gate(gate, facts, {})
    with pytest.raises(GateFailedError) as caught:
        require_passed(checks)
    assert caught.value.exit_code == 3
    line = str(caught.value)
    assert "\n" not in line
    assert "2 of 4 checks failed" in line
    assert "clip_cosine.p05 >= 0.3 (0.2; page_to_html)" in line
    assert "n_near_duplicates.share <= 0.1 (not measured)" in line
    assert str(pickle.loads(pickle.dumps(caught.value))) == line
    require_passed([check for check in checks if check.severity == "warn"])
    told_facts = with_checks(facts, checks, Alerts())
    assert told_facts.verdict == "fail"
    assert told_facts.checks == tuple(checks)
    assert sum(finding.what.startswith("Gate:") for finding in told_facts.findings) == 3
    assert told(checks[0]) == "rows.count >= 200 (180)"


@pytest.mark.parametrize("name", shipped_gates())
def test_shipped_gates_can_be_read_and_run(name: str, facts: ReportFacts) -> None:
    gate = load_gate(name)
    assert gate.description
    assert len(run_gate(gate, facts, {})) >= len(gate.checks)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("check: []", "unknown key 'check'. Did you mean 'checks'?"),
        ("checks: []", "checks: Tuple should have at least 1 item"),
        ("checks: [{metric: a.b, comparison: '<', value: 1}]", "there is no metric 'a.b'"),
        ("checks: [{metric: clip_cosin.p05, comparison: '<', value: 1}]", "Did you mean 'clip_cosine.p05'?"),
        ("checks: [{metric: balance.tag.ginny, comparison: '<', value: 1}]", "Did you mean 'balance.tag.gini'?"),
        ("checks: [{metric: rejected.image_blurred.share, comparison: '<', value: 1}]", "there is no metric"),
        ("checks: [{metrik: rows.count, comparison: '<', value: 1}]", "key 'checks.0.metrik'. Did you mean 'metric'?"),
        ("checks: [{metric: rows.count, comparison: '=<', value: 1}]", "checks.0.comparison: Input should be '<'"),
        ("checks: [{metric: rows.count, comparison: '<', value: many}]", "checks.0.value"),
        ("checks: [{metric: rows.count, comparison: '<', value: 1, task: pages}]", "checks.0.task"),
        ("checks: [", "is not YAML"),
        ("- a", "is not a mapping"),
    ],
)  # fmt: skip
def test_a_wrong_gate_file_is_told_with_the_mend(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "gate.yaml").write_text(text)
    with pytest.raises(GateError) as caught:
        load_gate(str(tmp_path / "gate.yaml"))
    assert error in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_gate_that_is_not_there_names_the_shipped_ones() -> None:
    with pytest.raises(GateError, match="Shipped are: captions, formulas, pages, tables"):
        load_gate("no-such-gate")


def release(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "releases" / "r")
    made.write_json("quality.json", {"checks": [], "rows_kept": 3})
    entry = {"sha256": made.file_sha256("quality.json"), "n_bytes": 1}
    made.write_json("manifest.json", {"files": {"quality.json": entry}, "release_version": 1})
    return made


def test_checks_are_recorded_and_the_release_still_verifies(tmp_path: Path) -> None:
    made = release(tmp_path)
    checks = [
        Check("rows.count", ">=", 5.0, 3.0, "fail", passed=False),
        Check("a.b", "<", 1.0, None, "warn", passed=False),
    ]
    for _ in range(2):
        record_checks(made.root, checks)
        quality = made.read_json("quality.json")
        assert quality is not None
        assert quality["rows_kept"] == 3
        assert [(check["metric"], check["value"], check["passed"]) for check in quality["checks"]] == [
            ("rows.count", 3.0, False), ("a.b", None, False),
        ]  # fmt: skip
        manifest = made.read_json("manifest.json")
        assert manifest is not None
        entry = manifest["files"]["quality.json"]
        assert entry["sha256"] == made.file_sha256("quality.json")
        assert entry["n_bytes"] == Path(made.path("quality.json")).stat().st_size
    assert json.loads(Path(made.path("quality.json")).read_text())["checks"][0]["severity"] == "fail"
    record_checks(made.root, [])
    assert made.read_json("quality.json") == {"checks": [], "rows_kept": 3}


def test_what_is_no_release_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is no release"):
        record_checks(str(tmp_path), [])
    assert list(tmp_path.iterdir()) == []
