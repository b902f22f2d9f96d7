"""The report on one screen of a terminal: at most `MAX_LINES` lines of `WIDTH_CHARS` columns, plain where asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from curation.report import figures
from curation.report.facts import Distribution, ReportFacts, Severity, TaskFacts
from curation.report.pairs import tasks as paired_tasks
from curation.report.wording import NO_NUMBER, TAGS, VERDICTS, human, number, percent

MAX_LINES: Final = 24
WIDTH_CHARS: Final = 100

_MAX_FINDINGS: Final = 4
_MAX_TASKS: Final = 5
_MAX_DIFFERENCES: Final = 12
_COLORS: Final[dict[Severity, str]] = {"good": "green", "note": "blue", "warn": "yellow", "fail": "red"}
_SHOWN: Final = ("clip_cosine", "render_similarity", "text_recall", "bertscore_f1")
_SHORT: Final = {
    "clip_cosine": "clip",
    "render_similarity": "render",
    "text_recall": "ocr",
    "bertscore_f1": "bertscore",
}


def summary(facts: ReportFacts, compare: ReportFacts | None = None) -> tuple[Text, ...]:
    """The lines, with their colours; `.plain` of each is what a file or pipe gets."""
    lines = list(_lines(facts, compare))
    return tuple(_fitted(line) for line in lines[:MAX_LINES])


def summary_text(facts: ReportFacts, compare: ReportFacts | None = None) -> str:
    """The summary without colours."""
    return "\n".join(line.plain.rstrip() for line in summary(facts, compare))


def print_summary(facts: ReportFacts, compare: ReportFacts | None = None, console: Console | None = None) -> None:
    """Print the summary: coloured and cut to its width on a terminal, plain and whole elsewhere."""
    console = console or Console()
    if not console.is_terminal:
        console.file.write(f"{summary_text(facts, compare)}\n")
        return
    for line in summary(facts, compare):
        console.print(line, no_wrap=True, overflow="ellipsis")


def _lines(facts: ReportFacts, compare: ReportFacts | None) -> Iterator[Text]:
    yield _head(facts, "A: " if compare else "")
    if compare is not None:
        yield _head(compare, "B: ")
    yield Text(VERDICTS[facts.verdict], style=f"bold {_COLORS[facts.verdict]}")
    for finding in facts.findings[: _MAX_FINDINGS if compare is None else 2]:
        yield Text.assemble((f"  {TAGS[finding.severity]:<8}", _COLORS[finding.severity]), finding.what)
        if finding.todo and compare is None:
            yield Text(f"          {finding.todo}", style="dim")
    n_more = len(facts.findings) - _MAX_FINDINGS
    if n_more > 0 and compare is None:
        yield Text(f"  and {n_more} more in the report", style="dim")
    if compare is not None:
        yield from _differences(facts, compare)
        return
    yield Text()
    for task in facts.tasks[:_MAX_TASKS]:
        yield Text(_told(task))
    if len(facts.tasks) > _MAX_TASKS:
        yield Text(f"and {len(facts.tasks) - _MAX_TASKS} more tasks", style="dim")
    yield from _counts(facts)


def _head(facts: ReportFacts, letter: str) -> Text:
    revision = f" at {facts.revision[:12]}" if facts.revision else ""
    n_rows = f": {facts.n_rows:,} of {facts.n_rows_in:,} rows"
    # The name gives way, never the count.
    room = WIDTH_CHARS - cell_len(letter + revision + n_rows)
    return Text.assemble(letter, (_cut(_one_line(facts.name), room), "bold"), _one_line(revision), n_rows)


def _told(task: TaskFacts) -> str:
    """One task in a line: rows, medians, and how uneven its first namespace of classes is."""
    by_name: dict[str, Distribution] = {each.name: each for each in task.distributions}
    parts = [f"{task.task:<17}{task.n_rows:>9,} rows"]
    if "n_tokens" in by_name and "p50" in by_name["n_tokens"].summary.quantiles:
        parts.append(f"{number(by_name['n_tokens'].summary.quantiles['p50'])} tokens")
    for name in _SHOWN:
        if name in by_name:
            rating = f" ({task.ratings[name]})" if name in task.ratings else ""
            parts.append(f"{_SHORT[name]} {number(by_name[name].summary.mean)}{rating}")
    if task.balances:
        balance = task.balances[0]
        parts.append(f"{balance.namespace} Gini {number(balance.gini)}, {balance.n_rare:,} rare")
    return "  ".join(parts)


def _counts(facts: ReportFacts) -> Iterator[Text]:
    if facts.n_exact_duplicates is not None or facts.n_near_duplicates is not None:
        yield Text(f"Duplicates: {number(facts.n_exact_duplicates)} exact, {number(facts.n_near_duplicates)} near")
    shares = [(each.category, each.after.share) for task in facts.tasks for each in task.bias if each.after.n]
    if shares:
        told = ", ".join(f"{human(name)} {percent(share)}" for name, share in sorted(shares, key=lambda s: -s[1])[:4])
        yield Text(f"Mentions: {told}")
    n_left_out = facts.n_rows_in - facts.n_rows
    if n_left_out:
        most = sorted(facts.rejected, key=lambda found: -found.n_rows)[:3]
        yield Text(f"Left out: {n_left_out:,} rows: " + ", ".join(f"{each.reason} {each.n_rows:,}" for each in most))
    if facts.checks:
        failed = [check for check in facts.checks if not check.passed]
        names = ", ".join(check.metric for check in sorted(failed, key=lambda check: check.severity))
        color = _COLORS["fail" if any(check.severity == "fail" for check in failed) else "warn" if failed else "good"]
        passed = f"{len(facts.checks) - len(failed)} of {len(facts.checks)} checks passed"
        yield Text(f"Gate: {passed}{'; not: ' if failed else ''}{names}", style=color)
    if facts.not_measured:
        measures = dict.fromkeys(each.measure for each in facts.not_measured)
        yield Text(f"Not measured: {', '.join(measures)}", style="dim")


def _differences(facts: ReportFacts, compare: ReportFacts) -> Iterator[Text]:
    """The numbers of both, as many as fit; what is the same in both comes last."""
    table = figures.side_by_side(facts, compare)
    rows = sorted((tuple(map(str, row)) for row in table.rows), key=lambda row: row[3] in {"0", NO_NUMBER})
    yield Text()
    yield Text(f"{'':<52}{'A':>14}{'B':>14}{'A − B':>16}", style="dim")
    for what, mine, other, more in rows[:_MAX_DIFFERENCES]:
        yield Text(f"{_padded(_one_line(what), 52)}{mine:>14}{other:>14}{more:>16}")
    n_tasks = len(paired_tasks(facts, compare))
    if len(rows) > _MAX_DIFFERENCES:
        yield Text(f"and {len(rows) - _MAX_DIFFERENCES} more numbers of {n_tasks} tasks in the report", style="dim")


def _fitted(line: Text) -> Text:
    """One line of printable characters within the width, whatever a name or reason holds."""
    fitted = Text()
    for piece in line.divide(sorted({span.start for span in line.spans} | {span.end for span in line.spans})):
        text = "".join(char if char.isprintable() else " " for char in piece.plain)
        fitted.append(text, style=piece.spans[0].style if piece.spans else line.style)
    if cell_len(fitted.plain) > WIDTH_CHARS:
        fitted.truncate(WIDTH_CHARS, overflow="ellipsis")
    return fitted


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _cut(text: str, room: int) -> str:
    return text if cell_len(text) <= room else set_cell_size(text, max(1, room - 1)) + "…"


def _padded(text: str, room: int) -> str:
    return set_cell_size(_cut(text, room - 1), room)
