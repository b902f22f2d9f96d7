"""The true architectures, without weights: what their config.json on the Hub say, and processors with their settings.

Values were read off copies of the repositories' config.json and preprocessor_config.json: llava-hf/llava-1.5-7b-hf,
Qwen/Qwen2-VL-7B-Instruct, Qwen/Qwen2.5-VL-7B-Instruct, Qwen/Qwen3-VL-8B-Instruct, ibm-granite/granite-vision-3.2-2b.
The tokenizers are stand-ins with each model's special tokens: DeepSeek's 128,000 tokens, or a few hundred.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import transformers as T  # noqa: N812 - short, as its own docs have it

from tests.curation.real_tokenizers import byte_level_bpe
from tests.training.tiny_models import GRANITE_TEMPLATE, LLAVA_TEMPLATE, QWEN_TEMPLATE, tokenizer

QWEN_MARKS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
PINPOINTS = [[384, 384 * n] for n in range(1, 11)] + [[768, 384 * n] for n in range(1, 6)]
PINPOINTS += [[384 * n, 384 * m] for n in range(3, 11) for m in range(1, 4 if n == 3 else 3 if n < 6 else 2)]
"""Of Granite-Vision 3.x: 27 shapes of up to ten tiles."""


def llava() -> Any:
    """LLaVA-1.5-7B: CLIP ViT-L/14 at 336 px, Vicuna 7B."""
    vision = {
        "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
        "num_attention_heads": 16, "image_size": 336, "patch_size": 14, "projection_dim": 768,
    }  # fmt: skip
    text = {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32064, "max_position_embeddings": 4096,
    }  # fmt: skip
    return T.LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=32000, vision_feature_layer=-2,
        vision_feature_select_strategy="default", tie_word_embeddings=False,
    )  # fmt: skip


def granite_vision() -> Any:
    """Granite-Vision-3.2-2B: SigLIP SO400M/14 at 384 px, four of whose layers are read, Granite 3.1 2B."""
    vision = {
        "model_type": "siglip_vision_model", "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
        "num_attention_heads": 16, "image_size": 384, "patch_size": 14,
    }  # fmt: skip
    text = {
        "model_type": "granite", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 49156, "max_position_embeddings": 131072,
        "logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
        "attention_multiplier": 0.015625, "tie_word_embeddings": True,
    }  # fmt: skip
    return T.LlavaNextConfig(
        vision_config=vision, text_config=text, image_token_id=49155, image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=[-24, -20, -12, -1], vision_feature_select_strategy="full", tie_word_embeddings=True,
    )  # fmt: skip


def _qwen_text(**settings: Any) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    return {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768, "rope_parameters": rope,
        "tie_word_embeddings": False, **settings,
    }  # fmt: skip


def qwen2_vl() -> Any:
    """Qwen2-VL-7B."""
    vision = {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "num_heads": 16, "mlp_ratio": 4, "patch_size": 14}
    return T.Qwen2VLConfig(vision_config=vision, text_config=_qwen_text(), tie_word_embeddings=False)


def qwen2_5_vl() -> Any:
    """Qwen2.5-VL-7B."""
    vision = {
        "depth": 32, "hidden_size": 1280, "out_hidden_size": 3584, "intermediate_size": 3420, "num_heads": 16,
        "patch_size": 14, "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112,
    }  # fmt: skip
    return T.Qwen2_5_VLConfig(vision_config=vision, text_config=_qwen_text(), tie_word_embeddings=False)


def qwen3_vl() -> Any:
    """Qwen3-VL-8B."""
    vision = {
        "depth": 27, "hidden_size": 1152, "out_hidden_size": 4096, "intermediate_size": 4304, "num_heads": 16,
        "patch_size": 16, "deepstack_visual_indexes": [8, 16, 24], "num_position_embeddings": 2304,
    }  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    text = _qwen_text(
        hidden_size=4096, intermediate_size=12288, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, vocab_size=151936, max_position_embeddings=262144, rope_parameters=rope,
    )  # fmt: skip
    return T.Qwen3VLConfig(vision_config=vision, text_config=text, tie_word_embeddings=False)


@lru_cache(maxsize=8)
def processor(name: str, *, small: bool = False) -> Any:
    """The processor of an architecture, over the stand-in tokenizer; the small one fits into any vocabulary."""
    clip = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    if name == "llava":
        pictures = T.CLIPImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}, **clip
        )  # fmt: skip
        words = tokenizer("<image>") if small else _words("<s>", "</s>", "<image>")
        return T.LlavaProcessor(
            image_processor=pictures, tokenizer=words, patch_size=14, vision_feature_select_strategy="default",
            num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
        )  # fmt: skip
    if name == "granite_vision":
        size, half = {"height": 384, "width": 384}, [0.5, 0.5, 0.5]
        pictures = T.LlavaNextImageProcessorPil(
            size=size, crop_size=size, image_grid_pinpoints=PINPOINTS, image_mean=half, image_std=half
        )
        marks, end = ("<image>", "<|system|>", "<|user|>", "<|assistant|>"), "<|end_of_text|>"
        words = tokenizer(*marks, eos=end) if small else _words(end, end, *marks)
        return T.LlavaNextProcessor(
            image_processor=pictures, tokenizer=words, patch_size=14, vision_feature_select_strategy="full",
            num_additional_image_tokens=0, chat_template=GRANITE_TEMPLATE,
        )  # fmt: skip
    is_3 = name == "qwen3_vl"
    pixels = (65536, 16777216) if is_3 else (56 * 56, 14 * 14 * 4 * 16384)
    pictures = T.Qwen2VLImageProcessorPil(
        patch_size=16 if is_3 else 14, temporal_patch_size=2, merge_size=2,
        size={"shortest_edge": pixels[0], "longest_edge": pixels[1]}, **({} if is_3 else clip),
    )  # fmt: skip
    videos = (T.Qwen3VLVideoProcessor if is_3 else T.Qwen2VLVideoProcessor)()
    made = {"qwen2_vl": T.Qwen2VLProcessor, "qwen2_5_vl": T.Qwen2_5_VLProcessor, "qwen3_vl": T.Qwen3VLProcessor}[name]
    words = tokenizer(*QWEN_MARKS, eos="<|im_end|>")  # always small: loading the other takes a second each time
    return made(image_processor=pictures, tokenizer=words, video_processor=videos, chat_template=QWEN_TEMPLATE)


def with_ids_of(config: Any, processor_: Any) -> Any:
    """An architecture's config with the ids that a stand-in tokenizer has for the picture's tokens."""
    to_id = processor_.tokenizer.convert_tokens_to_ids
    config.image_token_id = processor_.image_token_id
    if hasattr(config, "vision_start_token_id"):
        config.video_token_id = to_id("<|video_pad|>")
        config.vision_start_token_id, config.vision_end_token_id = to_id("<|vision_start|>"), to_id("<|vision_end|>")
    return config


def _words(bos: str | None, eos: str, *special: str) -> Any:
    backend = byte_level_bpe().backend  # which the next line copies
    words = T.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token=bos, eos_token=eos)
    words.add_tokens(list(special), special_tokens=True)
    return words


ARCHITECTURES = {
    "llava-hf/llava-1.5-7b-hf": ("llava", llava),
    "ibm-granite/granite-vision-3.2-2b": ("granite_vision", granite_vision),
    "Qwen/Qwen2-VL-7B-Instruct": ("qwen2_vl", qwen2_vl),
    "Qwen/Qwen2.5-VL-7B-Instruct": ("qwen2_5_vl", qwen2_5_vl),
    "Qwen/Qwen3-VL-8B-Instruct": ("qwen3_vl", qwen3_vl),
}
"""By the names that shipped configs have."""
