"""What can go wrong between a client and a server, on demand or at random."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Literal

Kind = Literal["status", "drop", "cut", "html", "lost", "hang-up", "stall"]
"""An answer of `status`; a connection closed in place of an answer, or half-way through its body; HTTP 200 with a
web page in place of what was asked for. Of requests that write: the work is done and its answer lost; the connection is
closed after `cut_after` bytes of the request; the server waits there until it is told to go on."""

LOG_IN_PAGE = b"<!doctype html><title>Welcome</title><p>Please accept our terms to use this network."


@dataclass
class Fault:
    """Spoil the next `times` answers to requests whose path matches `pattern`; a cut one after `cut_after` bytes."""

    pattern: str
    kind: Kind = "status"
    status: int = 503
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    message: str = "made to fail"
    reached: Event = field(default_factory=Event)
    """A stalled request has come so far."""
    go_on: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    """It is answered, and counted."""


class Faults:
    """The faults that were asked for, and those that come at random with `rate`, the same ones for each seed."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self.rate = 0.0
        self.made: list[Fault] = []
        self._random, self._lock = random.Random(0), Lock()

    def at_random(self, rate: float, seed: int) -> None:
        """From now on, spoil this share of all answers: 429, 503, dropped, cut, or a web page."""
        self.rate, self._random = rate, random.Random(seed)

    def next_for(self, path: str) -> Fault | None:
        """The fault of the answer to this request, if it is to have one."""
        with self._lock:
            fault = next((f for f in self.planned if f.times > 0 and re.search(f.pattern, path)), None)
            if fault:
                fault.times -= 1
            elif self._random.random() < self.rate:
                fault = self._random.choice(
                    [
                        Fault("", status=429, headers={"Retry-After": "0"}),
                        Fault("", status=503),
                        Fault("", "drop"),
                        Fault("", "cut"),
                        Fault("", "html"),
                    ]
                )
            if fault:
                self.made.append(fault)
            return fault
