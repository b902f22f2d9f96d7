r"""A formula in canonical form as a tree of groups, and cut into short pieces that can stand elsewhere.

    \frac { a } { b _ { i } } + c     ->     [\frac {a} {b _ {i}}]  [+]  [c]

A unit is a symbol or command with the groups and scripts that belong to it; a piece is a run of a few units without
a sign of relation or a mark between cells in it.
"""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from curation.markup.latex_tokens import ARGUMENTS

SEPARATORS: Final = frozenset(
    [
        *("=", "+", "-", ",", ";", ".", ":", "&", r"\\", "<", ">", "/", "|", "!", "\\"),
        *(r"\equiv", r"\sim", r"\approx", r"\simeq", r"\rightarrow", r"\to", r"\leq", r"\geq", r"\le", r"\ge"),
        *(r"\ll", r"\gg", r"\pm", r"\mp", r"\neq", r"\in", r"\cdot", r"\times", r"\otimes", r"\wedge"),
        *(r"\,", r"\;", r"\:", r"\!", "~", r"\quad", r"\qquad", r"\ldots", r"\cdots", r"\dots"),
        *(r"\rm", r"\cal", r"\bf", r"\it", r"\sf", r"\displaystyle"),
    ]
)
"""What stands between pieces, signs and spaces and switches; it stays where it is."""

_OPENING: Final = ("\\left", "\\begin{")
_CLOSING: Final = ("\\right", "\\end{")
_TAKES_A_SIGN: Final = (r"\big", r"\Big")
_LEFT_NAMES: Final = frozenset({r"\leftarrow", r"\leftrightarrow", r"\lefteqn", r"\leftharpoonup", r"\leftharpoondown"})
_RIGHT_NAMES: Final = frozenset({r"\rightarrow", r"\rightharpoonup", r"\rightharpoondown", r"\rightleftharpoons"})


@dataclass(frozen=True)
class Group:
    r"""What stands between `{` and `}`, `\left(` and `\right)`, `\begin{…}` (with its columns) and `\end{…}`."""

    opening: tuple[str, ...]
    body: tuple[Node, ...]
    closing: str

    @property
    def is_braced(self) -> bool:
        """Whether it is one of braces."""
        return self.opening == ("{",)


Node = str | Group
Piece = tuple[Node, ...]


def read_formula(text: str) -> Piece | None:
    """The tree of a formula in canonical form (tokens between single spaces); None where its groups do not close."""
    stack: list[tuple[tuple[str, ...], list[Node]]] = [((), [])]
    for token in text.split(" "):
        if not token:
            continue
        if _opens(token):
            stack.append(((token,), []))
        elif _closes(token):
            opening, body = stack.pop()
            if not stack or not _fits(opening, token):
                return None
            stack[-1][1].append(_group(opening, body, token))
        else:
            stack[-1][1].append(token)
    return tuple(stack[0][1]) if len(stack) == 1 else None


def write_formula(nodes: Sequence[Node]) -> str:
    """The text of a tree."""
    return " ".join(tokens_of(nodes))


def tokens_of(nodes: Sequence[Node]) -> list[str]:
    """All tokens of a tree, in order."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            found.append(node)
        else:
            found += [*node.opening, *tokens_of(node.body), node.closing]
    return found


def units_of(nodes: Sequence[Node]) -> list[Piece]:
    """The nodes in units: no group of arguments and no script stands apart from what it belongs to."""
    units: list[list[Node]] = []
    place = 0
    while place < len(nodes):
        start = place
        node = nodes[place]
        place += 1
        if isinstance(node, str):
            if "o" in ARGUMENTS.get(node, "") and place < len(nodes) and nodes[place] == "[":
                place = _after_bracket(nodes, place)
            if node.startswith(_TAKES_A_SIGN) and place < len(nodes):
                place += 1
            while place < len(nodes) and _is_braced(nodes[place]):
                place += 1
        while place + 1 < len(nodes) and nodes[place] in ("_", "^"):
            place += 2
        units.append(list(nodes[start:place]))
    return [tuple(unit) for unit in units]


def runs_of(nodes: Sequence[Node]) -> Iterator[list[Piece]]:
    """Runs of units between separators; a separator is a run of its own."""
    run: list[Piece] = []
    for unit in units_of(nodes):
        if len(unit) == 1 and unit[0] in SEPARATORS:
            if run:
                yield run
            yield [unit]
            run = []
        else:
            run.append(unit)
    if run:
        yield run


def groups_in(nodes: Sequence[Node]) -> Iterator[tuple[str, Group]]:
    """Every group with what it stands in: the command or sign before it, or its own opening."""
    head = ""
    for node in nodes:
        if isinstance(node, str):
            head = node
            continue
        place = head if node.is_braced else node.opening[0]
        yield place, node
        yield from groups_in(node.body)


def _opens(token: str) -> bool:
    return token == "{" or (token.startswith(_OPENING) and token not in _LEFT_NAMES)


def _closes(token: str) -> bool:
    return token == "}" or (token.startswith(_CLOSING) and token not in _RIGHT_NAMES)


def _fits(opening: tuple[str, ...], closing: str) -> bool:
    if not opening:
        return False
    if opening[0] == "{":
        return closing == "}"
    return closing.startswith("\\right") == opening[0].startswith("\\left") and closing != "}"


def _group(opening: tuple[str, ...], body: list[Node], closing: str) -> Group:
    if opening[0].startswith("\\begin{array") and body and _is_braced(body[0]):
        columns = tokens_of(body[:1])  # say how many cells a row has: they belong to the opening
        return Group((*opening, *columns), tuple(body[1:]), closing)
    return Group(opening, tuple(body), closing)


def _is_braced(node: Node) -> bool:
    return isinstance(node, Group) and node.is_braced


def _after_bracket(nodes: Sequence[Node], place: int) -> int:
    depth = 0
    while place < len(nodes):
        depth += (nodes[place] == "[") - (nodes[place] == "]")
        place += 1
        if depth == 0:
            break
    return place
