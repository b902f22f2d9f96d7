"""Set-up 2 from rows to answers: both stages trained, merged, opened and asked, killed and gone on with."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as T  # noqa: N812 - short, as its own docs have it
from PIL import Image
from safetensors.torch import load_file, save_file

from curation.conversation import Prompt
from curation.errors import ModelError
from rendering.pixels import encode_png
from tests.training.tiny_llava_mini import bases, coco, config_for, release, write_release
from training.baselines import Baseline, open_baseline
from training.config import LlavaMiniConfig
from training.errors import TooLongError
from training.held_out import picture_of
from training.llava_mini import setup
from training.llava_mini.collate import Collator
from training.llava_mini.parts import component_of, load_parts, make_trainable
from training.llava_mini.processing import build_processor
from training.llava_mini.trainer import PartTrainer
from training.loop import Trained
from training.rows import Rows, open_rows
from training.setups import Merged

# peft 0.21 asks transformers 5.23 by a property's old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@dataclass(frozen=True)
class Bench:
    """Tiny bases and two releases of the same pictures."""

    clip: Path
    llama: Path
    captions: Path
    chats: Path

    def config(self, stage: str, *settings: str) -> LlavaMiniConfig:
        return config_for(f"llava_mini_{stage}", self.clip, self.llama, *settings)

    def rows(self, config: LlavaMiniConfig, split: str = "train") -> Rows:
        folder = self.captions if config.data.task == "image_to_caption" else self.chats
        return open_rows(folder, config.data, split, None)

    def train(self, config: LlavaMiniConfig, folder: Path) -> Trained:
        folder.mkdir(parents=True, exist_ok=True)
        validation = self.rows(config, "validation") if config.training.eval_steps else None
        return setup.train(config, self.rows(config), validation, folder)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    rows = coco(shared_data, 14)
    captions = release(folder / "captions", rows, "image_to_caption")
    gc.freeze()  # each run of a Trainer collects, which takes a second over all that is imported
    yield Bench(*bases(folder, width=64), captions, release(folder / "chats", rows, "image_chat"))
    gc.unfreeze()


@pytest.fixture(scope="module")
def stages(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Trained, Merged]]:
    """Both stages, trained and merged."""
    made: dict[str, tuple[Path, Trained, Merged]] = {}
    home = tmp_path_factory.mktemp("runs")
    for stage, settings in (
        ("projector", ("training.eval_steps=2", "training.keep_best=true")),
        ("chat", (f"model.start_from={home / 'projector'}", "training.learning_rate=1.0e-2")),
    ):
        config = bench.config(stage, *settings)
        trained = bench.train(config, home / stage)
        made[stage] = (home / stage, trained, setup.merge(config, home / stage))
    return made


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def without_times(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in ("seconds", "tokens_per_s")} for line in log]


def test_stage_one_changes_the_projector_and_nothing_else(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]]
) -> None:
    folder, trained, merged = stages["projector"]
    assert trained.n_steps == 4
    assert trained.parameters["projector"] == (17 * 64, 17 * 64)
    assert {name: part[1] for name, part in trained.parameters.items()} == {
        "language": 0,
        "projector": 17 * 64,
        "vision": 0,
    }
    steps = [line for line in lines(folder) if "loss" in line]
    assert {name for name in steps[0] if name.startswith("grad_norm_")} == {"grad_norm_projector"}
    assert all(line["grad_norm_projector"] > 0 for line in steps)
    assert [line["step"] for line in lines(folder) if "eval_loss" in line] == [2, 4]
    assert merged == Merged("float32", merged.max_logit_difference)
    assert merged.max_logit_difference < 1e-5
    model, clip, llama = parts_of(folder / "model", bench)
    same_weights(model.model.vision_tower, clip, set())
    same_weights(model.model.language_model, llama.model, {"embed_tokens.weight"})
    assert torch.equal(model.model.language_model.embed_tokens.weight[:-1], llama.model.embed_tokens.weight)
    assert torch.equal(model.lm_head.weight[:-1], llama.lm_head.weight)
    projector = load_file(folder / "adapter" / "projector.safetensors")
    assert torch.equal(model.model.multi_modal_projector.linear_1.weight, projector["weight"])


def test_stage_two_starts_from_the_projector_and_changes_every_linear_layer_of_the_language_model(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]]
) -> None:
    folder, trained, merged = stages["chat"]
    r, width = 16, 64
    lora = 2 * r * (2 * (width + width) + 2 * (width + width // 2) + 3 * (width + 2 * width))
    assert trained.parameters["language"][1] == lora
    assert trained.parameters["projector"][1] == 17 * width
    assert trained.parameters["vision"][1] == 0
    names = {name for line in lines(folder) for name in line if name.startswith("grad_norm_")}
    assert names == {"grad_norm_projector", "grad_norm_language"}
    assert merged.max_logit_difference < 1e-4
    model, clip, llama = parts_of(folder / "model", bench)
    same_weights(model.model.vision_tower, clip, set())
    linear = {
        f"{name}.weight" for name, layer in llama.model.named_modules() if isinstance(layer, torch.nn.Linear)
    }  # fmt: skip
    assert len(linear) == 14
    same_weights(model.model.language_model, llama.model, linear | {"embed_tokens.weight"})
    for name in linear:
        assert not torch.equal(model.model.language_model.get_parameter(name), llama.model.get_parameter(name)), name
    assert torch.equal(model.lm_head.weight[:-1], llama.lm_head.weight)
    before = load_file(stages["projector"][0] / "adapter" / "projector.safetensors")["weight"]
    after = load_file(folder / "adapter" / "projector.safetensors")["weight"]
    assert not torch.equal(before, after)
    # Adam moves a weight by at most the rates' sum or so in 4 steps; a fresh projector would be elsewhere altogether.
    assert float((after - before).abs().max()) < 0.05


def parts_of(folder: Path, bench: Bench) -> tuple[Any, Any, Any]:
    model = T.LlavaForConditionalGeneration.from_pretrained(folder)
    return model, T.CLIPVisionModel.from_pretrained(bench.clip), T.AutoModelForCausalLM.from_pretrained(bench.llama)


def same_weights(part: Any, base: Any, but: set[str]) -> None:
    state = part.state_dict()
    assert set(state) == set(base.state_dict())
    for name, value in base.state_dict().items():
        assert name in but or torch.equal(state[name], value), name


@pytest.mark.parametrize("stage", ["projector", "chat"])
def test_the_merged_model_answers_as_it_was_trained_and_opens_with_transformers_alone(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]], stage: str
) -> None:
    config = bench.config("projector")
    folder = stages[stage][0] / "model"
    rows = bench.rows(config, "validation")
    images = [picture_of(rows[index]) for index in range(len(rows))]
    prompt = config.prompt.prompt()
    answers = list(setup.open_model(folder, "cpu", 8).predict(iter(images), prompt, "image_to_caption"))
    processor, model = T.AutoProcessor.from_pretrained(folder), T.AutoModelForImageTextToText.from_pretrained(folder)
    assert type(model) is T.LlavaForConditionalGeneration
    text = f"<s><image>\n{prompt.user}\n"
    inputs = processor(images=images, text=[text] * len(images), return_tensors="pt")
    tokens = model.generate(**inputs, max_new_tokens=8, do_sample=False)[:, inputs["input_ids"].shape[1] :]
    assert answers == [one.strip() for one in processor.batch_decode(tokens, skip_special_tokens=True)]
    assert any(answers)
    assert model.generation_config.eos_token_id == processor.tokenizer.eos_token_id
    assert model.generation_config.suppress_tokens == [model.config.image_token_id]
    assert {path.name for path in folder.iterdir()} >= {
        "config.json", "generation_config.json", "model.safetensors", "chat_template.jinja",
        "processor_config.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    named = open_baseline(Baseline("ours", str(folder), max_new_tokens=8, device="cpu"))
    assert len(list(named.predict(images, "What do you see?"))) == len(images)


@pytest.mark.parametrize("stage", ["projector", "chat"])
def test_only_what_the_stage_names_gets_gradients(bench: Bench, stage: str) -> None:
    settings = ("model.start_from=x",) if stage == "chat" else ()
    config = bench.config(stage, *settings)
    whole, batch = trainable(bench, config)
    whole(**batch).loss.backward()
    with_gradient = {name for name, value in whole.named_parameters() if value.grad is not None}
    lora = {name for name, _ in whole.named_parameters() if ".lora_" in name}
    assert len(lora) == (2 * 2 * 7 if stage == "chat" else 0)
    assert with_gradient == {"projector.weight", "projector.bias"} | lora
    assert {component_of(name) for name in with_gradient} == {"projector", *(["language"] if lora else [])}
    assert all(bool((value.grad != 0).any()) for name, value in whole.named_parameters() if "lora_B" in name)
    assert not whole.vision_tower.training


def test_killed_and_started_again_the_run_is_the_same(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bench.config("chat", f"model.start_from={stages['projector'][0]}")  # with dropout: random numbers count
    bench.train(config, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(PartTrainer, "training_step", dying_at(4, PartTrainer.training_step))
        with pytest.raises(KeyboardInterrupt):
            bench.train(config, tmp_path / "killed")
    assert [line["step"] for line in lines(tmp_path / "killed")] == [1, 2, 3]
    again = bench.train(config, tmp_path / "killed")
    assert again.resumed_from == 2
    assert without_times(lines(tmp_path / "killed")) == without_times(lines(tmp_path / "whole"))
    for file in ("projector.safetensors", "language/adapter_model.safetensors"):
        one, other = (load_file(tmp_path / name / "adapter" / file) for name in ("whole", "killed"))
        assert set(one) == set(other)
        assert all(torch.equal(one[name], other[name]) for name in one)
    # A checkpoint holds what is trained, not the bases.
    held = load_file(tmp_path / "whole" / "checkpoints" / "checkpoint-4" / "model.safetensors")
    assert len(held) == 2 + 2 * 14
    assert all(name.startswith("projector.") or ".lora_" in name for name in held)


def dying_at(step: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = []

    def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == step:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    return training_step


def trainable(bench: Bench, config: LlavaMiniConfig) -> tuple[Any, dict[str, torch.Tensor]]:
    """A model ready to be trained, and a batch of two rows."""
    processor = build_processor(config.model)
    torch.manual_seed(0)
    whole = load_parts(config.model, processor.image_token_id, torch.float32, "cpu", quantized=True)
    encoded = setup._encoded(config, processor, bench.rows(config), lambda position: position)
    batch = Collator(processor.tokenizer.pad_token_id)([encoded(0), encoded(1)])
    return make_trainable(whole, config.model).train(), batch


def test_gradient_checkpointing_changes_no_gradient(bench: Bench) -> None:
    config = bench.config("chat", "model.start_from=x", "model.lora.dropout=0.0")
    whole, batch = trainable(bench, config)
    found = []
    for checkpointing in (False, True):
        if checkpointing:
            whole.activation_checkpointing_enable({"use_reentrant": False})
            assert whole.language_model.get_base_model().model.layers[0].gradient_checkpointing
        whole.zero_grad()
        whole(**batch).loss.backward()
        found.append({name: value.grad for name, value in whole.named_parameters() if value.grad is not None})
    assert set(found[0]) == set(found[1])
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


def test_in_four_bit_is_the_language_model_alone_and_the_merge_is_not(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]], tmp_path: Path
) -> None:
    from bitsandbytes.nn import Linear4bit

    start = f"model.start_from={stages['projector'][0]}"
    half = ("model.quantization=nf4", "training.precision=bf16", "training.max_steps=2")
    config = bench.config("chat", start, *half)
    processor = build_processor(config.model)
    whole = load_parts(config.model, processor.image_token_id, torch.bfloat16, "cpu", quantized=True)
    quantized = [name for name, layer in whole.named_modules() if isinstance(layer, Linear4bit)]
    assert len(quantized) == 14
    assert {component_of(name) for name in quantized} == {"language"}
    dtypes = {value.dtype for value in make_trainable(whole, config.model).parameters() if value.requires_grad}
    assert dtypes == {torch.float32}
    trained = bench.train(config, tmp_path)
    assert trained.parameters["language"][0] == stages["chat"][1].parameters["language"][0]  # counted one by one
    merged = setup.merge(config, tmp_path)
    assert merged.dtype == "bfloat16"
    assert merged.max_logit_difference < 0.5  # of logits around 10, in 8 bits
    model = T.AutoModelForImageTextToText.from_pretrained(tmp_path / "model")
    assert model.dtype == torch.bfloat16
    assert not any(isinstance(layer, Linear4bit) for layer in model.modules())


COLOURS = {"red": (200, 40, 40), "green": (40, 170, 60), "blue": (40, 60, 200), "grey": (128, 128, 128)}


def coloured(number: int, random: np.random.Generator) -> tuple[bytes, str]:
    """A noisy picture of one colour, and its name."""
    name = list(COLOURS)[number % len(COLOURS)]
    pixels = np.clip(np.array(COLOURS[name]) + random.normal(0, 25, (32, 32, 3)), 0, 255).astype(np.uint8)
    return encode_png(Image.fromarray(pixels)), name


def test_it_learns_to_see_and_to_end_what_it_says(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]], tmp_path: Path
) -> None:
    """From random weights: the names of four colours on pictures that it never saw, each ended by its own `</s>`."""
    random = np.random.default_rng(0)
    pictures = [coloured(number, random) for number in range(72)]
    turns = [
        [{"role": "user", "content": "What colour?"}, {"role": "assistant", "content": name}] for _, name in pictures
    ]
    rows = [
        {"id": f"{number}", "image": {"bytes": image}, "text": None, "task": "image_chat", "messages": said}
        for number, ((image, _), said) in enumerate(zip(pictures, turns, strict=True))
    ]
    folder = write_release(tmp_path / "colours", rows, 16)
    learn = ("training.max_steps=30", "training.batch_size=8", "training.learning_rate=1.0e-2", "training.log_steps=5")
    config = bench.config("chat", f"model.start_from={stages['projector'][0]}", "training.save_steps=100", *learn)
    (tmp_path / "run").mkdir()
    setup.train(config, open_rows(folder, config.data, "train", None), None, tmp_path / "run")
    losses = [line["loss"] for line in lines(tmp_path / "run")]
    assert losses[-1] < 0.2 * losses[0]
    setup.merge(config, tmp_path / "run")
    model = setup.open_model(tmp_path / "run" / "model", "cpu", 16)
    unseen = [Image.open(io.BytesIO(image)) for image, _ in pictures[:16]]
    answers = list(model.predict(unseen, Prompt(user="What colour?"), "image_chat"))
    assert sum(said == name for said, (_, name) in zip(answers, pictures, strict=False)) >= 15  # 4 by guessing


def test_what_cannot_be_trained_is_said_in_one_line(
    bench: Bench, stages: dict[str, tuple[Path, Trained, Merged]], tmp_path: Path
) -> None:
    one = stages["projector"][0]
    with pytest.raises(ModelError, match="holds no finished run of stage projector"):
        bench.train(bench.config("chat", f"model.start_from={tmp_path}"), tmp_path / "a")
    with pytest.raises(ModelError, match="its projector is of projector 'linear', not 'mlp'"):
        bench.train(bench.config("chat", f"model.start_from={one}", "model.projector=mlp"), tmp_path / "b")
    with pytest.raises(ModelError, match="cannot be loaded"):
        bench.train(bench.config("projector", f"model.language={tmp_path / 'none'}"), tmp_path / "c")
    (tmp_path / "half").mkdir()
    weights = load_file(bench.llama / "model.safetensors")
    for file in bench.llama.iterdir():
        (tmp_path / "half" / file.name).write_bytes(file.read_bytes())
    save_file(
        {name: weights[name] for name in list(weights)[3:]}, tmp_path / "half" / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelError, match="half has no weights for 3 parameters of a AutoModelForCausalLM"):
        bench.train(bench.config("projector", f"model.language={tmp_path / 'half'}"), tmp_path / "c")
    with pytest.raises(ModelError, match="has 3 layers, not -5"):
        bench.train(bench.config("projector", "model.vision_layer=-5"), tmp_path / "c")
    with pytest.raises(TooLongError, match=r"^8 of 8 rows have more than 40 tokens: [0-9a-f]{64} "):
        bench.train(bench.config("projector", "training.max_seq_length=40"), tmp_path / "d")
    adapter = tmp_path / "e" / "adapter"
    bench.train(bench.config("projector", "training.max_steps=1"), adapter.parent)
    save_file({"weight": torch.zeros(3, 3), "bias": torch.zeros(3)}, adapter / "projector.safetensors")
    with pytest.raises(ModelError, match=r"The projector .*projector\.safetensors cannot be used"):
        setup.merge(bench.config("projector"), adapter.parent)
