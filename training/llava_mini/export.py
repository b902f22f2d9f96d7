"""A trained model as LLaVA of transformers, to which it is equal: what is published opens without code of ours.

A linear projector is LLaVA's two layers with the identity as the second and nothing between. The image token gets a row
of zeros where it lies beyond the vocabulary, and is never generated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from curation.errors import ModelError
from training.llava_mini.processing import n_image_tokens

_PROJECTOR: Final = "model.multi_modal_projector."


def save_as_llava(model: Any, processor: Any, folder: Path) -> None:
    """Write a `LlavaMiniForConditionalGeneration` (adapters merged, nothing quantised) and its processor to `folder`.

    Raises `ModelError` where LLaVA cannot hold the language model.
    """
    from transformers import GenerationConfig

    llava = empty_llava(model, processor)
    llava.load_state_dict(_weights(model, llava.config.text_config.vocab_size), assign=True)
    llava.tie_weights()
    words = processor.tokenizer
    llava.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        suppress_tokens=[model.config.image_token_id],
    )
    llava.save_pretrained(folder)
    processor.save_pretrained(folder)


def empty_llava(model: Any, processor: Any) -> Any:
    """The LLaVA that the model will be, without weights. May be asked before training, of a quantised model as well.

    Raises `ModelError` where LLaVA cannot hold the language model: it has to be built as Llama's family is.
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    ours = model.config
    text = {**ours.text_config.to_dict(), "vocab_size": max(ours.text_config.vocab_size, ours.image_token_id + 1)}
    text.pop("quantization_config", None)
    config = LlavaConfig(
        vision_config=ours.vision_config.to_dict(),
        text_config=text,
        image_token_index=ours.image_token_id,
        image_seq_length=n_image_tokens(processor),
        projector_hidden_act="gelu" if ours.projector == "mlp" else "linear",
        vision_feature_layer=ours.vision_layer,
        vision_feature_select_strategy="default",
        dtype=next(model.language_model.parameters()).dtype,
    )
    mend = "Take one of Llama's family (Llama, Mistral, Qwen2, SmolLM, …)"
    problem = f"LLaVA cannot hold a language model of type {ours.text_config.model_type!r}"
    try:
        with torch.device("meta"):
            llava: Any = LlavaForConditionalGeneration(config)
    except AttributeError as error:  # a language model whose embeddings have another name
        raise ModelError(problem, mend) from error
    needed = {name for name, _ in llava.named_parameters() if not name.startswith(_PROJECTOR)}
    if needed != {named for name, _ in model.named_parameters() if (named := _name_in_llava(name))}:
        raise ModelError(problem, mend)
    return llava


def _weights(model: Any, n_rows: int) -> dict[str, Any]:
    """The weights under LLaVA's names, with embeddings of so many rows."""
    import torch

    state = {named: value for name, value in model.state_dict().items() if (named := _name_in_llava(name))}
    for name in ("model.language_model.embed_tokens.weight", "lm_head.weight"):
        extra = state[name].new_zeros(n_rows - len(state[name]), state[name].shape[1])
        state[name] = torch.cat([state[name], extra])
    dtype = state["lm_head.weight"].dtype
    layers = [layer for layer in model.projector.modules() if isinstance(layer, torch.nn.Linear)]
    pairs = [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
    if len(pairs) == 1:
        wide = layers[0].out_features
        pairs.append((torch.eye(wide), torch.zeros(wide)))
    for number, (weight, bias) in enumerate(pairs, start=1):
        state[f"{_PROJECTOR}linear_{number}.weight"] = weight.to(dtype)
        state[f"{_PROJECTOR}linear_{number}.bias"] = bias.to(dtype)
    return state


def _name_in_llava(name: str) -> str:
    """What LLaVA calls a weight; "" for the projector's, which are not one for one."""
    part, _, within = name.partition(".")
    if part == "vision_tower":
        return f"model.{name}"
    if part == "language_model":
        trunk = within.removeprefix("model.")
        return within if trunk == within else f"model.language_model.{trunk}"
    return ""
