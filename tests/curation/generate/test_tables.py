"""Generated tables: every grid resolves, options are kept, markup and statistics are PubTabNet's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from statistics import mean, median

import pyarrow.parquet as pq
import pytest

from curation.generate.table_plan import TableOptions, plan_table
from curation.generate.table_subjects import SUBJECTS
from curation.generate.table_values import COLUMN_KINDS
from curation.generate.tables import generate_table, write_table

INLINE_TAGS = {"b", "i", "sup", "sub"}


class TableReader(HTMLParser):
    """Rows of cells as (rowspan, colspan, text), head and body apart; complains about tags out of place."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, list[list[list[object]]]] = {"thead": [], "tbody": []}
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = {"body": "html", "table": "body", "thead": "table", "tbody": "table", "td": "tr"}.get(tag)
        assert parent is None or self.open[-1] == parent
        assert tag not in INLINE_TAGS or "td" in self.open
        self.open.append(tag)
        part = self.parts.get(self.open[3] if len(self.open) > 3 else "", [])
        if tag == "tr":
            part.append([])
        elif tag == "td":
            spans = dict(attrs)
            assert set(spans) <= {"rowspan", "colspan"}
            assert all(value and int(value) > 1 for value in spans.values())
            part[-1].append([int(spans.get("rowspan") or 1), int(spans.get("colspan") or 1), ""])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.parts[self.open[3]][-1][-1][2] += data


def read(html: str) -> TableReader:
    reader = TableReader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def width(rows: list[list[list[object]]]) -> int:
    """Columns of a grid, laid out as HTML lays tables out; fails where spans overlap, leave holes or reach below."""
    taken: set[tuple[int, int]] = set()
    for y, row in enumerate(rows):
        x = 0
        for rowspan, colspan, _ in row:
            while (y, x) in taken:
                x += 1
            assert isinstance(rowspan, int)
            assert isinstance(colspan, int)
            covered = {(y + down, x + right) for down in range(rowspan) for right in range(colspan)}
            assert not covered & taken
            taken |= covered
    n_columns = max(x for _, x in taken) + 1
    assert taken == {(y, x) for y in range(len(rows)) for x in range(n_columns)}
    return n_columns


def check_grid(html: str) -> tuple[int, int, int]:
    """Header rows, body rows and columns of a table whose grid resolves."""
    parts = read(html).parts
    n_columns = width(parts["thead"])
    assert width(parts["tbody"]) == n_columns
    return len(parts["thead"]), len(parts["tbody"]), n_columns


@pytest.fixture(scope="module")
def tables() -> list[str]:
    return [generate_table(Random(i), TableOptions()) for i in range(2_000)]


@pytest.mark.parametrize(
    "rows",
    [
        [[[1, 2, ""]], [[1, 1, ""]]],  # a hole
        [[[2, 1, ""], [1, 1, ""]]],  # reaches below
        [[[1, 1, ""], [2, 1, ""]], [[1, 2, ""]]],  # overlaps
    ],
)
def test_the_grid_check_refuses_what_does_not_resolve(rows: list[list[list[object]]]) -> None:
    with pytest.raises(AssertionError):
        width(rows)


def test_every_grid_resolves(tables: list[str]) -> None:
    for table in tables:
        n_head, n_body, n_columns = check_grid(table)
        assert 1 <= n_head <= 3
        assert n_body >= 2
        assert n_columns >= 2


def test_markup_is_as_in_pubtabnet(tables: list[str]) -> None:
    for table in tables:
        assert re.match(r"<html><body><table><thead><tr><td", table)
        assert table.endswith("</tr></tbody></table></body></html>")
        head = table.partition("</thead>")[0]
        assert all(not cell or cell.startswith("<b>") for cell in re.findall(r"<td[^>]*>(.*?)</td>", head))
        assert "\n" not in table
    assert len(set(tables)) == len(tables)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_header_depth_can_be_asked_for(depth: int) -> None:
    for i in range(100):
        assert check_grid(generate_table(Random(i), TableOptions(header_depth=depth)))[0] == depth


def test_rows_and_columns_can_be_asked_for() -> None:
    for i in range(100):
        plan = plan_table(Random(i), TableOptions(n_rows=60, n_columns=9))
        assert sum(group.n_rows for group in plan.row_groups) == 60
        assert check_grid(write_table(Random(i), plan))[2] == 9


@pytest.mark.parametrize("span", [(2, 3), (1, 4), (5, 1), (3, 2)])
def test_spans_can_be_asked_for(span: tuple[int, int]) -> None:
    for i in range(100):
        table = generate_table(Random(i), TableOptions(spans=(span, (2, 2))))
        check_grid(table)
        body = [tuple(cell[:2]) for row in read(table).parts["tbody"] for cell in row]
        assert span in body
        assert (2, 2) in body


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_empty_cells_can_be_asked_for(share: float) -> None:
    plans = [plan_table(Random(i), TableOptions(empty_share=share, n_rows=20)) for i in range(100)]
    assert mean(len(plan.empty) / (20 * plan.n_values) for plan in plans) == pytest.approx(share, abs=0.03)


def test_every_subject_and_kind_of_column_is_reached() -> None:
    plans = [plan_table(Random(i), TableOptions()) for i in range(2_000)]
    assert {plan.subject.heads for plan in plans} == {subject.heads for subject in SUBJECTS}
    kinds = {kind for plan in plans for group in plan.columns for kind in group.kinds}
    assert kinds == set(COLUMN_KINDS)


def test_structure_and_text_are_apart() -> None:
    for i in range(20):
        plan = plan_table(Random(i), TableOptions())
        first, second = (write_table(Random(seed), plan) for seed in (2, 3))
        assert first != second
        assert check_grid(first) == check_grid(second)


def test_tables_are_near_pubtabnet(tables: list[str], shared_data: Path) -> None:
    [file] = (shared_data / "pubtabnet-html").glob("*.parquet")
    real = pq.read_table(file, columns=["html_table"]).column("html_table").to_pylist()
    for measure in (len, lambda table: table.count("<tr>"), lambda table: table.count("<td")):
        assert 0.6 < median(map(measure, tables)) / median(map(measure, real)) < 1.7
    for mark, tolerance in (("colspan", 0.15), ("rowspan", 0.15), ("<i>", 0.2), ("<sup>", 0.25)):
        shares = [mean(mark in table for table in group) for group in (tables, real)]
        assert shares[0] == pytest.approx(shares[1], abs=tolerance), mark
