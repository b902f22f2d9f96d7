"""`ocr`: how many of the words that a target shows are read in its picture, and the other way round."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from PIL import Image
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from curation.markup.visible_text import visible_text
from curation.stage import Batch, Outcome, Worker
from curation.words import words_in
from rendering.compare.reading import read_lines, reader_version, shared_reader
from rendering.pixels import ImageFault

DECIMALS: Final = 4

MIN_SIMILARITY: Final = 0.5
"""ANLS (Biten et al., "Scene Text Visual Question Answering", ICCV 2019): a word read with half of its letters wrong,
or more, counts nothing; any other counts 1 - its normalised Levenshtein distance."""

READ_WIDTH_PX: Final = 1_000
MAX_SCALE: Final = 2.0
"""Tables' pictures are enlarged to this width, at most so many times: PubTabNet's letters are 5 px high."""


@dataclass(frozen=True)
class Ocr:
    """Holds the visible words of a page or table against those that rapidocr reads in `image`.

    Adds `text_recall` and `text_precision` (float32 in [0, 1]). Order is free: words of both sides are matched one to
    one, equal ones first and the rest so that similarities add up to the most, as ANLS* matches lists without order
    (Peer et al., arXiv:2402.03848, 2024). Recall is the sum over visible words, precision over words read; words are
    compared case-folded, in NFKC and without marks.

    Recall is null where no word is visible and precision where none is read; both are null where the picture is missing
    or broken, where the markup has no tree, and for captions, formulas and chats. Words in photographs count as read.
    """

    name: ClassVar[str] = "ocr"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([("text_recall", pa.float32()), ("text_precision", pa.float32())])
    reader: str = reader_version()
    """What reads: part of the key."""

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Load the reader's models, or find them loaded."""
        shared_reader()
        yield _measure


def word_scores(visible: list[str], read: list[str]) -> tuple[float | None, float | None]:
    """Recall and precision of words; None where there is nothing to divide by."""
    matched = _matched(visible, read)
    return matched / len(visible) if visible else None, matched / len(read) if read else None


def _matched(visible: list[str], read: list[str]) -> float:
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types

    same = Counter(visible) & Counter(read)
    left = list((Counter(visible) - same).elements())
    right = list((Counter(read) - same).elements())
    if not left or not right:
        return float(same.total())
    likeness = cdist(left, right, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
    likeness[likeness <= MIN_SIMILARITY] = 0.0
    return same.total() + float(likeness[linear_sum_assignment(likeness, maximize=True)].sum())


def _measure(batch: Batch) -> Outcome:
    table = batch.table
    shown = [
        visible_text(task, text) if text is not None and task in ("page_to_html", "table_to_html") else None
        for task, text in zip(table.column("task").to_pylist(), table.column("text").to_pylist(), strict=True)
    ]
    scores: list[tuple[float | None, float | None]] = [(None, None)] * table.num_rows
    for row, (task, text) in enumerate(zip(table.column("task").to_pylist(), shown, strict=True)):
        if text is None or isinstance(picture := batch.images[row], ImageFault):
            continue
        scores[row] = word_scores(_words(text), _words(_read(picture, task)))
    columns = zip(Ocr.adds.names, zip(*scores, strict=True), strict=True)
    return Outcome({name: _rounded(values) for name, values in columns}, [None] * table.num_rows)


def _read(picture: Image.Image, task: str) -> str:
    scale = min(MAX_SCALE, max(1.0, READ_WIDTH_PX / picture.width)) if task == "table_to_html" else 1.0
    return "\n".join(line.text for line in read_lines(picture, scale))


def _words(text: str) -> list[str]:
    return words_in(unicodedata.normalize("NFKC", text).replace("-", " "))  # readers see all dashes alike


def _rounded(values: tuple[float | None, ...]) -> pa.Array:
    return pa.array([None if value is None else round(value, DECIMALS) for value in values], pa.float32())
