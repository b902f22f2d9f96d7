"""distilvit end to end: train, merge, predict; what learns and what does not; early stopping."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from curation.conversation import Prompt
from curation.errors import BadInputError, ModelError
from rendering.pixels import decode_rgb
from tests.training import tiny_distilvit as tiny
from training.distilvit import setup
from training.rows import Rows

# peft 0.21 asks transformers 5.23 by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed in v6:FutureWarning")

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.release(tmp_path_factory.mktemp("painted"), tiny.painted_rows(20), 4)


def test_real_captions_are_trained_on_merged_and_predicted(models: Path, tmp_path: Path) -> None:
    rows = tiny.coco_rows(12)
    release = tiny.release(tmp_path / "release", rows, 4)
    run = tiny.config(
        models, model={"clip_loss_weight": 0.1, "unfreeze_vision_layers": 1, "max_caption_tokens": 76}, max_steps=4,
        eval_steps=2, gradient_accumulation=2, scheduler="cosine", warmup_steps=2, gradient_checkpointing=True,
    )  # fmt: skip
    train, validation = tiny.opened(release, run), tiny.opened(release, run, "validation")

    trained = setup.train(run, train, validation, tmp_path / "run")
    assert trained.n_steps == 4
    assert {name: trainable > 0 for name, (_, trainable) in trained.parameters.items()} == {
        "language": True, "projector": True, "vision": True,
    }  # fmt: skip
    lines = tiny.log(tmp_path / "run")
    assert all(line["clip_loss"] > 0 for line in lines if "loss" in line)
    assert [line["step"] for line in lines if "eval_loss" in line] == [2, 4]
    assert all("eval_clip_loss" in line for line in lines if "eval_loss" in line)

    merged = setup.merge(run, tmp_path / "run")
    assert merged.dtype == "float32"
    assert merged.max_logit_difference < 1e-5

    model = setup.open_model(tmp_path / "run" / "model", "cpu", 6)
    pictures = [decode_rgb(image) for _, image in rows[-4:]]
    together = list(model.predict(pictures, run.prompt.prompt(), "image_to_caption"))
    assert len(together) == 4
    alone = [next(model.predict([picture], run.prompt.prompt(), "image_to_caption")) for picture in pictures]
    assert together == alone


def test_what_is_trained_is_what_the_config_names(models: Path, painted: Path, tmp_path: Path) -> None:
    run = tiny.config(models, model={"unfreeze_vision_layers": 2, "projection": "mlp", "mlp_hidden_dim": 24})
    parts = setup.load_base(run.model)
    before = {name: value.clone() for name, value in parts.model.state_dict().items()}
    setup.train(run, tiny.opened(painted, run), None, tmp_path)

    saved = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    places = {name.removeprefix("base_model.model.").split(".lora_")[0] for name in saved}
    attention = [f"language_model.model.layers.{i}.self_attn.{p}_proj" for i in (0, 1) for p in "qkvo"]
    layers = {name for name in before if name.startswith(("vision.encoder.layers.1.", "vision.encoder.layers.2."))}
    assert places == {*attention, *layers, *(name for name in before if name.startswith("projection."))}

    setup.merge(run, tmp_path)
    after = setup.open_model(tmp_path / "model", "cpu", 4).model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen_but_trained = {name for name in layers if name.endswith("k_proj.bias")}  # softmax does not see it move
    learnt = {f"{name}.weight" for name in attention} | layers | {n for n in before if n.startswith("projection.")}
    assert moved <= learnt
    assert learnt - moved <= frozen_but_trained


def test_each_part_learns_at_its_own_rate(models: Path, painted: Path, tmp_path: Path) -> None:
    from transformers import TrainingArguments

    from training.distilvit.trainer import CaptionTrainer

    run = tiny.config(models, model={"unfreeze_vision_layers": 1}, learning_rate=1e-4, weight_decay=0.01)
    adapted = setup.with_adapters(setup.load_base(run.model).model, run.model)
    trainer = CaptionTrainer(
        model=adapted, args=TrainingArguments(str(tmp_path), weight_decay=0.01, use_cpu=True, report_to="none"),
        rates=setup.learning_rates(run), components=setup.component_of, clip=None, clip_weight=0.0, special_ids=(),
    )  # fmt: skip
    groups = trainer.create_optimizer().param_groups
    assert {group["component"]: group["lr"] for group in groups} == {
        "language": 1e-4, "projector": 3e-4, "vision": 1e-5,
    }  # fmt: skip
    assert {group["weight_decay"] for group in groups} == {0.01}
    names = {id(parameter): name for name, parameter in adapted.named_parameters()}
    grouped = {names[id(p)]: group["component"] for group in groups for p in group["params"]}
    assert grouped == {name: setup.component_of(name) for name, p in adapted.named_parameters() if p.requires_grad}
    assert {component for name, component in grouped.items() if ".lora_" in name} == {"language"}


def test_training_learns_what_the_picture_says(models: Path, painted: Path, tmp_path: Path) -> None:
    run = tiny.config(
        models, model={
            "unfreeze_vision_layers": 1, "projection_learning_rate": 3e-3, "vision_learning_rate": 1e-3,
            "lora": {"r": 16, "alpha": 32, "dropout": 0.0, "target_modules": LINEAR},
        }, batch_size=8, max_steps=60, learning_rate=1e-2, scheduler="cosine", warmup_steps=5, save_steps=1000,
    )  # fmt: skip
    setup.train(run, tiny.opened(painted, run), None, tmp_path)
    setup.merge(run, tmp_path)
    rows = tiny.painted_rows(20)[-4:]
    pictures = [decode_rgb(image) for _, image in rows]
    model = setup.open_model(tmp_path / "model", "cpu", 12)
    assert list(model.predict(pictures, run.prompt.prompt(), "image_to_caption")) == [text for text, _ in rows]


class _KilledError(Exception):
    """The process ends here."""


class _DiesAt:
    """Rows whose reading ends the process after so many."""

    def __init__(self, rows: Rows, n: int) -> None:
        self._rows, self._left = rows, n

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _KilledError
        return self._rows[index]


def test_a_killed_run_goes_on_as_if_it_had_not_been(models: Path, painted: Path, tmp_path: Path) -> None:
    run = tiny.config(
        models, model={
            "unfreeze_vision_layers": 1, "clip_loss_weight": 0.1, "lora": {"r": 4, "alpha": 4, "dropout": 0.3},
        }, max_steps=6, save_steps=2, scheduler="cosine", warmup_steps=2,
    )  # fmt: skip
    rows = tiny.opened(painted, run)
    setup.train(run, rows, None, tmp_path / "whole")
    with pytest.raises(_KilledError):
        setup.train(run, cast("Rows", _DiesAt(rows, 10)), None, tmp_path / "killed")
    assert len(tiny.log(tmp_path / "killed")) == 4
    trained = setup.train(run, rows, None, tmp_path / "killed")
    assert trained.resumed_from == 4

    def curve(folder: Path) -> list[dict[str, Any]]:
        machine = ("seconds", "tokens_per_s")
        return [{name: value for name, value in line.items() if name not in machine} for line in tiny.log(folder)]

    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    whole, killed = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in ("whole", "killed")
    )
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_early_stopping_stops(models: Path, painted: Path, tmp_path: Path) -> None:
    run = tiny.config(
        models, model={"projection_learning_rate": 10.0}, learning_rate=10.0, max_steps=40, eval_steps=1, patience=3,
        keep_best=True,
    )  # fmt: skip
    trained = setup.train(run, tiny.opened(painted, run), tiny.opened(painted, run, "validation"), tmp_path)
    assert trained.stopped_early
    assert trained.n_steps == trained.best_step + 3
    losses = [line["eval_loss"] for line in tiny.log(tmp_path) if "eval_loss" in line]
    assert min(losses) == pytest.approx(trained.best_eval_loss)
    assert len(losses) < 40

    setup.merge(run, tmp_path)
    model = setup.open_model(tmp_path / "model", "cpu", 60)
    features = setup._features(run, model._encoder, tiny.opened(painted, run, "validation"), setup._same)
    batch = setup.Collator(0)([features(position) for position in range(4)])
    with torch.no_grad():  # captions are of one length, so that the mean of batches is that of all
        assert model.model(**batch).loss.item() == pytest.approx(trained.best_eval_loss, rel=1e-4)


def test_training_goes_on_from_a_trained_model(models: Path, painted: Path, tmp_path: Path) -> None:
    first = tiny.config(models, max_steps=2)
    setup.train(first, tiny.opened(painted, first), None, tmp_path / "first")
    setup.merge(first, tmp_path / "first")
    again = tiny.config(models, model={"base_model": str(tmp_path / "first" / "model")})
    base = setup.load_base(again.model).model.state_dict()
    model = setup.open_model(tmp_path / "first" / "model", "cpu", 4)
    merged = model.model.state_dict()
    assert all(torch.equal(base[name], merged[name]) for name in base)
    asked = model.predict([Image.new("RGB", (32, 32), "red")], Prompt(user="Describe this image."), "image_to_caption")
    assert len(list(asked)) == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"unfreeze_vision_layers": 4}, "3 layers"),
        ({"lora": {"target_modules": ["q_proj", "c_attn"]}}, "c_attn"),
        ({"vision": "/nowhere"}, "cannot be loaded"),
        ({"clip_loss_weight": 1.0, "clip_model": "/nowhere"}, "CLIP model"),
    ],
)
def test_what_the_model_does_not_have_is_refused(
    models: Path, painted: Path, tmp_path: Path, model: dict[str, Any], said: str
) -> None:
    run = tiny.config(models, model=model)
    with pytest.raises(ModelError, match=said):
        setup.train(run, tiny.opened(painted, run), None, tmp_path)


def test_a_caption_over_the_limit_is_named(models: Path, painted: Path, tmp_path: Path) -> None:
    run = tiny.config(models, model={"max_caption_tokens": 3})
    with pytest.raises(BadInputError, match=r"8 of 8 captions have more than 3 tokens: train-\d+ \(4 tokens\)"):
        setup.train(run, tiny.opened(painted, run), None, tmp_path)
