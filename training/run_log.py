"""The callback that writes `log.jsonl` and marks checkpoints complete; imported inside functions only.

A line of training has means over the steps since the last one (`loss` and what else the trainer logs), the learning
rate and gradient norms of its step, before clipping, by component, tokens a second, and the seconds so far. A line of
evaluation has `eval_loss`.
"""

from __future__ import annotations

import json
import logging
import math
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from transformers import TrainerCallback

from training.checkpoints import mark_complete
from training.errors import TrainingError

logger = logging.getLogger(__name__)
"""Is told each line, short: for who waits at a terminal."""

_OF_THE_STEP: Final = ("learning_rate", "grad_norm")
_NOT_LOGGED: Final = ("step", "epoch", "total_flos", "num_tokens", "num_input_tokens_seen")
_NOT_LOGGED_ENDS: Final = ("_runtime", "_per_second")


class RunLog(TrainerCallback):  # type: ignore[misc]
    """See the module.

    `before` are seconds that earlier processes worked; `record` is that of the checkpoint which is resumed from.
    """

    def __init__(
        self,
        log: Path,
        components: Callable[[str], str],
        log_steps: int,
        before: float,
        record: Mapping[str, Any],
    ) -> None:
        self._log, self._components, self._log_steps, self._before = log, components, log_steps, before
        self._peak_before = int(record.get("peak_memory_bytes", 0))
        self._began = time.monotonic()
        self._step_from = self._began
        self._trained_s = 0.0  # since the last line, without evaluation and saving
        self._tokens_from = 0
        self._first_step = 0
        self._norms: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """Since this was made."""
        return time.monotonic() - self._began

    @property
    def peak_memory_bytes(self) -> int:
        """The most of this process and those before."""
        return max(self._peak_before, peak_memory()[0])

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start the clocks."""
        self._step_from = time.monotonic()
        self._tokens_from, self._first_step = state.num_input_tokens_seen, state.global_step

    def on_pre_optimizer_step(self, _args: Any, state: Any, _control: Any, model: Any = None, **_: Any) -> None:
        """Gradient norms by component, where this step gets a line."""
        if self._has_line(state.global_step + 1, state):
            self._norms = gradient_norms(model, self._components)

    def on_step_end(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Count the time of the step, with that of its data."""
        now = time.monotonic()
        self._trained_s += now - self._step_from
        self._step_from = now

    def on_evaluate(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Evaluation is not training time."""
        self._step_from = time.monotonic()

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Write a line. Raises `TrainingError` where a loss is no number."""
        logs = logs or {}
        if "eval_loss" in logs:
            if not math.isfinite(logs["eval_loss"]):
                problem = f"the evaluation loss of step {state.global_step} is {logs['eval_loss']}"
                raise TrainingError(problem, "Look whether each batch of validation rows has something to learn")
            self._write({"step": state.global_step, **_numbers(logs), "seconds": self._seconds()}, state.max_steps)
        elif "loss" in logs:
            if not math.isfinite(logs["loss"]):
                problem = f"the loss of step {state.global_step} is {logs['loss']}"
                raise TrainingError(problem, "Lower training.learning_rate, or train with precision fp32")
            if self._has_line(state.global_step, state):
                self._write(self._training_line(state, logs), state.max_steps)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Mark the checkpoint."""
        record = {"step": state.global_step, "peak_memory_bytes": self.peak_memory_bytes}
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", record)
        self._step_from = time.monotonic()

    def _has_line(self, step: int, state: Any) -> bool:
        return step % self._log_steps == 0 or step == state.max_steps

    def _training_line(self, state: Any, logs: Mapping[str, Any]) -> dict[str, Any]:
        since = (state.global_step - 1) // self._log_steps * self._log_steps
        steps: list[dict[str, Any]] = []
        for entry in reversed(state.log_history):
            if entry["step"] <= since:
                break
            if "loss" in entry:
                steps.append(_numbers(entry))
        means = {
            name: math.fsum(step[name] for step in steps) / len(steps)
            for name in steps[0]
            if all(name in step for step in steps)
        }
        line = means | {name: logs[name] for name in _OF_THE_STEP if name in logs}
        n_tokens = state.num_input_tokens_seen - self._tokens_from
        line |= _scaled(self._norms, logs.get("grad_norm"))
        speed = n_tokens / self._trained_s if n_tokens and self._trained_s else None
        self._tokens_from, self._trained_s = state.num_input_tokens_seen, 0.0
        return {"step": state.global_step, **line, "tokens_per_s": speed, "seconds": self._seconds()}

    def _seconds(self) -> float:
        return round(self._before + self.seconds, 3)

    def _write(self, line: Mapping[str, Any], n_steps: int) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        name = "eval_loss" if "eval_loss" in line else "loss"
        left_s = (line["seconds"] - self._before) / max(1, line["step"] - self._first_step) * (n_steps - line["step"])
        told = f"{name.replace('_', ' ')} {line[name]:.4f}"
        logger.info("step %d of %d: %s, %.0f s, %.0f s left", line["step"], n_steps, told, line["seconds"], left_s)


def peak_memory() -> tuple[int, str]:
    """Bytes, and of what: the most that was allocated on the GPU ("gpu"), or the process's peak size ("process")."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return torch.cuda.max_memory_allocated(), "gpu"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "process"


def gradient_norms(model: Any, components: Callable[[str], str]) -> dict[str, Any]:
    """The Euclidean norm of the gradients of each component that is trained, as tensors of no dimension."""
    norms: dict[str, list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            of_component = norms.setdefault(components(name), [])
            if parameter.grad is not None:
                of_component.append(torch.linalg.vector_norm(parameter.grad.detach().float()))
    return {
        component: torch.linalg.vector_norm(torch.stack(parts)) if parts else torch.zeros(())
        for component, parts in sorted(norms.items())
    }


def _scaled(norms: Mapping[str, Any], whole: float | None) -> dict[str, float]:
    """Norms before clipping from those after it: clipping scales all gradients by one number, and `whole` is before."""
    after = {component: float(norm) for component, norm in norms.items()}
    clipped = math.hypot(*after.values())
    factor = whole / clipped if whole and clipped else 1.0
    return {f"grad_norm_{component}": norm * factor for component, norm in after.items()}


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """What of a trainer's logs is a number that depends on the run alone and not on the machine's speed."""
    return {
        name: float(value)
        for name, value in logs.items()
        if isinstance(value, (int, float))
        and math.isfinite(value)
        and name not in _NOT_LOGGED
        and not name.endswith(_NOT_LOGGED_ENDS)
    }
