"""What all scheduled runs have in common: their names, their artifacts, what they do when they meet another run.

A person who looks at the list of runs reads what became of each: `build websight: 300 rows at 8b9f968`,
`build websight: nothing new at 8b9f968`, `build websight: skipped`. What they do is in `flows.scheduled_build` and
the modules beside it; `flows.schedule.FLOWS` lists them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from curation.errors import MarkupmillError, WorkspaceLockedError
from curation.sources.address import resolved_once
from curation.store import Workspace
from flows.lifetime import hard_exit_on_signals
from flows.run_names import artifact_key, short_name

IfBusy = Literal["wait", "skip"]

NOTHING_NEW: Final = "Nothing new"
SKIPPED: Final = "Skipped"

WAIT_LIMIT_S: Final = 12 * 3600.0
"""A run that could not begin by then fails, and whoever is to be notified of failures is."""

POLL_S: Final = 2.0


@dataclass(frozen=True)
class Outcome:
    """What became of a run, for people.

    `name` and `message` are one line each; `markdown` and `table` become artifacts; `state` is shown beside the run's
    name.
    """

    name: str
    message: str
    markdown: str = ""
    table: Sequence[Mapping[str, Any]] = ()
    state: str = "Completed"


@dataclass(frozen=True)
class Job:
    """A scheduled run: its `title` (`build websight`), what it does, and what it says where that fails.

    `work` raises `WorkspaceLockedError` before it has done anything where another run holds `workspace()`.
    """

    title: str
    work: Callable[[], Outcome]
    workspace: Callable[[], Workspace]
    last_good: Callable[[], str]


def run_job(job: Job, if_busy: IfBusy) -> State[Any]:
    """Do the work, name the flow run by what became of it, and return the state that it ends in.

    What markupmill raises on purpose ends as Failed with its one line; anything else is raised.
    """
    # As for the command: a run that is cancelled leaves no browser behind.
    with hard_exit_on_signals(lambda: None), resolved_once():
        try:
            outcome = _when_free(job, if_busy)
        except MarkupmillError as error:
            kept = job.last_good()
            _tell(job, Outcome(f"{job.title}: failed", str(error), f"## {job.title}: failed\n\n{error}\n\n{kept}\n"))
            return Failed(message=str(error))
        _tell(job, outcome)
        return Completed(name=outcome.state, message=outcome.message)


def title_of(what: str) -> Callable[[], str]:
    """The name of a flow run before it is known what becomes of it: `build websight`, by its parameter `recipe`."""

    def title() -> str:
        return f"{what} {short_name(str(flow_run.parameters.get('recipe', '')))}"

    return title


def _when_free(job: Job, if_busy: IfBusy) -> Outcome:
    while True:
        try:
            return job.work()
        except WorkspaceLockedError as error:
            if if_busy == "skip":
                message = f"{error.problem}: nothing was done"
                return Outcome(f"{job.title}: skipped", message, state=SKIPPED)
            _wait(job, error)


def _wait(job: Job, error: WorkspaceLockedError) -> None:
    """Return when the workspace is free; somebody else may then still be quicker."""
    get_run_logger().info("%s: this one waits for it to end", error.problem)
    _rename(f"{job.title}: waits for another run")
    workspace, deadline_s = job.workspace(), time.monotonic() + WAIT_LIMIT_S
    while time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        try:
            with workspace.lock():
                _rename(job.title)
                return
        except WorkspaceLockedError:
            continue
    raise error


def _tell(job: Job, outcome: Outcome) -> None:
    _rename(outcome.name)
    get_run_logger().info(outcome.message)
    if outcome.markdown:
        create_markdown_artifact(outcome.markdown, key=artifact_key(job.title), description=outcome.message)
    if outcome.table:
        table = [dict(row) for row in outcome.table]
        create_table_artifact(table, key=artifact_key(job.title, "facts"), description=outcome.message)


def _rename(name: str) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(UUID(flow_run.id), name)
