"""The adapter: low-rank matrices on every linear layer of the named components, and on no other."""

from __future__ import annotations

from typing import Any

from curation.errors import ModelError
from training.vlm.components import COMPONENTS, Components, linear_layers
from training.vlm.config import Component, LoraConfig


def targets(model: Any, components: Components, layers_to_tune: tuple[Component, ...]) -> dict[Component, list[str]]:
    """Full names of the linear layers that get an adapter, by component.

    Raises `ModelError` where a component has none: nothing of it would be trained.
    """
    found: dict[Component, list[str]] = {component: [] for component in COMPONENTS if component in layers_to_tune}
    for name in linear_layers(model, components):
        if (component := components(name)) in found:
            found[component].append(name)
    for component, names in found.items():
        if not names:
            problem = f"layers_to_tune: {component} matches no linear layer of {type(model).__name__}"
            raise ModelError(problem, f"Name other components: {', '.join(COMPONENTS)}")
    return found


def peft_config(config: LoraConfig, names: dict[Component, list[str]]) -> Any:
    """The `LoraConfig` of peft, whose targets are full names: a part of a name would match more than was meant."""
    import peft

    return peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        use_dora=config.use_dora,
        init_lora_weights="gaussian" if config.init == "gaussian" else True,
        target_modules=[name for group in names.values() for name in group],
        bias="none",
        task_type="CAUSAL_LM",
    )


def with_adapter(model: Any, components: Components, config: LoraConfig) -> Any:
    """The model with a fresh adapter, everything else frozen.

    Raises `ModelError` where a component matches nothing, or where adapters ended up elsewhere than asked.
    """
    import peft
    from peft.tuners.lora import LoraLayer

    names = targets(model, components, config.layers_to_tune)
    wrapped = peft.get_peft_model(model, peft_config(config, names))
    asked = {name for group in names.values() for name in group}
    got = {name for name, module in wrapped.get_base_model().named_modules() if isinstance(module, LoraLayer)}
    if asked != got:
        problem = f"The adapter is on {len(got)} layers and not on the {len(asked)} asked for ({min(asked ^ got)})"
        raise ModelError(problem, "Report it")
    return wrapped
