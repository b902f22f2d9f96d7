"""Set-up 2: what is learned of a conversation, how padding does not matter, and which model it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as T  # noqa: N812 - short, as its own docs have it
from PIL import Image

from curation.conversation import Prompt
from curation.errors import ModelError
from curation.sources.llava_chat import LlavaChat
from rendering.errors import BadInputError
from tests.training.tiny_llava_mini import (
    TINYLLAMA_TEMPLATE,
    bases,
    chat_row,
    coco,
    config_for,
    conversation,
    pictures,
    tokenizer,
)
from training.config import LlavaMiniConfig, load_config
from training.errors import SampleError, TooLongError
from training.examples import example_of, template_of
from training.lengths import counter_of
from training.llava_mini.collate import NOT_LEARNED, Collator, Encoder
from training.llava_mini.export import empty_llava, save_as_llava
from training.llava_mini.parts import component_of, load_parts, make_trainable
from training.llava_mini.processing import build_processor, n_image_tokens, with_pictures
from training.loop import parameters_of
from training.rows import Row

# peft 0.21 asks transformers 5.23 by a property's old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

CHAT = Prompt()
PLAIN = Prompt(template="plain")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def processor(folders: tuple[Path, Path]) -> Any:
    return build_processor(config_for("llava_mini_projector", *folders).model)


def model_of(folders: tuple[Path, Path], processor: Any, *settings: str) -> Any:
    torch.manual_seed(0)
    chosen = config_for("llava_mini_projector", *folders, *settings).model
    return load_parts(chosen, processor.image_token_id, torch.float32, "cpu", quantized=True).eval()


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path], processor: Any) -> Any:
    return model_of(folders, processor)


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict[str, Any]]:
    return coco(shared_data, 6)


def encoded(processor: Any, row: Row, prompt: Prompt = CHAT, max_length: int | None = None) -> dict[str, Any]:
    example = example_of(row, template_of(processor, prompt), prompt)
    return Encoder(processor, max_length).encode(example.id, example.text, example.spans, example.image)


def learned(processor: Any, row: dict[str, Any]) -> list[str]:
    """What the labels say, a string for each stretch of them."""
    stretches: list[list[int]] = [[]]
    for label in row["labels"]:
        if label == NOT_LEARNED:
            stretches.append([])
        else:
            stretches[-1].append(label)
    return [processor.tokenizer.decode(stretch) for stretch in stretches if stretch]


def test_of_a_conversation_every_answer_is_learned_with_its_end_and_nothing_else(
    processor: Any, rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        answers = [turn["content"] + "</s>" for turn in conversation(row) if turn["role"] == "assistant"]
        assert len(answers) >= 2
        made = encoded(processor, chat_row(row))
        assert learned(processor, made) == answers
        labelled = [
            (token, label) for token, label in zip(made["input_ids"], made["labels"], strict=True) if label >= 0
        ]
        assert all(token == label for token, label in labelled)


def test_llavas_own_format_is_learned_with_the_space_before_an_answer(
    processor: Any, rows: list[dict[str, Any]]
) -> None:
    answers = [f" {turn['content']}</s>" for turn in conversation(rows[0]) if turn["role"] == "assistant"]
    assert learned(processor, encoded(processor, chat_row(rows[0]), Prompt(template="llava-1.5"))) == answers


def test_llavas_chat_json_is_learned_as_it_stands(processor: Any, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(rows[0]["image"]["bytes"])
    said = ["<image>\nIs it a room?", "Yes, it is.", "How big?", "Small."]
    turns = [{"from": ("human", "gpt")[i % 2], "value": value} for i, value in enumerate(said)]
    (tmp_path / "chat.json").write_text(json.dumps([{"id": "1", "image": "a.png", "conversations": turns}]))
    source = LlavaChat(address=str(tmp_path / "chat.json"), images=str(tmp_path))
    piece = next(iter(source.pieces(10)))
    found = source.read_texts(piece).to_pylist()[0]["messages"]
    image = source.read_images(piece, [0]).to_pylist()[0]["bytes"]
    made = encoded(processor, Row("1", "image_chat", "", image, tuple(found), ()))
    assert learned(processor, made) == ["Yes, it is.</s>", "Small.</s>"]


def test_the_processor_of_transformers_makes_the_same_tokens(processor: Any, rows: list[dict[str, Any]]) -> None:
    example = example_of(chat_row(rows[0]), template_of(processor, CHAT), CHAT)
    made = Encoder(processor, None).encode(example.id, example.text, example.spans, example.image)
    theirs = processor(images=[example.image], text=[example.text], return_tensors="pt")  # adds no <s> of its own
    assert theirs["input_ids"].tolist() == [made["input_ids"]]
    assert torch.equal(theirs["pixel_values"][0], made["pixel_values"])
    assert example.text.startswith("<s><|user|>\n<image>\nWhat do you see?</s>\n<|assistant|>\n")


def test_a_long_sample_is_an_error_that_names_it(processor: Any, rows: list[dict[str, Any]]) -> None:
    row = chat_row(rows[0])
    n = len(encoded(processor, row)["input_ids"])
    assert len(encoded(processor, row, max_length=n)["input_ids"]) == n
    with pytest.raises(TooLongError, match=f"{row.id} has {n} tokens, and max_seq_length is {n - 1}"):
        encoded(processor, row, max_length=n - 1)


def test_a_tokenizer_of_sentences_pieces_is_learned_alike(
    folders: tuple[Path, Path], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    """TinyLlama's is a LlamaTokenizer: it marks spaces, falls back on bytes, and begins every text with `<s>`."""
    pieces = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for char in "▁" + "".join(
        sorted(set("".join(turn["content"] for row in rows for turn in conversation(row))) - {" "})
    ):
        pieces.setdefault(char, len(pieces))
    pieces["▁a"] = len(pieces)
    words = T.LlamaTokenizer(vocab=pieces, merges=[("▁", "a")], legacy=False, add_bos_token=True)
    words.chat_template = TINYLLAMA_TEMPLATE
    words.save_pretrained(tmp_path)
    T.AutoConfig.from_pretrained(folders[1]).save_pretrained(tmp_path)
    assert words("a")["input_ids"][0] == 1
    made = build_processor(config_for("llava_mini_projector", folders[0], tmp_path).model)
    assert type(made.tokenizer) is T.LlamaTokenizer
    assert made.tokenizer.pad_token == "<unk>"
    for prompt, before in ((CHAT, ""), (Prompt(template="llava-1.5"), " ")):
        for row in rows:
            example = example_of(chat_row(row), template_of(made, prompt), prompt)
            one = Encoder(made, None).encode(example.id, example.text, example.spans, example.image)
            answers = [f"{turn['content']}</s>" for turn in conversation(row) if turn["role"] == "assistant"]
            assert learned(made, one) == answers  # decoding drops the space that a piece begins with
            firsts = [
                one["labels"][i] for i in range(1, len(one["labels"])) if one["labels"][i - 1] < 0 <= one["labels"][i]
            ]
            starts = {made.tokenizer.convert_ids_to_tokens(first)[:1] == "▁" for first in firsts}
            assert starts == {bool(before)}
            theirs = made(images=[example.image], text=[example.text], return_tensors="pt")
            assert theirs["input_ids"].tolist() == [one["input_ids"]]
            assert one["input_ids"].count(1) == 1


def test_a_tower_whose_pictures_have_another_size_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    T.CLIPConfig.from_pretrained(folders[0]).save_pretrained(tmp_path)
    pictures(48).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"reads 32 px, but its image processor makes \(3, 48, 48\)"):
        build_processor(config_for("llava_mini_projector", tmp_path, folders[1]).model)


@pytest.mark.parametrize("prompt", [CHAT, PLAIN, Prompt(template="llava-1.5")])
def test_rows_are_as_long_as_the_token_filter_counts_them(
    processor: Any, rows: list[dict[str, Any]], prompt: Prompt
) -> None:
    counter = counter_of(processor, prompt, "image_chat", None, n_image_tokens(processor))
    counts = counter.count([""] * len(rows), [(64, 48)] * len(rows), [conversation(row) for row in rows])
    assert counts == [len(encoded(processor, chat_row(row), prompt)["input_ids"]) for row in rows]


def test_a_template_that_writes_no_picture_is_an_error_that_names_the_sample(processor: Any) -> None:
    with pytest.raises(SampleError, match="The sample r7 has 0 image marks"):
        Encoder(processor, None).encode("r7", "<s>a dog</s>", [(3, 12)], Image.new("RGB", (8, 8)))


def test_a_template_for_text_gets_the_picture_and_its_beginning() -> None:
    made = with_pictures("{% for m in messages %}[{{ m['content'] }}]{% endfor %}", begins=True)
    assert made is not None
    words = tokenizer()
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "a <b> & c"}]}
    assert words.apply_chat_template([turn], chat_template=made, tokenize=False) == "<s>[<image>\na <b> & c]"
    plain = {"role": "user", "content": "only text"}
    assert words.apply_chat_template([plain], chat_template=made, tokenize=False) == "<s>[only text]"
    own = "{{ bos_token }}{% if 'image' %}{% endif %}"
    assert with_pictures(own, begins=True) == own
    assert with_pictures(None, begins=True) is None


def batch_of(processor: Any, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return Collator(processor.tokenizer.pad_token_id)([encoded(processor, chat_row(row)) for row in rows])


def test_the_loss_of_a_padded_batch_is_that_of_its_rows_alone(
    model: Any, processor: Any, rows: list[dict[str, Any]]
) -> None:
    batch = batch_of(processor, rows)
    assert (batch["attention_mask"] == 0).sum() > 10
    alone = [batch_of(processor, [row]) for row in rows]
    weights = [int((one["labels"] != NOT_LEARNED).sum()) for one in alone]
    with torch.no_grad():
        losses = [float(model(**one).loss) for one in alone]
        together = float(model(**batch).loss)
    mean = sum(loss * n for loss, n in zip(losses, weights, strict=True)) / sum(weights)
    assert together == pytest.approx(mean, abs=1e-5)
    assert max(losses) - min(losses) > 1e-3  # else anything would pass


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_stands_in_the_padding_changes_nothing(
    model: Any, processor: Any, rows: list[dict[str, Any]], side: str
) -> None:
    batch = batch_of(processor, rows)
    if side == "left":
        for row, n in enumerate((batch["attention_mask"] == 0).sum(1).tolist()):
            for name in ("input_ids", "attention_mask", "labels"):
                batch[name][row] = batch[name][row].roll(n)
    is_padding = batch["attention_mask"] == 0
    assert (batch["labels"][is_padding] == NOT_LEARNED).all()
    assert (batch["input_ids"][is_padding] == processor.tokenizer.eos_token_id).all()  # it pads as it ends
    with torch.no_grad():
        before = model(**batch)
        batch["input_ids"][is_padding] = torch.randint(5, 250, (int(is_padding.sum()),))
        after = model(**batch)
    assert torch.equal(before.loss, after.loss)
    assert torch.equal(before.logits[~is_padding], after.logits[~is_padding])


def test_left_and_right_padding_give_the_same_logits(model: Any, processor: Any, rows: list[dict[str, Any]]) -> None:
    right = batch_of(processor, rows[:2])
    left = {name: value.clone() for name, value in right.items()}
    shifts = (right["attention_mask"] == 0).sum(1).tolist()
    assert max(shifts) > 0
    for row, n in enumerate(shifts):
        for name in ("input_ids", "attention_mask", "labels"):
            left[name][row] = left[name][row].roll(n)
    with torch.no_grad():
        to_right, to_left = model(**right).logits, model(**left).logits
    torch.testing.assert_close(to_left[left["attention_mask"] == 1], to_right[right["attention_mask"] == 1])


@pytest.mark.parametrize(
    ("mask", "positions"), [([1, 1, 1, 0, 0], [0, 1, 2, 2, 2]), ([0, 0, 1, 1, 1], [0, 0, 0, 1, 2])]
)
def test_the_first_token_is_at_position_0_wherever_the_padding_is(
    model: Any, monkeypatch: pytest.MonkeyPatch, mask: list[int], positions: list[int]
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        model.language_model, "forward", given.update
    )  # Llama's own positions do not show in its logits
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(model.language_model), "__call__", lambda self, **kwargs: self.forward(kwargs))
        model(torch.tensor([[5, 6, 7, 8, 9]]), attention_mask=torch.tensor([mask]))
    assert given["position_ids"].tolist() == [positions]
    assert given["attention_mask"].tolist() == [mask]


def prompts(processor: Any, rows: list[dict[str, Any]]) -> list[tuple[str, Image.Image]]:
    """Conversations up to the last answer, of different lengths."""
    examples = [example_of(chat_row(row), template_of(processor, CHAT), CHAT) for row in rows]
    return [(e.text[: e.spans[i % 2][0]], e.image) for i, e in enumerate(examples)]


def test_a_batch_padded_on_the_left_is_answered_as_one_by_one(
    model: Any, processor: Any, rows: list[dict[str, Any]]
) -> None:
    asked = prompts(processor, rows)
    greedy = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": processor.tokenizer.pad_token_id}
    texts, images = [text for text, _ in asked], [image for _, image in asked]
    batch = processor(images=images, text=texts, padding=True, return_tensors="pt")
    assert (batch["attention_mask"][:, 0] == 0).any()
    together = model.generate(**batch, **greedy)[:, batch["input_ids"].shape[1] :]
    for row, (text, image) in enumerate(asked):
        one = processor(images=[image], text=[text], return_tensors="pt")
        alone = model.generate(**one, **greedy)
        assert torch.equal(alone[:, : one["input_ids"].shape[1]], one["input_ids"])
        answer = alone[0, one["input_ids"].shape[1] :]
        assert torch.equal(together[row, : len(answer)], answer)
        assert len(answer) > 0


def test_pictures_are_the_patches_of_the_last_layer_but_one(model: Any, processor: Any, folders: Any) -> None:
    clip = T.CLIPVisionModel.from_pretrained(folders[0]).eval()
    pixels = processor.image_processor(images=[Image.effect_noise((40, 60), 80).convert("RGB")], return_tensors="pt")
    with torch.no_grad():
        states = clip.pre_layrnorm(clip.embeddings(pixels["pixel_values"]))
        for layer in clip.encoder.layers[:-1]:
            states = layer(states, None)
        seen = model.patches(pixels["pixel_values"])
        words = model.embed(torch.tensor([[1, *[processor.image_token_id] * 16, 9]]), pixels["pixel_values"])
        embeddings = model.get_input_embeddings()(torch.tensor([1, 9]))
        projected = model.projector(states[:, 1:])
    assert seen.shape == (1, 16, 16)
    torch.testing.assert_close(seen, states[:, 1:])
    torch.testing.assert_close(words[0], torch.cat([embeddings[:1], projected[0], embeddings[1:]]))


def test_image_tokens_and_patches_must_be_as_many(model: Any, processor: Any) -> None:
    ids = torch.tensor([[1, *[processor.image_token_id] * 15]])
    with pytest.raises(ValueError, match="15 image tokens for 16 patches"):
        model(ids, pixel_values=torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="image tokens and no pictures"):
        model(ids)


@pytest.mark.parametrize("projector", ["linear", "mlp"])
def test_saved_and_loaded_the_model_is_the_same(
    folders: tuple[Path, Path], processor: Any, rows: list[dict[str, Any]], tmp_path: Path, projector: str
) -> None:
    model = model_of(folders, processor, f"model.projector={projector}")
    model.save_pretrained(tmp_path)
    again = T.AutoModelForImageTextToText.from_pretrained(tmp_path).eval()
    assert type(again) is type(model)
    theirs = {**model.config.to_dict(), "architectures": [type(model).__name__], "_name_or_path": str(tmp_path)}
    assert again.config.to_dict() == theirs
    batch = batch_of(processor, rows[:2])
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, model(**batch).logits)
    layers = [type(layer).__name__ for layer in again.projector.modules()]
    assert layers == {"linear": ["Linear"], "mlp": ["Sequential", "Linear", "GELU", "Linear"]}[projector]


@pytest.mark.parametrize("kind", ["llama", "tied", "more rows than tokens", "mlp"])
def test_published_it_is_the_same_model(
    folders: tuple[Path, Path], processor: Any, rows: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    settings = ["model.projector=mlp"] if kind == "mlp" else []
    if kind in ("tied", "more rows than tokens"):
        config = T.AutoConfig.from_pretrained(folders[1])
        config.tie_word_embeddings, config.vocab_size = kind == "tied", config.vocab_size + (kind != "tied") * 20
        T.LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
        settings = [f"model.language={tmp_path / 'llama'}"]
    model = model_of(folders, processor, *settings)
    save_as_llava(model, processor, tmp_path / "model")
    llava = T.AutoModelForImageTextToText.from_pretrained(tmp_path / "model").eval()
    batch = batch_of(processor, rows[:3])
    with torch.no_grad():
        ours, theirs = model(**batch).logits, llava(**batch).logits
    is_token = batch["attention_mask"] == 1
    torch.testing.assert_close(theirs[is_token][:, : ours.shape[-1]], ours[is_token], atol=1e-5, rtol=1e-5)
    assert theirs.shape[-1] == max(ours.shape[-1], processor.image_token_id + 1)
    assert llava.config.text_config.tie_word_embeddings == (kind == "tied")


def test_what_llava_cannot_hold_is_refused_before_it_is_trained(
    folders: tuple[Path, Path], processor: Any, tmp_path: Path
) -> None:
    T.GPT2LMHeadModel(T.GPT2Config(n_embd=32, n_layer=1, n_head=4, vocab_size=320)).save_pretrained(tmp_path / "gpt2")
    phi = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "vocab_size": 320,
    }
    T.PhiForCausalLM(T.PhiConfig(**phi)).save_pretrained(tmp_path / "phi")
    for kind in ("gpt2", "phi"):
        model = model_of(folders, processor, f"model.language={tmp_path / kind}")
        with pytest.raises(ModelError, match=f"LLaVA cannot hold a language model of type '{kind}'"):
            empty_llava(model, processor)


def test_bases_stay_as_they_are_around_a_new_projector(model: Any, folders: tuple[Path, Path]) -> None:
    clip, llama = T.CLIPVisionModel.from_pretrained(folders[0]), T.AutoModelForCausalLM.from_pretrained(folders[1])
    for part, base in ((model.vision_tower, clip), (model.language_model, llama)):
        assert part.config._attn_implementation == base.config._attn_implementation == "sdpa"
        for name, value in base.state_dict().items():
            assert torch.equal(part.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("model.stage=chat", "model.lora={}"), "stage chat needs lora, and in start_from"),
        (("model.lora={}",), "leave lora and start_from out"),
        (
            ("model.stage=chat", "model.start_from=x", "model.lora={layers_to_tune: [vision]}"),
            "LoRA goes on the language",
        ),
        (("model.projector=conv",), "linear"),
        (("model.vison_layer=-1",), "vison_layer"),
    ],
)
def test_a_config_that_says_two_things_is_refused(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_config("llava_mini_projector", settings)


def true_model(config: LlavaMiniConfig) -> Any:
    """CLIP ViT-L/14 and TinyLlama-1.1B as their config.json say, without weights."""
    from training.llava_mini.modeling import LlavaMiniForConditionalGeneration, LlavaMiniModelConfig

    assert config.model.vision == "openai/clip-vit-large-patch14"
    assert config.model.language == "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
    vision = {
        "model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
        "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "projection_dim": 768,
    }  # fmt: skip
    text = {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32_000, "max_position_embeddings": 2048,
    }  # fmt: skip
    made = LlavaMiniModelConfig(
        vision_config=vision, text_config=text, projector=config.model.projector, vision_layer=config.model.vision_layer
    )
    with torch.device("meta"):
        whole = LlavaMiniForConditionalGeneration(made).requires_grad_(requires_grad=False)
        return make_trainable(whole, config.model)


@pytest.mark.parametrize(("projector", "n_projector"), [("linear", 2_099_200), ("mlp", 6_295_552)])
def test_stage_one_of_the_true_model_trains_the_projector_alone(projector: str, n_projector: int) -> None:
    config = load_config("llava_mini_projector", (f"model.projector={projector}",))
    assert isinstance(config, LlavaMiniConfig)
    assert parameters_of(true_model(config), component_of) == {
        "language": (1_100_048_384, 0),
        "projector": (n_projector, n_projector),
        "vision": (303_179_776, 0),
    }


def test_stage_two_of_the_true_model_trains_projector_and_lora_on_every_block() -> None:
    config = load_config("llava_mini_chat")
    assert isinstance(config, LlavaMiniConfig)
    model = true_model(config)
    # r (in + out) of q, k, v, o, gate, up, down, in 22 blocks.
    block = 16 * (2 * (2048 + 2048) + 2 * (2048 + 256) + 3 * (2048 + 5632))
    assert parameters_of(model, component_of) == {
        "language": (1_100_048_384 + 22 * block, 22 * block),
        "projector": (2_099_200, 2_099_200),
        "vision": (303_179_776, 0),
    }
    targets = {name.partition(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A" in name}
    assert len(targets) == 22 * 7
    assert all(target.startswith("language_model.") for target in targets)
    assert {target.rpartition(".")[2] for target in targets} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    scaling = {layer.scaling["default"] for layer in model.modules() if hasattr(layer, "lora_A")}
    assert scaling == {2.0}
    trainable = sum(n for _, n in parameters_of(model, component_of).values())
    assert trainable == 14_714_880


def test_a_real_picture_takes_256_tokens_of_vit_l_14(rows: list[dict[str, Any]], shared_data: Path) -> None:
    processor = T.LlavaProcessor(
        image_processor=pictures(224), tokenizer=tokenizer_with_image(), patch_size=14, image_token="<image>",
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip
    assert n_image_tokens(processor) == 256
    for row in coco(shared_data, 2, side_px=640):
        caption = row["captions"][0].strip()
        prompt = Prompt(user="Provide a brief description of the given image.", template="plain")
        made = encoded(processor, Row("1", "image_to_caption", caption, row["image"]["bytes"], None, ()), prompt, 2_048)
        assert made["input_ids"].count(processor.image_token_id) == 256
        assert made["pixel_values"].shape == (3, 224, 224)
        assert learned(processor, made) == [f"{caption}</s>"]


def tokenizer_with_image() -> Any:
    words = tokenizer()
    words.add_tokens([T.AddedToken("<image>", special=True, normalized=False)], special_tokens=True)
    return words
