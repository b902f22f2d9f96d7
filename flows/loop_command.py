"""The command `loop`. Imports click alone."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe")
@click.option("--workspace", default="build/workspace", show_default=True, metavar="DIR", help="Where all is kept.")
def loop(recipe: str, workspace: str) -> None:
    """Curate, report, synthesize what is rare, merge, report and gate, from one RECIPE.

    The same command goes on where it was stopped. Exit 3 where the merged release fails a gate.
    """
    from flows.loop_recipe import load_loop_recipe  # noqa: PLC0415 - keeps --help light
    from flows.server import prefect_api  # noqa: PLC0415 - as above
    from rendering.errors import BadInputError  # noqa: PLC0415 - as above

    read = load_loop_recipe(recipe)
    if "://" in workspace:
        raise BadInputError(f"{workspace} is remote", "Loop in a local --workspace")
    with prefect_api(Path(workspace).expanduser() / "prefect"):
        from flows.loop import run_loop  # noqa: PLC0415 - the server comes up meanwhile

        click.echo("\n".join(run_loop(read, workspace).lines))
