"""In which sense a term stands: the rules that decide, from the words around it, whether it speaks of a person.

Each rule takes the words with their classes and the place of a term. The words that decide are data
(`vocabulary/context.yaml`); here is only how far they reach. No grammar is parsed: a noun phrase is what comes up to
the next function word, and who "he" is, is the one who was named first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from curation.bias.vocabulary import Context, Phrase, WordClass
from curation.bias.words import Words

_NUMBER: Final = re.compile(
    r"\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|several|few"
)
_ARTICLES: Final = frozenset(["a", "an", "the", "one", "another", "two", "three", "young", "old", "elderly"])
_IS: Final = frozenset(["is", "are", "was", "were", "looks", "look", "seems", "seem", "be", "being"])
_AND: Final = frozenset(["and", "or"])
_ITS: Final = frozenset(["its", "it"])
_N_WORDS_AROUND: Final = 60  # what of a sentence is looked at: some texts have no full stop for miles
_N_SENTENCES_BACK: Final = 2  # how far "he" may be from its animal
_N_WORDS_TO_HEAD: Final = 8
_N_UNKNOWN: Final = 1  # words of no class that an adjective may reach over: "young pastry chef"

_PERSON, _ANIMAL, _PET = WordClass.PERSON, WordClass.ANIMAL, WordClass.PET
_THING, _DESCRIBING, _BREAKER = WordClass.THING, WordClass.DESCRIBING, WordClass.BREAKER
_AMBIGUOUS = WordClass.PERSON_OR_ANIMAL


@dataclass(frozen=True, slots=True)
class Place:
    """A term in its text: words `first` to `last`, both included."""

    words: Words
    classes: list[int]
    first: int
    last: int
    phrase: Phrase
    context: Context

    def is_linked(self, index: int) -> bool:
        """Whether the word at `index` exists and only a space or a hyphen parts it from the one before."""
        return index < len(self.words.keys) and self.words.linked[index]


def counts(place: Place) -> bool:
    """Whether the term at this place speaks of a person."""
    assert place.phrase.rule is not None
    return not _is_a_name(place) and _RULES[place.phrase.rule](place)


def _persons(place: Place) -> bool:
    return not _is_made_for(place)


def _persons_or_animals(place: Place) -> bool:
    words, classes = place.words, place.classes
    if _is_made_for(place) or (place.first and words.keys[place.first - 1] in _ITS):
        return False
    if not words.possessive[place.last] and _chain_ends_in(place, _ANIMAL | _PET | _THING):
        return False
    # "An elephant and a baby": the animal came first, and nobody is named who must be a person.
    animal_before = False
    for index in _sentence(place):
        if classes[index] & _PERSON and not classes[index] & _AMBIGUOUS:
            return True
        animal_before = animal_before or bool(index < place.first and classes[index] & _ANIMAL)
    return not animal_before


def _pronouns(place: Place) -> bool:
    """Who was named first in the sentence, or else in one of the two before, is meant; nobody named: a person."""
    sentence, classes = place.words.sentence, place.classes
    own = sentence[place.first]
    named: dict[int, bool] = {}  # by sentence: whether the first one named in it is a person
    for index in range(place.first - 1, max(-1, place.first - _N_WORDS_AROUND), -1):
        if sentence[index] < own - _N_SENTENCES_BACK:
            break
        if classes[index] & (_PERSON | _ANIMAL | _PET):
            named[sentence[index]] = bool(classes[index] & _PERSON) and not _is_of_animal(place, index)
    return named[max(named)] if named else True


def _is_of_animal(place: Place, index: int) -> bool:
    """Whether the word at `index` is of an animal: "mother" in "mother goat"."""
    if not place.classes[index] & _AMBIGUOUS:
        return False
    there = Place(place.words, place.classes, index, index, place.phrase, place.context)
    return _chain_ends_in(there, _ANIMAL | _PET)


def _describes_person(place: Place) -> bool:
    if place.phrase.term in place.context.with_capital and not _has_capital(place):
        return False
    return _head(place) is not None or _is_said_of_person(place)


def _color_of_person(place: Place) -> bool:
    """Nothing but describing words up to the person: "a white bearded man" has a white beard."""
    behind = place.last + 1
    if not place.is_linked(behind) or re.search(r"(?<!ag)(?<!tir)(?<!tattoo)ed$", place.words.keys[behind]):
        return False
    head = _head(place, n_unknown=0)
    return head is not None and place.words.keys[head] not in place.context.not_colored


def _origin(place: Place) -> bool:
    if place.phrase.term in place.context.with_capital and not _has_capital(place):
        return False
    if _head(place) is not None:
        return True
    before, behind = place.first - 1, place.last + 1
    article = before >= 0 and place.words.linked[place.first] and place.words.keys[before] in _ARTICLES
    return article and (not place.is_linked(behind) or bool(place.classes[behind] & _BREAKER))


def _aids(place: Place) -> bool:
    keys = place.words.keys
    near = keys[max(0, place.first - 4) : place.first]
    return any(key in place.context.aid_behind for key in near) and any(
        place.classes[index] & _PERSON for index in _sentence(place)
    )


def _years(place: Place) -> bool:
    words = place.words
    if place.first == 0 or not _NUMBER.fullmatch(words.keys[place.first - 1]):
        return False
    if _head(place) is not None or _is_said_of_person(place, reach=4):
        return True
    if words.keys[place.first].endswith("s"):
        return False  # "100 years old" may be a tower
    behind = place.last + 1
    if not place.is_linked(behind) or place.classes[behind] & _BREAKER:
        return True
    return not place.classes[behind] and words.keys[behind].endswith("s")  # "a 5 year old plays"


def _little(place: Place) -> bool:
    head = _head(place, n_unknown=0)
    return head is not None and place.words.keys[head] in place.context.little_before


_RULES: Final[dict[str, Callable[[Place], bool]]] = {
    "persons": _persons,
    "persons_or_animals": _persons_or_animals,
    "pronouns": _pronouns,
    "describes_person": _describes_person,
    "color_of_person": _color_of_person,
    "origin": _origin,
    "aids": _aids,
    "years": _years,
    "little": _little,
}


def _head(place: Place, n_unknown: int = _N_UNKNOWN) -> int | None:
    """Index of the person that a describing term is about: the next noun, over describing words and `n_unknown` others.

    None where that noun is no person. "And" is passed between describing words ("young and old men").
    """
    words, classes = place.words, place.classes
    index = place.last + 1
    end = min(len(words.keys), index + _N_WORDS_TO_HEAD)
    while index < end and words.sentence[index] == words.sentence[place.last]:
        kind = classes[index]
        if not words.linked[index] and not kind & _DESCRIBING:
            return None
        if kind & _PERSON:
            behind = index + 1
            if not place.is_linked(behind) or words.possessive[index]:
                return index
            if classes[behind] & _PERSON:
                index = behind
                continue
            # "white passenger train", "young male lion"; but "young man water skiing".
            is_part = not kind & WordClass.SAYS_GENDER_OR_AGE or kind & _AMBIGUOUS
            return None if is_part and _leads_to(place, behind, _ANIMAL | _PET | _THING) else index
        if kind & (_ANIMAL | _PET | _THING | _BREAKER):
            return None
        if words.keys[index] in _AND:
            if not place.is_linked(index + 1) or not classes[index + 1] & _DESCRIBING:
                return None
        elif not kind & _DESCRIBING:
            n_unknown -= 1
            if n_unknown < 0:
                return None
        index += 1
    return None


def _is_said_of_person(place: Place, reach: int = 2) -> bool:
    """Whether the term stands behind a person and "is": "the man is old"."""
    words, classes = place.words, place.classes
    behind = place.last + 1
    if place.is_linked(behind) and not classes[behind] & _BREAKER and words.keys[behind] not in _AND:
        return False
    before = range(max(0, place.first - reach - 1), place.first)
    is_at = [index for index in before if words.keys[index] in _IS]
    if not is_at or words.sentence[is_at[-1]] != words.sentence[place.first]:
        return False
    subject = is_at[-1] - 1
    return subject >= 0 and (bool(classes[subject] & _PERSON) or words.keys[subject] in ("he", "she", "who"))


def _chain_ends_in(place: Place, kinds: int) -> bool:
    return place.is_linked(place.last + 1) and _leads_to(place, place.last + 1, kinds)


def _leads_to(place: Place, index: int, kinds: int) -> bool:
    """Whether the noun phrase goes on from `index` to a word of these kinds: "mother and baby polar bears"."""
    words, classes = place.words, place.classes
    n_unknown = _N_UNKNOWN
    for at in range(index, min(index + 4, len(words.keys))):
        if not words.linked[at]:
            return False
        if classes[at] & (_ANIMAL | _PET) or (classes[at] & _THING and at == index):
            rider = place.is_linked(at + 1) and classes[at + 1] & _PERSON  # "male horse rider"
            return bool(classes[at] & kinds) and not rider
        if words.keys[at] in _AND or classes[at] & (_DESCRIBING | _AMBIGUOUS):
            continue
        # One word of no class may be the animal's kind: "baby polar bear", but not "kids petting sheep".
        if classes[at] or n_unknown == 0 or words.keys[at].endswith(("ing", "ed", "s")):
            return False
        n_unknown -= 1
    return False


def _is_made_for(place: Place) -> bool:
    """Whether a plural says whom a thing is made for: "men's restroom", "boys and girls clothing"."""
    if not place.phrase.plural:
        return False
    words, context = place.words, place.context
    behind = place.last + 1
    if place.is_linked(behind) and words.keys[behind] in ("and", "or") and words.possessive[place.last]:
        behind += 2
    if not place.is_linked(behind):
        return False
    if words.keys[behind] in context.made_for:
        return True
    possessive = words.possessive[behind - 1] or words.keys[behind - 1].endswith(("ens", "ies"))
    return possessive and words.keys[behind] in context.made_for_with_possessive


def _is_a_name(place: Place) -> bool:
    """Whether the term is part of somebody's or something's name: "Stephen King", "Guy Ritchie"."""
    words, context = place.words, place.context
    key = words.keys[place.first]
    if key not in context.before_a_name and key not in context.behind_a_name:
        return False
    if not _is_capitalised(words.raw[place.first]):
        return False
    before, behind = place.first - 1, place.last + 1
    if key in context.before_a_name and place.is_linked(behind) and _is_capitalised(words.raw[behind]):
        return True
    if key not in context.behind_a_name or before < 0 or not words.linked[place.first]:
        return False
    return _is_capitalised(words.raw[before]) and not place.classes[before] & (_BREAKER | _DESCRIBING)


def _is_capitalised(raw: str) -> bool:
    return raw[0].isupper() and not raw.isupper()


def _has_capital(place: Place) -> bool:
    raw = place.words.raw[place.first]
    return raw.isupper() if len(raw.replace(".", "")) <= 2 else raw[0].isupper()


def _sentence(place: Place) -> range:
    """Indices of the sentence that the term stands in, as far as it is near."""
    sentence = place.words.sentence
    number = sentence[place.first]
    first = start = place.first
    while start > max(0, first - _N_WORDS_AROUND) and sentence[start - 1] == number:
        start -= 1
    end = place.last + 1
    while end < min(len(sentence), first + _N_WORDS_AROUND) and sentence[end] == number:
        end += 1
    return range(start, end)
