from __future__ import annotations

from pathlib import Path

import pytest

from curation.bias.matching import find_mentions
from curation.bias.vocabulary import CATEGORIES
from tests.curation.bias.labelled import Labelled, found_in, labelled_captions


@pytest.fixture(scope="module")
def labelled(shared_data: Path) -> list[Labelled]:
    return labelled_captions(shared_data)


def said_in(caption: str) -> set[str]:
    return {mention.category for mention in find_mentions(caption)}


def test_labels_are_of_the_data_and_half_of_them_random(labelled: list[Labelled]) -> None:
    assert len(labelled) == 1_200
    assert sum(one.draw == "random" for one in labelled) == 600
    assert {one.draw for one in labelled} == {"random", *CATEGORIES}
    assert {one.half for one in labelled} == {"tuned", "held_out", "fresh"}
    assert set().union(*(one.states for one in labelled)) == set(CATEGORIES)


@pytest.mark.parametrize("half", ["tuned", "held_out", "fresh"])
@pytest.mark.parametrize("category", ["gender", "age"])
def test_gender_and_age_hold_the_goal(labelled: list[Labelled], category: str, half: str) -> None:
    found = found_in([one for one in labelled if one.half == half], category, said_in)
    assert found.n_right > 50
    assert found.precision >= 0.95
    assert found.recall >= 0.95


@pytest.mark.parametrize("category", ["race_ethnicity", "nationality", "religion", "disability", "sexual_orientation"])
def test_rare_categories_hold_what_was_measured(labelled: list[Labelled], category: str) -> None:
    """There are 20 cases in all: too few for a goal, enough to notice a rule that breaks."""
    found = found_in(labelled, category, said_in)
    assert (found.n_wrong, found.n_missed) == (0, 0)
