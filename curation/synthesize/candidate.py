"""What a backend is asked, what it answers, and whether the answer can be taken: canonical form, classes, no replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from curation.markup.canonical import canonical_batch
from curation.prompts.prompt import Prompt, lacking
from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.synthesize.likeness import Reference


@dataclass(frozen=True)
class Ask:
    """One sample for a prompt. `number` tells apart several of one prompt, `attempt` counts from 0."""

    prompt: Prompt
    number: int
    attempt: int

    @property
    def key(self) -> str:
        """What a seeded backend draws by."""
        return f"{self.prompt.id} {self.number} {self.attempt}"


@dataclass(frozen=True)
class Draft:
    """Markup as a backend made it; `lineage` says by what (generator, seed or model)."""

    text: str
    lineage: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """Markup in canonical form that contains what its prompt asks for."""

    ask: Ask
    text: str
    lineage: Mapping[str, object]


class Backend(Protocol):
    """Makes drafts."""

    @property
    def n_attempts(self) -> int:
        """How often it is asked for one sample."""
        ...

    @property
    def spent(self) -> str:
        """Why it stops before that; empty while it does not."""
        ...

    def drafts(self, asks: Sequence[Ask]) -> list[Draft | Reject]:
        """A draft for each ask, in order, or why there is none."""
        ...


def check_drafts(
    asks: Sequence[Ask], drafts: Sequence[Draft | Reject], reference: Reference
) -> list[Accepted | Reject]:
    """What becomes of each draft: taken in canonical form, or rejected for the first fault."""
    tasks = [ask.prompt.task for ask in asks]
    texts = [None if isinstance(draft, Reject) else draft.text for draft in drafts]
    checked: list[Accepted | Reject] = []
    for ask, draft, form in zip(asks, drafts, canonical_batch(tasks, texts), strict=True):
        if isinstance(draft, Reject):
            checked.append(draft)
        elif isinstance(form, Reject):
            checked.append(form)
        elif missing := lacking(ask.prompt.target, ask.prompt.task, form.text):
            checked.append(Reject(Reason.CLASS_MISSING, ", ".join(missing)))
        elif reference.replays(cast("Task", ask.prompt.task), form.text):
            checked.append(Reject(Reason.REPLAYED, "a row of the reference has most of it"))
        else:
            checked.append(Accepted(ask, form.text, draft.lineage))
    return checked
