"""A tiny SigLIP, a tiny Llama and a tiny CLIP in folders as the Hub has them, and a release of captions to train on."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import transformers as T  # noqa: N812 - short, as its own docs have it
from PIL import Image

from training.config import DistilvitConfig, checked
from training.rows import Rows, open_rows

SHARED = Path(os.environ.get("MARKUPMILL_SHARED", Path(__file__).parents[3] / "shared")) / "data"
COCO = SHARED / "coco-captions" / "train-00000-of-00001.parquet"
WIDTHS = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4}
WORDS = "a man on the beach with two dogs and red bike near white house in street of large green train table"


def tokenizer(*first: str) -> Any:
    """A byte-level BPE tokenizer; `first` names its special tokens in order of their ids: padding, start, end last."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=list(first), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([WORDS, WORDS], trainer)
    return T.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=first[0], bos_token=first[-2], eos_token=first[-1]
    )


def models(folder: Path) -> Path:
    """`siglip`, `llama` and `clip` in `folder`, seeded."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tower = T.SiglipVisionConfig(**WIDTHS, num_hidden_layers=3, image_size=32, patch_size=8)
        siglip = T.SiglipVisionModel(tower)
        # One token for padding, start and end, as SmolLM has it.
        words = tokenizer("<|endoftext|>", "<|endoftext|>", "<|endoftext|>")
        llama = T.LlamaForCausalLM(
            T.LlamaConfig(
                **WIDTHS, num_hidden_layers=2, num_key_value_heads=2, vocab_size=len(words), tie_word_embeddings=True,
                bos_token_id=0, eos_token_id=0, pad_token_id=None,
            )
        )  # fmt: skip
        clip_words = tokenizer("<pad>", "<unused>", "<start>", "<end>")
        clip = T.CLIPModel(
            T.CLIPConfig(
                text_config={
                    **WIDTHS, "num_hidden_layers": 2, "vocab_size": len(clip_words), "max_position_embeddings": 77,
                    "bos_token_id": 2, "eos_token_id": 3,
                },
                vision_config={**WIDTHS, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8},
                projection_dim=8,
            )
        )  # fmt: skip
        for parameter in (*llama.parameters(), *siglip.parameters(), *clip.parameters()):
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)  # so that something is far enough from 0 to be seen
        torch.nn.init.normal_(llama.get_input_embeddings().weight)  # tied, frozen: else no token can be certain
    siglip.save_pretrained(folder / "siglip")
    T.SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder / "siglip")
    llama.save_pretrained(folder / "llama")
    words.save_pretrained(folder / "llama")
    clip.save_pretrained(folder / "clip")
    clip_words.save_pretrained(folder / "clip")
    T.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder / "clip")  # fmt: skip
    return folder


def release(folder: Path, rows: Sequence[tuple[str, bytes]], n_validation: int) -> Path:
    """A release folder of captions; the last so many rows are validation."""
    (folder / "data").mkdir(parents=True)
    for split, part in (("train", rows[:-n_validation]), ("validation", rows[-n_validation:])):
        table = pa.table(
            {
                "image": pa.array([{"bytes": image, "path": None} for _, image in part]),
                "text": [text for text, _ in part],
                "id": [f"{split}-{number}" for number in range(len(part))],
                "task": ["image_to_caption"] * len(part),
            }
        )
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet", row_group_size=4)
    return folder


def coco_rows(n: int) -> list[tuple[str, bytes]]:
    """Captions and pictures of COCO; the test is skipped where they are not there."""
    if not COCO.is_file():
        pytest.skip(f"needs {COCO}")
    table = pq.read_table(COCO).slice(0, n)
    return [(row["captions"][0].strip(), row["image"]["bytes"]) for row in table.to_pylist()]


def painted_rows(n: int) -> list[tuple[str, bytes]]:
    """Plain pictures whose caption names their colour."""
    colours = ("red", "green", "white", "large")
    values = {"red": (220, 20, 20), "green": (20, 200, 20), "white": (250, 250, 250), "large": (20, 20, 60)}
    rows = []
    for number in range(n):
        colour = colours[number % len(colours)]
        buffer = io.BytesIO()
        Image.new("RGB", (40 + number, 32), values[colour]).save(buffer, "PNG")
        rows.append((f"a {colour} table", buffer.getvalue()))
    return rows


def config(models: Path, *, model: dict[str, Any] | None = None, **training: Any) -> DistilvitConfig:
    """A short run with the tiny models."""
    made = checked(
        {
            "setup": "distilvit",
            "data": {"release": "", "task": "image_to_caption"},
            "prompt": {"template": "plain", "user": ""},
            "model": {
                "vision": str(models / "siglip"), "language": str(models / "llama"), "clip_model": str(models / "clip"),
                "lora": {"r": 4, "alpha": 4, "dropout": 0.0}, "max_caption_tokens": 60, **(model or {}),
            },
            "training": {
                "batch_size": 2, "learning_rate": 1e-3, "device": "cpu",
                **({"max_steps": 4} if "epochs" not in training else {}), **training,
            },
            "prediction": {"max_new_tokens": 6},
            "output": "",
        }
    )  # fmt: skip
    assert isinstance(made, DistilvitConfig)
    return made


def opened(folder: Path, run: DistilvitConfig, split: str = "train", limit: int | None = None) -> Rows:
    return open_rows(folder, run.data, split, limit)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
