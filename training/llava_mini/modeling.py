r"""The model that trains: a frozen CLIP, a projector, and a causal language model that reads pictures among its words.

`vision_tower` (no gradient, never quantised) gives the patches of one of its hidden states; `projector` maps each into
the width of the language model's embeddings; they stand where the image tokens are, one for one:

    ids         <s> <image> <image> … <image> \n  Describe … ASSISTANT: A  dog </s>
    embeddings   e   p_0     p_1       p_255  e   e          e          e  e   e

Imported inside functions only, because its classes derive from those of torch and transformers. What is published is
not this class but LLaVA's own of transformers, to which it is equal (`training.llava_mini.export`).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.configuration_utils import SubConfigSpec


class LlavaMiniModelConfig(PreTrainedConfig):  # type: ignore[misc]
    """Of which parts, and how they fit together; `image_token_id` may lie beyond the language model's vocabulary."""

    model_type = "markupmill_llava_mini"
    sub_configs_defaults = {  # noqa: RUF012 - transformers' own form
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="clip_vision_model"),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    vision_config: Any = None
    text_config: Any = None
    projector: Literal["linear", "mlp"] = "linear"
    vision_layer: int = -2
    image_token_id: int = 32_000


class LlavaMiniForConditionalGeneration(PreTrainedModel):  # type: ignore[misc]
    """See the module. Made of a config alone (random weights), or `around` two models in memory."""

    config_class = LlavaMiniModelConfig
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(
        self, config: LlavaMiniModelConfig, vision_tower: Any | None = None, language_model: Any | None = None
    ) -> None:
        super().__init__(config)
        self.vision_tower = AutoModel.from_config(config.vision_config) if vision_tower is None else vision_tower
        self.language_model = (
            AutoModelForCausalLM.from_config(config.text_config) if language_model is None else language_model
        )
        wide, narrow = config.text_config.hidden_size, config.vision_config.hidden_size
        self.projector: nn.Module = nn.Linear(narrow, wide)
        if config.projector == "mlp":
            # LLaVA-1.5's mlp2x_gelu: https://github.com/haotian-liu/LLaVA, llava/model/multimodal_projector/builder.py.
            self.projector = nn.Sequential(nn.Linear(narrow, wide), nn.GELU(), nn.Linear(wide, wide))
        self.post_init()

    @classmethod
    def around(
        cls, vision_tower: Any, language_model: Any, projector: str, vision_layer: int, image_token_id: int
    ) -> LlavaMiniForConditionalGeneration:
        """A new projector between two models, whose weights stay as they are."""
        # Copies: a config resets the attention of those that it is made of.
        config = LlavaMiniModelConfig(
            vision_config=vision_tower.config.to_dict(),
            text_config=language_model.config.to_dict(),
            projector=projector,
            vision_layer=vision_layer,
            image_token_id=image_token_id,
        )
        return cls(config, vision_tower, language_model)

    def train(self, mode: bool = True) -> LlavaMiniForConditionalGeneration:
        """As torch's, but the frozen tower stays as it predicts (no dropout)."""
        super().train(mode)
        self.vision_tower.eval()
        return self

    def get_input_embeddings(self) -> nn.Module:
        """The language model's."""
        embeddings: nn.Module = self.language_model.get_input_embeddings()
        return embeddings

    def patches(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """CLIP's patches without the class token: (pictures, 3, height, width) -> (pictures, patches, vision width)."""
        with torch.no_grad():
            seen = self.vision_tower(pixel_values=pixel_values, output_hidden_states=True)
        states: torch.Tensor = seen.hidden_states[self.config.vision_layer]
        return states[:, 1:]

    def embed(self, input_ids: torch.Tensor, pixel_values: torch.Tensor | None) -> torch.Tensor:
        """Words and pictures as the language model reads them: (rows, tokens, width).

        Raises `ValueError` where the image tokens are not as many as the patches.
        """
        is_image = input_ids == self.config.image_token_id
        words: torch.Tensor = self.get_input_embeddings()(input_ids.masked_fill(is_image, 0))
        if pixel_values is None:
            if is_image.any():
                raise ValueError("there are image tokens and no pictures")
            return words
        weight = next(self.projector.parameters())
        patches = self.projector(self.patches(pixel_values.to(self.vision_tower.dtype)).to(weight.dtype))
        n_tokens, n_patches = int(is_image.sum()), patches.shape[0] * patches.shape[1]
        if n_tokens != n_patches:
            raise ValueError(f"there are {n_tokens} image tokens for {n_patches} patches")
        return words.masked_scatter(is_image.unsqueeze(-1), patches.to(words.dtype))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """The language model's output.

        `input_ids`, `attention_mask` (1: a token, 0: padding, on either side) and `labels` (-100: not learned) are
        (rows, tokens). Further arguments go to the language model.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        # The first token is at position 0 wherever the padding is.
        kwargs.setdefault("position_ids", (attention_mask.cumsum(-1) - 1).clamp(min=0))
        kwargs.setdefault("use_cache", False)
        return self.language_model(
            inputs_embeds=self.embed(input_ids, pixel_values), attention_mask=attention_mask, labels=labels, **kwargs
        )

    @torch.no_grad()
    def generate(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """The prompt's ids and what follows, as transformers' models give it; rows are padded on the left."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        completed: torch.Tensor = self.language_model.generate(
            inputs_embeds=self.embed(input_ids, pixel_values), attention_mask=attention_mask, **kwargs
        )
        return torch.cat([input_ids, completed], dim=1)


AutoConfig.register(LlavaMiniModelConfig.model_type, LlavaMiniModelConfig, exist_ok=True)
AutoModelForImageTextToText.register(LlavaMiniModelConfig, LlavaMiniForConditionalGeneration, exist_ok=True)
