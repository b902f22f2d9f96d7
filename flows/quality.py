"""The quality report as a Prefect flow: its summary and its checks are among the run's artifacts."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from curation.sources.files import shown
from flows.report import Reported, ReportOptions, create_report_artifacts, run_report
from flows.run_names import artifact_key


@flow(name="quality report", validate_parameters=False)
def report_quality(options: ReportOptions, *, locked: bool = False) -> Reported:
    """Report as `run_report` does, and tell it to Prefect. Does not raise for a gate that is failed."""
    reported = run_report(options, locked=locked)
    create_report_artifacts(reported.facts, artifact_key("quality", reported.facts.name))
    return reported


def run_named(options: ReportOptions, *, locked: bool = False) -> Reported:
    """`report_quality`, as a run whose name says what it is about, without what an address holds of secrets."""
    named = report_quality.with_options(flow_run_name=f"quality of {shown(options.dataset)}")
    return named(options, locked=locked)


def report_on_release(workspace_url: str, name: str, gates: tuple[str, ...], measures: tuple[str, ...]) -> Reported:
    """Report on a release of a workspace whose lock the caller holds, by the measures that it was built with.

    The report lies in `<workspace>/reports/<name>`; where the workspace is remote, in `./quality_reports/<name>`.
    """
    folder = Path("quality_reports") if "://" in workspace_url else Path(workspace_url) / "reports"
    options = ReportOptions(
        f"{workspace_url.rstrip('/')}/releases/{name}",
        output_dir=str(folder / name),
        gates=gates,
        measures=("tokens", *measures),
        workspace=workspace_url,
    )
    return run_named(options, locked=True)
