"""Rows that an evaluation set has too: by the hashes that duplicates are found by, and by runs of 13 words.

Looked at pair by pair, never through chains: a row counts for what it shares with an evaluation row itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.duplicates import PICTURE_TASKS, RULES, NearRule, near_pairs
from curation.hashed_rows import HashedRows, gather
from curation.near_pairs import Indices, Pairs

CONTAMINATION_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("evaluation_id", pa.string()),
        ("by", pa.string()),  # text: the same text; near: as near duplicates are; picture: the same or nearly the same
    ]
)

RUN_WORDS: Final = 13
"""Length of the runs: as GPT-3 was decontaminated (Brown et al. 2020, appendix C), and most since."""

_STRENGTH: Final = ("text", "near", "picture")


def contaminated(
    tables: Iterable[pa.Table], evaluation: Iterable[pa.Table], rules: Mapping[str, NearRule] = RULES
) -> pa.Table:
    """Rows of `tables` that `evaluation` has, each with one row that it shares (`CONTAMINATION_SCHEMA`, by id).

    Both have the columns of `curation.hashed_rows.HASH_COLUMNS`. Tasks are compared each with itself; of captions and
    chats the picture is enough. Where there are several ways, the first of text, near and picture is told.
    """
    counted = _Counted(evaluation)
    ids, by_task = gather(_in_turn(counted, tables))
    names = ids.to_pylist()
    hits: dict[str, tuple[int, str]] = {}
    for task, rows in by_task.items():
        is_evaluation = rows.positions < counted.n_rows
        for how, pairs in _shared(rows, task, rules[task], is_evaluation):
            one_of_each = is_evaluation[pairs[0]] != is_evaluation[pairs[1]]
            left, right = pairs[0][one_of_each], pairs[1][one_of_each]
            ours, theirs = np.where(is_evaluation[left], right, left), np.where(is_evaluation[left], left, right)
            for row, other in zip(rows.positions[ours].tolist(), rows.positions[theirs].tolist(), strict=True):
                hit = (_STRENGTH.index(how), names[other])
                hits[names[row]] = min(hits.get(names[row], hit), hit)
    found = sorted(hits.items())
    return pa.table(
        [
            [id_ for id_, _ in found],
            [other for _, (_, other) in found],
            [_STRENGTH[strength] for _, (strength, _) in found],
        ],
        schema=CONTAMINATION_SCHEMA,
    )


class RunIndex:
    """The runs of `RUN_WORDS` words (formulas: tokens) that the texts of an evaluation set have; 8 bytes each.

    Texts come as `curation.shingles.text_tokens` gives them.
    """

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        found = [_runs(tokens) for tokens in texts]
        self._runs = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def share(self, tokens: Sequence[str]) -> float | None:
        """Which share of a text's runs the evaluation set has; None where it is too short to have one."""
        runs = _runs(tokens)
        return float(np.isin(runs, self._runs).mean()) if len(runs) else None


class _Counted:
    """Tables, and how many rows they had."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = tables
        self.n_rows = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.n_rows += table.num_rows
            yield table


def _in_turn(*many: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for tables in many:
        yield from tables


def _shared(
    rows: HashedRows, task: str, rule: NearRule, is_evaluation: NDArray[np.bool_]
) -> Iterator[tuple[str, Pairs]]:
    if task not in PICTURE_TASKS:
        yield "text", _equal_to_evaluation(rows.text_codes, is_evaluation)
    else:
        yield "picture", _equal_to_evaluation(rows.image_codes, is_evaluation)
    for pictures, alike in near_pairs(rows, rule):
        yield "picture", pictures
        yield "near", alike


def _equal_to_evaluation(codes: Indices, is_evaluation: NDArray[np.bool_]) -> Pairs:
    """Each row with the first evaluation row of the same code."""
    theirs = np.flatnonzero(is_evaluation & (codes >= 0))
    known, first = np.unique(codes[theirs], return_index=True)
    if not len(known):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    ours = np.flatnonzero(~is_evaluation & (known[at] == codes))
    return ours, theirs[first[at[ours]]]


@lru_cache(maxsize=200_000)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


_WEIGHTS: Final = np.random.default_rng(13).integers(0, 2**63, RUN_WORDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _runs(tokens: Sequence[str]) -> NDArray[np.uint64]:
    if len(tokens) < RUN_WORDS:
        return np.empty(0, np.uint64)
    hashes = np.array([_hash(token) for token in tokens], np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(hashes, RUN_WORDS)
    runs: NDArray[np.uint64] = np.unique((windows * _WEIGHTS).sum(axis=1, dtype=np.uint64))
    return runs
