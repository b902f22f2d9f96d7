"""Formulas: match, distance, validity, meaning, pictures, and why they are wrong."""

from __future__ import annotations

import pytest
from rapidfuzz.distance import Levenshtein

from rendering.renderer import Renderer
from rendering.result import RenderFailure
from rendering.spec import RenderSpec
from training.metrics.latex import edit_distance, latex_match, latex_match_batch
from training.metrics.latex_errors import CAUSES, count_causes, latex_causes
from training.metrics.latex_meaning import meaning_of_pair, meanings, share_of
from training.metrics.latex_pictures import picture_matches
from training.metrics.workers import Workers


def test_exact_and_canonical_match() -> None:
    assert latex_match(r"\frac{a}{b}", r" \frac{a}{b} ").exact_match
    other = latex_match(r"a\over b", r"\frac ab")
    assert (other.exact_match, other.canonical_match, other.edit_distance) == (False, True, 0.0)
    assert latex_match(r"\frac{a}{c}", r"\frac ab").canonical_match is False
    assert latex_match(r"x", r"\frac{").canonical_match is None  # a reference that is none says nothing


def test_edit_distance_is_levenshtein_of_tokens_over_the_longer() -> None:
    # kitten, sitting: the published example of Levenshtein's distance, 3 of 7
    assert Levenshtein.distance("kitten", "sitting") == 3
    assert edit_distance("k i t t e n", "s i t t i n g") == pytest.approx(3 / 7)
    assert edit_distance(r"\alpha x", r"\beta x") == pytest.approx(1 / 2)
    assert edit_distance("", "") == 0.0
    assert edit_distance("", "x") == 1.0


def test_validity_is_katexs() -> None:
    assert latex_match(r"\sqrt[3]{x}", "x").valid
    assert not latex_match(r"\sqrt[3]{x", "x").valid
    assert not latex_match(r"\nosuchcommand", "x").valid


@pytest.mark.parametrize(
    ("prediction", "causes"),
    [
        (r"\frac { a } { b } + x ^ { 2 }", ()),
        (r"\frac ab + x^2", ()),
        ("", ("empty",)),
        (r"\frac { a } { b } + x ^ { 2", ("cut_off", "missing_brace")),
        (r"\frac { a } { b } + x ^ { 2 } }", ("extra_brace",)),
        (r"\frac { a } { b } x ^ { 2 }", ("missing_symbol",)),
        (r"\frac { a } { b } +", ("cut_off",)),
        (r"\frac { a } { b } + x _ { 2 }", ("wrong_script",)),
        (r"\frac { a } { b } + x 2", ("wrong_script",)),
        (r"\frac { a } { b } + y ^ { 2 }", ("wrong_symbol",)),
        (r"\frac { \alpha } { b } + x ^ { 2 }", ("wrong_command",)),
        (r"a b + x ^ { 2 }", ("missing_command",)),
        (r"\frac { a } { b } + \sqrt { x } ^ { 2 }", ("extra_command",)),
        (r"\frac { a } { b } + c x ^ { 2 }", ("extra_symbol",)),
        (r"\frac { a } { b } + x ^ 2 ^ 2", ("double_script", "extra_symbol")),
        (r"\frac { a } { b } + \foo { x } ^ { 2 }", ("unknown_command", "extra_command")),
        (r"\left( \frac { a } { b } + x ^ { 2 }", ("unbalanced_delimiter", "extra_command", "extra_symbol")),
        (
            r"\begin{array}{c} \frac { a } { b } + x ^ { 2 }",
            ("unbalanced_environment", "extra_command", "extra_symbol"),
        ),
        (r"\frac { a b } { } + x ^ { 2 }", ("wrong_grouping",)),
        (r"\frac { a } { b } + x ^ { 2 }" + " + x + x" * 20, ("repeating",)),
        ("{" * 30_000, ("too_long", "repeating")),
    ],
)
def test_causes_of_errors(prediction: str, causes: tuple[str, ...]) -> None:
    found = latex_causes(prediction, r"\frac { a } { b } + x ^ { 2 }")
    assert set(found) == set(causes)
    assert list(found) == sorted(found, key=CAUSES.index)


def test_causes_are_counted_by_predictions() -> None:
    assert count_causes([("cut_off",), ("cut_off", "missing_brace"), ()]) == {"cut_off": 2, "missing_brace": 1}


@pytest.mark.parametrize(
    ("prediction", "reference", "meaning"),
    [
        (r"\frac{1}{2} x + y", r"y + \frac { x } { 2 }", "equal"),
        (r"x^2 - 1", r"(x-1)(x+1)", "equal"),
        (r"x = 2 y", r"2 y - x = 0", "equal"),
        (r"2 x = 4 y", r"x = 2 y", "equal"),
        (r"\int_0^1 x dx", r"\frac{1}{2}", "equal"),
        (r"x < y", r"y > x", "equal"),
        (r"a + b", r"a - b", "different"),
        (r"x = y", r"x + y", "different"),
        (r"x = y", r"x = y + 1", "different"),
        (r"x^2", r"x^{\text{", "reference_not_read"),
        (r"\foo{", r"x_1", "prediction_not_read"),
    ],
)
def test_meaning(prediction: str, reference: str, meaning: str) -> None:
    assert meaning_of_pair((prediction, reference)) == meaning


def test_meaning_is_bounded_in_time_and_its_share_is_told(workers: Workers) -> None:
    from training.metrics import latex_meaning

    predictions, references = ["x + x", "9^{9^{9^{9^{9}}}}", r"\foo"], ["2 x", "1", "x"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latex_meaning, "TIMEOUT_S", 1.5)
        found = meanings(predictions, references, workers)
    assert found == ["equal", "not_decided", "prediction_not_read"]
    share = share_of([*found, "reference_not_read"])
    assert (share.decided, share.equal) == (0.5, 0.5)
    assert share_of(["reference_not_read"]).equal is None


def test_pictures(renderer: Renderer, workers: Workers) -> None:
    formulas = [r"a \over b", r"\frac ab", r"\frac ac", r"\foo"]
    drawn = dict(zip(formulas, renderer.render(formulas, RenderSpec(kind="formula", scale=2.0)), strict=True))
    same, other, broken, unknown = (
        drawn[prediction] for prediction in (r"a \over b", r"\frac ac", r"\foo", r"\frac ab")
    )
    assert isinstance(broken, RenderFailure)
    true = drawn[r"\frac ab"]
    found = picture_matches([same, other, broken, unknown], [true, true, true, broken], workers)
    assert found[0] is not None
    assert (found[0].match, found[0].similarity) == (True, 1.0)
    assert found[1] is not None
    assert not found[1].match
    assert 0 < found[1].similarity < 0.9
    assert found[2] is not None
    assert (found[2].match, found[2].similarity) == (False, 0.0)
    assert found[3] is None


def test_a_batch_keeps_the_order(workers: Workers) -> None:
    pairs = [("x", "x"), ("", "x"), (r"\frac ab", r"a \over b")]
    found = latex_match_batch(*map(list, zip(*pairs, strict=True)), workers)
    assert found == [latex_match(*pair) for pair in pairs]
