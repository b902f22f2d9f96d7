"""The loop: make what is missing, send it through the gates, count again; until targets are met, or it says why not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from curation.prompts.prompt import Prompt
from curation.reasons import Reason
from curation.synthesize.candidate import Ask, Backend
from curation.synthesize.likeness import Reference
from curation.synthesize.rounds import read_round, round_path, run_round, write_round, write_whole

MOST_ROUNDS: Final = 4
"""What three rounds of new samples could not bring through the gates, a fourth rarely does."""

N_REASONS: Final = 3

Count = Callable[[], "Counted"]
"""Builds what was made so far and counts it."""


@dataclass(frozen=True)
class Counted:
    """Kept samples with each class, by task; and why samples were left out, by class that they were asked for."""

    kept: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reached:
    """What became of one class: asked for, kept now, and why not more; empty where the target is met."""

    task: str
    name: str
    target: int
    kept: int
    why: str = ""


@dataclass(frozen=True)
class Synthesis:
    """What a loop did. `tried` are rejected drafts by reason."""

    reached: tuple[Reached, ...]
    n_rounds: int
    n_asked: int
    n_accepted: int
    tried: Mapping[str, int]
    spent: str = ""

    @property
    def unreached(self) -> tuple[Reached, ...]:
        """Classes whose target is not met."""
        return tuple(one for one in self.reached if one.why)


def targets_of(prompts: Sequence[Prompt], per_prompt: int) -> dict[str, dict[str, int]]:
    """By task: how many samples of each class the prompts ask for."""
    targets: dict[str, Counter[str]] = {}
    for prompt in prompts:
        targets.setdefault(prompt.task, Counter()).update(dict.fromkeys(prompt.classes, per_prompt))
    return {task: dict(counts) for task, counts in targets.items()}


def synthesize(
    prompts: Sequence[Prompt],
    backend: Backend,
    reference: Reference,
    folder: Path,
    count: Count,
    targets: Mapping[str, Mapping[str, int]],
    *,
    per_prompt: int = 1,
    most_rounds: int = MOST_ROUNDS,
) -> Synthesis:
    """Make samples for the prompts in rounds under `folder`, counted by `count` after each.

    The first round asks for `per_prompt` of each prompt; each later one, of prompts in turn, for as many as the
    classes still lack. A class of which a whole round gave no sample is not asked for again.

    Raises `StoreError` where a round cannot be written, and what `count` raises.
    """
    numbers: Counter[str] = Counter()
    taken: set[str] = set()
    tried: dict[str, Counter[str]] = {}
    given_up: set[tuple[str, str]] = set()
    n_asked = n_accepted = 0
    spent = ""
    asks = [_next(prompt, numbers) for prompt in prompts for _ in range(per_prompt)]
    number = 0
    counted = Counted({})
    while number < most_rounds:
        begun = _begun(folder, number, prompts, numbers)
        asks = asks if begun is None else begun
        if not asks:
            break
        _write_asks(folder, number, asks)
        came: Counter[tuple[str, str]] = Counter()
        for task in sorted({ask.prompt.task for ask in asks}):
            of_task = [ask for ask in asks if ask.prompt.task == task]
            rows, more, stopped = _round(backend, of_task, reference, taken, round_path(folder, task, number))
            spent = spent or stopped
            n_asked += len(rows)
            for row in rows:
                n_accepted += "text" in row
                if "text" in row or row["reject"] == Reason.ANSWER_MISSING:  # the latter says nothing of the class
                    came.update((task, name) for name in row["classes"])
            for name, reasons in more.items():
                tried.setdefault(name, Counter()).update(reasons)
        asked = {(ask.prompt.task, name) for ask in asks for name in ask.prompt.classes}
        given_up |= {one for one in asked if not came[one] and not spent}
        number += 1
        if not spent and _asks_path(folder, number).is_file():
            continue  # an earlier run has counted, and begun the next round
        counted = count()
        if spent:
            break
        asks = _lacking(prompts, targets, counted, given_up, numbers)
    reached = _reached(targets, counted, tried, given_up, spent, number)
    totals: Counter[str] = Counter()
    for reasons in tried.values():
        totals.update(reasons)
    return Synthesis(tuple(reached), number, n_asked, n_accepted, dict(totals), spent)


def _round(
    backend: Backend, asks: Sequence[Ask], reference: Reference, taken: set[str], path: Path
) -> tuple[list[dict[str, Any]], Mapping[str, Counter[str]], str]:
    """The rows of a round: those that are there from before, else made now."""
    wanted = Counter((ask.prompt.id, ask.number) for ask in asks)
    if path.is_file():
        rows = read_round(path)
        if Counter((row["prompt_id"], row["number"]) for row in rows) == wanted:
            taken.update(row["text"] for row in rows if "text" in row)
            found: dict[str, Counter[str]] = {}
            for row in rows:
                for name in row["classes"] if "reject" in row else ():
                    found.setdefault(name, Counter())[row["reject"]] += 1
            return rows, found, ""
    made = run_round(backend, asks, reference, taken)
    write_round(path, made)
    return read_round(path), made.tried, made.spent


def _asks_path(folder: Path, number: int) -> Path:
    return folder / f"asks-{number:03}.json"


def _write_asks(folder: Path, number: int, asks: Sequence[Ask]) -> None:
    """Note what a round asks for before it begins: a run that goes on must not ask for something else."""
    path = _asks_path(folder, number)
    if not path.is_file():
        write_whole(path, json.dumps([[ask.prompt.id, ask.number] for ask in asks]) + "\n")


def _begun(folder: Path, number: int, prompts: Sequence[Prompt], numbers: Counter[str]) -> list[Ask] | None:
    """What a round that an earlier run began asks for; None where none did."""
    path = _asks_path(folder, number)
    if not path.is_file():
        return None
    by_id = {prompt.id: prompt for prompt in prompts}
    asks = [Ask(by_id[prompt_id], n, 0) for prompt_id, n in json.loads(path.read_text("utf-8")) if prompt_id in by_id]
    for ask in asks:
        numbers[ask.prompt.id] = max(numbers[ask.prompt.id], ask.number + 1)
    return asks


def _next(prompt: Prompt, numbers: Counter[str]) -> Ask:
    numbers[prompt.id] += 1
    return Ask(prompt, numbers[prompt.id] - 1, 0)


def _lacking(
    prompts: Sequence[Prompt],
    targets: Mapping[str, Mapping[str, int]],
    counted: Counted,
    given_up: set[tuple[str, str]],
    numbers: Counter[str],
) -> list[Ask]:
    """Asks for what is still missing: of the prompts with a class that lacks, those asked least often first."""
    left = {
        (task, name): target - counted.kept.get(task, {}).get(name, 0)
        for task, of_task in targets.items()
        for name, target in of_task.items()
        if (task, name) not in given_up
    }
    asks = []
    for task, name in sorted(left):
        asking = [prompt for prompt in prompts if prompt.task == task and name in prompt.classes]
        fewest = min((len(prompt.classes) for prompt in asking), default=0)
        asking = [prompt for prompt in asking if len(prompt.classes) == fewest]  # a class alone is had most easily
        while asking and left[task, name] > 0:
            prompt = min(asking, key=lambda one: (numbers[one.id], one.id))
            asks.append(_next(prompt, numbers))
            left.update({(task, one): left[task, one] - 1 for one in prompt.classes if (task, one) in left})
    return asks


def _reached(
    targets: Mapping[str, Mapping[str, int]],
    counted: Counted,
    tried: Mapping[str, Counter[str]],
    given_up: set[tuple[str, str]],
    spent: str,
    n_rounds: int,
) -> list[Reached]:
    reached = []
    for task, of_task in sorted(targets.items()):
        for name, target in sorted(of_task.items()):
            kept = counted.kept.get(task, {}).get(name, 0)
            why = "" if kept >= target else _why(name, tried, counted, spent, n_rounds, (task, name) in given_up)
            reached.append(Reached(task, name, target, kept, why))
    return reached


def _why(
    name: str,
    tried: Mapping[str, Counter[str]],
    counted: Counted,
    spent: str,
    n_rounds: int,
    is_given_up: bool,
) -> str:
    drafts = _listed(tried.get(name, Counter()))
    left_out = _listed(counted.left_out.get(name, Counter()))
    if is_given_up:
        return f"the generator cannot make it{f': drafts were {drafts}' if drafts else ''}"
    if spent:
        return spent
    said = f"after {n_rounds} round{'' if n_rounds == 1 else 's'}"
    parts = [said, f"drafts were {drafts}" if drafts else "", f"samples were left out: {left_out}" if left_out else ""]
    return "; ".join(part for part in parts if part)


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(N_REASONS))
