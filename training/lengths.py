"""Whether all rows of a run fit: their tokens are counted before training, the picture's among them.

Rows stream; nothing is decoded, sizes are those of the pictures' headers. Counting is the token filter's
(`curation.token_length`), so that a release which passed the filter passes here.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from tokenizers import Tokenizer

from curation.conversation import IMAGE_MARK, Prompt
from curation.image_tokens import FixedImageTokens, ProcessorImageTokens, Size
from curation.token_length import TokenCounter
from curation.tokenizers import LoadedTokenizer
from rendering.pixels import FORMATS, ImageFault, header_size
from training.errors import SampleError, TooLongError
from training.rows import Rows, Turn

N_NAMED: Final = 5
"""Rows that an error names."""

_NO_CEILING: Final = 1 << 29
_ORIENTATION: Final = 0x0112  # EXIF; 5 to 8 are turned by 90 degrees
_TURNED: Final = (5, 6, 7, 8)
_PNG: Final = b"\x89PNG"
_PNG_EXIF: Final = (b"eXIf", b"Raw profile type exif")
"""Where a PNG has EXIF. Pillow decodes one to its end to look for that, 10 ms for a page: done where there is some."""

_LEAVE_OUT: Final = "Leave them out of the release and build it again"


@dataclass(frozen=True)
class Lengths:
    """Tokens of the rows that were counted, those of pictures among them."""

    n_rows: int
    n_tokens: int
    longest: int

    @property
    def mean(self) -> float:
        """Tokens of a row."""
        return self.n_tokens / self.n_rows


def counter_of(
    processor: Any, prompt: Prompt, task: str, max_seq_length: int | None, n_image_tokens: int | None = None
) -> TokenCounter:
    """Counts the conversations of `task` as a processor (or tokenizer) of transformers will see them.

    `n_image_tokens` are a picture's; None asks the processor, for each picture's size. The tokenizer is copied, so that
    truncation and padding which a trainer sets on its own are not in the way.
    """
    tokenizer = getattr(processor, "tokenizer", processor)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    own = getattr(processor, "chat_template", None) or getattr(tokenizer, "chat_template", None)
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    loaded = LoadedTokenizer(
        name=str(getattr(tokenizer, "name_or_path", "")),
        revision="",
        commit="",
        folder=Path(),
        backend=backend,
        own_template=own.get("default") if isinstance(own, dict) else own,
        special_tokens=tuple(sorted(special.items())),
    )
    images = ProcessorImageTokens(processor) if n_image_tokens is None else FixedImageTokens(n_image_tokens)
    return TokenCounter(loaded, prompt, task, images, max_seq_length or _NO_CEILING)


def check_lengths(
    rows: Rows,
    counter: TokenCounter,
    *,
    marks: Sequence[str] = (),
    visited: npt.NDArray[np.bool_] | None = None,
) -> Lengths:
    """Count every row, or those `visited` (`Order.visited`), and look for what cannot be trained on.

    `marks` are strings that no text may hold (`training.examples.special_marks`).

    Raises `TooLongError` naming the first rows with more tokens than the counter's ceiling, how many there are, and the
    mend; before that `SampleError` for pictures whose header cannot be read, and for texts with a mark.
    """
    lengths = Lengths(0, 0, 0)
    long, broken, marked = _Found(), _Found(), _Found()
    for batch in _batches(rows, visited):
        known = [None if isinstance(size, ImageFault) else size for size in batch.sizes]
        counts = counter.count(batch.texts, known, batch.conversations)
        over = [place for place, count in enumerate(counts) if count > counter.ceiling]
        long.add(batch, over, _exactly(batch, over[: long.room], counter))
        faults = {place: size.kind for place, size in enumerate(batch.sizes) if isinstance(size, ImageFault)}
        broken.add(batch, list(faults), list(faults.values()))
        holding = {place: repr(mark) for place in range(len(counts)) if (mark := batch.first_mark(place, marks))}
        marked.add(batch, list(holding), list(holding.values()))
        longest = max(lengths.longest, *counts)
        lengths = Lengths(lengths.n_rows + len(counts), lengths.n_tokens + sum(counts), longest)
    if broken.n:
        raise SampleError(
            f"{broken.n} of {lengths.n_rows} rows have a picture that cannot be read: {broken}", _LEAVE_OUT
        )
    if marked.n:
        raise SampleError(
            f"{marked.n} of {lengths.n_rows} rows have a special token in their text: {marked}", _LEAVE_OUT
        )
    if long.n:
        problem = f"{long.n} of {lengths.n_rows} rows have more than {counter.ceiling} tokens: {long}"
        mend = f'Build the release with where: "n_tokens <= {counter.ceiling}", or raise training.max_seq_length'
        raise TooLongError(problem, mend)
    return lengths


@dataclass(frozen=True)
class _Batch:
    ids: list[str]
    texts: list[str]
    conversations: list[tuple[Turn, ...] | None]
    sizes: list[Size | ImageFault]

    def first_mark(self, place: int, marks: Sequence[str]) -> str | None:
        """A mark that a row's text or one of its turns holds, beside the one that becomes the picture."""
        turns = (turn["content"].replace(IMAGE_MARK, "") for turn in self.conversations[place] or ())
        said = [self.texts[place], *turns]
        return next((mark for mark in marks if any(mark in one for one in said)), None)


class _Found:
    """How many rows have something, and what of the first few."""

    def __init__(self) -> None:
        self.n = 0
        self._named: list[str] = []

    @property
    def room(self) -> int:
        """How many more are named."""
        return N_NAMED - len(self._named)

    def add(self, batch: _Batch, places: Sequence[int], what: Sequence[str]) -> None:
        """Rows of a batch; `what` is told of the first of them."""
        self.n += len(places)
        self._named += [f"{batch.ids[i]} ({one})" for i, one in zip(places[: self.room], what, strict=False)]

    def __str__(self) -> str:
        return ", ".join(self._named) + (", …" if self.n > len(self._named) else "")


def _batches(rows: Rows, visited: npt.NDArray[np.bool_] | None) -> Iterator[_Batch]:
    for _, table in rows.scan(("id", *rows.text_columns, rows.image_column), visited):
        said = rows.texts_of(table)
        sizes = [upright_size(rows.image_bytes(table, row)) for row in range(table.num_rows)]
        texts, conversations = [text for text, _ in said], [turns for _, turns in said]
        yield _Batch(table.column("id").to_pylist(), texts, conversations, sizes)


def upright_size(data: bytes) -> Size | ImageFault:
    """Width and height that a picture will have once decoded: its header's, turned as its EXIF block says."""
    size = header_size(data)
    if isinstance(size, ImageFault) or (data.startswith(_PNG) and not any(mark in data for mark in _PNG_EXIF)):
        return size
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            # Pillow gives a TIFF's size as it will be once it is turned
            turned = picture.format != "TIFF" and picture.getexif().get(_ORIENTATION) in _TURNED
    except Exception:  # noqa: BLE001 - a broken EXIF block turns nothing, as in decoding
        turned = False
    return (size[1], size[0]) if turned else size


def _exactly(batch: _Batch, places: Sequence[int], counter: TokenCounter) -> list[str]:
    """Counts of rows of which the counter only says that they are over its ceiling."""
    if not places:
        return []
    without = copy.copy(counter)
    without.ceiling = _NO_CEILING
    texts, sizes = [batch.texts[i] for i in places], [batch.sizes[i] for i in places]
    known = [None if isinstance(size, ImageFault) else size for size in sizes]
    counts = without.count(texts, known, [batch.conversations[i] for i in places])
    return [f"{n} tokens" if n < _NO_CEILING else "a picture that the processor refuses" for n in counts]
