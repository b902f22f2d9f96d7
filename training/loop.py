"""What all trainers share: data by position, arguments, and a run that resumes exactly where it was killed.

A run is one pass over positions; `training.order` says which row each is, so that the trainer's place in the pass is
the whole state of the data. A checkpoint counts once `complete.json` stands in it, written last. A run that is started
again goes on from the last complete one: weights, optimiser, schedule, random numbers, early stopping; and
`log.jsonl` loses the lines beyond it, which are then written again, the same.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from rendering.errors import BadInputError
from training.checkpoints import (
    TRAINER_STATE,
    clear_incomplete,
    complete_record,
    cut_log,
    is_final,
    last_complete,
    point_to_best,
    read_json,
    seconds_in,
    step_of,
    write_json,
)
from training.config import RunConfig, TrainingConfig
from training.errors import SampleError

CHECKPOINTS: Final = "checkpoints"
LOG: Final = "log.jsonl"
TRAINED: Final = "trained.json"

KEPT_CHECKPOINTS: Final = 2
"""The newest and the one before, or the best: there is a complete one while another is being written."""

MAX_WORKERS: Final = 4
"""Processes that decode and tokenise while a GPU computes."""


@dataclass(frozen=True)
class Trained:
    """What a run did.

    `seconds` are those of this process alone, `total_seconds` those of all that worked on the run, killed ones up to
    their last log line. `peak_memory_bytes` is the GPU's most allocated (`peak_memory_of` "gpu") or the process's peak
    resident size ("process"), of this process. `parameters` are (all, trainable) by component; 4-bit weights count
    one by one. `train_loss` is the mean over all steps. `best_step` and `best_eval_loss` are None without evaluation.
    """

    n_steps: int
    n_samples: int
    seconds: float
    total_seconds: float
    peak_memory_bytes: int
    peak_memory_of: str
    parameters: Mapping[str, tuple[int, int]]
    train_loss: float | None
    best_step: int | None
    best_eval_loss: float | None
    stopped_early: bool
    resumed_from: int | None


def n_positions(training: TrainingConfig, n_train_rows: int) -> int:
    """How many rows the run visits, those that it visits again counted again."""
    if training.max_steps is not None:
        return training.max_steps * training.batch_size * training.gradient_accumulation
    assert training.epochs is not None
    return max(1, round(training.epochs * n_train_rows))


def n_steps(training: TrainingConfig, n_train_rows: int) -> int:
    """Optimiser steps of the run; the last may have fewer rows."""
    batches = math.ceil(n_positions(training, n_train_rows) / training.batch_size)
    return math.ceil(batches / training.gradient_accumulation)


def position_dataset(make: Callable[[int], dict[str, Any]], n_positions: int) -> Any:
    """A `datasets.Dataset` of so many positions, each of which becomes what `make` gives for it when it is read.

    Batches that a resumed run skips are never made. Holds 8 bytes a position.
    """
    from datasets import Dataset

    def made(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        rows = [make(position) for position in batch["position"]]
        return {name: [row[name] for row in rows] for name in rows[0]}

    return Dataset(pa.table({"position": np.arange(n_positions)})).with_transform(made)


def arguments(config: RunConfig, folder: Path, n_train_rows: int, *, has_validation: bool = True) -> dict[str, Any]:
    """Keyword arguments for `transformers.TrainingArguments` or `trl.SFTConfig`; what is not here is the set-up's.

    The train data set must have `n_positions` rows, and is visited once, in its order. Without validation rows nothing
    is evaluated.

    Raises `BadInputError` for a device that is not there, an optimiser that is not known, or a best checkpoint
    without evaluation.
    """
    training = config.training
    eval_steps = training.eval_steps if has_validation else None
    if (training.keep_best or training.patience) and eval_steps is None:
        mend = "Set training.eval_steps, and data.validation to a split that the release has"
        raise BadInputError("training.keep_best and patience need evaluations", mend)
    _check_optimizer(training.optimizer)
    cuda = _uses_cuda(training.device)
    steps = n_steps(training, n_train_rows)
    return {
        "output_dir": str((folder / CHECKPOINTS).absolute()),
        "max_steps": steps,
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.scheduler,
        "warmup_steps": training.warmup_steps,
        "optim": training.optimizer,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        # the name that transformers 5 gives to gradient checkpointing
        "activation_checkpointing": training.gradient_checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False} if training.gradient_checkpointing else None,
        "bf16": _is_bf16(training.precision, cuda=cuda),
        "fp16": False,
        "use_cpu": training.device == "cpu",
        "eval_strategy": "no" if eval_steps is None else "steps",
        "eval_steps": eval_steps,
        "save_strategy": "steps",
        # the best step has a checkpoint only if each evaluation has one
        "save_steps": eval_steps if training.keep_best else training.save_steps,
        "save_total_limit": KEPT_CHECKPOINTS,
        "load_best_model_at_end": training.keep_best,
        "metric_for_best_model": None if eval_steps is None else "eval_loss",
        "greater_is_better": None if eval_steps is None else False,
        "restore_callback_states_from_checkpoint": True,
        # Every step, so that what lies between two log lines is in a checkpoint; `log.jsonl` has means of `log_steps`.
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "prediction_loss_only": True,
        "label_names": ["labels"],
        "remove_unused_columns": False,
        "dataloader_num_workers": _n_workers() if cuda else 0,
        "dataloader_pin_memory": cuda,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": training.seed,
        "data_seed": config.data.seed,
    }


def run(trainer: Any, folder: Path, components: Callable[[str], str], training: TrainingConfig) -> Trained:
    """Train to the end, from the last complete checkpoint in `folder` where there is one.

    `trainer` is a transformers `Trainer` made with `arguments`; `components` gives a parameter's component by its name.
    Where the run had come to its end already, its weights are loaded and nothing is trained. With `keep_best` the
    weights of the best checkpoint are in the model in the end, else the last.

    What is drawn before (an adapter's weights) must be the same in each process: call `transformers.set_seed` first.

    Raises `TrainingError` where the loss is no number, `SampleError` for a row that cannot be trained on.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback
    from transformers.trainer_callback import TrainerState

    from training.run_log import RunLog, peak_memory

    _check_processes(trainer.args)
    checkpoints = folder / CHECKPOINTS
    before = max(seconds_in(folder / LOG), float(read_json(folder / TRAINED).get("total_seconds", 0.0)))
    start = last_complete(checkpoints)
    clear_incomplete(checkpoints)
    cut_log(folder / LOG, step_of(start) if start else 0)
    log = RunLog(folder / LOG, components, training.log_steps, before, complete_record(start) if start else {})
    trainer.remove_callback(PrinterCallback)
    if training.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(training.patience))
    trainer.add_callback(log)
    if start is not None:
        point_to_best(start)
    if start is not None and is_final(start):
        state = TrainerState.load_from_json(str(start / TRAINER_STATE))
        best = Path(state.best_model_checkpoint) if training.keep_best and state.best_model_checkpoint else start
        trainer._load_from_checkpoint(str(best))  # noqa: SLF001 - what resuming does, without a step after it
    else:
        try:
            trainer.train(resume_from_checkpoint=str(start) if start else None)
        except SampleError as error:
            raise _as_raised(error) from error
        finally:
            trainer.remove_callback(log)
        state = trainer.state
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    n_samples = min(
        state.global_step * trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps,
        len(trainer.train_dataset),
    )
    trained = Trained(
        n_steps=state.global_step,
        n_samples=n_samples,
        seconds=log.seconds,
        total_seconds=before + log.seconds,
        peak_memory_bytes=log.peak_memory_bytes,
        peak_memory_of=peak_memory()[1],
        parameters=parameters_of(trainer.model, components),
        train_loss=sum(losses) / len(losses) if losses else None,
        best_step=state.best_global_step,
        best_eval_loss=state.best_metric,
        stopped_early=state.global_step < trainer.args.max_steps,
        resumed_from=step_of(start) if start else None,
    )
    write_json(folder / TRAINED, asdict(trained))
    return trained


def trained_in(folder: Path) -> Trained | None:
    """What a run did that has come to its end; None where it has not."""
    told = read_json(folder / TRAINED)
    if not told:
        return None
    parameters = {name: (total, trainable) for name, (total, trainable) in told["parameters"].items()}
    return Trained(**{**told, "parameters": parameters})


def parameters_of(model: Any, components: Callable[[str], str]) -> dict[str, tuple[int, int]]:
    """Numbers of parameters by component: all, and those that are trained. 4-bit weights count one by one."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        component = components(name)
        total, trainable = counts.get(component, (0, 0))
        n = _n_weights(parameter)
        counts[component] = (total + n, trainable + (n if parameter.requires_grad else 0))
    return dict(sorted(counts.items()))


def _n_weights(parameter: Any) -> int:
    if type(parameter).__name__ == "Params4bit" and parameter.quant_state is not None:
        return math.prod(parameter.quant_state.shape)
    return int(parameter.numel())


def _as_raised(error: SampleError) -> SampleError:
    """A DataLoader's worker hands on an error as its traceback, whose last line is what was said."""
    last = error.problem.strip().splitlines()[-1]
    if "Traceback" not in error.problem:
        return error
    return type(error)(last.partition(": ")[2])


def _check_optimizer(name: str) -> None:
    from transformers.training_args import OptimizerNames

    known = [one.value for one in OptimizerNames]
    if name not in known:
        raise BadInputError(f"there is no optimizer {name!r}", f"Some are: {', '.join(known[:4])}, paged_adamw_8bit")


def _uses_cuda(device: str) -> bool:
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise BadInputError(f"there is no device {device!r}", "Use auto, cpu or cuda; CUDA_VISIBLE_DEVICES says which")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInputError("there is no GPU here", "Set training.device to auto or cpu")
    return device != "cpu" and torch.cuda.is_available()


def _is_bf16(precision: str, *, cuda: bool) -> bool:
    import torch

    if precision == "auto":
        return cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"


def _n_workers() -> int:
    return max(0, min(MAX_WORKERS, len(os.sched_getaffinity(0)) - 1))


def _check_processes(args: Any) -> None:
    if args.n_gpu > 1 or args.world_size > 1:
        raise BadInputError("a run takes one GPU, and there are several", "Set CUDA_VISIBLE_DEVICES=0")
