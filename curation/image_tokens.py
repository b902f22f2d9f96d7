"""How many tokens a picture takes: a number, or what the model's processor says for its size."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Protocol

from PIL import Image

from curation.errors import TokenizerError
from curation.tokenizers import LoadedTokenizer, first_line, load_processor

Size = tuple[int, int]
"""Width and height in px."""

REFUSED: Final = 1 << 30
"""Tokens of a picture that the processor refuses (Qwen's: sides of more than 200 : 1): more than any ceiling."""

_SIDES_PX: Final = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 336, 384, 610, 987, 1597, 2584, 4181, 10_946)


_TRIAL_SIZE: Final = (64, 64)


class ImageTokens(Protocol):
    """Counts the tokens that come in place of the picture's mark in the rendered conversation."""

    mark: str | None
    """What the processor looks for in the conversation; None where it is not known."""
    lower_bound: int
    """No picture takes fewer."""

    def of(self, size: Size) -> int:
        """Tokens of a picture of this size."""
        ...

    def beside(self, rendered: str, n_rendered: int) -> int:
        """Tokens that a picture brings beyond `of` into a conversation of `n_rendered` tokens with the bare mark."""
        ...


class FixedImageTokens:
    """The same number for every picture (576 in LLaVA-1.5, 0 for a count of text alone)."""

    def __init__(self, n_tokens: int) -> None:
        self.mark: str | None = None
        self.lower_bound = n_tokens

    def of(self, size: Size) -> int:  # noqa: ARG002 - the size does not matter here
        """The number."""
        return self.lower_bound

    def beside(self, rendered: str, n_rendered: int) -> int:  # noqa: ARG002 - the number says it all
        """None."""
        return 0


class ProcessorImageTokens:
    """Asks the processor (`_get_num_multimodal_tokens`), once for each size.

    `lower_bound` is the least over sides of 1 to 10,946 px in steps of 1.6: all processors of transformers either
    give one number or grow with the area, from a smallest that tiny or very long pictures have.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.mark: str | None = getattr(processor, "image_token", None)
        self.of = lru_cache(maxsize=65_536)(self._count)
        counts = {self._count((width, height)) for width in _SIDES_PX for height in _SIDES_PX}
        self.lower_bound = min(counts)

    def _count(self, size: Size) -> int:
        width_px, height_px = size
        try:
            data = self._processor._get_num_multimodal_tokens(image_sizes=[[height_px, width_px]])  # noqa: SLF001 - vLLM's way too
        except (ValueError, ZeroDivisionError):
            return REFUSED
        return int(data["num_image_tokens"][0])

    def beside(self, rendered: str, n_rendered: int) -> int:
        """What one trial has more than the processor tells: Gemma 3 writes marks and line breaks around a picture.

        Raises `TokenizerError` where the processor cannot take a picture with this conversation.
        """
        picture = Image.new("RGB", _TRIAL_SIZE)
        try:
            ids = self._processor(images=[picture], text=[rendered], add_special_tokens=False)["input_ids"][0]
        except Exception as error:  # processors of others raise anything
            problem = f"{type(self._processor).__name__} cannot take a picture with the conversation"
            mend = "Use its own chat template, or give the number of image tokens as a number"
            raise TokenizerError(f"{problem} ({first_line(error)})", mend) from error
        return len(ids) - (n_rendered - 1 + self._count(_TRIAL_SIZE))


def image_tokens_of(setting: int | str, tokenizer: LoadedTokenizer) -> ImageTokens:
    """The counter that a setting asks for: a number, or "processor".

    Raises `TokenizerError` where the tokenizer has no processor that tells.
    """
    if isinstance(setting, int):
        return FixedImageTokens(setting)
    return ProcessorImageTokens(load_processor(tokenizer))
