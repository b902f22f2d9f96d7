"""Training, merging and opening of set-up 2, for the flow: heavy libraries are imported inside."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from curation.conversation import ChatTemplate, Prompt
from training import loop
from training.baselines import Baseline, ImageTextToText, open_baseline
from training.config import LlavaMiniConfig, RunConfig
from training.errors import TrainingError
from training.examples import example_of, prompt_text, special_marks, template_of
from training.lengths import check_lengths, counter_of
from training.llava_mini.collate import Collator, Encoder
from training.llava_mini.export import empty_llava, save_as_llava
from training.llava_mini.parts import (
    ADAPTER,
    PROBE,
    component_of,
    emptied_beside,
    load_adapter,
    load_parts,
    make_trainable,
    put_in_place,
    save_adapter,
    start_from,
)
from training.llava_mini.processing import build_processor, n_image_tokens
from training.loop import Trained
from training.rows import Rows
from training.run_folder import MODEL
from training.setups import Merged, TrainedModel
from training.vlm.model import device_of, precision_of
from training.weights import order_of

MAX_DIFFERENCE: Final = 1e-3
"""Of logits in fp32, before and after merging; 1e-6 is usual."""


def train(config: RunConfig, train: Rows, validation: Rows | None, folder: Path) -> Trained:
    """Train the stage that the config names, or go on with it; leaves `folder/adapter` (`parts.save_adapter`).

    Raises `ModelError` where a base or the first stage's projector cannot be had, `SampleError` naming a row that
    cannot be trained on.
    """
    from transformers import TrainingArguments, set_seed

    from training.llava_mini.trainer import PartTrainer

    assert isinstance(config, LlavaMiniConfig)
    processor = build_processor(config.model)
    order, n = order_of(train, config.data), loop.n_positions(config.training, len(train))
    _check_rows(config, processor, train, order.visited(n))
    examples = _encoded(config, processor, train, order.row_at)
    held_out = None
    if validation is not None and config.training.eval_steps is not None:
        _check_rows(config, processor, validation, None)
        held_out = loop.position_dataset(_encoded(config, processor, validation, _same), len(validation))
    device = device_of(config.training.device)
    set_seed(config.training.seed)
    whole = load_parts(
        config.model,
        processor.image_token_id,
        precision_of(config.training.precision, device),
        device,
        quantized=True,
    )
    empty_llava(whole, processor)  # what cannot be published is known before it is trained
    if config.model.stage == "chat":
        start_from(whole, config.model)
    whole = make_trainable(whole, config.model)
    collator = Collator(processor.tokenizer.pad_token_id)
    trainer = PartTrainer(
        model=whole,
        args=TrainingArguments(**loop.arguments(config, folder, len(train), has_validation=validation is not None)),
        data_collator=collator,
        train_dataset=loop.position_dataset(examples, n),
        eval_dataset=held_out,
    )
    trained = loop.run(trainer, folder, component_of, config.training)
    save_adapter(whole, config.model, processor, collator([examples(0)]), folder / ADAPTER)
    return trained


def merge(config: RunConfig, folder: Path) -> Merged:
    """Merge projector and LoRA into bases loaded anew, and write `folder/model`, a LLaVA of transformers.

    Its logits, as it opens from there, are compared on a training row with those of the parts.
    Raises `ModelError` where a base or `folder/adapter` cannot be had, `TrainingError` where the logits of a merge in
    fp32 differ by more than rounding.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForImageTextToText, AutoProcessor

    assert isinstance(config, LlavaMiniConfig)
    device = device_of(config.training.device)
    dtype = precision_of(config.training.precision, device)
    processor: Any = AutoProcessor.from_pretrained(folder / ADAPTER)
    probe = {name: value.to(device) for name, value in load_file(folder / ADAPTER / PROBE).items() if name != "labels"}
    whole = load_parts(config.model, processor.image_token_id, dtype, device, quantized=False)
    whole = load_adapter(whole, config.model, folder / ADAPTER).eval()
    with torch.inference_mode():
        apart = whole(**probe).logits.float().cpu()
    if config.model.stage == "chat":
        whole.language_model = whole.language_model.merge_and_unload()
    fresh = emptied_beside(folder / MODEL)
    save_as_llava(whole, processor, fresh)
    put_in_place(fresh, folder / MODEL)
    del whole
    gc.collect()
    settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    opened: Any = AutoModelForImageTextToText.from_pretrained(folder / MODEL, **settings).eval()
    probe["pixel_values"] = probe["pixel_values"].to(dtype)
    with torch.inference_mode():
        together = opened(**probe).logits.float().cpu()
    # LLaVA's vocabulary has the image token besides.
    difference = float((together[..., : apart.shape[-1]] - apart).abs().max())
    if dtype == torch.float32 and not difference <= MAX_DIFFERENCE:
        raise TrainingError(f"merging moved the logits by {difference:.3g}", "Train again, or report it")
    return Merged(str(dtype).removeprefix("torch."), difference)


def open_model(folder: Path, device: str, max_new_tokens: int) -> TrainedModel:
    """The merged model, ready to predict. Raises `ModelError` where it cannot be loaded."""
    opened = open_baseline(Baseline(folder.name, str(folder), max_new_tokens=max_new_tokens, device=device))
    assert isinstance(opened, ImageTextToText)
    return _Opened(opened)


@dataclass(frozen=True)
class _Opened:
    """A model that is asked exactly as it was trained. See `training.setups.TrainedModel`."""

    model: ImageTextToText

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        processor = self.model.processor
        text = prompt_text(task, template_of(processor, prompt), prompt)
        return self.model.write(images, text, add_special_tokens=False)


def _check_rows(config: LlavaMiniConfig, processor: Any, rows: Rows, visited: Any) -> None:
    """Look at the rows before weights are loaded, so that one which cannot be used stops the run at once."""
    prompt = config.prompt.prompt()
    counter = counter_of(processor, prompt, config.data.task, config.training.max_seq_length, n_image_tokens(processor))
    check_lengths(rows, counter, marks=special_marks(template_of(processor, prompt)), visited=visited)


@dataclass(frozen=True)
class _Encoded:
    """What the trainer reads at each position: `row_at` gives the row that stands there."""

    rows: Rows
    encoder: Encoder
    template: ChatTemplate
    prompt: Prompt
    row_at: Callable[[int], int]

    def __call__(self, position: int) -> dict[str, Any]:
        example = example_of(self.rows[self.row_at(position)], self.template, self.prompt)
        return self.encoder.encode(example.id, example.text, example.spans, example.image)


def _encoded(config: LlavaMiniConfig, processor: Any, rows: Rows, row_at: Callable[[int], int]) -> _Encoded:
    prompt = config.prompt.prompt()
    encoder = Encoder(processor, config.training.max_seq_length)
    return _Encoded(rows, encoder, template_of(processor, prompt), prompt, row_at)


def _same(position: int) -> int:
    return position
