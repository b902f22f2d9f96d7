"""The command `merge`, with lists as distilvit's users write them: `--datasets coco flickr`. Imports click alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

_LISTS: Final = ("--datasets", "--from", "--decontaminate", "--balance", "--carry")
_WITH_COMMAS: Final = ("--datasets", "--decontaminate", "--carry")


class _WithLists(click.Command):
    """Takes several words after an option of `_LISTS`: all up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))


def spread(args: list[str]) -> list[str]:
    """`--datasets a b,c` as `--datasets a --datasets b --datasets c`; a comma in a path that is there stays."""
    found: list[str] = []
    name = ""
    for word in args:
        if word.startswith("-"):
            option, separator, value = word.partition("=")
            name = option if option in _LISTS else ""
            found += _each(name, value) if name and separator else [] if name else [word]
        elif name:
            found += _each(name, word)
        else:
            found.append(word)
    return found


def _each(name: str, word: str) -> list[str]:
    words = word.split(",") if name in _WITH_COMMAS and not Path(word).exists() else [word]
    return [part for one in words if one for part in (name, one)]


@click.command(cls=_WithLists)
@click.argument("recipe_file", metavar="[RECIPE]", required=False)
@click.option("--recipe", metavar="FILE", help="A merge recipe, as RECIPE.")
@click.option(
    "--datasets",
    multiple=True,
    metavar="NAME|REPO|FOLDER|WORKSPACE ...",
    help="coco flickr pexels docornot validation websight pubtabnet latex, or addresses.  [default: the first five]",
)
@click.option("--from", "addresses", multiple=True, metavar="NAME=ADDRESS ...", help="Read a preset from here.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Only the first rows of each source.")
@click.option("--rows", type=click.IntRange(1), metavar="N", help="Keep so many, shared out by the sources' weights.")
@click.option("--cache-dir", metavar="DIR", help="For hashes of near duplicates.  [default: build/merge]")
@click.option("--save-path", default="merged_dataset", show_default=True, metavar="DIR", help="Where the release goes.")
@click.option("--push-to-hub", metavar="ORG/NAME", help="Push the release there; HF_TOKEN must be set.")
@click.option("--private", is_flag=True, help="As a private repository.")
@click.option("--no-gate", is_flag=True, help="Push in spite of failed checks; the message and the record say so.")
@click.option("--seed", type=int, metavar="N", help="Of order and splits.  [default: 42]")
@click.option("--splits", metavar="A/B/C", help="Shares of train, validation, test, or rows.  [default: 80/10/10]")
@click.option("--dedup", type=click.Choice(["exact", "near", "none"]), help="Across all sources.  [default: exact]")
@click.option(
    "--decontaminate",
    multiple=True,
    metavar="EVALSET[#SPLIT] ...",
    help="Leave out what these have: pubtabnet#val, an address, a folder.",
)
@click.option(
    "--balance",
    multiple=True,
    metavar="RULE ...",
    help="source=5000, task:page_to_html=2000, class=300, source^0.5 (sizes by temperature).",
)
@click.option(
    "--layout",
    type=click.Choice(["image_text", "messages", "prompt_completion"]),
    help="Of the rows.  [default: image_text]",
)
@click.option("--carry", multiple=True, metavar="COLUMN ...", help="Take along what not all sources have.")
@click.option("--dry-run", is_flag=True, help="Say what would be merged, dropped and pushed; write nothing.")
def merge(recipe_file: str | None, recipe: str | None, **options: Any) -> None:
    """Merge sets of pictures and texts into one release: DATASETS, or those of a merge recipe.

    Pictures and texts pass as they are. Duplicates across sets are left out, families are in one split, a set that
    grows moves no test row into train. With nothing new it does nothing.
    """
    if recipe and recipe_file:
        raise click.UsageError("Give the recipe once.")
    from flows.light_start import light_start  # noqa: PLC0415 - keeps --help light

    with light_start():
        from flows.merge import MergeOptions, run_merge  # noqa: PLC0415 - as above

    run_merge(MergeOptions(recipe=recipe or recipe_file, **options), click.echo)


def merge_datasets() -> None:
    """`merge-datasets`, as distilvit's users know it: `markupmill merge`."""
    from flows.cli import main  # noqa: PLC0415 - it imports this module

    main(["merge", *sys.argv[1:]], prog_name="markupmill")
