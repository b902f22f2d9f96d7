"""Captions without words for gender, race, nationality and the like, by rule; grammar is kept right.

What is changed is what the `bias` measure finds, and what has to agree with it: articles, verbs behind "they", two
persons who become one phrase ("a man and a woman": "two people"). A caption in which nothing is found is not touched.

Words for persons become others (`words.yaml`: "policeman" a police officer, most a person); adjectives go ("an African
American man": "a person"); he and she are they. "Boy" and "girl" are a child where the caption says that they are
young, else a person. What stays: "child" and its like, aids ("a man in a wheelchair" is a person in one), and
adjectives that are all that is said ("the man is old": "the person is old").
"""

from __future__ import annotations

from typing import Final

from curation.bias.matching import Mention, find_mentions
from curation.bias.vocabulary import Phrase, WordClass, plural, vocabulary
from curation.debias.lexicon import CHILD, PERSON, Neutral, lexicon
from curation.debias.persons import join_persons
from curation.debias.phrases import Person, Phrases
from curation.debias.pronouns import change_pronoun
from curation.prompts.nouns import is_plural, plural_of

RULES_VERSION: Final = 1

_N_PASSES: Final = 3
"""What was taken away may show what stood behind it; nothing was seen to need more than two."""

_ADJECTIVES: Final = frozenset({"describes_person", "color_of_person", "origin", "little", "years"})
_ARTICLES: Final = frozenset("a an the one another this that some any every each".split())  # noqa: SIM905 - a list to read
_SINGULAR: Final = frozenset({"a", "an", "one", "another", "this", "that", "every", "each"})
_CHILD_YEARS: Final = 13


def rewrite(caption: str) -> str:
    """The caption without what can be said otherwise; itself where nothing is found, or nothing can be done."""
    text = caption
    for _ in range(_N_PASSES):
        mentions = changeable(text)
        if not mentions:
            break
        changed = _rewritten(text, mentions)
        if changed == text:
            break
        text = changed
    return text


def changeable(text: str) -> list[Mention]:
    """Mentions that a rewriting looks at: all but those of terms that stay (`kept` in `words.yaml`).

    Those stay too that say of a child that it is young or little: "child" says as much.
    """
    known = lexicon()
    found = [mention for mention in find_mentions(text) if mention.term not in known.kept]
    if not any(mention.term in known.child_adjectives for mention in found):
        return found
    phrases = Phrases.of(text)
    return [mention for mention in found if not _is_of_child(phrases, mention, _words_at(phrases, mention)[1])]


def _rewritten(text: str, mentions: list[Mention]) -> str:
    phrases = Phrases.of(text)
    spans = [(mention, *_words_at(phrases, mention)) for mention in mentions]
    longest = _longest(spans)
    is_child = _has_child(phrases, longest)
    done: set[int] = set()
    for mention, first, last in longest:
        if done.isdisjoint(range(first, last + 1)):
            _change(phrases, mention, first, last, is_child=is_child)
            done.update(range(first, last + 1))
    join_persons(phrases)
    return phrases.text()


def _longest(spans: list[tuple[Mention, int, int]]) -> list[tuple[Mention, int, int]]:
    """Mentions that are inside no other; where two genders make an orientation ("his husband"), the genders."""
    pairs = {
        (first, last)
        for one, first, last in spans
        if one.category == "sexual_orientation"
        and any(two.category == "gender" and _is_inside((start, end), (first, last)) for two, start, end in spans)
    }
    outer = [(first, last) for _, first, last in spans if (first, last) not in pairs]
    return [
        (mention, first, last)
        for mention, first, last in spans
        if (first, last) not in pairs and not any(_is_inside((first, last), other) for other in outer)
    ]


def _words_at(phrases: Phrases, mention: Mention) -> tuple[int, int]:
    """First and last word of a mention."""
    starts, at = [], 0
    for word in phrases.words:
        at += len(word.lead)
        starts.append(at)
        at += len(word.raw)
    inside = [index for index, start in enumerate(starts) if mention.start <= start < mention.end]
    return inside[0], inside[-1]


def _is_inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1] and inner != outer


def _is_of_child(phrases: Phrases, mention: Mention, last: int) -> bool:
    """Whether a mention is "young" or the like, of somebody who is called a child."""
    if mention.term not in lexicon().child_adjectives:
        return False
    head = phrases.head_behind(last)
    return head is not None and phrases.words[head].key in lexicon().child_words


def _change(phrases: Phrases, mention: Mention, first: int, last: int, *, is_child: bool) -> None:
    rules = _rules_of(phrases, mention, first, last)
    if "pronouns" in rules:
        change_pronoun(phrases, first)
        return
    if "aids" in rules:
        return
    if mention.category == "nationality" and not rules:  # a country: "US soldiers", "people from Japan"
        before = phrases.before(first)
        is_from = before is not None and phrases.words[before].key == "from"
        phrases.drop(before if is_from and before is not None else first, last)
        return
    head = None if phrases.words[last].possessive else phrases.head_behind(last)
    if head is not None and mention.term in lexicon().child_adjectives and _becomes_child(phrases, head):
        return
    if head is not None and (rules & _ADJECTIVES or _modifies(phrases, last, head)):
        _drop_adjective(phrases, first, last, rules)
        return
    if rules <= _ADJECTIVES and not (rules & {"origin", "years"} and _stands_alone(phrases, first)):
        return  # "the man is old": nothing that could stand in its place
    if "years" in rules:
        first = max(0, first - 1)  # the number before "year old"
    _change_noun(phrases, mention, first, last, is_child=is_child)


def _becomes_child(phrases: Phrases, head: int) -> bool:
    """Whether the noun that an adjective is about is one for a child, or will be: "little boy"."""
    forms = lexicon().children | {plural(word) for word in lexicon().children}
    return phrases.words[head].key in forms | lexicon().child_words


def _rules_of(phrases: Phrases, mention: Mention, first: int, last: int) -> set[str]:
    """The rules of the vocabulary under which these words are found as this term; none for countries."""
    keys = tuple(word.key for word in phrases.words[first : last + 1])
    return {phrase.rule for phrase in _found(keys, mention) if phrase.rule is not None}


def _found(keys: tuple[str, ...], mention: Mention) -> list[Phrase]:
    fitting = [phrase for phrase in vocabulary().phrases.get(keys[0], ()) if phrase.words == keys]
    return [phrase for phrase in fitting if (phrase.category, phrase.term) == (mention.category, mention.term)]


def _modifies(phrases: Phrases, last: int, head: int) -> bool:
    """Whether a noun says of what kind the person behind it is: "a woman skier", "male players", not "a man cooks"."""
    between = [one.key for one in phrases.words[last + 1 : head]]
    return "and" not in between and "or" not in between


def _drop_adjective(phrases: Phrases, first: int, last: int, rules: set[str]) -> None:
    """Take an adjective away, with its years, and with the "and" that tied it to another."""
    if "years" in rules:
        first = max(0, first - 1)  # the number before "year old"
    phrases.drop(first, last)
    words = phrases.words
    behind, before = phrases.behind(last), phrases.before(first)
    if behind is not None and words[behind].key in ("and", "or") and behind == last + 1:
        # "young and pretty": the "and" goes with it, unless another noun phrase follows.
        follows = phrases.behind(behind)
        if follows is not None and words[follows].kind & WordClass.DESCRIBING:
            phrases.drop(behind, behind)
    elif before is not None and words[before].key in ("and", "or"):
        earlier = before - 1
        if earlier >= 0 and words[earlier].kind & WordClass.DESCRIBING and not words[earlier].kind & WordClass.PERSON:
            phrases.drop(before, before)  # "pretty and young", "white and black"


def _stands_alone(phrases: Phrases, first: int) -> bool:
    """Whether an adjective is a noun: behind an article, "an Asian in a hat", "a 5 year old"."""
    at = first - 1
    while at >= 0 and phrases.words[at].kind & WordClass.DESCRIBING:
        at -= 1
    known = at >= 0 and phrases.words[at].key in _ARTICLES
    return known or (first > 0 and phrases.words[first - 1].key.isdigit())


def _change_noun(phrases: Phrases, mention: Mention, first: int, last: int, *, is_child: bool) -> None:
    words = phrases.words
    neutral = _neutral(mention.term, is_child=is_child)
    if not neutral.one:  # "Mr": the name stays
        phrases.drop(first, last)
        return
    if _follows_child(phrases, first) and mention.term in lexicon().children:
        if _number(phrases, mention, first, last)[0] and not is_plural(words[first - 1].key):
            words[first - 1].now = plural_of(words[first - 1].now)  # "two baby boys"
        phrases.drop(first, last)  # "baby girl": the baby stays
        return
    if words[first].key == "mans" and last + 1 < len(words) and words[last + 1].key in ("a", "an", "the", "his", "her"):
        phrases.put(first, "operates")  # "a woman mans the camera"
        return
    several, is_possessive = _number(phrases, mention, first, last)
    said = neutral.many if several else neutral.one
    if is_possessive:
        said += "'" if several and said.endswith("s") else "'s"
    phrases.drop(first + 1, last)
    phrases.put(first, said)
    if mention.category in ("race_ethnicity", "nationality", "religion") and not phrases.opens(first):
        words[first].now = said  # "an Asian": a capital of its own
    words[first].possessive = is_possessive
    phrases.persons.append(Person(first, _said_before(phrases, first, last), neutral.one, neutral.many, several))


def _said_before(phrases: Phrases, first: int, last: int) -> str:
    """A noun as it was, with what was said of it and is gone: "older man" is another than "young man"."""
    start = first
    while start > 0 and phrases.words[start - 1].is_gone:
        start -= 1
    return " ".join(word.key for word in phrases.words[start : last + 1])


def _neutral(term: str, *, is_child: bool) -> Neutral:
    if term in lexicon().children:
        return CHILD if is_child else PERSON
    return lexicon().neutral(term)


def _number(phrases: Phrases, mention: Mention, first: int, last: int) -> tuple[bool, bool]:
    """Whether a noun is several, and whether something is theirs; slips ("a women", "two man", "mans hat") are seen."""
    words = phrases.words
    said = " ".join(word.key for word in words[first : last + 1])
    is_possessive = words[last].possessive
    several = said != mention.term
    if said.endswith(("mans", "childs")):  # "a mans hat"
        several, is_possessive = False, is_possessive or phrases.behind(last) is not None
    elif said in ("mens", "womens", "childrens"):
        is_possessive = True
    at = first - 1
    while at >= 0 and (words[at].is_gone or (words[at].kind & WordClass.DESCRIBING and words[at].key not in _COUNTS)):
        at -= 1
    if at >= 0 and words[first].linked:
        if words[at].key in _SINGULAR:
            is_possessive = is_possessive or (several and _owns(phrases, last))  # "a boys coat"
            several = False
        elif not is_possessive and (words[at].key in _COUNTS or _is_group(phrases, at)):
            several = True
    return several, is_possessive


def _owns(phrases: Phrases, last: int) -> bool:
    """Whether a word in "s" stands before what is somebody's: a noun, and no verb or little word."""
    words = phrases.words
    if last + 1 >= len(words) or not words[last + 1].linked or not words[last].key.endswith("s"):
        return False
    follows = words[last + 1]
    if follows.key in ("and", "or") or follows.key.endswith(("ing", "ed", "ly", "s")):
        return False
    return not follows.kind & (WordClass.BREAKER | WordClass.PERSON)


def _is_group(phrases: Phrases, at: int) -> bool:
    """Whether the word at `at` is the "of" in "a group of"."""
    words = phrases.words
    return words[at].key == "of" and at > 0 and words[at - 1].key in _GROUPS


_GROUPS: Final = frozenset("group couple bunch crowd pair team row line number lot gang crew".split())  # noqa: SIM905
_COUNTS: Final = frozenset("two three four five six seven eight nine ten several many few these those".split())  # noqa: SIM905


def _follows_child(phrases: Phrases, first: int) -> bool:
    before = phrases.before(first)
    return before == first - 1 and phrases.words[first].linked and phrases.words[before].key in lexicon().kept


def _has_child(phrases: Phrases, found: list[tuple[Mention, int, int]]) -> bool:
    """Whether a boy or girl of the caption is said to be young: then all of them are taken for children."""
    known = lexicon()
    at = {first: mention for mention, first, _ in found}
    for mention, first, last in found:
        behind = last + 1
        while behind < len(phrases.words) and phrases.words[behind].kind & WordClass.DESCRIBING and behind not in at:
            behind += 1
        if behind not in at or at[behind].term not in known.children:
            continue
        number = phrases.words[first - 1].key if first else ""
        is_young = mention.term in ("year old", "month old") and number.isdigit() and int(number) < _CHILD_YEARS
        if is_young or mention.term in known.child_adjectives:
            return True
    return False
