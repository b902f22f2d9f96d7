"""True pairs of formula pictures and LaTeX, and ways to make one false: for `render_back.py`.

The pictures are im2markup's (LaTeX's own, cropped from A4 pages); three of four are then changed as pictures in the
world are: another size, JPEG, blur, noise.
"""

from __future__ import annotations

import io
import itertools
import random
import re
import string
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageFilter
from render_back_pair import DATA, Corruption, Pair

from curation.markup.canonical import Canonical
from curation.markup.latex import canonical_latex_batch
from rendering.pixels import crop_to_ink, decode_rgb

CONDITIONS: Final = ("given", "sized", "jpeg", "worn")
"""As it is; 0.6 to 1.6 times its size; JPEG of quality 30 to 80; 0.7 to 1.3 times, blurred, noisy, then JPEG."""

GREEK: Final = re.findall(
    r"\\\w+",
    r"\alpha\beta\gamma\delta\epsilon\eta\theta\kappa\lambda\mu\nu\xi\pi\rho\sigma\tau\phi\chi\psi\omega"
    r"\Gamma\Delta\Theta\Lambda\Pi\Sigma\Phi\Psi\Omega\varepsilon\varphi",
)
SIGNS: Final = [r"=", r"+", r"-", r"<", r">", r"\sim", r"\equiv", r"\in", r"\pm", r"\times", r"\rightarrow"]
KINDS: Final = (list(string.ascii_lowercase), list(string.ascii_uppercase), list(string.digits), GREEK, SIGNS)
NAMED: Final = {r"\begin", r"\end", r"\hspace", r"\vspace", r"\kern", r"\mkern", r"\operatorname", r"\text"}
"""Commands whose braces hold names and lengths, and no symbols."""
SIZED: Final = {r"\left", r"\right", r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"}


def true_pairs(n: int, seed: int) -> Iterator[Pair]:
    """At most `n` of im2markup's formulas that KaTeX takes, under one condition each, in turn."""
    files = sorted((DATA / "latex-im2markup").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    random.Random(seed).shuffle(rows)
    made = canonical_latex_batch([row["text"] for row in rows])
    taken = [(row, text.text) for row, text in zip(rows, made, strict=True) if isinstance(text, Canonical)]
    for index, (row, text) in enumerate(taken[:n]):
        page = decode_rgb(row["image"]["bytes"])
        picture = crop_to_ink(page, 8) if isinstance(page, Image.Image) else None
        if picture is not None:
            condition = CONDITIONS[index % len(CONDITIONS)]
            yield Pair(changed(picture, condition, random.Random(f"{seed} {index}")), text, condition)


def changed(picture: Image.Image, condition: str, chooser: random.Random) -> Image.Image:
    """`picture` under a condition of `CONDITIONS`."""
    if condition in {"sized", "worn"}:
        scale = chooser.uniform(0.6, 1.6) if condition == "sized" else chooser.uniform(0.7, 1.3)
        size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    if condition == "worn":
        picture = picture.filter(ImageFilter.GaussianBlur(chooser.uniform(0.3, 0.9)))
        noise = np.random.default_rng(chooser.randrange(2**32)).normal(
            0, chooser.uniform(2, 10), (picture.height, picture.width, 1)
        )
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    if condition in {"jpeg", "worn"}:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=chooser.randint(30, 80))
        picture = Image.open(packed).convert("RGB")
    return picture


def _symbols(tokens: list[str]) -> list[int]:
    """Places of the tokens that show a symbol which can be another one."""
    places, i = [], 0
    while i < len(tokens):
        if tokens[i] in NAMED:
            is_array = tokens[i] == r"\begin"
            i = _after_braces(tokens, i + 1)
            if is_array and i < len(tokens) and tokens[i] == "{":
                i = _after_braces(tokens, i)
        elif tokens[i] in SIZED:
            i += 2
        else:
            if any(tokens[i] in kind for kind in KINDS):
                places.append(i)
            i += 1
    return places


def _after_braces(tokens: list[str], i: int) -> int:
    depth = 0
    while i < len(tokens):
        depth += (tokens[i] == "{") - (tokens[i] == "}")
        i += 1
        if depth <= 0:
            break
    return i


def symbol_changed(markup: str, chooser: random.Random) -> str | None:
    """One letter, digit or sign is another one of its kind."""
    tokens = markup.split(" ")
    places = _symbols(tokens)
    if not places:
        return None
    i = chooser.choice(places)
    kind = next(kind for kind in KINDS if tokens[i] in kind)
    tokens[i] = chooser.choice([other for other in kind if other != tokens[i]])
    return " ".join(tokens)


def symbol_removed(markup: str, chooser: random.Random) -> str | None:
    """One letter, digit or sign is gone."""
    tokens = markup.split(" ")
    places = _symbols(tokens)
    if len(places) < 2:
        return None
    i = chooser.choice(places)
    tokens[i : i + 1] = ["{", "}"] if i and tokens[i - 1] in {"^", "_"} else []
    return " ".join(tokens)


def symbols_swapped(markup: str, chooser: random.Random) -> str | None:
    """Two symbols that follow each other have changed places."""
    tokens = markup.split(" ")
    places = _symbols(tokens)
    pairs = [(a, b) for a, b in itertools.pairwise(places) if tokens[a] != tokens[b]]
    if not pairs:
        return None
    a, b = chooser.choice(pairs)
    tokens[a], tokens[b] = tokens[b], tokens[a]
    return " ".join(tokens)


corruptions: dict[str, Corruption] = {
    "symbol_changed": symbol_changed,
    "symbol_removed": symbol_removed,
    "symbols_swapped": symbols_swapped,
}
