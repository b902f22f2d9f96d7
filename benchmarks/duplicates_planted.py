"""What `duplicates.py` looks for: real rows, copies of them that are near duplicates, and look-alikes that are not.

Each real row is a family of its own with its copies; each look-alike is another family, related to the row it was made
from. Pictures of copies are really made: rendered by another profile, halved and compressed.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image
from render_back_formulas import KINDS, _symbols, symbol_changed

from curation.generate.pages import PageOptions, plan_page, write_page
from curation.generate.table_plan import TableOptions, plan_table
from curation.generate.tables import write_table
from curation.markup.canonical import Canonical, canonical_batch
from curation.sample import Task, sha256_hex
from curation.shingles import words
from curation.stages.rendered import KIND_OF_TASK
from rendering.pixels import decode_rgb
from rendering.profiles import JOURNAL, PLAIN, WEB
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
from rendering.variation import finish, render_varied, vary

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
ORIGINAL = "original"
LOOK_ALIKE = "not: "
"""How the names of changes begin that make another row, no duplicate."""

SHARE_OF_WORDS, MOST_WORDS = 0.05, 3
"""How many words are changed: a twentieth, at least one and at most three."""

SAME_AS_ANOTHER = ("a0729f61b1fd", "b105f4117dc6", "e64235fc590d")
"""Hashes of real tables that are, read by hand, another of them with "&" for "and" or one label changed: left out."""

PROFILES = {"page_to_html": WEB, "table_to_html": JOURNAL, "formula_to_latex": WEB}

_TAG = re.compile(r"(<[^>]*>)")
_UNSEEN = re.compile(r"<(?:style|script|title)\b")
_WORD = re.compile(r"\w+(?:[.,:/'’-]\w+)*")
_ATTRIBUTE = re.compile(r'\s+([^\s=>"]+)="([^"]*)"')


@dataclass(frozen=True)
class Row:
    """One row: `family` is the same for duplicates, `origin` for all that was made of one real row."""

    task: Task
    family: str
    origin: str
    change: str
    text: str
    picture: bytes | None


def _column(folder: str, name: str) -> list:
    paths = sorted((DATA / folder).glob("*.parquet"))
    return [value for path in paths for value in pq.read_table(path, columns=[name]).column(name).to_pylist()]


def _canonical(task: Task, texts: Sequence[str]) -> list[str | None]:
    return [form.text if isinstance(form, Canonical) else None for form in canonical_batch([task] * len(texts), texts)]


def _pictures(task: Task, texts: Sequence[str], profile_name: str, renderer: Renderer) -> list[bytes | None]:
    """Renders by the task's profile, or the plain one."""
    profile = PLAIN if profile_name == "plain" else PROFILES[task]
    out: list[bytes | None] = []
    for start in range(0, len(texts), 20):
        chunk = texts[start : start + 20]
        bases = [RenderSpec(KIND_OF_TASK[task])] * len(chunk)
        varied = [vary(profile, base, sha256_hex(text), 1, text) for base, text in zip(bases, chunk, strict=True)]
        for result, variation in render_varied(renderer, chunk, varied, bases):
            out.append(finish(result, variation).data if hasattr(result, "png") else None)
    return out


def compressed(picture: bytes | None) -> bytes | None:
    """Half the size, JPEG of quality 50."""
    image = decode_rgb(picture)
    if not isinstance(image, Image.Image):
        return None
    small = image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=50)
    return out.getvalue()


def _in_words(markup: str, change: Callable[[list[re.Match[str]]], dict[int, str]]) -> str:
    """`markup` with those of its visible words exchanged that `change` names by their place in the list."""
    pieces = _TAG.split(markup)
    seen = [i for i in range(0, len(pieces), 2) if not (i and _UNSEEN.match(pieces[i - 1]))]
    found = [(i, word) for i in seen for word in _WORD.finditer(pieces[i]) if not _in_entity(word)]
    new = change([word for _, word in found])
    for place in sorted(new, reverse=True):
        i, word = found[place]
        pieces[i] = pieces[i][: word.start()] + new[place] + pieces[i][word.end() :]
    return "".join(pieces)


def _in_entity(word: re.Match[str]) -> bool:
    return word.string[word.start() - 1 : word.start()] in {"&", "#"}


def reworded(task: Task, text: str, vocabulary: Sequence[str], chooser: random.Random) -> str | None:
    """A few words (of a formula: symbols, by others of their kind) are others."""
    if task == "formula_to_latex":
        n_symbols = len(_symbols(text.split(" ")))
        for _ in range(max(1, min(MOST_WORDS, round(SHARE_OF_WORDS * n_symbols)))):
            text = symbol_changed(text, chooser) or text
        return text if n_symbols else None

    def change(found: list[re.Match[str]]) -> dict[int, str]:
        n = max(1, min(MOST_WORDS, round(SHARE_OF_WORDS * len(found))))
        return {place: chooser.choice(vocabulary) for place in chooser.sample(range(len(found)), min(n, len(found)))}

    return _in_words(text, change) if _WORD.search(_TAG.sub("", text)) else None


def attributes_reordered(text: str, chooser: random.Random) -> str | None:
    """Attributes of each tag, and classes of each attribute, in another order."""

    def shuffled(tag: re.Match[str]) -> str:
        found = [
            (name, " ".join(chooser.sample(value.split(), len(value.split()))) if name == "class" else value)
            for name, value in _ATTRIBUTE.findall(tag[0])
        ]
        chooser.shuffle(found)
        attributes = iter(f' {name}="{value}"' for name, value in found)
        return _ATTRIBUTE.sub(lambda _: next(attributes), tag[0])

    changed = _TAG.sub(shuffled, text)
    return changed if changed != text else None


def spelled_otherwise(text: str, _chooser: random.Random) -> str | None:
    """A formula without needless spaces, its superscripts before its subscripts."""
    changed = re.sub(r"_ (\{ \S+ \}|\w) \^ (\{ \S+ \}|\w)", r"^ \2 _ \1", text)
    return re.sub(r"(?<![A-Za-z]) | (?![A-Za-z])", "", changed)


def other_words(text: str, other: str, chooser: random.Random, kept_words: int = 0) -> str:
    """A sibling of one template: each word is one of `other`'s in turn; numbers are drawn anew, `kept_words` stay."""
    source = [word for word in words(_TAG.sub(" ", other)) if not word[0].isdigit()] or ["word"]

    def change(found: list[re.Match[str]]) -> dict[int, str]:
        start = chooser.randrange(len(source))
        return {
            place: re.sub(r"\d", lambda _: str(chooser.randrange(10)), word[0])
            if word[0][0].isdigit()
            else source[(start + place) % len(source)]
            for place, word in enumerate(found)
            if place >= kept_words
        }

    return _in_words(text, change)


def renamed(text: str, chooser: random.Random) -> str:
    """A sibling of one form: each symbol is, throughout, another of its kind."""
    tokens = text.split(" ")
    names = {}
    for kind in KINDS[:-1]:  # signs stay
        members = list(kind)
        names |= dict(
            zip(members, members[(shift := chooser.randrange(1, len(members))) :] + members[:shift], strict=True)
        )
    for place in _symbols(tokens):
        tokens[place] = names.get(tokens[place], tokens[place])
    return " ".join(tokens)


def flattened(text: str) -> str:
    """The same words built otherwise: a paragraph, or a row of one cell, for each piece of text."""
    body = text[text.find("<body") :] if "<body" in text else text
    pieces = [piece for piece in _TAG.sub("\n", body).split("\n") if piece.strip()]
    if text.startswith("<table"):
        return "<table>" + "".join(f"<tr><td>{piece}</td></tr>" for piece in pieces) + "</table>"
    return "<html><body>" + "".join(f"<p>{piece}</p>" for piece in pieces) + "</body></html>"


def _head_words(table: str) -> int:
    """How many words the first row has, to be kept: siblings of a table have its head."""
    return len(_WORD.findall(_TAG.sub(" ", table[: table.find("</tr>")])))


def markup_rows(task: Task, texts: list[str], n_pictures: int, renderer: Renderer, chooser: random.Random) -> list[Row]:
    """Real rows of one task, their copies and look-alikes; the first `n_pictures` originals have pictures."""
    forms_there = dict.fromkeys(text for text in _canonical(task, texts) if text)
    canonical = [text for text in forms_there if not sha256_hex(text).startswith(SAME_AS_ANOTHER)]
    vocabulary = [word for text in canonical for word in words(_TAG.sub(" ", text)) if word.isalpha()]
    changes: list[tuple[int, str, str | None]] = []
    for i, text in enumerate(canonical):
        other = canonical[(i + 1 + chooser.randrange(len(canonical) - 1)) % len(canonical)]
        changes += [(i, ORIGINAL, text), (i, "rendered otherwise", text), (i, "halved, JPEG 50", text)]
        changes.append((i, "a few words changed", reworded(task, text, vocabulary, chooser)))
        if task == "formula_to_latex":
            changes.append((i, "spelled otherwise", spelled_otherwise(text, chooser)))
            changes.append((i, LOOK_ALIKE + "other symbols", renamed(text, chooser)))
        else:
            changes.append((i, "attributes re-ordered", attributes_reordered(text, chooser)))
            kept = _head_words(text) if task == "table_to_html" else 0
            name = "other values under its head" if kept else "other words in its template"
            changes.append((i, LOOK_ALIKE + name, other_words(text, other, chooser, kept)))
            changes.append((i, LOOK_ALIKE + "built otherwise", flattened(text)))
    forms = _canonical(task, [text or "" for _, _, text in changes])
    rows = []
    given = {
        name: dict(zip(canonical[:n_pictures], _pictures(task, canonical[:n_pictures], name, renderer), strict=True))
        for name in ("plain", "other")
    }
    changed = [
        form
        for (i, _, _), form in zip(changes, forms, strict=True)
        if form and i < n_pictures and form not in given["plain"]
    ]
    given["plain"] |= dict(zip(changed, _pictures(task, changed, "plain", renderer), strict=True))
    for (i, name, _), form in zip(changes, forms, strict=True):
        if not form or (name.startswith(LOOK_ALIKE) and form == canonical[i]):
            continue
        origin = f"{task} {i}"
        family = f"{origin} {name}" if name.startswith(LOOK_ALIKE) else origin
        picture = given["other" if name == "rendered otherwise" else "plain"].get(form)
        picture = compressed(picture) if name == "halved, JPEG 50" else picture
        rows.append(Row(task, family, origin, name, form, picture))
    return rows


def template_siblings(n: int) -> list[Row]:
    """Generated pages and tables, two of each plan: the same structure and topic, other words."""
    rows = []
    for seed in range(n):
        page_plan, table_plan = (
            plan_page(random.Random(seed), PageOptions()),
            plan_table(random.Random(seed), TableOptions()),
        )
        made: dict[Task, list[str]] = {
            "page_to_html": [write_page(random.Random(f"{seed} {k}"), page_plan).html for k in range(2)],
            "table_to_html": [write_table(random.Random(f"{seed} {k}"), table_plan) for k in range(2)],
        }
        for task, texts in made.items():
            for k, text in enumerate(_canonical(task, texts)):
                if text:
                    origin = f"generated {task} {seed}"
                    rows.append(Row(task, f"{origin} {k}", origin, LOOK_ALIKE + "generated of one plan", text, None))
    return rows


def caption_rows(chooser: random.Random) -> list[Row]:
    """COCO: a picture with one of its captions; copies; the picture with its other captions, its caption elsewhere."""
    pictures, captions = (
        [image["bytes"] for image in _column("coco-captions", "image")],
        _column("coco-captions", "captions"),
    )
    vocabulary = [word for row in captions for caption in row for word in words(caption)]
    rows = []
    for i, (picture, own) in enumerate(zip(pictures, captions, strict=True)):
        first, origin = own[0].strip(), f"caption {i}"
        copies = {
            ORIGINAL: (first, picture),
            "halved, JPEG 50": (first, compressed(picture)),
            "2 % cropped": (first, _cropped(picture)),
            "a few words changed": (reworded("image_to_caption", first, vocabulary, chooser), picture),
            "halved and reworded": (reworded("image_to_caption", first, vocabulary, chooser), compressed(picture)),
        }
        rows += [
            Row("image_to_caption", origin, origin, name, text or first, data) for name, (text, data) in copies.items()
        ]
        elsewhere = pictures[(i + 1 + chooser.randrange(len(pictures) - 1)) % len(pictures)]
        others = [(f"{LOOK_ALIKE}its other captions", caption.strip(), picture) for caption in own[1:]]
        others.append((f"{LOOK_ALIKE}its caption, another picture", first, elsewhere))
        rows += [
            Row("image_to_caption", f"{origin} {k}", origin, name, text, data)
            for k, (name, text, data) in enumerate(others)
        ]
    return rows


def _cropped(picture: bytes) -> bytes:
    image = decode_rgb(picture)
    assert isinstance(image, Image.Image)
    x_px, y_px = image.width // 100, image.height // 100
    out = io.BytesIO()
    image.crop((x_px, y_px, image.width - x_px, image.height - y_px)).save(out, "JPEG", quality=90)
    return out.getvalue()


def real_texts(n_formulas: int) -> dict[Task, list[str]]:
    """Markup of the real rows by task."""
    tables = _column("pubtabnet-html", "html_table") + _column("pubtabnet-markup-only", "html_table")
    formulas = (DATA / "latex-formulas/formulas.txt").read_text().splitlines()
    return {
        "page_to_html": _column("websight", "text"),
        "table_to_html": tables + _column("fintabnet-markup-only", "html_table"),
        "formula_to_latex": formulas[:: max(1, len(formulas) // n_formulas)][:n_formulas],
    }
