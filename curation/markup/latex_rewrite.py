"""The rewriting behind LaTeX canonical form: one pass over the tokens, by recursive descent.

Every rewrite keeps the picture: in KaTeX where KaTeX takes the source, in TeX where KaTeX lacks the command. What no
rewrite can keep is an `UnsupportedLatexError`, which ends as a reject.
"""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

import re
from typing import Final

from curation.markup.latex_reader import Reader, UnsupportedLatexError
from curation.markup.latex_special import SPECIAL, VERTICAL_SPACE_DROPPED
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
    braced,
    join_math,
    unwrapped,
)

_SCRIPT_MARKS: Final = {"_": "_", "^": "^", r"\sb": "_", r"\sp": "^"}
_INFIX_COMMANDS: Final = {r"\over": r"\frac", r"\choose": r"\binom"}
_SWITCH_COMMANDS: Final = {r"\rm": r"\mathrm", r"\mit": r"\mathnormal"}
_UNNUMBERED: Final = frozenset({r"\nonumber", r"\notag"})
_NO_INK: Final = _UNNUMBERED | {r"\protect", r"\noindent"}
_VERTICAL_SKIPS: Final = frozenset({r"\vspace", r"\smallskip", r"\medskip", r"\bigskip"})
_FILLS: Final = frozenset({r"\hfill", r"\hfil", r"\hss"})
_CLOSING: Final = frozenset({"}", r"\right", r"\end", r"\eqno"})
_SAME_WITHOUT_BRACES: Final = re.compile(r"[^\W_]|\\prime")
_WORD: Final = re.compile(r"\\[a-zA-Z@]+")

_NEEDS_BRACES: Final = (
    ARGUMENTS.keys()
    | SPECIAL.keys()
    | _SCRIPT_MARKS.keys()
    | FONT_SWITCHES
    | STYLE_SWITCHES
    | INFIXES
    | _CLOSING
    | {"'", "&", r"\cr", r"\limits", r"\nolimits"}
)
"""What is no argument and no script as it stands."""


class Rewriter:
    r"""Reads a formula once and gives its tokens back in canonical form; `warnings`: what shows and was left out.

    `plain` in its methods is False where `\mbox` and `\text` look different: in scripts and arguments, where
    `\text` may shrink, and after a font switch.
    """

    def __init__(self, tokens: list[str]) -> None:
        self.reader = Reader(tokens)
        self.keeps_tags = r"\tag" in tokens
        self.n_unnumbered = 0
        self.warnings: list[str] = []
        self._text_may_shrink = not SCRIPT_STYLES.isdisjoint(tokens)

    def formula(self) -> list[str]:
        """Canonical tokens of the whole formula. Raises UnsupportedLatexError."""
        out = self.math(plain=not self._text_may_shrink)
        if self.reader.take_if(r"\eqno"):
            out.append(rf"\tag*{{${join_math(self.math(plain=False))}$}}")
        if self.reader.next() is not None:
            raise UnsupportedLatexError(f"unexpected {self.reader.next()}")
        return out

    def math(self, stops: frozenset[str] = frozenset(), *, plain: bool, in_cell: bool = False) -> list[str]:
        """One list of atoms, up to a token of `stops` or one that closes something; that one is not taken."""
        out: list[str] = []
        numerator: list[str] = []
        infix = ""
        switched = False
        with self.reader.deeper():
            while (token := self.reader.next()) is not None and token not in stops and token not in _CLOSING:
                is_script = token == "'" or token in _SCRIPT_MARKS
                if token in _INFIX_COMMANDS and not switched:
                    if infix:
                        raise UnsupportedLatexError("two infix operators in one group")
                    self.reader.skip()
                    infix, numerator, out = _INFIX_COMMANDS[token], out, []
                elif out and out[-1] in INFIXES and (is_script or token[0] in UNICODE_SCRIPTS):
                    out += braced([])  # else KaTeX takes the infix itself for what carries the script
                elif is_script:
                    out += self._scripts()
                elif token in _FILLS and not in_cell:
                    self.reader.skip()  # nothing to fill: formulas and groups are as wide as what they hold
                elif token in _VERTICAL_SKIPS:
                    self._skip_vertically(in_cell=in_cell)
                else:
                    if token in FONT_SWITCHES:
                        # How far it reaches beyond \over differs between TeX and KaTeX: such an \over stays.
                        switched, plain = True, False
                    out += self._atom(plain=plain)
        return [infix, *braced(unwrapped(numerator)), *braced(_named_font(unwrapped(out)))] if infix else out

    def group(self, *, plain: bool) -> list[str]:
        """What a braced group holds."""
        self.reader.expect("{")
        inner = self.math(plain=plain)
        self.reader.expect("}")
        return _named_font(inner)

    def markup_argument(self, command: str, kind: str) -> list[str]:
        """An argument of kind m, p or o (`latex_tokens.ARGUMENTS`), in its braces or brackets."""
        token = self.reader.next()
        if kind == "o":
            if not self.reader.take_if("["):
                return []
            inner = self.math(frozenset("]"), plain=False)
            self.reader.expect("]")
            return ["[", *inner, "]"]
        if token == "{":
            return braced(self.group(plain=False))
        if not (_is_argument(token) or (kind == "p" and token in TAKEN_AS_ATOM)):
            raise UnsupportedLatexError(f"got {token or 'nothing'} as the argument of {command} without braces")
        return braced(self._atom(plain=False))

    def text_argument(self) -> str:
        """An argument in text mode, without its braces."""
        if self.reader.take_if("{"):
            inner = self.text()
            self.reader.expect("}")
            return inner
        token = self.reader.take()
        if token in _NEEDS_BRACES or token in {"$", "["}:  # `[`: an option that KaTeX lacks
            raise UnsupportedLatexError(f"got {token} as text without braces")
        return token

    def text_command(self, token: str, *, plain: bool) -> str:
        r"""`\text{…}` and its kin as one token; `\mbox` as `\text` where they look the same, else as `\hbox`."""
        inner = self.text_argument()
        if token == r"\mbox":
            token = r"\text" if plain else r"\hbox"
        elif token == r"\hbox" and plain and inner.strip() and not {"\\", "$"} & set(inner):
            token = r"\text"
        return f"{token}{{{inner}}}"

    def text(self, stops: frozenset[str] = frozenset(), *, bold_math: bool = False) -> str:
        """Text up to the `}` that closes it, or to one of `stops`: white space kept, math in it canonical."""
        text = ""
        after_word = False
        with self.reader.deeper():
            while (token := self.reader.peek()) != "}" and token not in stops:
                self.reader.skip()
                if token is None:
                    raise UnsupportedLatexError("text ends too early")
                if token in {r"\boldmath", r"\unboldmath"}:
                    bold_math = token == r"\boldmath"
                    continue
                if token == "{":
                    piece = f"{{{self.text(bold_math=bold_math)}}}"
                    self.reader.expect("}")
                elif token in {"$", r"\("}:
                    closing = "$" if token == "$" else r"\)"
                    inner = self.math(frozenset({closing}), plain=False)
                    self.reader.expect(closing)
                    if bold_math:
                        inner = [r"\boldsymbol", *braced(inner)]
                    piece = f"${join_math(inner)}$"
                elif token in ARGUMENTS:
                    piece = self._command_in_text(token)
                else:
                    piece = "" if token in _NO_INK else token
                text += f" {piece}" if after_word and piece[:1].isalpha() else piece
                after_word = _WORD.fullmatch(piece) is not None
        return text

    def _scripts(self) -> list[str]:
        """A run of scripts and primes: each in braces, a subscript before its superscript."""
        scripts: list[tuple[str, list[str]]] = []
        primed = False
        while (token := self.reader.next()) == "'" or token in _SCRIPT_MARKS:
            self.reader.skip()
            if token == "'":
                mark, body = "^", [r"\prime"]
            else:
                mark, body = _SCRIPT_MARKS[str(token)], self._script_body()
            if primed and mark == "^":  # x''^2 is one superscript
                scripts[-1][1].extend(body)
            else:
                scripts.append((mark, unwrapped(body)))
            primed = token == "'"
        if [mark for mark, _ in scripts] == ["^", "_"]:
            scripts.reverse()
        return [token for mark, body in scripts for token in (mark, *braced(body))]

    def _script_body(self) -> list[str]:
        """What a script holds, in the source's braces where they could show behind a prime."""
        token = self.reader.next()
        if token == "{":
            inner = self.group(plain=False)
            return inner if len(inner) == 1 and _SAME_WITHOUT_BRACES.fullmatch(inner[0]) else braced(inner)
        if not _is_argument(token) and token not in TAKEN_AS_ATOM:
            raise UnsupportedLatexError(f"got {token or 'nothing'} as a script without braces")
        return self._atom(plain=False)

    def _atom(self, *, plain: bool) -> list[str]:
        """The next token with its arguments; scripts are apart."""
        if self.reader.next() == "{":
            return braced(self.group(plain=plain))
        token = self.reader.take()
        if token in STARRED and self.reader.take_if("*"):
            token += "*"
        if token in ARGUMENTS:
            return self._command(token, plain=plain)
        if token in SPECIAL:
            return SPECIAL[token](self, token, plain)
        if token in _NO_INK:
            self.n_unnumbered += token in _UNNUMBERED
            return []
        if token == CONTROL_SPACE:
            return ["\\"]
        return ["/" if token == r"\slash" else token]  # TeX's \slash is a / after which a line may break

    def _command(self, token: str, *, plain: bool) -> list[str]:
        if ARGUMENTS[token] == "t":
            return [self.text_command(token, plain=plain)]
        out = [token]
        for kind in ARGUMENTS[token]:
            if kind in "mpo":
                argument = self.markup_argument(token, kind)
                if token == r"\mathchoice" and out[-1] == "}":  # KaTeX allows no space between its arguments
                    out[-1:], argument = ["}{"], argument[1:]
                out += argument
            elif len(out) == 1:
                out[0] += self._glued_argument(kind)
            else:
                out.append(self._glued_argument(kind))
        return out

    def _command_in_text(self, token: str) -> str:
        if token in STARRED and self.reader.take_if("*"):
            token += "*"
        piece = r"\text" if token == r"\mbox" else token
        for kind in ARGUMENTS[token]:
            if kind == "o":
                raise UnsupportedLatexError(f"{token} in text")
            piece += self._glued_argument("t" if kind in "mpt" else kind)
            if kind == "k" and self.reader.peek() == SPACE:  # the space that ends a bare size does not show
                self.reader.skip()
        return piece

    def _glued_argument(self, kind: str) -> str:
        """An argument that is no markup of math, as it stands right behind its command."""
        if kind == "t":
            return f"{{{self.text_argument()}}}"
        if kind == "k":
            return self.reader.bare_size()
        if kind == "r":
            return f"{{{self.reader.raw_argument()}}}"
        if kind == "s":
            return f"{{{self.reader.size()}}}"
        if not self.reader.take_if("["):
            return ""
        return f"[{self.reader.size(']') if kind == 'S' else self.reader.raw(']')}]"

    def _skip_vertically(self, *, in_cell: bool) -> None:
        """Vertical space shows in a formula only between the rows of a table."""
        if self.reader.take() == r"\vspace":
            self.reader.take_if("*")
            self.reader.raw_argument()
        if in_cell:
            self.warnings.append(VERTICAL_SPACE_DROPPED)


def _is_argument(token: str | None) -> bool:
    """Whether it is an argument or a script as it stands, without braces."""
    return token is not None and token not in _NEEDS_BRACES and token[0] not in UNICODE_SCRIPTS


def _named_font(tokens: list[str]) -> list[str]:
    r"""`{\rm x}` as `{\mathrm{x}}`, which KaTeX and TeX show alike."""
    if len(tokens) > 1 and tokens[0] in _SWITCH_COMMANDS and INFIXES.isdisjoint(tokens):
        return [_SWITCH_COMMANDS[tokens[0]], *braced(_named_font(tokens[1:]))]
    return tokens
