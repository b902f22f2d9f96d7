"""How bad each row looks, in one number, as distilvit ranks by: over what was measured, and saying over what.

A term is 0 where all is well and 1 where nothing is: of CLIP 1 - (cosine + 1) / 2, of BERTScore 1 - F1, of objects the
share of those that the source names and the caption does not, of a render back 1 - similarity. The combined score is
their weighted mean over the terms that a row has. (distilvit takes a missing term for the worst CLIP and BERTScore and
the best objects, so that rows are ranked by what was not measured.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.classes.objects import class_of, objects_named, vocabulary
from curation.report.rows import floats

Floats = npt.NDArray[np.float32]

READ = ("task", "text", "objects", "clip_cosine", "bertscore_f1", "render_similarity")
"""Columns that scores are made of; those that are not there are not measured."""


@dataclass(frozen=True)
class Weights:
    """Of the terms; `render` is ours, distilvit has the others."""

    clip: float = 0.4
    bert: float = 0.3
    obj: float = 0.3
    render: float = 0.4


@dataclass(frozen=True)
class Scores:
    """Of each row: the combined score (NaN where nothing was measured), its terms (as "clip+obj"), and objects.

    `n_objects` are those that the source names (-1 where it names none), `n_named` those of them in the caption.
    """

    combined: Floats
    terms: list[str]
    n_objects: npt.NDArray[np.int32]
    n_named: npt.NDArray[np.int32]

    @property
    def object_miss(self) -> Floats:
        """Share of the source's objects that the caption does not name, NaN where the source names none."""
        n_objects = np.where(self.n_objects > 0, self.n_objects, np.nan)
        missed: Floats = (1.0 - self.n_named / n_objects).astype(np.float32)
        return missed


def score_rows(table: pa.Table, weights: Weights) -> Scores:
    """Score the rows of a table of `READ`."""
    n_objects, n_named = _objects(table)
    scores = Scores(np.empty(0, np.float32), [], n_objects, n_named)
    nothing = np.full(table.num_rows, np.nan, np.float32)

    def of(name: str) -> Floats:
        return floats(table.column(name)) if name in table.column_names else nothing

    terms = {
        "clip": (weights.clip, 1.0 - (of("clip_cosine") + 1.0) / 2.0),
        "bert": (weights.bert, 1.0 - of("bertscore_f1")),
        "obj": (weights.obj, scores.object_miss),
        "render": (weights.render, 1.0 - of("render_similarity")),
    }
    terms = {name: term for name, term in terms.items() if term[0] > 0}
    if not terms:
        return Scores(nothing, [""] * table.num_rows, n_objects, n_named)
    values = np.stack([np.clip(badness, 0.0, 1.0) for _, badness in terms.values()])
    known = ~np.isnan(values)
    weighted = known * np.array([[weight] for weight, _ in terms.values()])
    total = weighted.sum(axis=0)
    combined = np.divide(
        (weighted * np.nan_to_num(values)).sum(axis=0),
        total,
        out=np.full(table.num_rows, np.nan),
        where=total > 0,
    ).astype(np.float32)
    names = list(terms)
    told = ["+".join(name for name, is_known in zip(names, row, strict=True) if is_known) for row in known.T]
    return Scores(combined, told, n_objects, n_named)


def named_objects(text: str, objects: list[str]) -> tuple[int, int]:
    """How many different things `objects` are, and how many of them an English caption names.

    In the words of the vocabulary (`curation.classes.objects`: "sofa" names a couch); what that does not know, as it is
    written.
    """
    wanted = {class_of(name) for name in objects if name and name.strip()}
    said = objects_named(text)
    plain = text.casefold()
    unknown = {name for name in wanted - _known_things() if re.search(rf"\b{re.escape(name)}\b", plain)}
    return len(wanted), len((wanted & said) | unknown)


@cache
def _known_things() -> frozenset[str]:
    return frozenset(form.name for form in vocabulary().forms.values())


def _objects(table: pa.Table) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    n_objects = np.full(table.num_rows, -1, np.int32)
    n_named = np.zeros(table.num_rows, np.int32)
    if "objects" not in table.column_names:
        return n_objects, n_named
    rows: list[dict[str, Any]] = table.select(["task", "text", "objects"]).to_pylist()
    for index, row in enumerate(rows):
        if row["task"] == "image_to_caption" and row["objects"] and row["text"]:
            n_objects[index], n_named[index] = named_objects(row["text"], row["objects"])
    return n_objects, n_named
