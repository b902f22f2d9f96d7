"""The model: a picture's patches, projected, are the prefix of what a causal language model reads and writes.

    picture -> SigLIP -> (batch, patches, vision width) -> projection -> (batch, patches, text width) -+
    text    -> the language model's own embeddings -> (batch, tokens, text width) --------------------+-> language model

Known before as ClipCap's prefix (Mokady et al. 2021), LiMBeR's linear projection (Merullo et al. 2023) and distilvit.
It has no adapters of its own: peft puts them in (`training.distilvit.setup`). Imports torch: import it in functions.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.configuration_utils import SubConfigSpec
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import logging

IGNORED = -100
"""The label that cross-entropy leaves out."""

_PROJECTION_DROPOUT = 0.1
"""Inside the two-layer projection, as in distilvit's prefix_model.py."""


class PrefixCaptionerConfig(PreTrainedConfig):  # type: ignore[misc]
    """The configs of both models, and the projection between them: "linear" or "mlp"."""

    model_type = "prefix_captioner"
    sub_configs_defaults: ClassVar[dict[str, Any]] = {
        "vision_config": SiglipVisionConfig,
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    vision_config: Any = None
    text_config: Any = None
    projection: str = "linear"
    mlp_hidden_dim: int = 2_048


class PrefixCaptioner(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """SigLIP, a projection, a causal language model. `vision` and `language_model` are given where they are loaded."""

    config_class = PrefixCaptionerConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules: ClassVar[list[str]] = []
    vision: Any
    projection: Any
    language_model: Any

    def __init__(
        self, config: PrefixCaptionerConfig, vision: nn.Module | None = None, language_model: nn.Module | None = None
    ) -> None:
        super().__init__(config)
        self.vision = SiglipVisionModel(config.vision_config) if vision is None else vision
        if language_model is None:
            language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.projection = _projection(config)
        self.language_model = language_model
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """The language model's."""
        return self.language_model.get_input_embeddings()

    @property
    def n_patches(self) -> int:
        """Tokens of a picture: the tower's patches."""
        return int(self.vision.embeddings.num_patches)

    def prefix(self, pixel_values: Tensor) -> Tensor:
        """Pictures, (batch, 3, side, side), as embeddings of the language model, (batch, patches, width)."""
        patches = self.vision(pixel_values=pixel_values.to(self.vision.dtype)).last_hidden_state
        projected: Tensor = self.projection(patches.to(next(self.projection.parameters()).dtype))
        return projected

    def forward(
        self,
        pixel_values: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,  # noqa: ARG002 - by which the Trainer knows that `num_items_in_batch` is taken
    ) -> CausalLMOutputWithPast:
        """Logits of each text token, (batch, tokens, vocabulary), and the loss where there are labels.

        `input_ids`, `attention_mask` and `labels` are (batch, tokens), padded on the right; a label of -100 is no
        target. `logits[:, t]` is for token t: what comes before it is the prefix and the tokens up to t - 1. The loss
        is the mean over targets, or their sum over `num_items_in_batch`.
        """
        embeddings, mask = self._joined(pixel_values, input_ids, attention_mask)
        n_tokens = input_ids.shape[1]
        # The vocabulary's logits are the largest tensor by far: none for patches, but the last, which the first
        # token is read from.
        outputs = self.language_model(
            inputs_embeds=embeddings, attention_mask=mask, logits_to_keep=n_tokens + 1, use_cache=False
        )
        logits = outputs.logits[:, -(n_tokens + 1) : -1]
        loss = None
        if labels is not None:
            total = nn.functional.cross_entropy(
                logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
            )
            loss = total / ((labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)
        return CausalLMOutputWithPast(loss=loss, logits=logits)

    @torch.no_grad()
    def generate(
        self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Tokens that the language model writes after prefix and text, (batch, tokens): those alone.

        Texts are padded on the left. What is not said by `kwargs` is as `generation_config` has it.
        """
        embeddings, mask = self._joined(pixel_values, input_ids, attention_mask)
        settings = copy.deepcopy(self.generation_config)
        others = settings.update(**kwargs)
        written: Tensor = self.language_model.generate(
            inputs_embeds=embeddings, attention_mask=mask, generation_config=settings, **others
        )
        return written

    def _joined(self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        prefix = self.prefix(pixel_values)
        text = self.get_input_embeddings()(input_ids)
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        mask = torch.cat([attention_mask.new_ones(prefix.shape[:2]), attention_mask], dim=1)
        return torch.cat([prefix.to(text.dtype), text], dim=1), mask


def _projection(config: PrefixCaptionerConfig) -> nn.Module:
    vision_dim, text_dim = config.vision_config.hidden_size, config.text_config.hidden_size
    if config.projection == "linear":
        return nn.Linear(vision_dim, text_dim)
    return nn.Sequential(
        nn.Linear(vision_dim, config.mlp_hidden_dim),
        nn.GELU(),
        nn.Dropout(_PROJECTION_DROPOUT),
        nn.Linear(config.mlp_hidden_dim, text_dim),
    )


AutoConfig.register(PrefixCaptionerConfig.model_type, PrefixCaptionerConfig, exist_ok=True)  # for tokenizers beside it


def from_parts(
    vision: str,
    language: str,
    *,
    vision_revision: str | None = None,
    language_revision: str | None = None,
    projection: str = "linear",
    mlp_hidden_dim: int = 2_048,
    dtype: torch.dtype = torch.float32,
) -> PrefixCaptioner:
    """A model of a pretrained tower and a pretrained language model, with a projection that knows nothing yet.

    The tower's pooling head stays away: the prefix is made of its patches.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # a whole SigLIP has a text tower, too: a table of what is not read is no news
    try:
        tower = SiglipVisionModel.from_pretrained(vision, revision=vision_revision, vision_use_head=False, dtype=dtype)
    finally:
        logging.set_verbosity(verbosity)
    language_model = AutoModelForCausalLM.from_pretrained(language, revision=language_revision, dtype=dtype)
    config = PrefixCaptionerConfig(
        vision_config=_architecture(tower),
        text_config=_architecture(language_model),
        projection=projection,
        mlp_hidden_dim=mlp_hidden_dim,
    )
    model = PrefixCaptioner(config, tower, language_model)
    model.to(dtype=dtype)
    return model


def _architecture(model: Any) -> dict[str, Any]:
    """A model's config without the place that it was loaded from, which is nobody's business in a published one."""
    config: dict[str, Any] = model.config.to_dict()
    config.pop("_name_or_path", None)
    return config
