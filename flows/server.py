"""The Prefect API of one run of a command: the user's server, or one of our own that starts fast and never outlives us.

With `PREFECT_API_URL` set, that server is used as it is. Otherwise `flows.server_process` is started on loopback, over
an SQLite database in the given home; `PREFECT_HOME=<home> prefect server start` shows its runs later.

Prefect's own ephemeral server loses task runs, outlives a killed command and migrates its database for 5 s
(measured with Prefect 3.8.8). What is different here:

- The listening socket is made here and handed over: its address is known at once, and whoever connects early waits in
  the socket's backlog. The server imports Prefect while this process imports what it needs itself.
- The server reads its standard input, which only this process writes: however this process ends, the server notices,
  stores what has arrived, sets what is still running to crashed, and goes.
- On the way out, events of task runs are handed to the server before it is told to stop, so that all are stored.
- Ctrl-C and SIGTERM end the command at once (`flows.lifetime`), where Prefect waits for every running task.
- A new database is made from the schema in `prefect_schema.sql` instead of by a hundred migrations.
- Left out: user interface, telemetry, registration of blocks, and all services (schedules, late runs, automations,
  clean-up) but those that store task runs and events. Requests that need them (deleting runs, deployments, work pools)
  are for a real server.
- Its requests need a password made for the run, since other users of the machine reach loopback too.

Nothing here imports Prefect until the end: settings are handed on by the environment, where the user's own come first.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flows.lifetime import die_with_parent, end_now, hard_exit_on_signals
from rendering.errors import BadInputError

__all__ = ["die_with_parent", "prefect_api"]

QUIET: Final = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # errors are told by the command, in one line
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",  # the embedded server writes a file
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "DO_NOT_TRACK": "1",
}
"""Settings of ours where the user has none."""

STOP_TIMEOUT_S: Final = 10.0
"""How long the server may take to store what has arrived; it takes tenths of a second for 200 task runs."""

SIGNAL_STOP_TIMEOUT_S: Final = 2.0
"""The same where the user waits for Ctrl-C; what was under way is then gone whatever the server still stores."""

DRAIN_TIMEOUT_S: Final = 10.0
SIGNAL_DRAIN_TIMEOUT_S: Final = 0.5

_BACKLOG: Final = 128


@contextmanager
def prefect_api(home: Path | None = None) -> Iterator[str]:
    """The address of a Prefect API for as long as the block lasts; flows started in it use it.

    `home` holds the database and log of the embedded server (a folder of the user's own state by default).
    Returns at once, while the server starts. Handles Ctrl-C and SIGTERM where it is called in the main thread.
    Import Prefect in the block, not before: that is when it sets up its logging, and it would not be quiet.
    Raises `BadInputError` where `home` cannot be made.
    """
    address = os.environ.get("PREFECT_API_URL")
    if address:
        with _environment(QUIET), hard_exit_on_signals(_drain_soon):
            try:
                yield address
            finally:
                _drain(DRAIN_TIMEOUT_S)
        return
    server = _Server((home or _default_home()).absolute())
    with _environment(QUIET | server.environment), hard_exit_on_signals(server.stop_soon):
        server.start()
        try:
            yield server.address
        finally:
            _drain(DRAIN_TIMEOUT_S)
            server.stop(STOP_TIMEOUT_S)


class _Server:
    """The embedded server: a process that lives no longer than this one."""

    def __init__(self, home: Path) -> None:
        home = Path(os.environ.get("PREFECT_HOME", home)).expanduser()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(
                f"Prefect's folder {home} cannot be made ({error.strerror})", "Choose another workspace or PREFECT_HOME"
            ) from error
        self._home = home
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or f"markupmill:{secrets.token_urlsafe(24)}"
        self.environment = {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.address,
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_API_AUTH_STRING": password,
            # Two requests less in each process: the server is of the same Prefect, and serves no pages to forge from.
            "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
            **_without_proxy(),
        }
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="prefect server")

    def start(self) -> None:
        program = Path(__file__).with_name("server_process.py")
        # A session of its own keeps the terminal's Ctrl-C from it; -P keeps our modules from shadowing others'.
        with self._socket, (self._home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(program), str(self._socket.fileno())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[self._socket.fileno()],
                start_new_session=True,
            )
        self._watcher.start()

    def stop(self, timeout_s: float) -> None:
        """Let the server store what it has and end; it is killed after `timeout_s`."""
        self._stopping.set()
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        self._watcher.join(timeout_s)
        if self._watcher.is_alive():
            self._process.kill()
            self._watcher.join()

    def stop_soon(self) -> None:
        _drain_soon()
        self.stop(SIGNAL_STOP_TIMEOUT_S)

    def _watch(self) -> None:
        """Without its server the flow would try to reach it for minutes."""
        assert self._process is not None
        self._process.wait()
        if self._stopping.is_set():
            return
        lines = (self._home / "server.log").read_text("utf-8", "replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), f"exit {self._process.returncode}")
        end_now(1, f"the embedded Prefect server ended ({last}). See {self._home / 'server.log'}")


def _default_home() -> Path:
    """A folder for what programs keep between runs (XDG Base Directory Specification 0.8)."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "markupmill" / "prefect"


def _without_proxy() -> dict[str, str]:
    """The user's exceptions from proxies, with loopback among them: HTTP clients do not except it themselves."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join([*filter(None, [given]), "127.0.0.1"])
    return {"no_proxy": hosts, "NO_PROXY": hosts}


_OURS_FIRST: Final = {
    "PREFECT_HOME",
    "PREFECT_API_URL",
    "PREFECT_SERVER_API_AUTH_STRING",
    "PREFECT_API_AUTH_STRING",
    "no_proxy",
    "NO_PROXY",
}
"""Settings that already have the user's in them, or that say where the embedded server is."""


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Puts settings into the environment where the user has none of his own, for the block."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if name in _OURS_FIRST or before[name] is None})
    _reread()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _reread()


def _reread() -> None:
    """Prefect reads its environment when it is imported; where that has happened already, it is told to read again."""
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context  # noqa: PLC0415 - only where it is imported anyway

        refresh_global_settings_context()


def _drain(timeout_s: float) -> None:
    """Hand all events to the server: task runs are stored from them."""
    if "prefect.events.worker" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 - only where it is imported anyway

    # It warns of what is still to be sent, which is why it is drained; its logger is none of Prefect's own.
    logging.getLogger(EventsWorker.__name__).setLevel(logging.ERROR)
    # In a thread of its own: a lock that an interrupted thread holds must not keep the command from ending.
    drain = threading.Thread(target=EventsWorker.drain_all, kwargs={"timeout": timeout_s}, daemon=True)
    drain.start()
    drain.join(timeout_s)


def _drain_soon() -> None:
    _drain(SIGNAL_DRAIN_TIMEOUT_S)
