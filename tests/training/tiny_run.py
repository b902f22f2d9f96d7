"""A run of a tiny model through the loop, which can kill its process at a chosen moment."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from training.config import RunConfig, checked
from training.loop import Trained, arguments, n_positions, position_dataset, run
from training.order import Order
from training.rows import open_rows

CODES = 64
LENGTH = 8


class TinyModel(nn.Module):
    """Two components and dropout: a picture's mean colour and characters, next characters to guess."""

    main_input_name = "input_ids"

    def __init__(self) -> None:
        super().__init__()
        self.vision = nn.Linear(3, 16)
        self.language = nn.Embedding(CODES, 16)
        self.frozen = nn.Linear(16, 16)
        self.frozen.requires_grad_(False)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(16, CODES)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, colors: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        hidden = self.language(input_ids) + self.vision(colors)[:, None]
        logits = self.head(self.dropout(torch.tanh(self.frozen(hidden))))
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        return {"loss": loss}


def component(name: str) -> str:
    return "vision" if "vision" in name else "frozen" if "frozen" in name else "language"


def config(release: Path, folder: Path, **training: Any) -> RunConfig:
    settings = {
        "batch_size": 2, "gradient_accumulation": 2, "learning_rate": 1e-2, "scheduler": "cosine", "warmup_steps": 2,
        "epochs": 1.5, "save_steps": 3, "device": "cpu", "eval_steps": 3, **training,
    }  # fmt: skip
    plain = {
        "setup": "latex_ocr",
        "data": {"release": str(release), "task": "formula_to_latex"},
        "training": {key: value for key, value in settings.items() if value is not None},
        "output": str(folder),
        "model": {"name": "tiny"},
    }
    return checked(plain)


def features(row: Any) -> dict[str, torch.Tensor]:
    codes = [ord(char) % CODES for char in row.text[:LENGTH]]
    padded = torch.tensor(codes + [0] * (LENGTH - len(codes)))
    mask = torch.tensor([1] * len(codes) + [0] * (LENGTH - len(codes)))
    color = torch.tensor([len(row.image) % 7, len(row.id) % 5, 1.0])
    return {"input_ids": padded, "attention_mask": mask, "colors": color, "labels": padded.where(mask > 0, -100)}


def tiny_trainer(
    release: Path, folder: Path, *, weights: Any = None, given: dict[str, Any] | None = None, **training: Any
) -> tuple[Trainer, RunConfig]:
    torch.set_num_threads(1)
    settings = config(release, folder, **training)
    set_seed(settings.training.seed)
    model = TinyModel()
    rows = open_rows(release, settings.data, "train", None)
    validation = open_rows(release, settings.data, "validation", None)
    order = Order(rows.group_sizes, settings.data.seed, weights, rows.window_groups)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**arguments(settings, folder, len(rows)) | (given or {})),
        train_dataset=position_dataset(
            lambda position: features(rows[order.row_at(position)]), n_positions(settings.training, len(rows))
        ),
        eval_dataset=position_dataset(lambda index: features(validation[index]), len(validation)),
    )
    return trainer, settings


def tiny_run(release: Path, folder: Path, **settings: Any) -> tuple[Trained, Trainer]:
    folder.mkdir(parents=True, exist_ok=True)
    trainer, chosen = tiny_trainer(release, folder, **settings)
    return run(trainer, folder, component, chosen.training), trainer


class KillBefore(TrainerCallback):
    """Kills the process before a step is taken."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def main(release: str, folder: str, when: str) -> None:
    """Run until it is killed: `save-6` in the middle of writing the checkpoint of step 6, `step-5` before step 5."""
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    trainer, chosen = tiny_trainer(Path(release), where)
    what, _, step = when.partition("-")
    if what == "step":
        trainer.add_callback(KillBefore(int(step)))
    else:
        saved = trainer._save_rng_state

        def killed(output_dir: str) -> None:
            if output_dir.endswith(f"-{step}"):
                os.kill(os.getpid(), signal.SIGKILL)
            saved(output_dir)

        trainer._save_rng_state = killed
    run(trainer, where, component, chosen.training)
