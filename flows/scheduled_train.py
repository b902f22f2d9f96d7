"""A training that a schedule runs: where the release is another than the last time, a model; else nothing.

Each release has a folder of its own below the config's output, by its revision. So a run that fails, or is killed,
leaves the models before it as they are, and the next run goes on in the same folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from prefect import flow
from prefect.client.schemas.objects import State

from curation.revisions import SHORT
from curation.store import Workspace
from flows.run_names import short_name
from flows.scheduled import NOTHING_NEW, IfBusy, Job, Outcome, run_job, title_of
from flows.train import open_gated, told, train_model
from training.config import RunConfig, load_config
from training.model_card import CARD
from training.run_folder import MODEL, RunFolder

LAST: Final = "last.json"
"""Beside the runs: the folder of the newest finished one."""


@flow(name="scheduled-train", flow_run_name=title_of("train"))
def scheduled_train(
    recipe: str,
    workspace: str = "",
    addresses: list[str] = [],  # noqa: B006 - Prefect shows it as a form; it is never changed
    overrides: list[str] = [],  # noqa: B006 - as above
    no_gate: bool = False,
    if_busy: IfBusy = "wait",
) -> State[Any]:
    """Train as the config RECIPE says, where its release has changed since the last run.

    `workspace` is the folder of all runs (the config's `output` if it is empty), `addresses` may name the release.
    """
    config = _config(recipe, workspace, addresses, overrides)
    title = f"train {short_name(recipe)}"
    place = Workspace(str(Path(config.output).expanduser().absolute()))

    def work() -> Outcome:
        with place.lock():
            return _train_if_new(title, config, place, gate=not no_gate)

    return run_job(Job(title, work, lambda: place, lambda: _last_good(place)), if_busy)


def check(
    recipe: str, workspace: str = "", addresses: Sequence[str] = (), overrides: Sequence[str] = (), **_: Any
) -> None:
    """Raises `BadInputError` where a training with these parameters could not begin."""
    _config(recipe, workspace, addresses, overrides)


def _config(recipe: str, workspace: str, addresses: Sequence[str], overrides: Sequence[str]) -> RunConfig:
    given = [f"data.release={address}" for address in addresses] + ([f"output={workspace}"] if workspace else [])
    return load_config(recipe, (*overrides, *given))


def _train_if_new(title: str, config: RunConfig, place: Workspace, *, gate: bool) -> Outcome:
    source, _ = open_gated(config, gate=gate)
    at = source.revision[:SHORT]
    folder = Path(place.root) / source.revision[:12]
    if RunFolder(folder).facts("report") is not None:
        message = f"nothing new at {at}: {folder / MODEL} stays as it is"
        return Outcome(f"{title}: nothing new at {at}", message, f"## Nothing new\n\n{message}\n", state=NOTHING_NEW)
    done = train_model(config.model_copy(update={"output": str(folder)}), gate=gate)
    place.write_json(LAST, {"folder": folder.name, "release": source.address, "revision": source.revision})
    state = RunFolder(done.folder).state
    scored = state["steps"]["score"]
    table = [{"fact": "steps", "now": f"{state['steps']['train']['n_steps']:,}"}]
    table += [{"fact": name, "now": f"{one['value']:.3f}"} for name, one in scored.get("scores", {}).items()]
    card = (done.folder / MODEL / CARD).read_text("utf-8").split("---\n", 2)[-1]
    worth = f"{scored['main']} {scored['scores'][scored['main']]['value']:.3f}" if "scores" in scored else "not scored"
    return Outcome(f"{title}: {worth} at {at}", "; ".join(told(RunFolder(done.folder))), card, table)


def _last_good(place: Workspace) -> str:
    last = place.read_json(LAST)
    return f"The last good model stays: `{last['folder']}/{MODEL}`." if last else "There is no earlier model."
