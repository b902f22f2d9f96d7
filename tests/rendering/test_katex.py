"""KaTeX in V8: what it answers, what it refuses, and that no formula harms its neighbours or the process."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from rendering.errors import AssetsMissingError, RenderingError
from rendering.katex import BATCH_FORMULAS, MAX_FORMULA_CHARS, Katex, KatexError, shared_katex

ROOT = Path(__file__).resolve().parents[2]
MACRO_LOOP = r"\def\a{\a\a}\a"
RUNAWAY = r"\def\a{" + "x" * 16_000 + "}" + r"\a" * 900
"""Within KaTeX's limit on expansions, but 14 million tokens."""


@pytest.fixture(scope="module")
def katex() -> Iterator[Katex]:
    with Katex() as engine:
        yield engine


def test_html_is_static(katex: Katex) -> None:
    (html,) = katex.to_html([r"\frac{a}{b}"])
    assert isinstance(html, str)
    assert html.startswith('<span class="katex-display"><span class="katex">')
    assert "mfrac" in html
    assert not {"<script", "<math", "onclick"} & set(html.split())


def test_inline_and_display_differ(katex: Katex) -> None:
    assert katex.to_html([r"\sum_i x"], display=False) != katex.to_html([r"\sum_i x"])


def test_an_error_names_the_cause_and_the_place(katex: Katex) -> None:
    assert katex.parse_errors([r"é + \foo x", "x_"]) == [
        KatexError(r"Undefined control sequence: \foo", 4),
        KatexError("Expected group after '_'", 1),
    ]
    assert katex.parse_errors(["😀 }"]) == [KatexError("Expected 'EOF', got '}'", 2)]


def test_errors_are_values_in_their_own_place(katex: Katex) -> None:
    first, second, third = katex.to_html(["a", r"\foo", "b"])
    assert isinstance(first, str)
    assert isinstance(second, KatexError)
    assert isinstance(third, str)
    assert pickle.loads(pickle.dumps(second)) == second


def test_any_number_of_formulas(katex: Katex) -> None:
    assert katex.parse_errors([]) == []
    formulas = ["x" if index % 7 else "}" for index in range(2 * BATCH_FORMULAS + 3)]
    assert [error is None for error in katex.parse_errors(formulas)] == [formula == "x" for formula in formulas]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (MACRO_LOOP, "Too many expansions"),
        ("{" * 5_000 + "}" * 5_000, "nested too deeply"),
        ("x" * (MAX_FORMULA_CHARS + 1), f"longer than {MAX_FORMULA_CHARS} characters"),
        (r"\href{https://example.org}{x}", r"\href is not allowed"),
        (r"\href{javascript:alert(1)}{x}", r"\href is not allowed"),
        (r"\includegraphics{file:///etc/passwd}", r"\includegraphics is not allowed"),
        (r"\htmlStyle{position:fixed}{x}", r"\htmlStyle is not allowed"),
        ("a\x00b", "Unexpected character"),
        ("\ud800", "Unexpected character"),
        ("a\u2028b", "Unexpected character"),
    ],
)
def test_what_is_refused(katex: Katex, formula: str, message: str) -> None:
    for results in (katex.to_html(["x", formula, "y"]), katex.parse_errors(["x", formula, "y"])):
        assert isinstance(results[1], KatexError)
        assert message in results[1].message
        assert "\n" not in results[1].message
        assert not isinstance(results[0], KatexError)
        assert not isinstance(results[2], KatexError)


def test_formulas_do_not_share_macros(katex: Katex) -> None:
    assert katex.parse_errors([r"\gdef\mine{x}\mine"]) == [None]
    assert katex.parse_errors([r"\mine", r"\gdef\href{x}"])[0] == KatexError(r"Undefined control sequence: \mine", 0)
    assert katex.parse_errors([r"\href{a}{b}"]) == [KatexError(r"\href is not allowed")]


def test_a_formula_cannot_leave_its_string(katex: Katex) -> None:
    hostile = ["\\text{'\"`\n</script>${1}}", '"]);globalThis.katex=null;([["', "\\text{\u2028}"]
    katex.to_html(hostile)
    assert katex.parse_errors(["x"]) == [None]


def test_huge_sizes_are_clamped(katex: Katex) -> None:
    (html,) = katex.to_html([r"\rule{9999999em}{1em}"])
    assert "border-right-width:1000em" in str(html)


@pytest.mark.parametrize(
    ("engine", "message"),
    [(Katex(timeout_s=0.5), "takes longer than 0.5 s"), (Katex(memory_bytes=120_000_000), "needs more than 120 MB")],
    ids=["time", "memory"],
)
def test_a_runaway_formula_fails_alone_and_the_engine_goes_on(engine: Katex, message: str) -> None:
    with engine:
        assert engine.parse_errors(["x", RUNAWAY, "}"]) == [
            None,
            KatexError(message),
            KatexError("Expected 'EOF', got '}'", 0),
        ]
        assert isinstance(engine.to_html(["x"])[0], str)


def test_missing_assets_are_one_line_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissingError, match=r"^KaTeX is not installed\. Run `make setup`$"):
        Katex(katex_file=tmp_path / "katex.min.js").parse_errors(["x"])


def test_a_closed_engine_starts_again() -> None:
    engine = Katex()
    engine.close()
    assert engine.parse_errors(["x"]) == [None]
    engine.close()
    engine.close()
    assert engine.parse_errors(["x"]) == [None]
    engine.close()


def test_the_process_shares_one_engine() -> None:
    assert shared_katex() is shared_katex()


def test_threads_share_an_engine(katex: Katex) -> None:
    def work(number: int) -> list[KatexError | None]:
        return katex.parse_errors([f"x_{{{number}}}", f"\\bad{'abcdefgh'[number]}"] * 50)

    with ThreadPoolExecutor(8) as pool:
        for number, errors in enumerate(pool.map(work, range(8))):
            assert errors[::2] == [None] * 50
            assert {error.message for error in errors[1::2] if error} == {
                f"Undefined control sequence: \\bad{'abcdefgh'[number]}"
            }


def test_it_works_under_an_event_loop() -> None:
    async def work() -> list[KatexError | None]:
        with Katex(timeout_s=0.5) as engine:
            return engine.parse_errors(["x", RUNAWAY])

    assert asyncio.run(work()) == [None, KatexError("takes longer than 0.5 s")]


def test_spawned_processes_make_their_own(katex: Katex) -> None:
    katex.parse_errors(["x"])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(_parse_in_a_process, "}").result() == KatexError("Expected 'EOF', got '}'", 0)


def _parse_in_a_process(formula: str) -> KatexError | None:
    return shared_katex().parse_errors([formula])[0]


def test_a_forked_process_is_told_instead_of_hanging(katex: Katex, monkeypatch: pytest.MonkeyPatch) -> None:
    katex.parse_errors(["x"])
    monkeypatch.setattr("rendering.katex.os.getpid", lambda: -1)
    with pytest.raises(RenderingError, match="forked"):
        katex.parse_errors(["x"])
    assert shared_katex().parse_errors(["x"]) == [None]


@pytest.mark.parametrize(
    "program",
    [
        "shared_katex().to_html(['x'])",
        "engine = Katex(timeout_s=0.3); engine.parse_errors(['x', RUNAWAY])",
        "engine = Katex(memory_bytes=120_000_000); engine.parse_errors([RUNAWAY])",
        "import threading; threading.Thread(target=lambda: shared_katex().to_html(['x'] * 3_000)).start()",
        "shared_katex().to_html(['x']); raise SystemExit(3)",
    ],
    ids=["plain", "after a time-out", "out of memory", "thread", "exit code"],
)
def test_the_interpreter_exits_cleanly(program: str) -> None:
    code = f"from rendering.katex import Katex, shared_katex\nRUNAWAY = {RUNAWAY!r}\n{program}\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3 if "SystemExit" in program else 0, "", "")


def test_memory_stays_flat_over_20_000_formulas() -> None:
    code = (
        "from rendering.katex import shared_katex\n"
        "resident_mb = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6\n"
        "formulas = [r'\\frac{x_{%d}^2}{\\sqrt{%d}} \\sum_{i=1}^n a_i' % (i, i) for i in range(500)]\n"
        "katex = shared_katex()\n"
        "for _ in range(10): katex.parse_errors(formulas)\n"
        "after_5_000 = resident_mb()\n"
        "for _ in range(30): katex.parse_errors(formulas)\n"
        "print(resident_mb() - after_5_000)\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux's /proc to measure memory")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert float(done.stdout) < 60, done.stderr


def test_parsing_and_html_agree_on_real_formulas(katex: Katex, shared_data: Path) -> None:
    formulas = (shared_data / "latex-formulas" / "formulas.txt").read_text().splitlines()[::10]
    htmls = katex.to_html(formulas)
    errors = katex.parse_errors(formulas)
    assert [isinstance(html, KatexError) for html in htmls] == [error is not None for error in errors]
    assert sum(error is None for error in errors) > 0.95 * len(formulas)
