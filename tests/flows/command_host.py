"""A process that runs one `markupmill` command after another with one Prefect server, so that tests start one only.

Reads a JSON list of arguments a line, and answers with the exit code and what was printed.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """The process, from the side of a test."""

    def __init__(self, home: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(home)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        )  # fmt: skip
        self.said = ""  # by all commands so far

    def run(self, *arguments: object, expect: int = 0) -> str:
        """Run a command; what it printed. Fails where the exit code is another, or for more than one line of error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        said = str(answer["said"])
        self.said += said
        assert answer["code"] == expect, said
        assert "Traceback" not in said, said
        assert len([line for line in said.splitlines() if line.startswith("markupmill: ")]) == (expect != 0), said
        return said

    def close(self) -> None:
        """End the process, and its server with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(timeout=60) == 0
        self._process.stdout.close()


def main() -> None:
    from flows import cli
    from flows.server import prefect_api

    answers = sys.stdout
    with prefect_api(Path(sys.argv[1])):
        for line in sys.stdin:
            printed, code = io.StringIO(), 0
            with redirect_stdout(printed), redirect_stderr(printed):
                try:
                    cli.main(json.loads(line))
                except SystemExit as ended:
                    code = int(ended.code or 0)
                except BaseException:  # noqa: BLE001 - the test is told what a user would see
                    code = 99
                    traceback.print_exc()
            answers.write(json.dumps({"code": code, "said": printed.getvalue()}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
