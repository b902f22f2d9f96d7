"""What stands in `words.yaml`, as it is looked up: forms of nouns, and sets of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from curation.bias.vocabulary import plural
from curation.bias.words import words_of
from curation.sample import sha256_hex

_FILE: Final = Path(__file__).with_name("words.yaml")


@dataclass(frozen=True, slots=True)
class Neutral:
    """What a term becomes: one, several."""

    one: str
    many: str


PERSON: Final = Neutral("person", "people")
CHILD: Final = Neutral("child", "children")


@dataclass(frozen=True)
class Lexicon:
    """`nouns` by term, as the measure of bias names terms (lower case, no hyphens)."""

    nouns: Mapping[str, Neutral]
    kept: frozenset[str]
    children: frozenset[str]
    child_adjectives: frozenset[str]
    child_words: frozenset[str]
    also_heads: frozenset[str]
    also_verbs: frozenset[str]
    adverbs: frozenset[str]
    not_owned: frozenset[str]
    verbs: Mapping[str, str]

    def neutral(self, term: str) -> Neutral:
        """What a term for a person becomes."""
        return self.nouns.get(term, PERSON)


@cache
def lexicon() -> Lexicon:
    """The packaged words; the same object every time."""
    read: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    nouns = {}
    for said, listed in read["nouns"].items():
        one, _, many = said.partition("/")
        for term in listed.split(","):
            nouns[_key(term)] = Neutral(one, many or (plural(one) if one else ""))

    def words(name: str) -> frozenset[str]:
        return frozenset(map(_key, read[name]))

    return Lexicon(
        nouns,
        words("kept"),
        words("children"),
        words("child_adjectives"),
        words("child_words"),
        words("also_heads"),
        words("also_verbs"),
        words("adverbs"),
        words("not_owned"),
        read["verbs"],
    )


@cache
def lexicon_digest() -> str:
    """SHA-256 in hex over the data file: what a rewriting was made with."""
    return sha256_hex(_FILE.read_bytes())


def _key(term: str) -> str:
    return " ".join(words_of(term).keys)
