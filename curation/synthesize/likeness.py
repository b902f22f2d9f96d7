"""Rows that generated ones are to be like, and must not repeat: what `--like` names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from curation.sample import Task
from curation.shingles import text_tokens

SHINGLE: Final = 5
"""Tokens of a formula, or words of a page or table, that say the same when they follow each other."""

MOST_OVERLAP: Final = 0.6
"""Share of a row's shingles that one real row may have; of more the row is a replay. Where two halves of real data are
compared, most real rows are below it too (`benchmarks/synthesize.py`)."""


class Reference:
    """Real rows by task, in canonical form."""

    def __init__(self, rows: Mapping[str, Sequence[str]]) -> None:
        self._rows = {task: tuple(texts) for task, texts in rows.items() if texts}
        self._seen: dict[str, dict[int, list[int]]] = {}
        self._texts: dict[str, frozenset[str]] = {}

    def rows(self, task: str) -> tuple[str, ...]:
        """The rows of a task."""
        return self._rows.get(task, ())

    def replays(self, task: Task, text: str) -> bool:
        """Whether a text says again what one real row says."""
        return self.overlap(task, text) > MOST_OVERLAP

    def overlap(self, task: Task, text: str) -> float:
        """The largest share of a text's shingles that one real row has; 1 for a text that is one of them."""
        if task not in self._seen:
            self._read(task)
        if text in self._texts[task]:
            return 1.0
        shingles = _shingles(task, text)
        if not shingles:
            return 0.0
        found: Counter[int] = Counter()
        for shingle in shingles:
            found.update(self._seen[task].get(shingle, ()))
        return max(found.values(), default=0) / len(shingles)

    def _read(self, task: Task) -> None:
        rows = self.rows(task)
        seen: dict[int, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            for shingle in _shingles(task, row):
                seen[shingle].append(number)
        self._seen[task] = dict(seen)
        self._texts[task] = frozenset(rows)


def _shingles(task: Task, text: str) -> set[int]:
    """Hashes of the runs of tokens; of a short text, of all of it."""
    tokens = text_tokens(task, text)
    runs = zip(*(tokens[start:] for start in range(SHINGLE)), strict=False)
    return {hash(run) for run in runs} or ({hash(tuple(tokens))} if tokens else set())
