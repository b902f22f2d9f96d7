"""Rounds of synthesis as files: what was asked, what came of it, and what may be asked again after a kill.

    <folder>/<task>/round-000.jsonl     a line for each sample asked for: its markup, or why there is none
    <folder>/summary.json               what was reached, what was not and why, what it cost

A round's file is put in place whole. One that is there is not made again: its rows, and so their ids, stay.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from curation.errors import StoreError
from curation.prompts.prompt import Prompt
from curation.reasons import Reason, Reject
from curation.synthesize.candidate import Accepted, Ask, Backend, check_drafts
from curation.synthesize.likeness import Reference

_SAID_TWICE: Final = Reject(Reason.DUPLICATE_EXACT, "another sample says the same")
_NOT_ASKED: Final = Reject(Reason.ANSWER_MISSING, "it was not asked for: the budget was spent")


@dataclass(frozen=True)
class Round:
    """What came of the asks of one round. `tried` counts rejected drafts by reason, by class asked for.

    `spent` says why a backend stopped before the end; empty where it did not.
    """

    accepted: tuple[Accepted, ...]
    rejected: tuple[tuple[Ask, Reject], ...]
    tried: Mapping[str, Counter[str]] = field(default_factory=dict)
    spent: str = ""


def run_round(backend: Backend, asks: Sequence[Ask], reference: Reference, taken: set[str]) -> Round:
    """Ask for each sample until one can be taken, its attempts are over, or the backend may spend no more.

    All that is pending is asked together. `taken` are the texts that other samples have: none is made twice. It is
    added to.
    """
    pending = dict(enumerate(asks))
    last: dict[int, Reject] = {}
    accepted: list[Accepted] = []
    tried: dict[str, Counter[str]] = {}
    for attempt in range(backend.n_attempts):
        if not pending or backend.spent:
            break
        places = list(pending)
        asked = [replace(pending[place], attempt=attempt) for place in places]
        for place, ask, result in zip(
            places, asked, check_drafts(asked, backend.drafts(asked), reference), strict=True
        ):
            if isinstance(result, Accepted) and result.text not in taken:
                taken.add(result.text)
                accepted.append(result)
                del pending[place]
                continue
            fault = _SAID_TWICE if isinstance(result, Accepted) else result
            last[place] = Reject(fault.reason, f"{fault.detail} (draft {attempt + 1})")
            for name in ask.prompt.classes:
                tried.setdefault(name, Counter())[fault.reason] += 1
    rejected = tuple((ask, last.get(place, _NOT_ASKED)) for place, ask in pending.items())
    return Round(tuple(accepted), rejected, tried, backend.spent)


def round_path(folder: Path, task: str, number: int) -> Path:
    """Where a round of a task lies."""
    return folder / task / f"round-{number:03}.jsonl"


def write_round(path: Path, made: Round) -> None:
    """Write a round: samples by prompt and number, then what could not be had. Raises `StoreError`."""
    rows = [_row(one.ask) | {"text": one.text, "lineage": dict(one.lineage)} for one in made.accepted]
    rows.sort(key=lambda row: (row["prompt_id"], row["number"]))
    rows += [_row(ask) | {"reject": reject.reason, "detail": reject.detail} for ask, reject in made.rejected]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows))


def read_round(path: Path) -> list[dict[str, Any]]:
    """The rows of a round."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all. Raises `StoreError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        with new.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}"
        raise StoreError(problem, "Choose another --workspace") from error


def _row(ask: Ask) -> dict[str, Any]:
    prompt: Prompt = ask.prompt
    return {
        "prompt_id": prompt.id,
        "number": ask.number,
        "task": prompt.task,
        "prompt": prompt.text,
        "classes": list(prompt.classes),
    }
