"""`clip`: how well picture and text agree, as a CLIP model sees it; what it embeds them as is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa

from curation.clip_model import ClipModel, Embeddings, Precision, device_and_precision, find_clip, library_version
from curation.errors import ModelError
from curation.markup.visible_text import visible_text
from curation.sample import Task
from curation.stage import Batch, DecodedImages, Outcome, Worker
from rendering.pixels import ImageFault

if TYPE_CHECKING:
    import torch

DECIMALS: Final[dict[Precision, int]] = {"fp32": 4, "bf16": 2}
"""Of cosines: what a model reproduces whatever the size of its batches and the kernels of its machine."""

MAX_WINDOWS: Final = 64
"""Of a text, so that one row cannot hold up a run: a longer one is looked at in so many, evenly spread."""

OF_TRANSFORMERS: Final = {
    "openai/clip-vit-base-patch32": "ViT-B-32",
    "openai/clip-vit-base-patch16": "ViT-B-16",
    "openai/clip-vit-large-patch14": "ViT-L-14",
}
"""OpenAI's models by the names of transformers, and by those that open_clip has them under."""

BatchSize = int | Literal["auto"]


@dataclass(frozen=True)
class Clip:
    """Holds `image` against what a caption says, else the source's `context`, else the visible text of page or table.

    Adds `clip_cosine` (float32, raw, of the window that fits best), `clip_cosine_mean` (float32, over the windows),
    `clip_truncated` (bool: the text is longer than the model's context, so that a filter of one window would have cut
    it; here no word is left out up to `MAX_WINDOWS`), `clip_windows` (int32: into how many it was cut) and the
    embeddings `clip_image_embedding` and `clip_text_embedding` (binary: float16, little endian, of length 1; the text's
    is the mean direction of its windows).

    All are null where the picture is missing or broken, where there is no such text, and for formulas and chats: what a
    model learned of captions says nothing of LaTeX, or of questions and answers.

    `model` and `pretrained` as `curation.clip_model.find_clip` takes them; `pinned` fills in the hash of the weights
    and what the device computes with. On which device and in which batches is no part of the key.
    """

    name: ClassVar[str] = "clip"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            ("clip_cosine", pa.float32()),
            ("clip_cosine_mean", pa.float32()),
            ("clip_truncated", pa.bool_()),
            ("clip_windows", pa.int32()),
            ("clip_image_embedding", pa.binary()),
            ("clip_text_embedding", pa.binary()),
        ]
    )
    model: str = "ViT-B-32"
    pretrained: str = "laion2b_s34b_b79k"
    batch_size: BatchSize = field(default="auto", compare=False)
    device: str = field(default="auto", compare=False)
    weights_sha256: str = ""
    precision: Precision = "fp32"
    library: str = library_version()

    @classmethod
    def pinned(
        cls,
        model: str = "ViT-B-32",
        pretrained: str = "laion2b_s34b_b79k",
        batch_size: BatchSize = "auto",
        device: str = "auto",
    ) -> Clip:
        """The measure with a model as it is now, on this machine's device.

        Raises `ModelError` where the weights cannot be had, before any work is done.
        """
        device, precision = device_and_precision(device)
        return cls(model, pretrained, batch_size, device, find_clip(model, pretrained).sha256, precision)

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Load the weights, and check that they are those that the key names."""
        files = find_clip(self.model, self.pretrained)
        if self.weights_sha256 and files.sha256 != self.weights_sha256:
            raise ModelError(f"The weights of {self.model!r} have changed since the run was planned", "Start again")
        device, _ = device_and_precision(self.device)
        model = ClipModel(files, device, self.precision, self.batch_size)
        n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        with ThreadPoolExecutor(n_threads, "clip pictures") as pool:
            yield _ClipWorker(model, pool, DECIMALS[self.precision])


def clip_names(given: str) -> tuple[str, ...]:
    """Model and weights as `Clip` takes them, of what a user calls them; empty for the default.

    `NAME`, `NAME:WEIGHTS`, a folder, `hf-hub:org/name`, or a name of transformers' as distilvit's option takes it.
    """
    if given in OF_TRANSFORMERS:
        return OF_TRANSFORMERS[given], "openai"
    if given.startswith("hf-hub:") or "/" in given:
        return (given,)
    return tuple(part for part in given.split(":", 1) if part)


class _ClipWorker:
    """Pictures are decoded and prepared in threads while texts, and the pictures before them, are computed."""

    def __init__(self, model: ClipModel, pool: ThreadPoolExecutor, decimals: int) -> None:
        self._model, self._pool, self._decimals = model, pool, decimals

    def __call__(self, batch: Batch) -> Outcome:
        texts = _texts(batch.table)
        rows = [row for row, text in enumerate(texts) if text is not None]
        coming = {row: self._pool.submit(self._prepared, batch.images, row) for row in rows} if rows else {}
        cut = {row: self._model.windows(texts[row] or "") for row in rows}
        read = self._embed_texts({row: _spread(parts) for row, parts in cut.items()})
        seen = self._embed_pictures(coming)
        columns: dict[str, list[Any]] = {name: [None] * len(texts) for name in Clip.adds.names}
        for row, picture in seen.items():
            cosines = (read[row] @ picture).astype(np.float64)
            direction = read[row].mean(axis=0)
            columns["clip_cosine"][row] = round(float(cosines.max()), self._decimals)
            columns["clip_cosine_mean"][row] = round(float(cosines.mean()), self._decimals)
            columns["clip_truncated"][row] = len(cut[row]) > 1
            columns["clip_windows"][row] = len(cut[row])
            columns["clip_image_embedding"][row] = _half(picture)
            columns["clip_text_embedding"][row] = _half(direction / max(float(np.linalg.norm(direction)), 1e-12))
        return Outcome(
            {name: pa.array(values, Clip.adds.field(name).type) for name, values in columns.items()},
            [None] * len(texts),
        )

    def _prepared(self, images: DecodedImages, row: int) -> torch.Tensor | None:
        picture = images[row]
        return None if isinstance(picture, ImageFault) else self._model.prepared(picture)

    def _embed_texts(self, parts: dict[int, list[str]]) -> dict[int, Embeddings]:
        """By row, one embedding a window."""
        if not parts:
            return {}
        embedded = self._model.embed_texts(self._model.tokens([part for row in parts.values() for part in row]))
        ends = np.cumsum([len(row) for row in parts.values()])
        return dict(zip(parts, np.split(embedded, ends[:-1]), strict=True))

    def _embed_pictures(self, coming: dict[int, Future[torch.Tensor | None]]) -> dict[int, Embeddings]:
        """By row; a row whose picture cannot be decoded is not there."""
        seen: dict[int, Embeddings] = {}
        waiting: dict[int, torch.Tensor] = {}
        for row, future in coming.items():
            if (pixels := future.result()) is not None:
                waiting[row] = pixels
            if len(waiting) >= self._model.batch_size:
                seen |= self._embedded(waiting)
                waiting = {}
        return seen | self._embedded(waiting)

    def _embedded(self, prepared: dict[int, torch.Tensor]) -> dict[int, Embeddings]:
        if not prepared:
            return {}
        return dict(zip(prepared, self._model.embed_pictures(list(prepared.values())), strict=True))


def _texts(table: pa.Table) -> list[str | None]:
    """What each row's picture is held against; None where there is nothing."""
    contexts = table.column("context").to_pylist() if "context" in table.column_names else [None] * table.num_rows
    rows = zip(table.column("task").to_pylist(), table.column("text").to_pylist(), contexts, strict=True)
    return [_text(*row) for row in rows]


def _text(task: Task, text: str | None, context: str | None) -> str | None:
    if task in ("formula_to_latex", "image_chat"):
        return None
    if task == "image_to_caption":
        said = text
    elif context and context.strip():
        said = context
    else:
        said = visible_text(task, text) if text is not None else None
    return said if said and said.strip() else None


def _spread(parts: Sequence[str]) -> list[str]:
    """All windows, or `MAX_WINDOWS` of them from the first to the last."""
    if len(parts) <= MAX_WINDOWS:
        return list(parts)
    return [parts[round(i * (len(parts) - 1) / (MAX_WINDOWS - 1))] for i in range(MAX_WINDOWS)]


def _half(direction: Embeddings) -> bytes:
    return direction.astype("<f2").tobytes()
