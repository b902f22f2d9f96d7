"""Set-up 3: train a captioner whose prefix is a picture, merge its adapters, open it to predict.

Trained are low-rank adapters in the language model's attention, the projection, and the tower's last layers where a
config says so; each at a rate of its own. `adapter/` is what peft saves: the adapters, and those parts whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from PIL import Image

from curation.conversation import ChatTemplate, Prompt
from curation.errors import BadInputError, ModelError
from training import loop
from training.config import DistilvitConfig, RunConfig
from training.distilvit.collate import Collator, Encoder, check_captions, pixels
from training.distilvit.parts import (
    Parts,
    clip_loss_of,
    component_of,
    image_processor_of,
    load_base,
    load_whole,
    with_adapters,
)
from training.errors import TrainingError
from training.examples import example_of, prompt_text, special_marks, template_of
from training.lengths import check_lengths, counter_of
from training.loop import Trained
from training.rows import Rows
from training.run_folder import MODEL
from training.setups import Merged
from training.vlm.model import device_of
from training.weights import order_of

ADAPTER: Final = "adapter"
TASK: Final = "image_to_caption"
PREDICTION_BATCH: Final = 8
"""Pictures at a time: all have the same prompt, so that nothing is padded and nothing changes."""

MAX_DIFFERENCE: Final = 1e-3
"""Of logits in fp32, before and after merging; 1e-6 is usual."""

_PROBE: Final = "probe.safetensors"
"""Beside the adapter: the first training row, as it was fed, which merging compares logits on."""


def train(config: RunConfig, train: Rows, validation: Rows | None, folder: Path) -> Trained:
    """Train, or go on from the last whole checkpoint; leaves `folder/adapter` with tokenizer and image processor.

    Raises `ModelError` where a model cannot be had or has no such layers, `SampleError` for a row that cannot be used,
    `TrainingError` where the loss is no number.
    """
    config = _checked(config)
    from transformers import TrainingArguments, set_seed

    from training.distilvit.trainer import CaptionTrainer

    set_seed(config.training.seed)  # the projection and the adapters begin alike in every process
    parts = load_base(config.model)
    model = with_adapters(parts.model, config.model)
    clip = clip_loss_of(config.model, parts.tokenizer)
    encoder = Encoder(
        parts.tokenizer,
        parts.image_processor,
        parts.model.n_patches,
        config.model.max_caption_tokens,
        config.training.max_seq_length,
        None if clip is None else image_processor_of(config.model.clip_model, config.model.clip_revision),
    )
    collator = Collator(parts.tokenizer.pad_token_id)
    order, n = order_of(train, config.data), loop.n_positions(config.training, len(train))
    _check_rows(config, encoder, train, order.visited(n))
    features = _features(config, encoder, train, order.row_at)
    held_out = None
    if validation is not None and config.training.eval_steps is not None:
        _check_rows(config, encoder, validation, None)
        held_out = loop.position_dataset(_features(config, encoder, validation, _same), len(validation))
    trainer = CaptionTrainer(
        model=model,
        args=TrainingArguments(**loop.arguments(config, folder, len(train), has_validation=validation is not None)),
        train_dataset=loop.position_dataset(features, n),
        eval_dataset=held_out,
        data_collator=collator,
        rates=learning_rates(config),
        components=component_of,
        clip=clip,
        clip_weight=config.model.clip_loss_weight,
        special_ids=tuple(parts.tokenizer.all_special_ids),
    )
    trained = loop.run(trainer, folder, component_of, config.training)
    _written(folder / ADAPTER, model, parts, collator([features(0)]))
    return trained


def merge(config: RunConfig, folder: Path) -> Merged:
    """Write `folder/model`: base, adapters and trained parts as one model in fp32.

    What was written is read back, and its logits on a training row are compared with those of base and adapters apart.

    Raises:
        ModelError: base or adapter cannot be had.
        TrainingError: the logits differ by more than rounding.
    """
    config = _checked(config)
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import GenerationConfig

    if not (folder / ADAPTER / _PROBE).is_file():
        raise ModelError(f"{folder / ADAPTER} is not what a training left", "Train again")
    parts = load_base(config.model)
    probe = load_file(folder / ADAPTER / _PROBE)
    adapted = PeftModel.from_pretrained(parts.model, folder / ADAPTER).eval()
    before = _logits(adapted, probe)
    merged = adapted.merge_and_unload(safe_merge=True)
    merged.generation_config = GenerationConfig(
        max_new_tokens=config.prediction.max_new_tokens,
        do_sample=False,
        eos_token_id=parts.tokenizer.eos_token_id,
        pad_token_id=parts.tokenizer.pad_token_id,
    )
    _written(folder / MODEL, merged, parts)
    again = load_whole(str(folder / MODEL), None).model.eval()
    difference = float((_logits(again, probe) - before).abs().max())
    if not difference <= MAX_DIFFERENCE:
        raise TrainingError(f"merging moved the logits by {difference:.3g}", "Train again, or report it")
    return Merged(str(again.dtype).removeprefix("torch."), difference)


def open_model(folder: Path, device: str = "auto", max_new_tokens: int = 30) -> Captioner:
    """The model in `folder`, ready to predict. Raises `ModelError` where it cannot be loaded."""
    return Captioner(load_whole(str(folder), None), device_of(device), max_new_tokens)


class Captioner:
    """A trained captioner in memory. Decoding is greedy."""

    def __init__(self, parts: Parts, device: str, max_new_tokens: int) -> None:
        self.model = parts.model.to(device).eval()
        self._encoder = Encoder(parts.tokenizer, parts.image_processor, parts.model.n_patches, max_new_tokens)
        self._max_new_tokens = max_new_tokens

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        """The caption of each picture (RGB), in their order."""
        import torch

        tokenizer = self._encoder.tokenizer
        said = prompt_text(task, template_of(tokenizer, prompt), prompt)
        ids = torch.tensor([self._encoder.prompt_ids(said)], device=self.model.device)
        remaining = iter(images)
        while chunk := list(islice(remaining, PREDICTION_BATCH)):
            pixel_values = pixels(self._encoder.image_processor, chunk).to(self.model.device)
            tokens = self.model.generate(
                pixel_values, ids.expand(len(chunk), -1), max_new_tokens=self._max_new_tokens, do_sample=False
            )
            yield from (text.strip() for text in tokenizer.batch_decode(tokens, skip_special_tokens=True))


def learning_rates(config: DistilvitConfig) -> dict[str, float]:
    """The rate of each component, before the schedule. The first is the one that the log tells."""
    return {
        "language": config.training.learning_rate,
        "projector": config.model.projection_learning_rate,
        "vision": config.model.vision_learning_rate,
    }


@dataclass(frozen=True)
class _Features:
    """The features of the row at a position."""

    rows: Rows
    encoder: Encoder
    prompt: Prompt
    template: ChatTemplate
    row_at: Callable[[int], int]

    def __call__(self, position: int) -> dict[str, Any]:
        return self.encoder(example_of(self.rows[self.row_at(position)], self.template, self.prompt))


def _features(config: DistilvitConfig, encoder: Encoder, rows: Rows, row_at: Callable[[int], int]) -> _Features:
    prompt = config.prompt.prompt()
    return _Features(rows, encoder, prompt, template_of(encoder.tokenizer, prompt), row_at)


def _same(position: int) -> int:
    return position


def _check_rows(config: DistilvitConfig, encoder: Encoder, rows: Rows, visited: Any) -> None:
    """Look at the rows before anything is trained, so that one which cannot be used stops the run at once."""
    prompt, limit = config.prompt.prompt(), config.training.max_seq_length
    counter = counter_of(encoder.tokenizer, prompt, config.data.task, limit, encoder.n_patches)
    marks = special_marks(template_of(encoder.tokenizer, prompt))
    check_lengths(rows, counter, marks=marks, visited=visited)
    check_captions(rows, encoder.tokenizer, config.model.max_caption_tokens, visited)


def _checked(config: RunConfig) -> DistilvitConfig:
    assert isinstance(config, DistilvitConfig)
    if config.data.task != TASK:
        raise BadInputError(f"distilvit writes captions, and data.task is {config.data.task}", f"Set it to {TASK}")
    return config


def _written(place: Path, model: Any, parts: Parts, probe: dict[str, Any] | None = None) -> None:
    """Weights, tokenizer, image processor and, where there is one, the probe; `place` is there whole or not at all."""
    from safetensors.torch import save_file

    fresh = place.with_name(f"{place.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    model.save_pretrained(fresh)
    parts.tokenizer.save_pretrained(fresh)
    parts.image_processor.save_pretrained(fresh)
    if probe is not None:
        save_file({name: probe[name] for name in ("pixel_values", "input_ids")}, fresh / _PROBE)
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def _logits(model: Any, probe: dict[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        return model(**probe).logits.float()
