"""Rows that evaluation sets have: the same text or picture, nearly the same, or many of the same words in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.contamination import RunIndex, contaminated
from curation.merge.facts import Facts, facts_of
from curation.merge.opened import Opened
from curation.merge.signatures import SIGNATURE_SCHEMA, hash_tables, signatures_of
from curation.shingles import text_tokens
from curation.store import Workspace

_EVALUATION: Final = "evaluation "


@dataclass(frozen=True)
class Hit:
    """A row that an evaluation set has: which of its rows, and by what (`text`, `near`, `picture`, or `words`)."""

    row: int
    evaluation: str
    by: str


def hits_of(
    facts: Facts,
    usable: NDArray[np.bool_],
    signatures: Iterable[pa.Table],
    evaluation: Sequence[Opened],
    cache: Workspace,
) -> list[Hit]:
    """Rows whose text or picture an evaluation set has, the same or nearly; each once, by row."""
    theirs = [table for one in evaluation for table in _evaluation_tables(one, cache)]
    names: dict[str, str] = {}
    for table in theirs:
        names |= dict(zip(table.column("id").to_pylist(), table.column("name").to_pylist(), strict=True))
    found = contaminated(hash_tables(facts, usable, signatures), theirs)
    return [Hit(int(row["id"]), names[row["evaluation_id"]], str(row["by"])) for row in found.to_pylist()]


def hits_by_words(
    sources: Sequence[Opened], facts: Facts, usable: NDArray[np.bool_], evaluation: Sequence[Opened], least: float
) -> list[Hit]:
    """Rows that share at least `least` of their runs of 13 words with the evaluation sets together."""
    index = RunIndex(tokens for one in evaluation for _, tokens in _tokens(one, None))
    names = ", ".join(one.entry.name for one in evaluation)
    hits = []
    for rows in facts.units:
        here = usable[rows.first : rows.first + rows.n_rows]
        if not here.any():
            continue
        table = sources[rows.source].texts(rows.unit).slice(0, rows.n_rows)
        for offset, tokens in _tokens_of(table):
            share = index.share(tokens) if here[offset] else None
            if share is not None and share >= least:
                hits.append(Hit(rows.first + offset, f"{names}: {share:.0%} of its runs of 13 words", "words"))
    return hits


def _evaluation_tables(one: Opened, cache: Workspace) -> Iterator[pa.Table]:
    for unit in one.units():
        table = facts_of(one, unit, 0, with_pictures=True)
        hashes = signatures_of(cache, one, unit, table.num_rows)
        names = [f"{one.entry.name} {key or ''}".strip() for key in table.column("source_key").to_pylist()]
        columns = {name: table.column(name) for name in ("task", "image_sha256", "text_sha256")}
        columns |= {field.name: hashes.column(field.name) for field in SIGNATURE_SCHEMA}
        ids = [f"{_EVALUATION}{one.entry.name} {id_}" for id_ in table.column("id").to_pylist()]
        columns |= {"id": pa.array(ids, pa.string()), "name": pa.array(names, pa.string())}
        yield pa.table(columns).filter(table.column("reason").is_null())


def _tokens(one: Opened, n_rows: int | None) -> Iterator[tuple[int, list[str]]]:
    for unit in one.units():
        yield from _tokens_of(one.texts(unit).slice(0, n_rows))


def _tokens_of(table: pa.Table) -> Iterator[tuple[int, list[str]]]:
    columns = [table.column(name).to_pylist() for name in ("task", "text", "messages", "reject_reason")]
    for offset, (task, text, messages, rejected) in enumerate(zip(*columns, strict=True)):
        yield offset, [] if rejected else text_tokens(task, text, messages)
