"""A place in a list of LaTeX tokens, and how to go on from there."""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from curation.markup.latex_size import LatexSizeError, bare_size, size
from curation.markup.latex_tokens import SPACE

MAX_DEPTH: Final = 100
"""Nesting at which a formula is refused: well inside Python's own limit; real ones stay under 20."""


class UnsupportedLatexError(Exception):
    """A formula that has no canonical form; the message is one line for the reject."""


class Reader:
    """Reads tokens from first to last; what is missing or too deep raises UnsupportedLatexError."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.deepest = 0

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level of nesting."""
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)
        if self._depth > MAX_DEPTH:
            raise UnsupportedLatexError(f"nested deeper than {MAX_DEPTH}")
        yield
        self._depth -= 1

    def peek(self) -> str | None:
        """The token here, a space too; None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def skip(self) -> None:
        """Go on by one token."""
        self._at += 1

    def next(self) -> str | None:
        """The next token that is no space, not yet taken; None at the end."""
        while self.peek() == SPACE:
            self._at += 1
        return self.peek()

    def next_three(self) -> list[str]:
        """The next token that is no space and the two behind it, not yet taken."""
        self.next()
        return self._tokens[self._at : self._at + 3]

    def take(self) -> str:
        """The next token that is no space."""
        token = self.next()
        if token is None:
            raise UnsupportedLatexError("the formula ends too early")
        self._at += 1
        return token

    def take_if(self, token: str) -> bool:
        """Take the next token if it is this one; whether it was."""
        found = self.next() == token
        self._at += found
        return found

    def expect(self, token: str) -> None:
        """Take the next token, which has to be this one."""
        found = self.take()
        if found != token:
            raise UnsupportedLatexError(f"expected {token}, got {found}")

    def raw(self, closing: str) -> str:
        """The characters up to `closing`, which is taken too, without white space."""
        pieces: list[str] = []
        depth = 0
        while (token := self.take()) != closing or depth:
            depth += (token == "{") - (token == "}")
            pieces.append(token)
        return "".join(pieces)

    def raw_argument(self) -> str:
        """The next argument's characters without white space."""
        return self.raw("}") if self.take_if("{") else self.take()

    def size(self, closing: str = "") -> str:
        """A size: up to `closing`, or else the next argument."""
        raw = self.raw(closing) if closing else self.raw_argument()
        try:
            return size(raw)
        except LatexSizeError as error:
            raise UnsupportedLatexError(str(error)) from error

    def bare_size(self) -> str:
        """A size that TeX reads without braces (KaTeX allows them)."""
        if self.next() == "{":
            return self.size()
        try:
            found, self._at = bare_size(self._tokens, self._at)
        except LatexSizeError as error:
            raise UnsupportedLatexError(str(error)) from error
        return found
