"""Formulas put together from short pieces of many others, in the letters of one: as varied as those, and none of them.

A formula of the reference gives the frame: its signs of relation and which kinds of groups stand where. Its pieces
are replaced by pieces of others of about the same length that stand in the same kind of place, and letters that come
with these become letters that the frame has: real formulas say the same few letters again and again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from curation.classes.formulas import commands_of, environments_of
from curation.generate.choose import between, pick, pick_weighted
from curation.synthesize.latex_pieces import (
    SEPARATORS,
    Group,
    Node,
    Piece,
    groups_in,
    read_formula,
    runs_of,
    tokens_of,
    write_formula,
)

MOST_TOKENS: Final = 16
"""A piece is no longer: a formula has a median of 53 in im2latex's data."""

MOST_UNITS: Final = 4
REPLACED: Final = 0.85
"""Share of the pieces that are replaced where another fits."""

_RENAMED: Final = 0.9
"""Share of a frame's letters that take another name, where the one drawn is free."""

_OWN_LETTERS: Final = 0.05
"""Share of the letters of a piece that stay its own."""

_KEPT_LETTERS: Final = frozenset("dei")
"""Differential, base and unit: not letters of one's own."""

_UPRIGHT: Final = (r"\operatorname", r"\operatorname*", r"\mathrm", r"\text", r"\mbox", r"\textrm", r"\rm", r"\hbox")
_GREEK_NAMES: Final = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
)
_GREEK: Final = frozenset(rf"\{name}" for name in _GREEK_NAMES)

Place = tuple[str, int, str]
"""Where a piece stands (what its group follows), about how long it is, and what it begins with."""


class FormulaPieces:
    """The pieces of a reference, by where they stand; makes formulas of them."""

    def __init__(self, formulas: Iterable[str]) -> None:
        trees = [(text, tree) for text in formulas if (tree := read_formula(text))]
        self._frames = [tree for _, tree in trees]
        self._pool: dict[Place, list[Piece]] = defaultdict(list)
        self._with_class: dict[str, list[tuple[str, Piece]]] = defaultdict(list)
        self._frames_with: dict[str, list[int]] = defaultdict(list)
        self._letters: Counter[str] = Counter()
        for number, (text, tree) in enumerate(trees):
            self._letters += _letters_in(tree)
            for name in _classes_in(text):
                self._frames_with[name].append(number)
            self._add("", tree)
            for place, group in groups_in(tree):
                self._add(place, group.body)

    def __len__(self) -> int:
        return len(self._frames)

    def has(self, name: str) -> bool:
        """Whether a formula of the reference has this class."""
        return name in self._frames_with

    def make(self, rng: Random, wanted: Sequence[str] = ()) -> str:
        """One formula; pieces with the `wanted` classes (`cmd:`, `env:`) are put in where the reference has some."""
        frame = self._frame(rng, wanted)
        frame = tuple(_with_names(frame, self._names(rng, _letters_in(frame), wanted)))
        letters = _letters_in(frame)
        made = list(self._remade(rng, "", frame, letters))
        lacking = [name for name in wanted if name not in _classes_in(write_formula(made))]
        for name in lacking:
            made = self._with_piece(rng, made, name, letters)
        return write_formula(made)

    def _frame(self, rng: Random, wanted: Sequence[str]) -> Piece:
        """Any formula; of an environment one that has it, as nothing short does."""
        environments = [name for name in wanted if name.startswith("env:") and name in self._frames_with]
        return self._frames[pick(rng, self._frames_with[environments[0]] if environments else range(len(self._frames)))]

    def _names(self, rng: Random, letters: Counter[str], wanted: Sequence[str]) -> dict[str, str]:
        """Other names for most of a formula's letters, no two the same, as common as the reference has them."""
        names: dict[str, str] = {}
        taken = set(letters)
        for letter in letters:
            kind = _letter_class(letter)
            others = {other: float(n) for other, n in self._letters.items() if _letter_class(other) == kind}
            new = pick_weighted(rng, others)
            if new not in taken and f"cmd:{letter}" not in wanted and rng.random() < _RENAMED:
                names[letter] = new
                taken.add(new)
        return names

    def _add(self, place: str, nodes: Sequence[Node]) -> None:
        for run in runs_of(nodes):
            for start in range(len(run)):
                for stop in range(start + 1, min(start + MOST_UNITS, len(run)) + 1):
                    piece = tuple(node for unit in run[start:stop] for node in unit)
                    n_tokens = len(tokens_of(piece))
                    if n_tokens > MOST_TOKENS or not _can_move(piece):
                        break
                    self._pool[_place(place, piece, n_tokens)].append(piece)
                    if stop == start + 1:
                        for name in _classes_in(write_formula(piece)):
                            self._with_class[name].append((place, piece))

    def _remade(self, rng: Random, place: str, nodes: Sequence[Node], letters: Counter[str]) -> Iterable[Node]:
        """The nodes with their pieces replaced."""
        for run in runs_of(nodes):
            if len(run) == 1 and len(run[0]) == 1 and run[0][0] in SEPARATORS:
                yield from run[0]
                continue
            start = 0
            while start < len(run):
                stop = min(len(run), start + between(rng, 1, MOST_UNITS))
                while stop > start + 1 and len(tokens_of(_joined(run[start:stop]))) > MOST_TOKENS:
                    stop -= 1
                yield from self._other(rng, place, _joined(run[start:stop]), letters)
                start = stop

    def _other(self, rng: Random, place: str, piece: Piece, letters: Counter[str]) -> Iterable[Node]:
        """Another piece for this one; where it is too long, or stays, its groups are made anew."""
        n_tokens = len(tokens_of(piece))
        pool = self._pool.get(_place(place, piece, n_tokens), ())
        if n_tokens <= MOST_TOKENS and len(pool) > 1 and _can_move(piece) and rng.random() < REPLACED:
            return _renamed(rng, pick(rng, pool), letters)
        made: list[Node] = []
        head = ""
        for node in piece:
            if isinstance(node, str):
                head = node
                made.append(node)
            elif head in _UPRIGHT or _is_switch(node):
                made.append(node)
            else:
                inner = self._remade(rng, head if node.is_braced else node.opening[0], node.body, letters)
                made.append(Group(node.opening, tuple(inner), node.closing))
        return made

    def _with_piece(self, rng: Random, made: list[Node], name: str, letters: Counter[str]) -> list[Node]:
        """The formula with a piece that has this class in place of one of its runs, or before one."""
        if name not in self._with_class:
            return made
        piece = list(_renamed(rng, pick(rng, self._with_class[name])[1], letters))
        runs = list(runs_of(made))
        place = pick(rng, [i for i, run in enumerate(runs) if not _is_separator(run)] or [0])
        units = runs[place]
        keeps = rng.random() < 0.6 or any(len(unit) > 6 for unit in units) or not _can_move(_joined(units))
        runs[place] = [tuple(piece), *units] if keeps else [tuple(piece)]
        return [node for run in runs for unit in run for node in unit]


def _place(place: str, piece: Piece, n_tokens: int) -> Place:
    """Kinds of places that take the same: scripts, arguments of one command, brackets, the line itself."""
    first = piece[0]
    if isinstance(first, Group):
        begin = first.opening[0]
    elif first.isdecimal():
        begin = "0"
    else:
        begin = _letter_class(first)[:1].lower() or first
    return "()" if place.startswith("\\left") else place, _size(n_tokens), begin


def _size(n_tokens: int) -> int:
    """A bucket of lengths: exact up to 4, then in steps of 3."""
    return n_tokens if n_tokens <= 4 else 5 + (n_tokens - 5) // 3


def _joined(units: Sequence[Piece]) -> Piece:
    return tuple(node for unit in units for node in unit)


def _is_separator(run: Sequence[Piece]) -> bool:
    return len(run) == 1 and len(run[0]) == 1 and run[0][0] in SEPARATORS


def _can_move(piece: Piece) -> bool:
    """Whether a piece makes sense elsewhere: it begins with no script, its brackets close."""
    if piece[0] in ("_", "^"):
        return False
    depth = 0
    for node in piece:
        depth += (node in ("(", "[", r"\{")) - (node in (")", "]", r"\}"))
        if depth < 0:
            return False
    return depth == 0


def _is_switch(group: Group) -> bool:
    """A group that begins with a switch of fonts: what is in it are words or marked letters."""
    return bool(group.body) and group.body[0] in (r"\rm", r"\cal", r"\bf", r"\it", r"\sf", r"\tt")


def _letter_class(token: str) -> str:
    if len(token) == 1 and token.isascii() and token.isalpha() and token not in _KEPT_LETTERS:
        return "upper" if token.isupper() else "lower"
    return ("Greek" if token[1].isupper() else "greek") if token in _GREEK else ""


def _letters_in(nodes: Sequence[Node]) -> Counter[str]:
    """How often each letter stands in the formula, upright words left out."""
    letters: Counter[str] = Counter()
    head = ""
    for node in nodes:
        if isinstance(node, str):
            head = node
            letters[node] += bool(_letter_class(node))
        elif head not in _UPRIGHT and not (node.body and node.body[0] == r"\rm"):
            letters += _letters_in(node.body)
    return +letters


def _renamed(rng: Random, piece: Piece, letters: Counter[str]) -> Piece:
    """The piece in the letters of the formula that it goes into; a few stay its own."""
    names: dict[str, str] = {}
    for letter in _letters_in(piece):
        if letter in letters or rng.random() < _OWN_LETTERS:
            continue
        there = {other: float(n) for other, n in letters.items() if _letter_class(other) == _letter_class(letter)}
        if there:
            names[letter] = pick_weighted(rng, there)
    return tuple(_with_names(piece, names)) if names else piece


def _with_names(nodes: Sequence[Node], names: dict[str, str]) -> Iterable[Node]:
    head = ""
    for node in nodes:
        if isinstance(node, str):
            head = node
            yield names.get(node, node)
        elif head in _UPRIGHT or (node.body and node.body[0] == r"\rm"):
            yield node
        else:
            yield Group(node.opening, tuple(_with_names(node.body, names)), node.closing)


def _classes_in(text: str) -> set[str]:
    return {f"cmd:{name}" for name in commands_of(text)} | {f"env:{name}" for name in environments_of(text)}
