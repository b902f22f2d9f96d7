"""What a step over samples is: settings (a frozen dataclass), a worker that holds what it needs, an outcome.

One table in and one table out is what lets the same stage run in a thread or in a process unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import ClassVar, Protocol

import pyarrow as pa

from curation.reasons import Reject
from rendering.pixels import DecodedImage, decode_rgb


class DecodedImages:
    """Pictures in RGB, each decoded when it is first looked at, and once, however many measures and threads look."""

    def __init__(self, files: Sequence[bytes | None]) -> None:
        self._files = files
        self._decoded: list[DecodedImage | None] = [None] * len(files)
        self._locks = [Lock() for _ in files]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> DecodedImage:
        with self._locks[row]:
            image = self._decoded[row]
            if image is None:
                image = self._decoded[row] = decode_rgb(self._files[row])
            return image

    def __iter__(self) -> Iterator[DecodedImage]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True)
class Batch:
    """Rows of `curation.sample.SAMPLE_SCHEMA` (or some of its columns) and a lazy view of their pixels."""

    table: pa.Table

    @cached_property
    def images(self) -> DecodedImages:
        """Each row's picture in RGB, or the fault that kept it from being decoded."""
        return DecodedImages([image["bytes"] if image else None for image in self.table.column("image").to_pylist()])


@dataclass(frozen=True)
class Outcome:
    """What a worker made of a batch: columns to add or replace, and one reject or None per row.

    Columns hold a value for every row of the batch (null where the row is rejected).
    """

    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    rejects: list[Reject | None] = field(default_factory=list)


class Worker(Protocol):
    """An opened stage: weights loaded, browser up."""

    def __call__(self, batch: Batch) -> Outcome:
        """Look at the rows of a batch; several threads may call at once."""
        ...


class Stage(Protocol):
    """Settings of a step; its fields and `version` are part of the key of what it makes."""

    name: ClassVar[str]
    version: ClassVar[int]  # bump when the output changes
    adds: ClassVar[pa.Schema]

    def open(self) -> AbstractContextManager[Worker]:
        """Load weights, start a browser: once a process."""
        ...
