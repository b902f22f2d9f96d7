"""Canonical form of the target, by task; a target that is not valid markup is a reject."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from curation.ingest import text_hashes
from curation.markup.canonical import canonical_batch
from curation.reasons import Reject
from curation.sample import SAMPLE_SCHEMA
from curation.stage import Batch, Outcome, Worker


@dataclass(frozen=True)
class CanonicalForm:
    """Sets `text` to its canonical form and keeps the source's own where it differs.

    `parsers` names the versions of what decides the form (selectolax, KaTeX): part of every key.
    """

    name: ClassVar[str] = "canonical"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [SAMPLE_SCHEMA.field(name) for name in ("text", "source_text", "text_sha256", "warnings")]
    )
    parsers: str

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load: the KaTeX engine opens itself at the first formula."""
        yield _canonical


def _canonical(batch: Batch) -> Outcome:
    sources = batch.table.column("text").to_pylist()
    warnings = batch.table.column("warnings").to_pylist()
    results = canonical_batch(batch.table.column("task").to_pylist(), sources)
    texts: list[str | None] = []
    kept: list[str | None] = []
    for source, result, row_warnings in zip(sources, results, warnings, strict=True):
        if isinstance(result, Reject):
            texts.append(source)
            kept.append(None)
        else:
            texts.append(result.text)
            kept.append(source if source != result.text else None)
            row_warnings.extend(result.warnings)
    columns = {
        "text": pa.array(texts, pa.string()),
        "source_text": pa.array(kept, pa.string()),
        "text_sha256": text_hashes(texts),
        "warnings": pa.array(warnings, pa.list_(pa.string())),
    }
    return Outcome(columns, [result if isinstance(result, Reject) else None for result in results])
