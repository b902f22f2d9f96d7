"""Held-out rows as a trained model writes them: the files that `evaluate` scores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from PIL import Image

from curation.conversation import DEFAULT_USER
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

    Holds all predictions, and the pictures of one row group at a time decoded.

    Raises:
        BadInputError: a picture cannot be decoded; the row is named.
    """
    started_s = time.monotonic()
    prompt = config.prompt.prompt()
    asked = DEFAULT_USER[config.data.task] if prompt.user is None else prompt.user
    texts = model.predict((picture_of(rows[index]) for index in range(len(rows))), prompt, config.data.task)
    found = [
        Prediction(row.id, cast("Task", row.task), text, row.text, folder.name, row.image, row.classes, asked)
        for row, text in zip(_each(rows), texts, strict=True)
    ]
    write_predictions(found, folder / PREDICTIONS)
    return {"n": len(found), "seconds": round(time.monotonic() - started_s, 3)}


def picture_of(row: Row) -> Image.Image:
    """The row's picture, RGB. Raises `BadInputError` for one that cannot be decoded."""
    picture = decode_rgb(row.image)
    if isinstance(picture, ImageFault):
        raise BadInputError(f"the picture of {row.id} cannot be read: {picture.kind}", "Build the release again")
    return picture


def _each(rows: Rows) -> Iterator[Row]:
    return (rows[index] for index in range(len(rows)))
