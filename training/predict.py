"""A trained model on pictures of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from curation.conversation import DEFAULT_USER, Prompt
from curation.errors import AddressError, BadInputError
from curation.sample import Task
from rendering.pixels import ImageFault, decode_rgb
from training.baselines import Baseline, Predictor, open_baseline
from training.quiet import quiet_libraries
from training.run_folder import MODEL
from training.setups import Description, TrainedModel, description_of, setup_named

MAX_NEW_TOKENS = 1_024
TASK: Task = "image_to_caption"
"""What a model is asked that says nothing of itself and was given no prompt."""


def predict_files(
    paths: Sequence[str], model: str, prompt: str | None, max_new_tokens: int | None = None, device: str = "auto"
) -> Iterator[tuple[str, str]]:
    """Each file with what the model writes for its picture. Every file is looked at before the model is loaded.

    `model` is a run's folder, the folder of a model, or a Hub id (as `org/name` or `org/name@revision`).

    Raises:
        AddressError: there is no such picture.
        BadInputError: a file is no picture.
        ModelError: the model cannot be had or loaded.
    """
    for path in paths:
        _picture(path)
    quiet_libraries()
    opened, asked = open_trained(model, max_new_tokens, device)
    said = asked.prompt if prompt is None else replace(asked.prompt, user=prompt)
    return zip(paths, opened.predict((_picture(path) for path in paths), said, asked.task), strict=True)


def open_trained(model: str, max_new_tokens: int | None, device: str) -> tuple[TrainedModel, Description]:
    """A model in memory and what it was trained to be asked. Raises `ModelError`."""
    folder = Path(model).expanduser()
    if (folder / MODEL).is_dir():
        folder = folder / MODEL
    if folder.is_dir() and (described := description_of(folder)) is not None:
        if max_new_tokens is not None:
            described = replace(described, max_new_tokens=max_new_tokens)
        opened = setup_named(described.setup).open_model(folder, device, described.max_new_tokens)
        return opened, described
    name, _, revision = model.partition("@")
    described = Description("", TASK, Prompt(), max_new_tokens or MAX_NEW_TOKENS)
    baseline = Baseline(name, name, revision=revision or None, max_new_tokens=described.max_new_tokens, device=device)
    return _Stranger(open_baseline(baseline)), described


@dataclass(frozen=True)
class _Stranger:
    """A model that was not trained here, asked as baselines are."""

    predictor: Predictor

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        return self.predictor.predict(images, DEFAULT_USER[task] if prompt.user is None else prompt.user)


def _picture(path: str) -> Image.Image:
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise AddressError(f"cannot read {path}: {error.strerror}", "Give a picture's path") from error
    picture = decode_rgb(data)
    if isinstance(picture, ImageFault):
        raise BadInputError(f"{path} is no picture that can be read: {picture.kind}", "Give a PNG, JPEG or WebP")
    return picture
