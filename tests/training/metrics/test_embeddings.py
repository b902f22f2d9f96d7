"""BERTScore and CLIPScore, with models made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.bert_model import BertModel, find_encoder
from curation.clip_model import ClipModel, find_clip
from tests.curation.tiny_models import tiny_bert, tiny_clip
from training.metrics.embeddings import bert_scores, clip_scores


def test_bertscore(tmp_path: Path) -> None:
    model = BertModel(find_encoder(str(tiny_bert(tmp_path, ["dog", "cat", "runs"]))), 1, "cpu")
    same, other, empty, nothing = bert_scores(["a dog", "a cat runs", "", "a dog"], ["a dog"] * 3 + [" "], model)
    assert same is not None
    assert same.f1 == pytest.approx(1, abs=1e-5)
    assert other is not None
    assert other.f1 < 0.999
    assert other.precision < other.recall + 1  # of the prediction, which says more
    assert empty is not None
    assert empty.f1 == 0.0
    assert nothing is None


def test_clipscore_is_25_times_the_cosine(tmp_path: Path) -> None:
    model = ClipModel(find_clip(str(tiny_clip(tmp_path)), ""), "cpu", "fp32", "auto")
    picture = Image.new("RGB", (40, 30), (200, 30, 30))
    long = "word " * 60
    scores = clip_scores([picture] * 3, ["a red wall", "", long], model)
    seen = model.embed_pictures([model.prepared(picture)])[0]
    cosine = float(model.embed_texts(model.tokens(["a red wall"]))[0] @ seen)
    assert scores[0] == pytest.approx(2.5 * max(cosine, 0), abs=1e-5)
    assert scores[1] == 0.0
    windows = model.embed_texts(model.tokens(model.windows(long))).mean(axis=0)
    assert len(model.windows(long)) > 1
    assert scores[2] == pytest.approx(2.5 * max(float(windows @ seen) / np.linalg.norm(windows), 0), abs=1e-5)
