"""Recipes: typed YAML that says which sources, which limits, which measures and which release.

A recipe is checked whole before anything is read: an unknown key is an error that names the nearest right
one. The field descriptions here are the reference; `docs/recipes.md` shows them at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from curation.conversation import Prompt
from curation.duplicates import Mode
from curation.layouts import Layout
from curation.pipeline import RenderChoice
from curation.release_data import ReleaseSpec
from curation.report.gate import load_gate
from curation.select import Rules
from curation.sources.captions import Captions
from curation.sources.generated import Generated
from curation.sources.html_tables import HtmlTables
from curation.sources.latex import Latex
from curation.sources.llava_chat import LlavaChat
from curation.sources.mapped_files import MappedFiles
from curation.sources.pubtabnet import PubTabNet
from curation.sources.source import Source
from curation.sources.synthesized import Synthesized
from curation.sources.synthetic_images import SyntheticImages
from curation.sources.websight import WebSight
from curation.split import SplitRule
from flows.recipe_parts import PromptSettings, RecipeError, SplitSettings, Strict, nearest
from rendering.pictures import pictures_of
from rendering.profiles import profile_named

SOURCES: Final[dict[str, type[Any]]] = {
    source.name: source
    for source in (
        *(WebSight, PubTabNet, Latex, Captions, LlavaChat, HtmlTables, MappedFiles, SyntheticImages),
        *(Synthesized, Generated),
    )
}
"""Source kinds by the name that recipes use."""

MeasureName = Literal["markup", "render", "bias", "classes", "hashes", "statistics", "ocr", "clip", "bertscore"]
"""Names of `curation.pipeline.MEASURES`; `tokens` is always made."""


class SourceEntry(Strict):
    """One source: its kind (`type`), its own settings, and how many of its rows may be kept.

    That is `limit`, or its share, by `weight`, of the recipe's `rows`.
    """

    type: str
    limit: Annotated[int, Field(gt=0)] | None = None
    weight: Annotated[float, Field(gt=0)] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    def build(self) -> Source:
        """The source with its settings. Raises `RecipeError` for one that it does not have."""
        kind = SOURCES.get(self.type)
        if kind is None:
            raise RecipeError(f"there is no source type {self.type!r}", nearest(self.type, SOURCES))
        known = [field.name for field in fields(kind)]
        if unknown := [name for name in self.settings if name not in known]:
            mend = nearest(unknown[0], ["type", "limit", "weight", *known])
            raise RecipeError(f"source {self.type} has an unknown key {unknown[0]!r}", mend)
        source: Source = TypeAdapter(kind).validate_python(self.settings)
        return source


class TokenSettings(Strict):
    """What training will see, counted with the tokenizer of the model to be trained.

    `tokenizer` is a Hub id, a folder, or `package:NAME` for one that a Python package ships. Rows above
    `ingest_ceiling` tokens are rejected before their image is fetched; `max_seq_length` is applied in the
    selection, so it can change below the ceiling without reading anything again.
    """

    tokenizer: str
    revision: str | None = None
    max_seq_length: Annotated[int, Field(gt=0)]
    ingest_ceiling: Annotated[int, Field(gt=0)] | None = None
    image_tokens: Annotated[int, Field(ge=0)] | Literal["processor"] = 0

    @property
    def ceiling(self) -> int:
        """The ingest ceiling, or `max_seq_length` where none is set."""
        return self.ingest_ceiling or self.max_seq_length


class ReleaseSettings(Strict):
    """Columns of the release beside `image`, `text` and lineage, other names for columns, and what rows look like."""

    carry: tuple[str, ...] = ("n_tokens",)
    rename: dict[str, str] = Field(default_factory=dict)
    layout: Layout = "image_text"


class ModelSettings(Strict):
    """Which models measure: see `curation.pipeline.ModelChoice`."""

    clip: str = ""
    bertscore: str = ""
    device: str = "auto"


class RenderSettings(Strict):
    """How rows without a picture get theirs.

    `profile` is a name out of `rendering.profiles` (plain, web, journal, formula, photocopy, scan); what it draws for
    a row follows from `seed` and the row's id. `pictures` stand in for those of pages: `palette`, `grey`, or a folder.
    """

    profile: str = "plain"
    seed: int = 42
    pictures: str = "palette"

    def check(self) -> None:
        """Raises `BadInputError` for a profile or a folder that is not there."""
        profile_named(self.profile)
        if self.pictures not in ("palette", "grey") and not Path(self.pictures).expanduser().is_dir():
            raise RecipeError(
                f"render.pictures names {self.pictures!r}, which is no folder", "It is palette, grey, or a folder"
            )

    def choice(self) -> RenderChoice:
        """The settings as the pipeline takes them; reads the folder of pictures."""
        return RenderChoice(self.profile, self.seed, pictures_of(self.pictures))


class Recipe(Strict):
    """A whole recipe. `where` are SQL conditions over sample and measure columns; all must hold.

    `gates` are files or shipped names (see `curation.report.gate`) that the release is held against: a build whose
    release fails one fails, with the release and its report there to be looked at.

    `rows`, where given, are shared out to the sources by their weights (1 each where none is set) as their limits;
    what a source does not have is not made up for by another. `dedup: near` adds `hashes` to the measures.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    sources: Annotated[tuple[SourceEntry, ...], Field(min_length=1)]
    rows: Annotated[int, Field(gt=0)] | None = None
    tokens: TokenSettings
    prompt: PromptSettings = PromptSettings()
    render: RenderSettings = RenderSettings()
    measures: tuple[MeasureName, ...] = ("markup",)
    models: ModelSettings = ModelSettings()
    where: tuple[str, ...] = ()
    dedup: Mode = "exact"
    splits: SplitSettings = SplitSettings()
    seed: int = 42
    rows_per_shard: Annotated[int, Field(gt=0)] = 500
    release: ReleaseSettings = ReleaseSettings()
    gates: tuple[str, ...] = ()

    def rules(self) -> Rules:
        """What the selection decides by."""
        return Rules(
            self.tokens.max_seq_length, self.where, self.dedup, SplitRule(**self.splits.model_dump(), seed=self.seed)
        )

    def release_spec(self) -> ReleaseSpec:
        """What the release looks like."""
        renamed = tuple(sorted(self.release.rename.items()))
        # Prompts are part of the release only where its rows have them.
        prompt = Prompt() if self.release.layout == "image_text" else self.build_prompt()
        return ReleaseSpec(self.name, self.release.carry, renamed, self.release.layout, prompt)

    def build_prompt(self) -> Prompt:
        """The prompt settings as the conversation module takes them."""
        return replace(Prompt(), **{k: v for k, v in self.prompt.model_dump().items() if v is not None})

    def to_yaml(self) -> str:
        """The resolved recipe as YAML that `markupmill build` takes: every default written out."""
        plain = self.model_dump(mode="json")
        plain["sources"] = [
            {"type": entry["type"], **({"limit": entry["limit"]} if entry["limit"] else {}), **entry["settings"]}
            for entry in plain["sources"]
        ]
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with markupmill."""
    return sorted(path.name.removesuffix(".yaml") for path in files("flows").joinpath("recipes").iterdir())


def load_recipe(name_or_path: str, overrides: Iterable[str] = (), addresses: Sequence[str] = ()) -> Recipe:
    """A recipe by shipped name or file, with `--set key=value` and `--from [TYPE=]ADDRESS` applied.

    Raises:
        RecipeError: no such recipe, not YAML, an unknown key, a value of the wrong type.
    """
    plain = _read(name_or_path)
    for address in addresses:
        _set_address(plain, address)
    for override in overrides:
        _override(plain, override)
    return parse_recipe(plain, name_or_path)


def parse_recipe(plain: Mapping[str, Any], origin: str) -> Recipe:
    """Check a recipe given as plain YAML values; `origin` is named in errors. Raises `RecipeError`."""
    plain = {**plain, "sources": [_nested(entry) for entry in plain.get("sources") or []]}
    try:
        recipe = Recipe.model_validate(plain)
        recipe.rules()
        recipe.render.check()
        for gate in recipe.gates:
            load_gate(gate)
        for entry in recipe.sources:
            entry.build()
    except ValidationError as error:
        raise _readable(error, origin) from None
    if recipe.dedup == "near" and "hashes" not in recipe.measures:
        recipe = recipe.model_copy(update={"measures": (*recipe.measures, "hashes")})
    recipe = _with_limits(recipe, origin)
    if recipe.tokens.ceiling < recipe.tokens.max_seq_length:
        raise RecipeError(
            f"recipe {origin}: tokens.ingest_ceiling {recipe.tokens.ceiling} is below tokens.max_seq_length "
            f"{recipe.tokens.max_seq_length}",
            "Rows between them would be missing: raise the ceiling",
        )
    return recipe


def _with_limits(recipe: Recipe, origin: str) -> Recipe:
    """`rows` and weights become limits (largest remainders get what rounding down leaves)."""
    weighted = [entry for entry in recipe.sources if entry.weight is not None]
    if recipe.rows is None:
        if weighted:
            raise RecipeError(f"recipe {origin}: {weighted[0].type} has a weight of nothing", "Set rows, or its limit")
        return recipe
    if limited := [entry for entry in recipe.sources if entry.limit is not None]:
        raise RecipeError(
            f"recipe {origin}: {limited[0].type} has a limit, and there are rows to share out", "Give it a weight"
        )
    weights = [entry.weight or 1.0 for entry in recipe.sources]
    shares = [recipe.rows * weight / sum(weights) for weight in weights]
    limits = [int(share) for share in shares]
    for place in sorted(range(len(shares)), key=lambda i: limits[i] - shares[i])[: recipe.rows - sum(limits)]:
        limits[place] += 1
    if 0 in limits:
        raise RecipeError(f"recipe {origin}: {recipe.rows} rows are too few to share out", "Raise rows")
    entries = [
        entry.model_copy(update={"limit": limit, "weight": None})
        for entry, limit in zip(recipe.sources, limits, strict=True)
    ]
    return recipe.model_copy(update={"sources": tuple(entries), "rows": None})


def _read(name_or_path: str) -> dict[str, Any]:
    if name_or_path in shipped_recipes():
        text = files("flows").joinpath("recipes", f"{name_or_path}.yaml").read_text("utf-8")
    else:
        path = Path(name_or_path)
        if not path.is_file():
            raise RecipeError(
                f"there is no recipe {name_or_path!r}, neither a file nor shipped",
                f"Shipped are: {', '.join(shipped_recipes())}",
            )
        text = path.read_text("utf-8")
    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {name_or_path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(plain, dict):
        raise RecipeError(f"recipe {name_or_path} is not a mapping of keys to values", "See docs/recipes.md")
    return plain


def _nested(entry: object) -> object:
    """Sources are written flat (`type`, `limit`, and the source's own settings side by side)."""
    if not isinstance(entry, dict):
        return entry
    own = {key: value for key, value in entry.items() if key in ("type", "limit", "weight")}
    return {**own, "settings": {key: value for key, value in entry.items() if key not in own}}


def _set_address(plain: dict[str, Any], given: str) -> None:
    entries = [entry for entry in plain.get("sources") or [] if isinstance(entry, dict)]
    kind, separator, address = given.partition("=")
    if separator and kind in SOURCES:
        chosen = [entry for entry in entries if entry.get("type") == kind]
    else:
        address = given
        chosen = [entry for entry in entries if entry.get("type") != Generated.name]
    if len(chosen) != 1:
        kinds = ", ".join(str(entry.get("type")) for entry in entries)
        raise RecipeError(
            f"--from {given} fits {len(chosen)} sources of the recipe (it has: {kinds})",
            "Name one as --from TYPE=ADDRESS, or use --set sources.N.address=ADDRESS",
        )
    chosen[0]["address"] = address


def _override(plain: dict[str, Any], given: str) -> None:
    key, separator, value = given.partition("=")
    if not separator:
        raise RecipeError(
            f"--set {given} has no value", "Write --set key=value, for example tokens.max_seq_length=1024"
        )
    *parents, last = key.split(".")
    here: Any = plain
    for name in parents:
        try:
            here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})
        except (ValueError, IndexError, AttributeError):
            raise RecipeError(f"--set {given}: the recipe has no {key!r}", "Keys are joined by dots") from None
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        parsed = value
    if isinstance(here, list):
        if not last.isdecimal() or int(last) >= len(here):
            raise RecipeError(f"--set {given}: the recipe has no {key!r}", f"The list has {len(here)} entries, from 0")
        here[int(last)] = parsed
    elif isinstance(here, dict):
        here[last] = parsed
    else:
        raise RecipeError(f"--set {given}: {'.'.join(parents)} is a plain value", "It has no keys below it")


def _readable(error: ValidationError, origin: str) -> RecipeError:
    """The first fault in one line, with the nearest right key where a key is unknown."""
    faults = error.errors(include_url=False)
    # a misspelt key is told before the right one that is missing
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"] if part != "settings")
    if first["type"] == "extra_forbidden":
        mend = nearest(str(first["loc"][-1]), _keys_at(first["loc"][:-1]))
        return RecipeError(f"recipe {origin} has an unknown key {where!r}", mend)
    return RecipeError(f"recipe {origin}: {where}: {first['msg']}", "See docs/recipes.md")


def _keys_at(parents: tuple[int | str, ...]) -> list[str]:
    """The keys that the recipe has below these."""
    model: type[BaseModel] = Recipe
    for part in parents:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
