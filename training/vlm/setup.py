"""Set-ups 1, 4 and 5: a vision-language model of transformers through TRL's `SFTTrainer`, merged and opened again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from curation.conversation import Prompt
from curation.errors import ModelError
from training.baselines import Baseline, ImageTextToText
from training.config import RunConfig, VlmConfig
from training.errors import TrainingError
from training.examples import special_marks, template_of
from training.lengths import check_lengths, counter_of
from training.loop import Trained, arguments, n_positions, position_dataset, run
from training.rows import Rows
from training.setups import Merged
from training.vlm.collator import collator
from training.vlm.lora import with_adapter
from training.vlm.model import (
    device_of,
    device_with_room,
    load_for_training,
    load_processor,
    load_whole,
    precision_of,
)
from training.vlm.strings import Examples, strings_of_model
from training.weights import order_of

ADAPTER: Final = "adapter"
MODEL: Final = "model"
ROW: Final = "row.json"
PICTURE: Final = "row.png"
"""In the adapter's folder: a row of the release on which logits are compared."""

MAX_DIFFERENCE: Final = 1e-3
"""Of logits in fp32, before and after merging; 1e-6 is usual."""


def train(config: RunConfig, train: Rows, validation: Rows | None, folder: Path) -> Trained:
    """Train the model, or go on where a run in `folder` stopped; leaves the adapter and the processor.

    Without an adapter in the config, every parameter is trained, and `adapter` holds a whole model.

    Raises `ModelError` for a model that cannot be had or is not what the config says, `SampleError` for a row that
    cannot be trained on, `TrainingError` where the loss is no number.
    """
    from transformers import set_seed
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    config = _checked(config)
    processor = load_processor(config.model)
    strings = strings_of_model(processor, config.prompt.prompt())
    order = order_of(train, config.data)
    _check_rows(config, processor, train, order.visited(n_positions(config.training, len(train))))
    held_out = None
    if validation is not None and config.training.eval_steps is not None:
        _check_rows(config, processor, validation, None)
        held_out = position_dataset(Examples(validation, strings, _same), len(validation))
    model, components = load_for_training(config)
    set_seed(config.training.seed)  # an adapter's weights are drawn next
    if config.model.lora is not None:
        model = with_adapter(model, components, config.model.lora)
    examples = Examples(train, strings, order.row_at)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            max_length=None,
            completion_only_loss=True,
            **arguments(config, folder, len(train), has_validation=validation is not None),
        ),
        train_dataset=position_dataset(examples, n_positions(config.training, len(train))),
        eval_dataset=held_out,
        data_collator=collator(processor, config.training.max_seq_length, config.model.counted),
        processing_class=processor,
    )
    trained = run(trainer, folder, components, config.training)
    _written(folder / ADAPTER, trainer.model, processor, examples(0))
    return trained


def merge(config: RunConfig, folder: Path) -> Merged:
    """Write `folder/model`: the adapter merged into the base, loaded again in fp32 or bf16, never into 4-bit weights.

    What was written is read back, and its logits on a row of the release are compared with those of base and adapter
    apart.

    Raises:
        ModelError: base or adapter cannot be had.
        TrainingError: in fp32 the logits differ by more than rounding.
    """
    import peft
    import torch

    config = _checked(config)
    dtype = precision_of(config.training.precision, device_of(config.training.device))
    device = device_with_room(config.model, config.training.device)
    left = folder / ADAPTER
    processor = load_processor(config.model.model_copy(update={"name": str(left), "revision": None}))
    batch = _batch(processor, left)
    if config.model.lora is None:
        whole = load_whole(config.model.model_copy(update={"name": str(left), "revision": None}), dtype, device)
        before = _logits(whole, batch)
    else:
        adapted = peft.PeftModel.from_pretrained(load_whole(config.model, dtype, device), str(left)).eval()
        before = _logits(adapted, batch)
        whole = adapted.merge_and_unload(safe_merge=True)
        del adapted
    _greedy(whole, processor)
    _written(folder / MODEL, whole, processor)
    del whole
    merged = config.model.model_copy(update={"name": str(folder / MODEL), "revision": None})
    difference = float((_logits(load_whole(merged, dtype, device), batch) - before).abs().max())
    if dtype == torch.float32 and not difference <= MAX_DIFFERENCE:
        raise TrainingError(f"merging moved the logits by {difference:.3g}", "Train again, or report it")
    return Merged(str(dtype).removeprefix("torch."), difference)


def open_model(folder: Path, device: str = "auto", max_new_tokens: int = 1_024) -> TrainedVlm:
    """The merged model in `folder`, ready to predict. Raises `ModelError` where it cannot be loaded."""
    baseline = Baseline(folder.name, str(folder), max_new_tokens=max_new_tokens, device=device)
    try:
        return TrainedVlm(ImageTextToText(baseline))
    except Exception as error:  # files of others raise anything
        raise ModelError(f"The model in {folder} cannot be loaded", "Train it again") from error


@dataclass(frozen=True)
class TrainedVlm:
    """A model that is asked exactly as it was trained."""

    model: ImageTextToText

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        """The completion alone for each picture, greedily, in their order."""
        text = strings_of_model(self.model.processor, prompt).before(task)
        return self.model.write(images, text, add_special_tokens=False)


def _checked(config: RunConfig) -> VlmConfig:
    if not isinstance(config, VlmConfig):
        raise ModelError(f"{config.setup} is another set-up", "Use llava_html, latex_ocr or table_html")
    if config.model.lora is None and config.model.quantization != "none":
        problem = "weights in 4 bit cannot be trained without an adapter"
        raise ModelError(problem, "Set model.lora, or model.quantization: none")
    return config


def _check_rows(config: VlmConfig, processor: Any, rows: Rows, visited: Any) -> None:
    """Look at the rows before the model is loaded, so that one which cannot be used stops the run at once."""
    of_picture = 0 if config.model.counted == "text" else None
    prompt, limit = config.prompt.prompt(), config.training.max_seq_length
    counter = counter_of(processor, prompt, config.data.task, limit, of_picture)
    check_lengths(rows, counter, marks=special_marks(template_of(processor, prompt)), visited=visited)


def _same(position: int) -> int:
    return position


def _written(place: Path, model: Any, processor: Any, example: dict[str, Any] | None = None) -> None:
    """Weights, processor and, with an example, a row to compare logits on; `place` is there whole or not at all."""
    fresh = place.with_name(f"{place.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    model.save_pretrained(fresh)
    processor.save_pretrained(fresh)
    if example is not None:
        example["images"][0].save(fresh / PICTURE)
        row = {key: example[key] for key in ("id", "prompt", "completion")}
        (fresh / ROW).write_text(json.dumps(row, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def _batch(processor: Any, left: Path) -> Any:
    try:
        row = json.loads((left / ROW).read_text("utf-8"))
        with Image.open(left / PICTURE) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError) as error:
        raise ModelError(f"{left} is not what a training left", "Train again") from error
    batch = collator(processor, None, "all")([{**row, "images": [image]}])
    batch.pop("labels")
    return batch


def _logits(model: Any, batch: Any) -> Any:
    """Logits of every position in fp32 on the CPU, shape (1, tokens, vocabulary)."""
    import torch

    inputs = {name: value.to(model.device) for name, value in batch.items()}
    inputs = {name: v.to(model.dtype) if torch.is_floating_point(v) else v for name, v in inputs.items()}
    with torch.inference_mode():
        return model(**inputs, use_cache=False).logits.float().cpu()


def _greedy(model: Any, processor: Any) -> None:
    """Who loads the merged model gets greedy decoding that ends at the end-of-text token it was trained on."""
    from transformers import GenerationConfig

    own = model.generation_config
    ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
    end = processor.tokenizer.eos_token_id
    ends = [end, *(one for one in ends if one not in (None, end))]
    model.generation_config = GenerationConfig(
        eos_token_id=ends, bos_token_id=own.bos_token_id, pad_token_id=processor.tokenizer.pad_token_id, do_sample=False
    )
    model.config.use_cache = True
