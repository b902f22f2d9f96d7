"""Tiny random vision-language models with their processors, in folders as the Hub has them; nothing is fetched.

Their chat templates say what the real models' do, in short. Widths are 16 or 32; `width=64` is for bitsandbytes,
whose blocks are 64 numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as T  # noqa: N812 - short, as its own docs have it

LLAVA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
GRANITE_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IDEFICS_TEMPLATE = (
    "<s>{% for message in messages %}{{ message['role'].capitalize() }}:"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}</s>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
PINPOINTS = [[32, 64], [64, 32], [64, 64]]


def tokenizer(*special: str, eos: str = "</s>", **settings: Any) -> Any:
    """A byte-level BPE tokenizer that a few words of markup taught."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    names = list(dict.fromkeys(["<pad>", "<s>", eos, *special]))
    corpus = ["<table><tr><td>a</td></tr></table> \\frac { 1 } { 2 } <div class='p-4'> USER: ASSISTANT: HTML"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=384, special_tokens=names, initial_alphabet=alphabet)
    )
    return T.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token=eos, **settings
    )  # fmt: skip


def llava(width: int = 16) -> tuple[Any, Any]:
    """LLaVA-1.5: a CLIP tower of 3 layers whose last but one is read, 16 patches, a Llama."""
    words = tokenizer("<image>")
    image_token = words.convert_tokens_to_ids("<image>")
    pictures = T.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = T.LlavaProcessor(
        image_processor=pictures, tokenizer=words, patch_size=8, vision_feature_select_strategy="default",
        image_token="<image>", num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    vision = {"model_type": "clip_vision_model", "num_hidden_layers": 3, "image_size": 32, "patch_size": 8}
    config = T.LlavaConfig(
        text_config=_llama(width, len(words)), vision_config={**vision, **_width(width), "projection_dim": width},
        image_token_id=image_token, vision_feature_layer=-2, vision_feature_select_strategy="default",
    )  # fmt: skip
    return T.LlavaForConditionalGeneration(config), processor


def granite_vision(width: int = 16) -> tuple[Any, Any]:
    """Granite-Vision 3.x: LlavaNext over a SigLIP tower, four of whose layers are read, and a Granite."""
    words = tokenizer("<image>", "<|system|>", "<|user|>", "<|assistant|>", eos="<|end_of_text|>")
    image_token = words.convert_tokens_to_ids("<image>")
    size = {"height": 32, "width": 32}
    pictures = T.LlavaNextImageProcessorPil(size=size, crop_size=size, image_grid_pinpoints=PINPOINTS)
    processor = T.LlavaNextProcessor(
        image_processor=pictures, tokenizer=words, patch_size=8, vision_feature_select_strategy="full",
        image_token="<image>", num_additional_image_tokens=0, chat_template=GRANITE_TEMPLATE,
    )  # fmt: skip
    vision = {"model_type": "siglip_vision_model", "num_hidden_layers": 4, "image_size": 32, "patch_size": 8}
    config = T.LlavaNextConfig(
        text_config={**_llama(width, len(words)), "model_type": "granite", "logits_scaling": 8.0},
        vision_config={**vision, **_width(width)}, image_token_id=image_token, image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=[-4, -3, -2, -1], vision_feature_select_strategy="full",
    )  # fmt: skip
    return T.LlavaNextForConditionalGeneration(config), processor


def qwen(kind: str = "2", width: int = 32) -> tuple[Any, Any]:
    """Qwen2-VL, Qwen2.5-VL and Qwen3-VL ("2", "2.5", "3"): pictures of any size, at most 16 tokens here."""
    marks = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    words = tokenizer(*marks, eos="<|im_end|>")
    ids = {
        name: words.convert_tokens_to_ids(mark)
        for name, mark in (
            ("image_token_id", "<|image_pad|>"), ("video_token_id", "<|video_pad|>"),
            ("vision_start_token_id", "<|vision_start|>"), ("vision_end_token_id", "<|vision_end|>"),
        )
    }  # fmt: skip
    patch = 16 if kind == "3" else 14
    size = {"shortest_edge": (patch * 2) ** 2, "longest_edge": (patch * 2) ** 2 * 16}
    pictures = T.Qwen2VLImageProcessorPil(patch_size=patch, temporal_patch_size=2, merge_size=2, size=size)
    videos = (T.Qwen3VLVideoProcessor if kind == "3" else T.Qwen2VLVideoProcessor)(patch_size=patch)
    classes = {
        "2": (T.Qwen2VLProcessor, T.Qwen2VLConfig, T.Qwen2VLForConditionalGeneration),
        "2.5": (T.Qwen2_5_VLProcessor, T.Qwen2_5_VLConfig, T.Qwen2_5_VLForConditionalGeneration),
        "3": (T.Qwen3VLProcessor, T.Qwen3VLConfig, T.Qwen3VLForConditionalGeneration),
    }
    processor_class, config_class, model_class = classes[kind]
    processor = processor_class(
        image_processor=pictures, tokenizer=words, video_processor=videos, chat_template=QWEN_TEMPLATE
    )
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
    heads = max(4, width // 8)  # `mrope_section` is of heads 8 wide
    text = {
        "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": heads,
        "num_key_value_heads": 2, "vocab_size": len(words), "max_position_embeddings": 2048,
        "rope_parameters": rope | ({"mrope_interleaved": True} if kind == "3" else {}),
        "pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
    } | ({"head_dim": 8} if kind == "3" else {})  # fmt: skip
    vision = {
        "2": {"embed_dim": width, "mlp_ratio": 2, "patch_size": 14},
        "2.5": {
            "out_hidden_size": width, "intermediate_size": 2 * width, "fullatt_block_indexes": [1], "window_size": 56,
        },
        "3": {
            "out_hidden_size": width, "intermediate_size": 2 * width, "deepstack_visual_indexes": [1],
            "num_position_embeddings": 64,
        },
    }[kind] | {"depth": 2, "hidden_size": width, "num_heads": 4}  # fmt: skip
    return model_class(config_class(text_config=text, vision_config=vision, **ids)), processor


def idefics3(width: int = 16) -> tuple[Any, Any]:
    """Idefics3: a tower of its own, pixels shuffled into fewer tokens, a Llama."""
    marks = ["<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    tiles = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    words = tokenizer("<image>", *marks, *tiles)
    pictures = T.Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=True
    )
    processor = T.Idefics3Processor(
        image_processor=pictures, tokenizer=words, image_seq_len=4, chat_template=IDEFICS_TEMPLATE
    )
    config = T.Idefics3Config(
        image_token_id=words.convert_tokens_to_ids("<image>"), scale_factor=2, pad_token_id=words.pad_token_id,
        vision_config={"num_hidden_layers": 2, "image_size": 32, "patch_size": 8, **_width(width)},
        text_config={**_llama(width, len(words)), "pad_token_id": words.pad_token_id},
    )  # fmt: skip
    return T.Idefics3ForConditionalGeneration(config), processor


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "llava": llava,
    "granite_vision": granite_vision,
    "qwen2_vl": lambda: qwen("2"),
    "qwen2_5_vl": lambda: qwen("2.5"),
    "qwen3_vl": lambda: qwen("3"),
    "idefics3": idefics3,
}


def saved(folder: Path, made: tuple[Any, Any]) -> Path:
    """Model and processor in a folder, as the Hub has them."""
    model, processor = made
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def seeded(make: Callable[..., tuple[Any, Any]], *settings: Any, **more: Any) -> tuple[Any, Any]:
    """A model whose random weights are the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(*settings, **more)


def _width(width: int) -> dict[str, int]:
    return {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 4}


def _llama(width: int, n_tokens: int) -> dict[str, Any]:
    return {
        "model_type": "llama", "num_hidden_layers": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "vocab_size": n_tokens, **_width(width),
    }  # fmt: skip
