"""The shipped configs of set-ups 1, 4 and 5: what they say, and what they are at their true architectures."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.architectures import ARCHITECTURES, processor
from tests.training.small_release import real_samples
from training.config import SHIPPED, VlmConfig, load_config
from training.loop import parameters_of
from training.rows import Row
from training.vlm.collator import IGNORED, collator, image_token_ids
from training.vlm.components import components_of, n_quantized
from training.vlm.lora import targets, with_adapter
from training.vlm.model import empty_model, modules_left_whole
from training.vlm.strings import strings_of_model

pytestmark = pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning")

LLAVA, GRANITE = "llava_html", ("table_html", "table_html_dora")
QWEN = ("latex_ocr", "latex_ocr_qwen2_5", "latex_ocr_qwen3")
ALL = (LLAVA, *QWEN, *GRANITE)


@lru_cache(maxsize=1)
def shipped(name: str) -> VlmConfig:
    config = load_config(name)
    assert isinstance(config, VlmConfig)
    return config


def said(config: VlmConfig) -> dict[str, Any]:
    """The values that issue 8 names."""
    training, model, lora = config.training, config.model, config.model.lora
    assert lora is not None
    return {
        "4-bit": (model.quantization, model.double_quantization),
        "lora": (lora.r, lora.alpha, lora.dropout, lora.use_dora, lora.init, lora.layers_to_tune),
        "optimizer": (training.optimizer, training.learning_rate),
        "batch": (training.batch_size, training.gradient_accumulation),
        "length": (training.max_steps, training.epochs, training.warmup_steps, training.max_seq_length),
        "rows": (config.data.n_train, config.data.n_validation, config.data.n_test),
        "how": (training.gradient_checkpointing, training.precision, training.keep_best),
    }


def test_llava_html_is_the_issues() -> None:
    assert said(shipped(LLAVA)) == {
        "4-bit": ("nf4", True),
        "lora": (16, 16, 0.0, False, "default", ("vision", "language")),
        "optimizer": ("paged_adamw_8bit", 2e-5),
        "batch": (4, 2),
        "length": (30, None, 0, 4096),
        "rows": (None, None, None),
        "how": (True, "auto", False),
    }


@pytest.mark.parametrize("name", QWEN)
def test_latex_ocr_is_the_issues(name: str) -> None:
    assert said(shipped(name)) == {
        "4-bit": ("nf4", True),
        "lora": (16, 16, 0.0, False, "default", ("vision", "language")),
        "optimizer": ("adamw_8bit", 2e-4),
        "batch": (2, 4),
        "length": (30, None, 5, 2048),
        "rows": (None, None, None),
        "how": (True, "auto", False),
    }


@pytest.mark.parametrize("name", GRANITE)
def test_table_html_is_the_issues(name: str) -> None:
    config = shipped(name)
    assert said(config) == {
        "4-bit": ("none", True),
        "lora": (16, 32, 0.1, name.endswith("dora"), "gaussian", ("language",)),
        "optimizer": ("adamw_torch_fused", 3e-4),
        "batch": (1, 8),
        "length": (None, 1.0, 10, 1024),
        "rows": (10_000, 250, 500),
        "how": (True, "bf16", True),
    }
    assert config.prompt.system
    assert config.prompt.user


@pytest.mark.parametrize("name", ALL)
def test_every_value_says_where_it_is_from(name: str) -> None:
    lines = (SHIPPED / f"{name}.yaml").read_text("utf-8").splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        is_value = re.match(r"\s*\w+: \S", line)
        named = line.strip().startswith(("#", "setup:", "output:", "train:", "validation:", "test:"))
        if is_value and not named:
            assert " # " in line or above.strip().startswith("#"), line


# All parameters; layers with an adapter by part; the adapter's parameters. Worked out by hand from the widths:
# 16 (in + out) for each layer, and `out` more with DoRA.
TRUE = {
    "llava_html": (
        7_063_427_072,
        {"vision": 23 * 6, "language": 32 * 7},
        {
            "vision": 23 * 16 * (4 * 2 * 1024 + 2 * (1024 + 4096)),
            "language": 32 * 16 * (4 * 2 * 4096 + 3 * (4096 + 11008)),
        },
    ),
    "latex_ocr": (
        8_291_375_616,
        {"vision": 32 * 4, "language": 28 * 7},
        {
            "vision": 32 * 16 * ((1280 + 3840) + (1280 + 1280) + 2 * (1280 + 5120)),
            "language": 28 * 16 * (2 * 2 * 3584 + 2 * (3584 + 512) + 3 * (3584 + 18944)),
        },
    ),
    "latex_ocr_qwen2_5": (
        8_292_166_656,
        {"vision": 32 * 5, "language": 28 * 7},
        {
            "vision": 32 * 16 * ((1280 + 3840) + (1280 + 1280) + 3 * (1280 + 3420)),
            "language": 28 * 16 * (2 * 2 * 3584 + 2 * (3584 + 512) + 3 * (3584 + 18944)),
        },
    ),
    "latex_ocr_qwen3": (
        8_767_123_696,
        {"vision": 27 * 4, "language": 36 * 7},
        {
            "vision": 27 * 16 * ((1152 + 3456) + (1152 + 1152) + 2 * (1152 + 4304)),
            "language": 36 * 16 * (2 * 2 * 4096 + 2 * (4096 + 1024) + 3 * (4096 + 12288)),
        },
    ),
    "table_html": (
        2_975_396_928,
        {"language": 40 * 7},
        {"language": 40 * 16 * (2 * 2 * 2048 + 2 * (2048 + 512) + 3 * (2048 + 8192))},
    ),
    "table_html_dora": (
        2_975_396_928,
        {"language": 40 * 7},
        {
            "language": 40 * 16 * (2 * 2 * 2048 + 2 * (2048 + 512) + 3 * (2048 + 8192))
            + 40 * (2048 + 512 + 512 + 2048 + 8192 + 8192 + 2048)
        },
    ),
}
SHARES = {
    "llava_html": 0.00658, "latex_ocr": 0.00610, "latex_ocr_qwen2_5": 0.00617, "latex_ocr_qwen3": 0.00582,
    "table_html": 0.00938, "table_html_dora": 0.00969,
}  # fmt: skip
"""Of trainable parameters among all, the adapter's counted in."""


@pytest.mark.parametrize("name", ALL)
def test_what_is_trained_at_the_true_architecture(name: str) -> None:
    import torch
    from transformers import BitsAndBytesConfig
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear

    config, (n_all, n_layers, n_adapter) = shipped(name), TRUE[name]
    assert config.model.lora is not None
    model = empty_model(ARCHITECTURES[config.model.name][1]())
    component = components_of(model)
    assert sum(parameter.numel() for parameter in model.parameters()) == n_all
    if config.model.quantization == "nf4":
        skipped = modules_left_whole(model, config.model.quantize)
        model = replace_with_bnb_linear(model, skipped, BitsAndBytesConfig(load_in_4bit=True))
        for part, (quantized, linear) in n_quantized(model, component).items():
            assert quantized == (linear if part in config.model.quantize else 0)
            assert linear > 0
        model = empty_model(ARCHITECTURES[config.model.name][1]())
    found = targets(model, component, config.model.lora.layers_to_tune)
    assert {part: len(names) for part, names in found.items()} == n_layers
    with torch.device("meta"):
        wrapped = with_adapter(model, component, config.model.lora)
    counts = parameters_of(wrapped, component)
    assert {part: trainable for part, (_, trainable) in counts.items() if trainable} == n_adapter
    n_trainable, n_total = sum(n_adapter.values()), sum(total for total, _ in counts.values())
    assert n_total == n_all + n_trainable
    assert n_trainable / n_total == pytest.approx(SHARES[name], abs=5e-6)


SOURCES = {
    "page_to_html": ("websight", "text"),
    "table_to_html": ("pubtabnet-html", "html_table"),
    "formula_to_latex": ("latex-im2markup", "text"),
}


@pytest.mark.parametrize("name", [name for name in ALL if name != "table_html_dora"])
def test_image_tokens_and_label_masks_of_real_rows(name: str, shared_data: Path) -> None:
    config = shipped(name)
    source, column = SOURCES[config.data.task]
    samples = real_samples(shared_data / source, column, 3, 4_000, side_px=1_280)
    rows = [Row(str(n), config.data.task, text, image, None, ()) for n, (image, text) in enumerate(samples)]
    family = ARCHITECTURES[config.model.name][0]
    strings = strings_of_model(processor(family), config.prompt.prompt())
    made = [strings.example(row) for row in rows]
    examples = [{"images": [e.image], "prompt": e.prompt, "completion": e.completion, "id": e.id} for e in made]
    batch = collator(processor(family), config.training.max_seq_length, config.model.counted)(examples)
    tokenizer = processor(family).tokenizer
    for row, ids, labels in zip(rows, batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        learnt = [label for label in labels if label != IGNORED]
        assert tokenizer.decode(learnt).removeprefix(" ") == row.text + tokenizer.eos_token
        with Image.open(io.BytesIO(row.image)) as image:
            expected = EXPECTED[family](*image.size)
        assert sum(ids.count(one) for one in image_token_ids(processor(family))) == expected


def clip_tokens(width_px: int, height_px: int) -> int:
    """Patches of 14 px of a square of 336, whatever the picture."""
    return (336 // 14) ** 2


def qwen_tokens(side_px: int, least_px: int) -> Any:
    """Squares of `side_px` in the picture, each side rounded, scaled up where it has fewer than `least_px` pixels."""

    def tokens(width_px: int, height_px: int) -> int:
        sides = [max(1, round(side / side_px)) for side in (width_px, height_px)]
        if sides[0] * sides[1] * side_px**2 < least_px:
            scale = (least_px / (width_px * height_px)) ** 0.5
            sides = [-int(-side * scale // side_px) for side in (width_px, height_px)]
        return sides[0] * sides[1]

    return tokens


def anyres_tokens(width_px: int, height_px: int) -> int:
    """LlavaNext: the whole picture as one tile of 27 x 27 patches, then the tiles of the grid that it wastes least of,
    without the patches that padding takes, and a line break for each row of patches.
    """  # fmt: skip
    from tests.training.architectures import PINPOINTS

    def fit(pinpoint: list[int]) -> tuple[int, int]:
        scale = min(pinpoint[1] / width_px, pinpoint[0] / height_px)
        used = min(int(width_px * scale) * int(height_px * scale), width_px * height_px)
        return used, -(pinpoint[0] * pinpoint[1] - used)

    height, width = max(PINPOINTS, key=fit)
    rows, columns = 27 * height // 384, 27 * width // 384
    if width_px / height_px > columns / rows:
        kept = int(round(height_px * (columns / width_px), 7))
        rows -= 2 * ((rows - kept) // 2)
    else:
        kept = int(round(width_px * (rows / height_px), 7))
        columns -= 2 * ((columns - kept) // 2)
    return 27 * 27 + rows * (columns + 1)


EXPECTED = {
    "llava": clip_tokens,
    "qwen2_vl": qwen_tokens(28, 56 * 56),
    "qwen2_5_vl": qwen_tokens(28, 56 * 56),
    "qwen3_vl": qwen_tokens(32, 65536),
    "granite_vision": anyres_tokens,
}


def test_tokens_of_pictures_of_known_sizes() -> None:
    """Numbers to hold on to: a page of WebSight, a wide formula, a table."""
    assert clip_tokens(1280, 720) == 576
    assert qwen_tokens(28, 3136)(1280, 720) == 46 * 26
    assert qwen_tokens(28, 3136)(320, 48) == 11 * 2
    assert qwen_tokens(32, 65536)(320, 48) == 21 * 4  # Qwen3-VL takes at least 256 x 256 px: four times as many
    assert anyres_tokens(384, 384) == 729 + 27 * 28
    for family, name in (
        ("llava", "llava-hf/llava-1.5-7b-hf"),
        ("granite_vision", "ibm-granite/granite-vision-3.2-2b"),
    ):
        assert ARCHITECTURES[name][0] == family
        for size in ((1280, 720), (384, 384), (320, 48), (500, 1900)):
            sizes = {"image_sizes": [[size[1], size[0]]]}
            counted = processor(family)._get_num_multimodal_tokens(**sizes)["num_image_tokens"][0]
            assert counted == EXPECTED[family](*size)
