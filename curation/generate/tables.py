"""Tables as PubTabNet's: header rows and spans, sections, empty cells, numbers with spreads, marks of footnotes.

Heads are `<td>` in `<thead>` with `<b>` inside, and the whole stands in `<html><body>`, as the data set has it.
"""

from __future__ import annotations

from random import Random
from typing import Final

from curation.generate.choose import pick, pick_some
from curation.generate.table_plan import ColumnGroup, TableOptions, TablePlan, plan_table
from curation.generate.table_subjects import EMPTY_MARKS, FOOT_MARKS, SECTION_NAMES, Measure, Subject
from curation.generate.table_values import COLUMN_KINDS, make_labels

_TOP_HEADS: Final = ("Outcome", "Study population", "Number of patients", "Analysis", "Groups", "Results")
"""What stands above all groups of columns."""
_UNCLEAR_ALONE: Final = {"Yes", "No", "Present", "Absent", "Other", "Normal", "None", "Never", "Former", "Current"}
"""Row labels that say nothing without the name of their group."""


def generate_table(rng: Random, options: TableOptions) -> str:
    """One table as HTML."""
    return write_table(rng, plan_table(rng, options))


def write_table(rng: Random, plan: TablePlan) -> str:
    """Fill a plan with words and numbers."""
    measures = _measures(rng, plan)
    head = _header(rng, plan, measures)
    body = _body(rng, plan, measures)
    return f"<html><body><table><thead>{head}</thead><tbody>{body}</tbody></table></body></html>"


def _measures(rng: Random, plan: TablePlan) -> list[Measure]:
    """What each value column measures; groups of the same pattern measure the same."""
    drawn = pick_some(rng, plan.subject.measures, plan.n_values)
    measures: list[Measure] = []
    for group in plan.columns:
        start = 0 if group.arm and group.kinds == plan.columns[0].kinds else len(measures)
        measures += drawn[start : start + len(group.kinds)]
    return measures


def _cell(text: str, rowspan: int = 1, colspan: int = 1) -> str:
    if rowspan == 1 and colspan == 1:
        return f"<td>{text}</td>"
    rows = f' rowspan="{rowspan}"' if rowspan > 1 else ""
    columns = f' colspan="{colspan}"' if colspan > 1 else ""
    return f"<td{rows}{columns}>{text}</td>"


def _bold(text: str, rowspan: int = 1, colspan: int = 1) -> str:
    return _cell(f"<b>{text}</b>" if text else "", rowspan, colspan)


def _header(rng: Random, plan: TablePlan, measures: list[Measure]) -> str:
    rows: list[list[str]] = [[] for _ in range(plan.header_depth)]
    stubs = [pick(rng, plan.subject.heads), "Level"][: plan.n_stubs]
    for text in stubs:
        _tall(plan, rows, text)
    grouped = sum(len(group.kinds) for group in plan.columns if group.arm)
    for row in rows[:-2]:
        row.append(_bold(pick(rng, _TOP_HEADS), colspan=grouped))
    marks = pick(rng, FOOT_MARKS) if plan.has_marks else ("",)
    # Empty for a subject whose rows are made up: its columns count no people.
    size = f" (n = {plan.style.total})" if rng.random() < 0.35 and not plan.subject.maker else ""
    at = 0
    shared: dict[tuple[str, ...], list[str]] = {}
    for group in plan.columns:
        names = shared.get(group.kinds) or _heads(rng, plan.subject, group, measures[at : at + len(group.kinds)])
        at += len(names)
        if group.arm:
            shared[group.kinds] = names
        if rng.random() < 0.2:
            names = [*names[:-1], names[-1] + pick(rng, marks)]
        if not group.arm:
            for name in names:
                _tall(plan, rows, name)
            continue
        # The lowest two rows hold the groups and their columns; one above them spans all groups.
        rows[plan.header_depth - 2].append(_bold(group.arm + size, colspan=len(names)))
        rows[plan.header_depth - 1] += [_bold(name) for name in names]
    return "".join([f"<tr>{''.join(row)}</tr>" for row in rows])


def _tall(plan: TablePlan, rows: list[list[str]], text: str) -> None:
    """A heading as high as the header: spanning its rows, or in one of them with empty cells in the others."""
    if plan.tall_heads == "rowspan":
        rows[0].append(_bold(text, rowspan=len(rows)))
        return
    here = 0 if plan.tall_heads == "top" else len(rows) - 1
    for i, row in enumerate(rows):
        row.append(_bold(text if i == here else ""))


def _heads(rng: Random, subject: Subject, group: ColumnGroup, measures: list[Measure]) -> list[str]:
    """Headings of a group's columns: by kind and measure, or, where all are of one kind, a second set of groups."""
    if len(group.kinds) > len(set(group.kinds)) and group.kinds[0] != "decimal":
        others = [arms for arms in subject.arms if group.arm not in arms and len(arms) >= len(group.kinds)]
        if others:
            return list(pick(rng, others)[: len(group.kinds)])
    heads = [COLUMN_KINDS[kind].heads for kind in group.kinds]
    return [pick(rng, names) if names else measure.name for names, measure in zip(heads, measures, strict=True)]


def _body(rng: Random, plan: TablePlan, measures: list[Measure]) -> str:
    sections, labels = _labels(rng, plan)
    grid = _values(rng, plan, measures, labels)
    marks = pick(rng, FOOT_MARKS)
    lines: list[str] = []
    row = 0
    for section, group in zip(sections, plan.row_groups, strict=True):
        if plan.stub == "section_span":
            lines.append(f"<tr>{_cell(section, colspan=1 + plan.n_values)}</tr>")
        elif plan.stub == "section_blank":
            lines.append(f"<tr>{_cell(section)}{'<td></td>' * plan.n_values}</tr>")
        for i in range(group.n_rows):
            label = labels[row]
            if plan.has_marks and rng.random() < 0.08:
                label += pick(rng, marks)
            stub = _cell(f" {label}" if plan.stub.startswith("section") else label)
            if plan.stub == "group_span" and i == 0:
                stub = _cell(section, rowspan=group.n_rows) + stub
            elif plan.stub == "group_blank":
                stub = _cell(section if i == 0 else "") + stub
            lines.append(f"<tr>{stub}{''.join(grid[row])}</tr>")
            row += 1
    if plan.has_total:
        kinds = [kind for group in plan.columns for kind in group.kinds]
        writers = [COLUMN_KINDS[kind].write for kind in kinds]
        total = [
            _cell(write(rng, plan.style, [measure], plan.subject)[0])
            for write, measure in zip(writers, measures, strict=True)
        ]
        lines.append(f"<tr>{_cell(pick(rng, ('Total', 'Overall', 'All')), colspan=plan.n_stubs)}{''.join(total)}</tr>")
    return "".join(lines)


def _values(rng: Random, plan: TablePlan, measures: list[Measure], labels: list[str]) -> list[list[str]]:
    """The value cells, row by row; a cell that a merged one covers is an empty string."""
    kinds = [kind for group in plan.columns for kind in group.kinds]
    ranges = plan.subject.ranges
    columns = [
        COLUMN_KINDS[kind].write(rng, plan.style, [ranges.get(label, measure) for label in labels], plan.subject)
        for kind, measure in zip(kinds, measures, strict=True)
    ]
    blank = pick(rng, EMPTY_MARKS)
    for row, column in plan.empty:
        columns[column][row] = blank
    if plan.has_marks:
        marked = int(rng.random() * len(columns))
        marks = pick(rng, FOOT_MARKS)
        columns[marked] = [text + pick(rng, marks) if text and rng.random() < 0.2 else text for text in columns[marked]]
    grid = [[f"<td>{text}</td>" for text in row] for row in zip(*columns, strict=True)]
    for merge in plan.merges:
        covered = range(merge.column, merge.column + merge.colspan)
        for row in range(merge.row, merge.row + merge.rowspan):
            for column in covered:
                grid[row][column] = ""
        text = pick(rng, ("Not applicable", "Not reported", columns[merge.column][merge.row]))
        grid[merge.row][merge.column] = _cell(text, merge.rowspan, merge.colspan)
    return grid


def _labels(rng: Random, plan: TablePlan) -> tuple[list[str], list[str]]:
    """Names of the row groups, and the rows' own labels."""
    subject, n_rows = plan.subject, sum(group.n_rows for group in plan.row_groups)
    if not subject.groups:
        labels = make_labels(rng, subject, n_rows)
        if subject.is_italic:
            labels = [f"<i>{label}</i>" for label in labels]
        name = pick(rng, SECTION_NAMES)
        return [_section(plan, name.format(group.label + 1)) for group in plan.row_groups], labels
    if plan.stub == "flat":
        groups = pick_some(rng, subject.groups, len(subject.groups))
        labels = [label for _, labels in groups for label in labels if label not in _UNCLEAR_ALONE]
        return [""], [labels[i % len(labels)] for i in range(n_rows)]
    labels = [label for group in plan.row_groups for label in subject.groups[group.label][1][: group.n_rows]]
    return [_section(plan, subject.groups[group.label][0]) for group in plan.row_groups], labels


def _section(plan: TablePlan, name: str) -> str:
    return f"<{plan.section_tag}>{name}</{plan.section_tag}>" if plan.section_tag else name
