r"""LaTeX commands with a form of their own: tables, `\left…\right`, and what KaTeX lacks."""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from curation.markup.latex_reader import Reader, UnsupportedLatexError
from curation.markup.latex_tokens import braced, join_math, tokenize, unwrapped

if TYPE_CHECKING:
    from curation.markup.latex_rewrite import Rewriter

EQUATION_NUMBER_DROPPED: Final = "latex_equation_number_dropped"
VERTICAL_SPACE_DROPPED: Final = "latex_vertical_space_dropped"

_MIDDLE: Final = frozenset({r"\middle"})
_CELL_ENDS: Final = frozenset({"&", r"\\", r"\cr"})
_ENVIRONMENTS: Final = {"align": "aligned", "gather": "gathered", "alignat": "alignedat", "eqnarray": "array"}
_STANDS_ALONE: Final = frozenset({"equation", "equation*", "displaymath", "math", "subequations"})
_WITH_COLUMNS: Final = frozenset({"array", "darray", "subarray", "alignedat", "alignat", "alignat*"})
_WITH_POSITION: Final = frozenset({"array", "darray", "aligned", "alignedat", "gathered"})
_PLAIN_TEX_TABLES: Final = {r"\matrix": "matrix", r"\pmatrix": "pmatrix", r"\cases": "cases"}
_REPEATED_COLUMN: Final = re.compile(r"\*\{?(\d)\}?(?:\{([^{}*]*)\}|([a-z]))")


def _row_end(rewriter: Rewriter, _token: str, _plain: bool) -> list[str]:
    r"""`\\` with its gap; `[` after a space is the next row's first character, as amsmath and KaTeX read it."""
    if rewriter.reader.peek() != "[":
        return [r"\\"]
    rewriter.reader.skip()
    return [rf"\\[{rewriter.reader.size(']')}]"]


def _delimited(rewriter: Rewriter, _token: str, plain: bool) -> list[str]:
    r"""`\left(…\middle|…\right)`: each part is a group of its own."""
    reader = rewriter.reader
    out = _with_delimiter(reader, r"\left") + rewriter.math(_MIDDLE, plain=plain)
    while reader.take_if(r"\middle"):
        out += _with_delimiter(reader, r"\middle") + rewriter.math(_MIDDLE, plain=plain)
    reader.expect(r"\right")
    return out + _with_delimiter(reader, r"\right")


def _with_delimiter(reader: Reader, token: str) -> list[str]:
    delimiter = reader.take()
    return [token, delimiter] if delimiter[0].isalpha() else [token + delimiter]


def _environment(rewriter: Rewriter, _token: str, plain: bool) -> list[str]:
    reader = rewriter.reader
    name = reader.raw_argument()
    if name in _STANDS_ALONE:
        raise UnsupportedLatexError(f"{name} inside a formula")
    unstarred = name.removesuffix("*")
    shown = _ENVIRONMENTS.get(unstarred, name)
    if shown != name and rewriter.keeps_tags:
        if shown == "array":
            raise UnsupportedLatexError(rf"\tag in {name}")
        shown = f"{unstarred}*"  # a tag needs the environment that shows it
    out = [rf"\begin{{{shown}}}"]
    if shown in _WITH_POSITION:
        _skip_position(reader, shown)
    if unstarred == "eqnarray":
        out += ["{", "r", "c", "l", "}"]
    elif name in _WITH_COLUMNS:
        out += ["{", *tokenize(_expanded_columns(reader.raw_argument())), "}"]
    n_unnumbered = rewriter.n_unnumbered
    # eqnarray sets its outer columns in display style (LaTeX, ltmath.dtx).
    rows, n_rows = _rows(rewriter, plain=plain, display=frozenset({0, 2} if unstarred == "eqnarray" else ()))
    reader.expect(r"\end")
    if (end := reader.raw_argument()) != name:
        raise UnsupportedLatexError(rf"\begin{{{name}}} ended by \end{{{end}}}")
    if name in _ENVIRONMENTS and rewriter.n_unnumbered - n_unnumbered < n_rows:
        rewriter.warnings.append(EQUATION_NUMBER_DROPPED)
    return [*out, *rows, rf"\end{{{shown}}}"]


def _skip_position(reader: Reader, name: str) -> None:
    """`[c]` is what one has without it; `[t]` and `[b]`, which KaTeX lacks, cannot be kept."""
    match reader.next_three():
        case ["[", "c", "]"]:
            reader.raw("]")
        case ["[", "t" | "b", "]"]:
            raise UnsupportedLatexError(f"vertical position of {name}")


def _expanded_columns(columns: str) -> str:
    """`*{3}{c}` written out."""
    return _REPEATED_COLUMN.sub(lambda match: int(match[1]) * (match[2] or match[3] or ""), columns)


def _rows(
    rewriter: Rewriter, *, plain: bool, display: frozenset[int] = frozenset(), text: frozenset[int] = frozenset()
) -> tuple[list[str], int]:
    """Cells up to what closes them, and the number of rows that hold something.

    `display` and `text` are the columns in display style and in text mode.
    """
    out: list[str] = []
    column = 0
    n_rows = 0
    row_counted = False
    while True:
        if column in text:
            words = rewriter.text(_CELL_ENDS).strip(" ")
            cell = [rf"\text{{{words}}}"] if words else []
        else:
            cell = rewriter.math(_CELL_ENDS, plain=plain, in_cell=True)
        if display and column > max(display) and cell:
            raise UnsupportedLatexError("too many columns in eqnarray")
        if cell and not row_counted:
            n_rows, row_counted = n_rows + 1, True
        out += [r"\displaystyle", *cell] if cell and column in display else cell
        token = rewriter.reader.next()
        if token not in _CELL_ENDS:
            return out, n_rows
        rewriter.reader.skip()
        if token == "&":
            out.append("&")
            column += 1
        else:
            out += _row_end(rewriter, token, plain) if token == r"\\" else [r"\\"]
            column, row_counted = 0, False


def _plain_tex_table(rewriter: Rewriter, token: str, plain: bool) -> list[str]:
    r"""`\matrix{… \cr …}` and its kin; the second column of `\cases` is text (plain.tex)."""
    name = _PLAIN_TEX_TABLES[token]
    rewriter.reader.expect("{")
    rows, _ = _rows(rewriter, plain=plain, text=frozenset({1} if name == "cases" else ()))
    rewriter.reader.expect("}")
    return [rf"\begin{{{name}}}", *rows, rf"\end{{{name}}}"]


def _overlapping(rewriter: Rewriter, _token: str, _plain: bool) -> list[str]:
    r"""\lefteqn is \rlap{$\displaystyle …$} (LaTeX, ltmath.dtx)."""
    body = join_math([r"\displaystyle", *rewriter.group(plain=False)])
    return [rf"\rlap{{${body}$}}"]


def _stacked(rewriter: Rewriter, token: str, _plain: bool) -> list[str]:
    r"""\buildrel a \over b is \stackrel{a}{b} (plain.tex)."""
    above = rewriter.math(frozenset({r"\over"}), plain=False)
    rewriter.reader.expect(r"\over")
    return [r"\stackrel", *braced(unwrapped(above)), *rewriter.markup_argument(token, "m")]


def _raised(rewriter: Rewriter, token: str, _plain: bool) -> list[str]:
    r"""\raise and \lower, TeX's own, as \raisebox."""
    height = rewriter.reader.bare_size()
    if token == r"\lower":
        height = height[1:] if height.startswith("-") else f"-{height.removeprefix('+')}"
    if rewriter.reader.take() not in {r"\hbox", r"\mbox"}:
        raise UnsupportedLatexError(f"{token} without a box")
    return [rf"\raisebox{{{height}}}{{{rewriter.text_argument()}}}"]


def _ensured(rewriter: Rewriter, _token: str, plain: bool) -> list[str]:
    r"""\ensuremath does nothing in math."""
    return rewriter.group(plain=plain)


def _made_box(rewriter: Rewriter, _token: str, plain: bool) -> list[str]:
    r"""\makebox without options is \mbox."""
    if rewriter.reader.next() in {"[", "("}:
        raise UnsupportedLatexError(r"\makebox with a size")
    return [rewriter.text_command(r"\mbox", plain=plain)]


SPECIAL: Final[dict[str, Callable[[Rewriter, str, bool], list[str]]]] = {
    r"\\": _row_end,
    r"\left": _delimited,
    r"\begin": _environment,
    **dict.fromkeys(_PLAIN_TEX_TABLES, _plain_tex_table),
    r"\lefteqn": _overlapping,
    r"\buildrel": _stacked,
    r"\raise": _raised,
    r"\lower": _raised,
    r"\ensuremath": _ensured,
    r"\makebox": _made_box,
}
