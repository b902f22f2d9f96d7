"""`markupmill push`: a release, or a model, into a repository of the Hub; and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.server import prefect_api


@dataclass(frozen=True)
class PushOptions:
    """The options of `markupmill push`, as they were given."""

    release: str
    repo_id: str
    repo_type: Literal["dataset", "model"] = "dataset"
    private: bool = False
    tag: str | None = None
    branch: str = "main"
    message: str | None = None
    no_gate: bool = False
    overwrite: bool = False
    dry_run: bool = False


def run_push(options: PushOptions) -> str:
    """Push as a Prefect flow, and return what to tell the user. Raises `MarkupmillError`."""
    with prefect_api(_home(options.release)):  # started first: it comes up while the rest is imported
        from flows.push_flow import run_named  # noqa: PLC0415 - as above

        return "\n".join(run_named(options))


def _home(release: str) -> Path | None:
    """Where the runs of the release's workspace are kept; None where it is in none."""
    folder = Path(release).expanduser().absolute()
    return folder.parent.parent / "prefect" if "://" not in release and folder.parent.name == "releases" else None
