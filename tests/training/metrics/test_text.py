"""Corpus BLEU and chrF: sacrebleu's values and signatures, and sums of counts."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from training.metrics.text import corpus_bleu, corpus_chrf, counts, sentence_bleu

# sacrebleu's README: `BLEU = 48.53`, chrF2 = 59.73 for these three sentences (against the first of its two references
# 29.44 by its own test).
PREDICTIONS = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]


def test_the_values_of_sacrebleus_readme() -> None:
    both = [REFERENCES, ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]]
    assert sacrebleu.corpus_bleu(PREDICTIONS, both).score == pytest.approx(48.53, abs=0.005)
    assert corpus_bleu(PREDICTIONS, both[0]).score == sacrebleu.corpus_bleu(PREDICTIONS, both[:1]).score
    assert corpus_chrf(PREDICTIONS, both[0]).score == pytest.approx(sacrebleu.corpus_chrf(PREDICTIONS, both[:1]).score)


def test_signatures_say_how() -> None:
    bleu, chrf = corpus_bleu(PREDICTIONS, REFERENCES), corpus_chrf(PREDICTIONS, REFERENCES)
    assert bleu.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.")
    assert chrf.signature.startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.")
    assert "tok:char" in corpus_bleu(PREDICTIONS, REFERENCES, "char").signature


def test_the_tokenizer_moves_the_value() -> None:
    one, other = ["<table><tr><td>a</td></tr></table>"], ["<table><tr><td>b</td></tr></table>"]
    assert corpus_bleu(one, other, "char").score > 4 + corpus_bleu(one, other, "13a").score


def test_a_prompt_in_the_prediction_would_change_the_score() -> None:
    prompts = [f"USER: Write it. ASSISTANT: {text}" for text in REFERENCES]
    assert corpus_bleu(REFERENCES, REFERENCES).score == pytest.approx(100)
    assert corpus_bleu(prompts, REFERENCES).score < 60


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_a_corpus_score_is_that_of_summed_counts(metric: str) -> None:
    found = counts(metric, PREDICTIONS, REFERENCES)  # type: ignore[arg-type]
    assert len(found.rows) == 3
    score = corpus_bleu if metric == "bleu" else corpus_chrf
    assert found.score() == score(PREDICTIONS, REFERENCES).score
    twice = score([PREDICTIONS[0], *PREDICTIONS[:2]], [REFERENCES[0], *REFERENCES[:2]]).score
    assert found.scores(np.array([[2.0, 1, 0]])).tolist() == pytest.approx([twice])


def test_empty_ones() -> None:
    assert corpus_bleu([""], ["a b c"]).score == 0.0
    assert corpus_chrf([""], ["a b c"]).score == 0.0
    assert corpus_bleu([], []).score == 0.0
    assert sentence_bleu("a b", "a b") == pytest.approx(100)
