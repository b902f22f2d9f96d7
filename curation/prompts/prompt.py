"""A prompt: a text, the classes that what is made of it must contain, and whether something made contains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curation.classes.sample_classes import classes_of
from curation.sample import sha256_hex

OBJECT: Final = "object:"
SINGLE, COMBINATION = "single_object", "combination"
"""distilvit's names for what `type` can be; of markup one class is `single_class`."""
SINGLE_CLASS: Final = "single_class"


@dataclass(frozen=True)
class Prompt:
    """A prompt for one task. `classes` are namespaced; `counts` says in how many samples each of them is.

    `target` is what the result must contain: by class, how often at least.
    """

    text: str
    task: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def id(self) -> str:
        """Stable: over task, classes and text."""
        return sha256_hex("\x1f".join([self.task, *self.classes, self.text]))[:16]

    @property
    def target(self) -> dict[str, int]:
        """Classes and least counts. `classes_of` tells that a class is there, not how often: each at least once."""
        return dict.fromkeys(self.classes, 1)

    def row(self) -> dict[str, Any]:
        """As it stands in a file: distilvit's `prompt, objects, original_count, type`, then ours."""
        is_single = len(self.classes) == 1
        single = SINGLE if self.classes[0].startswith(OBJECT) else SINGLE_CLASS
        return {
            "prompt": self.text,
            "objects": [name.removeprefix(OBJECT) for name in self.classes],
            "original_count": self.counts[0] if is_single else list(self.counts),
            "type": single if is_single else COMBINATION,
            "id": self.id,
            "task": self.task,
            "classes": list(self.classes),
            "target": self.target,
        }


def lacking(target: Mapping[str, int], task: str, text: str | None, objects: Sequence[str] | None = None) -> list[str]:
    """Classes of a target that a result has not: its markup or caption, or the objects that are named for it.

    All of them where the result's classes cannot be told.
    """
    found = classes_of(task, text, objects)
    return [name for name, n in target.items() if n > 0 and (found is None or name not in found)]
