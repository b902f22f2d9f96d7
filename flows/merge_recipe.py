"""Merge recipes: typed YAML that says which sources a merge has, and how. Checked whole before anything is read.

What stands on the command line replaces what the recipe says; the resolved recipe lies in the release.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import Field, ValidationError

from curation.balance_rules import BalanceRule
from curation.conversation import Prompt
from curation.duplicates import Mode
from curation.layouts import Layout
from curation.merge.opening import entry_of
from curation.merge.presets import PRESETS, source_of
from curation.merge.spec import MergeEntry, MergeSpec
from curation.split import SplitRule
from flows.recipe_parts import PromptSettings, RecipeError, SplitSettings, Strict, nearest

_OWN: Final = ("name", "preset", "address", "columns", "task", "license", "split", "limit", "weight")
_NUMBERS: Final = re.compile(r"(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")


class MergeSource(Strict):
    """One source: a preset or an address, and how it is read; see `curation.merge.spec.MergeEntry`."""

    name: str = ""
    preset: str = ""
    address: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    task: str = ""
    license: str = ""
    split: str = "all"
    limit: Annotated[int, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0)] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    def entry(self) -> MergeEntry:
        """The source as the merge takes it. Raises `BadInputError`."""
        if not self.preset and not self.address:
            raise RecipeError("a source has neither a preset nor an address", f"Presets are: {', '.join(PRESETS)}")
        if self.preset and self.preset not in PRESETS:
            raise RecipeError(f"there is no preset {self.preset!r}", nearest(self.preset, PRESETS))
        if self.settings and not self.preset:
            unknown = next(iter(self.settings))
            raise RecipeError(f"a source has an unknown key {unknown!r}", nearest(unknown, _OWN))
        named = entry_of(self.preset or self.address)
        entry = replace(
            named,
            name=self.name or named.name,
            address=self.address,
            columns=tuple(sorted(self.columns.items())),
            **self.model_dump(include={"task", "license", "split", "limit", "weight"}),
            settings=tuple(sorted(self.settings.items())),
        )
        if entry.preset:
            source_of(entry)
        return entry


class MergeRecipe(Strict):
    """A whole merge recipe; see `curation.merge.spec.MergeSpec`. `sample` is a limit for each source without one."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "merged_dataset"
    description: str = ""
    sources: Annotated[tuple[MergeSource, ...], Field(min_length=1)]
    rows: Annotated[int, Field(gt=0)] | None = None
    sample: Annotated[int, Field(gt=0)] | None = None
    seed: int = 42
    splits: SplitSettings = SplitSettings()
    dedup: Mode = "exact"
    decontaminate: tuple[MergeSource, ...] = ()
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.5
    balance: tuple[str, ...] = ()
    layout: Layout = "image_text"
    prompt: PromptSettings = PromptSettings()
    carry: tuple[str, ...] = ()
    rename: dict[str, str] = Field(default_factory=dict)

    def spec(self) -> MergeSpec:
        """The recipe as the merge takes it. Raises `BadInputError`."""
        weighted = [source for source in self.sources if source.weight is not None]
        if weighted and self.rows is None:
            raise RecipeError("a source has a weight, and there are no rows to share out", "Set rows")
        entries = tuple(source.entry() for source in self.sources)
        return MergeSpec(
            self.name,
            tuple(replace(entry, limit=entry.limit or self.sample) for entry in entries),
            self.rows,
            self.seed,
            SplitRule(**self.splits.model_dump(), seed=self.seed),
            self.dedup,
            tuple(source.entry() for source in self.decontaminate),
            self.overlap,
            tuple(BalanceRule.parsed(rule) for rule in self.balance),
            self.layout,
            replace(Prompt(), **{k: v for k, v in self.prompt.model_dump().items() if v is not None}),
            self.carry,
            tuple(sorted(self.rename.items())),
        )

    def to_yaml(self) -> str:
        """The resolved recipe as YAML that `markupmill merge` takes."""
        plain = self.model_dump(mode="json")
        for key in ("sources", "decontaminate"):
            plain[key] = [_flat(source) for source in plain[key]]
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def load_merge_recipe(path: str | None, given: Mapping[str, Any]) -> MergeRecipe:
    """The recipe of a file (None: an empty one) with what is `given` in place of what it says.

    Raises:
        RecipeError: no such file, not YAML, an unknown key, a value of the wrong type.
    """
    plain: dict[str, Any] = {}
    if path is not None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise RecipeError(f"there is no merge recipe {path!r}", "Give a YAML file, or --datasets")
        try:
            read = yaml.safe_load(file.read_text("utf-8"))
        except yaml.YAMLError as error:
            raise RecipeError(f"merge recipe {path} is not YAML: {' '.join(str(error).split())}") from None
        if not isinstance(read, dict):
            raise RecipeError(f"merge recipe {path} is not a mapping of keys to values", "See docs/merging.md")
        plain = read
    plain = {**plain, **given}
    for key in ("sources", "decontaminate"):
        plain[key] = [nested(one) for one in plain.get(key) or []]
    if isinstance(plain.get("splits"), str):
        plain["splits"] = splits_of(plain["splits"])
    origin = f"merge recipe {path}" if path else "the merge"
    try:
        recipe = MergeRecipe.model_validate(plain)
        recipe.spec()
    except ValidationError as error:
        fault = next((f for f in error.errors() if f["type"] == "extra_forbidden"), error.errors()[0])
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            mend = nearest(str(fault["loc"][-1]), MergeRecipe.model_fields)
            raise RecipeError(f"{origin} has an unknown key {where!r}", mend) from None
        raise RecipeError(f"{origin}: {where}: {fault['msg']}", "See docs/merging.md") from None
    return recipe


def nested(given: object) -> object:
    """A source as it is written (a word, or keys side by side) as the model has it: a preset's settings apart."""
    if isinstance(given, str):
        word, _, split = (given, "", "") if Path(given).exists() else given.partition("#")
        entry = entry_of(word)
        told = {"preset": entry.preset} if entry.preset else {"address": entry.address}
        return {**told, **({"split": split} if split else {})}
    if not isinstance(given, dict):
        return given
    own = {key: value for key, value in given.items() if key in _OWN}
    return {**own, "settings": {key: value for key, value in given.items() if key not in own}}


def with_addresses(sources: Sequence[Any], addresses: Sequence[str]) -> list[Any]:
    """Sources with `NAME=ADDRESS` applied: the one of this name or preset is read from there. Raises `RecipeError`."""
    changed = [nested(source) for source in sources]
    for given in addresses:
        name, separator, address = given.partition("=")
        chosen = [one for one in changed if isinstance(one, dict) and name in (one.get("name"), one.get("preset"))]
        if not separator or len(chosen) != 1:
            names = ", ".join(str(one.get("name") or one.get("preset")) for one in changed if isinstance(one, dict))
            raise RecipeError(f"--from {given} fits {len(chosen)} sources", f"Write NAME=ADDRESS; there are: {names}")
        chosen[0]["address"] = address
    return [_flat(one) if isinstance(one, dict) else one for one in changed]


def splits_of(text: str) -> dict[str, float]:
    """`80/10/10` as shares; numbers that add up neither to 100 nor to 1 are rows. Raises `RecipeError`."""
    found = _NUMBERS.fullmatch(text.strip())
    if found is None:
        raise RecipeError(f"--splits {text} is not three numbers", "Write 80/10/10, or numbers of rows: 10000/250/500")
    numbers = [float(number) for number in found.groups()]
    scale = 100.0 if sum(numbers) == 100 else 1.0
    return dict(zip(("train", "validation", "test"), (number / scale for number in numbers), strict=True))


def _flat(source: Mapping[str, Any]) -> dict[str, Any]:
    """A source as it is written: without what is not set."""
    own = {key: value for key, value in source.items() if key != "settings" and value not in (None, "", {})}
    if own.get("split") == "all":
        del own["split"]
    return {**own, **source.get("settings", {})}
