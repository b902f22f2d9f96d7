"""A command with a Prefect flow, for `test_server` to run, interrupt and kill: `server_flow.py HOME RUNNER TASKS SECONDS [fail]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

STARTED = time.monotonic()

from flows.server import die_with_parent, prefect_api  # noqa: E402 - the start is measured from before


def say(text: str) -> None:
    print(text, flush=True)


def run(runner: str, n_tasks: int, task_s: float, *, fails: bool) -> None:
    from prefect import flow, task
    from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

    @task(name="nap")
    def nap(index: int, seconds: float, started: float, *, fails: bool) -> int:
        die_with_parent()
        if index == 0:
            say(f"first task after {time.monotonic() - started:.2f} s")
        time.sleep(seconds)
        if fails:
            raise ValueError("as asked")
        return index

    runners: dict[str, Any] = {
        "threads": lambda: ThreadPoolTaskRunner(max_workers=2),
        "processes": lambda: ProcessPoolTaskRunner(max_workers=2, initializer=die_with_parent),
    }

    @flow(name="naps", task_runner=runners[runner]())
    def naps() -> None:
        begun = time.monotonic()
        futures = [nap.submit(index, task_s, STARTED, fails=fails) for index in range(n_tasks)]
        results = [future.result(raise_on_failure=False) for future in futures]
        say(f"{n_tasks} tasks, {1000 * (time.monotonic() - begun) / n_tasks:.1f} ms each")
        if fails:
            raise ValueError(f"as asked: {results[0]!r}")

    naps()


if __name__ == "__main__":
    home, runner, n_tasks, task_s = sys.argv[1:5]
    try:
        with prefect_api(Path(home)) as url:
            say(f"url {url}")
            run(runner, int(n_tasks), float(task_s), fails="fail" in sys.argv)
    finally:
        say(f"left after {time.monotonic() - STARTED:.2f} s")
