"""Checkpoints that are whole, and the log that goes with them: what a run that was killed goes on from.

A checkpoint counts once `complete.json` stands in it, written last, with the sizes of all files. Knows transformers'
names of files and none of its classes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

COMPLETE: Final = "complete.json"
TRAINER_STATE: Final = "trainer_state.json"


def last_complete(checkpoints: Path) -> Path | None:
    """The checkpoint of the most steps that was written whole; None where there is none."""
    found = sorted(checkpoints.glob("checkpoint-*"), key=step_of, reverse=True)
    return next((checkpoint for checkpoint in found if complete_record(checkpoint)), None)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was made, by its name; -1 for another folder."""
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1


def complete_record(checkpoint: Path) -> dict[str, Any]:
    """What `mark_complete` wrote; {} where a file is missing or has another size, or it wrote nothing."""
    record = read_json(checkpoint / COMPLETE)
    for name, n_bytes in record.get("files", {}).items():
        file = checkpoint / name
        if not file.is_file() or (name != TRAINER_STATE and file.stat().st_size != n_bytes):
            return {}
    return record


def mark_complete(checkpoint: Path, record: Mapping[str, Any]) -> None:
    """Say that all files of a checkpoint are there and on the disk. `record` is kept beside their sizes."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sizes = {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in files}
    write_json(checkpoint / COMPLETE, {**record, "files": sizes})


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def log_lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a log; one that a kill cut is left out."""
    lines = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def cut_log(log: Path, step: int) -> None:
    """Leave the lines up to a step; those beyond it will be written again."""
    kept = [line for line in log_lines(log) if line["step"] <= step]
    temporary = log.with_name(f".{log.name}.new")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    temporary.replace(log)


def seconds_in(log: Path) -> float:
    """Seconds that all runs before took, up to the last line of the log."""
    return max((float(line["seconds"]) for line in log_lines(log)), default=0.0)


def clear_incomplete(checkpoints: Path) -> None:
    """A half-written checkpoint must not be taken for one, nor crowd out a whole one."""
    for checkpoint in checkpoints.glob("checkpoint-*"):
        if not complete_record(checkpoint):
            shutil.rmtree(checkpoint)


def is_final(checkpoint: Path) -> bool:
    """Whether the run had decided to stop here: its last step, or no better loss for long enough."""
    control = read_json(checkpoint / TRAINER_STATE).get("stateful_callbacks", {}).get("TrainerControl", {})
    return bool(control.get("args", {}).get("should_training_stop"))


def point_to_best(checkpoint: Path) -> None:
    """Transformers keeps the best checkpoint's path, which is another when the run's folder was moved."""
    state = read_json(checkpoint / TRAINER_STATE)
    best = checkpoint.with_name(f"checkpoint-{state.get('best_global_step')}")
    if best.is_dir() and state.get("best_model_checkpoint") != str(best):
        write_json(checkpoint / TRAINER_STATE, {**state, "best_model_checkpoint": str(best)})


def read_json(path: Path) -> dict[str, Any]:
    """What stands in a file; {} where it is not there, or no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
