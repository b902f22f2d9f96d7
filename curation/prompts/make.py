"""Prompts from counts: what is missing, which classes go together, and a text for each that no other has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import Final

from curation.bias.matching import find_mentions
from curation.classes.objects import objects_named, vocabulary
from curation.prompts.amounts import combinations, missing_to_gini, missing_to_threshold
from curation.prompts.markup_texts import can_be_asked, fit_together, markup_text
from curation.prompts.object_texts import object_text, setting_name
from curation.prompts.prompt import OBJECT, Prompt
from curation.prompts.variety import ngrams

CAPTIONS: Final = "image_to_caption"
PER_OBJECT: Final = 5
MOST_COMBINATIONS: Final = 100
"""distilvit's defaults."""

_N_DRAWN: Final = 6
"""Texts drawn for each prompt: that with the most words and pairs of words that no prompt has yet is taken."""

_N_ROUNDS: Final = 30
"""So often texts are drawn before a prompt is given up."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Classes with fewer than `threshold` samples are rare; with `target_gini` those that must grow for it are, whatever
    the threshold. `per_object` is so many prompts of one class; None: as many as it lacks to the target. `max_count`
    leaves out classes with more samples. `n_combinations` None: two for each class, 100 at most, and of what a
    class lacks half at most by them.
    """

    threshold: int = 50
    target_gini: float | None = None
    per_object: int | None = None
    max_count: int | None = None
    include_combinations: bool = True
    n_combinations: int | None = None
    seed: int = 42


@dataclass(frozen=True)
class Made:
    """Prompts, single ones first. `unasked` are rare classes that no prompt can ask for.

    `short` says of a class how many of its prompts could not be made without repeating one.
    """

    prompts: tuple[Prompt, ...]
    missing: Mapping[str, int]
    unasked: tuple[str, ...] = field(default=())
    short: Mapping[str, int] = field(default_factory=dict)


def make_prompts(counts: Mapping[str, int], task: str, wanted: Wanted) -> Made:
    """Prompts of one task for the rare ones of its classes (namespaced, with their numbers of samples).

    The same for the same counts and wishes. No two are equal, none says anything protected of people, and each names
    what it asks for so that `classes_of` finds it where the classes are objects of the vocabulary.
    """
    lacking = _missing(counts, wanted)
    missing = {name: n for name, n in lacking.items() if task == CAPTIONS or can_be_asked(name, task)}
    n_groups = 0
    if wanted.include_combinations:
        default = min(2 * len(missing), MOST_COMBINATIONS)
        n_groups = default if wanted.n_combinations is None else wanted.n_combinations
    mass = _mass(missing, wanted, n_groups)
    groups = (
        combinations(mass, n_groups, kind_of=lambda name: setting_name(name.removeprefix(OBJECT)))
        if task == CAPTIONS
        else combinations(mass, n_groups, fit_together)
    )
    brought = Counter(chain.from_iterable(groups))
    singles = {
        name: wanted.per_object if wanted.per_object is not None else missing[name] - brought[name] for name in missing
    }
    writer = _Writer(task, wanted.seed)
    short: Counter[str] = Counter()
    prompts = []
    order = sorted(singles, key=lambda name: (counts[name], name))
    for classes in chain(((name,) for name in order for _ in range(singles[name])), groups):
        text = writer.next_text(classes)
        if text is None:
            short.update(classes)
        else:
            prompts.append(Prompt(text, task, tuple(classes), tuple(counts[name] for name in classes)))
    unasked = tuple(sorted(set(lacking) - set(missing)))
    return Made(tuple(prompts), missing, unasked, dict(short))


def _missing(counts: Mapping[str, int], wanted: Wanted) -> dict[str, int]:
    if wanted.target_gini is None:
        missing = missing_to_threshold(counts, wanted.threshold)
    else:
        missing = {}
        for namespace in sorted({name.partition(":")[0] for name in counts}):
            of_one = {name: n for name, n in counts.items() if name.partition(":")[0] == namespace}
            missing |= missing_to_gini(of_one, wanted.target_gini)
    return {name: n for name, n in missing.items() if wanted.max_count is None or counts[name] <= wanted.max_count}


def _mass(missing: Mapping[str, int], wanted: Wanted, n_groups: int) -> Mapping[str, int]:
    """What of each class combinations may bring: half of what it lacks, unless their number was asked for."""
    if wanted.per_object is not None:
        return _at_least(missing, n_groups)
    if wanted.n_combinations is not None:
        return missing
    return {name: lacks // 2 for name, lacks in missing.items()}


def _at_least(missing: Mapping[str, int], n: int) -> dict[str, int]:
    """What is missing, made as large as need be for `n` groups of two: their number was asked for."""
    per_class = -(-2 * n // len(missing)) if missing else 0
    return {name: max(lacks, per_class) for name, lacks in missing.items()}


class _Writer:
    """Writes texts, each unlike those before: of several drawn, the one with the most new words and pairs of words."""

    def __init__(self, task: str, seed: int) -> None:
        self._task = task
        self._seed = seed
        self._texts: set[str] = set()
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._rngs: dict[tuple[str, ...], Random] = {}

    def next_text(self, classes: Sequence[str]) -> str | None:
        """A text for these classes that was not written before; None where none could be drawn."""
        rng = self._rngs.setdefault(tuple(classes), Random("\x1f".join([str(self._seed), self._task, *classes])))  # noqa: S311 - for texts
        for _ in range(_N_ROUNDS):
            drawn = {self._draw(classes, rng) for _ in range(_N_DRAWN)} - self._texts
            for text in sorted(drawn, key=lambda text: (-self._novelty(text), text)):
                if self._may_stand(text, classes):
                    self._texts.add(text)
                    self._seen.update(_grams(text))
                    return text
        return None

    def _draw(self, classes: Sequence[str], rng: Random) -> str:
        if self._task == CAPTIONS:
            return object_text([name.removeprefix(OBJECT) for name in classes], rng)
        return markup_text(self._task, classes, rng)

    def _may_stand(self, text: str, classes: Sequence[str]) -> bool:
        """Whether it says nothing protected, and names its objects as the measure of classes understands them."""
        if find_mentions(text):
            return False
        if self._task != CAPTIONS:
            return True
        known = {name.removeprefix(OBJECT) for name in classes} & vocabulary().sources.keys()
        return not known or known <= objects_named(text)

    def _novelty(self, text: str) -> float:
        """The mean of 1 / (1 + how often it was written before), over its words, pairs and triples."""
        grams = _grams(text)
        return sum(1 / (1 + self._seen[gram]) for gram in grams) / max(1, len(grams))


def _grams(text: str) -> list[tuple[str, ...]]:
    return [gram for n in (1, 2, 3) for gram in ngrams(text, n)]
