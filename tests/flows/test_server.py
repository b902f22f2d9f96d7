"""The embedded Prefect server: there at once, truthful afterwards, and gone when its command is, however that ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import server_process
from flows.server import prefect_api
from rendering.errors import BadInputError

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(__file__).with_name("server_flow.py")

START_S = 20.0  # a bound for busy machines; idle ones take 4 s
PATIENCE_S = 60.0  # how long a test waits for what it is not about
MARK = "MARKUPMILL_TEST_RUN"


@contextlib.contextmanager
def started(home: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process group of its own, marked so that all that it starts can be found."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    process = subprocess.Popen(
        [sys.executable, str(COMMAND), str(home), *arguments],
        env={**clean, "PYTHONPATH": str(ROOT), MARK: str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        yield process
    finally:
        for pid in alive(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def run(home: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what the command said, and its standard error."""
    with started(home, *arguments, **environment) as process:
        output, errors = process.communicate(timeout=120)
        assert gone(home, within_s=1)
    facts: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    return process.returncode, facts, errors


def alive(home: Path, *, programs: str = "") -> list[int]:
    """Processes of the command over `home`, itself and zombies not counted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes().split(b"\0")
            if f"{MARK}={home}".encode() in environment and programs.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def gone(home: Path, within_s: float, *, programs: str = "") -> bool:
    deadline = time.monotonic() + within_s
    while alive(home, programs=programs):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stored(home: Path) -> dict[str, dict[str, int]]:
    """How many flow runs and task runs are in each state."""
    with contextlib.closing(sqlite3.connect(home / "prefect.db")) as database:
        count = "SELECT state_type, count(*) FROM {} GROUP BY 1"
        return {f"{run}s": dict(database.execute(count.format(run))) for run in ("flow_run", "task_run")}


# A run from start to end


@pytest.mark.parametrize(("runner", "n_tasks"), [("threads", 200), ("processes", 20)])
def test_every_task_run_is_stored_and_nothing_is_left(tmp_path: Path, runner: str, n_tasks: int) -> None:
    code, facts, errors = run(tmp_path, runner, str(n_tasks), "0")
    assert (code, errors) == (0, "")
    assert facts["first_task_s"] < START_S
    assert facts["left_s"] - facts["flow_ended_s"] < 4
    assert (tmp_path / "server.log").read_text() == ""
    code, facts, errors = run(tmp_path, "states")  # as another start over the same home tells
    assert (code, errors) == (0, "")
    assert (facts["flow_runs"], facts["task_runs"]) == ({"COMPLETED": 1}, {"COMPLETED": n_tasks})


def test_an_error_ends_it_all_the_same(tmp_path: Path) -> None:
    code, _, errors = run(tmp_path, "threads", "2", "0", "fails")
    assert code == 1
    assert "ValueError: as asked" in errors
    assert stored(tmp_path) == {"flow_runs": {"FAILED": 1}, "task_runs": {"FAILED": 2}}


def test_two_commands_share_a_new_home(tmp_path: Path) -> None:
    with started(tmp_path, "threads", "20", "0") as one, started(tmp_path, "threads", "20", "0") as other:
        ends = [process.communicate(timeout=120)[1] for process in (one, other)]
        assert [one.returncode, other.returncode, *ends] == [0, 0, "", ""]
    assert stored(tmp_path) == {"flow_runs": {"COMPLETED": 2}, "task_runs": {"COMPLETED": 40}}


def test_a_server_that_is_named_is_used(tmp_path: Path) -> None:
    named, unused = tmp_path / "named", tmp_path / "unused"
    with prefect_api(named) as address:
        login = os.environ["PREFECT_API_AUTH_STRING"]
        code, _, errors = run(unused, "threads", "5", "0", PREFECT_API_URL=address, PREFECT_API_AUTH_STRING=login)
    assert (code, errors) == (0, "")
    assert not unused.exists()
    assert stored(named) == {"flow_runs": {"COMPLETED": 1}, "task_runs": {"COMPLETED": 5}}


def script(text: str, *arguments: str) -> str:
    """Standard error of a program beside the command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{COMMAND.parent}"
    command = [sys.executable, "-c", text, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stderr


def test_one_process_may_have_one_after_another(tmp_path: Path) -> None:
    homes = [str(tmp_path / "one"), str(tmp_path / "other")]
    twice = (
        "import sys; from pathlib import Path; from flows.server import prefect_api; import server_flow\n"
        "for home in sys.argv[1:]:\n"
        "    with prefect_api(Path(home)): server_flow.run('threads', 5, 0, fails=False)\n"
    )
    assert script(twice, *homes) == ""
    for home in homes:
        assert stored(Path(home)) == {"flow_runs": {"COMPLETED": 1}, "task_runs": {"COMPLETED": 5}}


def test_events_of_the_last_moment_are_stored_without_a_word(tmp_path: Path) -> None:
    burst = (
        "import sys; from pathlib import Path; from flows.server import prefect_api\n"
        "with prefect_api(Path(sys.argv[1])):\n"
        "    from prefect.events import emit_event\n"
        "    for n in range(500): emit_event('last.moment', resource={'prefect.resource.id': f'test.{n}'})\n"
    )
    assert script(burst, str(tmp_path)) == ""
    with contextlib.closing(sqlite3.connect(tmp_path / "prefect.db")) as database:
        assert database.execute("SELECT count(*) FROM events WHERE event = 'last.moment'").fetchone() == (500,)


# A run that is cut short


def wait_for_tasks(home: Path) -> None:
    """Until both workers are in a task, as the database tells while they are."""
    deadline = time.monotonic() + PATIENCE_S
    while not (home / "prefect.db").exists() or stored(home)["task_runs"] != {"RUNNING": 2}:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("runner", "number", "to_group", "code", "says"),
    [
        ("threads", signal.SIGINT, True, 130, "interrupted"),  # as Ctrl-C does
        ("processes", signal.SIGINT, True, 130, "interrupted"),
        ("threads", signal.SIGINT, False, 130, "interrupted"),
        ("threads", signal.SIGTERM, False, 143, "stopped"),
    ],
    ids=["ctrl-c-threads", "ctrl-c-processes", "int", "term"],
)
def test_a_signal_ends_it_at_once(
    tmp_path: Path, runner: str, number: int, to_group: bool, code: int, says: str
) -> None:
    with started(tmp_path, runner, "4", "60") as process:
        wait_for_tasks(tmp_path)
        begun = time.monotonic()
        os.killpg(process.pid, number) if to_group else os.kill(process.pid, number)
        _, errors = process.communicate(timeout=20)
        assert time.monotonic() - begun < 5
        assert process.returncode == code
        assert errors == f"markupmill: {says}; run the same command again to go on\n"
        assert gone(tmp_path, within_s=1)
    assert stored(tmp_path) == {"flow_runs": {"CRASHED": 1}, "task_runs": {"CRASHED": 2}}


@pytest.mark.parametrize("runner", ["threads", "processes"])
def test_nothing_outlives_a_killed_command(tmp_path: Path, runner: str) -> None:
    with started(tmp_path, runner, "4", "60") as process:
        wait_for_tasks(tmp_path)
        assert len(alive(tmp_path, programs="server_process")) == 1
        process.kill()
        assert gone(tmp_path, within_s=10, programs="python")
        if runner == "processes":  # workers take what they started with them
            assert gone(tmp_path, within_s=1)
    assert stored(tmp_path)["flow_runs"] == {"CRASHED": 1}


def test_a_command_killed_while_the_server_starts_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "threads", "1", "0") as process:
        while not alive(tmp_path, programs="server_process"):
            time.sleep(0.01)
        process.kill()
        assert gone(tmp_path, within_s=10)


def test_without_its_server_a_command_ends_and_says_so(tmp_path: Path) -> None:
    with started(tmp_path, "threads", "2", "60") as process:
        wait_for_tasks(tmp_path)
        os.kill(alive(tmp_path, programs="server_process")[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 1
        assert errors.startswith("markupmill: the embedded Prefect server ended")
        assert gone(tmp_path, within_s=1)


# Settings


def test_settings_of_the_user_come_first_and_are_left_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "INFO")
    monkeypatch.setenv("NO_PROXY", "example.org")
    before = dict(os.environ)
    with prefect_api(tmp_path / "given") as address:
        assert os.environ["PREFECT_API_URL"] == address
        assert os.environ["PREFECT_LOGGING_LEVEL"] == "INFO"
        assert os.environ["NO_PROXY"] == "example.org,127.0.0.1"
        assert os.environ["PREFECT_SERVER_LOGGING_LEVEL"] == "ERROR"
    assert dict(os.environ) == before
    assert (tmp_path / "mine").is_dir()
    assert not (tmp_path / "given").exists()


def test_a_home_that_cannot_be_made_is_an_error_with_a_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="Choose another workspace"), prefect_api(tmp_path / "file" / "prefect"):
        pass


# The database


def schema(path: Path) -> set[tuple[str, ...]]:
    """Every statement as its sorted lines: the migrations write a table's constraints in any order."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {
            tuple(sorted(line.strip().rstrip(", ") for line in statement.splitlines()))
            for statement in database.iterdump()
        }


def test_the_schema_is_what_the_migrations_make(tmp_path: Path) -> None:
    migrate = (
        "import asyncio; from prefect.server.database import provide_database_interface as database;"
        "asyncio.run(database().create_db())"
    )
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_LEVEL": "ERROR"}
    subprocess.run([sys.executable, "-c", migrate], env=environment, check=True)
    assert server_process.prepare_database(tmp_path / "made.db")
    assert schema(tmp_path / "made.db") == schema(tmp_path / "prefect.db")


def test_a_database_of_another_prefect_is_left_to_its_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prefect.db"
    assert server_process.prepare_database(path)
    older = shutil.copy(path, tmp_path / "older.db")
    with contextlib.closing(sqlite3.connect(older)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'f416ea180ae1'")
    assert not server_process.prepare_database(Path(older))
    other = tmp_path / "other.sql"
    other.write_text("-- Prefect 2.0.0\n", encoding="utf-8")
    monkeypatch.setattr(server_process, "SCHEMA", other)
    assert not server_process.prepare_database(tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be read as one" * 100])
def test_a_damaged_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    from flows.server_process import prepare_database

    (tmp_path / "prefect.db").write_bytes(content)
    assert prepare_database(tmp_path / "prefect.db")
    assert (tmp_path / "damaged-prefect.db").read_bytes() == content
    assert stored(tmp_path) == {"flow_runs": {}, "task_runs": {}}
