"""What a vision-language model and its adapter are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from training.strict import Strict

Component = Literal["vision", "projector", "language"]


class LoraConfig(Strict):
    """A low-rank adapter on every linear layer of the named components.

    `alpha` over `r` scales it. `init` "gaussian" draws A with a deviation of 1/r; "default" is peft's Kaiming. B is 0
    in both.
    """

    r: Annotated[int, Field(gt=0)] = 16
    alpha: Annotated[int, Field(gt=0)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    use_dora: bool = False
    init: Literal["default", "gaussian"] = "default"
    layers_to_tune: Annotated[tuple[Component, ...], Field(min_length=1)] = ("language",)


class VlmModel(Strict):
    """A model by its Hub id (and revision) or folder. `lora` None trains every parameter of the model.

    `quantization` "nf4" loads the base in 4 bit; `double_quantization` quantises its constants, too. `backend`
    "unsloth" loads through Unsloth where it is installed.
    """

    name: str
    revision: str | None = None
    quantization: Literal["none", "nf4"] = "none"
    quantize: Annotated[tuple[Component, ...], Field(min_length=1)] = ("vision", "language")
    double_quantization: bool = True
    lora: LoraConfig | None = LoraConfig()
    backend: Literal["transformers", "unsloth"] = "transformers"
    counted: Literal["all", "text"] = "all"
