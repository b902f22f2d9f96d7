"""Texts for text-to-image models: a thing or several, where they are seen, what they do, how the picture is taken.

Grammar is made, not filled in: articles, plurals and verbs agree (`curation.prompts.nouns`). What surroundings a thing
has stands in `settings.yaml`, how pictures are taken in `camera.yaml`; a thing that is in no list is seen anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from curation.classes.objects import class_of
from curation.generate.choose import pick
from curation.prompts.nouns import noun_of, with_article

_HERE: Final = Path(__file__).parent
ANYWHERE: Final = "anywhere"

_SEVERAL: Final = ("two", "three", "four", "several", "a few", "a dozen", "many")
_MANY_OF: Final = ("a row of", "a group of", "a cluster of", "a pair of")


@dataclass(frozen=True)
class Setting:
    """Where a kind of things is seen: verbs as (singular, plural), places, adjectives."""

    verbs: tuple[tuple[str, str], ...]
    places: tuple[str, ...]
    looks: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A noun phrase, and whether its verb is in the plural."""

    words: str
    is_plural: bool


def object_text(names: Sequence[str], rng: Random) -> str:
    """A prompt for a picture of all of these: a sentence or a caption, with a capital and without a full stop."""
    shared = _shared_setting(names)
    frame = pick(rng, _FRAMES_OF_ONE if len(names) == 1 else _FRAMES_OF_SEVERAL)
    text = frame(names, shared, rng)
    return text[0].upper() + text[1:]


def _one(names: Sequence[str], setting: Setting, rng: Random) -> Said:
    return _phrase(names[0], setting, rng)


def _sentence(names: Sequence[str], setting: Setting, rng: Random) -> str:
    said = _one(names, setting, rng)
    return f"{said.words} {_verb(said, setting, rng)} {pick(rng, setting.places)}{_tail(rng)}"


def _place_first(names: Sequence[str], setting: Setting, rng: Random) -> str:
    said = _one(names, setting, rng)
    return f"{pick(rng, setting.places)}, {said.words} {_verb(said, setting, rng)}{_tail(rng)}"


def _light_first(names: Sequence[str], setting: Setting, rng: Random) -> str:
    said = _one(names, setting, rng)
    return f"{pick(rng, _camera().light)}, {said.words} {_verb(said, setting, rng)} {pick(rng, setting.places)}"


def _caption(names: Sequence[str], setting: Setting, rng: Random) -> str:
    return f"{_one(names, setting, rng).words} {pick(rng, setting.places)}, {pick(rng, _camera().light)}{_finish(rng)}"


def _view(names: Sequence[str], setting: Setting, rng: Random) -> str:
    said = _one(names, setting, rng)
    return f"{pick(rng, _camera().views)} of {said.words} {pick(rng, setting.places)}{_tail(rng)}"


def _titled(names: Sequence[str], setting: Setting, rng: Random) -> str:
    said = _one(names, setting, rng)
    return f"{said.words}, {pick(rng, setting.places)}: {pick(rng, _camera().views)}{_tail(rng)}"


def _together(names: Sequence[str], setting: Setting, rng: Random) -> str:
    words = _listed([_phrase(name, _setting_of(name), rng).words for name in names])
    verb = pick(rng, [plural for _, plural in setting.verbs])
    return f"{words} {verb} {pick(rng, setting.places)}{_tail(rng)}"


def _together_seen(names: Sequence[str], setting: Setting, rng: Random) -> str:
    words = _listed([_phrase(name, _setting_of(name), rng).words for name in names])
    return f"{pick(rng, _camera().views)} of {words} {pick(rng, setting.places)}{_tail(rng)}"


def _beside(names: Sequence[str], setting: Setting, rng: Random) -> str:
    first, second, *others = [_phrase(name, _setting_of(name), rng).words for name in names]
    near = pick(
        rng, ("next to", "beside", "in front of", "not far from", "a step away from", "facing", "to the left of")
    )
    behind = pick(
        rng, ("with {} in the background", "with {} further back", "and {} behind", "with {} on the other side")
    )
    more = f", {behind.format(_listed(others))}" if others else ""
    return f"{first} {near} {second} {pick(rng, setting.places)}{more}{_tail(rng)}"


def _place_with(names: Sequence[str], setting: Setting, rng: Random) -> str:
    words = _listed([_phrase(name, _setting_of(name), rng).words for name in names])
    there = pick(rng, ("{} share the frame", "{} come together", "{} are side by side", "{} make up the scene"))
    return f"{pick(rng, setting.places)}, {there.format(words)}{_tail(rng)}"


Frame = Callable[[Sequence[str], Setting, Random], str]
_FRAMES_OF_ONE: Final[tuple[Frame, ...]] = (_sentence, _place_first, _light_first, _caption, _view, _titled)
_FRAMES_OF_SEVERAL: Final[tuple[Frame, ...]] = (_together, _together_seen, _beside, _place_with)


def _phrase(name: str, setting: Setting, rng: Random) -> Said:
    """A thing in words: one or several of it, with or without an adjective."""
    noun = noun_of(name)
    look = pick(rng, setting.looks) + " " if setting.looks and rng.random() < 0.6 else ""
    share = rng.random()
    if noun.one and (share < 0.7 or noun.kind != "count"):
        if noun.kind != "count" and share > 0.7:
            return Said(f"some {look}{noun.many}", noun.kind != "mass")
        # "a pair of worn jeans", "a rusty kettle"
        before, of, last = noun.one.rpartition(" of ")
        portioned = of and noun.kind != "count"
        words = f"{before} of {look}{last}" if portioned else f"{look}{noun.one}"
        return Said(with_article(words), is_plural=False)
    if noun.kind != "count":
        return Said(f"some {look}{noun.many}", noun.kind != "mass")
    if share < 0.9:
        return Said(f"{pick(rng, _SEVERAL)} {look}{noun.many}", is_plural=True)
    return Said(f"{pick(rng, _MANY_OF)} {look}{noun.many}", is_plural=False)


def _verb(said: Said, setting: Setting, rng: Random) -> str:
    singular, plural = pick(rng, setting.verbs)
    return plural if said.is_plural else singular


def _listed(phrases: Sequence[str]) -> str:
    """Phrases as a list: "a kettle, two cups and a spoon"."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]]) if len(phrases) > 1 else phrases[0]


def _tail(rng: Random) -> str:
    share = rng.random()
    if share < 0.35:
        return f", {pick(rng, _camera().light)}"
    return _finish(rng) if share < 0.75 else ""


def _finish(rng: Random) -> str:
    return f", {pick(rng, _camera().finish)}" if rng.random() < 0.6 else ""


def _shared_setting(names: Sequence[str]) -> Setting:
    """The surroundings that all of these have, else those that anything has."""
    groups = {setting_name(name) for name in names}
    return _settings()[groups.pop() if len(groups) == 1 else ANYWHERE]


def _setting_of(name: str) -> Setting:
    return _settings()[setting_name(name)]


def setting_name(name: str) -> str:
    """The kind of surroundings that a thing is seen in, a key of `settings.yaml`."""
    return _groups().get(name) or _groups().get(class_of(name)) or _groups().get(name.rpartition(" ")[2], ANYWHERE)


@dataclass(frozen=True)
class _Camera:
    views: tuple[str, ...]
    light: tuple[str, ...]
    finish: tuple[str, ...]


@cache
def _camera() -> _Camera:
    read = _read("camera")
    return _Camera(*(tuple(read[name]) for name in ("views", "light", "finish")))


@cache
def _settings() -> dict[str, Setting]:
    return {
        name: Setting(
            tuple((verb.split("|")[0], verb.split("|")[1]) for verb in entry["verbs"]),
            tuple(entry["places"]),
            tuple(entry["looks"]),
        )
        for name, entry in _read("settings").items()
    }


@cache
def _groups() -> dict[str, str]:
    """The surroundings of each thing; of those in two lists the first."""
    groups: dict[str, str] = {}
    for group, entry in _read("settings").items():
        for name in filter(None, (one.strip() for one in entry["objects"].split(","))):
            groups.setdefault(name, group)
    return groups


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return read
