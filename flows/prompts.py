"""`markupmill prompts` and `generate-prompts`: prompts for the classes that a data set has too little of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curation.balance import gini
from curation.errors import BadInputError
from curation.prompts.files import FORMATS, write_prompts
from curation.prompts.make import PER_OBJECT, Made, Wanted, make_prompts
from curation.prompts.prompt import Prompt
from curation.prompts.rare import PROMPTED_TASKS, Counts, counts_of, read_counts, threshold_of


@dataclass(frozen=True)
class PromptsOptions:
    """The options of `markupmill prompts`, as they were given."""

    rare_objects: str | None = None
    address: str | None = None
    task: str = ""
    threshold: int | None = None
    target_gini: float | None = None
    output: str = "synthetic_prompts.jsonl"
    format: str | None = None
    prompts_per_object: int | None = None
    max_count: int | None = None
    include_combinations: bool = True
    combination_count: int | None = None
    seed: int = 42
    workspace: str = "build/quality"

    @property
    def kind(self) -> str:
        """The format: as given, else as the output's name ends, else JSON lines."""
        ending = Path(self.output).suffix.lstrip(".")
        return self.format or (ending if ending in FORMATS else FORMATS[0])


def run_prompts(options: PromptsOptions) -> str:
    """Write the prompts. Returns what was done, in lines for a terminal.

    Raises:
        BadInputError: the file or data set with the classes cannot be used.
        StoreError: the output cannot be written.
    """
    if (options.rare_objects is None) == (options.address is None):
        raise BadInputError(
            "name where the rare classes are", "Give either --rare-objects FILE or --from RELEASE|REPORT"
        )
    if options.task and options.task not in PROMPTED_TASKS:
        raise BadInputError(f"no prompts are made for {options.task!r}", f"There are: {', '.join(PROMPTED_TASKS)}")
    found = (
        read_counts(options.rare_objects)
        if options.rare_objects is not None
        else counts_of(str(options.address), options.task, options.workspace)
    )
    if options.target_gini is not None and found.threshold:
        mend = "Give object_counts.csv of the same report, or --from its folder"
        raise BadInputError("a Gini coefficient is over all classes, and this file has the rare ones alone", mend)
    wanted = _wanted(options, found)
    by_task = {options.task: found.of_task(options.task)} if options.task else found.by_task()
    made = {task: make_prompts(counts, task, wanted) for task, counts in by_task.items()}
    prompts = [prompt for one in made.values() for prompt in one.prompts]
    write_prompts(prompts, options.output, options.kind)
    lines = [line for task, one in made.items() for line in _told(task, by_task[task], one, wanted)]
    if found.left_out:
        lines.append(f"Left out, as prompts say nothing protected of people: {_some(found.left_out)}")
    if not prompts:
        lines.insert(0, "No class is rare: there is nothing to ask for")
    return "\n".join([*lines, f"Wrote {len(prompts)} prompts to {options.output}"])


def _wanted(options: PromptsOptions, found: Counts) -> Wanted:
    has_target = options.threshold is not None or options.target_gini is not None or bool(found.threshold)
    per_object = options.prompts_per_object
    if per_object is None and options.rare_objects is not None and not has_target:
        per_object = PER_OBJECT
    return Wanted(
        threshold_of(found, options.threshold),
        options.target_gini,
        per_object,
        options.max_count,
        options.include_combinations,
        options.combination_count,
        options.seed,
    )


def _told(task: str, counts: dict[str, int], made: Made, wanted: Wanted) -> list[str]:
    if not made.missing:
        return []
    n_rare, n_short = len(made.missing), sum(made.missing.values())
    n_combined = sum(len(prompt.classes) > 1 for prompt in made.prompts)
    target = f"Gini {wanted.target_gini:g}" if wanted.target_gini is not None else f"{wanted.threshold} samples each"
    after = _after(counts, made.prompts)
    lines = [
        f"{task}: {n_rare} of {len(counts)} classes are rare, {n_short} samples short of {target}",
        f"  {len(made.prompts) - n_combined} prompts of one class, {n_combined} of several",
        f"  Gini of these counts {gini(counts):.3f}; {gini(after):.3f} when each prompt has given one sample",
    ]
    if made.unasked:
        lines.append(f"  No prompt can ask for: {_some(made.unasked)}")
    if made.short:
        lines.append(f"  Fewer prompts than asked for, as they would repeat: {_some(sorted(made.short))}")
    return lines


def _after(counts: dict[str, int], prompts: tuple[Prompt, ...]) -> dict[str, int]:
    after = dict(counts)
    for prompt in prompts:
        for name in prompt.classes:
            after[name] += 1
    return after


def _some(names: tuple[str, ...] | list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
