"""A tiny CLIP and a tiny chat model on the disk, and releases of real pictures with captions and with conversations."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import transformers as T  # noqa: N812 - short, as its own docs have it
from PIL import Image

from curation.sample import IMAGE_TYPE, sha256_hex
from training.config import LlavaMiniConfig, load_config
from training.rows import Row

# As TinyLlama-1.1B-Chat-v1.0 has it in its tokenizer_config.json (Zephyr's): for text alone, without <s>.
TINYLLAMA_TEMPLATE = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def bases(folder: Path, width: int = 32) -> tuple[Path, Path]:
    """CLIP (text tower and all, as on the Hub) with 16 patches, and a Llama whose tokenizer begins with `<s>` and pads
    with `</s>`, as TinyLlama's do."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4}
        clip = T.CLIPModel(
            T.CLIPConfig(
                vision_config={**shape, "num_hidden_layers": 3, "image_size": 32, "patch_size": 8},
                text_config={**shape, "num_hidden_layers": 1, "vocab_size": 8, "max_position_embeddings": 8},
            )
        )
        words = tokenizer()
        llama = T.LlamaForCausalLM(
            T.LlamaConfig(
                hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=2048, vocab_size=len(words), initializer_range=0.2,
                bos_token_id=1, eos_token_id=2, pad_token_id=0,
            )
        )  # fmt: skip
    clip.save_pretrained(folder / "clip")
    pictures(32).save_pretrained(folder / "clip")
    llama.save_pretrained(folder / "llama")
    words.save_pretrained(folder / "llama")
    return folder / "clip", folder / "llama"


def pictures(side_px: int) -> Any:
    """CLIP's image processor: the shorter side to this size, the middle cut out."""
    return T.CLIPImageProcessor(size={"shortest_edge": side_px}, crop_size={"height": side_px, "width": side_px})


def tokenizer() -> Any:
    """A byte-level BPE with TinyLlama's special tokens and template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet)
    made.train_from_iterator(["<|user|> <|assistant|> a man with the dog on the street, a cat in the room"], trainer)
    return T.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        add_bos_token=True, chat_template=TINYLLAMA_TEMPLATE,
    )  # fmt: skip


def coco(shared_data: Path, n: int, side_px: int = 64) -> list[dict[str, Any]]:
    """The first `n` pictures of COCO with captions and objects; made smaller, which saves time."""
    found = pq.read_table(shared_data / "coco-captions").slice(0, n).to_pylist()
    for row in found:
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            small = image.convert("RGB")
        small.thumbnail((side_px, side_px))
        held = io.BytesIO()
        small.save(held, "PNG")
        row["image"]["bytes"] = held.getvalue()
    return found


def conversation(row: dict[str, Any]) -> list[dict[str, str]]:
    """Two or three questions about a picture and their answers, out of its caption and its annotated objects."""
    turns = [("What do you see?", row["captions"][0].strip())]
    turns.append(("Is there a dog?", "Yes." if "dog" in row["objects"] else "No."))
    if row["objects"]:
        turns.append(("What else is there?", ", ".join(row["objects"])))
    roles = ("user", "assistant")
    return [{"role": role, "content": said} for turn in turns for role, said in zip(roles, turn, strict=True)]


def chat_row(row: dict[str, Any]) -> Row:
    """A row of `image_chat` as training reads it."""
    return Row(str(row["image_id"]), "image_chat", "", row["image"]["bytes"], tuple(conversation(row)), ())


def release(folder: Path, rows: list[dict[str, Any]], task: str, n_validation: int = 2) -> Path:
    """A release of captions or conversations about rows of COCO."""
    samples = [
        {
            "id": sha256_hex(f"{row['image_id']}"),
            "image": row["image"],
            "text": row["captions"][0].strip() if task == "image_to_caption" else None,
            "task": task,
            "messages": conversation(row) if task == "image_chat" else None,
        }
        for row in rows
    ]
    return write_release(folder, samples, n_validation)


def write_release(folder: Path, samples: list[dict[str, Any]], n_validation: int) -> Path:
    """A folder as `curation` writes a release: the first samples are its split `validation`, the others `train`."""
    (folder / "data").mkdir(parents=True)
    strings = [(name, pa.string()) for name in ("text", "task", "id")]
    schema = pa.schema([("image", IMAGE_TYPE), *strings, ("messages", MESSAGES)])
    for split, part in (("train", samples[n_validation:]), ("validation", samples[:n_validation])):
        pq.write_table(pa.Table.from_pylist(part, schema), folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def config_for(name: str, clip: Path, llama: Path, *settings: str) -> LlavaMiniConfig:
    """A shipped config with the tiny bases and a few steps in it."""
    chosen = load_config(
        name,
        (
            f"model.vision={clip}", f"model.language={llama}", "training.max_steps=4", "training.warmup_steps=0",
            "training.save_steps=2", "training.log_steps=1", "training.device=cpu", "prediction.max_new_tokens=8",
            *settings,
        ),
    )  # fmt: skip
    assert isinstance(chosen, LlavaMiniConfig)
    return chosen
