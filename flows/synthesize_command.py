"""The command `synthesize`. Imports click alone."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("--prompts", metavar="FILE", help="What is asked for, as `markupmill prompts` writes it.")
@click.option("--from", "address", metavar="RELEASE|REPORT", help="Ask for what this has too little of.")
@click.option("--task", default="", metavar="TASK", help="Only prompts of this task.")
@click.option("--threshold", type=click.IntRange(1), help="With --from: bring each class to so many.  [default: 50]")
@click.option("--target-gini", type=click.FloatRange(0, 1), help="With --from: until the counts are as even as this.")
@click.option("--max-prompts", type=click.IntRange(1), help="At most so many prompts, evenly out of all.")
@click.option("--per-prompt", type=click.IntRange(1), default=1, show_default=True, help="Samples of each prompt.")
@click.option("--like", metavar="RELEASE", help="Make templates like its rows.  [default: the release of --from]")
@click.option(
    "--backend",
    type=click.Choice(["templates", "llm", "images"]),
    default="templates",
    show_default=True,
    help="llm, images: an OpenAI-compatible endpoint, OPENAI_BASE_URL, OPENAI_API_KEY.",
)
@click.option("--model", default="", metavar="NAME", help="Of the endpoint.  [default: OPENAI_MODEL]")
@click.option("--recipe", default="synthesized", show_default=True, metavar="RECIPE", help="Tokens, measures, gates.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key.")
@click.option("--workspace", default="build/workspace", show_default=True, metavar="DIR", help="Where all is kept.")
@click.option("--name", default="", metavar="NAME", help="Of the release.  [default: the recipe's]")
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True, help="At most, of asking again.")
@click.option("--seed", type=int, default=42, show_default=True, help="Of templates and prompts.")
@click.option("--max-tokens", type=click.IntRange(1), help="Stop before more tokens than this are used.")
@click.option("--max-cost", type=click.FloatRange(0), help="Stop before it costs more; needs the prices.")
@click.option("--price-in", type=click.FloatRange(0), default=0.0, help="Of a million tokens that are sent.")
@click.option("--price-out", type=click.FloatRange(0), default=0.0, help="Of a million tokens that are answered.")
@click.option("--per-minute", type=click.FloatRange(0), default=0.0, help="Requests, at most.  [default: no limit]")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests under way.")
@click.option("--timeout", type=click.FloatRange(0.1), default=120.0, show_default=True, help="Of one try, in s.")
@click.option("--deadline", type=click.FloatRange(0.1), default=300.0, show_default=True, help="Of a request, in s.")
@click.option("--image-size", default="1024x1024", show_default=True, metavar="WxH", help="Of pictures.")
def synthesize(**options: Any) -> None:
    """Make samples for rare classes: prompts to markup to pictures, through the gates of a build, and count again.

    Goes on in rounds until the targets are met, or says which class it could not reach and why. What was made is a
    release of the workspace, which merges like any other; the same command again makes nothing new.
    """
    from flows.synthesize import SynthesizeOptions, run_synthesize  # noqa: PLC0415 - keeps --help light

    click.echo(run_synthesize(SynthesizeOptions(**options)))
