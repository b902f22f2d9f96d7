"""A command with a Prefect flow, for `test_server` to run, interrupt and kill.

`server_flow.py HOME threads|processes N_TASKS TASK_S [fails]` runs tasks that sleep; each starts a program that leads
a session of its own, as a browser does.
`server_flow.py HOME states` tells what the database holds, through the API.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

STARTED = time.monotonic()

from flows.server import die_with_parent, prefect_api  # noqa: E402 - the start is measured from before


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def nap(index: int, task_s: float, started: float, *, fails: bool) -> int:
    if index == 0:
        say(first_task_s=round(time.monotonic() - started, 2))
    if task_s:
        subprocess.Popen(["sleep", "120"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(task_s)
    if fails:
        raise ValueError("as asked")
    return index


def run(runner: str, n_tasks: int, task_s: float, *, fails: bool) -> None:
    from prefect import flow, task
    from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

    runners: dict[str, Any] = {
        "threads": lambda: ThreadPoolTaskRunner(max_workers=2),
        "processes": lambda: ProcessPoolTaskRunner(max_workers=2, initializer=die_with_parent),
    }
    nap_task = task(nap)

    @flow(name="naps", task_runner=runners[runner](), validate_parameters=False)
    def naps() -> None:
        begun = time.monotonic()
        futures = [nap_task.submit(index, task_s, STARTED, fails=fails) for index in range(n_tasks)]
        results = [future.result(raise_on_failure=False) for future in futures]
        say(task_ms=round(1000 * (time.monotonic() - begun) / n_tasks, 1))
        if fails:
            raise ValueError(f"as asked: {results[0]!r}")

    naps()
    say(flow_ended_s=round(time.monotonic() - STARTED, 2))


def states() -> None:
    from prefect.client.orchestration import get_client

    client = get_client(sync_client=True)
    flow_runs = Counter(flow_run.state_type.value for flow_run in client.read_flow_runs())
    task_runs: Counter[str] = Counter()
    while page := client.read_task_runs(limit=200, offset=task_runs.total()):
        task_runs.update(task_run.state_type.value for task_run in page)
    say(flow_runs=flow_runs, task_runs=task_runs)


if __name__ == "__main__":
    home, mode, *rest = sys.argv[1:]
    with prefect_api(Path(home)):
        if mode == "states":
            states()
        else:
            run(mode, int(rest[0]), float(rest[1]), fails="fails" in rest)
    say(left_s=round(time.monotonic() - STARTED, 2))
