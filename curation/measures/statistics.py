"""`statistics`: how long a sample's text is, in which language, and how its picture is shaped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from curation.language import language_of, reader_version
from curation.markup.visible_text import visible_text
from curation.stage import Batch, Outcome, Worker
from curation.words import words_in

ASPECT_DECIMALS: Final = 4


@dataclass(frozen=True)
class Statistics:
    """Looks at what a reader sees: a caption, the visible text of a page or table, the turns of a conversation.

    Adds `n_words` (int32, see `curation.words`; null for formulas), `n_chars` (int32, code points; of a formula
    those of its LaTeX), `language` (ISO 639-1; null where the text is short or unclear, and for formulas) and `aspect`
    (float32: width by height of the picture). Null too where there is no text or no picture.
    """

    name: ClassVar[str] = "statistics"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [("n_words", pa.int32()), ("n_chars", pa.int32()), ("language", pa.string()), ("aspect", pa.float32())]
    )
    language: str = reader_version()
    """What tells languages: part of the key."""

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load before the first text asks for it."""
        yield _measure


def _measure(batch: Batch) -> Outcome:
    table = batch.table
    tasks, texts, chats, widths, heights = (
        _values(table, name) for name in ("task", "text", "messages", "width_px", "height_px")
    )
    is_formula = [task == "formula_to_latex" for task in tasks]
    seen = [text if f else _seen(*row) for f, text, *row in zip(is_formula, texts, tasks, texts, chats, strict=True)]
    prose = [None if f else text for f, text in zip(is_formula, seen, strict=True)]
    columns = {
        "n_words": [None if text is None else len(words_in(text)) for text in prose],
        "n_chars": [None if text is None else len(text) for text in seen],
        "language": [None if text is None else language_of(text) for text in prose],
        "aspect": [
            round(width / height, ASPECT_DECIMALS) if width and height else None
            for width, height in zip(widths, heights, strict=True)
        ],
    }
    return Outcome(
        {name: pa.array(values, Statistics.adds.field(name).type) for name, values in columns.items()},
        [None] * table.num_rows,
    )


def _values(table: pa.Table, name: str) -> list[Any]:
    return table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows


def _seen(task: Any, text: str | None, chat: list[dict[str, str | None]] | None) -> str | None:
    """The words that a reader of the sample sees."""
    if task == "image_chat":
        return None if chat is None else "\n".join(turn["content"] or "" for turn in chat)
    return None if text is None else visible_text(task, text)
