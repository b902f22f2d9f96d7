"""A quality report that a schedule runs: of the release that a recipe makes, or of any data set at its newest revision.

Which revision was reported on, with which options, is written down in `<workspace>/scheduled/report/<name>.json`. A
gate that fails fails the run, and is tried again by the next: only a report that passed is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from curation.keys import content_key
from curation.report.gate import load_gate, require_passed
from curation.report.subject import open_subject
from curation.report.wording import VERDICTS
from curation.revisions import Revision, revision_of
from curation.sources.address import pinned
from curation.sources.files import shown
from curation.store import Workspace
from flows.option_overrides import with_overrides
from flows.programs import programs_key
from flows.quality import run_named
from flows.recipe import load_recipe, shipped_recipes
from flows.report import DEFAULT_WORKSPACE, PAGE, ReportOptions
from flows.run_names import short_name
from flows.scheduled import NOTHING_NEW, IfBusy, Job, Outcome, run_job, title_of
from flows.scheduled_build import WORKSPACE


@flow(name="scheduled-report", flow_run_name=title_of("report"))
def scheduled_report(
    recipe: str,
    workspace: str = "",
    overrides: list[str] = [],  # noqa: B006 - Prefect shows it as a form; it is never changed
    if_busy: IfBusy = "wait",
) -> State[Any]:
    """Report on RECIPE's release in the workspace, or on a data set, where it changed since the last report.

    `overrides` are options of `markupmill report`, as `gates=strict`. A gate that is failed fails the run.
    """
    options = _options(recipe, workspace, overrides)
    name = short_name(recipe)
    title, place = f"report {name}", Workspace(options.workspace)

    def work() -> Outcome:
        return _report_if_new(title, name, options, place)

    def held() -> Workspace:
        return open_subject(options.asked(options.dataset), options.workspace).workspace

    return run_job(Job(title, work, held, lambda: f"The page of the last report: `{_page(options)}`"), if_busy)


def check(recipe: str, workspace: str = "", overrides: Sequence[str] = (), **_: Any) -> None:
    """Raises `BadInputError` where a report with these parameters could not begin."""
    options = _options(recipe, workspace, overrides)
    _checked = options.choice
    for gate in options.gates:
        load_gate(gate)


def _options(recipe: str, workspace: str, overrides: Sequence[str]) -> ReportOptions:
    if recipe in shipped_recipes() or recipe.endswith((".yaml", ".yml")):
        workspace = workspace or WORKSPACE
        dataset = f"{workspace.rstrip('/')}/releases/{load_recipe(recipe).name}"
    else:
        workspace, dataset = workspace or DEFAULT_WORKSPACE, recipe
    folder = Path("quality_reports") if "://" in workspace else Path(workspace) / "reports"
    options = ReportOptions(dataset, workspace=workspace, output_dir=str(folder / short_name(recipe)))
    return with_overrides(options, overrides, without=("dataset", "workspace"))


def _page(options: ReportOptions) -> str:
    return str(Path(options.output_dir) / PAGE)


def _revision(dataset: str) -> Revision:
    """Of a release its key, which its checks do not change; of a workspace, which reports write into, none."""
    folder = Path(dataset).expanduser()
    if folder.is_dir():
        manifest = Workspace(str(folder)).read_json("manifest.json") or {}
        if "release_version" in manifest:
            return Revision(dataset, str(manifest["key"]))
        if (folder / "samples").is_dir():
            return Revision(dataset, "")
    return revision_of(dataset)


def _report_if_new(title: str, name: str, options: ReportOptions, place: Workspace) -> Outcome:
    revision = _revision(options.dataset)
    at = f" at {revision.short}" if revision.revision else ""
    gates = [repr(load_gate(gate)) for gate in options.gates]
    key = content_key(options=asdict(options), gates=gates, revision=revision.revision, programs=programs_key())
    record_path, page = f"scheduled/report/{name}.json", _page(options)
    record = place.read_json(record_path) or {}
    about = f"`{shown(options.dataset)}`" + (f" at `{revision.revision}`" if revision.revision else "")
    if revision.revision and record.get("key") == key and Path(page).is_file():
        message = f"nothing new{at}: the page of the last report still holds, {page}"
        markdown = f"## {name}: nothing new\n\n{about} is as it was at the last report: `{page}`\n"
        return Outcome(f"{title}: nothing new{at}", message, markdown, state=NOTHING_NEW)
    reported = run_named(replace(options, dataset=pinned(options.dataset)))
    facts = reported.facts
    require_passed(facts.checks, page)
    place.write_json(record_path, {"key": key, "read": asdict(revision), "page": page, "verdict": facts.verdict})
    verdict, rows = VERDICTS[facts.verdict], f"{facts.n_rows:,} rows"
    table = [{"finding": one.what, "how grave": one.severity, "what to do": one.todo} for one in facts.findings]
    markdown = f"## {name}: {verdict}\n\n{rows} of {about}. The page: `{page}`\n"
    return Outcome(f"{title}: {verdict[0].lower()}{verdict[1:]}, {rows}{at}", f"{verdict}; {page}", markdown, table)
