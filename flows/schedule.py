"""`markupmill schedule`: the commands. Imports `click` only; what they do is `flows.deployments`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import click

POOL: Final = "markupmill"


class Schedulable(NamedTuple):
    """A flow that can be scheduled: where it is, and what checks its parameters before the server gets them.

    Both are dotted paths. The flow's parameters are plain JSON; `recipe` and `if_busy` are two of them. The check takes
    the same parameters and raises `MarkupmillError`.
    """

    flow: str
    check: str
    about: str


FLOWS: Final[dict[str, Schedulable]] = {
    "build": Schedulable(
        "flows.scheduled_build.scheduled_build",
        "flows.scheduled_build.check",
        "recipe to release, where sources changed",
    ),
    "report": Schedulable(
        "flows.scheduled_report.scheduled_report",
        "flows.scheduled_report.check",
        "quality report of a release or data set",
    ),
    "merge": Schedulable(
        "flows.scheduled_merge.scheduled_merge", "flows.scheduled_merge.check", "several sets into one, and its push"
    ),
    "train": Schedulable(
        "flows.scheduled_train.scheduled_train", "flows.scheduled_train.check", "a model, where its release changed"
    ),
}
"""What `--flow` takes. A new one is a line here and a module with the flow and its check."""


class _AddByDefault(click.Group):
    """`schedule RECIPE …` is `schedule add RECIPE …`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = ["add", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_AddByDefault)
def schedule() -> None:
    """Run a flow at set times: `schedule RECIPE --flow build --cron "0 3 * * *"`.

    Needs a Prefect server, named by PREFECT_API_URL (`prefect server start` starts one), and someone to do the runs:
    `schedule serve` on this machine, or workers of a work pool (docs/scheduling.md).
    """


@schedule.command()
@click.argument("recipe")
@click.option("--flow", type=click.Choice(list(FLOWS)), required=True, help="What to run.")
@click.option("--cron", required=True, metavar="'M H D M W'", help="When: minute, hour, day, month, weekday.")
@click.option("--timezone", default="UTC", show_default=True, metavar="NAME", help="Of --cron: Europe/Berlin.")
@click.option("--name", metavar="NAME", help="What the schedule is called.  [default: FLOW-RECIPE]")
@click.option("--from", "addresses", multiple=True, metavar="[TYPE=]ADDRESS", help="Read a source from here.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's or report's key.")
@click.option("--limit", type=click.IntRange(1), help="Keep at most this many rows of each source.")
@click.option("--runner", type=click.Choice(["threads", "processes"]), help="[default: threads]")
@click.option("--workers", type=click.IntRange(1), help="Threads or processes.  [default: number of cores]")
@click.option("--workspace", metavar="DIR", help="Where everything is kept.  [default: build/RECIPE]")
@click.option(
    "--if-busy",
    type=click.Choice(["wait", "skip"]),
    default="wait",
    show_default=True,
    help="What a run does that finds another on its workspace.",
)
@click.option("--work-pool", default=POOL, show_default=True, metavar="NAME", help="Whose workers do the runs.")
@click.option(
    "--notify",
    metavar="URL",
    envvar="MARKUPMILL_NOTIFY_URL",
    help='Call this when a run fails, with JSON {"text": …}.',
)
def add(
    recipe: str, flow: str, cron: str, timezone: str, name: str | None, work_pool: str, notify: str | None, **given: Any
) -> None:
    """Create or update the schedule of RECIPE (of a report: or a data set, as `markupmill report` takes it)."""
    from flows.deployments import Wanted, add_schedule  # noqa: PLC0415 - --help stays light

    parameters = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value}
    click.echo(add_schedule(Wanted(recipe, flow, cron, timezone, name, work_pool, notify, parameters)))


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_(as_json: bool) -> None:
    """List the schedules: when, whether paused, the next run, what became of the last."""
    from flows.deployments import list_schedules  # noqa: PLC0415 - as above

    click.echo(list_schedules(as_json=as_json))


@schedule.command()
@click.argument("name")
def pause(name: str) -> None:
    """Plan no more runs of NAME; those that were planned are taken back."""
    from flows.deployments import set_paused  # noqa: PLC0415 - as above

    click.echo(set_paused(name, paused=True))


@schedule.command()
@click.argument("name")
def resume(name: str) -> None:
    """Plan runs of NAME again."""
    from flows.deployments import set_paused  # noqa: PLC0415 - as above

    click.echo(set_paused(name, paused=False))


@schedule.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the schedule NAME and its notification. Releases and the history of runs stay."""
    from flows.deployments import remove_schedule  # noqa: PLC0415 - as above

    click.echo(remove_schedule(name))


@schedule.command()
@click.argument("name")
def run(name: str) -> None:
    """Run NAME once, now."""
    from flows.deployments import run_now  # noqa: PLC0415 - as above

    click.echo(run_now(name))


@schedule.command()
@click.option("--work-pool", default=POOL, show_default=True, metavar="NAME", help="Whose runs to do.")
@click.option("--limit", type=click.IntRange(1), default=4, show_default=True, help="Runs at a time.")
def serve(work_pool: str, limit: int) -> None:
    """Do the runs of all schedules on this machine, until Ctrl-C; new schedules are taken up as they come."""
    from flows.deployments import serve_pool  # noqa: PLC0415 - as above

    serve_pool(work_pool, limit)
