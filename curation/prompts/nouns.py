"""How things are said in English: "an umbrella", "two people", "a pair of scissors", "some broccoli".

Articles and plurals are the library inflect's, but for what `nouns.tsv` says: mass nouns, nouns without a singular, and
words that it gets wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

if TYPE_CHECKING:
    import inflect

Kind = Literal["count", "mass", "pair", "plural"]

_FILE: Final = Path(__file__).with_name("nouns.tsv")
_LOOKS_PLURAL: Final = re.compile(r"(?<![sui])s$")
"""What may be a plural by its ending: not "glass", "bus", "tennis"."""


@dataclass(frozen=True)
class Noun:
    """A thing's name. `one` is what follows "a", empty where nothing is; `many` what follows "two", else "some"."""

    kind: Kind
    one: str
    many: str


@cache
def _engine() -> inflect.engine:
    import inflect  # seconds, in which it checks its own types

    return inflect.engine()


@lru_cache(maxsize=4096)
def article(words: str) -> str:
    """`a` or `an`, as it stands before these words."""
    first = words.split(" ", 1)[0].split("-", 1)[0]
    if first.isupper() and 1 < len(first) < 4:  # spelled out: "an SUV", "a TV"
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    said: str = _engine().a(words)
    return said.split(" ", 1)[0]


def with_article(words: str) -> str:
    """The words with `a` or `an` before them."""
    return f"{article(words)} {words}"


@lru_cache(maxsize=4096)
def noun_of(name: str) -> Noun:
    """The noun of a thing's name, which may be several words and may be a plural ("vegetables")."""
    listed = _listed()
    if name in listed:
        return listed[name]
    first, space, last = name.rpartition(" ")
    if space and last in listed and listed[last].kind != "count":
        known = listed[last]
        # A sort of something may come in other portions than it: no head of "sweet corn", no bar of "hot chocolate".
        return Noun(known.kind, f"pair of {name}" if known.kind == "pair" else "", name)
    if space and last in listed:
        return Noun("count", f"{first} {listed[last].one}", f"{first} {listed[last].many}")
    if is_plural(name):
        return Noun("plural", "", name)
    return Noun("count", name, plural_of(name))


@lru_cache(maxsize=4096)
def plural_of(words: str) -> str:
    """The plural of a noun phrase without its article."""
    return str(_engine().plural_noun(words))


@lru_cache(maxsize=4096)
def is_plural(name: str) -> bool:
    """Whether a name is a plural already: its last word has a singular whose plural it is."""
    last = name.rpartition(" ")[2]
    if not _LOOKS_PLURAL.search(last):
        return False
    singular = _engine().singular_noun(last)
    return bool(singular) and plural_of(str(singular)) == last


@cache
def _listed() -> dict[str, Noun]:
    nouns: dict[str, Noun] = {}
    for line in _FILE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, kind, one, many = [*line.split("\t"), "", ""][:4]
        said = one or (f"pair of {name}" if kind == "pair" else name)
        default = plural_of(said) if kind == "count" else name
        nouns[name] = Noun(cast("Kind", kind), said, many or default)
    return nouns
