"""The rewriting behind LaTeX canonical form: one pass over the tokens, by recursive descent.

Every rewrite keeps the picture: in KaTeX where KaTeX takes the source, in TeX where KaTeX lacks the command. What no
rewrite can keep is an `UnsupportedLatexError`, which ends as a reject.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from curation.markup.latex_size import LatexSizeError, bare_size, size
from curation.markup.latex_tokens import (
    ARGUMENTS,
    CONTROL_SPACE,
    FONT_SWITCHES,
    INFIXES,
    SCRIPT_STYLES,
    SPACE,
    STARRED,
    STYLE_SWITCHES,
    TAKEN_AS_ATOM,
    UNICODE_SCRIPTS,
    tokenize,
)

MAX_DEPTH: Final = 100
"""Nesting at which a formula is refused: well inside Python's own limit; real ones stay under 20."""

EQUATION_NUMBER_DROPPED: Final = "latex_equation_number_dropped"
VERTICAL_SPACE_DROPPED: Final = "latex_vertical_space_dropped"

_SCRIPT_MARKS: Final = {"_": "_", "^": "^", r"\sb": "_", r"\sp": "^"}
_INFIX_COMMANDS: Final = {r"\over": r"\frac", r"\choose": r"\binom"}
_SWITCH_COMMANDS: Final = {r"\rm": r"\mathrm", r"\mit": r"\mathnormal"}
_UNNUMBERED: Final = frozenset({r"\nonumber", r"\notag"})
_NO_INK: Final = _UNNUMBERED | {r"\protect", r"\noindent"}
_VERTICAL_SKIPS: Final = frozenset({r"\smallskip", r"\medskip", r"\bigskip"})
_FILLS: Final = frozenset({r"\hfill", r"\hfil", r"\hss"})
_CLOSING: Final = frozenset({"}", r"\right", r"\end", r"\eqno"})
_MIDDLE: Final = frozenset({r"\middle"})
_ROW_ENDS: Final = frozenset({r"\\", r"\cr"})
_CELL_ENDS: Final = _ROW_ENDS | {"&"}
_NO_ARGUMENT: Final = (
    FONT_SWITCHES
    | STYLE_SWITCHES
    | _CLOSING
    | _CELL_ENDS
    | INFIXES
    | {"'", r"\limits", r"\nolimits"}
    | set(_SCRIPT_MARKS)
)

_ENVIRONMENTS: Final = {"align": "aligned", "gather": "gathered", "alignat": "alignedat", "eqnarray": "array"}
_STANDS_ALONE: Final = frozenset({"equation", "equation*", "displaymath", "math", "subequations"})
_WITH_COLUMNS: Final = frozenset({"array", "darray", "subarray", "alignedat", "alignat", "alignat*"})
_WITH_POSITION: Final = frozenset({"array", "darray", "aligned", "alignedat", "gathered"})
_PLAIN_TEX_TABLES: Final = {r"\matrix": "matrix", r"\pmatrix": "pmatrix", r"\cases": "cases"}
_REPEATED_COLUMN: Final = re.compile(r"\*\{?(\d)\}?(?:\{([^{}*]*)\}|([a-z]))")

_WORD: Final = re.compile(r"\\[a-zA-Z@]+")


class UnsupportedLatexError(Exception):
    """A formula that has no canonical form; the message is one line for the reject."""


class Rewriter:
    """Reads `tokens` once and gives them back in canonical form; `warnings` says what shows and was left out.

    `plain` in its methods is False where `\\mbox` and `\\text` look different: in scripts and arguments, where
    `\\text` may shrink, and after a font switch.
    """

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._n_unnumbered = 0
        self._keeps_tags = r"\tag" in tokens
        self._text_may_shrink = not SCRIPT_STYLES.isdisjoint(tokens)
        self.warnings: list[str] = []

    def formula(self) -> list[str]:
        """Canonical tokens of the whole formula. Raises UnsupportedLatexError."""
        out = self._math(plain=not self._text_may_shrink)
        if self._take_if(r"\eqno"):
            out.append(rf"\tag*{{${join_math(self._math(plain=False))}$}}")
        if self._next() is not None:
            raise UnsupportedLatexError(f"unexpected {self._next()}")
        return out

    # reading tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str | None:
        """The next token that is no space, not yet taken."""
        while self._peek() == SPACE:
            self._at += 1
        return self._peek()

    def _take(self) -> str:
        token = self._next()
        if token is None:
            raise UnsupportedLatexError("the formula ends too early")
        self._at += 1
        return token

    def _take_if(self, token: str) -> bool:
        found = self._next() == token
        self._at += found
        return found

    def _expect(self, token: str) -> None:
        found = self._take()
        if found != token:
            raise UnsupportedLatexError(f"expected {token}, got {found}")

    def _raw(self, closing: str) -> str:
        """The characters up to `closing`, which is taken too, without white space."""
        pieces: list[str] = []
        depth = 0
        while (token := self._take()) != closing or depth:
            depth += (token == "{") - (token == "}")
            pieces.append(token)
        return "".join(pieces)

    def _raw_argument(self) -> str:
        return self._raw("}") if self._take_if("{") else self._take()

    # math

    def _math(self, stops: frozenset[str] = frozenset(), *, plain: bool, in_cell: bool = False) -> list[str]:
        """One list of atoms, up to a token of `stops` or one that closes something; that one is not taken."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsupportedLatexError(f"nested deeper than {MAX_DEPTH}")
        out: list[str] = []
        numerator: list[str] = []
        infix = ""
        switched = False
        while (token := self._next()) is not None and token not in stops and token not in _CLOSING:
            if token in _INFIX_COMMANDS and not switched:
                if infix:
                    raise UnsupportedLatexError("two infix operators in one group")
                self._at += 1
                infix, numerator, out = _INFIX_COMMANDS[token], out, []
            elif out and out[-1] in INFIXES and (token == "'" or token in _SCRIPT_MARKS or token[0] in UNICODE_SCRIPTS):
                out += _braced([])  # else KaTeX takes the infix itself for what carries the script
            elif token == "'" or token in _SCRIPT_MARKS:
                out += self._scripts()
            elif token in _FILLS and not in_cell:
                self._at += 1  # nothing to fill: formulas and groups are as wide as what they hold
            elif token == r"\vspace" or token in _VERTICAL_SKIPS:
                self._skip_vertically(in_cell=in_cell)
            else:
                if token in FONT_SWITCHES:  # TeX and KaTeX differ in what it reaches beyond \over: such an \over stays
                    switched, plain = True, False
                out += self._atom(plain=plain)
        self._depth -= 1
        return [infix, *_braced(_unwrapped(numerator)), *_braced(_named_font(_unwrapped(out)))] if infix else out

    def _scripts(self) -> list[str]:
        """A run of scripts and primes: each in braces, a subscript before its superscript."""
        scripts: list[tuple[str, list[str]]] = []
        primed = False
        while (token := self._next()) == "'" or token in _SCRIPT_MARKS:
            self._at += 1
            mark = _SCRIPT_MARKS.get(str(token), "^")
            body = [r"\prime"] if token == "'" else self._script_body()
            if primed and mark == "^":  # x''^2 is one superscript
                is_simple = body == [r"\prime"] or (len(body) == 1 and body[0].isalnum())
                scripts[-1][1].extend(body if is_simple else _braced(body))
            else:
                scripts.append((mark, body))
            primed = token == "'"
        if [mark for mark, _ in scripts] == ["^", "_"]:
            scripts.reverse()
        return [token for mark, body in scripts for token in (mark, *_braced(body))]

    def _script_body(self) -> list[str]:
        token = self._next()
        if token == "{":
            return self._group(plain=False)
        if not _stands_alone(token) and token not in TAKEN_AS_ATOM:
            raise UnsupportedLatexError(f"got {token} as a script without braces")
        return self._atom(plain=False)

    def _group(self, *, plain: bool) -> list[str]:
        """What a braced group holds."""
        self._expect("{")
        inner = self._math(plain=plain)
        self._expect("}")
        return _named_font(inner)

    def _atom(self, *, plain: bool) -> list[str]:
        """The next token with its arguments; scripts are apart."""
        if self._next() == "{":
            return _braced(self._group(plain=plain))
        token = self._take()
        if token in STARRED and self._take_if("*"):
            token += "*"
        if token in ARGUMENTS:
            return self._command(token, plain=plain)
        if token in _SPECIAL:
            return _SPECIAL[token](self, token, plain)
        if token in _NO_INK:
            self._n_unnumbered += token in _UNNUMBERED
            return []
        if token == CONTROL_SPACE:
            return ["\\"]
        return ["/" if token == r"\slash" else token]  # TeX's \slash is a / after which a line may break

    def _command(self, token: str, *, plain: bool) -> list[str]:
        if ARGUMENTS[token] == "t":
            return [self._text_command(token, plain=plain)]
        out = [token]
        for kind in ARGUMENTS[token]:
            if kind in "mpo":
                argument = self._markup_argument(token, kind)
                if token == r"\mathchoice" and out[-1] == "}":  # KaTeX allows no space between its arguments
                    out[-1:], argument = ["}{"], argument[1:]
                out += argument
            elif len(out) == 1:
                out[0] += self._glued_argument(kind)
            else:
                out.append(self._glued_argument(kind))
        return out

    def _markup_argument(self, command: str, kind: str) -> list[str]:
        if kind == "o":
            if not self._take_if("["):
                return []
            inner = self._math(frozenset("]"), plain=False)
            self._expect("]")
            return ["[", *inner, "]"]
        token = self._next()
        if token == "{":
            return _braced(self._group(plain=False))
        if not _stands_alone(token) and not (kind == "p" and token in TAKEN_AS_ATOM):
            raise UnsupportedLatexError(f"got {token} as the argument of {command} without braces")
        return _braced(self._atom(plain=False))

    def _glued_argument(self, kind: str) -> str:
        """An argument that is neither math nor text, as it stands right after its command."""
        if kind == "t":
            return f"{{{self._text_argument()}}}"
        if kind in "SR":
            if not self._take_if("["):
                return ""
            raw = self._raw("]")
            return f"[{self._size(raw) if kind == 'S' else raw}]"
        if kind == "k" and self._next() != "{":
            try:
                found, self._at = bare_size(self._tokens, self._at)
            except LatexSizeError as error:
                raise UnsupportedLatexError(str(error)) from error
            return found
        raw = self._raw_argument()
        if kind == "r":
            return f"{{{raw}}}"
        return self._size(raw) if kind == "k" else f"{{{self._size(raw)}}}"

    def _size(self, raw: str) -> str:
        try:
            return size(raw)
        except LatexSizeError as error:
            raise UnsupportedLatexError(str(error)) from error

    # text

    def _text_command(self, token: str, *, plain: bool) -> str:
        """`\\text{…}` and its kin as one token; `\\mbox` as `\\text` where they look the same, else as `\\hbox`."""
        inner = self._text_argument()
        if token == r"\mbox":
            token = r"\text" if plain else r"\hbox"
        elif token == r"\hbox" and plain and inner.strip() and not {"\\", "$"} & set(inner):
            token = r"\text"
        return f"{token}{{{inner}}}"

    def _text_argument(self) -> str:
        if self._take_if("{"):
            inner = self._text()
            self._expect("}")
            return inner
        token = self._take()
        if token in _CLOSING or token in ARGUMENTS or token in {"$", "["}:  # `[`: an option that KaTeX lacks
            raise UnsupportedLatexError(f"got {token} as text without braces")
        return token

    def _text(self, stops: frozenset[str] = frozenset(), *, bold_math: bool = False) -> str:
        """Text up to the `}` that closes it, or to one of `stops`: white space kept, math in it canonical."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsupportedLatexError(f"nested deeper than {MAX_DEPTH}")
        text = ""
        after_word = False
        while (token := self._peek()) not in stops and token != "}":
            self._at += 1
            if token is None:
                raise UnsupportedLatexError("text ends too early")
            if token in {r"\boldmath", r"\unboldmath"}:
                bold_math = token == r"\boldmath"
                continue
            if token == "{":
                piece = f"{{{self._text(bold_math=bold_math)}}}"
                self._expect("}")
            elif token in {"$", r"\("}:
                inner = self._math(frozenset({"$" if token == "$" else r"\)"}), plain=False)
                self._at += 1
                if bold_math:
                    inner = [r"\boldsymbol", *_braced(inner)]
                piece = f"${join_math(inner)}$"
            elif token in ARGUMENTS:
                piece = self._command_in_text(token)
            else:
                piece = "" if token in _NO_INK else token
            text += f" {piece}" if after_word and piece[:1].isalpha() else piece
            after_word = _WORD.fullmatch(piece) is not None
        self._depth -= 1
        return text

    def _command_in_text(self, token: str) -> str:
        if token in STARRED and self._take_if("*"):
            token += "*"
        piece = r"\text" if token == r"\mbox" else token
        for kind in ARGUMENTS[token]:
            if kind == "o":
                raise UnsupportedLatexError(f"{token} in text")
            piece += self._glued_argument("t" if kind in "mpt" else kind)
            if kind == "k" and self._peek() == SPACE:  # the space that ends a bare size is not seen
                self._at += 1
        return piece

    # what has a form of its own

    def _row_end(self, _token: str, _plain: bool) -> list[str]:
        """`\\\\` with its gap; `[` after a space is the next row's first character, as amsmath and KaTeX read it."""
        if self._peek() != "[":
            return [r"\\"]
        self._at += 1
        gap = self._size(self._raw("]"))
        return [rf"\\[{gap}]"]

    def _delimited(self, _token: str, plain: bool) -> list[str]:
        """`\\left(…\\middle|…\\right)`: each part is a group of its own."""
        out = self._with_delimiter(r"\left") + self._math(_MIDDLE, plain=plain)
        while self._take_if(r"\middle"):
            out += self._with_delimiter(r"\middle") + self._math(_MIDDLE, plain=plain)
        self._expect(r"\right")
        return out + self._with_delimiter(r"\right")

    def _with_delimiter(self, token: str) -> list[str]:
        delimiter = self._take()
        return [token, delimiter] if delimiter[0].isalpha() else [token + delimiter]

    def _environment(self, _token: str, plain: bool) -> list[str]:
        name = self._raw_argument()
        if name in _STANDS_ALONE:
            raise UnsupportedLatexError(f"{name} inside a formula")
        unstarred = name.removesuffix("*")
        shown = _ENVIRONMENTS.get(unstarred, name)
        if shown != name and self._keeps_tags:
            if shown == "array":
                raise UnsupportedLatexError(f"\\tag in {name}")
            shown = f"{unstarred}*"
        out = [rf"\begin{{{shown}}}"]
        if shown in _WITH_POSITION:
            self._skip_position(shown)
        if unstarred == "eqnarray":
            out += ["{", "r", "c", "l", "}"]
        elif name in _WITH_COLUMNS:
            out += ["{", *tokenize(_expanded_columns(self._raw_argument())), "}"]
        n_unnumbered = self._n_unnumbered
        # eqnarray sets its outer columns in display style (LaTeX, ltmath.dtx).
        rows, n_rows = self._rows(plain=plain, display=frozenset({0, 2} if unstarred == "eqnarray" else ()))
        self._expect(r"\end")
        if (end := self._raw_argument()) != name:
            raise UnsupportedLatexError(f"\\begin{{{name}}} ended by \\end{{{end}}}")
        if name in _ENVIRONMENTS and self._n_unnumbered - n_unnumbered < n_rows:
            self.warnings.append(EQUATION_NUMBER_DROPPED)
        return [*out, *rows, rf"\end{{{shown}}}"]

    def _skip_position(self, name: str) -> None:
        """`[c]` is what one has without it; `[t]` and `[b]`, which KaTeX lacks, cannot be kept."""
        self._next()
        match self._tokens[self._at : self._at + 3]:
            case ["[", "c", "]"]:
                self._at += 3
            case ["[", "t" | "b", "]"]:
                raise UnsupportedLatexError(f"vertical position of {name}")

    def _rows(
        self, *, plain: bool, display: frozenset[int] = frozenset(), text: frozenset[int] = frozenset()
    ) -> tuple[list[str], int]:
        """Cells up to what closes them, and the number of rows; `display`, `text`: columns in such a style."""
        out: list[str] = []
        column = 0
        n_rows = 0
        row_counted = False
        while True:
            if column in text:
                words = self._text(_CELL_ENDS).strip()
                cell = [rf"\text{{{words}}}"] if words else []
            else:
                cell = self._math(_CELL_ENDS, plain=plain, in_cell=True)
            if display and column > max(display) and cell:
                raise UnsupportedLatexError("too many columns in eqnarray")
            if cell and not row_counted:
                n_rows, row_counted = n_rows + 1, True
            out += [r"\displaystyle", *cell] if cell and column in display else cell
            token = self._next()
            if token not in _CELL_ENDS:
                return out, n_rows
            self._at += 1
            if token == "&":
                out.append("&")
                column += 1
            else:
                out += self._row_end(token, plain) if token == r"\\" else [r"\\"]
                column, row_counted = 0, False

    def _plain_tex_table(self, token: str, plain: bool) -> list[str]:
        """`\\matrix{… \\cr …}` and its kin; the second column of `\\cases` is text (plain.tex)."""
        name = _PLAIN_TEX_TABLES[token]
        self._expect("{")
        rows, _ = self._rows(plain=plain, text=frozenset({1} if name == "cases" else ()))
        self._expect("}")
        return [rf"\begin{{{name}}}", *rows, rf"\end{{{name}}}"]

    def _skip_vertically(self, *, in_cell: bool) -> None:
        """Vertical space shows in a formula only between the rows of a table."""
        if self._take() == r"\vspace":
            self._take_if("*")
            self._raw_argument()
        if in_cell:
            self.warnings.append(VERTICAL_SPACE_DROPPED)

    def _overlapping(self, _token: str, _plain: bool) -> list[str]:
        r"""\lefteqn is \rlap{$\displaystyle …$} (LaTeX, ltmath.dtx)."""
        inner = self._group(plain=False)
        body = join_math([r"\displaystyle", *inner])
        return [rf"\rlap{{${body}$}}"]

    def _stacked(self, _token: str, _plain: bool) -> list[str]:
        r"""\buildrel a \over b is \stackrel{a}{b} (plain.tex)."""
        above = self._math(frozenset({r"\over"}), plain=False)
        self._expect(r"\over")
        return [r"\stackrel", *_braced(_unwrapped(above)), *self._markup_argument(r"\buildrel", "m")]

    def _raised(self, token: str, _plain: bool) -> list[str]:
        r"""\raise and \lower, TeX's own, as \raisebox."""
        height = self._glued_argument("k")
        if token == r"\lower":
            height = height[1:] if height.startswith("-") else f"-{height.removeprefix('+')}"
        if self._take() not in {r"\hbox", r"\mbox"}:
            raise UnsupportedLatexError(f"{token} without a box")
        return [rf"\raisebox{{{height}}}{{{self._text_argument()}}}"]

    def _ensured(self, _token: str, plain: bool) -> list[str]:
        return self._group(plain=plain)

    def _made_box(self, _token: str, plain: bool) -> list[str]:
        if self._next() in {"[", "("}:
            raise UnsupportedLatexError(r"\makebox with a size")
        return [self._text_command(r"\mbox", plain=plain)]


_SPECIAL: Final[dict[str, Callable[[Rewriter, str, bool], list[str]]]] = {
    r"\\": Rewriter._row_end,
    r"\left": Rewriter._delimited,
    r"\begin": Rewriter._environment,
    **dict.fromkeys(_PLAIN_TEX_TABLES, Rewriter._plain_tex_table),
    r"\lefteqn": Rewriter._overlapping,
    r"\buildrel": Rewriter._stacked,
    r"\raise": Rewriter._raised,
    r"\lower": Rewriter._raised,
    r"\ensuremath": Rewriter._ensured,
    r"\makebox": Rewriter._made_box,
}


def _stands_alone(token: str | None) -> bool:
    """Whether it is an argument or a script as it stands, without braces."""
    return (
        token is not None
        and token not in ARGUMENTS
        and token not in _SPECIAL
        and token not in _NO_ARGUMENT
        and token[0] not in UNICODE_SCRIPTS
    )


def join_math(tokens: list[str]) -> str:
    """Tokens with a space between; a control space at the end keeps its own."""
    return " ".join(tokens) + (" " if tokens and tokens[-1] == "\\" else "")


def _braced(tokens: list[str]) -> list[str]:
    return ["{", *tokens, "}"]


def _named_font(tokens: list[str]) -> list[str]:
    """`{\\rm x}` as `{\\mathrm{x}}`, which KaTeX and TeX show alike."""
    if len(tokens) > 1 and tokens[0] in _SWITCH_COMMANDS and INFIXES.isdisjoint(tokens):
        return [_SWITCH_COMMANDS[tokens[0]], *_braced(tokens[1:])]
    return tokens


def _unwrapped(tokens: list[str]) -> list[str]:
    """What is inside, where `tokens` is one braced group: `{a} \\over {b}` is `\\frac{a}{b}`."""
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return tokens
    depth = 0
    for token in tokens[:-1]:
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return tokens
    return tokens[1:-1]


def _expanded_columns(columns: str) -> str:
    """`*{3}{c}` written out."""
    return _REPEATED_COLUMN.sub(lambda match: int(match[1]) * (match[2] or match[3] or ""), columns)
