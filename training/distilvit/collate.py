"""Examples as the tensors of a batch: the picture for the tower, and prompt, caption and end token as one text.

The picture's mark is taken out of the prompt, because the prefix stands before all text. Learnt are caption and end
token; prompt and padding are no targets. Prompt and caption are tokenised apart, as they are when the model predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from curation.conversation import IMAGE_MARK
from training.errors import TooLongError
from training.examples import Example
from training.lengths import N_NAMED
from training.rows import Rows

_IGNORED: Final = -100
_SHORTER: Final = "Set a larger model.max_caption_tokens, or leave long captions out of the release"


@dataclass(frozen=True)
class Encoder:
    """What makes features of an example.

    `image_processor` is SigLIP's, `clip_processor` CLIP's where there is a CLIP loss. `n_patches` count in
    `max_seq_length`.
    """

    tokenizer: Any
    image_processor: Any
    n_patches: int
    max_caption_tokens: int
    max_seq_length: int | None = None
    clip_processor: Any = None

    def __call__(self, example: Example) -> dict[str, Any]:
        """The features: `pixel_values`, `input_ids`, `labels`, and `clip_pixel_values` for a CLIP loss.

        Raises `TooLongError` for a caption over the limit, or a whole over the limit; nothing is cut.
        """
        prompt = self.prompt_ids(example.prompt)
        caption = self.tokenizer(example.completion, add_special_tokens=False)["input_ids"]
        if len(caption) > self.max_caption_tokens:
            problem = (
                f"the caption of sample {example.id} has {len(caption)} tokens, and {self.max_caption_tokens} are taken"
            )
            raise TooLongError(problem, _SHORTER)
        n_tokens = self.n_patches + len(prompt) + len(caption)
        if self.max_seq_length is not None and n_tokens > self.max_seq_length:
            problem = (
                f"sample {example.id} has {n_tokens} tokens with its picture's, and {self.max_seq_length} are taken"
            )
            raise TooLongError(
                problem, "Set a larger training.max_seq_length, or leave long captions out of the release"
            )
        features = {
            "pixel_values": pixels(self.image_processor, [example.image])[0],
            "input_ids": prompt + caption,
            "labels": [_IGNORED] * len(prompt) + caption,
        }
        if self.clip_processor is not None:
            features["clip_pixel_values"] = pixels(self.clip_processor, [example.image])[0]
        return features

    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of a rendered prompt, without what stands for the picture."""
        text = prompt.replace(IMAGE_MARK, "", 1)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def pixels(processor: Any, images: Sequence[Image.Image]) -> Any:
    """Pictures (RGB) as a model's own processor makes them, (pictures, 3, height, width)."""
    return processor(images=list(images), return_tensors="pt")["pixel_values"]


@dataclass(frozen=True)
class Collator:
    """Features of several examples as one batch, padded on the right to the longest text."""

    pad_token_id: int

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The batch: (batch, tokens) of ids, mask and labels; pictures stacked."""
        import torch

        longest = max(len(one["input_ids"]) for one in features)
        paddings = [longest - len(one["input_ids"]) for one in features]
        pairs = list(zip(features, paddings, strict=True))
        batch = {
            "pixel_values": torch.stack([one["pixel_values"] for one in features]),
            "input_ids": torch.tensor([[*one["input_ids"], *[self.pad_token_id] * n] for one, n in pairs]),
            "attention_mask": torch.tensor([[*[1] * len(one["input_ids"]), *[0] * n] for one, n in pairs]),
            "labels": torch.tensor([[*one["labels"], *[_IGNORED] * n] for one, n in pairs]),
        }
        if "clip_pixel_values" in features[0]:
            batch["clip_pixel_values"] = torch.stack([one["clip_pixel_values"] for one in features])
        return batch


def check_captions(rows: Rows, tokenizer: Any, max_caption_tokens: int, visited: npt.NDArray[np.bool_] | None) -> None:
    """Count the tokens of every caption, or of those `visited`, with the end token; texts stream.

    Raises `TooLongError` naming the first that have more, and saying how many there are.
    """
    long: list[str] = []
    n_rows = 0
    for _, table in rows.scan(("id", *rows.text_columns), visited):
        ids = table.column("id").to_pylist()
        captions = tokenizer([text for text, _ in rows.texts_of(table)], add_special_tokens=False)["input_ids"]
        lengths = [len(caption) + 1 for caption in captions]
        long += [f"{ids[i]} ({n} tokens)" for i, n in enumerate(lengths) if n > max_caption_tokens]
        n_rows += len(lengths)
    if long:
        named = ", ".join(long[:N_NAMED]) + (", …" if len(long) > N_NAMED else "")
        problem = f"{len(long)} of {n_rows} captions have more than {max_caption_tokens} tokens: {named}"
        raise TooLongError(problem, _SHORTER)
