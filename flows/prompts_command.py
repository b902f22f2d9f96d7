"""The command `prompts`. Only `click` is imported here: it imports what it runs when it runs."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option(
    "--rare-objects", metavar="FILE", help="An objects_below_<N>.csv or object_counts.csv, ours or distilvit's."
)
@click.option(
    "--from", "address", metavar="RELEASE|REPORT", help="Count the classes of this, or read a report's folder."
)
@click.option("--task", default="", metavar="TASK", help="Only prompts of this task.  [default: all that there are]")
@click.option(
    "--threshold", type=click.IntRange(1), help="Rare: in fewer samples.  [default: as FILE's name says, else 50]"
)
@click.option("--target-gini", type=click.FloatRange(0, 1), help="Grow the rarest until the counts' Gini is this.")
@click.option("--output", default="synthetic_prompts.jsonl", show_default=True, metavar="FILE", help="For the prompts.")
@click.option(
    "--format", type=click.Choice(["jsonl", "json", "txt", "csv"]), help="[default: by FILE's name, else jsonl]"
)
@click.option(
    "--prompts-per-object",
    type=click.IntRange(0),
    metavar="N",
    help="Of one class.  [default: as many as it lacks to the target; 5 where there is no target]",
)
@click.option("--max-count", type=click.IntRange(0), metavar="N", help="Only classes with this many samples or fewer.")
@click.option("--include-combinations/--no-include-combinations", default=True, help="Prompts of several classes, too.")
@click.option("--combination-count", type=click.IntRange(0), metavar="N", help="[default: two a class, 100 at most]")
@click.option("--seed", type=int, default=42, show_default=True, help="The same seed gives the same prompts.")
@click.option(
    "--workspace", default="build/quality", show_default=True, metavar="DIR", help="Where strangers' rows are counted."
)
def prompts(**options: Any) -> None:
    """Write prompts for the classes that a data set has too little of."""
    from flows.prompts import PromptsOptions, run_prompts  # noqa: PLC0415 - as above

    click.echo(run_prompts(PromptsOptions(**options)))
