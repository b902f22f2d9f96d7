"""The command line. Only `click` is imported here: each command imports what it runs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

INTERRUPTED: Final = 130
"""What a shell reports for a command that Ctrl-C ended."""


class _Group(click.Group):
    """Turns our own errors into one line with the mend, and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        from rendering.errors import MarkupmillError  # noqa: PLC0415 - keeps --help light

        try:
            return super().invoke(ctx)
        except MarkupmillError as error:
            click.echo(f"markupmill: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("markupmill: interrupted; run the same command again to go on", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="markupmill")
def main() -> None:
    """Streams of markup into verified, balanced, documented image-text datasets."""


@main.command()
@click.argument("recipe")
@click.option(
    "--from",
    "addresses",
    multiple=True,
    metavar="[TYPE=]ADDRESS",
    help="Read a source from here: org/name[@revision] on the Hub, a folder, a file, any fsspec URL.",
)
@click.option("--tokenizer", metavar="NAME", help="Count with this one: a Hub id, a folder, package:NAME.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key, dots between levels."
)
@click.option(
    "--workspace", default="build/workspace", show_default=True, metavar="DIR", help="Where everything is kept."
)
@click.option("--runner", type=click.Choice(["threads", "processes"]), default="threads", show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Threads or processes.  [default: number of cores]")
@click.option("--bundle-shards", type=click.IntRange(1), help="Shards to a task.  [default: by number of shards]")
@click.option("--limit", type=click.IntRange(1), help="Keep at most this many rows of each source.")
def build(
    recipe: str,
    addresses: tuple[str, ...],
    tokenizer: str | None,
    overrides: tuple[str, ...],
    workspace: str,
    runner: str,
    workers: int | None,
    bundle_shards: int | None,
    limit: int | None,
) -> None:
    """Build a release from RECIPE: a YAML file, or the name of a shipped one (`markupmill recipes`)."""
    from flows.run import Options, run_build  # noqa: PLC0415 - see the module's docstring

    if tokenizer:
        overrides = (*overrides, f"tokens.tokenizer={tokenizer}")
    options = Options(recipe, addresses, overrides, workspace, runner, workers, bundle_shards, limit)
    click.echo(run_build(options))


@main.command()
def recipes() -> None:
    """List the shipped recipes."""
    from flows.recipe import load_recipe, shipped_recipes  # noqa: PLC0415 - see the module's docstring

    for name in shipped_recipes():
        click.echo(f"{name:<12} {load_recipe(name).description}")


@main.command()
@click.option("--workspace", default="build/workspace", show_default=True, metavar="DIR", help="Whose disk to look at.")
def doctor(workspace: str) -> None:
    """Say what this machine has and lacks, and how to mend it."""
    from flows.doctor import run  # noqa: PLC0415 - see the module's docstring

    sys.exit(run(Path(workspace)))


if __name__ == "__main__":
    main()
