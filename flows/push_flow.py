"""The push flow: one push, its progress and what it did as the run's artifacts."""

from __future__ import annotations

from contextvars import copy_context
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact

from curation.hub import PushResult, push_folder
from curation.sources.files import shown
from flows.push import PushOptions
from flows.push_progress import PushProgress, size


@flow(name="push", validate_parameters=False)
def push_release(options: PushOptions) -> PushResult:
    """Push as `curation.hub.push_folder` does, and tell it to Prefect. The token is in the environment alone."""
    artifact = create_progress_artifact(0.0, key="push-bytes", description=f"Bytes sent to {options.repo_id}")
    assert isinstance(artifact, UUID)
    run = copy_context()  # bytes are counted in threads that know of no run

    def tell(percentage: float) -> None:
        run.run(update_progress_artifact, artifact, percentage)

    with PushProgress(options.repo_id, tell) as progress:
        result = push_folder(
            options.release,
            options.repo_id,
            repo_type=options.repo_type,
            private=options.private,
            tag=options.tag,
            branch=options.branch,
            message=options.message,
            gate=not options.no_gate,
            overwrite=options.overwrite,
            dry_run=options.dry_run,
            progress=progress.sent,
        )
    tell(100.0)
    create_markdown_artifact("\n".join(f"- {line}" for line in lines(result, options)), key="push-summary")
    return result


def run_named(options: PushOptions) -> list[str]:
    """`push_release` as a run whose name says what goes where; what to tell of it."""
    named = push_release.with_options(flow_run_name=f"push {shown(options.release)} to {options.repo_id}")
    return lines(named(options), options)


def lines(result: PushResult, options: PushOptions) -> list[str]:
    """What a push did, or would do, for a person."""
    where = f"{result.url} (branch {result.branch})"
    sent = f"{result.n_files_sent:,} of {result.n_files:,} files, {size(result.bytes_sent)}"
    deleted = f"; deleted {result.n_deleted:,}" if result.n_deleted else ""
    gate = f"Gate: {result.gate}"
    if options.dry_run:
        made = "make it and " if result.made_repo else ""
        would = [*(f"  send    {path}" for path in result.sent), *(f"  delete  {path}" for path in result.deleted)]
        does = f"would {made}send {sent}{deleted}" if would else "there is nothing to send or delete"
        return [f"Dry run: {does}: {where}", *would, gate]
    revision = f"Revision: {result.revision}" + (f", tagged {result.tag}" if result.tag else "")
    head = f"Pushed to {where}" if result.made_commit else f"Nothing new, no commit made: {where}"
    told = [head, revision]
    if result.made_commit:
        told.append(f"Sent: {sent}{deleted}")
    told.append(gate)
    if result.record:
        told.append(f"Noted in: {result.record}")
    if result.repo_type == "dataset":
        at = f'"{result.repo_id}", revision="{result.revision[:12]}"'
        told.append(f"Load it: from datasets import load_dataset; load_dataset({at})")
    return told
