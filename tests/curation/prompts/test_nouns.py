"""Articles, plurals and mass nouns."""

from __future__ import annotations

import pytest

from curation.prompts.nouns import noun_of, with_article


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("umbrella", "an umbrella"),
        ("unicycle", "a unicycle"),
        ("hourglass", "an hourglass"),
        ("tv", "a TV"),
        ("suv", "an SUV"),
        ("x-ray", "an X-ray"),
        ("scissors", "a pair of scissors"),
        ("reading glasses", "a pair of reading glasses"),
        ("wine glass", "a wine glass"),
        ("broccoli", "a head of broccoli"),
        ("toilet paper", "a roll of toilet paper"),
        ("kitchen knife", "a kitchen knife"),
    ],
)
def test_one_of_a_thing(name: str, said: str) -> None:
    assert with_article(noun_of(name).one) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("person", "people"),
        ("knife", "knives"),
        ("bus", "buses"),
        ("sheep", "sheep"),
        ("mouse", "computer mice"),
        ("chest of drawers", "chests of drawers"),
        ("hot dog", "hot dogs"),
        ("potato", "potatoes"),
        ("kitchen shelf", "kitchen shelves"),
    ],
)
def test_several_of_a_thing(name: str, said: str) -> None:
    assert noun_of(name).many == said


def test_what_cannot_be_counted_is_never_counted() -> None:
    assert {name: noun_of(name).kind for name in ("broccoli", "red wine", "furniture")} == {
        "broccoli": "mass", "red wine": "mass", "furniture": "mass",
    }  # fmt: skip
    assert noun_of("orange juice").one == ""  # a sort of something has no portion that is known: "some"
    assert noun_of("vegetables").kind == "plural"
    assert noun_of("tennis").kind == "mass"
    assert [noun_of(name).kind for name in ("glass", "dress", "bus", "cactus")] == ["count"] * 4
