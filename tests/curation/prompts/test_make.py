"""What prompts come out of counts: how many, of what, how they read, and what they never say."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from curation.bias.matching import find_mentions
from curation.classes.objects import vocabulary
from curation.prompts.make import Made, Wanted, make_prompts
from curation.prompts.nouns import article
from curation.prompts.prompt import lacking
from curation.prompts.variety import distinct_n

CAPTIONS = "image_to_caption"


@pytest.fixture(scope="module")
def whole_vocabulary() -> Made:
    counts = {f"object:{name}": number % 50 for number, name in enumerate(vocabulary().names())}
    return make_prompts(counts, CAPTIONS, Wanted(per_object=1))


def objects(*names: str, count: int = 3) -> dict[str, int]:
    return {f"object:{name}": count for name in names}


def test_each_class_comes_to_the_threshold_by_single_prompts_and_combinations_together() -> None:
    counts = {"object:dog": 3, "object:umbrella": 0, "object:kite": 9, "object:car": 400}
    made = make_prompts(counts, CAPTIONS, Wanted(threshold=10))
    brought = Counter(name for prompt in made.prompts for name in prompt.classes)
    assert brought == {"object:dog": 7, "object:umbrella": 10, "object:kite": 1}
    assert sum(len(prompt.classes) > 1 for prompt in made.prompts) == 3  # of a dog and an umbrella: half of the dogs
    asked_for = make_prompts(counts, CAPTIONS, Wanted(threshold=10, n_combinations=6))
    assert sum(len(prompt.classes) > 1 for prompt in asked_for.prompts) == 6
    without = make_prompts(counts, CAPTIONS, Wanted(threshold=10, include_combinations=False))
    assert Counter(prompt.classes for prompt in without.prompts) == {(name,): n for name, n in brought.items()}


def test_a_number_for_each_object_and_of_combinations_is_kept_to() -> None:
    made = make_prompts(objects("dog", "cat", "cup"), CAPTIONS, Wanted(per_object=5, n_combinations=40))
    assert Counter(len(prompt.classes) > 1 for prompt in made.prompts) == {False: 15, True: 40}
    many = {f"object:thing {n}": 1 for n in range(60)}
    assert sum(len(p.classes) > 1 for p in make_prompts(many, CAPTIONS, Wanted(per_object=1)).prompts) == 100


@pytest.mark.parametrize(("counts", "n"), [({}, 0), (objects("dog", count=50), 0), (objects("dog", count=48), 2)])
def test_no_rare_object_and_one_work(counts: dict[str, int], n: int) -> None:
    prompts = make_prompts(counts, CAPTIONS, Wanted()).prompts
    assert [prompt.classes for prompt in prompts] == [("object:dog",)] * n


def test_classes_above_max_count_are_left_out() -> None:
    counts = {"object:dog": 3, "object:cat": 30}
    made = make_prompts(counts, CAPTIONS, Wanted(max_count=10, per_object=1, include_combinations=False))
    assert [prompt.classes for prompt in made.prompts] == [("object:dog",)]


def test_it_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (
        [p.row() for p in make_prompts(objects("dog", "cat"), CAPTIONS, Wanted(per_object=3, seed=seed)).prompts]
        for seed in (42, 42, 7)
    )
    assert first == again
    assert not {row["prompt"] for row in first} & {row["prompt"] for row in other}
    assert len({row["id"] for row in first + other}) == len(first) + len(other)


def test_every_object_of_the_vocabulary_is_asked_for_as_the_measure_of_classes_finds_it(whole_vocabulary: Made) -> None:
    assert whole_vocabulary.short == {}
    assert whole_vocabulary.unasked == ()
    for prompt in whole_vocabulary.prompts:
        assert lacking(prompt.target, CAPTIONS, prompt.text) == [], prompt.text


def test_no_two_prompts_are_equal_and_none_says_anything_protected(whole_vocabulary: Made) -> None:
    texts = [prompt.text for prompt in whole_vocabulary.prompts]
    assert len(set(texts)) == len(texts) > 500
    assert [text for text in texts if find_mentions(text)] == []
    assert distinct_n(texts, 2) > 0.3


def test_articles_stand_before_the_right_words(whole_vocabulary: Made) -> None:
    for prompt in whole_vocabulary.prompts:
        for found in re.finditer(r"\b(an?) (\w[\w-]*)", prompt.text, re.IGNORECASE):
            assert found[1].lower() == article(found[2]), prompt.text
        assert not re.search(r"\ba (pair of )?(broccoli|scissors|jeans|skis)\b|scissorses|furnitures", prompt.text)


def test_an_object_that_no_list_has_is_asked_for_by_its_name() -> None:
    made = make_prompts(objects("skatepark", "pieces of driftwood"), CAPTIONS, Wanted(per_object=3))
    assert all("skatepark" in p.text for p in made.prompts if "object:skatepark" in p.classes)


@pytest.mark.parametrize(
    ("task", "counts", "said"),
    [
        ("page_to_html", {"component:pricing": 2, "layout:split": 1, "layout:grid-4": 0}, "pricing plans side by side"),
        ("table_to_html", {"span:2x3": 1, "shape:header-2": 3, "shape:10-19x3-4": 2}, 'rowspan="2" colspan="3"'),
        ("formula_to_latex", {r"cmd:\hat": 1, "env:cases": 2}, r"the command \hat"),
    ],
)
def test_markup_is_asked_for_in_words(task: str, counts: dict[str, int], said: str) -> None:
    made = make_prompts(counts, task, Wanted(threshold=8))
    texts = [prompt.text for prompt in made.prompts]
    first = next(iter(counts))
    assert all(said in prompt.text for prompt in made.prompts if first in prompt.classes)
    assert len(set(texts)) == len(texts)
    assert [text for text in texts if find_mentions(text)] == []
    assert {prompt.row()["type"] for prompt in made.prompts} == {"single_class", "combination"}


def test_what_cannot_be_put_into_words_is_told_and_what_excludes_each_other_is_not_combined() -> None:
    counts = {"shape:header-0": 1, "shape:header-2": 1, "shape:2-4x2": 1, "span:9x1": 1, "shape:odd": 1, "span:1x1": 1}
    made = make_prompts(counts, "table_to_html", Wanted(threshold=20))
    assert made.unasked == ("shape:odd", "span:1x1")
    for prompt in made.prompts:
        together = set(prompt.classes)
        assert not {"shape:header-0", "shape:header-2"} <= together
        assert not {"shape:2-4x2", "span:9x1"} <= together


def test_a_result_is_held_against_its_target() -> None:
    [prompt] = make_prompts({"span:2x1": 3}, "table_to_html", Wanted(per_object=1)).prompts
    assert prompt.target == {"span:2x1": 1}
    table = "<table><tr><td{}>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    assert lacking(prompt.target, prompt.task, table.format(' rowspan="2"')) == []
    assert lacking(prompt.target, prompt.task, table.format("")) == ["span:2x1"]
    assert lacking({"object:dog": 1}, CAPTIONS, None, ["puppy"]) == []
