"""Every table of every page is a sample or a reject with its reason, whatever the pages come in."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import AddressError, BadInputError, SchemaError
from curation.ingest import Ingest, ingest_piece, samples_path
from curation.markup.tables import canonical_table
from curation.markup.tree import MAX_MARKUP_BYTES
from curation.sources import hashes, warc
from curation.sources.html_tables import HtmlTables
from curation.sources.page_text import decode_page
from curation.stages.canonical import CanonicalForm
from curation.store import Workspace
from flows.recipe import load_recipe
from tests.hub.server import FakeHub

Pages = Sequence[tuple[str, str]]
"""(address, HTML) of each page."""

TABLE = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"


def page(*tables: str, title: str = "") -> str:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><p>p</p>{''.join(tables)}</body></html>"


PAGES: Pages = [
    ("https://example.org/one", page(TABLE, TABLE.replace("1", "3"), title=" A \n page ")),
    ("https://example.org/none", page()),
    ("https://example.org/é", page("<table><caption>Cap</caption>" + TABLE.removeprefix("<table>"), title="é, “ü”")),
]


def write_html(folder: Path, pages: Pages) -> None:
    folder.mkdir()
    for number, (_, text) in enumerate(pages):
        (folder / f"{number:03d}.html").write_text(text, encoding="utf-8")


def write_parquet(folder: Path, pages: Pages) -> None:
    folder.mkdir()
    pq.write_table(
        pa.table({"url": [url for url, _ in pages], "html": [text for _, text in pages]}), folder / "a.parquet"
    )


def write_jsonl(folder: Path, pages: Pages) -> None:
    folder.mkdir()
    (folder / "a.jsonl").write_text("".join(json.dumps({"url": url, "html": text}) + "\n" for url, text in pages))


def write_csv(folder: Path, pages: Pages) -> None:
    folder.mkdir()
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("url", "html"), *pages])


def write_tar(folder: Path, pages: Pages) -> None:
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for number, (url, text) in enumerate(pages):
            for name, data in (("html", text.encode()), ("json", json.dumps({"url": url}).encode())):
                member = tarfile.TarInfo(f"{number}.{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def record(kind: str, url: str, body: bytes, *headers: str, http: str = "HTTP/1.1 200 OK") -> bytes:
    """One WARC record, written by hand: nothing of the library that reads it is in the test's input."""
    payload = body
    if kind == "response":
        payload = "\r\n".join([http, *headers, "", ""]).encode() + body
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nContent-Length: {len(payload)}\r\n"
    head += "" if kind == "response" else "".join(f"{header}\r\n" for header in headers)
    return head.encode() + b"\r\n" + payload + b"\r\n\r\n"


def html_record(url: str, text: str) -> bytes:
    return record("response", url, text.encode(), "Content-Type: text/html; charset=utf-8")


def write_warc(folder: Path, records: Sequence[bytes], *, packed: bool = True) -> None:
    folder.mkdir(exist_ok=True)
    data = [gzip.compress(one, mtime=0) if packed else one for one in records]
    (folder / ("a.warc.gz" if packed else "a.warc")).write_bytes(b"".join(data))


def archive_of(pages: Pages) -> list[bytes]:
    """The pages among what else an archive has."""
    records = [record("warcinfo", "", b"software: x", "Content-Type: application/warc-fields")]
    for url, text in pages:
        records += [record("request", url, b"GET / HTTP/1.0\r\n\r\n"), html_record(url, text)]
    records.append(record("response", "https://example.org/a.png", b"\x89PNG", "Content-Type: image/png"))
    gone = "HTTP/1.1 404 Not Found"
    records.append(record("response", "https://example.org/x", TABLE.encode(), "Content-Type: text/html", http=gone))
    return records


WRITERS: dict[str, Callable[[Path, Pages], None]] = {
    "html": write_html,
    "parquet": write_parquet,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "tar": write_tar,
    "warc.gz": lambda folder, pages: write_warc(folder, archive_of(pages)),
    "warc": lambda folder, pages: write_warc(folder, archive_of(pages), packed=False),
}


def rows_of(source: HtmlTables, rows_per_shard: int = 2) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def reasons_of(folder: Path, **settings: Any) -> list[str | None]:
    return [row["reject_reason"] for row in rows_of(HtmlTables(str(folder), **settings))]


@pytest.mark.parametrize("container", WRITERS)
def test_the_same_tables_come_out_of_every_container(tmp_path: Path, container: str) -> None:
    WRITERS[container](tmp_path / "in", PAGES)
    key_column = "url" if container in ("parquet", "jsonl", "csv", "tar") else ""
    source = HtmlTables(str(tmp_path / "in"), key_column=key_column)
    for rows_per_shard in (1, 2, 100):
        pieces = list(source.pieces(rows_per_shard))
        rows = rows_of(source, rows_per_shard)
        assert sum(piece.n_rows for piece in pieces) == len(PAGES)
        assert [(row["row"], row["sub_key"], row["context"], row["reject_reason"]) for row in rows] == [
            (0, "table 0", "A page", None),
            (0, "table 1", "A page", None),
            (1, "", None, "table_missing"),
            (2, "table 0", "é, “ü” — Cap", None),
        ]
        assert ["<td>1</td>" in (row["text"] or "") for row in rows] == [True, False, False, True]
        assert "<td>3</td>" in rows[1]["text"]
        if container != "html":
            assert [row["source_key"] for row in rows] == [
                *("https://example.org/one#0", "https://example.org/one#1", "https://example.org/none"),
                "https://example.org/é#0",
            ]
    assert source.read_images(pieces[0], [0]) is None


def test_a_table_that_is_left_out_says_why(tmp_path: Path) -> None:
    row = "<tr><td>1</td><td>2</td></tr>"
    cases = {
        TABLE: (None, None),
        f'<table role="presentation">{row}{row}</table>': ("table_layout", "its role says so"),
        f"<table>{row}</table>": ("table_shape", "1 rows, where 2 to 4 are asked for"),
        f"<table>{row * 5}</table>": ("table_shape", "5 rows, where 2 to 4 are asked for"),
        "<table><tr><td>1</td></tr><tr><td>2</td></tr></table>": (
            "table_shape",
            "1 columns, where 2 to 3 are asked for",
        ),
        '<table><tr><td colspan="3">1</td><td>2</td></tr><tr><td>1</td></tr></table>': (
            "table_shape",
            "4 columns, where 2 to 3 are asked for",
        ),
        "<table><tr><td>1</td><td>2</td></tr><tr></tr></table>": ("table_shape", "2 cells, where 4 to 6 are asked for"),
        f"<table>{row}<tr><td></td><td><img src=a.png></td></tr></table>": (None, None),
        "<table><tr><td>1</td><td> </td></tr><tr><td></td><td><br></td></tr></table>": (
            "table_layout",
            "25% of its 4 cells have text",
        ),
        "<table></table>": ("table_shape", "0 rows, where 2 to 4 are asked for"),
    }
    write_html(tmp_path / "in", [("", page(*cases))])
    source = HtmlTables(str(tmp_path / "in"), max_rows=4, max_columns=3, max_cells=6)
    rows = rows_of(source)
    assert [(row["reject_reason"], row["reject_detail"]) for row in rows] == list(cases.values())
    assert all(row["reject_excerpt"].startswith("<table") for row in rows if row["reject_reason"])
    headless = reasons_of(tmp_path / "in", require_header=True)
    assert (headless[0], headless[7]) == (None, "table_shape")


def test_tables_in_tables_are_samples_and_what_holds_them_is_not(tmp_path: Path) -> None:
    inner = f"<table><tr><td>{TABLE}</td><td>{TABLE.replace('1', '7')}</td></tr><tr><td>a</td><td>b</td></tr></table>"
    write_html(tmp_path / "in", [("", page(f"<table><tr><td>{inner}</td></tr></table>"))])
    rows = rows_of(HtmlTables(str(tmp_path / "in")))
    assert [(row["sub_key"], row["reject_reason"], row["reject_detail"]) for row in rows] == [
        ("table 0", "table_nested", "holds 3 tables"),
        ("table 1", "table_nested", "holds 2 tables"),
        ("table 2", None, None),
        ("table 3", None, None),
    ]


def test_every_table_of_a_shard_is_accounted_for(tmp_path: Path) -> None:
    ragged = "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td><td>5</td></tr></table>"
    write_html(tmp_path / "in", [("", page(TABLE, ragged, TABLE)), *PAGES])
    source = HtmlTables(str(tmp_path / "in"), license="CC0")
    (piece,) = source.pieces(10)
    shard = ingest_piece(Workspace(str(tmp_path / "w")), Ingest(source, (CanonicalForm("none"),), ()), piece)
    assert (shard.rows_in, shard.rows_kept) == (7, 5)
    assert dict(shard.rejected) == {"table_missing": 1, "table_ragged": 1}
    samples = pq.read_table(tmp_path / "w" / samples_path(shard.key)).to_pylist()
    assert len({sample["id"] for sample in samples}) == 5
    assert {(sample["task"], sample["license"]) for sample in samples} == {("table_to_html", "CC0")}
    assert samples[0]["text"] == TABLE.replace("<table>", "<table><tbody>").replace("</table>", "</tbody></table>")


def test_a_page_keeps_its_ids_when_others_come_into_the_folder(tmp_path: Path) -> None:
    def ids() -> set[str]:
        source = HtmlTables(str(tmp_path / "in"))
        found: set[str] = set()
        for piece in source.pieces(2):
            workspace = Workspace(str(tmp_path / "w"))
            shard = ingest_piece(workspace, Ingest(source, (), ()), piece)
            found |= set(pq.read_table(tmp_path / "w" / samples_path(shard.key)).column("id").to_pylist())
        return found

    write_html(tmp_path / "in", PAGES)
    before = ids()
    (tmp_path / "in" / "000-first.html").write_text(page(TABLE.replace("1", "9")))
    after = ids()
    assert before < after
    assert (len(before), len(after)) == (3, 4)


def test_real_tables_are_found_in_pages_made_of_them(shared_data: Path, tmp_path: Path) -> None:
    table = pq.read_table(shared_data / "pubtabnet-markup-only" / "train-00000-of-00001.parquet")
    tables = table.column("html_table").to_pylist()
    pages = [("", page(*tables[first : first + 3])) for first in range(0, len(tables), 3)]
    write_parquet(tmp_path / "in", pages)
    rows = rows_of(HtmlTables(str(tmp_path / "in"), min_text_share=0.0, max_rows=10_000), rows_per_shard=10)
    assert len(rows) == len(tables) == 111
    assert {row["reject_reason"] for row in rows} == {None}
    found = [canonical_table(row["text"]) for row in rows]
    assert found == [canonical_table(text) for text in tables]


def test_real_pages_without_tables_are_rejects_each(shared_data: Path) -> None:
    source = HtmlTables(str(shared_data / "websight"), html_column="text")
    assert [row["reject_reason"] for row in rows_of(source, 100)] == ["table_missing"] * 300


# Pages that are broken or hostile


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (b"<div>" * 100_000, "markup_invalid"),
        (b"<table><tr><td>" * 30_000, "markup_invalid"),
        (b"<table>" * 100_000, "markup_too_large"),
        (b"<p>" + b"x" * 10_000_000, "markup_too_large"),
        (b"<table><tr><td>\xff\xfe</table>", "text_not_utf8"),
        (b"<table" + b" a=1 b" * 100_000 + b">", "markup_invalid"),
        (b"", "table_missing"),
        (b"plain text", "table_missing"),
    ],
)
def test_a_hostile_page_is_a_reject_in_bounded_time(tmp_path: Path, hostile: bytes, reason: str) -> None:
    write_html(tmp_path / "in", PAGES[:1])
    (tmp_path / "in" / "999.html").write_bytes(hostile)
    started_s = time.process_time()
    assert reasons_of(tmp_path / "in")[2:] == [reason]
    assert time.process_time() - started_s < 5


def test_many_tables_in_one_cell_and_spans_beyond_reason_are_bounded(tmp_path: Path) -> None:
    wide = '<table><tr><td colspan="9999999999" rowspan="65534">1<td>2<tr><td>3<td>4</table>'
    write_html(tmp_path / "in", [("", page("<table><tr><td>", TABLE * 3_000, wide * 500))])
    started_s = time.process_time()
    reasons = reasons_of(tmp_path / "in")
    assert (len(reasons), reasons.count(None), reasons.count("table_nested")) == (3_501, 3_000, 1)
    assert time.process_time() - started_s < 5


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("é".encode(), "", "é"),
        (b"\xef\xbb\xbf\xc3\xa9", "windows-1252", "é"),
        ("é".encode("utf-16"), "", "é"),
        (b"\xe9\x80", "ISO-8859-1", "é€"),
        (b'<meta charset="latin1">\xe9', "", '<meta charset="latin1">é'),
        ("<meta http-equiv=x content='text/html; charset=Shift_JIS'>あ".encode("cp932"), "", None),
        (b'<meta charset="utf-7">+ADw-', "", '<meta charset="utf-7">+ADw-'),
        (b"a", "rot13", "a"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_a_browser_takes(data: bytes, declared: str, text: str | None) -> None:
    found = decode_page(data, declared)
    assert isinstance(found, str)
    assert found.endswith("あ") if text is None else found == text


# Web archives


def test_an_archive_is_read_whatever_its_answers_are_packed_in(tmp_path: Path) -> None:
    body = PAGES[0][1].encode()
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\n\r\n"
    kind = "Content-Type: text/html"
    records = [
        record("response", "https://a/1", gzip.compress(body), kind, "Content-Encoding: gzip"),
        record("response", "https://a/2", chunked, kind, "Transfer-Encoding: chunked"),
        record("resource", "file:///a/3", body, "Content-Type: application/xhtml+xml"),
        record("response", "https://a/4", "<p>ä".encode("latin-1"), "content-type: text/html; charset=iso-8859-1"),
    ]
    for packed in (True, False):
        write_warc(tmp_path / str(packed), records, packed=packed)
        assert reasons_of(tmp_path / str(packed)) == [None] * 6 + ["table_missing"]


def test_a_broken_record_costs_itself_only(tmp_path: Path) -> None:
    first, last = html_record("https://a/first", PAGES[0][1]), html_record("https://a/last", PAGES[0][1])
    broken = bytearray(gzip.compress(html_record("https://a/broken", page(TABLE * 50))))
    broken[40:60] = b"\0" * 20
    for middle in (
        bytes(broken),
        b"\0\0\0 no gzip",
        gzip.compress(b"no record"),
        gzip.compress(gzip.compress(b"x" * 99)),
    ):
        (tmp_path / "a.warc.gz").write_bytes(gzip.compress(first) + middle + gzip.compress(last))
        rows = rows_of(HtmlTables(str(tmp_path)), rows_per_shard=1)
        assert [row["reject_reason"] for row in rows] == [None, None, "annotation_broken", None, None]
        assert rows[-1]["source_key"] == "https://a/last#1"
    (tmp_path / "a.warc.gz").unlink()
    for middle in (b"WARC/1.0\r\nContent-Length: x\r\n\r\n\r\n", b"no record\r\n\r\n", b"WARC/1.0\r\n" * 7000):
        (tmp_path / "a.warc").write_bytes(first + middle + last)
        reasons = reasons_of(tmp_path)
        assert reasons[:2] == reasons[-2:] == [None, None]
        assert set(reasons[2:-2]) == {"annotation_broken"}


@pytest.mark.parametrize("packed", [True, False])
def test_an_archive_that_is_cut_loses_its_last_record_and_says_so(tmp_path: Path, packed: bool) -> None:
    write_warc(tmp_path, [html_record(f"https://a/{number}", PAGES[0][1]) for number in range(3)], packed=packed)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    assert reasons_of(tmp_path) == [None] * 4 + ["annotation_broken"]


def test_a_record_that_unpacks_to_gigabytes_is_a_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_UNPACKED_BYTES", 32 * 1024 * 1024)
    monkeypatch.setattr(hashes, "_CHUNK_BYTES", 256 * 1024)
    first, last = html_record("https://a/first", PAGES[0][1]), html_record("https://a/last", PAGES[0][1])
    head = html_record("https://a/bomb", "<p>")
    kind = "Content-Type: text/html"
    zeros = b"\0" * 40_000_000
    bombs = {
        "the record": gzip.compress(head + zeros),
        "the page": gzip.compress(
            record("response", "https://a/b", gzip.compress(zeros), kind, "Content-Encoding: gzip")
        ),
        "a large page": gzip.compress(record("response", "https://a/b", b"x" * (MAX_MARKUP_BYTES + 1), kind)),
        "a long record": gzip.compress(record("response", "https://a/b", b"x" * 20_000_000, kind)),
    }
    for name, bomb in bombs.items():
        (tmp_path / "a.warc.gz").write_bytes(gzip.compress(first) + bomb + gzip.compress(last))
        source = HtmlTables(str(tmp_path))
        next(source.pieces(1))  # imports what is imported at first use
        tracemalloc.start()
        rows = rows_of(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [row["reject_reason"] is None for row in rows] == [True, True, False, True, True], name
        assert rows[2]["reject_reason"] in ("markup_too_large", "annotation_broken")
        assert peak < 64_000_000, name


def test_without_warcio_an_archive_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_warc(tmp_path, archive_of(PAGES))
    monkeypatch.setitem(sys.modules, "warcio.archiveiterator", None)
    with pytest.raises(BadInputError, match=r"warcio, which is not installed\. Run `make setup`"):
        list(HtmlTables(str(tmp_path)).pieces(1))


# What a user may have got wrong


def test_files_of_several_kinds_and_a_wrong_column_are_told(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in", PAGES)
    with pytest.raises(SchemaError, match=r"no column 'htm'\. Did you mean 'html'\?"):
        reasons_of(tmp_path / "in", html_column="htm")
    (tmp_path / "in" / "a.html").write_text(TABLE)
    with pytest.raises(AddressError, match=r"several kinds\. Set format to one of html, jsonl"):
        reasons_of(tmp_path / "in")
    assert reasons_of(tmp_path / "in", format="html") == [None]
    with pytest.raises(AddressError, match="holds no warc file"):
        reasons_of(tmp_path / "in", format="warc")


def test_the_shipped_recipe_reads_an_address(tmp_path: Path) -> None:
    (entry,) = load_recipe("html_tables", addresses=[str(tmp_path)]).sources
    assert entry.build() == HtmlTables(str(tmp_path))


@pytest.mark.parametrize("container", ["html", "warc.gz", "tar"])
def test_pages_are_read_from_the_hub(tmp_path: Path, hub: FakeHub, container: str) -> None:
    WRITERS[container](tmp_path / "in", PAGES)
    hub.publish("me/pages", {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()})
    remote, local = rows_of(HtmlTables("me/pages")), rows_of(HtmlTables(str(tmp_path / "in")))
    assert [row | {"content_sha256": None} for row in remote] == [row | {"content_sha256": None} for row in local]
