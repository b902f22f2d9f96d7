"""He, she and theirs as "they", with the verbs that have to agree."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from curation.bias.vocabulary import WordClass
from curation.classes.objects import vocabulary as objects
from curation.debias.lexicon import lexicon
from curation.debias.phrases import Phrases

_SIMPLE: Final = {"himself": "themselves", "herself": "themselves", "hers": "theirs", "him": "them"}
_ASKING: Final = frozenset("as what where how who when why".split())  # noqa: SIM905 - a list to read
_OF_HAS: Final = frozenset({"got", "been", "had", "become"})
"""Behind "he's" these show that it is "he has"; other participles ("he's dressed") are said with "is" as well."""
_OTHER_SUBJECT: Final = frozenset("he she who that while as".split())  # noqa: SIM905 - a list to read
_N_TO_VERB: Final = 3


def change_pronoun(phrases: Phrases, index: int) -> None:
    """Change the pronoun at `index`, and what agrees with it."""
    word = phrases.words[index]
    if word.key in _SIMPLE:
        phrases.put(index, _SIMPLE[word.key])
    elif word.key in ("his", "her"):
        phrases.put(index, _their(phrases, index))
    else:
        _change_subject(phrases, index)


def _their(phrases: Phrases, index: int) -> str:
    """`their` before what is theirs; `theirs` or `them` where nothing of the kind follows."""
    words, known = phrases.words, lexicon()
    behind = index + 1
    owns = behind < len(words) and words[behind].linked and words[behind].key not in known.not_owned
    if owns:
        return "their"
    return "theirs" if words[index].key == "his" else "them"


def _change_subject(phrases: Phrases, index: int) -> None:
    words, known = phrases.words, lexicon()
    raw = words[index].raw
    if words[index].possessive:  # he's: is, or has
        at = index + 1
        while at < len(words) and _is_adverb(words[at].key):
            at += 1
        has = at < len(words) and words[at].key in _OF_HAS
        ending = "'ve" if has else "'re"
        phrases.put(index, "they" + (ending if "'" in raw else "’" + ending[1:]))
        words[index].possessive = False
        return
    contracted = re.search(r"['’](?:ll|d)$", raw)
    phrases.put(index, "they" + (contracted[0] if contracted else ""))
    before = phrases.before(index)
    if before is not None and words[before].key in known.verbs:
        asked = phrases.before(before)
        if asked is None or words[asked].key in _ASKING:  # "what is he doing"
            words[before].now = _as_was(known.verbs[words[before].key], words[before].raw)
            return
    _agree(phrases, index)


def _is_adverb(key: str) -> bool:
    return key in lexicon().adverbs or key.endswith("ly")


def _agree(phrases: Phrases, index: int) -> None:
    """Put the verb of "they" in the plural, and those that follow it with "and"."""
    words = phrases.words
    at = index + 1
    while at < min(len(words), index + 1 + _N_TO_VERB) and _is_adverb(words[at].key):
        at += 1
    if at >= len(words) or words[at].sentence != words[index].sentence or not _to_plural(phrases, at):
        return
    first = at
    for later in range(first + 1, len(words)):
        if words[later].sentence != words[index].sentence or words[later].key in _OTHER_SUBJECT:
            return
        if words[later - 1].key in ("and", "then", "or") and _is_second_verb(phrases, first, later):
            _to_plural(phrases, later)


def _is_second_verb(phrases: Phrases, first: int, at: int) -> bool:
    """Whether the word behind an "and" goes on with what they do: "sits and reads", not "holds apples and pears"."""
    words = phrases.words
    form = objects().forms.get(words[at].key)
    if form is not None and form.is_plural and not form.can_be_verb:
        return False
    before = at - 2
    return words[at].key.endswith("s") and (before == first or not words[before].key.endswith("s"))


def _to_plural(phrases: Phrases, at: int) -> bool:
    """Put the verb at `at` in the plural; whether it is a verb in the third person."""
    word, known = phrases.words[at], lexicon()
    plural = known.verbs.get(word.key)
    if plural is None:
        is_other = word.kind & (WordClass.BREAKER | WordClass.THING) or not re.search(r"[^s'u]s$", word.key)
        plural = word.key if is_other else _plural_verb(word.key)
        if plural == word.key:
            return False
    word.now = _as_was(plural, word.raw)
    return True


@cache
def _plural_verb(verb: str) -> str:
    if re.search(r"(?:s|x|z|ch|sh)es$", verb):
        return verb[:-2]
    if re.search(r"[^aeiou]ies$", verb):
        return verb[:-3] + "y"
    import inflect  # seconds, in which it checks its own types

    said = str(inflect.engine().plural_verb(verb))
    return said if said != verb else verb[:-1]


def _as_was(said: str, raw: str) -> str:
    return said.capitalize() if raw[0].isupper() else said
