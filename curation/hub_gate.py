"""What a release says of itself before it goes out: the checks in its `quality.json`, and what became of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from curation.errors import BadInputError, GateFailedError
from curation.report.facts import Check

QUALITY: Final = "quality.json"


@dataclass(frozen=True)
class Verdict:
    """`said` is for the record and the commit's message."""

    kind: Literal["passed", "warned", "not run", "skipped"]
    said: str


def gate_verdict(folder: Path, *, asked: bool, stopped: str = "not pushed", all_the_same: str = "push") -> Verdict:
    """What the gates that a release was held against say of it; it may have been held against none.

    `stopped` and `all_the_same` are the words for what does not happen, and what --no-gate makes happen.

    Raises:
        GateFailedError: checks failed, and it was `asked` for the gate.
        BadInputError: `quality.json` cannot be read.
    """
    checks = _checks(folder / QUALITY)
    if not checks:
        skipped = Verdict("skipped", "skipped with --no-gate; the release was held against none")
        return Verdict("not run", "not run: the release was held against no gate") if asked else skipped
    from curation.report.gate import require_passed  # noqa: PLC0415 - knows every measure: seconds of importing

    failed = [check for check in checks if not check.passed and check.severity == "fail"]
    if not asked:
        outcome = f"{len(failed)} of {len(checks)} checks had failed: {_list(failed)}" if failed else "all had passed"
        return Verdict("skipped", f"skipped with --no-gate; {outcome}")
    try:
        require_passed(checks)
    except GateFailedError as error:
        mend = f"Mend the rows and build again, or {all_the_same} all the same with --no-gate, which is recorded"
        raise GateFailedError(f"{stopped}: {error.problem}", mend) from None
    warned = [check for check in checks if not check.passed]
    if warned:
        n_passed = len(checks) - len(warned)
        return Verdict("warned", f"passed {n_passed} of {len(checks)} checks, warned of {_list(warned)}")
    return Verdict("passed", f"passed {len(checks)} checks")


def _checks(path: Path) -> list[Check]:
    try:
        quality = json.loads(path.read_text("utf-8"))
        return [Check(**check) for check in quality.get("checks", [])]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, AttributeError):
        raise BadInputError(f"{path} cannot be read", "Build the release again") from None


def _list(checks: list[Check]) -> str:
    from curation.report.gate import told  # noqa: PLC0415 - see above

    return "; ".join(told(check) for check in checks)
