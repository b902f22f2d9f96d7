"""transformers' Trainer, whose checkpoints hold what is trained: a projector and an adapter, not a frozen gigabyte.

Imported inside functions only, because its class derives from transformers'.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import Trainer
from transformers.utils import SAFE_WEIGHTS_NAME

from curation.errors import ModelError


class PartTrainer(Trainer):  # type: ignore[misc]
    """Saves and loads the parameters that have gradients; the others come from where they came from at first."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:  # noqa: ARG002 - transformers' signature
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: value.detach().contiguous() for name, value in self._trained().items()}
        save_file(trained, folder / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """What is missing is frozen; anything else is another model's checkpoint."""
        odd = sorted(set(load_result.unexpected_keys) | (set(load_result.missing_keys) & set(self._trained())))
        if odd:
            raise ModelError(f"The checkpoint does not fit the model ({odd[0]})", "Train into another folder")

    def _trained(self) -> dict[str, Any]:
        return {name: value for name, value in self.model.named_parameters() if value.requires_grad}
