"""distinct-n and self-BLEU, held against values worked out by hand and sacrebleu's."""

from __future__ import annotations

import pytest
from sacrebleu.metrics import BLEU

from curation.prompts.variety import distinct_n, self_bleu

TEXTS = ["a dog on the mat by the door", "a cat on the mat by a tree", "two kites above the long grey beach at dusk"]


def test_distinct_n_is_different_over_all() -> None:
    assert distinct_n(["a dog", "A dog and a dog"], 1) == 3 / 7
    assert distinct_n(["a dog", "A dog and a dog"], 2) == 3 / 5
    assert distinct_n([], 1) == distinct_n(["a"], 2) == 0


def test_self_bleu_is_1_for_equal_texts_and_small_for_different_ones() -> None:
    assert self_bleu(["a dog on the mat"] * 3) == pytest.approx(1)
    assert self_bleu(["a b c d e", "f g h i j"]) < 0.05
    assert self_bleu(["alone"]) == self_bleu([]) == 0


def test_self_bleu_is_sacrebleus_sentence_bleu_against_all_others() -> None:
    floor = BLEU(effective_order=True, smooth_method="floor", smooth_value=0.1, tokenize="none")
    scores = [floor.sentence_score(text, [one for one in TEXTS if one != text]).score / 100 for text in TEXTS]
    assert self_bleu(TEXTS) == pytest.approx(sum(scores) / len(scores), rel=1e-6)
