"""The combined score: over what was measured, and it says over what."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.report.scores import Weights, named_objects, score_rows


def table(**columns: list[object]) -> pa.Table:
    n_rows = len(next(iter(columns.values())))
    types = {"objects": pa.list_(pa.string()), "task": pa.string(), "text": pa.string()}
    known = {"task": ["image_to_caption"] * n_rows, "text": ["A dog on a sofa."] * n_rows, **columns}
    return pa.table({name: pa.array(values, types.get(name, pa.float32())) for name, values in known.items()})


def test_terms_are_weighted_over_those_that_a_row_has() -> None:
    scored = score_rows(
        table(
            clip_cosine=[0.3, 0.3, None, None, None],
            bertscore_f1=[0.9, None, 0.9, None, None],
            objects=[["dog", "cat"], ["dog", "cat"], None, [], None],
            render_similarity=[None, None, None, None, 0.25],
        ),
        Weights(),
    )
    assert scored.terms == ["clip+bert+obj", "clip+obj", "bert", "", "render"]
    every = (0.4 * 0.35 + 0.3 * 0.1 + 0.3 * 0.5) / 1.0
    two = (0.4 * 0.35 + 0.3 * 0.5) / 0.7
    assert scored.combined[:3].tolist() == pytest.approx([every, two, 0.1], abs=1e-6)
    assert np.isnan(scored.combined[3])
    assert scored.combined[4] == pytest.approx(0.75)
    assert scored.n_objects.tolist() == [2, 2, -1, -1, -1]
    assert scored.object_miss[:2].tolist() == [0.5, 0.5]


def test_a_weight_of_nothing_takes_a_term_out_and_no_column_at_all_scores_nothing() -> None:
    scored = score_rows(table(clip_cosine=[-1.0], bertscore_f1=[0.2]), Weights(clip=0))
    assert scored.terms == ["bert"]
    assert scored.combined.tolist() == pytest.approx([0.8])
    assert np.isnan(score_rows(table(n_tokens=[3]), Weights()).combined).all()
    assert score_rows(table(clip_cosine=[0.1]), Weights(0, 0, 0, 0)).terms == [""]


def test_scores_stay_between_0_and_1() -> None:
    scored = score_rows(table(clip_cosine=[-1.0, 1.0], bertscore_f1=[-0.2, 1.3]), Weights())
    assert scored.combined.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "objects", "expected"),
    [
        ("A dog sleeps on the couch.", ["dog", "sofa"], (2, 2)),
        ("Two dogs.", ["dog", "dogs", "Dog"], (1, 1)),
        ("A hot dog on a plate.", ["dog"], (1, 0)),
        ("A frobnicator beside a tree.", ["frobnicator", "frob"], (2, 1)),
        ("Nothing.", [" ", ""], (0, 0)),
    ],
)
def test_objects_are_named_in_the_words_of_the_vocabulary(
    text: str, objects: list[str], expected: tuple[int, int]
) -> None:
    assert named_objects(text, objects) == expected
