"""`markupmill merge` and `merge-datasets`: lists as distilvit's users write them, recipes, what is told, a push."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import flows.merge
from flows.cli import main
from flows.merge import MergeOptions
from flows.merge_command import spread
from flows.merge_recipe import load_merge_recipe, splits_of
from rendering.errors import BadInputError
from tests.curation.merge.sets import CAPTIONS, content, rows_of, texts, write_set

ROOT = Path(__file__).resolve().parents[2]


def test_merge_datasets_takes_a_list_after_one_option(tmp_path: Path) -> None:
    write_set(tmp_path / "one.parquet", texts(30))
    write_set(tmp_path / "two.parquet", texts(20, said=CAPTIONS))
    code = "from flows.merge_command import merge_datasets; merge_datasets()"
    command = [sys.executable, "-c", code, "--datasets", "one.parquet", "two.parquet", "--save-path", "merged"]
    done = subprocess.run(
        [*command, "--sample", "15"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "41 rows in = 30 kept + 11 left out" in done.stdout
    assert "one     image   struct<bytes: binary, path: string>  mapped  image" in done.stdout
    assert len(rows_of(tmp_path / "merged")) == 30


def folders(tmp_path: Path) -> list[str]:
    return ["--save-path", str(tmp_path / "out"), "--cache-dir", str(tmp_path / "cache")]


def test_lists_commas_and_repetition_mean_the_same(tmp_path: Path) -> None:
    expected = ["--datasets", "coco", "--datasets", "flickr", "--sample", "5"]
    for written in ("--datasets coco flickr --sample 5", "--datasets coco,flickr --sample 5", " ".join(expected)):
        assert spread(written.split()) == expected
    assert spread(["--datasets=coco", "flickr"]) == expected[:4]
    odd = tmp_path / "a,b.parquet"
    odd.touch()
    assert spread(["--datasets", str(odd), "--seed", "-1"]) == ["--datasets", str(odd), "--seed", "-1"]
    assert spread(["recipe.yaml", "--balance", "source=1", "task=2"]) == [
        *("recipe.yaml", "--balance", "source=1", "--balance", "task=2")
    ]


def test_a_recipe_and_the_command_line_say_the_same(tmp_path: Path) -> None:
    one, two = write_set(tmp_path / "one.parquet", texts(30)), write_set(tmp_path / "two.parquet", texts(30, 10))
    recipe = {
        "sources": [{"name": "first", "address": str(one), "limit": 20, "license": "MIT"}, {"address": str(two)}],
        "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
        "seed": 5,
        "layout": "messages",
        "prompt": {"user": "Write it."},
    }
    (tmp_path / "mix.yaml").write_text(yaml.safe_dump(recipe))
    arguments = [
        "merge",
        str(tmp_path / "mix.yaml"),
        "--save-path",
        str(tmp_path / "out"),
        "--cache-dir",
        str(tmp_path / "c"),
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    rows = rows_of(tmp_path / "out")
    assert {row["source"] for row in rows} == {"first", "two"}
    assert {row["messages"][0]["content"] for row in rows} == {"Write it."}
    before = content(tmp_path / "out")
    # What stands in the release makes the same release.
    arguments[1] = str(tmp_path / "out" / "recipe.yaml")
    again = CliRunner().invoke(main, arguments)
    assert "Nothing new" in again.output, again.output
    assert content(tmp_path / "out") == before
    changed = CliRunner().invoke(main, [*arguments, "--layout", "image_text", "--splits", "80/10/10", "--dry-run"])
    assert "Dry run" in changed.output
    assert content(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"sources": [{"adress": "x"}]}, "a source has neither a preset nor an address"),
        ({"sources": [{"address": "x", "limt": 3}]}, "a source has an unknown key 'limt'. Did you mean 'limit'?"),
        ({"sources": [{"preset": "coko"}]}, "there is no preset 'coko'. Did you mean 'coco'?"),
        ({"sources": ["coco"], "dedupe": "near"}, "unknown key 'dedupe'. Did you mean 'dedup'?"),
        ({"sources": [{"preset": "coco", "weight": 2}]}, "a source has a weight, and there are no rows to share out"),
        ({"sources": ["coco"], "splits": "half"}, "--splits half is not three numbers"),
        ({"sources": ["coco"], "balance": ["much"]}, "there is no way to balance by 'much'"),
        ({"sources": []}, "sources"),
    ],
)
def test_a_recipe_is_checked_whole_before_anything_is_read(tmp_path: Path, recipe: dict[str, Any], said: str) -> None:
    (tmp_path / "mix.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(BadInputError) as error:
        load_merge_recipe(str(tmp_path / "mix.yaml"), {})
    assert said in str(error.value)


def test_presets_read_from_where_it_is_said(tmp_path: Path) -> None:
    options = MergeOptions(datasets=("coco", "websight"), addresses=("coco=here", "websight=there"), sample=7)
    entries = options.resolved().spec().entries
    assert [(one.preset, one.address, one.limit) for one in entries] == [("coco", "here", 7), ("websight", "there", 7)]
    with pytest.raises(BadInputError, match="--from flickr=x fits 0 sources"):
        MergeOptions(datasets=("coco",), addresses=("flickr=x",)).resolved()
    named = MergeOptions(decontaminate=("pubtabnet#val",), datasets=("coco",)).resolved().spec()
    assert [(one.preset, one.split) for one in named.decontaminate] == [("pubtabnet", "val")]
    assert [one.preset for one in MergeOptions().resolved().spec().entries] == list(flows.merge.DEFAULT_DATASETS)


def test_splits_are_percent_shares_or_rows() -> None:
    assert splits_of("80/10/10") == {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert splits_of("0.9/0.05/0.05") == {"train": 0.9, "validation": 0.05, "test": 0.05}
    assert splits_of("10000/250/500") == {"train": 10_000, "validation": 250, "test": 500}


def test_what_was_merged_is_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write_set(tmp_path / "one.parquet", texts(10))
    pushed: list[Any] = []
    monkeypatch.setattr("flows.push.run_push", lambda options: pushed.append(options) or "pushed")
    arguments = [
        "merge",
        "--datasets",
        str(one),
        "--save-path",
        str(tmp_path / "out"),
        "--cache-dir",
        str(tmp_path / "c"),
    ]
    done = CliRunner().invoke(main, [*arguments, "--push-to-hub", "me/set", "--private"])
    assert done.exit_code == 0, done.output
    assert done.output.rstrip().endswith("pushed")
    assert [(one.release, one.repo_id, one.private, one.no_gate) for one in pushed] == [
        (str(tmp_path / "out"), "me/set", True, False)
    ]
    CliRunner().invoke(main, [*arguments, "--push-to-hub", "me/set", "--dry-run"])
    assert pushed[1].dry_run
