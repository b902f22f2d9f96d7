"""`bias`: whether a sample's text says people's gender, orientation, race, nationality, religion, disability or age."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pyarrow as pa

from curation.bias.matching import find_mentions
from curation.bias.vocabulary import CATEGORIES, vocabulary, vocabulary_digest
from curation.markup.visible_text import visible_text
from curation.sample import Task
from curation.stage import Batch, Outcome, Worker

_ROLES: Final = ("user", "assistant")

_MARKUP: Final = re.compile(r"<(style|script)\b.*?</\1\s*>|<!--.*?-->|</?[a-zA-Z][^<>]*>", re.DOTALL | re.IGNORECASE)
"""Markup in the messages of a conversation, which may hold a page or a piece of one."""


@dataclass(frozen=True)
class Bias:
    """Reads captions as they are, conversations without tags, pages and tables by their visible text, and no formulas.

    Adds, for each category, `bias_<category>` (bool: `text`, or the texts of user and assistant, has a mention) and
    `bias_<category>_original` (bool: `original_caption` has one), and the terms found, `bias_terms` and
    `bias_terms_original` (list<string>, sorted, each once, as `gender:woman`). Null where there is no such text: no
    original, a formula, markup that cannot be read.
    """

    name: ClassVar[str] = "bias"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            *((f"bias_{category}", pa.bool_()) for category in CATEGORIES),
            *((f"bias_{category}_original", pa.bool_()) for category in CATEGORIES),
            ("bias_terms", pa.list_(pa.string())),
            ("bias_terms_original", pa.list_(pa.string())),
        ]
    )
    vocabulary: str = field(default_factory=vocabulary_digest)
    """What is looked for: part of the key, so that a changed vocabulary is measured anew."""

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Compile the vocabularies."""
        vocabulary()
        yield _measure


def _measure(batch: Batch) -> Outcome:
    table = batch.table
    tasks, texts, messages, originals = (
        table.column(name).to_pylist() for name in ("task", "text", "messages", "original_caption")
    )
    spoken = [_spoken(*row) for row in zip(tasks, texts, messages, strict=True)]
    found = [_terms(text, task == "page_to_html") for task, text in zip(tasks, spoken, strict=True)]
    found_original = [_terms(text, is_page=False) for text in originals]
    columns = {**_columns(found, ""), **_columns(found_original, "_original")}
    return Outcome(columns, [None] * table.num_rows)


def _spoken(task: Task, text: str | None, messages: Sequence[dict[str, Any]] | None) -> str | None:
    """What a sample says to a reader; None where it says nothing that can be read."""
    if task != "image_chat":
        return None if text is None else visible_text(task, text)
    if messages is None:
        return None
    return _MARKUP.sub(" ", "\n".join(one["content"] or "" for one in messages if one["role"] in _ROLES))


def _terms(text: str | None, is_page: bool) -> list[str] | None:
    """Category and term of each mention, each once."""
    if text is None:
        return None
    return sorted({f"{mention.category}:{mention.term}" for mention in find_mentions(text, is_page=is_page)})


def _columns(found: list[list[str] | None], ending: str) -> dict[str, pa.Array]:
    said = [None if terms is None else {term.partition(":")[0] for term in terms} for terms in found]
    return {
        **{
            f"bias_{category}{ending}": pa.array([None if one is None else category in one for one in said], pa.bool_())
            for category in CATEGORIES
        },
        f"bias_terms{ending}": pa.array(found, pa.list_(pa.string())),
    }
