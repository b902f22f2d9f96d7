"""`classes`: what is in a sample, as far as its count matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from curation.classes.objects import vocabulary_version
from curation.classes.sample_classes import classes_of
from curation.language import reader_version
from curation.stage import Batch, Outcome, Worker


@dataclass(frozen=True)
class Classes:
    r"""Looks at `text`, and at `objects` where there is such a column.

    Adds `classes` (list of strings, sorted, each once; null where they cannot be told), namespaced: `object:dog`,
    `tag:nav`, `component:hero`, `layout:split`, `span:2x3`, `shape:header-2`, `cmd:\frac`, `env:aligned`; see
    `curation.classes.sample_classes.classes_of`.
    """

    name: ClassVar[str] = "classes"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([("classes", pa.list_(pa.string()))])
    vocabulary: str = vocabulary_version()
    language: str = reader_version()
    """What objects are named by, and what tells languages: parts of the key."""

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load before the first caption asks for it."""
        yield _measure


def _measure(batch: Batch) -> Outcome:
    table = batch.table
    tasks, texts = table.column("task").to_pylist(), table.column("text").to_pylist()
    has_objects = "objects" in table.column_names
    objects = table.column("objects").to_pylist() if has_objects else [None] * table.num_rows
    classes = [classes_of(*row) for row in zip(tasks, texts, objects, strict=True)]
    return Outcome({"classes": pa.array(classes, Classes.adds.field("classes").type)}, [None] * table.num_rows)
