"""The report on one screen."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from curation.report.facts import Finding, ReportFacts
from curation.report.terminal import MAX_LINES, WIDTH_CHARS, print_summary, summary_text
from tests.curation.report.facts_making import empty_report, hostile_report, pages_task, report


def crowded() -> ReportFacts:
    """As much of everything as there can be, in letters that are two columns wide."""
    facts = report()
    wide = "数据" * 90
    return replace(
        facts,
        name=wide,
        findings=tuple(Finding("warn", wide, wide) for _ in range(30)),
        tasks=facts.tasks + tuple(replace(pages_task(1_000), task=f"task_{n}") for n in range(9)),
        rejected=tuple(replace(facts.rejected[0], reason=wide) for _ in range(9)),
    )


@pytest.mark.parametrize("make", [report, crowded, hostile_report, empty_report])
@pytest.mark.parametrize("is_compared", [False, True])
def test_it_fits_one_screen_and_does_not_steer_the_terminal(make, is_compared: bool) -> None:  # type: ignore[no-untyped-def]
    told = summary_text(make(), crowded() if is_compared else None)
    lines = told.split("\n")
    assert len(lines) <= MAX_LINES == 24
    assert max(map(cell_len, lines)) <= WIDTH_CHARS == 100
    assert all(line.isprintable() for line in lines)


def test_it_says_the_verdict_what_to_do_and_the_numbers() -> None:
    told = summary_text(report())
    lines = told.split("\n")
    assert lines[0] == "websight-coco at 000000000000: 10,000 of 12,031 rows"
    assert lines[1] == "Not fit to train on yet"
    assert lines[2:4] == [
        "  failure 3.1 % of the pairs look shuffled: their CLIP similarity is that of strangers.",
        "          Select with clip_cosine >= 0.2, or look at the worst examples for the cause.",
    ]
    assert "  and 1 more in the report" in lines
    assert "5,000 rows  440 tokens  clip 0.27  render 0.919 (good)  ocr 0.901 (fair)" in told
    assert "Duplicates: 204 exact, 198 near" in lines
    assert "Left out: 2,031 rows: too_many_tokens 1,204, duplicate_exact 612, image_truncated 215" in lines
    assert "Gate: 1 of 4 checks passed; not: bias.gender, render_similarity.p50, duplicates.share" in lines
    assert "Not measured: clip, bertscore" in lines


def test_what_was_not_measured_has_no_number() -> None:
    assert summary_text(empty_report()) == "empty: 0 of 0 rows\nNo problem found, with notes\n"
    assert "Duplicates: – exact, 3 near" in summary_text(replace(empty_report(), n_near_duplicates=3))


def test_two_data_sets_show_their_differences_first() -> None:
    told = summary_text(report(), report(8_000, "other", seed=3))
    assert told.split("\n")[1].startswith("B: other at 000000000000: 8,000 of 10,031 rows")
    rows = [line.split() for line in told.split("\n")]
    changed = rows.index(["Rows", "10,000", "8,000", "+2,000"])
    assert all(place > changed for place, row in enumerate(rows) if row and row[-1] == "0")
    assert any(" ".join(row).startswith("image_to_caption: rows that name") for row in rows)


def test_colours_are_for_terminals() -> None:
    for is_terminal in (False, True):
        out = io.StringIO()
        console = Console(file=out, force_terminal=is_terminal, width=100, color_system="standard")
        print_summary(report(), console=console)
        assert ("\x1b[" in out.getvalue()) is is_terminal
        assert len(out.getvalue().splitlines()) <= MAX_LINES


def test_a_pipe_gets_the_same_lines() -> None:
    out = io.StringIO()
    print_summary(report(), console=Console(file=out, width=40))
    assert out.getvalue().rstrip("\n") == summary_text(report())
