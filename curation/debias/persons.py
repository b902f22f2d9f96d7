"""Persons who have become the same word: a man and a woman are "two people", or "a person" here, "another" there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curation.bias.vocabulary import WordClass
from curation.debias.lexicon import lexicon
from curation.debias.phrases import ARTICLES, Person, Phrases
from curation.prompts.nouns import is_plural, with_article

NUMBERS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_COUNTABLE: Final = WordClass.PERSON | WordClass.ANIMAL | WordClass.PET
_PLURALS: Final = frozenset("people children men women sheep cattle geese oxen deer couple".split())  # noqa: SIM905

_ONE: Final = frozenset({"a", "an", "one", "another"})
_SOME: Final = frozenset({"some", "several", "many", "few", "various", "multiple"})
_DEFINITE: Final = frozenset({"the", "this", "that", "these", "those"})
_OWNERS: Final = frozenset({"his", "her", "their", "my", "our", "its", "your"})


@dataclass(frozen=True)
class _Part:
    """A noun phrase of a person: first word (article or number, if any), the noun, how many (None: several)."""

    person: Person
    start: int
    determiner: str
    n: int | None
    is_plain: bool


def join_persons(phrases: Phrases) -> None:
    """Say the persons of a caption once where they stand beside each other, and tell them apart where they do not."""
    parts = [_part(phrases, person) for person in sorted(phrases.persons, key=lambda one: one.at)]
    left: list[_Part] = []
    while parts:
        run = _run(phrases, parts)
        if len(run) > 1 and _join(phrases, run):
            parts = parts[len(run) :]
        else:
            left.append(parts.pop(0))
    _tell_apart(phrases, left)


def _part(phrases: Phrases, person: Person) -> _Part:
    words = phrases.words
    start, determiner, is_plain = person.at, "", True
    at = person.at - 1
    while at >= 0 and (words[at + 1].linked or words[at].is_gone):
        word = words[at]
        if word.is_gone:
            start = at
        elif word.key in _ONE | _SOME | _DEFINITE | _OWNERS or word.key in NUMBERS or word.key.isdigit():
            start, determiner = at, word.key
            break
        elif word.key in lexicon().child_adjectives and person.one == "child":
            start = at  # "a young boy and girl": two young children
        elif word.kind & WordClass.DESCRIBING:
            is_plain = False  # "a tall man": nothing is said of two together
            start = at
        else:
            break
        at -= 1
    if determiner in NUMBERS:
        n: int | None = NUMBERS.index(determiner)
    elif determiner.isdigit():
        n = int(determiner)
    else:
        n = None if person.is_plural else 1
    return _Part(person, start, determiner, n, is_plain)


def _run(phrases: Phrases, parts: list[_Part]) -> list[_Part]:
    """The first persons that stand beside each other, with "and", "or" or commas between, and are the same word now."""
    run = [parts[0]]
    for part in parts[1:]:
        last = run[-1]
        gap = [word for word in phrases.words[last.person.at + 1 : part.start] if not word.is_gone]
        lead = phrases.words[part.start].lead if part.start > last.person.at else ""
        is_comma = not gap and lead.strip() in (",", "&", "/")
        is_tied = len(gap) == 1 and gap[0].key in ("and", "or") and gap[0].lead.strip() in ("", ",")
        same = part.person.one == last.person.one and part.is_plain and last.is_plain
        if not (same and (is_comma or is_tied)) or phrases.words[last.person.at].possessive:
            break
        run.append(part)
    # A list with commas only ("a man, a woman") may be two sentences' worth: it needs its "and", here or behind it.
    return run


def _join(phrases: Phrases, run: list[_Part]) -> bool:
    """Make one phrase of several; whether that could be done."""
    words = phrases.words
    first, last = run[0], run[-1]
    ties = [word.key for word in words[first.person.at + 1 : last.person.at] if not word.is_gone]
    has_comma = any("," in words[part.start].lead for part in run[1:])
    if not {"and", "or"} & set(ties) and has_comma and not _goes_on(phrases, last):
        return False
    if "or" in ties and "and" not in ties:
        _drop_behind(phrases, first, last)
        return True
    numbers = [part.n for part in run]
    total = sum(n for n in numbers if n is not None) if None not in numbers else None
    many = first.person.many + _possessive(phrases, last, first.person.many)
    _drop_behind(phrases, first, last)
    phrases.put(first.person.at, many)
    words[first.person.at].possessive = words[last.person.at].possessive
    if has_comma:
        _go_on(phrases, first, last)
    _count(phrases, run, total)
    return True


def _count(phrases: Phrases, run: list[_Part], total: int | None) -> None:
    """Say how many there are in front of the joined noun."""
    words = phrases.words
    first = run[0]
    at, noun = first.start, first.person.at
    said = NUMBERS[total] if total is not None and total < len(NUMBERS) else str(total)
    before = phrases.before(first.start)
    if total is None:
        some = next((part.determiner for part in run if part.determiner in _SOME), "")
        if first.determiner and first.determiner not in _DEFINITE | _OWNERS:
            if some and some != first.determiner:
                phrases.put(at, some)
            elif not some:
                _drop_start(phrases, at, noun)
        if before is not None and words[before].key == "both":
            phrases.drop(before, before)
    elif first.determiner in _OWNERS:
        return
    elif first.determiner in _DEFINITE:
        words[at].now = ("The " if words[at].raw[0].isupper() else "the ") + said
    elif first.determiner:
        phrases.put(at, said)
    elif at == noun and before is not None and words[before].kind & WordClass.DESCRIBING:
        return
    else:
        is_capital = words[noun].now[0].isupper()
        words[noun].now = f"{said.capitalize() if is_capital else said} {words[noun].now.lower()}"


def _drop_start(phrases: Phrases, at: int, noun: int) -> None:
    """Take an article away that no longer fits; its capital goes to the noun."""
    if phrases.words[at].raw[0].isupper():
        now = phrases.words[noun].now
        phrases.words[noun].now = now[0].upper() + now[1:]
    phrases.drop(at, at)


def _drop_behind(phrases: Phrases, first: _Part, last: _Part) -> None:
    """Take all but the first noun away, with the commas between: what follows keeps what stood before it."""
    words = phrases.words
    behind = phrases.behind(last.person.at)
    for word in words[first.person.at + 1 : last.person.at + 1]:
        word.now = ""
        word.lead = words[behind].lead if behind is not None else ""


def _possessive(phrases: Phrases, last: _Part, said: str) -> str:
    if not phrases.words[last.person.at].possessive:
        return ""
    return "'" if said.endswith("s") else "'s"


def _go_on(phrases: Phrases, first: _Part, last: _Part) -> None:
    """What follows in a list of which two became one: "two people, and dog" is "two people and a dog"."""
    words = phrases.words
    tie = phrases.behind(last.person.at)
    if tie is None or words[tie].key not in ("and", "or"):
        return
    for word in words[first.person.at + 1 : tie + 1]:  # the comma of the list was before words that are gone
        word.lead = " "
    item = phrases.behind(tie)
    if (
        item is not None
        and words[item].kind & _COUNTABLE
        and not (is_plural(words[item].key) or words[item].key in _PLURALS)
    ):
        words[item].now = with_article(words[item].now)


def _goes_on(phrases: Phrases, last: _Part) -> bool:
    """Whether a list goes on behind its last person: ", and a dog"."""
    behind = phrases.behind(last.person.at)
    return behind is not None and phrases.words[behind].key in ("and", "or")


def _tell_apart(phrases: Phrases, parts: list[_Part]) -> None:
    """Say of two persons who were told apart by words that are gone that they are two: "a person … another person"."""
    words = phrases.words
    first: dict[str, _Part] = {}
    for part in parts:
        person = part.person
        if person.is_plural:
            continue
        known = first.setdefault(person.one, part)
        if known is part or known.person.was == person.was or not part.is_plain:
            continue
        is_definite = known.determiner == "the"
        if part.determiner in ARTICLES and not is_definite:
            words[part.start].now = "another"
        elif part.determiner == "the" and is_definite:
            words[part.start].now += " other"
        elif not part.determiner and not known.determiner:
            words[person.at].now = f"another {words[person.at].now.lower()}"
