"""The parts of a captioner: loaded by name, given adapters, and told apart by their parameters' names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from curation.errors import ModelError
from curation.model_files import first_line
from training.distilvit.config import DistilvitModel

if TYPE_CHECKING:
    from training.distilvit.clip_loss import ClipLoss
    from training.distilvit.modeling import PrefixCaptioner

_PEFT_PREFIX: Final = "base_model.model."
_COMPONENTS: Final = {"vision": "vision", "projection": "projector", "language_model": "language"}


@dataclass(frozen=True)
class Parts:
    """A base model and what makes its inputs."""

    model: PrefixCaptioner
    tokenizer: Any
    image_processor: Any


def component_of(name: str) -> str:
    """Which part a parameter is of, by its name in the model or in peft's wrapper of it."""
    return _COMPONENTS[name.removeprefix(_PEFT_PREFIX).split(".", 1)[0]]


def load_base(model: DistilvitModel) -> Parts:
    """The base with a projection that knows nothing yet, or `base_model` whole.

    Raises `ModelError` where one cannot be had.
    """
    if model.base_model is not None:
        return load_whole(model.base_model, model.base_model_revision)
    from training.distilvit.modeling import from_parts

    try:
        captioner = from_parts(
            model.vision,
            model.language,
            vision_revision=model.vision_revision,
            language_revision=model.language_revision,
            projection=model.projection,
            mlp_hidden_dim=model.mlp_hidden_dim,
        )
    except Exception as error:  # files of others raise anything
        problem = f"{model.vision} and {model.language} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check model.vision, a SigLIP, and model.language, and their revisions") from error
    tokenizer = tokenizer_of(model.language, model.language_revision)
    return Parts(captioner, tokenizer, image_processor_of(model.vision, model.vision_revision))


def with_adapters(captioner: PrefixCaptioner, model: DistilvitModel) -> Any:
    """The model in peft's wrapper: adapters, the projection and the tower's last layers learn, the rest is frozen.

    Raises `ModelError` where a name of `lora.target_modules` is nowhere, or the tower has fewer layers than asked for.
    """
    from peft import LoraConfig, get_peft_model
    from peft.utils.other import ModulesToSaveWrapper
    from torch import nn

    names = [name for name, _ in captioner.language_model.named_modules()]
    for target in model.lora.target_modules:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            problem = f"model.lora.target_modules: {model.language} has no layer {target}"
            raise ModelError(problem, "Name layers of that model; GPT-2's are c_attn and c_proj")
    ends = "|".join(re.escape(target) for target in model.lora.target_modules)
    adapted = get_peft_model(
        captioner,
        LoraConfig(
            r=model.lora.r,
            lora_alpha=model.lora.alpha,
            lora_dropout=model.lora.dropout,
            target_modules=rf"language_model\.(?:.*\.)?(?:{ends})",
            modules_to_save=["projection", *unfrozen_layers(captioner, model.unfreeze_vision_layers)],
        ),
    )
    for module in adapted.modules():
        if isinstance(module, ModulesToSaveWrapper):  # it trains a copy; the original would only be counted and held
            module.original_module = nn.Identity()
    return adapted


def unfrozen_layers(captioner: PrefixCaptioner, n_layers: int) -> list[str]:
    """Names of the tower's last so many layers. Raises `ModelError` where it has fewer."""
    n_all = len(captioner.vision.encoder.layers)
    if n_layers > n_all:
        problem = f"model.unfreeze_vision_layers is {n_layers}, and the tower has {n_all} layers"
        raise ModelError(problem, f"Set it to 0 … {n_all}")
    return [f"vision.encoder.layers.{index}" for index in range(n_all - n_layers, n_all)]


def clip_loss_of(model: DistilvitModel, tokenizer: Any) -> ClipLoss | None:
    """The CLIP loss that a config asks for. Raises `ModelError` where CLIP cannot be had, or reads too little."""
    if not model.clip_loss_weight:
        return None
    from training.distilvit.clip_loss import open_clip_loss  # noqa: PLC0415 - it imports torch

    try:
        loss = open_clip_loss(model.clip_model, model.clip_revision, tokenizer)
    except Exception as error:  # files of others raise anything
        problem = f"The CLIP model {model.clip_model} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check model.clip_model, or set model.clip_loss_weight: 0") from error
    if model.max_caption_tokens - 1 > loss.max_tokens:
        problem = f"{model.clip_model} reads captions of {loss.max_tokens} tokens, and they may have more"
        raise ModelError(problem, f"Set model.max_caption_tokens: {loss.max_tokens + 1}")
    return loss


def load_whole(name: str, revision: str | None) -> Parts:
    """A captioner of this set-up, by folder or Hub id. Raises `ModelError` where it cannot be had."""
    from training.distilvit.modeling import PrefixCaptioner

    try:
        captioner = PrefixCaptioner.from_pretrained(name, revision=revision)
    except Exception as error:  # files of others raise anything
        problem = f"The captioner {name} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Give a model that this set-up trained") from error
    return Parts(captioner, tokenizer_of(name, revision), image_processor_of(name, revision))


def tokenizer_of(name: str, revision: str | None) -> Any:
    """A language model's tokenizer. Raises `ModelError` where there is none, or one without an end token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    except Exception as error:  # files of others raise anything
        raise ModelError(f"The tokenizer of {name} cannot be loaded: {first_line(error)}", "Check its name") from error
    if tokenizer.eos_token_id is None:
        raise ModelError(f"The tokenizer of {name} has no end-of-text token", "Use another language model")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked by its place, so that the end is still learnt
    return tokenizer


def image_processor_of(name: str, revision: str | None) -> Any:
    """What makes a model's pictures. Raises `ModelError` where there is none."""
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(name, revision=revision)
    except Exception as error:  # files of others raise anything
        raise ModelError(f"{name} has no image processor: {first_line(error)}", "Check its name") from error
