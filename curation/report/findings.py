"""What a reader should know first, by plain rules, and what to do about it. The worst finding is the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from curation.report.facts import Check, ClassBalance, Finding, NotMeasured, Rejected, Severity, TaskFacts
from curation.report.tally import DOUBTED, MISMATCHED
from curation.report.wording import percent

ORDER: Final[tuple[Severity, ...]] = ("good", "note", "warn", "fail")

WARN_OVER: Final = {"rejected": 0.05, "exact": 0.01, "near": 0.05, MISMATCHED: 0.005, DOUBTED: 0.05, "invalid": 0.0}
FAIL_OVER: Final = {"rejected": 0.25, "exact": 0.10, "near": 0.25, MISMATCHED: 0.02, DOUBTED: 0.5, "invalid": 0.01}
"""Shares of all rows above which something is worth a warning, or makes a data set unfit as it is. Of duplicates:
distilvit's marks (1 % excellent, 5 % good, 10 % the most that is fair)."""

OBJECTS: Final = "object"
"""The namespace whose imbalance is warned of. That every page has a <div> is how pages are."""

NAMED: Final = 3


@dataclass(frozen=True)
class Alerts:
    """From where on classes are told as unbalanced: distilvit's options of the same names."""

    gini: float = 0.5
    topk: float = 0.5


def findings_of(
    n_rows: int,
    n_rows_in: int,
    tasks: Sequence[TaskFacts],
    n_exact: int | None,
    n_near: int | None,
    rejected: Sequence[Rejected],
    not_measured: Sequence[NotMeasured],
    checks: Sequence[Check],
    alerts: Alerts,
) -> list[Finding]:
    """All findings, the worst first; where nothing is wrong, first one that says so."""
    found = [
        *_of_checks(checks),
        *_of_rejects(n_rows_in, rejected),
        *_of_duplicates(n_rows, n_exact, n_near),
        *(finding for task in tasks for finding in _of_task(task, alerts)),
        *_of_missing(not_measured),
    ]
    if not n_rows:
        found.insert(0, Finding("fail", "No row is left to look at.", "See what was rejected and why."))
    if all(finding.severity in ("good", "note") for finding in found):
        return [Finding("good", "Nothing that was measured speaks against training on this.", "Go on."), *found]
    return sorted(found, key=lambda finding: -ORDER.index(finding.severity))


def verdict_of(findings: Sequence[Finding]) -> Severity:
    """The worst severity; what is only noted leaves it good."""
    severities: list[Severity] = [finding.severity for finding in findings] or ["good"]
    worst = max(severities, key=ORDER.index)
    return "good" if worst == "note" else worst


def imbalance_warnings(balance: ClassBalance, alerts: Alerts) -> list[str]:
    """What is unbalanced, in distilvit's words. The top five of five classes are no imbalance."""
    told = []
    if balance.gini >= alerts.gini:
        told.append(f"Gini ({balance.gini:.3f}) >= alert threshold {alerts.gini}")
    for k, share in ((5, balance.top5_share), (10, balance.top10_share)):
        if balance.n_classes > k and share >= alerts.topk:
            told.append(f"Top-{k} share ({share:.3f}) >= alert threshold {alerts.topk}")
    return told


def _of_checks(checks: Sequence[Check]) -> Iterator[Finding]:
    for check in checks:
        if not check.passed:
            has = "was not measured" if check.value is None else f"is {check.value:g}"
            where = "".join(f" of {name}" for name in (check.task, check.split) if name)
            what = f"Gate: {check.metric}{where} {has}, and must be {check.comparison} {check.limit:g}."
            todo = "Mend the data, or change the gate file if the limit is wrong."
            missing = "Take the measure (why it was not taken is told below), or leave the check out of the gate."
            yield Finding(check.severity, what, missing if check.value is None else todo)


def _of_rejects(n_rows_in: int, rejected: Sequence[Rejected]) -> Iterator[Finding]:
    n_rejected = sum(group.n_rows for group in rejected)
    severity = _severity("rejected", n_rejected, n_rows_in)
    if n_rejected:
        reasons = ", ".join(f"{group.reason} {group.n_rows:,}" for group in rejected[:NAMED])
        what = f"{n_rejected:,} of {n_rows_in:,} rows were left out ({_percent(n_rejected, n_rows_in)}): {reasons}."
        yield Finding(severity or "note", what, "Look at the rejects and their examples; mend the source or leave it.")


def _of_duplicates(n_rows: int, n_exact: int | None, n_near: int | None) -> Iterator[Finding]:
    for name, n_found, said in (("exact", n_exact, "exact duplicates"), ("near", n_near, "near duplicates")):
        if n_found and (severity := _severity(name, n_found, n_rows)):
            what = f"{n_found:,} rows are {said} of others ({_percent(n_found, n_rows)})."
            yield Finding(severity, what, f"Build with dedup: {name}, or look at the clusters.")


def _of_task(task: TaskFacts, alerts: Alerts) -> Iterator[Finding]:
    for name, said in ((MISMATCHED, "have another text's picture"), (DOUBTED, "may say other than their picture")):
        # A few of a hundred say little: the interval's lower end has to be over the limit.
        share = task.shares.get(name)
        if share and (severity := _over(name, share.low)):
            what = f"{share.n_hits:,} of {share.n:,} {task.task} rows {said} ({_percent(share.n_hits, share.n)})."
            yield Finding(severity, what, "Look at the worst examples; select by render_similarity.")
    if (valid := task.shares.get("valid")) and (n_invalid := valid.n - valid.n_hits):
        severity = _severity("invalid", n_invalid, valid.n)
        what = f"{n_invalid:,} of {valid.n:,} {task.task} texts are no valid markup in canonical form."
        yield Finding(severity or "note", what, "Build it: canonical form is what a build writes.")
    for name, rating in task.ratings.items():
        if rating in ("fair", "poor"):
            mean = next(d.summary.mean for d in task.distributions if d.name == name)
            severity = "warn" if rating == "poor" else "note"
            yield Finding(severity, f"The mean {name} is {mean:.3f}: {rating}.", "Look at the worst examples.")
    yield from _of_bias(task)
    for balance in task.balances:
        warnings = imbalance_warnings(balance, alerts)
        if balance.namespace == OBJECTS and warnings:
            most = ", ".join(f"{name.partition(':')[2]} {n:,}" for name, n in balance.most[:NAMED])
            what = f"Objects are unbalanced ({'; '.join(warnings)}). Most: {most}."
            yield Finding("warn", what, "Sample by reweighting_probs.csv, or add rows of rare objects.")
    uneven = [balance for balance in task.balances if balance.namespace != OBJECTS and balance.gini >= alerts.gini]
    if uneven:
        told = ", ".join(f"{balance.namespace} (Gini {balance.gini:.2f})" for balance in uneven)
        what = f"Classes of {task.task} are unevenly spread: {told}."
        yield Finding("note", what, "Sample by reweighting_probs.csv if rare ones matter.")


def _of_bias(task: TaskFacts) -> Iterator[Finding]:
    """Captions alone are rated: what people write on web pages is theirs."""
    for bias in task.bias:
        if bias.rating not in ("fair", "poor"):
            continue
        was = f", before {percent(bias.before.share)}" if bias.before else ""
        what = (
            f"{percent(bias.after.share)} of captions name {bias.category.replace('_', ' ')} (95 % between "
            f"{percent(bias.after.low)} and {percent(bias.after.high)}{was}): {bias.rating}."
        )
        yield Finding("warn" if bias.rating == "poor" else "note", what, "Rewrite them with debias, and measure again.")


def _of_missing(not_measured: Sequence[NotMeasured]) -> Iterator[Finding]:
    if not_measured:
        names = ", ".join(dict.fromkeys(one.measure for one in not_measured))
        yield Finding("note", f"Not measured: {names}.", "The reasons are under what was not measured.")


def _severity(name: str, n: int, of: int) -> Severity | None:
    return _over(name, n / of if of else 0.0)


def _over(name: str, share: float) -> Severity | None:
    return "fail" if share > FAIL_OVER[name] else "warn" if share > WARN_OVER[name] else None


def _percent(n: int, of: int) -> str:
    return percent(n / of) if of else "none"
