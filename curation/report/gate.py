"""A gate: what a data set must be like to be trained on, as a file of checks, and what became of each.

    description: Captions that say nothing of people's gender
    checks:
      - {metric: bias_gender.share, comparison: "<=", value: 0.01}
      - {metric: clip_cosine.p05, comparison: ">=", value: 0.2, severity: warn, task: image_to_caption, split: train}

Metrics are named `<what>.<which>`:

- a measure's column (`n_tokens`, `render_similarity`, `clip_cosine`, ...): `mean`, `min`, `p01`, `p05`, `p25`,
  `p50`, `p75`, `p95`, `p99`, `max`, and `measured_share`, the share of rows that have a value;
- `valid`, `blank`, `cutoff`, `mismatched`, `doubted`, `clip_truncated` and `bias_<category>`, of a task's rows:
  `share`, and `low` and `high` of its interval; of a bias category `before`, too, the share of the originals;
- `balance.<namespace>`: `gini`, `entropy_bits`, `top5_share`, `top10_share`, `n_classes`, `n_rare`;
- `n_exact_duplicates` and `n_near_duplicates` of all rows, `rejected` and `rejected.<reason>` of all rows that were
  read: `share`, `count`; `rows.count`: of all, or of the task.

Without `task` a check of a task's metric is made for each task that there is. A check whose metric was not measured has
not passed. Its `severity` is `fail` unless it says `warn`.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.bias.vocabulary import CATEGORIES
from curation.errors import BadInputError, GateFailedError
from curation.reasons import Reason
from curation.report.distributions import NUMERICS, QUANTILES
from curation.report.facts import Check, ReportFacts, Share, TaskFacts
from curation.report.tally import DOUBTED, FLAGS, MISMATCHED, SYNTHETIC
from curation.sample import Task

Comparison = Literal["<", "<=", ">", ">=", "=="]
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}

_OF_NUMBERS: Final = ("mean", *QUANTILES, "measured_share")
_OF_SHARES: Final = ("share", "low", "high")
_OF_COUNTS: Final = ("share", "count")
_OF_BALANCE: Final = ("gini", "entropy_bits", "top5_share", "top10_share", "n_classes", "n_rare")
_OF_ALL: Final = ("n_exact_duplicates", "n_near_duplicates", "rejected")


class GateError(BadInputError):
    """A gate file cannot be used."""


class GateCheck(BaseModel):
    """One line of a gate file: `metric comparison value`, for one task or split where they are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    comparison: Comparison
    value: float
    severity: Literal["warn", "fail"] = "fail"
    task: Task | None = None
    split: str | None = None


class Gate(BaseModel):
    """A whole gate file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    checks: Annotated[tuple[GateCheck, ...], Field(min_length=1)]

    @property
    def splits(self) -> list[str]:
        """The splits that checks name."""
        return list(dict.fromkeys(check.split for check in self.checks if check.split is not None))


def shipped_gates() -> list[str]:
    """Names of the gates that come with markupmill."""
    names = (path.name for path in files("curation").joinpath("report", "gates").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_gate(name_or_path: str) -> Gate:
    """A gate by shipped name or file.

    Raises `GateError` for no such file, no YAML, an unknown key or metric (with the nearest right one), a wrong value.
    """
    if name_or_path in shipped_gates():
        text = files("curation").joinpath("report", "gates", f"{name_or_path}.yaml").read_text("utf-8")
    else:
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            mend = f"Shipped are: {', '.join(shipped_gates())}"
            raise GateError(f"there is no gate {name_or_path!r}, neither a file nor shipped", mend)
        text = path.read_text("utf-8", errors="replace")
    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise GateError(f"gate {name_or_path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(plain, dict):
        raise GateError(f"gate {name_or_path} is not a mapping of keys to values", "It has: description, checks")
    try:
        gate = Gate.model_validate(plain)
    except ValidationError as error:
        raise _readable(error, name_or_path) from None
    for check in gate.checks:
        if not is_metric(check.metric):
            raise GateError(f"gate {name_or_path}: there is no metric {check.metric!r}", _nearest_metric(check.metric))
    return gate


def run_gate(gate: Gate, facts: ReportFacts, of_split: Mapping[str, ReportFacts]) -> list[Check]:
    """What became of each check: of `facts`, and of the facts of those splits that checks name."""
    return [made for check in gate.checks for made in _checked(check, of_split[check.split] if check.split else facts)]


def require_passed(checks: Sequence[Check], report: str = "the report") -> None:
    """Raises `GateFailedError`, which names them, where checks of severity `fail` did not pass.

    `report` is where a person finds more.
    """
    failed = [check for check in checks if not check.passed and check.severity == "fail"]
    if failed:
        named = "; ".join(told(check) for check in failed)
        raise GateFailedError(
            f"{len(failed)} of {len(checks)} checks failed: {named}", f"See {report} for which rows, and mend them"
        )


def told(check: Check) -> str:
    """A check and its outcome in a few words."""
    has = "not measured" if check.value is None else f"{check.value:.6g}"
    where = ", ".join(name for name in (check.task, check.split) if name)
    return f"{check.metric} {check.comparison} {check.limit:g} ({has}{f'; {where}' if where else ''})"


def is_metric(name: str) -> bool:
    """Whether a metric of this name can be there: namespaces of classes and reasons aside, all names are known."""
    what, _, which = name.rpartition(".")
    if what.startswith("balance."):
        return which in _OF_BALANCE
    if what.startswith("rejected."):
        return which in _OF_COUNTS and what.partition(".")[2] in set(Reason)
    return name in _known_metrics()


def _checked(check: GateCheck, facts: ReportFacts) -> Iterator[Check]:
    what = check.metric.rpartition(".")[0]
    if what.startswith(_OF_ALL) or (what == "rows" and check.task is None):
        yield _made(check, _of_all(facts, check.metric), None)
        return
    tasks = [task for task in facts.tasks if check.task in (None, task.task)]
    if not tasks:
        yield _made(check, None, check.task)
    for task in tasks:
        yield _made(check, _of_task(task, check.metric), task.task)


def _made(check: GateCheck, value: float | None, task: str | None) -> Check:
    passed = value is not None and COMPARE[check.comparison](value, check.value)
    shown = None if value is None else round(value, 6)
    return Check(check.metric, check.comparison, check.value, shown, check.severity, passed, task, check.split)


def _of_all(facts: ReportFacts, metric: str) -> float | None:
    what, _, which = metric.rpartition(".")
    if what == "rows":
        return float(facts.n_rows)
    if what in ("n_exact_duplicates", "n_near_duplicates"):
        n, of = getattr(facts, what), facts.n_rows
    else:
        reason = what.partition(".")[2]
        n = sum(group.n_rows for group in facts.rejected if reason in ("", group.reason))
        of = facts.n_rows_in
    if n is None or not of:
        return None
    return float(n) if which == "count" else n / of


def _of_task(task: TaskFacts, metric: str) -> float | None:
    what, _, which = metric.rpartition(".")
    if what == "rows":
        return float(task.n_rows)
    if what.startswith("balance."):
        balance = next((one for one in task.balances if one.namespace == what.partition(".")[2]), None)
        return float(getattr(balance, which)) if balance else None
    if what.startswith("bias_"):
        found = next((one for one in task.bias if f"bias_{one.category}" == what), None)
        if found is None:
            return None
        return _of_share(found.before, "share") if which == "before" else _of_share(found.after, which)
    if what == SYNTHETIC and what not in task.shares:
        return 0.0  # every row says where it is from
    if what in (*FLAGS, MISMATCHED, DOUBTED, SYNTHETIC):
        return _of_share(task.shares.get(what), which)
    summary = next((one.summary for one in task.distributions if one.name == what), None)
    if summary is None:
        return None
    if which == "measured_share":
        return summary.n_measured / (summary.n_measured + summary.n_missing)
    return summary.mean if which == "mean" else summary.quantiles[which]


def _of_share(share: Share | None, which: str) -> float | None:
    return None if share is None else float(getattr(share, which))


def _known_metrics() -> set[str]:
    known = {f"{numeric.name}.{which}" for numeric in NUMERICS for which in _OF_NUMBERS}
    known |= {f"{name}.{which}" for name in (*FLAGS, MISMATCHED, DOUBTED, SYNTHETIC) for which in _OF_SHARES}
    known |= {f"bias_{category}.{which}" for category in CATEGORIES for which in (*_OF_SHARES, "before")}
    known |= {f"{name}.{which}" for name in _OF_ALL for which in _OF_COUNTS}
    return known | {"rows.count"}


def _nearest_metric(given: str) -> str:
    known = _known_metrics() | {f"balance.{name}.{which}" for name in ("object", "tag", "cmd") for which in _OF_BALANCE}
    return _nearest(given, known | {f"rejected.{reason}.share" for reason in Reason})


def _readable(error: ValidationError, origin: str) -> GateError:
    """The first fault in one line, with the nearest right key where a key is unknown."""
    faults = error.errors(include_url=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        model: Any = GateCheck if "checks" in first["loc"] else Gate
        mend = _nearest(str(first["loc"][-1]), model.model_fields)
        return GateError(f"gate {origin} has an unknown key {where!r}", mend)
    return GateError(f"gate {origin}: {where}: {first['msg']}", "A check has: metric, comparison, value")


def _nearest(given: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names[:40])}"
