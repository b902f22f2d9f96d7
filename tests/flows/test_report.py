"""`markupmill report`, as a person runs it: files, a page, a screen, a gate's exit code; a release's own record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from curation.measures.clip import clip_names
from curation.report.gate import require_passed
from curation.report.measuring import TASKS_OF, names_of
from curation.sources.generated import Generated
from curation.sources.mapped_files import MappedFiles
from flows.cli import main
from flows.report import ReportOptions, check_table, run_report, summary_markdown
from rendering.errors import BadInputError
from tests.curation.report.strangers import markup_table, write_parquet
from tests.curation.sources.building import build

ROOT = Path(__file__).resolve().parents[2]
GATE = """
checks:
  - {metric: bias_gender.share, comparison: "<=", value: 0.01}
  - {metric: rejected.share, comparison: "<=", value: 0.05, severity: warn}
  - {metric: rows.count, comparison: ">=", value: 5}
"""


def options_of(tmp_path: Path, dataset: Path, **more: object) -> ReportOptions:
    folders = {"output_dir": str(tmp_path / "out"), "workspace": str(tmp_path / "ws")}
    return ReportOptions(str(dataset), **{"measures": ("markup,statistics,bias",), **folders, **more})  # type: ignore[arg-type]


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return write_parquet(tmp_path / "data")


def test_the_command_ends_with_3_where_a_gate_fails_and_names_the_check(tmp_path: Path, captions: Path) -> None:
    (tmp_path / "gate.yaml").write_text(GATE)
    command = [sys.executable, "-m", "flows.cli", "report", str(captions), "--gate", str(tmp_path / "gate.yaml")]
    command += ["--output-dir", str(tmp_path / "out"), "--workspace", str(tmp_path / "ws")]
    done = subprocess.run(
        [*command, "--measures", "bias,statistics"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "markupmill: 1 of 3 checks failed: bias_gender.share <= 0.01 (0.2; image_to_caption). "
        "See the report for which rows, and mend them"
    )
    assert "5 of 6 rows" in done.stdout
    assert f"Page: {tmp_path / 'out'}/report.html" in done.stdout
    assert "warn  rejected.share <= 0.05 (0.166667)" in done.stdout
    assert (tmp_path / "out" / "report.html").stat().st_size > 5_000
    checks = json.loads((tmp_path / "out" / "quality_summary.json").read_text())["markupmill"]["checks"]
    assert [check["passed"] for check in checks] == [False, False, True]


def test_a_second_report_measures_nothing_and_says_the_same(
    tmp_path: Path, captions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_report(options_of(tmp_path, captions))

    def never(*_: object) -> None:
        raise AssertionError("it was measured before")

    monkeypatch.setattr("curation.measuring.run_stage", never)
    monkeypatch.setattr("curation.ingest.run_stage", never)
    again = run_report(options_of(tmp_path, captions, output_dir=str(tmp_path / "again")))
    assert again.facts == first.facts
    for name in ("per_example_scores.csv", "quality_summary.json", "reweighting_probs.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_two_data_sets_are_told_beside_each_other(tmp_path: Path, captions: Path) -> None:
    other = write_parquet(tmp_path / "other")
    reported = run_report(options_of(tmp_path, captions, compare=str(other), max_samples=3))
    assert reported.compared is not None
    assert (reported.facts.n_rows, reported.compared.n_rows) == (3, 3)
    assert "other" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"gates": ("no-such-gate",)}, "there is no gate"),
        ({"measures": ("nothing",)}, "there is no measure 'nothing'"),
        ({"batch_size": "many"}, "--batch-size is 'many'"),
        ({"image_column": "photo"}, "has no column 'photo'"),
        ({"split": "test"}, "has no split 'test'"),
    ],
)
def test_bad_input_is_told_before_anything_is_measured(
    tmp_path: Path, captions: Path, options: dict[str, object], error: str
) -> None:
    with pytest.raises(BadInputError, match=error):
        run_report(options_of(tmp_path, captions, **options))
    assert not (tmp_path / "ws" / "samples").exists()


def test_a_releases_checks_are_recorded_in_it_and_the_next_build_finds_it(tmp_path: Path) -> None:
    texts = Generated("table_to_html", 12).read_texts(next(Generated("table_to_html", 12).pieces(12)))
    write_parquet(tmp_path / "data", markup_table(texts.column("text").to_pylist()))
    source = MappedFiles(str(tmp_path / "data"), "table_to_html", text_column="html_table")
    made = build(source, tmp_path / "ws", rows=12)
    (tmp_path / "gate.yaml").write_text('checks: [{metric: rows.count, comparison: ">=", value: 100, split: train}]')
    reported = run_report(
        options_of(tmp_path, tmp_path / "ws/releases/small", measures=("markup",), gates=(str(tmp_path / "gate.yaml"),))
    )
    n_train = float(made.selection.splits["train"])
    quality = json.loads((tmp_path / "ws/releases/small/quality.json").read_text())
    (check,) = quality["checks"]
    assert (check["value"], check["passed"], check["split"]) == (n_train, False, "train")
    with pytest.raises(Exception, match="checks failed"):
        require_passed(reported.facts.checks)
    assert not build(source, tmp_path / "ws", rows=12).release.made_now
    assert reported.facts.n_rows == made.selection.rows_kept
    assert {split: n for task in reported.facts.tasks for split, n in task.splits.items()} == dict(
        made.selection.splits
    )


def test_the_summary_for_a_flow_is_markdown_that_names_of_strangers_do_not_break(
    tmp_path: Path, captions: Path
) -> None:
    (tmp_path / "gate.yaml").write_text(GATE)
    hostile = tmp_path / "a|b[c](http:x)<script>"
    captions.rename(hostile)
    reported = run_report(options_of(tmp_path, hostile, gates=(str(tmp_path / "gate.yaml"),)))
    text = summary_markdown(reported.facts)
    assert r"a\|b\[c\]\(http:x\)\<script\>" in text
    assert "### image_to_caption: 5 rows" in text
    assert "| n_words | 9.2 | " in text
    table = check_table(reported.facts.checks)
    assert [row["passed"] for row in table] == [False, False, True]
    assert table[0]["metric"] == "bias_gender.share"


def test_measures_and_models_as_the_options_name_them() -> None:
    assert names_of(()) == tuple(name for name in TASKS_OF if name != "ocr")
    assert names_of(("markup, clip", "clip")) == ("markup", "clip")
    assert names_of(("all",)) == tuple(TASKS_OF)
    assert clip_names("") == ()
    assert clip_names("ViT-B-16:laion2b") == ("ViT-B-16", "laion2b")
    assert clip_names("openai/clip-vit-base-patch32") == ("ViT-B-32", "openai")
    assert clip_names("hf-hub:org/name") == ("hf-hub:org/name",)
    assert clip_names("build/models/clip") == ("build/models/clip",)


def test_the_options_are_distilvits() -> None:
    shown = CliRunner().invoke(main, ["report", "--help"]).output
    distilvits = ["split", "max-samples", "output-dir", "clip-model", "batch-size", "device", "topk", "rare-threshold"]
    distilvits += ["plot", "imbalance-gini-alert", "imbalance-topk-alert", "w-clip", "w-bert", "w-obj"]
    ours = ["bert-model", "image-column", "text-column", "task", "measures", "compare", "gate"]
    assert [name for name in (*distilvits, *ours) if f"--{name} " not in shown] == []
