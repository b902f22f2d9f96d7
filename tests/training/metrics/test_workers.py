"""A function over items in processes: order, errors, items that hang, die or eat the memory."""

from __future__ import annotations

import os
import time

import pytest

from rendering.errors import MarkupmillError
from training.metrics.workers import Workers


def act(item: str) -> str:
    if item == "hang":
        time.sleep(60)
    elif item == "die":
        os._exit(9)
    elif item == "eat":
        return str(len(bytearray(6_000_000_000)))
    elif item == "raise":
        raise ValueError("as asked")
    return item.upper()


def test_one_item_costs_itself_alone_whatever_it_does() -> None:
    items = ["a", "hang", "b", "die", "c", "eat", "d"]
    with Workers(2) as workers:
        workers.map(act, ["warm"], "lost")
        started_s = time.monotonic()
        assert workers.map(act, items, "lost", timeout_s=1.0) == ["A", "lost", "B", "lost", "C", "lost", "D"]
        assert time.monotonic() - started_s < 50
        assert workers.map(act, [], "lost") == []


def test_errors_are_raised() -> None:
    with Workers(1) as workers, pytest.raises(ValueError, match="as asked"):
        workers.map(act, ["a", "raise", "b"], "lost")


def test_processes_that_all_die_are_an_error_and_no_scores() -> None:
    with Workers(1) as workers, pytest.raises(MarkupmillError, match="before they have scored one"):
        workers.map(act, ["die"] * 10, "lost")
