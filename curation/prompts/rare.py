"""Which classes are rare: read from the files of a report, ours or distilvit's, or counted in a release."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from curation.balance import RARE_THRESHOLD, count_classes
from curation.bias.matching import find_mentions
from curation.classes.objects import class_of
from curation.errors import BadInputError
from curation.prompts.prompt import OBJECT
from curation.report.files import OBJECT_COUNTS
from curation.report.gathering import rows_of
from curation.report.measuring import Choice, measure_subject
from curation.report.subject import Asked, open_subject

PROMPTED_TASKS: Final = ("image_to_caption", "page_to_html", "table_to_html", "formula_to_latex")
NAMESPACES: Final[dict[str, tuple[str, ...]]] = {
    "image_to_caption": ("object",),
    "page_to_html": ("component", "layout", "span", "tag"),
    "table_to_html": ("span", "shape", "tag"),
    "formula_to_latex": ("cmd", "env"),
}
"""What classes a prompt of each task can ask for."""

_TABLE_TAGS: Final = frozenset(
    "table thead tbody tfoot tr td th caption col colgroup b i sub sup em strong br".split()  # noqa: SIM905 - a list to read
)
"""Tags that a table may hold as its own; of a file that tells no task, these are asked of tables."""

_FILE_THRESHOLD: Final = re.compile(r"objects_below_(\d+)\.csv")
_KNOWN: Final = frozenset(name for names in NAMESPACES.values() for name in names)
_ESCAPED: Final = re.compile(r"'(?=\s*[=+\-@\t\r＝＋－＠])")


@dataclass(frozen=True)
class Counts:
    """How many samples have each class (namespaced). `threshold` is what the file's name says; 0 where nothing does.

    `left_out` are names of objects that say something protected of people, which no prompt may.
    """

    counts: Mapping[str, int]
    threshold: int = 0
    left_out: tuple[str, ...] = field(default=())

    def of_task(self, task: str) -> dict[str, int]:
        """Classes that prompts of a task can ask for."""
        return {name: n for name, n in self.counts.items() if name.partition(":")[0] in NAMESPACES[task]}

    def by_task(self) -> dict[str, dict[str, int]]:
        """Each class under the one task that it speaks of most: spans and parts of tables under tables."""
        tasks: dict[str, dict[str, int]] = {}
        for name, n in self.counts.items():
            tasks.setdefault(_task_of(name), {})[name] = n
        return {task: tasks[task] for task in PROMPTED_TASKS if task in tasks}


def read_counts(path: str | Path) -> Counts:
    """The classes of an `objects_below_<N>.csv` or `object_counts.csv`: columns `object` and `count`.

    Objects may stand under their plain names; those that are forms of one class ("man", "woman") are counted together.

    Raises:
        BadInputError: the file is not there, or is not such a file; the line is named.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise BadInputError(f"{path} cannot be read: {reason}", "Name the objects_below_<N>.csv of a report") from error
    rows = csv.DictReader(io.StringIO(text))
    if not {"object", "count"} <= set(rows.fieldnames or ()):
        raise BadInputError(f"{path} has no columns object and count", "Name the objects_below_<N>.csv of a report")
    counts: Counter[str] = Counter()
    left_out = []
    for row in rows:
        name, n = (row["object"] or "").strip(), (row["count"] or "").strip()
        if not name:
            continue
        if not n.isdecimal():
            raise BadInputError(f"{path}, line {rows.line_num}: {n!r} is no count", "Mend the line, or take it out")
        known = _namespaced(_ESCAPED.sub("", name, count=1))
        if known.startswith(OBJECT) and find_mentions(known.removeprefix(OBJECT)):
            left_out.append(name)
        else:
            counts[known] += int(n)
    found = _FILE_THRESHOLD.search(file.name)
    return Counts(dict(counts), int(found[1]) if found else 0, tuple(left_out))


def counts_of(address: str, task: str, workspace: str) -> Counts:
    """The classes of a report's folder, or of a release, workspace or data set, counted now or found measured.

    `task` "" is all tasks of a report, and the only one of a data set. What is measured of strangers' data goes into
    `workspace`.

    Raises:
        BadInputError: there is nothing there, or not of that task.
    """
    folder = Path(address).expanduser()
    if (folder / OBJECT_COUNTS).is_file():
        return read_counts(folder / OBJECT_COUNTS)
    subject = open_subject(Asked(address, task=task), workspace)
    with subject.workspace.lock():
        measured = measure_subject(subject, Choice(names=("classes",)))
    counts: Counter[str] = Counter()
    tasks: set[str] = set()
    for table in rows_of(subject, measured).tables(["task", "classes"]):
        there = set(table.column("task").unique().to_pylist())
        tasks |= there
        if "classes" in table.column_names and (not task or task in there):
            kept = table if not task else table.filter([one == task for one in table.column("task").to_pylist()])
            counts.update(count_classes([kept.column("classes")]).counts)
    if task and task not in tasks:
        raise BadInputError(f"{address} has no rows of {task}", f"It has: {', '.join(sorted(tasks)) or 'no rows'}")
    if not task and len(tasks) > 1:
        raise BadInputError(f"{address} has several tasks", f"Choose one with --task, of: {', '.join(sorted(tasks))}")
    return _without_protected(counts)


def threshold_of(counts: Counts, given: int | None) -> int:
    """The threshold that is asked for, else the one that the file's name says, else the usual one."""
    return given if given is not None else counts.threshold or RARE_THRESHOLD


def _without_protected(counts: Mapping[str, int]) -> Counts:
    bad = [name for name in counts if name.startswith(OBJECT) and find_mentions(name.removeprefix(OBJECT))]
    kept = {name: n for name, n in counts.items() if name not in bad}
    return Counts(kept, left_out=tuple(name.removeprefix(OBJECT) for name in bad))


def _namespaced(name: str) -> str:
    namespace, colon, rest = name.partition(":")
    if colon and rest and namespace in _KNOWN:
        return name if namespace != "object" else OBJECT + class_of(rest)
    return OBJECT + class_of(name)


def _task_of(name: str) -> str:
    namespace, _, rest = name.partition(":")
    if namespace == "tag":
        return "table_to_html" if rest in _TABLE_TAGS else "page_to_html"
    if namespace == "span":
        return "table_to_html"
    return next(task for task, names in NAMESPACES.items() if namespace in names)
