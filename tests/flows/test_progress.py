"""Progress: a line at the end of a log, a live bar on a terminal."""

from __future__ import annotations

import io

from flows.progress import BuildProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO) -> str:
    with BuildProgress(stream) as progress:
        progress.begin_source("websight", 200)
        progress.add(100, 90, made_now=True, completed_rows=100)
        progress.add(100, 60, made_now=True, completed_rows=200)
    return stream.getvalue()


def test_a_log_gets_plain_lines() -> None:
    text = run(io.StringIO())
    assert text.startswith("websight 100%: 200 rows, 150 in shards, 50 rejected, ")
    assert text.endswith(" rows/s\n")
    assert "\x1b" not in text


def test_a_terminal_gets_a_bar() -> None:
    text = run(Terminal())
    assert "websight" in text
    assert "150 in shards" in text
    assert "\x1b" in text


def test_shards_found_finished_have_no_speed() -> None:
    with BuildProgress(io.StringIO()) as progress:
        progress.begin_source("websight", 100)
        progress.add(100, 90, made_now=False, completed_rows=100)
        assert progress.counts() == "100 rows, 90 in shards, 10 rejected"
