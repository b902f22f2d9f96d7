"""Canonical form of the target, by task; a target that is not valid markup is a reject.

A conversation has no text: its turns are checked and kept as they are, and hashed in the text's place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from curation.ingest import text_hashes
from curation.markup.canonical import Canonical, canonical_batch, unusable_text
from curation.reasons import Reject
from curation.sample import SAMPLE_SCHEMA, sha256_hex
from curation.stage import Batch, Outcome, Worker


@dataclass(frozen=True)
class CanonicalForm:
    """Sets `text` to its canonical form and keeps the source's own where it differs.

    `parsers` names the versions of what decides the form (selectolax, KaTeX): part of every key.
    """

    name: ClassVar[str] = "canonical"
    version: ClassVar[int] = 2
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
    tasks = batch.table.column("task").to_pylist()
    results = canonical_batch(tasks, sources)
    chats = _chats(batch.table)
    for row, turns in chats.items():
        results[row] = _unusable_turn(turns) or Canonical("")
    texts: list[str | None] = []
    kept: list[str | None] = []
    for row, (source, result, row_warnings) in enumerate(zip(sources, results, warnings, strict=True)):
        if isinstance(result, Reject) or row in chats:
            texts.append(source)
            kept.append(None)
        else:
            texts.append(result.text)
            kept.append(source if source != result.text else None)
            row_warnings.extend(result.warnings)
    hashes = text_hashes(texts).to_pylist()
    for row, turns in chats.items():
        hashes[row] = sha256_hex(json.dumps([[turn["role"], turn["content"]] for turn in turns]))
    columns = {
        "text": pa.array(texts, pa.string()),
        "source_text": pa.array(kept, pa.string()),
        "text_sha256": pa.array(hashes, pa.string()),
        "warnings": pa.array(warnings, pa.list_(pa.string())),
    }
    return Outcome(columns, [result if isinstance(result, Reject) else None for result in results])


def _chats(table: pa.Table) -> dict[int, Sequence[Mapping[str, str]]]:
    """The conversations of the rows that have one."""
    if "messages" not in table.column_names:
        return {}
    messages = table.column("messages")
    rows = pc.indices_nonzero(pc.is_valid(messages)).to_pylist()
    return dict(zip(rows, messages.take(pa.array(rows, pa.int64())).to_pylist(), strict=True))


def _unusable_turn(turns: Sequence[Mapping[str, str]]) -> Reject | None:
    """The reject of the first turn that no text can hold."""
    found = ((number, unusable_text(turn["content"])) for number, turn in enumerate(turns, start=1))
    return next((Reject(fault.reason, f"turn {number}: {fault.detail}") for number, fault in found if fault), None)
