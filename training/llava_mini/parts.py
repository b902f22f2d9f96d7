"""The model's parts: loaded, frozen or trained by stage, and what training leaves of them in a run's folder.

adapter/
  model.json              the config's section `model`
  projector.safetensors   both stages
  language/               LoRA on the language model, as peft writes it: stage chat
  probe.safetensors       one training row, on which the merged model is compared
  tokenizer, image processor, chat template
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final, Literal

from curation.errors import ModelError
from curation.tokenizers import first_line
from training.llava_mini.config import LlavaMiniModel
from training.vlm.lora import peft_config

ADAPTER: Final = "adapter"
TRAINED_OF: Final = "model.json"
PROJECTOR: Final = "projector.safetensors"
LANGUAGE: Final = "language"
PROBE: Final = "probe.safetensors"

Component = Literal["vision", "projector", "language"]
_COMPONENTS: Final[dict[str, Component]] = {
    "vision_tower": "vision",
    "projector": "projector",
    "language_model": "language",
}
_SAME: Final = ("vision", "vision_revision", "language", "language_revision", "projector", "vision_layer")
"""What stage chat must have in common with the stage that it starts from."""


def component_of(parameter: str) -> Component:
    """The part that a parameter is of, by its name."""
    return _COMPONENTS[parameter.partition(".")[0]]


def load_parts(model: LlavaMiniModel, image_token_id: int, dtype: Any, device: str, *, quantized: bool) -> Any:
    """The model around both bases, with a fresh projector in fp32, everything frozen.

    `quantized` loads the language model as `model.quantization` says. Raises `ModelError` where weights cannot be had.
    """
    from transformers import AutoModelForCausalLM, CLIPVisionModel

    from training.llava_mini.modeling import LlavaMiniForConditionalGeneration

    settings: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    vision = _loaded(CLIPVisionModel, model.vision, model.vision_revision, **settings)
    if not -1 - vision.config.num_hidden_layers <= model.vision_layer <= vision.config.num_hidden_layers:
        problem = (
            f"model.vision_layer: {model.vision} has {vision.config.num_hidden_layers} layers, not {model.vision_layer}"
        )
        raise ModelError(problem, "LLaVA takes -2, the last but one")
    if quantized and model.quantization == "nf4":
        settings["quantization_config"] = _nf4(model)
    language = _loaded(AutoModelForCausalLM, model.language, model.language_revision, **settings)
    whole = LlavaMiniForConditionalGeneration.around(
        vision, language, model.projector, model.vision_layer, image_token_id
    )
    whole.projector.to(device)
    return whole.requires_grad_(requires_grad=False)


def make_trainable(whole: Any, model: LlavaMiniModel) -> Any:
    """The model with what its stage trains: the projector, and in stage chat LoRA on the language model, new."""
    if model.stage == "chat":
        whole.language_model = _with_lora(whole.language_model, model)
    whole.projector.requires_grad_(requires_grad=True)
    return whole


def save_adapter(whole: Any, model: LlavaMiniModel, processor: Any, probe: dict[str, Any], folder: Path) -> None:
    """Write what was trained to `folder`; see the module. `folder` is there whole or not at all."""
    from safetensors.torch import save_file

    folder, whole_folder = emptied_beside(folder), folder
    state = {name: value.detach().float().contiguous() for name, value in whole.projector.state_dict().items()}
    save_file(state, folder / PROJECTOR)
    if model.stage == "chat":
        whole.language_model.save_pretrained(folder / LANGUAGE)
    save_file({name: value.contiguous() for name, value in probe.items()}, folder / PROBE)
    processor.save_pretrained(folder)
    (folder / TRAINED_OF).write_text(json.dumps(model.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    put_in_place(folder, whole_folder)


def emptied_beside(place: Path) -> Path:
    """An empty folder beside `place`, to be filled and then put there."""
    fresh = place.with_name(f"{place.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def put_in_place(fresh: Path, place: Path) -> None:
    """Make a filled folder what is at `place`."""
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def load_adapter(whole: Any, model: LlavaMiniModel, folder: Path) -> Any:
    """The model with what `save_adapter` wrote. Raises `ModelError` where it is not there or does not fit."""
    load_projector(whole, folder / PROJECTOR)
    if model.stage == "chat":
        from peft import PeftModel

        try:
            whole.language_model = PeftModel.from_pretrained(whole.language_model, str(folder / LANGUAGE))
        except Exception as error:  # files of others raise anything
            problem = f"The adapter in {folder} cannot be loaded: {first_line(error)}"
            raise ModelError(problem, "Train again") from error
    return whole


def load_projector(whole: Any, file: Path) -> None:
    """Weights of the projector out of a file. Raises `ModelError` where it cannot be read or does not fit."""
    from safetensors.torch import load_file

    try:
        whole.projector.load_state_dict(load_file(file))
    except Exception as error:  # a missing file, a cut one, another shape: each raises its own
        problem = f"The projector {file} cannot be used: {first_line(error)}"
        raise ModelError(problem, "Train stage projector") from error


def start_from(whole: Any, model: LlavaMiniModel) -> None:
    """Give a model of stage chat the projector of the run `model.start_from`.

    Raises `ModelError` where that holds none, or another model's.
    """
    folder = Path(model.start_from).expanduser() / ADAPTER
    try:
        of = json.loads((folder / TRAINED_OF).read_text("utf-8"))
    except (OSError, ValueError) as error:
        problem = f"model.start_from: {model.start_from} holds no finished run of stage projector"
        raise ModelError(problem, "Train it first: markupmill train llava_mini_projector") from error
    asked = model.model_dump(mode="json")
    for name in _SAME:
        if of.get(name) != asked[name]:
            problem = f"model.start_from: its projector is of {name} {of.get(name)!r}, not {asked[name]!r}"
            raise ModelError(problem, "Give both stages the same model")
    load_projector(whole, folder / PROJECTOR)


def _loaded(kind: Any, name: str, revision: str | None, **settings: Any) -> Any:
    """A base, all of whose weights are there: transformers would draw missing ones at random and go on.

    What a file has beyond it (CLIP's text tower) is not worth transformers' report.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, found = kind.from_pretrained(name, revision=revision, output_loading_info=True, **settings)
    except Exception as error:  # files of others raise anything
        problem = f"{name} cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check its name and revision, or give a folder") from error
    finally:
        logging.set_verbosity(verbosity)
    if missing := sorted(found["missing_keys"]):
        problem = f"{name} has no weights for {len(missing)} parameters of a {kind.__name__}, such as {missing[0]}"
        raise ModelError(problem, "Take a whole model of that kind")
    return model


def _with_lora(language: Any, model: LlavaMiniModel) -> Any:
    import peft
    from torch.nn import Linear

    assert model.lora is not None
    head = language.get_output_embeddings()
    names = [name for name, layer in language.named_modules() if isinstance(layer, Linear) and layer is not head]
    if not names:
        problem = f"{model.language} has no linear layers for LoRA"
        raise ModelError(problem, "Take one of Llama's family")
    return peft.get_peft_model(language, peft_config(model.lora, {"language": names}))


def _nf4(model: LlavaMiniModel) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=model.double_quantization,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
