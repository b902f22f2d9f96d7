"""Rows of a release, or of any data set that a report can be made of, as a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from curation.errors import AddressError, BadInputError
from curation.report.gathering import rows_of
from curation.report.measuring import Choice, measure_subject
from curation.report.subject import Asked, open_subject
from curation.synthesize.likeness import Reference

_READ: Final = ("task", "text", "image_origin")

MOST_ROWS: Final = 4_000
"""Of each task, evenly out of all: more are no more varied, and pieces of formulas are held in memory."""


def read_reference(address: str, tasks: Sequence[str], workspace: str) -> Reference:
    """The rows of these tasks. What is read of strangers' data goes into `workspace`.

    Synthetic rows are left out: what was made is not what the next is to be like.

    Raises:
        BadInputError: there is nothing at the address, or no row of any of these tasks.
    """
    rows: dict[str, list[str]] = {task: [] for task in tasks}
    for task, texts in rows.items():
        try:
            subject = open_subject(Asked(address, task=task), workspace)
        except AddressError:  # a release of other tasks alone
            continue
        with subject.workspace.lock():
            measured = measure_subject(subject, Choice(names=("markup",)))
        for table in rows_of(subject, measured).tables(_READ):
            texts += [
                row["text"]
                for row in table.select(_READ).to_pylist()
                if row["task"] == task and row["text"] and row["image_origin"] != "synthetic"
            ]
    if not any(rows.values()):
        raise BadInputError(f"{address} has no rows of {', '.join(tasks)}", "Name another --like")
    return Reference({task: _evenly(texts) for task, texts in rows.items()})


def _evenly(texts: Sequence[str]) -> list[str]:
    if len(texts) <= MOST_ROWS:
        return list(texts)
    return [texts[i * len(texts) // MOST_ROWS] for i in range(MOST_ROWS)]
