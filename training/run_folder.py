"""The folder of a training run, and which of its steps are done: so that the same command goes on where one stopped.

config.yaml         what was asked for, every default written out
state.json          the release, the gate's verdict, and what each finished step says of itself
log.jsonl           a line for each logged step of the optimiser
checkpoints/        to go on from
adapter/            what training leaves
model/              the adapter merged into its base: what predicts, and what is pushed
predictions.parquet evaluation/    held-out rows, predicted and scored
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from curation.errors import BadInputError
from curation.store import Workspace
from training.config import RunConfig

Step = Literal["data", "train", "merge", "predict", "score", "report"]
STEPS: Final[tuple[Step, ...]] = ("data", "train", "merge", "predict", "score", "report")
LOG: Final = "log.jsonl"
STATE: Final = "state.json"
PREDICTIONS: Final = "predictions.parquet"
MODEL: Final = "model"
EVALUATION: Final = "evaluation"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run of one config on one release."""

    path: Path

    @property
    def workspace(self) -> Workspace:
        """The folder as a store: its lock, and JSON that is there whole or not at all."""
        return Workspace(str(self.path))

    def begin(self, config: RunConfig, release: Mapping[str, str], gate: Mapping[str, Any]) -> None:
        """Make the folder that of this config and release, or go on in it where it is.

        Raises `BadInputError` where it holds a run of another config, or of another release.
        """
        asked = yaml.safe_dump(config.model_dump(mode="json", exclude={"output"}), sort_keys=False, allow_unicode=True)
        place = self.path / "config.yaml"
        if place.is_file() and (state := self.state):
            mend = "Set output to another folder, or remove this one"
            if place.read_text("utf-8") != asked:
                raise BadInputError(f"{self.path} holds a run of another config", mend)
            if state["release"]["revision"] != release["revision"]:
                raise BadInputError(f"{self.path} holds a run on another release ({state['release']['address']})", mend)
        else:
            place.write_text(asked, encoding="utf-8")
        self.workspace.write_json(STATE, {"steps": {}, **self.state, "release": dict(release), "gate": dict(gate)})

    @property
    def state(self) -> dict[str, Any]:
        """`state.json`; empty where there is none. Raises `StoreError` where it cannot be read."""
        return self.workspace.read_json(STATE) or {}

    def facts(self, step: Step) -> dict[str, Any] | None:
        """What a finished step said of itself; None where it is not done."""
        found: dict[str, Any] | None = self.state.get("steps", {}).get(step)
        return found

    def done(self, step: Step, facts: Mapping[str, Any]) -> None:
        """Note that a step is done, and that those after it are to be done again."""
        state = self.state
        earlier = {name: state["steps"][name] for name in STEPS[: STEPS.index(step)] if name in state["steps"]}
        self.workspace.write_json(STATE, {**state, "steps": {**earlier, step: dict(facts)}})

    def log(self) -> list[dict[str, Any]]:
        """The lines of the training's log, in order of their steps."""
        place = self.path / LOG
        lines = place.read_text("utf-8").splitlines() if place.is_file() else []
        return [json.loads(line) for line in lines]

    def without_checkpoints(self) -> None:
        """Remove what nothing goes on from any more."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)
