"""The embedded Prefect server: a program of its own, started by `flows.server` with a listening socket to serve.

Prefect's own application, with the services that store task runs and events and no others. It serves until its standard
input ends, which is when the process that started it is done or dead; then it stores what has arrived, sets the runs
that nobody works on any more to crashed, and ends. Imports nothing of ours: what it imports is its start-up time.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import select
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

SCHEMA: Final = Path(__file__).with_name("prefect_schema.sql")
"""The database as the migrations of the pinned Prefect leave it; a test holds it to them."""

PARENT_POLL_S: Final = 1.0
DRAIN_TIMEOUT_S: Final = 5.0
DRAIN_POLL_S: Final = 0.02

SETTINGS: Final = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    # A hundred at a time or once a second: one by one, storing takes longer than small tasks do.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}

_FLOW_RUN_PATH: Final = re.compile(r"/flow_runs/([0-9a-f-]{36})/set_state$")


class Parent:
    """The process that started this one, watched from the first moment, when there is no event loop yet."""

    def __init__(self) -> None:
        self._pid = os.getppid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gone = asyncio.Event()
        threading.Thread(target=self._watch, daemon=True, name="parent").start()

    async def wait_gone(self) -> None:
        """Return when standard input has ended, or the parent has (a fork of it may hold the pipe open)."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        await self._gone.wait()

    def _watch(self) -> None:
        while os.getppid() == self._pid:
            if select.select([0], [], [], PARENT_POLL_S)[0] and not os.read(0, 1):
                break
        with self._lock:
            if self._loop is None:  # still importing: nothing has arrived that could be stored
                os._exit(0)
            self._loop.call_soon_threadsafe(self._gone.set)


class SeenFlowRuns:
    """ASGI middleware that keeps the ids of the flow runs orchestrated through this server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.ids: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, whatever it is."""
        if found := _FLOW_RUN_PATH.search(scope.get("path", "")):
            self.ids.add(found[1])
        await self.app(scope, receive, send)


def main() -> None:
    """Serve on the listening socket whose descriptor is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent()
    gc.disable()  # imports make no garbage and many objects: 0.3 s less
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    is_migrated = prepare_database(Path(os.environ["PREFECT_HOME"]) / "prefect.db")
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), parent, is_migrated=is_migrated))


def prepare_database(path: Path) -> bool:
    """Make a new database in one go. Returns whether `path` needs no migration.

    Several commands may start over one home at once: the database is made aside and linked into place.
    """
    script = SCHEMA.read_text("utf-8")
    if "PREFECT_API_DATABASE_CONNECTION_URL" in os.environ or "PREFECT_SERVER_DATABASE_CONNECTION_URL" in os.environ:
        return False  # the user's own
    if not path.exists():
        import prefect  # noqa: PLC0415 - imported later anyway

        if not script.startswith(f"-- Prefect {prefect.__version__}\n"):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        with contextlib.closing(sqlite3.connect(aside)) as database:
            database.executescript(script)
            database.execute("PRAGMA journal_mode = WAL")
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=60)) as database:
            revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise
        # Damaged, by a power cut or a deleted journal. It only holds the history of runs: no build may fail for it.
        for file in path.parent.glob(f"{path.name}*"):
            file.replace(file.with_name(f"damaged-{file.name}"))
        return prepare_database(path)
    return revision is not None and f"INSERT INTO \"alembic_version\" VALUES('{revision[0]}');" in script


async def serve(listening: socket.socket, parent: Parent, *, is_migrated: bool) -> None:
    """Serve Prefect's API until the parent is gone and all that arrived is stored."""
    import uvicorn  # noqa: PLC0415 - after `Parent` watches
    from prefect.server.api.server import create_app  # noqa: PLC0415
    from prefect.server.database import provide_database_interface  # noqa: PLC0415

    seen = SeenFlowRuns(create_app(ephemeral=True))
    # Without a lifespan: Prefect's starts a task queue with its worker, and all services.
    config = uvicorn.Config(seen, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    gc.freeze()
    gc.enable()
    if not is_migrated:
        await provide_database_interface().create_db()
    async with _services():
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        parent_gone = asyncio.create_task(parent.wait_gone())
        await asyncio.wait([serving, parent_gone], return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await _drained(server)
    server.should_exit = True
    await serving
    await _crash_unfinished(seen.ids)


@contextlib.asynccontextmanager
async def _services() -> AsyncIterator[None]:
    """What stores task runs and events. On the way out it stores what it has taken."""
    from prefect.server.events.services.event_persister import EventPersister  # noqa: PLC0415
    from prefect.server.services.task_run_recorder import TaskRunRecorder  # noqa: PLC0415

    kinds: list[Any] = [TaskRunRecorder, EventPersister]
    services = [kind() for kind in kinds]
    running = [asyncio.create_task(service.start()) for service in services]
    # Messages are for those who listen already.
    await asyncio.gather(*(service.started_event.wait() for service in services))
    try:
        yield
    finally:
        await asyncio.gather(*(service.stop() for service in services))
        await asyncio.gather(*running)


async def _drained(server: uvicorn.Server) -> None:
    """Return when no request or event stream is open, the services have taken every event, and none is storing.

    Stopping a service cancels what it does: in the middle of storing it would have to begin anew.
    """
    from prefect.server.database import provide_database_interface  # noqa: PLC0415
    from prefect.server.utilities.messaging.memory import METRICS  # noqa: PLC0415

    pool: Any = (await provide_database_interface().engine()).pool
    while (
        server.server_state.tasks
        or any(topic["consumed"] < topic["published"] for topic in METRICS.values())
        or pool.checkedout()
    ):
        await asyncio.sleep(DRAIN_POLL_S)


async def _crash_unfinished(flow_run_ids: set[str]) -> None:
    """Set what was still under way to crashed: the command is gone, and nobody else would ever say so."""
    from uuid import UUID  # noqa: PLC0415

    from prefect.server import models  # noqa: PLC0415
    from prefect.server.database import provide_database_interface  # noqa: PLC0415
    from prefect.server.schemas.filters import (  # noqa: PLC0415
        TaskRunFilter,
        TaskRunFilterFlowRunId,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.server.schemas.states import TERMINAL_STATES, Crashed, State, StateType  # noqa: PLC0415

    def crashed() -> State:
        return Crashed(message="The command ended before this did.")

    # Prefect's annotations do not say that these are coroutines.
    flow_runs: Any = models.flow_runs
    task_runs: Any = models.task_runs

    async with provide_database_interface().session_context(begin_transaction=True) as session:
        for flow_run_id in sorted(map(UUID, flow_run_ids)):
            flow_run = await flow_runs.read_flow_run(session, flow_run_id)
            if flow_run is None or flow_run.state_type in TERMINAL_STATES:
                continue
            unfinished = TaskRunFilter(
                flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run_id]),
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=sorted(set(StateType) - TERMINAL_STATES))),
            )
            for task_run in await task_runs.read_task_runs(session, task_run_filter=unfinished):
                await task_runs.set_task_run_state(session, task_run.id, crashed(), force=True)
            await flow_runs.set_flow_run_state(session, flow_run_id, crashed(), force=True)


if __name__ == "__main__":
    main()
