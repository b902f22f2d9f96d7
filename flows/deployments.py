"""Schedules as Prefect's server keeps them: deployments with a tag of ours, in a work pool that workers serve."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from curation.sources.files import shown
from flows.failure_notices import forget_notices, notify_of_failures
from flows.run_names import short_name
from flows.schedule import FLOWS, POOL
from flows.server import prefect_api
from rendering.errors import BadInputError, MarkupmillError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

TAG: Final = "markupmill"
"""Deployments with this tag are schedules of ours; `prefect.yaml` gives it, too."""

START: Final = "Start one: `prefect server start`, then `export PREFECT_API_URL=http://127.0.0.1:4200/api`"


@dataclass(frozen=True)
class Wanted:
    """What `markupmill schedule` was told; `parameters` are those of the flow that were given."""

    recipe: str
    flow: str
    cron: str
    timezone: str
    name: str | None
    work_pool: str
    notify: str | None
    parameters: Mapping[str, Any]


def add_schedule(wanted: Wanted) -> str:
    """Create the schedule, or change the one of that name, and return what to tell the user.

    Raises:
        BadInputError: the recipe, the time, or an option cannot be used.
        MarkupmillError: there is no server, or it refuses.
    """
    with _server() as client:
        from prefect.client.schemas.actions import DeploymentScheduleCreate  # noqa: PLC0415 - after the settings
        from prefect.utilities.callables import parameter_schema  # noqa: PLC0415 - as above

        kind = FLOWS[wanted.flow]
        flow = resolve_name(kind.flow)
        schema = parameter_schema(flow)
        parameters = {"recipe": wanted.recipe, **wanted.parameters}
        if unknown := set(parameters) - set(schema.properties):
            option = {"addresses": "from", "overrides": "set"}.get(first := min(unknown), first)
            raise BadInputError(f"--{option} is nothing to --flow {wanted.flow}", "Leave it out")
        resolve_name(kind.check)(**parameters)
        name = wanted.name or f"{wanted.flow}-{short_name(wanted.recipe)}"
        if any(one.name == name and one.entrypoint != kind.flow for one in _schedules(client)):
            raise BadInputError(f"there is a schedule {name} of another flow", "Choose another --name")
        _ensure_pool(client, wanted.work_pool)
        deployment_id = client.create_deployment(
            flow_id=client.create_flow_from_name(flow.name),
            name=name,
            description=f"{wanted.flow} {wanted.recipe}: {kind.about}.",
            schedules=[DeploymentScheduleCreate(schedule=_cron(wanted.cron, wanted.timezone), active=True)],
            parameters=parameters,
            parameter_openapi_schema=schema.model_dump(),
            enforce_parameter_schema=True,
            tags=[TAG],
            entrypoint=kind.flow,
            work_pool_name=wanted.work_pool,
            # Relative paths of recipe and workspace are meant from here.
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(Path.cwd())}}],
        )
        forget_notices(client, name, deployment_id)
        lines = [f"{name}: {wanted.flow} {wanted.recipe}, at {wanted.cron} ({wanted.timezone})"]
        if wanted.notify:
            notify_of_failures(client, name, deployment_id, wanted.notify)
            lines.append("A run that fails is told to the address given")
        served = _workers(client, wanted.work_pool)
        if not served:
            pool = "" if wanted.work_pool == POOL else f" --work-pool {wanted.work_pool}"
            lines.append(f"Nobody does its runs yet: keep `markupmill schedule serve{pool}` running")
        return "\n".join(lines)


def list_schedules(*, as_json: bool = False) -> str:
    """One line to a schedule, or JSON."""
    with _server() as client:
        facts = [_facts(client, one) for one in sorted(_schedules(client), key=lambda one: one.name)]
    if as_json:
        return json.dumps(facts, indent=2)
    if not facts:
        return "No schedules. `markupmill schedule RECIPE --flow build --cron '0 3 * * *'` makes one"
    heads = ("name", "when", "next run", "last run")
    rows = [heads, *(tuple(fact[head] for head in heads) for fact in facts)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def set_paused(name: str, *, paused: bool) -> str:
    """Pause or resume a schedule."""
    with _server() as client:
        found = _find(client, name)
        (client.pause_deployment if paused else client.resume_deployment)(found.id)
    return f"{name}: {'paused; `markupmill schedule resume ' + name + '` goes on' if paused else 'runs again'}"


def remove_schedule(name: str) -> str:
    """Delete a schedule with its notification."""
    with _server() as client:
        found = _find(client, name)
        forget_notices(client, name, found.id)
        client.delete_deployment(found.id)
    return f"{name}: removed; releases and the history of its runs stay"


def run_now(name: str) -> str:
    """Ask for one run of a schedule, now."""
    with _server() as client:
        run = client.create_flow_run_from_deployment(_find(client, name).id)
    return f"{name}: asked for, as run {run.id}"


def serve_pool(work_pool: str, limit: int) -> None:
    """Become a worker of the pool: Prefect's own, which knows how to end. Does not return.

    Raises `MarkupmillError` where there is no server.
    """
    with _server() as client:
        _ensure_pool(client, work_pool)
    # A background job of a script has SIGINT ignored, and what SIGTERM makes the worker do is send itself that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = ["-m", "prefect", "worker", "start", "--pool", work_pool, "--limit", str(limit)]
    os.execv(sys.executable, [sys.executable, "-P", *command])  # noqa: S606 - a program of this environment


@contextmanager
def _server() -> Iterator[SyncPrefectClient]:
    """A client of the server that PREFECT_API_URL names; its errors in our words."""
    if not os.environ.get("PREFECT_API_URL"):
        raise BadInputError("PREFECT_API_URL names no Prefect server, which schedules need", START)
    with prefect_api() as url:
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - heavy, and after the settings
        from prefect.exceptions import PrefectHTTPStatusError  # noqa: PLC0415 - as above

        try:
            with get_client(sync_client=True) as client:
                if (error := client.api_healthcheck()) is not None:
                    what = f"Prefect's server at {shown(url)} does not answer ({type(error).__name__})"
                    raise MarkupmillError(what, START) from error
                yield client
        except PrefectHTTPStatusError as error:
            raise MarkupmillError(
                f"Prefect's server at {shown(url)} refused (HTTP {error.response.status_code}): "
                f"{error.response.text[:300]}",
                "Its log says more",
            ) from error


def _cron(cron: str, timezone: str) -> Any:
    from prefect.client.schemas.schedules import CronSchedule  # noqa: PLC0415 - after the settings

    if timezone not in available_timezones():
        raise BadInputError(f"there is no time zone {timezone!r}", "Use a name such as UTC or Europe/Berlin")
    try:
        return CronSchedule(cron=cron, timezone=ZoneInfo(timezone).key)
    except ValueError:
        raise BadInputError(
            f"--cron {cron!r} is no time", "Five fields: minute, hour, day of month, month, weekday, as in '0 3 * * *'"
        ) from None


def _ensure_pool(client: SyncPrefectClient, name: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: PLC0415 - after the settings
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound  # noqa: PLC0415 - as above
    from prefect.workers.process import ProcessWorker  # noqa: PLC0415 - as above

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))
        except ObjectAlreadyExists:
            return


def _workers(client: SyncPrefectClient, pool: str) -> Sequence[Any]:
    return [one for one in client.read_workers_for_work_pool(pool) if one.status == "ONLINE"]


def _schedules(client: SyncPrefectClient) -> list[DeploymentResponse]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags  # noqa: PLC0415 - as above

    return client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])))


def _find(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    known = {one.name: one for one in _schedules(client)}
    if name not in known:
        mend = f"There are: {', '.join(sorted(known))}" if known else "There are none"
        raise BadInputError(f"there is no schedule {name!r}", mend)
    return known[name]


def _facts(client: SyncPrefectClient, deployment: DeploymentResponse) -> dict[str, str]:
    from prefect.client.schemas.filters import (  # noqa: PLC0415 - after the settings
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType  # noqa: PLC0415 - as above
    from prefect.client.schemas.schedules import CronSchedule  # noqa: PLC0415 - as above
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415 - as above

    def first(states: Sequence[StateType], sort: FlowRunSort) -> Any:
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))),
            sort=sort,
            limit=1,
        )
        return runs[0] if runs else None

    upcoming = first([StateType.SCHEDULED], FlowRunSort.EXPECTED_START_TIME_ASC)
    waiting = {StateType.SCHEDULED, StateType.PENDING}
    last = first([state for state in StateType if state not in waiting], FlowRunSort.START_TIME_DESC)
    plans = [one.schedule for one in deployment.schedules]
    crons = [f"{plan.cron} {plan.timezone or 'UTC'}" for plan in plans if isinstance(plan, CronSchedule)]
    if deployment.paused:
        next_run = "paused"
    else:
        next_run = upcoming.expected_start_time.isoformat(" ", "minutes") if upcoming else "–"
    return {
        "name": deployment.name,
        "flow": str(deployment.entrypoint),
        "when": ", ".join(crons) or "never",
        "next run": next_run,
        "last run": f"{last.name} ({last.state.name})" if last else "–",
    }
