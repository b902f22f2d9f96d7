"""KaTeX without a browser: formulas checked, or made into static HTML, in an embedded V8.

It needs only the KaTeX file of the npm assets. What it makes is HTML that asks for KaTeX's style sheet and fonts, not
pixels. A formula is hostile input: macro expansion, length, time and memory are capped for each, and one that goes
over a cap is an error for itself alone.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from rendering.assets import KATEX_JS
from rendering.errors import AssetsMissingError, RenderingError

if TYPE_CHECKING:
    from py_mini_racer import MiniRacer

MAX_FORMULA_CHARS: Final = 20_000
"""The longest of 9,075 real formulas has 733 characters."""

MAX_EXPANSIONS: Final = 1_000
"""KaTeX's own default: real formulas that it takes elsewhere must not fail here."""

MAX_SIZE_EM: Final = 1_000.0
"""Sizes asked for beyond it (`\\rule{9e9em}{1em}`) are clamped: no picture that large is kept anyway."""

BATCH_FORMULAS: Final = 256
"""How many formulas go to V8 in one call: the call's own cost (about 0.3 ms) is then lost in the parsing."""

# Every command that KaTeX would show in red (it is not trusted) or that writes to a console is an error instead.
_SCRIPT: Final = """
"use strict";
var markupmill = (function () {
  var refused = {};
  ["href", "url", "includegraphics", "htmlClass", "htmlId", "htmlStyle", "htmlData", "message", "errmessage", "show"]
    .forEach(function (name) {
      refused["\\\\" + name] = function () { throw new katex.ParseError("\\\\" + name + " is not allowed"); };
    });
  function each(formulas, display, make) {
    return JSON.stringify(formulas.map(function (formula) {
      try {
        return {value: make(formula, {
          displayMode: display, throwOnError: true, strict: "ignore", trust: false, output: "html",
          maxExpand: MAX_EXPANSIONS, maxSize: MAX_SIZE_EM, macros: Object.assign({}, refused)
        })};
      } catch (error) {
        if (error instanceof RangeError) { return {error: "nested too deeply"}; }
        var at = error.position === undefined ? null : Array.from(formula.slice(0, error.position)).length;
        return {error: String(error.rawMessage || error.message || error), position: at};
      }
    }));
  }
  return {
    html: function (formulas, display) { return each(formulas, display, katex.renderToString); },
    parse: function (formulas, display) {
      return each(formulas, display, function (formula, settings) { katex.__parse(formula, settings); return null; });
    }
  };
})();
""".replace("MAX_EXPANSIONS", str(MAX_EXPANSIONS)).replace("MAX_SIZE_EM", str(MAX_SIZE_EM))


@dataclass(frozen=True)
class KatexError:
    """Why KaTeX does not take a formula: one line, and where in the formula (characters), if it says so."""

    message: str
    position: int | None = None


class Katex:
    """A KaTeX engine of its own; most callers share the process's one, `shared_katex`.

    `timeout_s` and `memory_bytes` cap one call, which is one formula where a batch does not get through: far above
    what real formulas take, so that no verdict depends on how busy the machine is. Calls from several threads wait
    for each other. An engine does not survive a fork; a spawned process makes its own.

    Raises AssetsMissingError at the first call where the KaTeX file is missing.
    """

    def __init__(
        self, *, timeout_s: float = 10.0, memory_bytes: int = 512_000_000, katex_file: Path = KATEX_JS
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._katex_file = katex_file
        self._lock = threading.Lock()
        self._racer: MiniRacer | None = None
        self._close_racer: weakref.finalize[[MiniRacer, float], Katex] | None = None
        self._pid = os.getpid()

    def to_html(self, formulas: Sequence[str], *, display: bool = True) -> list[str | KatexError]:
        """Static HTML of each formula (KaTeX's `output: "html"`: spans and style, no script, no MathML)."""
        return [
            entry if isinstance(entry, KatexError) else str(entry) for entry in self._each("html", formulas, display)
        ]

    def parse_errors(self, formulas: Sequence[str], *, display: bool = True) -> list[KatexError | None]:
        """None for each formula that KaTeX takes, else its error; about five times as fast as `to_html`."""
        return [entry if isinstance(entry, KatexError) else None for entry in self._each("parse", formulas, display)]

    def close(self) -> None:
        """Give the engine's memory and thread back; a later call starts a new one."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(
        self, action: Literal["html", "parse"], formulas: Sequence[str], display: bool
    ) -> list[str | KatexError | None]:
        if os.getpid() != self._pid:
            raise RenderingError("a KaTeX engine was used in a forked process", "Start processes with spawn")
        results: list[str | KatexError | None] = [
            KatexError(f"longer than {MAX_FORMULA_CHARS} characters") if len(formula) > MAX_FORMULA_CHARS else None
            for formula in formulas
        ]
        todo = [index for index, result in enumerate(results) if result is None]
        with self._lock:
            for start in range(0, len(todo), BATCH_FORMULAS):
                indices = todo[start : start + BATCH_FORMULAS]
                batch = [formulas[index] for index in indices]
                for index, result in zip(indices, self._batch(action, batch, display), strict=True):
                    results[index] = result
        return results

    def _batch(
        self, action: Literal["html", "parse"], formulas: Sequence[str], display: bool
    ) -> list[str | KatexError | None]:
        """One call for all; where that does not come back, one call each, so that the neighbours are unharmed."""
        entries = self._call(action, formulas, display)
        if isinstance(entries, list):
            return entries
        if len(formulas) == 1:
            return [entries]
        return [self._batch(action, [formula], display)[0] for formula in formulas]

    def _call(
        self, action: Literal["html", "parse"], formulas: Sequence[str], display: bool
    ) -> list[str | KatexError | None] | KatexError:
        """The answer for each formula, or the cap that the call went over."""
        from py_mini_racer import JSEvalException, JSOOMException, JSTimeoutException  # heavy: loads V8

        racer = self._start()
        try:
            code = f"markupmill.{action}({json.dumps(formulas)}, {json.dumps(display)})"
            answer = racer.eval(code, timeout_sec=self._timeout_s)
        except JSTimeoutException:
            return KatexError(f"takes longer than {self._timeout_s:g} s")
        except JSOOMException:
            self._stop()
            return KatexError(f"needs more than {self._memory_bytes // 1_000_000} MB")
        except JSEvalException as error:  # V8 died of it; errors of KaTeX are caught inside
            self._stop()
            return KatexError(f"ended V8: {type(error).__name__}")
        return [_entry(entry) for entry in json.loads(str(answer))]

    def _start(self) -> MiniRacer:
        if self._racer is not None:
            return self._racer
        try:
            library = self._katex_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise AssetsMissingError("KaTeX is not installed", "Run `make setup`") from None
        from py_mini_racer import MiniRacer  # heavy: loads V8

        # In a thread of its own, because a MiniRacer made where an event loop runs ties itself to that loop.
        made: list[MiniRacer] = []
        maker = threading.Thread(target=lambda: made.append(MiniRacer()))
        maker.start()
        maker.join()
        if not made:
            raise RenderingError("V8 does not start", "Run `markupmill doctor`")
        racer = made[0]
        # With this object or at the interpreter's exit, which an open engine can make hang.
        self._close_racer = weakref.finalize(self, _close, racer, self._timeout_s + 1)
        racer.set_hard_memory_limit(self._memory_bytes)
        racer.eval(library)
        racer.eval(_SCRIPT)
        self._racer = racer
        return racer

    def _stop(self) -> None:
        self._racer = None
        if self._close_racer is not None:
            self._close_racer()
            self._close_racer = None


def shared_katex() -> Katex:
    """The engine of this process: made at the first call, closed at exit."""
    return _katex_of(os.getpid())


@functools.cache
def _katex_of(_pid: int) -> Katex:
    """One engine a process; a forked child gets another than its parent's, which it could not use."""
    return Katex()


def _close(racer: MiniRacer, patience_s: float) -> None:
    """Close once V8 has left the call that it may still be in: closed earlier, it prints a traceback."""
    from py_mini_racer import JSEvalException

    with contextlib.suppress(JSEvalException):
        racer.eval("0", timeout_sec=patience_s)
    racer.close()


def _entry(entry: dict[str, Any]) -> str | KatexError | None:
    if "error" in entry:
        return KatexError(" ".join(entry["error"].split()), entry.get("position"))
    value: str | None = entry["value"]
    return value
