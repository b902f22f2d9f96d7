"""Four bits: which layers, how they train, and what they are never merged into. bitsandbytes runs on a CPU, too."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from curation.errors import ModelError
from tests.training.small_release import real_samples, release_of
from tests.training.tiny_models import llava, qwen, saved, seeded
from training.config import VlmConfig, load_config
from training.rows import open_rows
from training.vlm import setup
from training.vlm.components import components_of, n_quantized
from training.vlm.model import (
    _model_files,
    check_quantized,
    device_with_room,
    load_for_training,
    load_processor,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning")


@pytest.fixture(scope="module")
def wide_llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("llava64"), seeded(llava, width=64))


@pytest.fixture(scope="module")
def wide_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("qwen64"), seeded(qwen, "2", width=64))


def config_on(base: Path, *overrides: str, shipped: str = "llava_html") -> VlmConfig:
    config = load_config(shipped, ("training.device=cpu", f"model.name={base}", *overrides))
    assert isinstance(config, VlmConfig)
    return config


@pytest.mark.parametrize(
    ("quantize", "counts"),
    [
        ("[vision, language]", ((18, 18), (0, 2), (14, 14))),
        ("[language]", ((0, 18), (0, 2), (14, 14))),
        ("[vision, projector, language]", ((18, 18), (2, 2), (14, 14))),
    ],
)
def test_linear_layers_in_4_bit_are_counted_by_part(
    wide_llava: Path, quantize: str, counts: tuple[tuple[int, int], ...]
) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit

    model, component = load_for_training(config_on(wide_llava, f"model.quantize={quantize}"))
    found = n_quantized(model, component)
    assert tuple(found[part] for part in ("vision", "projector", "language")) == counts
    assert type(model.lm_head) is torch.nn.Linear
    layer = model.model.language_model.layers[0].mlp.up_proj
    assert isinstance(layer, Linear4bit)
    state = layer.weight.quant_state
    assert (state.quant_type, state.nested, layer.compute_dtype) == ("nf4", True, torch.bfloat16)


def test_a_projector_inside_the_tower_is_left_whole(wide_qwen: Path) -> None:
    model, component = load_for_training(config_on(wide_qwen, shipped="latex_ocr"))
    assert n_quantized(model, component) == {"vision": (8, 8), "projector": (0, 2), "language": (14, 14)}


def test_other_layers_in_4_bit_than_asked_for_are_an_error(wide_llava: Path) -> None:
    """What transformers 5 does with a name that is not anchored at the root: it leaves nothing whole."""
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

    asked = config_on(wide_llava, "model.quantize=[language]").model
    loose = BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=["vision_tower", "lm_head"])
    model = AutoModelForImageTextToText.from_pretrained(wide_llava, quantization_config=loose)
    with pytest.raises(ModelError, match="vision: 18 of 18 linear layers of .* are in 4 bit, not 0"):
        check_quantized(model, components_of(model), asked)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU:UserWarning")
def test_qlora_trains_and_merges_into_the_base_before_quantisation(
    wide_llava: Path, shared_data: Path, tmp_path: Path
) -> None:
    """NF4, double quantisation, gradient checkpointing and paged 8-bit AdamW, as `llava_html` ships them."""
    import torch
    from safetensors.torch import load_file

    config = config_on(wide_llava, "training.max_steps=2", "training.batch_size=2", "training.gradient_accumulation=1")
    assert config.training.optimizer == "paged_adamw_8bit"
    assert config.training.gradient_checkpointing
    release_of(tmp_path / "release", "page_to_html", {"train": real_samples(shared_data / "websight", "text", 4, 1300)})
    rows = open_rows(tmp_path / "release", config.data, "train", None)
    trained = setup.train(config, rows, None, tmp_path)
    # the numbers that 4-bit weights stand for, and the adapter's: r (in + out) a layer
    base = load_file(wide_llava / "model.safetensors")
    n_adapter = 16 * (2 * (4 * 128 + 2 * 192) + 2 * (2 * 128 + 2 * 96 + 3 * 192))
    assert sum(total for total, _ in trained.parameters.values()) == sum(v.numel() for v in base.values()) + n_adapter
    assert sum(trainable for _, trainable in trained.parameters.values()) == n_adapter

    merged = setup.merge(config, tmp_path)
    assert merged.max_logit_difference < 1e-5
    model = load_file(tmp_path / "model" / "model.safetensors")
    assert {value.dtype for value in model.values()} == {torch.float32}
    settings = json.loads((tmp_path / "model" / "config.json").read_text())
    assert "quantization_config" not in settings
    # what the adapter adds is added to the weights as they were, not to what 4 bits leave of them
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    key = next(key for key in adapter if "language_model.layers.0.mlp.up_proj.lora_A" in key)
    delta = adapter[key.replace("lora_A", "lora_B")].float() @ adapter[key].float()
    saved_name = next(one for one in base if one.endswith("layers.0.mlp.up_proj.weight") and "vision" not in one)
    torch.testing.assert_close(model[saved_name], base[saved_name] + delta, rtol=0, atol=1e-6)


def test_4_bit_weights_without_an_adapter_are_refused(wide_llava: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be trained without an adapter"):
        setup.train(config_on(wide_llava, "model.lora=null"), None, None, tmp_path)  # type: ignore[arg-type]


def test_weights_that_are_trained_themselves_stay_in_fp32(wide_llava: Path) -> None:
    import torch

    for lora, dtype in (("model.lora=null", torch.float32), ("model.lora.r=8", torch.bfloat16)):
        overrides = (lora, "model.quantization=none", "training.precision=bf16")
        model, _ = load_for_training(config_on(wide_llava, *overrides))
        assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_without_unsloth_its_backend_is_refused_with_the_mend(wide_llava: Path) -> None:
    with pytest.raises(ModelError, match=r"which is not installed\. Install it, or set backend: transformers"):
        load_for_training(config_on(wide_llava, "model.backend=unsloth"))


def test_with_unsloth_the_model_comes_from_it_and_is_checked_alike(
    wide_llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in with the signature of `unsloth.FastVisionModel.from_pretrained`, which needs a GPU to be imported."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    asked: dict[str, Any] = {}

    class FastVisionModel:
        @staticmethod
        def from_pretrained(model_name: str, **settings: Any) -> tuple[Any, Any]:
            asked.update(settings)
            model = AutoModelForImageTextToText.from_pretrained(model_name, dtype=settings["dtype"])
            return model, AutoProcessor.from_pretrained(model_name)

    stand_in = ModuleType("unsloth")
    stand_in.__spec__ = ModuleSpec("unsloth", None)
    stand_in.FastVisionModel = FastVisionModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "unsloth", stand_in)
    _, component = load_for_training(config_on(wide_llava, "model.backend=unsloth", "model.quantization=none"))
    assert component("lm_head.weight") == "language"
    assert asked["load_in_4bit"] is False
    assert asked["use_exact_model_name"] is True  # else it would take its own copy, already in 4 bit
    with pytest.raises(ModelError, match="0 of 18 linear layers .* are in 4 bit, not 18"):  # the stand-in does not
        load_for_training(config_on(wide_llava, "model.backend=unsloth"))
    with pytest.raises(ModelError, match="Unsloth quantises vision and language"):
        load_for_training(config_on(wide_llava, "model.backend=unsloth", "model.quantize=[language]"))


def test_a_model_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for quantization in ("none", "nf4"):
        with pytest.raises(ModelError, match=r"org/none cannot be fetched .* [Ss]et model\.name to a folder"):
            load_for_training(config_on(Path("org/none"), f"model.quantization={quantization}"))
    with pytest.raises(ModelError, match="There is no model folder at '/nowhere'"):
        load_processor(config_on(Path("/nowhere")).model)
    with pytest.raises(ModelError, match="The processor of .* cannot be loaded"):
        load_processor(config_on(tmp_path).model)


def test_a_base_too_large_for_the_gpu_is_merged_on_the_cpu(wide_llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    n_bytes = (wide_llava / "model.safetensors").stat().st_size
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for free, device in ((2 * n_bytes, "cuda"), (n_bytes, "cpu")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (free, 1 << 40))
        assert device_with_room(config_on(wide_llava).model, "auto") == device
    assert device_with_room(config_on(wide_llava).model, "cpu") == "cpu"


def test_what_is_fetched_of_a_repository() -> None:
    names = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "chat_template.jinja",
        "README.md",
        "x/model.safetensors",
    ]
    assert _model_files(names) == ["model-00001-of-00002.safetensors", "config.json", "chat_template.jinja"]
    assert _model_files(["config.json", "pytorch_model.bin"]) == []
