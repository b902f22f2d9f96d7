"""The CLIP loss: equal to CLIP on certain captions, with an exact gradient, which reaches all that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from curation.errors import BadInputError, ModelError
from tests.training import tiny_distilvit as tiny
from training.distilvit import setup
from training.distilvit.clip_loss import ClipLoss, open_clip_loss, pieces_of

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed in v6:FutureWarning")

CAPTIONS = ["a man on the beach", "two dogs and red bike near white house in street"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def clip(models: Path) -> Any:
    return CLIPModel.from_pretrained(models / "clip")


@pytest.fixture(scope="module")
def words(models: Path) -> Any:
    return AutoTokenizer.from_pretrained(models / "clip")


def soft_batch(n_tokens: int = 5, n_words: int = 30, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, which tokens are of a caption (the second has two fewer, and each has one before it), pictures."""
    torch.manual_seed(seed)
    is_caption = torch.ones(2, n_tokens, dtype=torch.bool)
    is_caption[:, 0] = False
    is_caption[1, -2:] = False
    return torch.randn(2, n_tokens, n_words), is_caption, torch.randn(2, 3, 32, 32)


def test_a_certain_caption_is_what_clip_reads(clip: Any, words: Any) -> None:
    """Holds our way through CLIP's text model to its own, padding and prompt around the caption included."""
    loss = ClipLoss(clip, [[number] for number in range(len(words))], words.bos_token_id, words.eos_token_id)
    ids = words(CAPTIONS, add_special_tokens=False)["input_ids"]
    logits = torch.full((2, 40, len(words)), -1e4)
    is_caption = torch.zeros(2, 40, dtype=torch.bool)
    for row, one in enumerate(ids):
        for place, number in enumerate(one, start=row + 1):
            logits[row, place, number] = 1e4
            is_caption[row, place] = True
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        image = clip.get_image_features(pixel_values=pictures).pooler_output
        text = torch.cat(
            [
                clip.get_text_features(torch.tensor([[words.bos_token_id, *one, words.eos_token_id]])).pooler_output
                for one in ids
            ]
        )
    expected = 1 - torch.nn.functional.cosine_similarity(image, text).mean()
    assert loss(logits, is_caption, pictures).item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_gradient_is_exact(clip: Any) -> None:
    """Against differences, in double precision."""
    loss = ClipLoss(clip, [[number, number + 1] for number in range(8)], 2, 3).double()
    logits, is_caption, pictures = soft_batch(n_tokens=4, n_words=8)
    try:
        image = pictures.double()
        # The loss reads logits in single precision, as they come out of a model: the text part is checked in double.
        features = torch.nn.functional.normalize(clip.get_image_features(pixel_values=image).pooler_output, dim=-1)

        def value(given: torch.Tensor) -> torch.Tensor:
            text = loss.text_features(given.softmax(dim=-1), is_caption)
            return (torch.nn.functional.normalize(text, dim=-1) * features).sum()

        assert torch.autograd.gradcheck(value, logits.double().requires_grad_(), eps=1e-6, atol=1e-6)
    finally:
        loss.float()


def test_only_the_captions_tokens_have_a_gradient(clip: Any) -> None:
    loss = ClipLoss(clip, [[number] for number in range(30)], 2, 3)
    logits, is_caption, pictures = soft_batch()
    logits.requires_grad_()
    loss(logits, is_caption, pictures).backward()
    has_gradient = logits.grad.abs().sum(dim=-1) > 0
    assert torch.equal(has_gradient, is_caption)
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_it_falls_when_it_is_optimised(clip: Any) -> None:
    loss = ClipLoss(clip, [[number] for number in range(30)], 2, 3)
    logits, is_caption, pictures = soft_batch()
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(logits, is_caption, pictures)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] - 0.3


def parts_that_learn(models: Path) -> tuple[Any, ClipLoss, dict[str, torch.Tensor]]:
    """The tiny captioner with adapters that are not at their start, and a batch."""
    run = tiny.config(models, model={"unfreeze_vision_layers": 1})
    parts = setup.load_base(run.model)
    model = setup.with_adapters(parts.model, run.model)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # at 0, no gradient would reach lora_A
            torch.nn.init.normal_(parameter, std=0.1)
    loss = open_clip_loss(str(models / "clip"), None, parts.tokenizer)
    ids = torch.tensor(parts.tokenizer(["a red table", "a man on the beach"], padding=False)["input_ids"][0])
    batch = {
        "pixel_values": torch.randn(2, 3, 32, 32), "input_ids": torch.stack([ids, ids.flip(0)]),
        "clip_pixel_values": torch.randn(2, 3, 32, 32),
    }  # fmt: skip
    return model, loss, batch


def clip_term(model: Any, loss: ClipLoss, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    logits = model(pixel_values=batch["pixel_values"], input_ids=batch["input_ids"]).logits
    return loss(logits, torch.ones_like(batch["input_ids"], dtype=torch.bool), batch["clip_pixel_values"])


def test_adapters_projection_and_unfrozen_layers_get_a_gradient_and_descend(models: Path) -> None:
    model, loss, batch = parts_that_learn(models)
    first = clip_term(model, loss, batch)
    first.backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    without = {name for name, parameter in trained.items() if parameter.grad is None or not parameter.grad.abs().sum()}
    # Only keys' biases, which softmax cancels (their gradient is rounding, if anything).
    assert all(name.endswith("k_proj.bias") for name in without)
    assert {setup.component_of(name) for name in set(trained) - without} == {"vision", "projector", "language"}

    optimizer = torch.optim.Adam(trained.values(), lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        value = clip_term(model, loss, batch)
        value.backward()
        optimizer.step()
    assert value.item() < first.item() - 0.05


def test_distilvits_way_has_none(models: Path) -> None:
    """Captions decoded under `no_grad`: whatever its weight, the sum's gradient is that of cross-entropy alone."""
    model, loss, batch = parts_that_learn(models)
    words, clip_words = AutoTokenizer.from_pretrained(models / "llama"), AutoTokenizer.from_pretrained(models / "clip")

    def gradients(weight: float) -> list[torch.Tensor]:
        model.zero_grad()
        outputs = model(pixel_values=batch["pixel_values"], input_ids=batch["input_ids"], labels=batch["input_ids"])
        with torch.no_grad():
            written = model.generate(
                batch["pixel_values"], batch["input_ids"][:, :1], max_new_tokens=6, do_sample=False
            )
            captions = words.batch_decode(written, skip_special_tokens=True)
            ids = clip_words(captions, padding=True, return_tensors="pt")["input_ids"]
            ends = torch.full((len(ids), 1), clip_words.eos_token_id)
            text = loss.clip.get_text_features(torch.cat([ids, ends], dim=1)).pooler_output
            image = loss.clip.get_image_features(pixel_values=batch["clip_pixel_values"]).pooler_output
            similarity = torch.nn.functional.cosine_similarity(image, text).mean()
        term = 1 - similarity
        assert not term.requires_grad
        (outputs.loss + weight * term).backward()
        return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    model.eval()
    assert all(torch.equal(with_it, without) for with_it, without in zip(gradients(10.0), gradients(0.0), strict=True))
    assert clip_term(model, loss, batch).requires_grad


def test_accumulated_batches_weigh_as_one(models: Path, tmp_path: Path) -> None:
    """Two batches of two make the same step as one of four, in both losses."""
    release = tiny.release(tmp_path / "release", [(text, image) for text, image in tiny.painted_rows(5)], 1)
    lines = []
    for batch_size, accumulation in ((4, 1), (2, 2)):
        run = tiny.config(
            models, model={"clip_loss_weight": 0.5}, batch_size=batch_size, gradient_accumulation=accumulation,
            max_steps=2, warmup_steps=0,
        )  # fmt: skip
        folder = tmp_path / str(batch_size)
        setup.train(run, tiny.opened(release, run), None, folder)
        lines.append(tiny.log(folder))
    for whole, parts in zip(*lines, strict=True):
        for name in ("loss", "clip_loss", "grad_norm_language", "grad_norm_projector"):
            assert parts[name] == pytest.approx(whole[name], rel=2e-4), name


def test_pieces_are_the_clip_tokens_of_a_tokens_text(models: Path, words: Any) -> None:
    own = AutoTokenizer.from_pretrained(models / "llama")
    pieces = pieces_of(own, words)
    assert len(pieces) == len(own)
    for number in own(" beach", add_special_tokens=False)["input_ids"]:
        text = own.decode([number]).strip()
        assert pieces[number] == words(text, add_special_tokens=False)["input_ids"] if text else []
    assert pieces[own.eos_token_id] == []
    space, half_a_character = own.convert_tokens_to_ids("Ġ"), own.convert_tokens_to_ids("Ã")
    assert pieces[space] == pieces[half_a_character] == []


def test_a_token_of_several_pieces_is_their_mean(clip: Any) -> None:
    loss = ClipLoss(clip, [[4, 6], [], [5]], 2, 3)
    table = clip.text_model.embeddings.token_embedding.weight
    assert torch.allclose(loss.token_embeddings[0], (table[4] + table[6]) / 2)
    assert not loss.token_embeddings[1].any()
    assert torch.equal(loss.token_embeddings[2], table[5])


def test_captions_longer_than_clip_reads_are_refused(clip: Any, models: Path) -> None:
    loss = ClipLoss(clip, [[number] for number in range(30)], 2, 3)
    assert loss.max_tokens == 75
    logits, is_caption, pictures = soft_batch(n_tokens=77)
    with pytest.raises(ModelError, match="one has 76"):
        loss(logits, is_caption, pictures)
    with pytest.raises(BadInputError, match="at most 76 tokens"):
        tiny.config(models, model={"clip_loss_weight": 0.1, "max_caption_tokens": 77})
