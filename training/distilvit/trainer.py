"""transformers' Trainer with a rate of learning for each part, and a CLIP loss beside cross-entropy.

Imports transformers: import it in functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer

from training.distilvit.clip_loss import ClipLoss
from training.distilvit.modeling import IGNORED

CLIP_PIXELS = "clip_pixel_values"


class CaptionTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose loss is cross-entropy + `clip_weight` · CLIP loss.

    `rates` are learning rates by component, `components` gives a parameter's. A component of which nothing learns has
    no group. `special_ids` are tokens that are no part of a caption: its end.
    """

    optimizer: Any

    def __init__(
        self,
        *args: Any,
        rates: Mapping[str, float],
        components: Callable[[str], str],
        clip: ClipLoss | None,
        clip_weight: float,
        special_ids: tuple[int, ...],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._rates, self._components = rates, components
        self._clip, self._clip_weight = clip, clip_weight
        self._special_ids = torch.tensor(special_ids, device=self.args.device)
        self._clip_losses: dict[bool, list[Tensor]] = {True: [], False: []}
        if clip is not None:
            clip.to(self.args.device)

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """The config's optimiser with a group for each component; the schedule scales all rates alike."""
        if self.optimizer is None:
            model = self.model if model is None else model
            groups: dict[str, list[nn.Parameter]] = {}
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    groups.setdefault(self._components(name), []).append(parameter)
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
            decay = self.args.weight_decay
            self.optimizer = kind(
                [
                    {"params": groups[name], "lr": rate, "weight_decay": decay, "component": name}
                    for name, rate in self._rates.items()
                    if name in groups
                ],
                **settings,
            )
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Both losses. Cross-entropy is a mean over the tokens of all accumulated batches, CLIP's over the batches."""
        clip_pixel_values = inputs.pop(CLIP_PIXELS, None)
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch)
        if self._clip is not None:
            labels = inputs["labels"]
            is_caption = (labels != IGNORED) & ~torch.isin(labels, self._special_ids)
            clip_loss = self._clip(outputs.logits, is_caption, clip_pixel_values)
            self._clip_losses[model.training].append(clip_loss.detach())
            # In training with `num_items_in_batch` the Trainer does not divide by the batches that it accumulates.
            is_scaled = model.training and num_items_in_batch is not None
            n_batches = self.current_gradient_accumulation_steps if is_scaled else 1
            loss = loss + self._clip_weight * clip_loss / n_batches
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """With the mean CLIP loss since the last time, of training or of evaluation."""
        prefix = "eval_" if "eval_loss" in logs else ""
        losses = self._clip_losses[not prefix]
        if losses and ("loss" in logs or prefix):
            logs[f"{prefix}clip_loss"] = float(torch.stack(losses).mean())
            losses.clear()
        super().log(logs, *args, **kwargs)
