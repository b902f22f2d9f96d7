"""What distilvit's model is made of, and how fast its parts learn."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from training.strict import Strict

CLIP_TEXT_TOKENS: Final = 75
"""What a caption may take of CLIP's 77 positions beside its start and its end (Radford et al. 2021)."""

Rate = Annotated[float, Field(gt=0)]


class PrefixLora(Strict):
    """Low-rank adapters on linear layers of the language model, by the ends of their names.

    `alpha` over `r` scales an adapter. The names are Llama's attention, which distilvit takes; each must be found.
    """

    r: Annotated[int, Field(gt=0)] = 16
    alpha: Annotated[int, Field(gt=0)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] = ("q_proj", "k_proj", "v_proj", "o_proj")


class DistilvitModel(Strict):
    """A SigLIP tower, a projection and a causal language model, each by Hub id (and revision) or folder.

    All patches of the tower's last layer become the prefix. `unfreeze_vision_layers` is how many of its last layers
    learn. `projection` "mlp" has a hidden layer of `mlp_hidden_dim`. `base_model` is a model of this set-up that
    training goes on from; what it is made of is then its own.

    `projection_learning_rate` and `vision_learning_rate` are of those parts; the adapters learn at
    `training.learning_rate`. `max_caption_tokens` counts the end token, too: a longer caption is an error that names
    it. `clip_loss_weight` above 0 adds that much of the CLIP loss (`training.distilvit.clip_loss`) by `clip_model`.
    """

    vision: str = "google/siglip-base-patch16-224"
    vision_revision: str | None = None
    language: str = "HuggingFaceTB/SmolLM-135M"
    language_revision: str | None = None
    base_model: str | None = None
    base_model_revision: str | None = None
    projection: Literal["linear", "mlp"] = "linear"
    mlp_hidden_dim: Annotated[int, Field(gt=0)] = 2_048
    unfreeze_vision_layers: Annotated[int, Field(ge=0)] = 0
    lora: PrefixLora = PrefixLora()
    projection_learning_rate: Rate = 3e-4
    vision_learning_rate: Rate = 1e-5
    max_caption_tokens: Annotated[int, Field(gt=1)] = 30
    clip_loss_weight: Annotated[float, Field(ge=0)] = 0.0
    clip_model: str = "openai/clip-vit-base-patch32"
    clip_revision: str | None = None

    @model_validator(mode="after")
    def _captions_fit_clip(self) -> DistilvitModel:
        if self.clip_loss_weight and self.max_caption_tokens - 1 > CLIP_TEXT_TOKENS:
            raise ValueError(f"a CLIP loss takes captions of at most {CLIP_TEXT_TOKENS + 1} tokens")
        return self
