r"""Conversations as the tensors that the model learns from.

Learned is what the assistant says, and the token that ends each of its turns. Nothing else is: not the picture, not
what the user says, not the padding, which is masked by its place and not by its token (TinyLlama pads with `</s>`).

    ids      <s> <image>…<image> \n USER : A  cat ? ASSISTANT : Yes  .  </s> <pad>
    labels    .    .        .    .   .  .  .   .  .     .     . Yes  .  </s>   .       (.: -100)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from training.errors import SampleError, TooLongError
from training.llava_mini.processing import n_image_tokens

NOT_LEARNED: Final = -100
"""What transformers' loss leaves out."""


@dataclass(frozen=True)
class Encoder:
    """Makes of a rendered conversation and its picture what one row of a batch is.

    `processor` is LLaVA's; `max_length` is in tokens, those of the picture among them (None: as long as it is).
    """

    processor: Any
    max_length: int | None

    def encode(self, sample_id: str, text: str, spans: Sequence[tuple[int, int]], image: Image.Image) -> dict[str, Any]:
        """`input_ids` and `labels` (lists of one length) and `pixel_values` (3, height, width).

        `text` has the image's mark once, and all special tokens; `spans` are the characters of it that are learned.
        Raises `TooLongError` over `max_length`, `SampleError` where the text has not one mark; both name the sample.
        """
        encoded = self.processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        n_image, image_id = n_image_tokens(self.processor), self.processor.image_token_id
        if (n_marks := encoded["input_ids"].count(image_id)) != 1:
            problem = f"The sample {sample_id} has {n_marks} image marks in its conversation"
            raise SampleError(problem, "It needs one: use a chat template that writes pictures")
        ids: list[int] = []
        labels: list[int] = []
        for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            times = n_image if token == image_id else 1
            # A token may begin with the white space before a span ("▁Yes" after "ASSISTANT: ").
            learned = any(start < last and end > first for first, last in spans)
            ids += [token] * times
            labels += [token if learned else NOT_LEARNED] * times
        if self.max_length is not None and len(ids) > self.max_length:
            problem = f"The sample {sample_id} has {len(ids)} tokens, and max_seq_length is {self.max_length}"
            raise TooLongError(problem, "Raise it, or leave such rows out of the release (tokens in the recipe)")
        pixels = self.processor.image_processor(images=[image], return_tensors="pt")["pixel_values"][0]
        return {"input_ids": ids, "labels": labels, "pixel_values": pixels}


@dataclass(frozen=True)
class Collator:
    """Rows of an `Encoder` as a batch, padded on the right to the longest."""

    pad_token_id: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """`input_ids`, `attention_mask`, `labels`: (rows, tokens); `pixel_values`: (rows, 3, height, width)."""
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def padded(name: str, filler: int) -> Any:
            return torch.tensor([row[name] + [filler] * (longest - len(row[name])) for row in rows])

        lengths = torch.tensor([[len(row["input_ids"])] for row in rows])
        return {
            "input_ids": padded("input_ids", self.pad_token_id),
            "attention_mask": (torch.arange(longest)[None] < lengths).long(),
            "labels": padded("labels", NOT_LEARNED),
            "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
        }
