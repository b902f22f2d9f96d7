"""Duplicates across sources, and rows that evaluation sets have: facts of a merge as the comparing modules take them.

Rows are handed over under their numbers, so that of equal ones the first in source order is kept, whatever their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.contamination import RunIndex, contaminated
from curation.duplicates import PICTURE_TASKS, Mode, find_clusters
from curation.measures.hashes import Hashes
from curation.merge.facts import Facts, facts_of
from curation.merge.opened import Opened
from curation.merge.signatures import signatures_of
from curation.shingles import text_tokens
from curation.store import Workspace

_AS_THEY_ARE: Final = ("image_sha256", "text_sha256", "parent_id", "image_origin")
_EVALUATION: Final = "evaluation "


@dataclass(frozen=True)
class Clusters:
    """For each row the row that stands for it (itself where it is kept) and a number that it shares with its group."""

    kept: NDArray[np.int64]
    group: NDArray[np.int64]


@dataclass(frozen=True)
class Hit:
    """A row that an evaluation set has: which of its rows, and by what (`text`, `near`, `picture`, or `words`)."""

    row: int
    evaluation: str
    by: str


def clusters_of(facts: Facts, usable: NDArray[np.bool_], mode: Mode, signatures: Iterable[pa.Table] | None) -> Clusters:
    """Duplicates among usable rows. With mode `none` all are kept; what belongs together is told all the same.

    Of equal rows the first in the order of sources is kept; of near ones the best, earlier sources first
    (`curation.duplicates`).
    """
    if mode == "near":
        return _near(facts, usable, signatures)
    exact = _exact(facts, usable)
    return exact if mode == "exact" else Clusters(np.arange(len(usable)), exact.group)


def _near(facts: Facts, usable: NDArray[np.bool_], signatures: Iterable[pa.Table] | None) -> Clusters:
    rows = np.flatnonzero(usable)
    kept, group = np.arange(len(usable)), np.arange(len(usable))
    found = find_clusters(_hash_tables(facts, usable, signatures), "near")
    kept[rows], group[rows] = rows[found.kept], rows[found.group]
    return Clusters(kept, group)


def _exact(facts: Facts, usable: NDArray[np.bool_]) -> Clusters:
    """Equal rows by their hashes alone: what `curation.duplicates` tells of them, without comparing anything."""
    rows = np.flatnonzero(usable)
    table = facts.table.take(pa.array(rows))
    task, text, image = (_codes(table.column(name)) for name in ("task", "text_sha256", "image_sha256"))
    is_picture = pc.is_in(table.column("task").cast(pa.string()), pa.array(sorted(PICTURE_TASKS))).to_numpy()
    # A row that has no hash is like no other.
    alone = len(rows) + np.arange(len(rows))
    own = np.where(is_picture, image, text)
    own = np.where(own < 0, alone, own)
    with_text = np.where(is_picture & (text >= 0), text, -1)
    kept, group = np.arange(len(usable)), np.arange(len(usable))
    kept[rows], group[rows] = rows[_first_of(task, own, with_text)], rows[_first_of(task, own)]
    return Clusters(kept, group)


def _first_of(*codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the first one that has the same codes."""
    _, first, inverse = np.unique(np.stack(codes, axis=1), axis=0, return_index=True, return_inverse=True)
    firsts: NDArray[np.int64] = first[inverse.reshape(-1)]
    return firsts


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each value, the same for equal ones; -1 where there is none."""
    plain = column.cast(pa.string()).combine_chunks()
    encoded = (plain.chunk(0) if isinstance(plain, pa.ChunkedArray) else plain).dictionary_encode()
    codes: NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


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
    found = contaminated(_hash_tables(facts, usable, signatures), theirs)
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


def all_signatures(sources: Sequence[Opened], facts: Facts, cache: Workspace) -> Iterator[pa.Table]:
    """Hashes of all rows, unit by unit, made where they are not there."""
    for rows in facts.units:
        yield signatures_of(cache, sources[rows.source], rows.unit, rows.n_rows)


def _hash_tables(facts: Facts, usable: NDArray[np.bool_], signatures: Iterable[pa.Table] | None) -> Iterator[pa.Table]:
    measured = iter(signatures) if signatures is not None else None
    for rows in facts.units:
        hashes = next(measured) if measured is not None else None
        keep = pa.array(usable[rows.first : rows.first + rows.n_rows])
        table = facts.table.slice(rows.first, rows.n_rows)
        numbers = pa.array([f"{row:012d}" for row in range(rows.first, rows.first + rows.n_rows)])
        columns = {"id": numbers, "task": table.column("task").cast(pa.string())}
        columns |= {name: table.column(name).cast(pa.string()) for name in _AS_THEY_ARE}
        columns["priority"] = pa.array(np.full(rows.n_rows, rows.source, np.int64))
        for field in Hashes.adds:
            columns[field.name] = hashes.column(field.name) if hashes else pa.nulls(rows.n_rows, field.type)
        yield pa.table(columns).filter(keep)


def _evaluation_tables(one: Opened, cache: Workspace) -> Iterator[pa.Table]:
    for unit in one.units():
        table = facts_of(one, unit, 0, with_pictures=True)
        hashes = signatures_of(cache, one, unit, table.num_rows)
        names = [f"{one.entry.name} {key or ''}".strip() for key in table.column("source_key").to_pylist()]
        columns = {name: table.column(name) for name in ("task", "image_sha256", "text_sha256")}
        columns |= {field.name: hashes.column(field.name) for field in Hashes.adds}
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
