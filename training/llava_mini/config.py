"""What llava_mini's model is made of, and which stage trains it."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from training.strict import Strict
from training.vlm.config import LoraConfig


class LlavaMiniModel(Strict):
    """A CLIP vision tower, a projector and a causal language model; each by Hub id (and revision) or folder.

    `vision_layer` counts CLIP's hidden states (-2: the output of the last block but one), of which the patches are
    taken, without the class token. `stage` "projector" trains the projector alone; "chat" starts from the run folder
    `start_from` of the first stage and trains projector and LoRA. `quantization` "nf4" holds the language model in 4
    bit while it trains; projector and vision tower are never quantised.
    """

    vision: str
    vision_revision: str | None = None
    language: str
    language_revision: str | None = None
    projector: Literal["linear", "mlp"] = "linear"
    vision_layer: int = -2
    stage: Literal["projector", "chat"]
    start_from: str = ""
    lora: LoraConfig | None = None
    quantization: Literal["none", "nf4"] = "none"
    double_quantization: bool = True

    @model_validator(mode="after")
    def _stage_has_its_parts(self) -> LlavaMiniModel:
        if self.stage == "projector" and (self.lora is not None or self.start_from):
            raise ValueError("stage projector trains the projector alone: leave lora and start_from out")
        if self.stage == "chat":
            if self.lora is None or not self.start_from:
                raise ValueError("stage chat needs lora, and in start_from the run folder of stage projector")
            if self.lora.layers_to_tune != ("language",):
                raise ValueError("LoRA goes on the language model alone: layers_to_tune is [language]")
        return self
