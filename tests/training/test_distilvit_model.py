"""The prefix captioner: what goes in, what comes out, saved and loaded; the batch; the true architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, SiglipVisionConfig, SiglipVisionModel

from curation.conversation import Prompt
from tests.training import tiny_distilvit as tiny
from training.config import DistilvitConfig, load_config
from training.distilvit import setup
from training.distilvit.collate import Collator
from training.distilvit.modeling import PrefixCaptioner, PrefixCaptionerConfig, from_parts
from training.errors import TooLongError
from training.examples import Example, example_of, template_of
from training.loop import parameters_of
from training.rows import Row

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed in v6:FutureWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def captioner(models: Path) -> PrefixCaptioner:
    torch.manual_seed(0)
    return from_parts(str(models / "siglip"), str(models / "llama")).eval()


def batch(n_tokens: int = 5) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    ids = torch.randint(5, 300, (3, n_tokens))
    return {"pixel_values": torch.randn(3, 3, 32, 32), "input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_parts_are_what_was_loaded(models: Path, captioner: PrefixCaptioner) -> None:
    tower = SiglipVisionModel.from_pretrained(models / "siglip").state_dict()
    language = AutoModelForCausalLM.from_pretrained(models / "llama").state_dict()
    assert all(torch.equal(value, tower[name]) for name, value in captioner.vision.state_dict().items())
    assert all(torch.equal(value, language[name]) for name, value in captioner.language_model.state_dict().items())
    assert not any(name.startswith("head.") for name in captioner.vision.state_dict())


def test_the_prefix_stands_before_the_text(captioner: PrefixCaptioner) -> None:
    """Against the language model, called with the embeddings put together by hand."""
    given = batch()
    with torch.no_grad():
        patches = captioner.vision(pixel_values=given["pixel_values"]).last_hidden_state
        text = captioner.language_model.get_input_embeddings()(given["input_ids"])
        joined = torch.cat([captioner.projection(patches), text], dim=1)
        expected = captioner.language_model(inputs_embeds=joined).logits
        found = captioner(**given).logits
    assert captioner.n_patches == patches.shape[1] == 16
    assert torch.allclose(found, expected[:, 15:-1], atol=1e-5)


def test_the_loss_is_the_mean_over_targets(captioner: PrefixCaptioner) -> None:
    given = batch()
    labels = given["input_ids"].clone()
    labels[0, :2] = labels[1, 3:] = -100
    with torch.no_grad():
        found = captioner(**given, labels=labels)
        whole = captioner(**given, labels=labels, num_items_in_batch=torch.tensor(22))
    chances = found.logits.log_softmax(dim=-1)
    each = [-chances[row, place, labels[row, place]] for row, place in (labels != -100).nonzero()]
    assert len(each) == 11
    assert found.loss.item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)
    assert whole.loss.item() == pytest.approx(found.loss.item() / 2, rel=1e-5)


def test_padding_changes_nothing(captioner: PrefixCaptioner) -> None:
    given = batch()
    labels = given["input_ids"].clone()
    padded = {
        "pixel_values": given["pixel_values"],
        "input_ids": torch.nn.functional.pad(given["input_ids"], (0, 4), value=0),
        "attention_mask": torch.nn.functional.pad(given["attention_mask"], (0, 4), value=0),
    }
    with torch.no_grad():
        bare = captioner(**given, labels=labels)
        with_padding = captioner(**padded, labels=torch.nn.functional.pad(labels, (0, 4), value=-100))
    assert torch.allclose(bare.logits, with_padding.logits[:, :5], atol=1e-5)
    assert with_padding.loss.item() == pytest.approx(bare.loss.item(), rel=1e-6)


def test_writing_in_a_batch_is_writing_one_by_one(captioner: PrefixCaptioner) -> None:
    """Also with prompts of several lengths, padded on the left."""
    given = batch()
    settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": 0, "pad_token_id": 0}
    mask = torch.ones_like(given["input_ids"])
    mask[1, :2] = 0
    together = captioner.generate(given["pixel_values"], given["input_ids"], mask, **settings)
    for row, n_padding in enumerate((0, 2, 0)):
        alone = captioner.generate(
            given["pixel_values"][row : row + 1], given["input_ids"][row : row + 1, n_padding:], **settings
        )[0]
        assert together[row, : len(alone)].tolist() == alone.tolist()


def test_what_is_written_is_what_the_logits_say(captioner: PrefixCaptioner) -> None:
    given = batch()
    written = captioner.generate(
        given["pixel_values"], given["input_ids"], max_new_tokens=4, do_sample=False, eos_token_id=None
    )
    whole = torch.cat([given["input_ids"], written], dim=1)
    with torch.no_grad():
        logits = captioner(given["pixel_values"], whole).logits
    assert torch.equal(logits.argmax(dim=-1)[:, 5:], written)


@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_saved_and_loaded_it_is_the_same(models: Path, tmp_path: Path, projection: str) -> None:
    made = from_parts(str(models / "siglip"), str(models / "llama"), projection=projection, mlp_hidden_dim=24).eval()
    made.generation_config.max_new_tokens = 7
    made.save_pretrained(tmp_path)
    loaded = PrefixCaptioner.from_pretrained(tmp_path).eval()
    assert loaded.generation_config.max_new_tokens == 7
    assert loaded.config.to_dict() | {"_name_or_path": ""} == made.config.to_dict()
    with torch.no_grad():
        assert torch.equal(made(**batch()).logits, loaded(**batch()).logits)
    assert str(models) not in (tmp_path / "config.json").read_text("utf-8")


# --- batches


@pytest.fixture(scope="module")
def encoder(models: Path) -> Any:
    run = tiny.config(models)
    parts = setup.load_base(run.model)
    return setup.Encoder(parts.tokenizer, parts.image_processor, parts.model.n_patches, 60)


def test_caption_and_end_are_learnt_and_nothing_else(encoder: Any) -> None:
    prompt = Prompt(user="", template="plain")
    template = template_of(encoder.tokenizer, prompt)
    picture = tiny.painted_rows(1)[0][1]
    examples = [
        example_of(Row(str(n), "image_to_caption", text, picture, None, ()), template, prompt)
        for n, text in enumerate(["a red table", "two dogs and red bike near white house"])
    ]
    made = Collator(encoder.tokenizer.pad_token_id)([encoder(example) for example in examples])
    learnt = [encoder.tokenizer.decode(labels[labels != -100]) for labels in made["labels"]]
    assert learnt == ["a red table<|endoftext|>", "two dogs and red bike near white house<|endoftext|>"]
    assert encoder.tokenizer.pad_token_id == encoder.tokenizer.eos_token_id  # and yet ends are learnt, padding is not
    read = [
        encoder.tokenizer.decode(ids[mask.bool()])
        for ids, mask in zip(made["input_ids"], made["attention_mask"], strict=True)
    ]
    assert read == [f"<|endoftext|>\n\n{text}" for text in learnt]
    assert "<image>" not in "".join(read)
    assert made["pixel_values"].shape == (2, 3, 32, 32)
    is_target = made["labels"] != -100
    assert torch.equal(made["labels"][is_target], made["input_ids"][is_target])
    assert not (is_target & ~made["attention_mask"].bool()).any()


@pytest.mark.parametrize(("limits", "said"), [((3, None), "caption of sample x has 4"), ((60, 22), "x has 23 tokens")])
def test_what_is_too_long_is_named(encoder: Any, limits: tuple[int, int | None], said: str) -> None:
    strict = setup.Encoder(encoder.tokenizer, encoder.image_processor, encoder.n_patches, *limits)
    example = Example(
        "x", Image.new("RGB", (8, 8)), "<|endoftext|><image>\n\n", "a red table<|endoftext|>", ((22, 46),)
    )
    assert encoder.tokenizer.tokenize("a red table") == ["a", "Ġred", "Ġtable"]
    with pytest.raises(TooLongError, match=said):
        strict(example)


# --- true architectures, without their weights

SIGLIP = {  # config.json of google/siglip-base-patch16-224 and google/siglip-so400m-patch14-384
    "google/siglip-base-patch16-224": {},
    "google/siglip-so400m-patch14-384": {
        "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
        "image_size": 384, "patch_size": 14,
    },
}  # fmt: skip
SMOLLM = {  # config.json of HuggingFaceTB/SmolLM-*
    "HuggingFaceTB/SmolLM-135M": {
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
    "HuggingFaceTB/SmolLM-360M": {
        "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
        "num_key_value_heads": 5,
    },
    "HuggingFaceTB/SmolLM-1.7B": {
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 24, "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
}  # fmt: skip


def on_meta(config: DistilvitConfig) -> PrefixCaptioner:
    """The model that a config names, of true sizes and without weights."""
    model = config.model
    text = {"vocab_size": 49_152, "max_position_embeddings": 2_048, "tie_word_embeddings": True}
    with torch.device("meta"):
        return PrefixCaptioner(
            PrefixCaptionerConfig(
                vision_config=SiglipVisionConfig(**SIGLIP[model.vision], vision_use_head=False).to_dict(),
                text_config=LlamaConfig(**SMOLLM[model.language], **text).to_dict(),
                projection=model.projection,
                mlp_hidden_dim=model.mlp_hidden_dim,
            )
        )


@pytest.mark.parametrize(
    ("name", "n_patches", "total", "language", "projector", "n_adapters"),  # total: without adapters
    [
        # Adapters: layers x 16 x (2 x (width + width) + 2 x (width + width of keys)). distilvit's README says 2.2 M
        # of 221 M.
        ("distilvit", 196, 220_755_072, 30 * 16 * (4 * 576 + 2 * (576 + 192)), 768 * 576 + 576, 120),
        ("distilvit_quick", 196, 220_755_072, 30 * 16 * (4 * 576 + 2 * (576 + 192)), 768 * 576 + 576, 120),
        ("distilvit_modern", 196, 448_356_480, 32 * 16 * (4 * 960 + 2 * (960 + 320)), 768 * 960 + 960, 128),
        ("distilvit_large", 729, 2_126_724_976, 24 * 16 * 8 * 2048, 1152 * 2048 + 2048, 96),
    ],
)
def test_shipped_configs_at_their_true_architecture(
    name: str, n_patches: int, total: int, language: int, projector: int, n_adapters: int
) -> None:
    config = load_config(name)
    assert isinstance(config, DistilvitConfig)
    model = on_meta(config)
    assert model.n_patches == n_patches
    adapted = setup.with_adapters(model, config.model)
    counts = parameters_of(adapted, setup.component_of)
    assert {part: trainable for part, (_, trainable) in counts.items()} == {
        "language": language, "projector": projector, "vision": 0,
    }  # fmt: skip
    assert sum(n for n, _ in counts.values()) - language == total
    adapters = [n for n, _ in adapted.named_modules() if n.endswith(".lora_A.default")]
    assert len(adapters) == n_adapters
    assert all(".language_model.model.layers." in place and ".self_attn." in place for place in adapters)


def test_the_last_layers_of_the_true_tower_are_unfrozen() -> None:
    config = load_config("distilvit", ("model.unfreeze_vision_layers=2", "model.projection=mlp"))
    assert isinstance(config, DistilvitConfig)
    adapted = setup.with_adapters(on_meta(config), config.model)
    learning = {
        n.split(".modules_to_save")[0] for n, p in adapted.named_parameters() if p.requires_grad and ".lora_" not in n
    }
    assert learning == {
        "base_model.model.projection", *(f"base_model.model.vision.encoder.layers.{layer}" for layer in (10, 11)),
    }  # fmt: skip
    counts = parameters_of(adapted, setup.component_of)
    assert counts["projector"] == (768 * 2048 + 2048 + 2048 * 576 + 576,) * 2
    assert counts["vision"][1] == 2 * 7_087_872  # a layer of ViT-B


def test_label_masks_and_lengths_at_true_sizes(models: Path) -> None:
    """Real captions: every row of a batch is patches, prompt, caption and end, whatever the tower."""
    rows = tiny.coco_rows(6)
    words = AutoTokenizer.from_pretrained(models / "llama")
    words.pad_token = words.eos_token
    prompt = Prompt(user="", template="plain")
    template = template_of(words, prompt)
    from transformers import SiglipImageProcessorPil

    for name, n_patches, side in (("distilvit", 196, 224), ("distilvit_large", 729, 384)):
        config = load_config(name)
        assert isinstance(config, DistilvitConfig)
        pictures = SiglipImageProcessorPil(size={"height": side, "width": side})
        encode = setup.Encoder(words, pictures, on_meta(config).n_patches, 200)
        made = Collator(0)([
            encode(example_of(Row(str(n), "image_to_caption", text, image, None, ()), template, prompt))
            for n, (text, image) in enumerate(rows)
        ])  # fmt: skip
        assert encode.n_patches == n_patches
        assert made["pixel_values"].shape == (6, 3, side, side)
        for (text, _), labels in zip(rows, made["labels"], strict=True):
            assert words.decode(labels[labels != -100]) == f"{text}<|endoftext|>"
