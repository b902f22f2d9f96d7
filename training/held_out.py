"""Held-out rows as a trained model writes them: the files that `evaluate` scores."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from PIL import Image

from curation.conversation import DEFAULT_USER, IMAGE_MARK, Prompt
from curation.errors import BadInputError
from curation.sample import Task
from rendering.pixels import ImageFault, decode_rgb
from training.config import RunConfig
from training.evaluation.predictions import Prediction, write_predictions
from training.rows import Row, Rows
from training.run_folder import PREDICTIONS
from training.setups import TrainedModel


def predict_rows(rows: Rows, model: TrainedModel, config: RunConfig, folder: Path) -> dict[str, Any]:
    """Write `predictions.parquet`, a row for each of `rows`, and say how many and how long it took.

    Holds all predictions and their encoded pictures.

    Raises:
        BadInputError: a picture cannot be decoded; the row is named.
    """
    started_s = time.monotonic()
    prompt = config.prompt.prompt()
    found = [_predicted(row, model, prompt, folder.name) for row in (rows[index] for index in range(len(rows)))]
    write_predictions(found, folder / PREDICTIONS)
    return {"n": len(found), "seconds": round(time.monotonic() - started_s, 3)}


def asked_and_answered(row: Row, prompt: Prompt) -> tuple[str, str]:
    """What is asked about a row's picture, and what is right: of a conversation the first question and its answer."""
    if row.conversation is None:
        return DEFAULT_USER[row.task] if prompt.user is None else prompt.user, row.text
    said = {"user": "", "assistant": ""}
    for turn in reversed(row.conversation):
        said[turn["role"]] = turn["content"]
    return said["user"].replace(IMAGE_MARK, "").strip(), said["assistant"]


def _predicted(row: Row, model: TrainedModel, prompt: Prompt, name: str) -> Prediction:
    question, answer = asked_and_answered(row, prompt)
    (text,) = model.predict([picture_of(row)], replace(prompt, user=question), row.task)
    return Prediction(row.id, cast("Task", row.task), text, answer, name, row.image, row.classes, question)


def picture_of(row: Row) -> Image.Image:
    """The row's picture, RGB. Raises `BadInputError` for one that cannot be decoded."""
    picture = decode_rgb(row.image)
    if isinstance(picture, ImageFault):
        raise BadInputError(f"the picture of {row.id} cannot be read: {picture.kind}", "Build the release again")
    return picture
