"""Finding what a text says about people: every mention with its place, category and term.

English only. What is read is a text as people see it; tags and attributes have to be taken off before
(`curation.markup.visible_text`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curation.bias.senses import Place, counts
from curation.bias.vocabulary import CATEGORIES, Phrase, Vocabulary, WordClass, vocabulary
from curation.bias.words import Words, words_of

_FROM: Final = "from"
_N_WORDS_TO_SUBJECT: Final = 3  # how far before "from" the person may stand: "people who are from Japan"
_N_AROUND: Final = 8  # the latest phrases of several words: more cannot reach over a place
_INSIDE_DROPPED: Final = ("origin", "color_of_person", "describes_person", "little")
"""Rules whose terms say nothing of their own inside a longer phrase: "American" in "African American"."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a text speaks of people by one of the categories.

    `text[start:end]` is what stands there, with its possessive ending; `term` is the entry's singular in lower case,
    without hyphens.
    """

    start: int
    end: int
    category: str
    term: str


def find_mentions(text: str, *, is_page: bool = False) -> list[Mention]:
    """Mentions in `text`, by their start, then by category in the order of `CATEGORIES`.

    In the text of a page (`is_page`), lines that are labels of a shop or a menu ("Women", "Kids & Baby") do not count.
    One word may give several mentions ("nun": gender and religion).
    """
    known = vocabulary()
    words = words_of(text)
    if not any(key in known.phrases or key in known.countries for key in words.keys):
        return []
    classes = [known.classes.get(key, 0) for key in words.keys]
    labels = _label_lines(words, known) if is_page else frozenset()
    found = [
        Mention(words.starts[first], words.ends[last], phrase.category, phrase.term)
        for first, last, phrase in _matches(words, classes, known)
        if words.sentence[first] not in labels and counts(Place(words, classes, first, last, phrase, known.context))
    ]
    found += _countries(words, classes, known)
    return sorted(set(found), key=lambda mention: (mention.start, CATEGORIES.index(mention.category), mention.end))


def _matches(words: Words, classes: list[int], known: Vocabulary) -> list[tuple[int, int, Phrase]]:
    """Candidates as first word, last word and phrase. Words inside neutral phrases become things, in `classes` too."""
    candidates: list[tuple[int, int, Phrase]] = []
    longer: list[tuple[int, int, str]] = []  # first word, last word and category of phrases of several words
    next_first = 0
    for first, key in enumerate(words.keys):
        if first < next_first or key not in known.phrases:
            continue
        fitting = [phrase for phrase in known.phrases[key] if _fits(phrase, words, first)]
        if not fitting:
            continue
        longest = len(fitting[0].words)
        if any(phrase.rule is None and len(phrase.words) == longest for phrase in fitting):
            next_first = first + longest
            _hide(classes, range(first, next_first))
            continue
        for phrase in fitting:
            last = first + len(phrase.words) - 1
            around = [category for start, end, category in longer[-_N_AROUND:] if start <= first and last <= end]
            is_inside = phrase.category in around or (around and phrase.rule in _INSIDE_DROPPED)
            if phrase.rule is None or is_inside:
                continue
            candidates.append((first, last, phrase))
            if last > first:
                longer.append((first, last, phrase.category))
    return candidates


def _hide(classes: list[int], indices: range) -> None:
    """Make words a thing; the last one a toy as well where an animal is named: "he" may be the teddy bear."""
    is_toy = any(classes[index] & (WordClass.ANIMAL | WordClass.PET) for index in indices)
    for index in indices:
        classes[index] = WordClass.THING
    if is_toy:
        classes[indices[-1]] |= WordClass.PET


def _fits(phrase: Phrase, words: Words, first: int) -> bool:
    length = len(phrase.words)
    if length == 1:
        return True
    end = first + length
    return tuple(words.keys[first:end]) == phrase.words and all(words.linked[first + 1 : end])


def _countries(words: Words, classes: list[int], known: Vocabulary) -> list[Mention]:
    """Countries that people are said to be of: "US President", "people from Japan", never as a place."""
    found = []
    for first, key in enumerate(words.keys):
        for name in known.countries.get(key, ()):
            last = first + len(name) - 1
            if tuple(words.keys[first : last + 1]) != name or not words.raw[first][0].isupper():
                continue
            is_before = last + 1 < len(words.keys) and words.linked[last + 1]
            people_behind = is_before and classes[last + 1] & WordClass.PERSON and not words.possessive[last]
            if people_behind or _is_from(words, classes, first):
                found.append(Mention(words.starts[first], words.ends[last], "nationality", " ".join(name)))
            break
    return found


def _is_from(words: Words, classes: list[int], first: int) -> bool:
    if first == 0 or words.keys[first - 1] != _FROM:
        return False
    before = range(max(0, first - 1 - _N_WORDS_TO_SUBJECT), first - 1)
    return any(classes[index] & WordClass.PERSON and words.sentence[index] == words.sentence[first] for index in before)


def _label_lines(words: Words, known: Vocabulary) -> frozenset[int]:
    """Sentences of a page that are made of label words and terms that stand on labels alone."""
    speaking = {
        sentence
        for key, sentence in zip(words.keys, words.sentence, strict=True)
        if key not in known.context.labels and key not in known.context.label_terms and not key.isdigit()
    }
    return frozenset(words.sentence) - speaking
