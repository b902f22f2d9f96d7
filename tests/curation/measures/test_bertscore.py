"""`bertscore` says how much of a caption is left after it was changed; against bert-score itself, on tiny encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.bert_model import BertModel, find_encoder
from curation.errors import ModelError
from curation.keys import content_key
from curation.measures.bertscore import BertScore
from curation.stage import Batch
from tests.curation.tiny_models import tiny_bert

WORDS = ["a", "man", "woman", "person", "rides", "walks", "horse", "dog", "the", "beach", "on", "in", "park", "red"]
PAIRS = [
    ("a man rides a horse on the beach.", "a person rides a horse on the beach."),
    ("a woman walks the dog", "the horse in a park."),
    ("red", "a red dog, a red dog"),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("models") / "bert", WORDS)


@pytest.fixture(scope="session")
def model(folder: Path) -> BertModel:
    return BertModel(find_encoder(str(folder)), None, "cpu")


def measured(stage: BertScore, rows: Sequence[dict[str, Any]]) -> list[dict[str, float | None]]:
    names = ("task", "text", "original_caption", "source_text")
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    with stage.open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == BertScore.adds
    return [dict(row) for row in columns.to_pylist()]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_scores_are_those_of_the_bert_score_package(folder: Path, num_layers: int) -> None:
    from bert_score import BERTScorer

    ours = BertModel(find_encoder(str(folder)), num_layers, "cpu").score(PAIRS)
    scorer = BERTScorer(model_type=str(folder), num_layers=num_layers, device="cpu")
    scorer._tokenizer.model_max_length = 32
    references, candidates = map(list, zip(*PAIRS, strict=True))
    theirs = zip(*(values.tolist() for values in scorer.score(candidates, references)), strict=True)
    for own, (precision, recall, f1) in zip(ours, theirs, strict=True):
        assert own is not None
        assert (own.precision, own.recall, own.f1) == pytest.approx((precision, recall, f1), abs=1e-6)


def test_scores_follow_the_published_formula(folder: Path, model: BertModel) -> None:
    """R is the mean over reference tokens of the largest cosine to a candidate token, P the other way round.

    The ends of a text are matched with, as the package has it, but do not count themselves.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    encoder, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def tokens(text: str) -> torch.Tensor:
        with torch.no_grad():
            hidden = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return torch.nn.functional.normalize(hidden, dim=-1)

    for (reference, candidate), own in zip(PAIRS, model.score(PAIRS), strict=True):
        cosines = tokens(reference) @ tokens(candidate).T
        assert own is not None
        assert own.recall == pytest.approx(float(cosines[1:-1].max(dim=1).values.mean()), abs=1e-5)
        assert own.precision == pytest.approx(float(cosines[:, 1:-1].max(dim=0).values.mean()), abs=1e-5)


class TestRows:
    def test_which_text_is_held_against_which(self, folder: Path) -> None:
        man, person = PAIRS[0]
        rows = [
            {"task": "image_to_caption", "text": person, "original_caption": man},
            {"task": "image_to_caption", "text": person, "source_text": man},
            {"task": "image_to_caption", "text": person, "original_caption": man, "source_text": "red"},
            {"task": "image_to_caption", "text": man, "original_caption": man},
            {"task": "image_to_caption", "text": man, "source_text": f" {man.title()}\n"},
            {"task": "image_to_caption", "text": man},
            {"task": "image_to_caption", "text": None, "original_caption": man},
            {"task": "image_to_caption", "text": man, "original_caption": " "},
            {"task": "page_to_html", "text": "<p>a</p>", "source_text": "<P>a"},
            {"task": "image_chat"},
        ]
        scores = [row["bertscore_f1"] for row in measured(BertScore.pinned(str(folder), device="cpu"), rows)]
        assert scores[0] == scores[1] == scores[2]
        assert scores[0] is not None
        assert scores[0] < 1.0
        assert scores[3:] == [1.0, None, None, None, None, None, None]

    def test_precision_is_of_the_text_and_recall_of_the_original(self, folder: Path) -> None:
        long, short = "the red dog walks on the beach in the park", "the red dog"
        rows = [
            {"task": "image_to_caption", "text": short, "original_caption": long},
            {"task": "image_to_caption", "text": long, "original_caption": short},
        ]
        one, other = measured(BertScore.pinned(str(folder), device="cpu"), rows)
        assert one["bertscore_precision"] == pytest.approx(other["bertscore_recall"], abs=2e-4)
        assert one["bertscore_recall"] == pytest.approx(other["bertscore_precision"], abs=2e-4)

    def test_tables_without_the_columns_of_originals(self, folder: Path) -> None:
        with BertScore.pinned(str(folder), device="cpu").open() as worker:
            columns = worker(Batch(pa.table({"task": ["image_to_caption"], "text": ["a"]}))).columns
        assert columns["bertscore_f1"].to_pylist() == [None]


class TestLongTexts:
    """The encoder takes 32 tokens."""

    LONG = " ".join(["the man walks the dog on the beach."] * 12)

    def test_they_are_scored_to_their_end(self, model: BertModel) -> None:
        assert model.n_tokens(self.LONG) > 3 * model.context_length
        same, changed_last = model.score([(self.LONG, self.LONG), (self.LONG, f"{self.LONG[:-6]}horse.")])
        assert same is not None
        assert changed_last is not None
        assert (same.precision, same.recall) == pytest.approx((1.0, 1.0), abs=1e-6)
        assert changed_last.f1 < 0.9999

    def test_as_the_mean_of_their_chunks_weighted_by_tokens(self, model: BertModel) -> None:
        one, other = "a man rides a horse.", "the red dog walks in the park on the beach."
        pad = " ".join(["a man walks a dog."] * 5)  # 30 tokens: a chunk of its own
        assert model.n_tokens(pad) == 32
        whole, part = model.score([(f"{pad} {one}", f"{pad} {other}"), (one, other)])
        assert whole is not None
        assert part is not None
        # Cut elsewhere it would be another number; the padding is the same on both sides and scores 1.
        assert whole.recall == pytest.approx((30 + 6 * part.recall) / 36, abs=0.05)
        assert whole.precision == pytest.approx((30 + 11 * part.precision) / 41, abs=0.05)

    def test_texts_without_a_token(self, model: BertModel) -> None:
        assert model.score([("a dog", "\u200b"), ("\u200b", "a dog"), ("a", "a")])[:2] == [None, None]
        assert model.score([]) == []


def test_a_tokenizer_that_does_not_tell_its_length(tmp_path: Path) -> None:
    """bert-score alone ends in an OverflowError there (bert_score #205)."""
    folder = tiny_bert(tmp_path / "bert", WORDS)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    model = BertModel(find_encoder(str(folder)), None, "cpu")
    assert model.context_length == 30
    (score,) = model.score([(TestLongTexts.LONG, TestLongTexts.LONG)])
    assert score is not None
    assert score.f1 == pytest.approx(1.0, abs=1e-6)


def test_the_packaged_encoder_tells_a_paraphrase_from_another_caption() -> None:
    rows = [
        {"task": "image_to_caption", "text": text, "original_caption": "A man rides a horse on the beach."}
        for text in ("A person rides a horse on the beach.", "Stock markets fell sharply on Monday.")
    ]
    near, far = measured(BertScore.pinned(device="cpu"), rows)
    assert near["bertscore_f1"] == pytest.approx(0.899, abs=0.002)
    assert far["bertscore_f1"] is not None
    assert far["bertscore_f1"] < 0.2


class TestKeyAndRefusals:
    def test_the_key_holds_weights_and_layer_and_not_the_device(self, folder: Path) -> None:
        stage = BertScore.pinned(str(folder), device="cpu")
        assert content_key(stage=replace(stage, device="cuda")) == content_key(stage=stage)
        assert content_key(stage=replace(stage, num_layers=2)) != content_key(stage=stage)
        assert content_key(stage=replace(stage, weights_sha256="0")) != content_key(stage=stage)
        with pytest.raises(ModelError, match="have changed"), replace(stage, weights_sha256="0").open():
            pass

    def test_a_folder_that_is_no_model(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(ModelError, match="cannot be loaded"), BertScore(str(tmp_path)).open():
            pass

    def test_a_path_that_bert_score_would_take_for_a_t5_model(self, tmp_path: Path) -> None:
        folder = tiny_bert(tmp_path / "set5", WORDS)
        with pytest.raises(ModelError, match="Move the folder"), BertScore(str(folder)).open():
            pass
