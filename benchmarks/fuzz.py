"""A fuzz run over everything that reads strangers' bytes: nothing may raise but our own errors, and nothing may hang.

    python benchmarks/fuzz.py [--minutes 10] [--only NAME ...] [--seed 1]

What holds of every input: an answer or a `Reject`, or for a file an error of ours (`MarkupmillError`) in one line;
canonical form of a canonical text is that text; every row of a file has a text or a reason, and as many pictures as
were asked for; no input takes more than `MAX_CPU_S` of CPU. Inputs are made by hypothesis: markup out of pieces that
matter, and real files (pictures, Parquet, tars, web archives) with bytes flipped, cut, doubled and moved. What breaks
is shrunk and printed.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import re
import sys
import tarfile
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.markup.canonical import Canonical, canonical
from curation.markup.page_tables import page_tables
from curation.markup.tables import Cell, resolve_grid
from curation.reasons import Reject
from curation.sources.caption_shapes import objects_in, texts_in
from curation.sources.captions import Captions
from curation.sources.html_tables import HtmlTables
from curation.sources.llava_chat import LlavaChat, conversation
from curation.sources.mapped_files import MappedFiles
from curation.sources.page_text import decode_page
from curation.sources.pubtabnet import PubTabNet, weave
from curation.sources.rows import decode_text
from rendering.errors import MarkupmillError
from rendering.integrity import check_file
from rendering.pixels import ImageFault, crop_to_ink, decode_rgb, encode_png, header_size

MAX_CPU_S: Final = 5.0
"""Of one input. What is asked for takes milliseconds; the largest here are some kB."""

EXAMPLES_PER_ROUND: Final = 150
MAX_PIXELS: Final = 4_000_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass
class Found:
    """What a target met: how many inputs, how they ended, and each way in which one broke."""

    n_inputs: int = 0
    slowest_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    broken: dict[str, str] = field(default_factory=dict)


# Text

_TAGS = (
    "html head body title p div span a b i table caption colgroup col thead tbody tfoot tr td th pre textarea svg math"
    " mi foreignObject template script style noscript select option form button ul li br img object iframe plaintext"
)
_ATTRIBUTES = (
    'colspan="2"', 'rowspan="3"', 'rowspan="0"', 'colspan="99999999999"', "colspan=-1", 'style="display:none"',
    "hidden", 'class="space-x-4"', "onclick=x", 'shadowrootmode="open"', 'http-equiv="refresh"', "xml:space=preserve",
    "a=\"'\"", "=", '"', 'xlink:href="#"',
)  # fmt: skip
_CHARACTERS = st.sampled_from(
    [*"ab <>&\"'/=-!?\n\t\r\f\\{}[]_^$%~#.;0129", "\0", "\u200b", "\xa0", "é", "\ud800", "𝔸", "\u202e"]
)
_noise = st.text(_CHARACTERS, max_size=8)
_tag = st.sampled_from(_TAGS.split())
_html_piece = st.one_of(
    _tag.map(lambda tag: f"<{tag}>"),
    _tag.map(lambda tag: f"</{tag}>"),
    st.tuples(_tag, st.sampled_from(_ATTRIBUTES)).map(lambda pair: f"<{pair[0]} {pair[1]}>"),
    st.sampled_from(
        [
            "<!--",
            "-->",
            "<!DOCTYPE html>",
            "<![CDATA[",
            "]]>",
            "&amp;",
            "&#0;",
            "&#x110000;",
            "&notit;",
            "<?x",
            "```html\n",
            "\n```",
        ]
    ),
    _noise,
    st.tuples(_tag, st.integers(2, 700)).map(lambda pair: f"<{pair[0]}>" * pair[1]),
)
_html = st.lists(_html_piece, max_size=30).map("".join)
_cell = st.tuples(st.sampled_from(["td", "th"]), st.sampled_from(["", *_ATTRIBUTES]), _noise | _html).map(
    lambda parts: f"<{parts[0]} {parts[1]}>{parts[2]}</{parts[0]}>"
)
_row = st.lists(_cell, max_size=4).map(lambda cells: f"<tr>{''.join(cells)}</tr>")
_table = st.tuples(st.lists(_row, max_size=5), _noise).map(
    lambda parts: f"{parts[1]}<table>{''.join(parts[0])}</table>"
)

_LATEX = (
    r"\frac \sqrt \left( \right) \middle| \begin{array}{cc} \end{array} \begin{aligned} \end{aligned} \\ \cr & _ ^ { }"
    r" $ $$ \label{a} \tag{1} \over \atop \choose \rm \bf \text{ \mbox{ \hbox{ \alpha \sum \limits \hskip1em \kern"
    r" \rule \def\a{\a} \newcommand{\b}{\b\b} \let \catcode \input{x} \url{x} \href{javascript:x}{y}"
    r" \includegraphics{x}"
    r" \color{red} \textcolor \begin{equation} \end{equation} \( \) \[ \] % \verb|x| \operatorname* \not \not= ' ''"
    r" \^ \~ \" \genfrac{}{}{0pt}{} \cases{ \matrix{ \substack{ \phantom \smash \raise1pt \lower"
    r" \mathchoice{a}{b}{c}{d} \unknown \u \char`a \htmlClass{a}{b} \relax"
)
_latex_piece = st.one_of(
    st.sampled_from(_LATEX.split(" ")),
    _noise,
    st.tuples(st.sampled_from(_LATEX.split(" ")), st.integers(2, 200)).map(lambda pair: pair[0] * pair[1]),
)
_latex = st.lists(_latex_piece, max_size=25).map("".join)
_any_text = st.text(max_size=60) | st.text(_CHARACTERS, max_size=60)


def _canonical(task: Any) -> Callable[[str], str]:
    def check(text: str) -> str:
        once = canonical(task, text)
        if isinstance(once, Reject):
            assert "\n" not in once.detail, "the detail of a reject is one line"
            return str(once.reason)
        again = canonical(task, once.text)
        assert isinstance(again, Canonical), f"canonical form is refused: {again}"
        assert again.text == once.text, "canonical form does not stay"
        once.text.encode()
        return "canonical"

    return check


def _grid(row_groups: list[list[list[tuple[int, int]]]]) -> str:
    cells = [[[Cell(rows, columns) for rows, columns in row] for row in group] for group in row_groups]
    grid = resolve_grid(cells)
    if isinstance(grid, Reject):
        return str(grid.reason)
    assert len({len(row) for row in grid}) == 1, "rows of one grid differ in length"
    assert {slot for row in grid for slot in row} == set(range(sum(len(row) for group in cells for row in group)))
    return "grid"


def _page_tables(text: str) -> str:
    if isinstance(decode_text(text.encode("utf-8", "surrogatepass")), Reject):
        return "no text"
    found = page_tables(text)
    return str(found.reason) if isinstance(found, Reject) else f"{min(len(found), 3)} tables"


def _page_bytes(data: tuple[bytes, str]) -> str:
    return "text" if isinstance(decode_page(*data), str) else "refused"


# Values

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_any_text, inner, max_size=4),
    max_leaves=12,
)
_token = (
    st.sampled_from(["<td>", "</td>", "<td", ' colspan="2"', ">", "<tr>", "</tr>", "<thead>", "</thead>", "</th>"])
    | _noise
)
_pubtabnet = st.fixed_dictionaries(
    {
        "structure": st.fixed_dictionaries({"tokens": st.lists(_token | _json, max_size=8)}) | _json,
        "cells": st.lists(st.fixed_dictionaries({"tokens": st.lists(_token | _json, max_size=5)}) | _json, max_size=4)
        | _json,
    }
)
_turn = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "system", "user", "assistant", "", None, 3]) | _any_text,
     "value": st.sampled_from(["<image>\nWhat?", "<image>", "", " ", "An answer."]) | _any_text | _json}
)  # fmt: skip
_turns = st.lists(_turn | _json, max_size=6) | _json
_image_name = st.sampled_from(["a.png", "../a.png", "", "/etc/passwd", "a\0"]) | _json
_chat_row = st.fixed_dictionaries({}, optional={"id": _json, "image": _image_name, "conversations": _turns})
_caption = (
    _json
    | _any_text.map(lambda text: json.dumps([text]))
    | _noise.map(lambda text: f"[{text}]")
    | st.binary(max_size=20)
)


def _weave(html: object) -> str:
    woven = weave(html)
    return str(woven.reason) if isinstance(woven, Reject) else "woven"


def _conversation(turns: object) -> str:
    messages = conversation(turns)
    if isinstance(messages, Reject):
        return str(messages.reason)
    talk = [message["role"] for message in messages if message["role"] != "system"]
    assert talk == ["user", "assistant"] * (len(talk) // 2)
    assert not any("<image>" in message["content"] for message in messages)
    return "messages"


def _captions(value: object) -> str:
    texts = texts_in(value)
    assert texts, "no caption and no reason"
    names = objects_in(value)
    assert names is None or all(isinstance(name, str) for name in names)
    for text in texts:
        if isinstance(text, str):
            text.encode()
    return "caption" if isinstance(texts[0], str) else str(texts[0].reason)


# Files

_Change = tuple[str, float, float, int]
_changes: st.SearchStrategy[list[_Change]] = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "drop", "double", "insert", "big"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1),
        st.integers(0, 255),
    ),
    max_size=8,
)


def changed(data: bytes, changes: Sequence[_Change]) -> bytes:
    """`data` with bytes flipped, set, cut off, dropped, doubled, put in, or set to a large number."""
    out = bytearray(data)
    for kind, where, how_much, value in changes:
        at = int(where * len(out))
        n = 1 + int(how_much**4 * 64)
        match kind:
            case "flip" if out:
                out[at] ^= value or 1
            case "set" if out:
                out[at] = value
            case "cut":
                del out[at:]
            case "drop":
                del out[at : at + n]
            case "double":
                out[at:at] = out[at : at + n]
            case "insert":
                out[at:at] = bytes([value]) * n
            case "big":
                out[at : at + 4] = (b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff")[value % 2]
    return bytes(out)


def _picture_files() -> list[bytes]:
    files = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"):
        image = Image.linear_gradient("L").resize((24, 18)).convert("L" if mode == "I;16" else mode)
        image = image.convert("I;16") if mode == "I;16" else image
        options: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"}}
        for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
            out = io.BytesIO()
            try:
                image.save(out, kind, **options.get(kind, {}))
            except (OSError, ValueError, KeyError):
                continue
            files.append(out.getvalue())
    frames = [Image.new("RGB", (9, 9), color) for color in ("red", "blue", "green")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        files.append(out.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, kind, exif=exif)
        files.append(out.getvalue())
    return files


PICTURES: Final = _picture_files()


def _picture(data: bytes) -> str:
    size = header_size(data, MAX_PIXELS)
    whole = check_file(data, MAX_PIXELS)
    decoded = decode_rgb(data, MAX_PIXELS)
    if isinstance(decoded, ImageFault):
        assert "\n" not in decoded.detail
        return decoded.kind
    assert decoded.mode == "RGB"
    assert not isinstance(size, ImageFault), "decoded, though the header cannot be read"
    if decoded.width * decoded.height <= 250_000:
        crop = crop_to_ink(decoded, 2)
        encode_png(crop or decoded)
    return "pixels" if not isinstance(whole, ImageFault) else f"pixels, but {whole.kind}"


class _Folder:
    """One folder, emptied for each input, that sources read."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="markupmill-fuzz-")
        self.path = Path(self._scratch.name) / "in"
        self.path.mkdir()
        os.environ["XDG_CACHE_HOME"] = str(Path(self._scratch.name) / "cache")
        (self.path / "a.png").write_bytes(PICTURES[0])

    def read(self, name: str, data: bytes, source: Callable[[str], Any]) -> str:
        """Every row of the file as a source reads it; how it ended."""
        file = self.path / name
        file.write_bytes(data)
        try:
            return _rows(source(str(self.path)))
        except MarkupmillError as error:
            refused = error
        finally:
            file.unlink()
        assert not _CONTROL.search(str(refused)), f"an error of several lines: {refused!r}"
        return type(refused).__name__


def _rows(source: Any) -> str:
    n_rows = n_rejected = 0
    for piece in source.pieces(3):
        texts = source.read_texts(piece)
        reasons = texts.column("reject_reason").to_pylist()
        said = zip(texts.column("text").to_pylist(), texts.column("messages").to_pylist(), reasons, strict=True)
        for text, messages, reason in said:
            assert (text is None and messages is None) == (reason is not None), "neither a text nor a reason"
        rows = [row for row, reason in zip(texts.column("row").to_pylist(), reasons, strict=True) if reason is None]
        images = source.read_images(piece, rows)
        assert images is None or len(images) == len(rows)
        n_rows, n_rejected = n_rows + len(reasons), n_rejected + sum(map(bool, reasons))
    return (
        "no rows"
        if not n_rows
        else "rows"
        if not n_rejected
        else "all rejected"
        if n_rejected == n_rows
        else "some rejected"
    )


def _jsonl_file() -> bytes:
    rows = [{"text": "x", "image": "a.png"}, {"text": ["y"], "image": None}, {"text": 3, "image": "../b.png"}, [], "z"]
    return b"\n".join(json.dumps(row).encode() for row in rows) + b"\n\xff\n"


def _csv_file() -> bytes:
    return b'text,image\r\n"a ""b"", c",a.png\r\n"two\nlines",../x\r\nshort\r\n"open,a.png\r\nx,y\r\n'


def _tar_file() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {
            "a.txt": b"x",
            "a.png": PICTURES[0],
            "b.json": b'{"text": "y"}',
            "ü" * 80 + ".txt": b"z",
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("c.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


_PAGE = b"<title>t</title><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"


def _warc_records() -> list[bytes]:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + _PAGE
    heads = [("warcinfo", b"x: y\r\n"), ("response", answer), ("resource", _PAGE), ("response", answer)]
    kinds = {
        "warcinfo": "application/warc-fields",
        "response": "application/http;msgtype=response",
        "resource": "text/html",
    }
    return [
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{n:032d}>\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: http://a/{n}\r\nContent-Type: {kinds[kind]}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
        + b"\r\n\r\n"
        for n, (kind, body) in enumerate(heads)
    ]


def _parquet_file(**options: Any) -> bytes:
    out = io.BytesIO()
    images = [
        {"bytes": PICTURES[0], "path": None},
        None,
        {"bytes": None, "path": "a.png"},
        {"bytes": b"", "path": None},
    ] * 2
    table = pa.table(
        {"text": ["x", None, "é" * 30, "<p>"] * 2, "image": images, "caption": [["a", "b"], [], None, ["c"]] * 2}
    )
    pq.write_table(table, out, row_group_size=3, **options)
    return out.getvalue()


def _arrow_file() -> bytes:
    out = io.BytesIO()
    table = pa.table({"caption": ["x", None, "y"], "image": pa.array([PICTURES[0], None, b"x"], pa.binary())})
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, 2)
    return out.getvalue()


def _formulas(folder: str) -> MappedFiles:
    return MappedFiles(folder, "formula_to_latex")


def _captions_source(folder: str) -> Captions:
    return Captions(address=folder)


def _lines(rows: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[bytes]:
    return rows.map(lambda found: b"\n".join(json.dumps(row).encode() for row in found))


def targets() -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str]]]:
    """Name to the inputs and the check of each parser."""
    folder = _Folder()
    records = _warc_records()
    warcs = [b"".join(gzip.compress(record, mtime=0) for record in records), gzip.compress(b"".join(records), mtime=0)]
    parquets = [_parquet_file(), _parquet_file(compression="zstd", use_dictionary=False)]
    chats = st.lists(_chat_row | _json, max_size=5)
    told = _caption.filter(lambda value: not isinstance(value, bytes))
    captions = st.fixed_dictionaries({"image": st.just("a.png") | _json, "caption": told})
    name, split = st.just("a.png") | _json, st.just("train") | _json
    annotations = st.fixed_dictionaries({"filename": name, "html": _pubtabnet, "split": split})
    spans = st.tuples(st.sampled_from([1, 1, 1, 2, 3, 0, 65_534]), st.sampled_from([1, 1, 1, 2, 3, 1_000]))
    utf_16 = _html.map(lambda text: text.encode("utf-16-le", "surrogatepass"))

    def file(
        name: str, wholes: Sequence[bytes] | st.SearchStrategy[bytes], source: Callable[[str], Any]
    ) -> tuple[Any, Callable[[Any], str]]:
        whole = wholes if isinstance(wholes, st.SearchStrategy) else st.sampled_from(wholes)
        inputs = st.tuples(whole, _changes).map(lambda pair: changed(*pair))
        return inputs, lambda data: folder.read(name, data, source)

    return {
        "page": (_html | _table | _any_text, _canonical("page_to_html")),
        "table": (_table | _html, _canonical("table_to_html")),
        "formula": (_latex | _any_text, _canonical("formula_to_latex")),
        "caption": (_any_text, _canonical("image_to_caption")),
        "page_tables": (_html | _table | st.lists(_table, max_size=3).map("".join), _page_tables),
        "grid": (st.lists(st.lists(st.lists(spans, max_size=4), max_size=5), max_size=3), _grid),
        "page_bytes": (st.tuples(st.binary(max_size=80) | utf_16, _noise), _page_bytes),
        "pubtabnet_weave": (_pubtabnet | _json, _weave),
        "llava_turns": (_turns, _conversation),
        "captions": (_caption, _captions),
        "pictures": (st.tuples(st.sampled_from(PICTURES), _changes).map(lambda pair: changed(*pair)), _picture),
        "jsonl_file": file("x.jsonl", [_jsonl_file()], _formulas),
        "csv_file": file("x.csv", [_csv_file(), _csv_file().replace(b",", b"\t")], _formulas),
        "tar_file": file("x.tar", [_tar_file()], _formulas),
        "warc_file": file("x.warc", [b"".join(records)], HtmlTables),
        "warc_gz_file": file("x.warc.gz", warcs, HtmlTables),
        "html_file": file("x.html", [_PAGE], HtmlTables),
        "chat_list_file": file("x.json", chats.map(lambda rows: json.dumps(rows).encode()), LlavaChat),
        "chat_lines_file": file("x.jsonl", _lines(chats), LlavaChat),
        "pubtabnet_file": file("x.jsonl", _lines(st.lists(annotations, max_size=3)), PubTabNet),
        "captions_file": file("x.jsonl", _lines(st.lists(captions, max_size=4)), _captions_source),
        "arrow_file": file("x.arrow", [_arrow_file()], _captions_source),
        "parquet_file": file("x.parquet", parquets, _formulas),
        "captions_parquet_file": file("x.parquet", [_parquet_file(compression="none")], _captions_source),
    }


def fuzz(name: str, inputs: st.SearchStrategy[Any], check: Callable[[Any], str], number: int, found: Found) -> None:
    """One round of inputs; what breaks is shrunk, and kept once for each place where it broke."""

    @seed(number)
    @settings(
        max_examples=EXAMPLES_PER_ROUND, deadline=None, database=None, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(inputs)
    def round_(value: Any) -> None:
        started_s = time.process_time()
        try:
            end = check(value)
        except Exception as error:
            end, place = "broken", _place(error)
            if place not in found.broken:
                raise
        finally:
            took_s = time.process_time() - started_s
            found.n_inputs += 1
            found.slowest_s = max(found.slowest_s, took_s)
            last[0] = value
        if took_s > MAX_CPU_S and "slow" not in found.broken:
            raise TimeoutError(f"{took_s:.1f} s of CPU")
        found.ends[end] += 1

    last: list[Any] = [None]
    try:
        round_()
    except Exception as error:  # noqa: BLE001 - whatever a parser raises is what is looked for
        if isinstance(error, BaseExceptionGroup) and isinstance(error.exceptions[0], Exception):
            error = error.exceptions[0]  # hypothesis wraps what breaks once and not again
        place = "slow" if isinstance(error, TimeoutError) else _place(error)
        found.broken[place] = f"{type(error).__name__}: {error}"[:400] + f"\n    input: {last[0]!r}"[:400]
        print(f"BROKEN {name} at {place}\n    {found.broken[place]}", flush=True)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/curation/" in frame.filename or "/rendering/" in frame.filename] or frames
    return f"{type(error).__name__} in {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = {name: target for name, target in targets().items() if not options.only or name in options.only}
    results = {name: Found() for name in chosen}
    ends_s, number = time.monotonic() + 60 * options.minutes, options.seed
    spent_s: Counter[str] = Counter(dict.fromkeys(chosen, 0.0))  # whoever has had the least time is next
    while time.monotonic() < ends_s:
        name = min(spent_s, key=lambda target: spent_s[target])
        started_s = time.monotonic()
        fuzz(name, *chosen[name], number, results[name])
        spent_s[name] += time.monotonic() - started_s
        number += 1
    print(f"\n{'target':<22} {'inputs':>8} {'slowest s':>9}  ends")
    for name, found in results.items():
        ends = ", ".join(f"{end} {n:,}" for end, n in found.ends.most_common(7))
        print(f"{name:<22} {found.n_inputs:>8,} {found.slowest_s:>9.2f}  {ends}")
    n_broken = sum(len(found.broken) for found in results.values())
    print(f"\n{sum(found.n_inputs for found in results.values()):,} inputs, {n_broken} ways to break something")
    return 1 if n_broken else 0


if __name__ == "__main__":
    sys.exit(main())
