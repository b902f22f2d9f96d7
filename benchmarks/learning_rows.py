"""Rows for `learning.py`: short formulas with small pictures, and what spoils them on purpose.

The formulas are curation's own generator's, in one narrow notation: four structures (a fraction, a root, a sine, a line
above), five letters, few digits. Each has the marker of one structure, once. Pictures are renders, 64 x 64 px, the
formula at the left, so that a model of a million parameters can see them as they are.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.generate.choose import pick, pick_some
from curation.generate.formula_notation import Notation
from curation.generate.formula_terms import TERM_KINDS
from curation.generate.formula_writer import FormulaWriter, Term
from curation.markup.canonical import Canonical
from curation.markup.latex import canonical_latex_batch
from rendering.pixels import decode_rgb, encode_png
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

SIDE_PX: Final = 64
FONT_PX: Final = 12
MAX_TOKENS: Final = 16
"""Symbols of the canonical text."""
MARKERS: Final = {"fraction": r"\frac", "root": r"\sqrt", "function": r"\sin", "overset": r"\overline"}
"""By kind of term (keys of `TERM_KINDS`), the command that tells it; the data's classes are `cmd:` and this."""
LETTERS: Final = ("a", "b", "x", "y", "n")
SYMBOLS: Final = (*LETTERS, *"01234()+-^_{}", *MARKERS.values())
"""All that texts are made of: the vocabulary of the model, too."""
_BLOCK: Final = 3_000


@dataclass(frozen=True)
class Sample:
    """A formula in canonical form, its kind, and its picture as encoded bytes; `planted` says how it was spoiled."""

    key: str
    kind: str
    latex: str
    image: bytes
    planted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Noise:
    """How a clean set is spoiled. Shares are of all rows that come out.

    `flooded` of the different formulas are fractions, the rest is shared evenly. `duplicated` of the rows are further
    copies of `n_sources` of them, half with the same bytes, half saved again as JPEG. Of `shuffled` of the rows the
    pictures have changed places, so that each has the label of another.
    """

    n_rows: int = 5_000
    shuffled: float = 0.30
    duplicated: float = 0.30
    n_sources: int = 30
    flooded: float = 0.70


def make_samples(wanted: dict[str, int], seed: int) -> list[Sample]:
    """So many different formulas of each kind, with their pictures, in an order that does not tell the kind."""
    rng = random.Random(seed)
    made: list[Sample] = []
    seen: set[str] = set()
    with Renderer() as renderer:
        for kind, n in wanted.items():
            of_kind: list[Sample] = []
            while len(of_kind) < n:
                texts = [text for text in _formulas(kind, _BLOCK, rng) if text not in seen]
                seen.update(texts)
                of_kind += [Sample(f"{kind}-{text}", kind, text, png) for text, png in _pictures(texts, renderer)]
            made += of_kind[:n]
    rng.shuffle(made)
    return made


def _formulas(kind: str, n: int, rng: random.Random) -> list[str]:
    """Those of `n` tries that are of the kind and small, in canonical form, each once."""
    found = [
        text.text
        for text in canonical_latex_batch([_formula(kind, rng) for _ in range(n)])
        if isinstance(text, Canonical)
    ]
    return list(dict.fromkeys(text for text in found if _is_small(text.split(" "), MARKERS[kind])))


def _formula(kind: str, rng: random.Random) -> str:
    notation = Notation(
        letters=tuple(pick_some(rng, LETTERS, 3)), variables=("x", "y"), indices=("1", "2", "n"), accent=r"\bar",
        calligraphic="%s", upright=r"\mathrm{%s}", bold="%s", function=r"\sin", word="x", plus=" + ", minus=" - ",
        relation_gap=" ", gap="", differential="d", has_over=False, always_braces=True, decoration=0.2, end="",
    )  # fmt: skip
    product = Term("product")
    term = Term(kind, tuple((product,) for _ in range(TERM_KINDS[kind].n_parts)))
    return FormulaWriter(rng, notation, TERM_KINDS).side(pick(rng, ((term,), (term, product), (product, term))))


def _is_small(tokens: Sequence[str], marker: str) -> bool:
    n_markers = sum(tokens.count(one) for one in MARKERS.values())
    return len(tokens) <= MAX_TOKENS and set(tokens) <= set(SYMBOLS) and tokens.count(marker) == n_markers == 1


def _pictures(texts: Sequence[str], renderer: Renderer) -> Iterator[tuple[str, bytes]]:
    """The formulas that fit, each in the middle of the left edge."""
    spec = RenderSpec(kind="formula", font_size_px=FONT_PX, padding_px=1)
    for text, made in zip(texts, renderer.render(list(texts), spec), strict=True):
        if isinstance(made, Rendered) and max(made.width_px, made.height_px) <= SIDE_PX:
            ink = decode_rgb(made.png)
            assert isinstance(ink, Image.Image)
            picture = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
            picture.paste(ink, (0, (SIDE_PX - ink.height) // 2))
            yield text, encode_png(picture)


def spoiled(pool: Sequence[Sample], noise: Noise, seed: int) -> list[Sample]:
    """Rows of the pool with noise in them; no row says in its key what was done to it, `planted` does."""
    rng = random.Random(seed)
    n_copies = round(noise.n_rows * noise.duplicated)
    n_different = noise.n_rows - n_copies
    n_flooded = round(n_different * noise.flooded)
    others = [kind for kind in MARKERS if kind != "fraction"]
    rows: list[Sample] = []
    for kind in MARKERS:
        n = n_flooded if kind == "fraction" else (n_different - n_flooded) // len(others)
        of_kind = [one for one in pool if one.kind == kind]
        if len(of_kind) < n:
            raise ValueError(f"the pool has {len(of_kind)} formulas of {kind}, and {n} are wanted")
        rows += of_kind[:n]
    sources = rng.sample(rows, noise.n_sources)
    for number in range(noise.n_rows - len(rows)):
        source = sources[number % len(sources)]
        image = source.image if number % 2 else _saved_again(source.image, rng)
        rows.append(replace(source, image=image, planted=("copy",)))
    chosen = rng.sample(range(len(rows)), round(len(rows) * noise.shuffled))
    for at, sample in zip(chosen, _labels_of_others([rows[at] for at in chosen], rng), strict=True):
        rows[at] = sample
    rng.shuffle(rows)
    return [replace(sample, key=f"row-{number:05d}") for number, sample in enumerate(rows)]


def shuffled_labels(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """All pictures with the label of another row."""
    return _labels_of_others(samples, random.Random(seed))


def _labels_of_others(samples: Sequence[Sample], rng: random.Random) -> list[Sample]:
    """Texts move on by one place in a random order of rows; a row that gets an equal text is as true as it was."""
    order = list(range(len(samples)))
    rng.shuffle(order)
    moved = list(samples)
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        old, new = samples[here], samples[there]
        if old.latex != new.latex:
            moved[here] = replace(old, latex=new.latex, planted=(*old.planted, "shuffled"))
    return moved


def _saved_again(image: bytes, rng: random.Random) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(image)) as picture:
        picture.convert("RGB").save(out, "JPEG", quality=rng.randint(70, 95))
    return out.getvalue()


def write_samples(samples: Sequence[Sample], path: Path) -> None:
    """A Parquet file as anybody has one: `key`, `latex`, `image`; and ours to know: `kind`, `planted`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [getattr(one, name) for one in samples] for name in ("key", "latex", "kind", "image")}
    planted = pa.array([list(one.planted) for one in samples], pa.list_(pa.string()))
    pq.write_table(pa.table({**columns, "planted": planted}), path, row_group_size=100)


def read_samples(path: Path) -> list[Sample]:
    """What `write_samples` wrote."""
    rows = pq.read_table(path).to_pylist()
    return [Sample(row["key"], row["kind"], row["latex"], row["image"], tuple(row["planted"])) for row in rows]
