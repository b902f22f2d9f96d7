"""`tokens`: how long a sample is for the model that will be trained on it, saturating at the ingest ceiling.

Used twice: on texts alone, where it is a lower bound, so that images of rows that are certainly too long are never
fetched; and where sizes of pictures are known, where it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar, Literal

import pyarrow as pa

from curation.conversation import Prompt
from curation.errors import TokenizerError
from curation.image_tokens import Size, image_tokens_of
from curation.reasons import Reason, Reject
from curation.stage import Batch, Outcome, Worker
from curation.token_length import TokenCounter
from curation.tokenizers import LoadedTokenizer, load_tokenizer


@dataclass(frozen=True)
class Tokens:
    """Rejects rows of more than `ingest_ceiling` tokens, and adds `n_tokens` (int32, `ingest_ceiling + 1` for those).

    A text that holds the model's mark for a picture is a reject too.

    `tokenizer` as `curation.tokenizers.load_tokenizer` takes it, `commit` its Hub revision ("" where it is none),
    `tokenizer_revision` the hash of its content: `pinned` fills both in. `image_tokens` is a number, or
    "processor".
    """

    name: ClassVar[str] = "tokens"
    version: ClassVar[int] = 2
    adds: ClassVar[pa.Schema] = pa.schema([("n_tokens", pa.int32())])
    tokenizer: str
    tokenizer_revision: str
    prompt: Prompt
    image_tokens: int | Literal["processor"]
    ingest_ceiling: int
    commit: str = ""

    @classmethod
    def pinned(
        cls,
        tokenizer: str,
        revision: str | None,
        prompt: Prompt,
        image_tokens: int | Literal["processor"],
        ingest_ceiling: int,
    ) -> Tokens:
        """The stage for a tokenizer as it is now: its content and, on the Hub, its commit.

        Raises `TokenizerError` where tokenizer, processor or template cannot be had, before any work is done.
        """
        loaded = _loaded(tokenizer, revision)
        stage = cls(tokenizer, loaded.revision, prompt, image_tokens, ingest_ceiling, loaded.commit)
        image_tokens_of(image_tokens, loaded)
        return stage

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Load the tokenizer, and check that it is the one that the key names."""
        loaded = _loaded(self.tokenizer, self.commit or None)
        if loaded.revision != self.tokenizer_revision:
            raise TokenizerError(
                f"The tokenizer {self.tokenizer!r} has changed since the run was planned", "Start again"
            )
        yield _TokensWorker(self, loaded)


class _TokensWorker:
    """Counters by task: each has its own user prompt."""

    def __init__(self, stage: Tokens, tokenizer: LoadedTokenizer) -> None:
        self._stage, self._tokenizer = stage, tokenizer
        self._images = image_tokens_of(stage.image_tokens, tokenizer)
        self._counters: dict[str, TokenCounter] = {}
        self._lock = Lock()

    def __call__(self, batch: Batch) -> Outcome:
        table, ceiling = batch.table, self._stage.ingest_ceiling
        tasks = table.column("task").to_pylist()
        counts = [0] * table.num_rows
        rejects: list[Reject | None] = [None] * table.num_rows
        over = Reject(Reason.TOO_MANY_TOKENS, f"more than {ceiling} tokens")
        for task in sorted(set(tasks)):
            rows = [row for row, name in enumerate(tasks) if name == task]
            part, mark = table.take(rows), self._counter(task).image_mark
            marked = Reject(Reason.TEXT_IMAGE_MARK, f"it holds {mark}, which stands for the picture")
            texts = part.column("text").to_pylist()
            for row, n_tokens, text in zip(rows, self._count(task, part), texts, strict=True):
                counts[row] = n_tokens
                rejects[row] = over if n_tokens > ceiling else marked if text and mark in text else None
        return Outcome({"n_tokens": pa.array(counts, pa.int32())}, rejects)

    def _count(self, task: str, table: pa.Table) -> list[int]:
        counter = self._counter(task)
        sizes = _sizes(table)
        if "n_tokens" in table.column_names:  # counted before the pictures were there: only those are to be added
            return counter.with_pictures(table.column("n_tokens").to_pylist(), sizes)
        chats: list[Any] | None = table.column("messages").to_pylist() if task == "image_chat" else None
        return counter.count(table.column("text").to_pylist(), sizes, chats)

    def _counter(self, task: str) -> TokenCounter:
        with self._lock:
            if task not in self._counters:
                settings = self._stage.prompt, task, self._images, self._stage.ingest_ceiling
                self._counters[task] = TokenCounter(self._tokenizer, *settings)
            return self._counters[task]


def _sizes(table: pa.Table) -> list[Size | None]:
    if not {"width_px", "height_px"} <= set(table.column_names):
        return [None] * table.num_rows
    widths, heights = table.column("width_px").to_pylist(), table.column("height_px").to_pylist()
    return [None if None in size else size for size in zip(widths, heights, strict=True)]


@lru_cache(maxsize=4)
def _loaded(tokenizer: str, revision: str | None) -> LoadedTokenizer:
    """One process plans and works: a tokenizer is loaded once in it."""
    return load_tokenizer(tokenizer, revision)
