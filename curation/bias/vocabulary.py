"""The vocabularies, read from `vocabulary/*.yaml` and compiled once: phrases by first word, and classes of words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml

from curation.bias.words import words_of

CATEGORIES: Final = (
    *("gender", "sexual_orientation", "race_ethnicity", "nationality", "religion", "disability", "age"),
)

RULES: Final = (
    *("persons", "persons_or_animals", "pronouns", "describes_person", "color_of_person", "origin"),
    *("aids", "years", "little"),
)
"""What decides whether a term counts; `curation.bias.senses` says how."""

_FOLDER: Final = Path(__file__).with_name("vocabulary")
_BRACES: Final = re.compile(r"\{([^}]*)\}")
_UNCOUNTED: Final = re.compile(r"(?:ese|ish|ch|sh|ss|x)$")  # demonyms without a plural of their own


class WordClass:
    """What a single word can be around a term: bits, plain integers because they are looked at for every word."""

    PERSON: Final = 1
    ANIMAL: Final = 2
    PET: Final = 4  # and toys: "he" is said of them, "baby" hardly
    THING: Final = 8
    DESCRIBING: Final = 16
    BREAKER: Final = 32
    PERSON_OR_ANIMAL: Final = 64  # "baby", "mother": no proof of a person
    SAYS_GENDER_OR_AGE: Final = 128  # "man", "child": a person for sure, whatever follows


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words to find; `rule` is None where they speak of no person ("cowboy hat") and hide the terms inside."""

    words: tuple[str, ...]
    rule: str | None
    category: str = ""
    term: str = ""
    plural: bool = False


@dataclass(frozen=True)
class Context:
    """Lists of `context.yaml` that are not classes of single words."""

    made_for: frozenset[str]
    made_for_with_possessive: frozenset[str]
    label_terms: frozenset[str]
    labels: frozenset[str]
    before_a_name: frozenset[str]
    behind_a_name: frozenset[str]
    not_colored: frozenset[str]
    little_before: frozenset[str]
    aid_behind: frozenset[str]
    with_capital: frozenset[str]


@dataclass(frozen=True)
class Vocabulary:
    """What is looked for: phrases by their first word, longest first; names of countries likewise."""

    phrases: Mapping[str, tuple[Phrase, ...]]
    classes: Mapping[str, int]
    countries: Mapping[str, tuple[tuple[str, ...], ...]]
    context: Context


@cache
def vocabulary() -> Vocabulary:
    """The packaged vocabularies, compiled; the same object every time."""
    files = {category: _read(category) for category in CATEGORIES}
    context = _read("context")
    nationality = files["nationality"]
    demonyms, countries = _of_countries(nationality)
    phrases = [
        *(phrase for category in CATEGORIES for phrase in _phrases(category, files[category])),
        *_demonyms(demonyms, nationality),
        *(Phrase(words, None) for text in context["not_animals"] for words in _forms(text)),
    ]
    return Vocabulary(
        _by_first_word(phrases),
        _classes(context, phrases),
        countries,
        Context(
            made_for=_set(context["made_for"]),
            made_for_with_possessive=_set(context["made_for_with_possessive"]),
            label_terms=frozenset(context["label_terms"]),
            labels=_set(context["labels"]),
            before_a_name=frozenset(context["also_names"]["before_a_name"]),
            behind_a_name=frozenset(context["also_names"]["behind_a_name"]),
            not_colored=_set(context["not_colored"]),
            little_before=frozenset(context["little_before"]),
            aid_behind=frozenset(context["aid_behind"]),
            with_capital=frozenset(nationality["with_capital"]),
        ),
    )


@cache
def vocabulary_digest() -> str:
    """SHA-256 in hex over the data files and the version of the library of demonyms."""
    digest = hashlib.sha256(version("countryinfo").encode())
    for name in (*CATEGORIES, "context"):
        digest.update((_FOLDER / f"{name}.yaml").read_bytes())
    return digest.hexdigest()


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return read


def _phrases(category: str, file: Mapping[str, Any]) -> Iterator[Phrase]:
    """Terms and neutral phrases of one file, in all their forms."""
    for rule in RULES:
        for entry in file.get(rule, ()):
            for singular, *others in _spelled(entry):
                # "aged", "Asian": no plural unless the entry gives one, and only nouns get one by rule.
                is_noun = rule in ("persons", "persons_or_animals", "aids", "years")
                forms = others or ([plural(singular)] if is_noun else [])
                for form in dict.fromkeys([singular, *forms]):
                    yield Phrase(
                        _keys(form), rule, category, " ".join(_keys(singular)), form != singular or form.endswith("s")
                    )
    for entry in file["neutral"]:
        for words in _forms(entry):
            yield Phrase(words, None)


def _demonyms(demonyms: Iterable[str], file: Mapping[str, Any]) -> Iterator[Phrase]:
    """Demonyms before persons and behind articles; their plurals are persons."""
    for demonym in dict.fromkeys([*demonyms, *file["origin"]]):
        term = " ".join(_keys(demonym))
        yield Phrase(_keys(demonym), "origin", "nationality", term)
        if not _UNCOUNTED.search(demonym):
            yield Phrase(_keys(plural(demonym)), "persons", "nationality", term, True)


def _of_countries(file: Mapping[str, Any]) -> tuple[list[str], dict[str, tuple[tuple[str, ...], ...]]]:
    """Demonyms in lower case, and names of countries by their first word, from the library."""
    from countryinfo import CountryInfo  # noqa: PLC0415  reads 250 files

    demonyms: set[str] = set()
    names: dict[str, set[tuple[str, ...]]] = {}
    for name, facts in CountryInfo.all().items():
        demonyms.update(part.strip().lower() for part in re.split(r"[,/]", facts.get("demonym") or "") if part.strip())
        words = _keys(name)
        if words and " ".join(words) not in file["not_as_country"]:
            names.setdefault(words[0], set()).add(words)
    for name in file["countries_with_capital"]:
        names.setdefault(name, set()).add((name,))
    countries = {first: tuple(sorted(several, key=len, reverse=True)) for first, several in names.items()}
    return sorted(demonyms - set(file["left_out"])), countries


def _classes(context: Mapping[str, Any], phrases: Iterable[Phrase]) -> dict[str, int]:
    classes: dict[str, int] = {}

    def add(words: Iterable[str], kind: int) -> None:
        for word in words:
            classes[word] = classes.get(word, 0) | kind

    for name, kind in (("people", WordClass.PERSON), ("animals", WordClass.ANIMAL), ("pets", WordClass.PET)):
        add((form for entry in _split(context[name]) for forms in _spelled(entry) for form in _all_forms(forms)), kind)
    add((form for word in _split(context["things"]) for form in (word, plural(word))), WordClass.THING)
    add(_split(context["describing"]), WordClass.DESCRIBING)
    add(_split(context["breakers"]), WordClass.BREAKER)
    for phrase in phrases:
        if len(phrase.words) == 1:
            if phrase.rule == "persons":
                add(phrase.words, WordClass.PERSON | WordClass.SAYS_GENDER_OR_AGE)
            elif phrase.rule == "persons_or_animals":
                add(phrase.words, WordClass.PERSON | WordClass.PERSON_OR_ANIMAL)
    return classes


def _by_first_word(phrases: Iterable[Phrase]) -> dict[str, tuple[Phrase, ...]]:
    by_first: dict[str, dict[Phrase, None]] = {}
    for phrase in phrases:
        by_first.setdefault(phrase.words[0], {})[phrase] = None
    return {first: tuple(sorted(several, key=lambda p: -len(p.words))) for first, several in by_first.items()}


def _spelled(entry: str) -> Iterator[list[str]]:
    """Spellings of an entry, each as its singular and the plurals that it names: "gay {bar,club}", "man/men"."""
    found = _BRACES.search(entry)
    if found is None:
        yield [form.strip() for form in entry.split("/")]
        return
    for choice in found[1].split(","):
        yield from _spelled(f"{entry[: found.start()]}{choice.strip()}{entry[found.end() :]}")


def _forms(entry: str) -> Iterator[tuple[str, ...]]:
    """All forms of a neutral phrase: its spellings, with the last word in the plural too."""
    for forms in _spelled(entry):
        for form in _all_forms(forms):
            yield _keys(form)


def _all_forms(forms: list[str]) -> list[str]:
    return forms if len(forms) > 1 else [forms[0], plural(forms[0])]


def plural(noun: str) -> str:
    """The regular plural of an English noun's last word; irregular ones stand in the data."""
    if re.search(r"(?:s|x|z|ch|sh)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


def _keys(phrase: str) -> tuple[str, ...]:
    """A phrase as the words that `words_of` makes of it."""
    return tuple(words_of(phrase).keys)


def _split(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",")]


def _set(listed: str | list[str]) -> frozenset[str]:
    """Words of a list with their plurals."""
    words = _split(listed) if isinstance(listed, str) else listed
    return frozenset([*words, *map(plural, words)])
