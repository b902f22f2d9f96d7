"""Scores by the embeddings of models: BERTScore of texts, CLIPScore of a picture and a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from curation.bert_model import BertModel, Similarity
from curation.clip_model import ClipModel

CLIP_SCORE_WEIGHT: Final = 2.5
"""Hessel et al., "CLIPScore: A Reference-free Evaluation Metric for Image Captioning", EMNLP 2021."""


def bert_scores(predictions: Sequence[str], references: Sequence[str], model: BertModel) -> list[Similarity | None]:
    """BERTScore (Zhang et al., 2020) of each pair: precision is of the prediction, recall of the reference.

    An empty prediction scores 0; None where the reference has no token.
    """
    found = model.score(list(zip(references, predictions, strict=True)))
    return [
        Similarity(0.0, 0.0) if score is None and reference.strip() else score
        for score, reference in zip(found, references, strict=True)
    ]


def clip_scores(pictures: Sequence[Image.Image], texts: Sequence[str], model: ClipModel) -> list[float]:
    """CLIPScore of each pair: 2.5 × max(cosine, 0). A text that is longer than the context is the mean of its windows.

    An empty text scores 0.
    """
    scores = [0.0] * len(texts)
    cut = {row: parts for row, text in enumerate(texts) if text.strip() and (parts := model.windows(text))}
    if not cut:
        return scores
    seen = model.embed_pictures([model.prepared(pictures[row]) for row in cut])
    read = model.embed_texts(model.tokens([part for parts in cut.values() for part in parts]))
    ends = np.cumsum([len(parts) for parts in cut.values()])
    for row, picture, windows in zip(cut, seen, np.split(read, ends[:-1]), strict=True):
        direction = windows.mean(axis=0)
        cosine = float(direction @ picture) / max(float(np.linalg.norm(direction)), 1e-12)
        scores[row] = CLIP_SCORE_WEIGHT * max(cosine, 0.0)
    return scores
