"""A real Prefect server of one's own, for tests of schedules: quick to start, with all its services but no pages."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State

from flows.server_process import prepare_database

START_S = 120.0  # a bound for busy machines; idle ones take 4 s

SETTINGS = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "DO_NOT_TRACK": "1",
}


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[dict[str, str]]:
    """The environment in which commands use the server."""
    home.mkdir(parents=True)
    prepare_database(home / "prefect.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**SETTINGS, "PREFECT_HOME": str(home), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while not _answers(f"{environment['PREFECT_API_URL']}/health"):
            assert server.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield environment
    finally:
        server.terminate()
        server.wait(timeout=60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class Told:
    """What a person sees of a flow run."""

    name: str
    state: str
    message: str
    artifacts: dict[str, Any]
    n_subflows: int


def told(state: State[Any]) -> Told:
    """What the server tells of the flow run that ended in `state`."""
    flow_run_id = state.state_details.flow_run_id
    assert flow_run_id is not None
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run_id)
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        artifacts = {str(one.key): one.data for one in client.read_artifacts(artifact_filter=of_run)}
        assert run.state is not None
        return Told(run.name, run.state.name, run.state.message or "", artifacts, _n_subflows(client, flow_run_id))


def _n_subflows(client: Any, flow_run_id: UUID) -> int:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

    of_run = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
    return len(client.read_flow_runs(flow_run_filter=of_run))
