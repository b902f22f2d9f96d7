"""`markup`: whether a target is valid markup, what it says, and how large its tree is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa

from curation.markup.canonical import Canonical, canonical_batch
from curation.markup.visible_text import markup_size, visible_text
from curation.stage import Batch, Outcome, Worker

_INT16_MAX: Final = 32_767


@dataclass(frozen=True)
class Markup:
    """Looks at `text` alone.

    Adds `valid` (bool: the text is its own canonical form), `visible_text` (string; null for formulas), `n_nodes`
    (int32: elements of a page or table, tokens of a formula) and `depth` (int16: of elements or braces). The
    last two are null for captions, and all four where there is no text.
    """

    name: ClassVar[str] = "markup"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [("valid", pa.bool_()), ("visible_text", pa.string()), ("n_nodes", pa.int32()), ("depth", pa.int16())]
    )

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load."""
        yield _measure


def _measure(batch: Batch) -> Outcome:
    tasks = batch.table.column("task").to_pylist()
    texts = batch.table.column("text").to_pylist()
    forms = canonical_batch(tasks, texts)
    sizes = [None if text is None else markup_size(task, text) for task, text in zip(tasks, texts, strict=True)]
    columns = {
        "valid": [
            None if text is None else isinstance(form, Canonical) and form.text == text
            for text, form in zip(texts, forms, strict=True)
        ],
        "visible_text": [
            None if text is None else visible_text(task, text) for task, text in zip(tasks, texts, strict=True)
        ],
        "n_nodes": [None if size is None else size.n_nodes for size in sizes],
        "depth": [None if size is None else min(size.depth, _INT16_MAX) for size in sizes],
    }
    return Outcome(
        {name: pa.array(values, Markup.adds.field(name).type) for name, values in columns.items()},
        [None] * batch.table.num_rows,
    )
