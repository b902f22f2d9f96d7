"""The command `evaluate`. Imports click alone; the server starts before the rest is imported."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("config")
@click.option("-o", "--output", metavar="DIR", help="Where the result goes.  [default: the config's output]")
def evaluate(config: str, output: str | None) -> None:
    """Score predictions as CONFIG (a YAML file) says: an HTML page, JSON, and the rows' scores.

    CONFIG names files of predictions (JSON Lines or Parquet: id, task, prediction, reference, and optional model,
    image, classes, prompt), metrics, and baselines that are to predict the same rows.
    """
    from flows.server import prefect_api  # noqa: PLC0415 - keeps --help light

    with prefect_api(Path("build/evaluate/prefect")):
        from flows.evaluate import evaluate_predictions, load_config, told  # noqa: PLC0415 - it comes up meanwhile

        asked = load_config(config)
        if output is not None:
            asked = asked.model_copy(update={"output": output})
        run = evaluate_predictions.with_options(flow_run_name=f"evaluation of {Path(config).stem}")
        click.echo(told(run(asked)))
