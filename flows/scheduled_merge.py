"""A merge that a schedule runs, and its push where a repository is given.

A merge finds for itself whether there is anything new, and its release takes the old one's place whole when it is
finished; a push sends only what the repository lacks. So both are simply asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from curation.revisions import Revision, told
from curation.store import Workspace
from flows.merge import DEFAULT_CACHE, MergeOptions, run_merge
from flows.option_overrides import with_overrides
from flows.run_names import short_name
from flows.scheduled import NOTHING_NEW, IfBusy, Job, Outcome, run_job, title_of


@flow(name="scheduled-merge", flow_run_name=title_of("merge"))
def scheduled_merge(
    recipe: str,
    workspace: str = "",
    addresses: list[str] = [],  # noqa: B006 - Prefect shows it as a form; it is never changed
    overrides: list[str] = [],  # noqa: B006 - as above
    if_busy: IfBusy = "wait",
) -> State[Any]:
    """Merge as RECIPE says, where its sources hold something new.

    `workspace` is the cache (`--cache-dir` of `markupmill merge`); `overrides` are its other options, as
    `save_path=merged` and `push_to_hub=org/name`.
    """
    options = _options(recipe, workspace, addresses, overrides)
    title = f"merge {short_name(recipe)}"
    place = Workspace(options.cache_dir or DEFAULT_CACHE)
    kept = f"What is at `{options.save_path}` stays: a merge takes its place whole, when it is finished."
    return run_job(Job(title, lambda: _merge(title, options), lambda: place, lambda: kept), if_busy)


def check(
    recipe: str, workspace: str = "", addresses: Sequence[str] = (), overrides: Sequence[str] = (), **_: Any
) -> None:
    """Raises `RecipeError` or `BadInputError` where a merge with these parameters could not begin."""
    _options(recipe, workspace, addresses, overrides).resolved()


def _options(recipe: str, workspace: str, addresses: Sequence[str], overrides: Sequence[str]) -> MergeOptions:
    options = MergeOptions(recipe, addresses=tuple(addresses), cache_dir=workspace or None)
    return with_overrides(options, overrides, without=("recipe", "addresses", "cache_dir", "dry_run"))


def _merge(title: str, options: MergeOptions) -> Outcome:
    result = run_merge(options, get_run_logger().info)
    sources = [Revision(one["address"], one["revision"]) for one in result.manifest["sources"]]
    at = f" at {told(sources)}" if told(sources) else ""
    rows = f"{result.rows_kept:,} rows"
    if not result.made_now:
        message = f"nothing new{at}: {result.path} stays as it is, {rows}"
        return Outcome(f"{title}: nothing new{at}", message, f"## Nothing new\n\n{message}\n", state=NOTHING_NEW)
    lines = [f"## {title}: {rows}", "", f"In `{result.path}`, of {result.rows_in:,} rows read.", ""]
    lines += ["| source | address | revision |", "|---|---|---|"]
    lines += [f"| {one['name']} | `{one['address']}` | {_code(one)} |" for one in result.manifest["sources"]]
    table = [{"fact": "rows read", "now": f"{result.rows_in:,}"}, {"fact": "rows kept", "now": f"{result.rows_kept:,}"}]
    table += [{"fact": f"rows left out: {reason}", "now": f"{n:,}"} for reason, n in sorted(result.rejected.items())]
    return Outcome(f"{title}: {rows}{at}", f"{rows}{at}; {result.path}", "\n".join(lines) + "\n", table)


def _code(source: Mapping[str, str]) -> str:
    return f"`{source['revision']}`" if source["revision"] else ""
