"""Synthesis as a Prefect flow: each round's build is a flow within it, what was reached is an artifact."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from curation.card import cell
from curation.errors import BadInputError
from curation.keys import content_key
from curation.prompts.files import read_prompts
from curation.prompts.prompt import Prompt
from curation.store import Workspace
from curation.synthesize.candidate import Backend
from curation.synthesize.counting import count_built
from curation.synthesize.images import ImagesEndpoint, make_pictures
from curation.synthesize.likeness import Reference
from curation.synthesize.llm import LanguageModel
from curation.synthesize.loop import Counted, Reached, Synthesis, synthesize, targets_of
from curation.synthesize.reading import read_reference
from curation.synthesize.rounds import read_round, write_whole
from flows.build import BuildResult, build_release
from flows.progress import BuildProgress
from flows.prompts import PromptsOptions, run_prompts
from flows.recipe import Recipe, SourceEntry
from flows.synthesize import N_TOLD, SynthesizeOptions, spread

MARKUP_TASKS: Final = ("page_to_html", "table_to_html", "formula_to_latex")


@dataclass(frozen=True)
class Synthesized:
    """What a run made: the release (empty where nothing was kept), what was reached, and what to tell."""

    release: str
    reached: tuple[Reached, ...]
    n_kept: int
    lines: tuple[str, ...]


@flow(name="synthesize", validate_parameters=False)
def synthesize_release(options: SynthesizeOptions) -> Synthesized:
    """Prompts, rounds of samples and builds, then the gates."""
    recipe = options.load_recipe()
    prompts, told = _prompts(options, recipe)
    folder = _folder(options, recipe, prompts)
    reference = _reference(options, prompts)
    with Workspace(options.workspace).lock():
        if options.backend == "images":
            made = _pictures(options, recipe, prompts, folder)
        else:
            made = _markup(options, recipe, prompts, folder, reference)
    lines = (*told, *made.lines)
    create_markdown_artifact(_table(made), key="synthesis", description=f"Synthesis of {recipe.name}")
    return replace(made, lines=lines)


def _prompts(options: SynthesizeOptions, recipe: Recipe) -> tuple[list[Prompt], list[str]]:
    """The prompts, and what was told of how they came about."""
    told: list[str] = []
    wants_pictures = options.backend == "images"
    paths = [options.prompts] if options.prompts is not None else []
    for task in _tasks(options) if options.address is not None else ():
        paths.append(str(_home(options) / f"{recipe.name}-{task or 'all'}-prompts.jsonl"))
        asked = PromptsOptions(
            address=options.address,
            task=task,
            threshold=options.threshold,
            target_gini=options.target_gini,
            output=paths[-1],
            seed=options.seed,
            workspace=str(_home(options) / "measured"),
        )
        told += run_prompts(asked).splitlines()[:-1]
    prompts = [
        prompt
        for path in paths
        for prompt in read_prompts(path)
        if (prompt.task not in MARKUP_TASKS) == wants_pictures and options.task in ("", prompt.task)
    ]
    if not prompts:
        kind = "a picture" if wants_pictures else "markup"
        mend = "Lower nothing: no class is rare" if told else "Make them with markupmill prompts"
        raise BadInputError(f"no prompt asks for {kind}", mend)
    return spread(prompts, options.max_prompts), told


def _home(options: SynthesizeOptions) -> Path:
    """Where prompts, rounds, and measures of what is not in the workspace lie."""
    return Path(options.workspace).expanduser().absolute() / "synthesis"


def _tasks(options: SynthesizeOptions) -> list[str]:
    """The tasks whose classes are counted one after another: those of a release, else what the address tells."""
    manifest = Path(str(options.address)).expanduser() / "manifest.json"
    if options.task or not manifest.is_file():
        return [options.task]
    told = {source["task"] for source in json.loads(manifest.read_text("utf-8")).get("sources", [])}
    wanted = {"image_to_caption"} if options.backend == "images" else set(MARKUP_TASKS)
    return sorted(told & wanted)


def _folder(options: SynthesizeOptions, recipe: Recipe, prompts: list[Prompt]) -> Path:
    """Where the rounds of these prompts by these settings lie: a run that goes on finds them, another one does not."""
    key = content_key(
        prompts=[prompt.id for prompt in prompts],
        settings=[options.backend, options.model, options.seed, options.per_prompt, options.like or options.address],
    )
    return _home(options) / recipe.name / key[:12]


def _markup(
    options: SynthesizeOptions, recipe: Recipe, prompts: list[Prompt], folder: Path, reference: Reference
) -> Synthesized:
    backend = options.backend_of(reference)
    workspace = Workspace(options.workspace)
    built: list[BuildResult] = []

    def count() -> Counted:
        entries, asked = _sources(folder)
        if not entries:
            return Counted({})
        built.append(_build(options, recipe.model_copy(update={"sources": entries, "gates": ()})))
        return count_built(workspace, built[-1].selection, asked)

    targets = targets_of(prompts, options.per_prompt)
    result = synthesize(
        prompts, backend, reference, folder, count, targets, per_prompt=options.per_prompt, most_rounds=options.rounds
    )
    cost = backend_facts(backend)
    write_whole(folder / "summary.json", json.dumps(_summary(result, cost), indent=2, ensure_ascii=False) + "\n")
    if built and recipe.gates:
        entries, _ = _sources(folder)
        built.append(_build(options, recipe.model_copy(update={"sources": entries})))
    release = f"{options.workspace.rstrip('/')}/releases/{recipe.name}" if built else ""
    n_kept = built[-1].selection.rows_kept if built else 0
    lines = [*_told(result), *_told_cost(cost, result.spent), f"Rounds: {folder}"]
    lines += [f"Release: {release} ({n_kept:,} rows)"] if built else ["Nothing was kept: there is no release"]
    return Synthesized(release, result.reached, n_kept, tuple(lines))


def _reference(options: SynthesizeOptions, prompts: list[Prompt]) -> Reference:
    like = options.like
    if like is None and options.address is not None and (Path(options.address) / "manifest.json").is_file():
        like = options.address  # what lacks samples is what they are to be like
    if not like:
        return Reference({})
    tasks = sorted({prompt.task for prompt in prompts})
    return read_reference(like, tasks, str(_home(options) / "measured"))


def _sources(folder: Path) -> tuple[tuple[SourceEntry, ...], dict[str, tuple[str, ...]]]:
    """A source for each task with samples, and what each sample was asked for, by its key."""
    entries = []
    asked: dict[str, tuple[str, ...]] = {}
    for task in MARKUP_TASKS:
        rows = [row for path in sorted((folder / task).glob("round-*.jsonl")) for row in read_round(path)]
        asked |= {f"{row['prompt_id']}-{row['number']}": tuple(row["classes"]) for row in rows}
        if any("text" in row for row in rows):
            settings = {"address": str(folder / task), "task": task}
            entries.append(SourceEntry(type="synthesized", settings=settings))
    return tuple(entries), asked


def _build(options: SynthesizeOptions, recipe: Recipe) -> BuildResult:
    with BuildProgress() as progress:
        return build_release(recipe, options.workspace, progress, n_workers=1)


def _pictures(options: SynthesizeOptions, recipe: Recipe, prompts: list[Prompt], folder: Path) -> Synthesized:
    """Pictures of prompts, and their build by the source that reads pictures made elsewhere."""
    chat = options.chat()
    endpoint = ImagesEndpoint(chat.endpoint, chat.limits, options.image_size)
    made = make_pictures(endpoint, prompts, folder)
    lines = [f"{made.n_made} of {len(prompts)} prompts have a picture"]
    lines += [f"  {n:>6,}  {why}" for why, n in made.missing.most_common(N_TOLD)]
    if not made.n_made:
        return Synthesized("", (), 0, (*lines, "Nothing was made: there is no release"))
    settings: dict[str, Any] = {
        "address": str(folder / "prompts.jsonl"),
        "images": str(folder / "pictures"),
        "generator": chat.endpoint.model,
    }
    entry = SourceEntry(type="synthetic_images", settings=settings)
    built = _build(options, recipe.model_copy(update={"sources": (entry,)}))
    counted = count_built(Workspace(options.workspace), built.selection, {})
    reached = tuple(
        Reached(task, name, target, kept, "" if kept >= target else "pictures are missing or were left out")
        for task, of_task in targets_of(prompts, 1).items()
        for name, target in sorted(of_task.items())
        for kept in (counted.kept.get(task, {}).get(name, 0),)
    )
    release = f"{options.workspace.rstrip('/')}/releases/{recipe.name}"
    lines += [*_reached_lines(reached), f"Release: {release} ({built.selection.rows_kept:,} rows)"]
    return Synthesized(release, reached, built.selection.rows_kept, tuple(lines))


def backend_facts(backend: Backend) -> dict[str, float | int]:
    """What a backend spent; nothing for one that costs nothing."""
    return backend.cost() if isinstance(backend, LanguageModel) else {}


def _told(result: Synthesis) -> list[str]:
    drafts = ", ".join(f"{reason} {n:,}" for reason, n in sorted(result.tried.items(), key=lambda r: -r[1]))
    made = f"{result.n_accepted:,} of {result.n_asked:,} samples made in {result.n_rounds} rounds"
    return [f"{made}{f'; drafts not taken: {drafts}' if drafts else ''}", *_reached_lines(result.reached)]


def _reached_lines(reached: tuple[Reached, ...]) -> list[str]:
    missed = [one for one in reached if one.why]
    lines = [f"{len(reached) - len(missed)} of {len(reached)} classes have what was asked for"]
    lines += [f"  {one.name}: {one.kept} of {one.target}: {one.why}" for one in missed[:N_TOLD]]
    return [*lines, *([f"  and {len(missed) - N_TOLD} more: see summary.json"] if len(missed) > N_TOLD else [])]


def _told_cost(cost: dict[str, float | int], spent: str) -> list[str]:
    if not cost:
        return []
    said = f"{cost['requests']:,} requests, {cost['tokens_in']:,} tokens in, {cost['tokens_out']:,} out"
    return [f"{said}, cost {cost['cost']:g}{f'; {spent}' if spent else ''}"]


def _summary(result: Synthesis, cost: dict[str, float | int]) -> dict[str, Any]:
    told = asdict(result)
    return {**told, "reached": [asdict(one) for one in result.reached], "cost_of_this_run": cost}


def _table(made: Synthesized) -> str:
    lines = ["| class | asked for | kept | why not |", "|---|---:|---:|---|"]
    lines += [f"| {cell(one.name)} | {one.target} | {one.kept} | {cell(one.why)} |" for one in made.reached]
    return "\n".join([*lines, "", f"Release: `{made.release}`"])
