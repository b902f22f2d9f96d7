"""TRL's vision collator, and a look at what came out of it: nothing is cut, and nothing is over the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from curation.tokenizers import first_line
from training.errors import SampleError, TooLongError

Collate = Callable[[list[dict[str, Any]]], Any]

_KEYS: Final = ("images", "prompt", "completion")
_TOO_LONG: Final = "Raise training.max_seq_length, or build the release with fewer tokens a row"
IGNORED: Final = -100
"""The label of a token that is not learnt, as torch's cross-entropy has it."""


@dataclass(frozen=True)
class Collator:
    """Makes batches of examples (`images`, `prompt`, `completion`, `id`); labels are the completion's tokens alone.

    `limit` is in tokens, `counted` says of which: all, or those of the text without the picture's.
    """

    collate: Collate
    image_tokens: tuple[int, ...]
    limit: int | None
    counted: Literal["all", "text"]

    def __call__(self, examples: Sequence[dict[str, Any]]) -> Any:
        """A batch padded on the right: (rows, tokens).

        Raises:
            TooLongError: a row has more tokens than the limit; it is named.
            SampleError: the processor cannot take a row's picture, or nothing of it would be learnt.
        """
        batch = self._collated([{key: example[key] for key in _KEYS} for example in examples], examples)
        for example, n_all, n_picture, n_learnt in zip(examples, *self._counts(batch), strict=True):
            n_tokens = n_all if self.counted == "all" else n_all - n_picture
            if self.limit is not None and n_tokens > self.limit:
                of = f"{n_picture} of them" if self.counted == "all" else f"without {n_picture}"
                problem = f"sample {example['id']} has {n_tokens} tokens ({of} of the picture)"
                raise TooLongError(f"{problem}, more than max_seq_length {self.limit}", _TOO_LONG)
            if n_learnt == 0:
                raise SampleError(f"sample {example['id']} has nothing to learn", "Leave the row out of the release")
        return batch

    def _collated(self, plain: list[dict[str, Any]], examples: Sequence[dict[str, Any]]) -> Any:
        try:
            return self.collate(plain)
        except (ValueError, ZeroDivisionError) as error:
            for one, example in zip(plain, examples, strict=True):
                try:
                    self.collate([one])
                except (ValueError, ZeroDivisionError) as found:  # Qwen's: sides of more than 200 : 1
                    problem = f"the processor cannot take sample {example['id']}: {first_line(found)}"
                    raise SampleError(problem, "Leave the row out of the release and build it again") from found
            raise error from None

    def _counts(self, batch: Any) -> tuple[list[int], list[int], list[int]]:
        """Tokens of each row: all, the picture's, and those that are learnt."""
        import torch

        ids, is_there = batch["input_ids"], batch["attention_mask"] != 0
        is_picture = torch.isin(ids, torch.tensor(self.image_tokens, dtype=ids.dtype)) & is_there
        is_learnt = batch["labels"] != IGNORED
        return is_there.sum(1).tolist(), is_picture.sum(1).tolist(), is_learnt.sum(1).tolist()


def collator(processor: Any, limit: int | None, counted: Literal["all", "text"]) -> Collator:
    """The collator of a processor: TRL's, which truncates nothing and masks prompt and padding."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    collate = DataCollatorForVisionLanguageModeling(processor=processor, max_length=None, completion_only_loss=True)
    return Collator(collate, image_token_ids(processor), limit, counted)


def image_token_ids(processor: Any) -> tuple[int, ...]:
    """Ids of the tokens that a processor writes for a picture's features."""
    known = getattr(processor, "image_token_id", None)
    if known is None and (mark := getattr(processor, "image_token", None)) is not None:
        known = processor.tokenizer.convert_tokens_to_ids(str(mark))
    return () if known is None else (int(known),)
