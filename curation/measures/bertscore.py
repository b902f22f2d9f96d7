"""`bertscore`: how much of what a caption said is still said after it was changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pyarrow as pa

from curation.bert_model import PACKAGED, BertModel, Similarity, find_encoder, library_version
from curation.errors import ModelError
from curation.stage import Batch, Outcome, Worker
from curation.words import words_in

DECIMALS: Final = 4
"""What a model reproduces in fp32 whatever the size of its batches."""

SAME: Final = Similarity(1.0, 1.0)
"""Of a text with itself: each token is its own nearest."""


@dataclass(frozen=True)
class BertScore:
    """Holds `text` (the candidate) against what it was made of (the reference).

    That is `original_caption`; where there is none, the `source_text` of a caption whose words canonical form changed.
    Adds `bertscore_precision`, `bertscore_recall` and `bertscore_f1` (float32; raw, not rescaled with a baseline, so
    they compare only within one model and layer). Null where there is no such original, or nothing in it or in `text`.
    Texts longer than the model's context are scored in aligned chunks (`curation.aligned_chunks`), never cut.

    `model` as `curation.bert_model.find_encoder` takes it; `num_layers` None is bert-score's best layer for models it
    knows, else the last. `pinned` fills in the hash of the weights. On which device is no part of the key.
    """

    name: ClassVar[str] = "bertscore"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            ("bertscore_precision", pa.float32()),
            ("bertscore_recall", pa.float32()),
            ("bertscore_f1", pa.float32()),
        ]
    )
    model: str = PACKAGED
    num_layers: int | None = None
    device: str = field(default="auto", compare=False)
    weights_sha256: str = ""
    library: str = library_version()

    @classmethod
    def pinned(cls, model: str = PACKAGED, num_layers: int | None = None, device: str = "auto") -> BertScore:
        """The measure with a model as it is now.

        Raises `ModelError` where the weights cannot be had, before any work is done.
        """
        return cls(model, num_layers, device, find_encoder(model).sha256)

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Load the weights, and check that they are those that the key names."""
        files = find_encoder(self.model)
        if self.weights_sha256 and files.sha256 != self.weights_sha256:
            raise ModelError(f"The weights of {self.model!r} have changed since the run was planned", "Start again")
        model = BertModel(files, self.num_layers, self.device)
        yield lambda batch: _measure(model, batch)


def _measure(model: BertModel, batch: Batch) -> Outcome:
    texts = batch.table.column("text").to_pylist()
    scores: list[Similarity | None] = [None] * len(texts)
    changed: dict[int, tuple[str, str]] = {}
    for row, (original, text) in enumerate(zip(_originals(batch.table), texts, strict=True)):
        if original is None or not text:
            continue
        if original == text:
            scores[row] = SAME
        else:
            changed[row] = original, text
    for row, score in zip(changed, model.score(list(changed.values())), strict=True):
        scores[row] = score
    columns: dict[str, list[float | None]] = {
        "bertscore_precision": [one.precision if one else None for one in scores],
        "bertscore_recall": [one.recall if one else None for one in scores],
        "bertscore_f1": [one.f1 if one else None for one in scores],
    }
    return Outcome({name: _rounded(values) for name, values in columns.items()}, [None] * len(texts))


def _originals(table: pa.Table) -> list[str | None]:
    """What each row's text was made of; None where nothing tells, and for blank ones."""
    tasks, texts = table.column("task").to_pylist(), table.column("text").to_pylist()
    captions, sources = _column(table, "original_caption"), _column(table, "source_text")
    return [
        next((said for said in (caption, _reworded(task, source, text)) if said and said.strip()), None)
        for task, text, caption, source in zip(tasks, texts, captions, sources, strict=True)
    ]


def _reworded(task: str, source: str | None, text: str | None) -> str | None:
    """The source's caption where it has other words: white space and marks say nothing."""
    if task != "image_to_caption" or source is None or text is None or words_in(source) == words_in(text):
        return None
    return source


def _column(table: pa.Table, name: str) -> Sequence[Any]:
    values: list[Any] = table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows
    return values


def _rounded(values: list[float | None]) -> pa.Array:
    return pa.array([None if value is None else round(value, DECIMALS) for value in values], pa.float32())
