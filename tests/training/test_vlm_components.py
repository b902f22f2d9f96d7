"""Which part a parameter belongs to, for each family, and what gets an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.conversation import Prompt
from curation.errors import ModelError
from tests.training.small_release import real_samples
from tests.training.tiny_models import MODELS, llava, seeded
from training.rows import Row
from training.vlm.collator import collator
from training.vlm.components import components_of, linear_layers
from training.vlm.config import Component, LoraConfig
from training.vlm.lora import targets, with_adapter
from training.vlm.strings import strings_of_model

pytestmark = pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning")

EXPECTED = {
    "model.vision_tower.encoder.layers.0.self_attn.q_proj.weight": "vision",
    "model.multi_modal_projector.linear_1.weight": "projector",
    "model.image_newline": "projector",
    "model.visual.patch_embed.proj.weight": "vision",
    "model.visual.blocks.0.attn.qkv.weight": "vision",
    "model.visual.merger.ln_q.weight": "projector",
    "model.visual.deepstack_merger_list.0.linear_fc1.weight": "projector",
    "model.vision_model.encoder.layers.0.mlp.fc1.weight": "vision",
    "model.connector.modality_projection.proj.weight": "projector",
    "model.text_model.layers.0.mlp.up_proj.weight": "language",
    "model.language_model.embed_tokens.weight": "language",
    "model.language_model.layers.1.self_attn.v_proj.weight": "language",
    "lm_head.weight": "language",
}
N_TARGETS = {  # vision, projector, language: read off each architecture
    "llava": (2 * 6, 2, 2 * 7),  # the last of 3 layers of the tower is not read
    "granite_vision": (4 * 6, 2, 2 * 7),  # all 4 layers are, the pooling head is not
    "qwen2_vl": (2 * 4, 2, 2 * 7),
    "qwen2_5_vl": (2 * 5, 2, 2 * 7),
    "qwen3_vl": (2 * 4, 2 + 2, 2 * 7),
    "idefics3": (2 * 6, 1, 2 * 7),
}


@pytest.fixture(scope="module")
def real_table(shared_data: Path) -> Row:
    [(image, text)] = real_samples(shared_data / "pubtabnet-html", "html_table", 1, 800)
    return Row("a", "table_to_html", text, image, None, ())


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: seeded(make)[0] for name, make in MODELS.items()}


def test_each_parameter_is_in_the_part_that_its_family_has_it_in(models: dict[str, Any]) -> None:
    seen = set()
    for model in models.values():
        component = components_of(model)
        for name, _ in model.named_parameters():
            assert component(name) in ("vision", "projector", "language")
            if name in EXPECTED:
                seen.add(name)
                assert component(name) == EXPECTED[name], name
    assert seen == set(EXPECTED)


def test_what_is_in_no_known_part_is_an_error() -> None:
    from torch import nn
    from transformers import LlamaConfig, LlamaForCausalLM

    model = seeded(llava)[0]
    component = components_of(model)
    with pytest.raises(ModelError, match=r"model\.resampler\.weight is in no known part of the model"):
        component("model.resampler.weight")
    model.model.resampler = nn.Linear(2, 2)
    with pytest.raises(ModelError, match=r"model\.resampler\.weight is in no known part"):
        components_of(model)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    with pytest.raises(ModelError, match="LlamaForCausalLM has no vision tower"):
        components_of(LlamaForCausalLM(LlamaConfig(vocab_size=8, **sizes)))


@pytest.mark.parametrize("name", MODELS)
def test_every_linear_layer_of_the_named_parts_and_none_else_gets_an_adapter(models: dict[str, Any], name: str) -> None:
    import torch
    from peft.tuners.lora import LoraLayer

    model = models[name]
    component = components_of(model)
    found = targets(model, component, ("vision", "projector", "language"))
    assert tuple(len(found[part]) for part in ("vision", "projector", "language")) == N_TARGETS[name]
    assert not any("lm_head" in layer for layer in found["language"])
    # what is left out of the tower: layers that nothing reads, and the pooling head
    linear = {n for n, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    left = {n.rsplit(".", 3)[0] for n in linear - {n for part in found.values() for n in part} - {"lm_head"}}
    assert left <= {"model.vision_tower.encoder.layers.2", "model.vision_tower.encoder.layers", "model.vision_tower"}

    wrapped = with_adapter(model, component, LoraConfig(layers_to_tune=("vision", "language")))
    adapted = [n for n, module in wrapped.get_base_model().named_modules() if isinstance(module, LoraLayer)]
    assert sorted(adapted) == sorted([*found["vision"], *found["language"]])
    trained = {n for n, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert trained == {n for n, _ in wrapped.named_parameters() if "lora_" in n}
    assert {component(n) for n in trained} == {"vision", "language"}
    wrapped.unload()
    assert list(linear_layers(model, component))


@pytest.mark.parametrize(
    ("parts", "checkpointing"),
    [(("vision", "language"), False), (("vision", "projector"), True), (("language",), True)],
)
@pytest.mark.parametrize("name", MODELS)
def test_gradients_come_to_every_adapter_of_the_named_parts_and_nowhere_else(
    real_table: Row, name: str, parts: tuple[Component, ...], *, checkpointing: bool
) -> None:
    import torch

    model, processor = seeded(MODELS[name])
    component = components_of(model)
    wrapped = with_adapter(model, component, LoraConfig(layers_to_tune=parts))
    for parameter_name, parameter in wrapped.named_parameters():
        if "lora_B" in parameter_name:  # begins as 0, which would stop the gradient before A
            torch.nn.init.normal_(parameter)
    if checkpointing:
        wrapped.gradient_checkpointing_enable({"use_reentrant": False})
        wrapped.enable_input_require_grads()  # as TRL's trainer does
    made = strings_of_model(processor, Prompt()).example(real_table)
    example = {"images": [made.image], "prompt": made.prompt, "completion": made.completion, "id": made.id}
    batch = collator(processor, None, "all")([example])
    wrapped.train()(**batch).loss.backward()
    with_gradient = {n for n, p in wrapped.named_parameters() if p.grad is not None and p.grad.any()}
    assert with_gradient == {n for n, _ in wrapped.named_parameters() if "lora_" in n}
    assert {component(n) for n in with_gradient} == set(parts)
    assert all(p.grad is None for n, p in wrapped.named_parameters() if n not in with_gradient)


def test_a_selector_that_matches_nothing_is_an_error() -> None:
    model = seeded(llava)[0]
    model.config.vision_feature_layer = 0  # embeddings of patches: no layer of the tower is read
    component = components_of(model)
    with pytest.raises(ModelError, match="layers_to_tune: vision matches no linear layer of LlavaFor"):
        targets(model, component, ("vision", "language"))
    assert len(targets(model, component, ("language",))["language"]) == 14


def test_how_an_adapter_begins() -> None:
    import torch

    stds = {}
    for init in ("gaussian", "default"):
        torch.manual_seed(0)
        model = seeded(llava, width=64)[0]
        wrapped = with_adapter(model, components_of(model), LoraConfig(r=16, alpha=32, use_dora=True, init=init))
        layer = wrapped.get_base_model().model.language_model.layers[0].mlp.up_proj
        assert layer.scaling == {"default": 32 / 16}
        assert not layer.lora_B["default"].weight.any()
        assert layer.use_dora == {"default": True}
        # a direction of length 1 times the weight's own norm: the layer begins as it was
        norm = layer.base_layer.weight.norm(dim=1)
        torch.testing.assert_close(layer.lora_magnitude_vector["default"].weight, norm)
        stds[init] = float(layer.lora_A["default"].weight.detach().std())
    assert stds["gaussian"] == pytest.approx(1 / 16, rel=0.1)
    assert stds["default"] == pytest.approx((1 / 64 / 3) ** 0.5, rel=0.1)  # Kaiming uniform with a = sqrt 5
