"""Train, merge, predict: tiny models of three families on real rows, with the shipped configs' settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.training.small_release import Sample, real_samples, release_of
from tests.training.tiny_models import MODELS, saved, seeded
from training.config import RunConfig, VlmConfig, load_config
from training.errors import TooLongError
from training.held_out import picture_of
from training.loop import Trained
from training.rows import Rows, open_rows
from training.setups import Merged
from training.vlm import setup

pytestmark = pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning")

SMALL = ("data.n_train=6", "data.n_validation=2", "data.n_test=1", "training.device=cpu", "training.precision=fp32")


@dataclass(frozen=True)
class Run:
    """A run and what it was seen to do to the weights."""

    folder: Path
    base: Path
    config: VlmConfig
    train: Rows
    trained: Trained
    merged: Merged
    before: dict[str, Any]
    after: dict[str, Any]
    trainable: frozenset[str]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def samples(shared_data: Path) -> dict[str, list[Sample]]:
    return {
        "page_to_html": real_samples(shared_data / "websight", "text", 9, 1300),
        "table_to_html": real_samples(shared_data / "pubtabnet-html", "html_table", 9, 1600),
        "formula_to_latex": real_samples(shared_data / "latex-im2markup", "text", 9, 80),
    }


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, samples: dict[str, list[Sample]]
) -> Callable[..., tuple[VlmConfig, Path, Path]]:
    """A shipped config on a tiny model and six real rows, in a folder of its own."""
    bases: dict[str, Path] = {}

    def prepare(shipped: str, model: str, *overrides: str) -> tuple[VlmConfig, Path, Path]:
        if model not in bases:
            bases[model] = saved(tmp_path_factory.mktemp(model), seeded(MODELS[model]))
        folder = tmp_path_factory.mktemp(shipped)
        config: RunConfig = load_config(
            shipped, (*SMALL, f"model.name={bases[model]}", f"output={folder / 'run'}", *overrides)
        )
        found = samples[config.data.task]
        release_of(folder / "release", config.data.task, {"train": found[:6], "validation": found[6:8]})
        assert isinstance(config, VlmConfig)
        return config, folder, bases[model]

    return prepare


def rows_of(config: VlmConfig, folder: Path, split: str = "train") -> Rows:
    return open_rows(folder / "release", config.data, split, None)


def watched(prepared: tuple[VlmConfig, Path, Path]) -> Run:
    """Train and merge, keeping all weights before the first step and after the last."""
    config, folder, base = prepared
    seen: dict[str, Any] = {}
    real = setup.run

    def run(trainer: Any, *settings: Any) -> Trained:
        seen["before"] = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
        done = real(trainer, *settings)
        seen["after"] = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
        seen["trainable"] = frozenset(n for n, p in trainer.model.named_parameters() if p.requires_grad)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "run", run)
        trained = setup.train(config, rows_of(config, folder), rows_of(config, folder, "validation"), folder / "run")
    merged = setup.merge(config, folder / "run")
    return Run(folder / "run", base, config, rows_of(config, folder), trained, merged, **seen)


NF4_OFF = ("model.quantization=none", "training.optimizer=adamw_torch")


@pytest.fixture(scope="module")
def llava_html(prepared: Callable[..., tuple[VlmConfig, Path, Path]]) -> Run:
    short = ("training.max_steps=3", "training.batch_size=2", "training.learning_rate=1e-3")
    return watched(prepared("llava_html", "llava", *NF4_OFF, *short))


@pytest.fixture(scope="module")
def latex_ocr(prepared: Callable[..., tuple[VlmConfig, Path, Path]]) -> Run:
    short = (
        "training.max_steps=2",
        "training.gradient_accumulation=1",
        "model.lora.layers_to_tune=[vision, projector]",
    )
    return watched(prepared("latex_ocr", "qwen2_vl", *NF4_OFF, *short))


@pytest.fixture(scope="module")
def table_html(prepared: Callable[..., tuple[VlmConfig, Path, Path]]) -> Run:
    short = ("training.gradient_accumulation=2", "training.eval_steps=1", "training.save_steps=1")
    tower = ("model.lora.layers_to_tune=[vision]", "training.warmup_steps=0", "training.log_steps=1")
    # the tiny tokenizer takes more tokens than Granite's
    tower = (*tower, "training.max_seq_length=2000")
    return watched(prepared("table_html_dora", "granite_vision", *short, *tower))


RUNS = ("llava_html", "latex_ocr", "table_html")


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_only_the_named_parts_are_trained_and_all_else_stays_bit_for_bit(run: Run) -> None:
    import torch

    assert run.config.model.lora is not None
    parts = set(run.config.model.lora.layers_to_tune)
    assert {part for part, (_, trainable) in run.trained.parameters.items() if trainable} == parts
    assert all("lora_" in name for name in run.trainable)
    changed = {name for name, value in run.after.items() if not torch.equal(value, run.before[name])}
    assert changed == run.trainable  # every named parameter moved, and no other


def test_the_log_has_loss_and_gradient_norms_by_part(run: Run) -> None:
    assert run.config.model.lora is not None
    lines = [line for line in run.log if "loss" in line]
    assert len(lines) == run.trained.n_steps == max(line["step"] for line in lines)
    norms = {name for line in lines for name in line if name.startswith("grad_norm_")}
    assert norms == {f"grad_norm_{part}" for part in run.config.model.lora.layers_to_tune}
    assert all(line[name] > 0 for line in lines for name in norms)


def test_merged_logits_are_those_of_base_and_adapter(run: Run) -> None:
    assert run.merged.dtype == "float32"
    assert run.merged.max_logit_difference < 1e-5
    row = json.loads((run.folder / "adapter" / "row.json").read_text())
    assert row["id"] in {run.train[index].id for index in range(len(run.train))}


def test_merged_weights_are_the_base_but_for_the_layers_that_were_adapted(run: Run) -> None:
    import torch
    from safetensors.torch import load_file

    base, model = (load_file(place / "model.safetensors") for place in (run.base, run.folder / "model"))
    assert base.keys() == model.keys()
    moved = {name for name in base if not torch.equal(base[name], model[name])}
    assert len(moved) == sum("lora_A" in name for name in run.trainable)
    assert all(value.dtype == torch.float32 for value in model.values())


def test_the_merged_model_predicts_greedily_and_gives_its_completion_alone(run: Run) -> None:
    model = setup.open_model(run.folder / "model", "cpu", 8)
    pictures = [picture_of(run.train[index]) for index in (0, 0)]
    prompt = run.config.prompt.prompt()
    first, second = model.predict(pictures, prompt, run.config.data.task)
    assert first == second
    assert prompt.user is not None
    assert prompt.user[:12] not in first
    settings = json.loads((run.folder / "model" / "generation_config.json").read_text())
    end = model.model.processor.tokenizer.eos_token_id
    assert settings["eos_token_id"] in (end, [end])
    assert settings.get("do_sample", False) is False


def test_what_is_trained_on_is_what_is_predicted_with(llava_html: Run) -> None:
    row = json.loads((llava_html.folder / "adapter" / "row.json").read_text())
    model = setup.open_model(llava_html.folder / "model", "cpu", 8)
    strings = setup.strings_of_model(model.model.processor, llava_html.config.prompt.prompt())
    assert strings.before("page_to_html") == row["prompt"]
    assert row["prompt"] == "<s>USER: <image> Generate the HTML code for this webpage. ASSISTANT:"
    assert row["completion"].endswith("</html></s>")


def test_the_best_checkpoint_by_evaluation_loss_is_what_is_left(table_html: Run) -> None:
    losses = {line["step"]: line["eval_loss"] for line in table_html.log if "eval_loss" in line}
    assert len(losses) == 3
    assert table_html.trained.best_step == min(losses, key=lambda step: losses[step])


@pytest.mark.parametrize(("name", "scaling"), [("llava_html", 1.0), ("table_html", 8.0)])
def test_the_loss_is_the_mean_over_the_targets_tokens(
    request: pytest.FixtureRequest, name: str, scaling: float
) -> None:
    """TRL's fused head against the model's own logits, on the rows of the first step.

    Granite divides its logits by 8, and so does TRL; transformers' LlavaNext leaves that out.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from training.vlm.collator import collator
    from training.vlm.strings import Examples, strings_of_model
    from training.weights import order_of

    run: Run = request.getfixturevalue(name)
    processor = AutoProcessor.from_pretrained(run.base)
    strings = strings_of_model(processor, run.config.prompt.prompt())
    examples = Examples(run.train, strings, order_of(run.train, run.config.data).row_at)
    n_rows = run.config.training.batch_size * run.config.training.gradient_accumulation
    batch = collator(processor, None, "all")([examples(position) for position in range(n_rows)])
    model = AutoModelForImageTextToText.from_pretrained(run.base).eval()
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch).logits

    def loss(divisor: float) -> float:
        scaled = logits[:, :-1].flatten(0, 1) / divisor
        return float(cross_entropy(scaled, labels[:, 1:].flatten(), ignore_index=-100))

    assert run.log[0]["loss"] == pytest.approx(loss(scaling), rel=1e-5)
    assert run.log[0]["loss"] != pytest.approx(loss(8 / scaling), rel=1e-5)


def test_a_row_that_is_too_long_stops_the_run_before_the_model_is_loaded(
    prepared: Callable[..., tuple[VlmConfig, Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder, _ = prepared("llava_html", "llava", *NF4_OFF, "training.max_seq_length=400", "training.epochs=1",
                                 "training.max_steps=null")  # fmt: skip
    monkeypatch.setattr(setup, "load_for_training", lambda _: pytest.fail("loaded"))
    rows = rows_of(config, folder)
    with pytest.raises(TooLongError, match="rows have more than 400 tokens") as raised:
        setup.train(config, rows, None, folder / "run")
    assert any(rows[index].id in str(raised.value) for index in range(len(rows)))


def test_a_killed_run_goes_on_to_the_same_losses(
    prepared: Callable[..., tuple[VlmConfig, Path, Path]], llava_html: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ("training.max_steps=3", "training.batch_size=2", "training.learning_rate=1e-3", "training.save_steps=1")
    config, folder, _ = prepared("llava_html", "llava", *NF4_OFF, *short)
    real, n_batches = setup.collator, 0

    def dying(*settings: Any) -> Callable[[Any], Any]:
        collate = real(*settings)

        def made(examples: Any) -> Any:
            nonlocal n_batches
            n_batches += 1
            if n_batches > 4:
                raise KeyboardInterrupt
            return collate(examples)

        return made

    with monkeypatch.context() as patch:
        patch.setattr(setup, "collator", dying)
        with pytest.raises(KeyboardInterrupt):
            setup.train(config, rows_of(config, folder), None, folder / "run")
    trained = setup.train(config, rows_of(config, folder), None, folder / "run")
    assert trained.resumed_from is not None
    log = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in log] == [
        (line["step"], line["loss"]) for line in llava_html.log if "loss" in line
    ]


def test_on_a_gpu_the_base_is_loaded_in_bf16_and_merged_there(llava_html: Run, tmp_path: Path) -> None:
    shutil.copytree(llava_html.folder / "adapter", tmp_path / "adapter")
    training = llava_html.config.training.model_copy(update={"precision": "bf16"})
    merged = setup.merge(llava_html.config.model_copy(update={"training": training}), tmp_path)
    assert merged.dtype == "bfloat16"
    assert 0 < merged.max_logit_difference < 0.02  # of logits under 1, which bf16 rounds to 1/256
    assert '"dtype": "bfloat16"' in (tmp_path / "model" / "config.json").read_text()


def test_without_an_adapter_everything_is_trained(prepared: Callable[..., tuple[VlmConfig, Path, Path]]) -> None:
    whole = watched(prepared("llava_html", "llava", *NF4_OFF, "model.lora=null", "training.max_steps=1"))
    assert all(trainable == total for total, trainable in whole.trained.parameters.values())
    assert whole.merged.max_logit_difference == 0
    [text] = setup.open_model(whole.folder / "model", "cpu", 4).predict(
        [picture_of(whole.train[0])], whole.config.prompt.prompt(), "page_to_html"
    )
    assert text
