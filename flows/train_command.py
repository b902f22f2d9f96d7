"""The command `train`. Imports click alone; a failed gate ends it before torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from training.config import RunConfig


@click.command()
@click.argument("config")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a config's key, dots between levels."
)
@click.option("--release", metavar="ADDRESS", help="Train on this: a folder, or org/name[@revision].  [the config's]")
@click.option("-o", "--output", metavar="DIR", help="The run's folder.  [default: the config's output]")
@click.option("--no-gate", is_flag=True, help="Train in spite of failed checks; the run and the model's card say so.")
@click.option("--push-to-hub", metavar="ORG/NAME", help="Push the model there; HF_TOKEN must be set.")
@click.option("--private", is_flag=True, help="As a private repository.")
def train(
    config: str,
    overrides: tuple[str, ...],
    release: str | None,
    output: str | None,
    no_gate: bool,
    push_to_hub: str | None,
    private: bool,
) -> None:
    """Train as CONFIG says (a YAML file, or a shipped one): gate, data, train, merge, predict, score, report.

    The release's checks are read first: where one failed, nothing is trained (exit code 3). The same command goes on
    where it was stopped.
    """
    from training.config import load_config  # noqa: PLC0415 - keeps --help light

    given = [f"data.release={release}"] if release else []
    given += [f"output={output}"] if output else []
    loaded = load_config(config, (*overrides, *given))
    run(loaded, Path(config).stem, gate=not no_gate, push_to_hub=push_to_hub, private=private)


def run(config: RunConfig, name: str, *, gate: bool, push_to_hub: str | None = None, private: bool = False) -> None:
    """Train, tell of it, and push the model where that is asked for. Raises `MarkupmillError`."""
    from flows.server import prefect_api  # noqa: PLC0415 - keeps --help light

    with prefect_api(Path("build/train/prefect")):
        from flows.train import train_model  # noqa: PLC0415 - the server comes up meanwhile

        done = train_model.with_options(flow_run_name=f"train {name}")(config, gate=gate)
        click.echo("\n".join(done.lines))
        if push_to_hub:
            from flows.push import PushOptions  # noqa: PLC0415 - as above
            from flows.push_flow import run_named  # noqa: PLC0415 - as above

            asked = PushOptions(str(done.folder / "model"), push_to_hub, "model", private=private)
            click.echo("\n".join(run_named(asked)))
