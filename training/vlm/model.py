"""Loading a vision-language model and its processor, in 4 bit or whole, for training and for merging."""

from __future__ import annotations

import gc
from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from curation.errors import ModelError
from curation.model_files import first_line, hub_folder, is_path, local_folder
from training.config import VlmConfig
from training.vlm.components import Components, components_of, n_quantized
from training.vlm.config import Component, VlmModel

_MEND: Final = "set model.name to a folder that holds it"
_ROOM: Final = 1.3
"""Memory for a model in bf16, its adapter and one forward pass, over that of its files."""
_SETTINGS: Final = (".json", ".txt", ".model", ".jinja")
_UNSLOTH_QUANTIZES: Final[tuple[Component, ...]] = ("vision", "language")
"""What Unsloth quantises: its list `SKIP_QUANTIZATION_MODULES` keeps projectors and the output embedding whole."""


def device_of(setting: str) -> str:
    """`cuda` where there is one for "auto", else `cpu`; any other setting as it is."""
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if setting == "auto" else setting


def precision_of(setting: Literal["auto", "bf16", "fp32"], device: str) -> Any:
    """The `torch.dtype` of weights that are not quantised; "auto" is bf16 on a GPU that has it, else fp32."""
    import torch

    if setting == "auto":
        has_bf16 = device != "cpu" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float32
    return torch.float32 if setting == "fp32" else torch.bfloat16


def device_with_room(model: VlmModel, setting: str) -> str:
    """Where the whole base fits: the device that a setting names, or the CPU where the GPU has too little memory free.

    A base that was trained in 4 bit may be too large for the same GPU in bf16.
    """
    import torch

    device = device_of(setting)
    if device == "cpu":
        return device
    gc.collect()  # a trainer holds itself
    torch.cuda.empty_cache()
    n_bytes = sum(file.stat().st_size for file in folder_of(model).glob("*.safetensors"))
    return device if torch.cuda.mem_get_info()[0] > _ROOM * n_bytes else "cpu"


def folder_of(model: VlmModel) -> Path:
    """The folder that holds a model: its own, or the Hub's cache, filled where it is not.

    Raises `ModelError` where it cannot be had; without a network within seconds.
    """
    if is_path(model.name):
        return local_folder(model.name, _MEND)
    return hub_folder(model.name, model.revision, _model_files, _MEND)


def load_processor(model: VlmModel) -> Any:
    """The processor of a model, which pads with a token of its tokenizer.

    Raises `ModelError` where it cannot be had, or is no processor of pictures and texts.
    """
    from transformers import AutoProcessor

    folder = folder_of(model)
    try:
        processor: Any = AutoProcessor.from_pretrained(folder)
    except Exception as error:  # files of others raise anything
        problem = f"The processor of {model.name} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check its name and revision") from error
    if not hasattr(processor, "image_processor"):
        raise ModelError(f"{model.name} has no processor for pictures", "Use a vision-language model")
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def load_for_training(config: VlmConfig) -> tuple[Any, Components]:
    """The base on its device, quantised as the config says, and where its parts are.

    Raises `ModelError` where it cannot be had, its structure is not known, or other layers ended up in 4 bit than
    asked for.
    """
    model = config.model
    device = device_of(config.training.device)
    dtype = precision_of(config.training.precision, device)
    if model.lora is None:  # what is trained stays in fp32: bf16 loses small steps
        dtype = precision_of("fp32", device)
    if model.backend == "unsloth":
        loaded = _from_unsloth(model, dtype)
    else:
        settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
        if model.quantization == "nf4":
            settings["quantization_config"] = quantization(model)
        loaded = _loaded(model, **settings)
    components = components_of(loaded)
    check_quantized(loaded, components, model)
    loaded.config.use_cache = False  # a cache of keys is for writing, and is in the way of gradient checkpointing
    return loaded, components


def load_whole(model: VlmModel, dtype: Any, device: str) -> Any:
    """The base in full or half precision: what an adapter is merged into.

    Raises `ModelError` where it cannot be had.
    """
    return _loaded(model, dtype=dtype, device_map={"": device}).eval()


def quantization(model: VlmModel) -> Any:
    """The `BitsAndBytesConfig` of transformers: NF4, computing in bf16.

    Raises `ModelError` where the model's settings cannot be had.
    """
    import torch
    from transformers import AutoConfig, BitsAndBytesConfig

    folder = folder_of(model)
    try:
        empty = empty_model(AutoConfig.from_pretrained(folder))
    except Exception as error:  # files of others raise anything
        raise _not_loaded(model, error) from error
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=model.double_quantization,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=modules_left_whole(empty, model.quantize),
    )


def empty_model(config: Any) -> Any:
    """The structure that transformers' `config` describes, without memory for weights."""
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def modules_left_whole(empty: Any, quantize: Collection[Component]) -> list[str]:
    """Modules of a model that stay out of 4 bit: the output embedding, and linear layers of the other components.

    By their full names from the root: transformers 5 anchors patterns there, so that `vision_tower` would match
    nothing of `model.vision_tower`. Layer by layer, because Qwen's projector is inside its tower.
    """
    from torch.nn import Linear

    components = components_of(empty)
    head = empty.get_output_embeddings()
    return [
        name
        for name, module in empty.named_modules()
        if module is head or (isinstance(module, Linear) and components(name) not in quantize)
    ]


def check_quantized(model: Any, components: Components, config: VlmModel) -> dict[Component, tuple[int, int]]:
    """Layers in 4 bit and all, by component: all or none of each, as the config says.

    Raises `ModelError` where it is otherwise.
    """
    counts = n_quantized(model, components)
    for component, (quantized, linear) in counts.items():
        wanted = linear if config.quantization == "nf4" and component in config.quantize else 0
        if quantized != wanted:
            problem = f"{component}: {quantized} of {linear} linear layers of {config.name} are in 4 bit, not {wanted}"
            raise ModelError(problem, "Name other components in model.quantize")
    return counts


def _loaded(model: VlmModel, **settings: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    folder = folder_of(model)
    try:
        loaded = AutoModelForImageTextToText.from_pretrained(folder, **settings)
    except Exception as error:  # files of others raise anything
        raise _not_loaded(model, error) from error
    loaded.name_or_path = model.name  # what peft writes down as the adapter's base: no folder of this machine's cache
    return loaded


def _model_files(names: list[str]) -> list[str]:
    """Which files of a repository make a model of transformers; none where it has no weights as safetensors."""
    weights = [name for name in names if "/" not in name and name.endswith(".safetensors")]
    return weights and [*weights, *(name for name in names if "/" not in name and name.endswith(_SETTINGS))]


def _not_loaded(model: VlmModel, error: Exception) -> ModelError:
    mend = "Check its name and revision, and that it is a vision-language model of transformers"
    return ModelError(f"The model {model.name} cannot be loaded: {first_line(error)}", mend)


def _from_unsloth(model: VlmModel, dtype: Any) -> Any:
    """The model through Unsloth, which patches transformers for speed as it is imported.

    Its adapters are peft's own, so that what trains and merges is the same code. Raises `ModelError` where it is not
    installed, finds no GPU, or is asked to quantise otherwise than it does.
    """
    if find_spec("unsloth") is None:
        raise ModelError("model.backend is unsloth, which is not installed", "Install it, or set backend: transformers")
    if model.quantization == "nf4" and set(model.quantize) != set(_UNSLOTH_QUANTIZES):
        raise ModelError("Unsloth quantises vision and language", f"Set model.quantize: {list(_UNSLOTH_QUANTIZES)}")
    if model.quantization == "nf4" and not model.double_quantization:
        raise ModelError("Unsloth always quantises twice", "Set model.double_quantization: true")
    try:
        loaded, _ = import_module("unsloth").FastVisionModel.from_pretrained(
            model.name,
            revision=model.revision,
            dtype=dtype,
            load_in_4bit=model.quantization == "nf4",
            use_exact_model_name=True,  # not a copy of its own with weights already in 4 bit
        )
    except Exception as error:  # it raises NotImplementedError without a GPU, and what files of others raise
        raise _not_loaded(model, error) from error
    return loaded
