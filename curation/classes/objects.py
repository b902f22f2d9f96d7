"""Things that an English caption names: a vocabulary with plurals and compounds, matched on words by stated rules.

The vocabulary is `objects.tsv` beside this module: COCO's 80 categories and the boxable classes of Open Images. No
tagger: captions are short and say what is in the picture, and what misleads a word match in them is mostly compounds
("hot dog", "train station", "baby elephant"), which rules over neighbouring words settle. `benchmarks/classes.py`
has the figures.

The longest form wins ("teddy bear" is no bear). A form is not counted

- as the modifier of the noun after it: another form ("kitchen sink", "pizza plate") or one of `_HEADS` ("train
  station"); but a whole stays beside its part ("car window") and what people do something with ("bus driver");
- after a negation ("no people", "without a car"), as a toy or a likeness ("toy train", "statue of a horse");
- as a verb (`~`: "a man watches"), right behind its subject, "to" or the like, or before an object;
- as an adjective (`^`: "an orange bus"): in the singular only where its noun phrase ends with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from curation.sample import sha256_hex

VOCABULARY_FILE: Final = Path(__file__).with_name("objects.tsv")
NOTHING: Final = "nothing"

_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+|[^\w\s]")
_SIBILANT: Final = ("s", "x", "z", "ch", "sh")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEADS: Final = _words(
    "station track tracks platform yard stop lane terminal shelter depot route dock ramp path trail rack"
    " shop park slope slopes hill lift resort pole poles course gear mask suit lodge outfit team equipment"
    " court courts match game games net field diamond uniform food collar leash treat treats trailer"
    " stable stall stalls barn cage feeder bath seed nest pasture bell pen exhibit enclosure dough parlor"
    " crust sauce restaurant bun buns vendor peel peels pie room spread sheet sheets paper cellar tasting"
    " opener block holder booth call line wire case pad tray magnet magnets string festival tail strap"
    " hangar runway museum ticket costume sled shape cover print dispenser rink garage dealership wash"
    " pattern design logo ornament ornaments factory symbol label soup batter boarding trick tricks"
    " competition tournament swing lid store style shaped themed colored coloured"
)
"""Nouns, and a few participles, that make the form before them their modifier. Not those that are verbs after an animal
("the giraffe stands"): compounds with them are listed in the vocabulary."""

_QUALIFIERS: Final = _words(
    "baby adult mother father male female passenger commuter tourist child girl boy human infant"
)
"""People's forms that say of what kind the next form is: "baby elephant"."""

_NEGATIONS: Final = _words("no without")
_LIKENESSES: Final = _words(
    "statue statues sculpture sculptures painting paintings drawing drawings sketch cutout figurine"
    " figurines mural print  replica cartoon emblem depiction decal graffiti"
)
_UNREAL: Final = _words("toy fake plush inflatable cartoon animated")
_UNREAL_ANIMALS: Final = _words("stuffed ceramic cardboard gingerbread wooden porcelain carved")
_LEADING: Final = _words("a an the any some two three several many other his her their its another single large small")
_BEFORE_VERBS: Final = _words("to can will would could should who that which they it then he she not i you we also")
_OBJECTS_FOLLOW: Final = _words("a an the some his her their as people")
_AFTER_NOUNS: Final = _words(
    "on in with next sitting is that beside near from to at by being inside cut sliced slice slices half halves are of"
    " for behind under over above below between sits laying lying hanging growing which has into onto together"
)


@dataclass(frozen=True)
class _Form:
    """What one form says: the class, and whether the form is a plural, or can be a verb or an adjective."""

    name: str
    kind: str
    is_plural: bool
    can_be_verb: bool
    can_be_adjective: bool


@dataclass(frozen=True)
class _Match:
    """A form at tokens `start` to `end` (the one behind the last)."""

    form: _Form
    start: int
    end: int


@dataclass(frozen=True)
class Vocabulary:
    """Classes and the forms that name them; `sources` says by class where it comes from."""

    forms: dict[str, _Form]
    sources: dict[str, str]
    longest: int

    def names(self, source: str = "") -> list[str]:
        """All classes, or those of one source (`coco`, `open images`), sorted."""
        return sorted(name for name, origin in self.sources.items() if source in ("", origin))


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary as it is shipped."""
    forms: dict[str, _Form] = {}
    sources: dict[str, str] = {}
    for line in VOCABULARY_FILE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, source, kind, listed = line.split("\t")
        if name != NOTHING:
            sources[name] = source
        for entry in listed.split(", "):
            written = entry.replace("~", "").replace("^", "")
            singular, *plurals = written.split("|")
            can_be = "~" in entry, "^" in entry
            forms[singular] = _Form(name, kind, False, *can_be)
            for plural in plurals or _plurals(singular):
                forms.setdefault(plural, _Form(name, kind, True, *can_be))
    return Vocabulary(forms, sources, max(len(form.split()) for form in forms))


def objects_named(caption: str) -> set[str]:
    """Classes of the vocabulary that an English caption names as things in its picture."""
    # A possessive leaves its "s" as a token of its own, so that "man's" names a man.
    tokens = _TOKEN.findall(caption.lower().replace("’", " ").replace("'", " "))
    matches = _matches(tokens)
    kept = [match for match in matches if match.form.name != NOTHING and _is_thing(match, matches, tokens)]
    return {
        match.form.name
        for number, match in enumerate(kept)
        if not _is_modifier(match, kept[number + 1] if number + 1 < len(kept) else None, tokens)
    }


def class_of(name: str) -> str:
    """A name of an object as a source gives it, in the vocabulary's words where it has them."""
    plain = " ".join(name.lower().split())
    form = vocabulary().forms.get(plain)
    return plain if form is None or form.name == NOTHING else form.name


def vocabulary_version() -> str:
    """Hash of the vocabulary: part of the key of what is measured with it."""
    return sha256_hex(VOCABULARY_FILE.read_bytes())[:16]


def _plurals(singular: str) -> list[str]:
    if singular.endswith(_SIBILANT):
        return [f"{singular}es"]
    if singular.endswith("y") and singular[-2:-1] not in "aeiou":
        return [f"{singular[:-1]}ies"]
    return [f"{singular}s"]


def _matches(tokens: list[str]) -> list[_Match]:
    """Forms from left to right, the longest first; none overlaps another."""
    known = vocabulary()
    found: list[_Match] = []
    start = 0
    while start < len(tokens):
        for end in range(min(len(tokens), start + known.longest), start, -1):
            form = known.forms.get(" ".join(tokens[start:end]))
            if form is not None:
                found.append(_Match(form, start, end))
                start = end
                break
        else:
            start += 1
    return found


def _is_thing(match: _Match, matches: list[_Match], tokens: list[str]) -> bool:
    form, before = match.form, tokens[max(0, match.start - 4) : match.start]
    if before:
        last = before[-1]
        if last in _NEGATIONS or last in _UNREAL or (form.kind in ("animal", "person") and last in _UNREAL_ANIMALS):
            return False
        bare = [word for word in before if word not in _LEADING]
        if last in _LEADING and bare and bare[-1] in _NEGATIONS:
            return False
        if bare[-1:] == ["of"] and len(bare) > 1 and bare[-2] in _LIKENESSES:
            return False
        if form.can_be_verb:
            has_subject = any(other.end == match.start and other.form.kind in ("animal", "person") for other in matches)
            if has_subject or last in _BEFORE_VERBS:
                return False
    after = tokens[match.end : match.end + 2]
    if form.can_be_verb and form.is_plural and after and after[0] in _OBJECTS_FOLLOW:
        return False
    return not form.can_be_adjective or form.is_plural or _ends_phrase(after)


def _ends_phrase(after: list[str]) -> bool:
    """Whether a noun phrase ends where these words follow: "an orange on a plate", "an orange and a pear"."""
    if not after or not after[0][0].isalnum() or after[0] in _AFTER_NOUNS:
        return True
    return after[0] == "and" and len(after) > 1 and after[1] in _LEADING


def _is_modifier(match: _Match, following: _Match | None, tokens: list[str]) -> bool:
    if match.form.is_plural or match.end == len(tokens):
        return False
    is_person = match.form.kind == "person"
    if following is None or following.start != match.end:
        return not is_person and tokens[match.end] in _HEADS
    if is_person:
        return tokens[match.start] in _QUALIFIERS and following.form.kind != "person"
    return following.form.kind not in ("part", "person")
