"""Which part of a vision-language model a parameter belongs to: vision tower, projector or language model.

Found out of the model's structure: the tower is what transformers' `get_encoder(modality="image")` gives, the language
model what `get_decoder` and `get_output_embeddings` give. What joins the two has a name of its own in each family
(Qwen's merger sits inside the tower). A parameter that is in none of them is an error, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from curation.errors import ModelError
from training.vlm.config import Component

if TYPE_CHECKING:
    from torch.nn import Linear

COMPONENTS: Final[tuple[Component, ...]] = get_args(Component)

_MEND: Final = "Use a model of the families LLaVA, LlavaNext, Qwen-VL, Idefics3 or SmolVLM"
_PEFT_PREFIX: Final = "base_model.model."
_PROJECTORS: Final = ("multi_modal_projector", "image_newline", "connector")
"""Beside the tower: LLaVA and LlavaNext; LlavaNext's learnt line break; Idefics3 and SmolVLM."""
_PROJECTORS_IN_TOWER: Final = ("merger", "deepstack_merger_list")
"""Inside the tower: Qwen2-VL, Qwen2.5-VL, Qwen3-VL; Qwen3-VL's for features of earlier layers."""


@dataclass(frozen=True)
class Components:
    """The full names under which each part stands, and names under the tower that nothing of it is read from.

    Calling it with the name of a parameter or module, also of an adapter on it, gives its component.
    """

    projector: tuple[str, ...]
    vision: tuple[str, ...]
    language: tuple[str, ...]
    unread: tuple[str, ...]

    def __call__(self, name: str) -> Component:
        """The component. Raises `ModelError` for a name that is in none."""
        plain = name.removeprefix(_PEFT_PREFIX)
        if _is_under(plain, self.projector):  # first, because Qwen's is inside the tower
            return "projector"
        if _is_under(plain, self.vision):
            return "vision"
        if _is_under(plain, self.language):
            return "language"
        raise ModelError(
            f"{plain} is in no known part of the model", "Use LLaVA, LlavaNext, Qwen-VL, Idefics3, SmolVLM"
        )

    def is_unread(self, name: str) -> bool:
        """Whether the model computes it, if at all, without using what comes out."""
        return _is_under(name.removeprefix(_PEFT_PREFIX), self.unread)


def components_of(model: Any) -> Components:
    """The parts of a model of transformers, with or without an adapter on it.

    Raises `ModelError` where it has no tower or no language model, or a parameter that is in neither nor between them.
    """
    if hasattr(model, "get_base_model"):  # peft's wrapper
        model = model.get_base_model()
    name_of = {id(module): name for name, module in model.named_modules()}
    tower, decoder = model.get_encoder(modality="image"), model.get_decoder()
    if tower is model or tower is model.base_model or decoder is model:
        raise ModelError(
            f"{type(model).__name__} has no vision tower beside a language model", "Use a vision-language model"
        )
    tower_name, trunk = name_of[id(tower)], name_of[id(model.base_model)]
    inside = [f"{tower_name}.{name}" for name in _PROJECTORS_IN_TOWER if hasattr(tower, name)]
    beside = [f"{trunk}.{name}" for name in _PROJECTORS if hasattr(model.base_model, name)]
    head = model.get_output_embeddings()
    found = Components(
        projector=(*inside, *beside),
        vision=(tower_name,),
        language=(name_of[id(decoder)], *([name_of[id(head)]] if head is not None else [])),
        unread=tuple(_unread(model, tower, tower_name)),
    )
    if not found.projector:
        raise ModelError(f"{type(model).__name__} has no known projector", _MEND)
    for name, _ in model.named_parameters():
        found(name)
    return found


def linear_layers(model: Any, components: Components) -> dict[str, Linear]:
    """Linear layers that tokens go through, quantised ones among them, by full name; not the output embedding.

    Without those of the tower that nothing is read from: nothing could train there.
    """
    from torch.nn import Linear

    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Linear) and module is not head and not components.is_unread(name)
    }


def n_quantized(model: Any, components: Components) -> dict[Component, tuple[int, int]]:
    """Layers in 4 bit, and all linear layers but the output embedding, by component."""
    from bitsandbytes.nn.modules import Linear4bit
    from torch.nn import Linear

    head = model.get_output_embeddings()
    quantized: Counter[Component] = Counter()
    linear: Counter[Component] = Counter()
    for name, module in model.named_modules():
        # A subclass (attention's own output layer in SigLIP's head) is never replaced.
        if module is not head and (type(module) is Linear or isinstance(module, Linear4bit)):
            linear[components(name)] += 1
            quantized[components(name)] += isinstance(module, Linear4bit)
    return {component: (quantized[component], linear[component]) for component in COMPONENTS}


def _unread(model: Any, tower: Any, tower_name: str) -> list[str]:
    """LLaVA reads the features of a layer before the last: what comes after it in the tower is in vain.

    `vision_feature_layer` counts hidden states: 0 is the embedding, -1 the output of the last layer.
    """
    from torch.nn import ModuleList

    settings: Mapping[str, Any] = model.config.to_dict()
    wanted = settings.get("vision_feature_layer")
    if wanted is None:
        return []
    n_layers = int(settings["vision_config"]["num_hidden_layers"])
    layers = [int(layer) for layer in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    n_read = max(layer if layer >= 0 else n_layers + 1 + layer for layer in layers)
    stacks = [
        name for name, module in tower.named_modules() if isinstance(module, ModuleList) and len(module) == n_layers
    ]
    unread = [f"{tower_name}.{stack}.{layer}" for stack in stacks for layer in range(n_read, n_layers)]
    return unread + [f"{tower_name}.{name}" for name in ("post_layernorm", "head") if hasattr(tower, name)]


def _is_under(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)
