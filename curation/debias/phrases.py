"""A caption as words that can be changed one by one, with everything between them kept as it stood."""

from __future__ import annotations

from dataclasses import dataclass, field

from curation.bias.vocabulary import WordClass, vocabulary
from curation.bias.words import Words, words_of
from curation.debias.lexicon import lexicon
from curation.prompts.nouns import article

ARTICLES = ("a", "an")
ANDS = ("and", "or", "&")


@dataclass(slots=True)
class Word:
    """A word: what stands before it (`lead`), what it was (`raw`, `key`), what it is (`now`; "" where it is gone)."""

    lead: str
    raw: str
    key: str
    possessive: bool
    linked: bool
    sentence: int
    kind: int
    now: str

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        return not self.now

    @property
    def is_changed(self) -> bool:
        """Whether it is gone, or another."""
        return self.now != self.raw


@dataclass(slots=True)
class Person:
    """A noun for a person that was changed: its word, what it was, what it is (one, several), and how many."""

    at: int
    was: str
    one: str
    many: str
    is_plural: bool


@dataclass(slots=True)
class Phrases:
    """The words of one caption, `tail` behind the last, and the persons in it, in order."""

    words: list[Word]
    tail: str
    persons: list[Person] = field(default_factory=list)

    @classmethod
    def of(cls, caption: str) -> Phrases:
        """All words, none changed."""
        words: Words = words_of(caption)
        classes = vocabulary().classes
        made: list[Word] = []
        end = 0
        for index, key in enumerate(words.keys):
            start, stop = words.starts[index], words.ends[index]
            raw = caption[start:stop]
            made.append(
                Word(
                    caption[end:start], raw, key, words.possessive[index], words.linked[index], words.sentence[index],
                    classes.get(key, 0), raw,
                )
            )  # fmt: skip
            end = stop
        return cls(made, caption[end:])

    def text(self) -> str:
        """The caption as it is now: articles fit what follows them, capitals stand where they stood."""
        self._fit_articles()
        parts: list[str] = []
        pending: list[str] = []  # leads of words that are gone before the next that stays
        capital = False
        before: Word | None = None
        for index, word in enumerate(self.words):
            if word.is_gone:
                pending.append(word.lead)
                capital = capital or (word.raw[:1].isupper() and self.opens(index))
                continue
            lead = _joined([*pending, word.lead], before)
            now = word.now[:1].upper() + word.now[1:] if capital else word.now
            parts.append(lead + now)
            pending, capital, before = [], False, word
        return "".join(parts) + self.tail

    def drop(self, first: int, last: int) -> None:
        """Take words away, both ends included."""
        for index in range(first, last + 1):
            self.words[index].now = ""

    def put(self, index: int, text: str) -> None:
        """Say `text` in place of a word, with a capital where it had one."""
        raw = self.words[index].raw
        is_loud = len(raw) > 1 and raw.isupper()
        self.words[index].now = text.upper() if is_loud else text[:1].upper() + text[1:] if raw[0].isupper() else text

    def before(self, index: int) -> int | None:
        """The word before that is not gone, in the same sentence."""
        for at in range(index - 1, -1, -1):
            if self.words[at].sentence != self.words[index].sentence:
                return None
            if not self.words[at].is_gone:
                return at
        return None

    def behind(self, index: int) -> int | None:
        """The word behind that is not gone, in the same sentence."""
        for at in range(index + 1, len(self.words)):
            if self.words[at].sentence != self.words[index].sentence:
                return None
            if not self.words[at].is_gone:
                return at
        return None

    def head_behind(self, last: int) -> int | None:
        """The person whom words up to `last` say something of: the noun that ends the phrase. None where it is none."""
        known = lexicon()
        index = last + 1
        n_unknown = 1
        while index < len(self.words) and self.words[index].linked:
            word = self.words[index]
            if word.kind & WordClass.PERSON and word.key not in known.also_verbs:
                return index
            if word.key in ("and", "or"):
                follows = self.words[index + 1] if index + 1 < len(self.words) else None
                if follows is None or not follows.kind & WordClass.DESCRIBING or follows.kind & WordClass.PERSON:
                    return None
            elif word.key in known.also_heads:
                pass
            elif word.kind & (WordClass.ANIMAL | WordClass.PET | WordClass.THING | WordClass.BREAKER):
                return None
            elif not word.kind & WordClass.DESCRIBING:
                n_unknown -= 1
                if n_unknown < 0 or word.key.endswith(("ing", "s")):
                    return None
            index += 1
        return None

    def opens(self, index: int) -> bool:
        """Whether a word is the first of its sentence, or those before it are gone."""
        return self.before(index) is None

    def _fit_articles(self) -> None:
        """Write "a" or "an" again before what was changed."""
        for index, word in enumerate(self.words):
            if word.now.lower() not in ARTICLES:
                continue
            behind = self.behind(index)
            if behind is None or (behind == index + 1 and not self.words[behind].is_changed and not word.is_changed):
                continue
            fitting = article(self.words[behind].now.lower())
            word.now = fitting.capitalize() if word.now in ("A", "An") else fitting


def _joined(leads: list[str], before: Word | None) -> str:
    """What stands between two words where those between are gone: what stood first, but for ends of sentences."""
    if before is None or len(leads) == 1:
        return leads[0]
    ends = [lead for lead in leads if any(mark in lead for mark in ".!?;:\n")]
    if ends:
        return ends[-1]
    # "a tall, young man": the comma was between adjectives; in "a dog, young men" it stays.
    if leads[0].strip() == "," and before.kind & WordClass.DESCRIBING and not before.kind & WordClass.PERSON:
        return " "
    return leads[0]
