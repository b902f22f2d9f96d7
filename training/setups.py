"""Which code trains a config and opens a trained model: each set-up is a module with the same three functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from PIL import Image

from curation.conversation import Prompt
from curation.errors import ModelError
from training.config import RunConfig
from training.loop import Trained
from training.rows import Rows

DESCRIPTION: Final = "markupmill.json"
"""In the folder of a trained model: which set-up it is of, and what it was trained to be asked."""

_MODULES: Final = {
    "llava_html": "training.vlm.setup",
    "latex_ocr": "training.vlm.setup",
    "table_html": "training.vlm.setup",
    "llava_mini": "training.llava_mini.setup",
    "distilvit": "training.distilvit.setup",
}


@dataclass(frozen=True)
class Merged:
    """A model written out whole, and by how much its logits differ from those of base and adapter apart, at most."""

    dtype: str
    max_logit_difference: float


class TrainedModel(Protocol):
    """A model in memory that answers for pictures (RGB), greedily."""

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        """The completion alone for each picture, in their order."""
        ...


class SetUp(Protocol):
    """What a module of a set-up has."""

    def train(self, config: RunConfig, train: Rows, validation: Rows | None, folder: Path) -> Trained:
        """Train, or go on from the last whole checkpoint in `folder`; leaves `folder/adapter`."""
        ...

    def merge(self, config: RunConfig, folder: Path) -> Merged:
        """Write `folder/model` out of `folder/adapter` and the base, in full precision or bf16."""
        ...

    def open_model(self, folder: Path, device: str, max_new_tokens: int) -> TrainedModel:
        """The model in `folder`, ready to predict."""
        ...


@dataclass(frozen=True)
class Description:
    """What a trained model is asked: the set-up, the task, the words around, and how long an answer may be."""

    setup: str
    task: str
    prompt: Prompt
    max_new_tokens: int


def setup_named(name: str) -> SetUp:
    """The module of a set-up; imports no torch before one of its functions is called."""
    return cast("SetUp", import_module(_MODULES[name]))


def describe(config: RunConfig, folder: Path) -> None:
    """Write what the model in `folder` is to be asked beside it."""
    described = Description(config.setup, config.data.task, config.prompt.prompt(), config.prediction.max_new_tokens)
    (folder / DESCRIPTION).write_text(json.dumps(asdict(described), indent=1) + "\n", encoding="utf-8")


def description_of(folder: Path) -> Description | None:
    """What the model in `folder` says of itself; None for a model that was not trained here.

    Raises `ModelError` where it cannot be read.
    """
    place = folder / DESCRIPTION
    if not place.is_file():
        return None
    try:
        plain = json.loads(place.read_text("utf-8"))
        found = Description(**{**plain, "prompt": Prompt(**plain["prompt"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{place} cannot be read", "Train the model again") from error
    if found.setup not in _MODULES:
        raise ModelError(f"{place} names no set-up: {found.setup!r}", f"There are: {', '.join(_MODULES)}")
    return found
