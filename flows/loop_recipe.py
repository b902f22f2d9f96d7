"""Recipes of the loop: a build, what of it is made more of, how both become one, what the result is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.report.gate import load_gate
from flows.merge_recipe import MergeRecipe, load_merge_recipe
from flows.recipe import Recipe, load_recipe, parse_recipe
from flows.recipe_parts import RecipeError, nearest
from flows.synthesize import SynthesizeOptions


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Synthesis(_Strict):
    """What is made: the options of `markupmill synthesize` that a recipe can set."""

    threshold: Annotated[int, Field(gt=0)] | None = None
    target_gini: Annotated[float, Field(ge=0, le=1)] | None = None
    task: str = ""
    max_prompts: Annotated[int, Field(gt=0)] | None = None
    per_prompt: Annotated[int, Field(gt=0)] = 1
    rounds: Annotated[int, Field(gt=0)] = 4
    backend: Literal["templates", "llm", "images"] = "templates"
    model: str = ""
    recipe: str = "synthesized"
    seed: int = 42
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    per_minute: float = 0.0
    at_once: Annotated[int, Field(gt=0)] = 4

    def options(self, release: str, workspace: str, name: str) -> SynthesizeOptions:
        """As `synthesize` takes it: asked for, and made like, a release."""
        return SynthesizeOptions(
            address=release, like=release, workspace=workspace, name=name, **self.model_dump()
        ).checked()


class LoopRecipe(_Strict):
    """A whole loop. `curate` is a recipe: a shipped name, a file, or its keys; `merge` are keys of a merge recipe.

    `report` are the measures of both reports (empty: the usual ones); `gates` are what the merged release is held
    against; `rare_threshold` is what counts as rare where `synthesize` sets no threshold.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    curate: str | dict[str, Any]
    synthesize: Synthesis = Synthesis()
    merge: dict[str, Any] = Field(default_factory=dict)
    report: tuple[str, ...] = ()
    rare_threshold: Annotated[int, Field(gt=0)] = 50
    gates: tuple[str, ...] = ()

    def build_recipe(self) -> Recipe:
        """The recipe of the first build. Raises `RecipeError`."""
        if isinstance(self.curate, str):
            return load_recipe(self.curate)
        return parse_recipe({"name": f"{self.name}-curated", **self.curate}, f"{self.name}: curate")

    def merge_recipe(self, sources: list[str]) -> MergeRecipe:
        """The merge of these releases. Raises `RecipeError`."""
        return load_merge_recipe(None, {"name": self.name, **self.merge, "sources": sources})


def load_loop_recipe(path: str) -> LoopRecipe:
    """The recipe in a file, checked whole.

    Raises:
        RecipeError: no such file, not YAML, an unknown key, a value of the wrong type.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise RecipeError(f"there is no loop recipe {path!r}", "Give a YAML file: see docs/rare-classes.md")
    try:
        plain = yaml.safe_load(file.read_text("utf-8"))
        recipe = LoopRecipe.model_validate(plain)
    except yaml.YAMLError as error:
        raise RecipeError(f"loop recipe {path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise _readable(error, path) from None
    recipe.build_recipe()
    for gate in recipe.gates:
        load_gate(gate)
    recipe.merge_recipe(["one", "two"])
    return recipe


def _readable(error: ValidationError, path: str) -> RecipeError:
    faults = error.errors(include_url=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        model = Synthesis if first["loc"][0] == "synthesize" else LoopRecipe
        mend = nearest(str(first["loc"][-1]), model.model_fields)
        return RecipeError(f"loop recipe {path} has an unknown key {where!r}", mend)
    return RecipeError(f"loop recipe {path}: {where or 'it'}: {first['msg']}", "See docs/rare-classes.md")
