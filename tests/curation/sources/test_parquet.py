"""Parquet is read by row group and column: pieces of the size asked for, texts alone, images of survivors only."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import SchemaError, UnreachableError
from curation.sample import IMAGE_TYPE
from curation.sources import parquet
from curation.sources.address import resolve
from curation.sources.source import Piece
from tests.hub.server import FakeHub

WriteParquet = Callable[..., Path]


def pieces(address: object, rows_per_shard: int, text: str = "text", *, needs_images: bool = False) -> list[Piece]:
    found = resolve(str(address), (".parquet",))
    return list(parquet.list_pieces(found, rows_per_shard, [text], "image", needs_images=needs_images))


def texts(piece: Piece) -> list[str]:
    return parquet.read_columns(piece, ["text"]).column("text").to_pylist()


def images(rows: Sequence[bytes | None]) -> pa.Array:
    return pa.array([row if row is None else {"bytes": row, "path": "a.png"} for row in rows], IMAGE_TYPE)


@pytest.fixture
def rows_in_groups(tmp_path: Path) -> Callable[[list[int]], Path]:
    """A file of numbered texts and images in row groups of the sizes given."""

    def write(sizes: list[int]) -> Path:
        path = tmp_path / "-".join(map(str, sizes)) / "a.parquet"
        path.parent.mkdir()
        schema = pa.schema([("text", pa.string()), ("image", IMAGE_TYPE)])
        with pq.ParquetWriter(path, schema) as writer:
            first = 0
            for size in sizes:
                rows = range(first, first + size)
                data = {"text": [f"t{row}" for row in rows], "image": images([b"i%d" % row for row in rows])}
                writer.write_table(pa.table(data, schema), row_group_size=max(size, 1))
                first += size
        return path

    return write


@pytest.mark.parametrize(
    ("sizes", "rows_per_shard", "expected"),
    [
        ([100], 100, [100]),
        ([10, 10, 10, 10, 5], 20, [20, 20, 5]),  # small groups are joined
        ([100], 30, [33, 33, 34]),  # a large one is cut
        ([7, 100, 3], 30, [35, 36, 36, 3]),  # both
        ([50, 50, 50], 64, [100, 50]),  # a group is not cut for less than two shards
        ([0, 5, 0], 10, [5]),
        ([0], 10, []),
        ([3], 1, [1, 1, 1]),
    ],
)
def test_pieces_have_about_the_rows_asked_for_and_miss_none(
    rows_in_groups: Callable[[list[int]], Path], sizes: list[int], rows_per_shard: int, expected: list[int]
) -> None:
    found = pieces(rows_in_groups(sizes), rows_per_shard)
    assert [piece.n_rows for piece in found] == expected
    assert [text for piece in found for text in texts(piece)] == [f"t{row}" for row in range(sum(sizes))]
    for piece in found:
        rows = range(piece.first_row, piece.first_row + piece.n_rows)
        found_images = parquet.read_images(piece, "image", list(rows))
        assert [image["bytes"] for image in found_images.to_pylist()] == [b"i%d" % row for row in rows]


def test_a_piece_is_all_that_another_process_needs(rows_in_groups: Callable[[list[int]], Path]) -> None:
    piece = pickle.loads(pickle.dumps(pieces(rows_in_groups([4]), 4)[0]))
    assert texts(piece) == ["t0", "t1", "t2", "t3"]


def test_a_footer_is_read_when_its_turn_comes(write_parquet: WriteParquet, tmp_path: Path) -> None:
    write_parquet("d/a.parquet", {"text": ["x"]})
    (tmp_path / "d/b.parquet").write_bytes(b"no parquet")
    found = resolve(str(tmp_path / "d"), (".parquet",))
    listing = parquet.list_pieces(found, 10, ["text"], "image", needs_images=False)
    assert next(listing).n_rows == 1
    with pytest.raises(SchemaError, match=r"b\.parquet cannot be read as Parquet"):
        next(listing)


def test_images_come_in_the_order_asked_for_in_any_number_of_calls(
    rows_in_groups: Callable[[list[int]], Path],
) -> None:
    (piece,) = pieces(rows_in_groups([50, 50]), 100)

    def read(rows: list[int]) -> list[bytes]:
        return [image["bytes"] for image in parquet.read_images(piece, "image", rows).to_pylist()]

    for rows in ([3, 97, 49, 50], [1], [2, 3, 60], [60], [61, 60], [], [99], [0]):
        assert read(rows) == [b"i%d" % row for row in rows]
    rng = random.Random(7)
    for _ in range(50):
        rows = rng.sample(range(100), rng.randint(1, 30))
        assert read(rows) == [b"i%d" % row for row in rows]


def test_images_may_be_a_struct_or_plain_bytes_and_missing(write_parquet: WriteParquet) -> None:
    plain = [b"\x89PNG", None, b"x"]
    columns = {
        "struct": images(plain),
        "plain": pa.array(plain, pa.binary()),
        "large": pa.array(plain, pa.large_binary()),
        "bytes_only": pa.array([{"bytes": row} for row in plain]),
        "named_only": pa.array([{"bytes": None, "path": "/etc/passwd"}] * 3, IMAGE_TYPE),
        "none": pa.nulls(3),
    }
    for number, (name, image) in enumerate(columns.items()):
        (piece,) = pieces(write_parquet(f"{number}.parquet", {"text": ["a", "b", "c"], "image": image}), 10)
        found = parquet.read_images(piece, "image", [0, 1, 2])
        assert found.type == IMAGE_TYPE
        assert found.null_count == (3 if name in {"named_only", "none"} else 1)
        assert [image and image["bytes"] for image in found.to_pylist()] in ([None] * 3, plain)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"html": ["x"], "image": [b"x"]}, r"a\.parquet has no column 'text'\. It has: html \(string\), image"),
        ({"text": ["x"]}, r"a\.parquet has no column 'image'\. It has: text \(string\)"),
        ({"text": [1], "image": [b"x"]}, r"Column 'text' of .*a\.parquet holds no text but int64"),
        ({"text": [[[1]]], "image": [b"x"]}, r"holds no text but list<element: list<"),
        ({"text": ["x"], "image": ["x.png"]}, r"Column 'image' of .*a\.parquet holds no images but string"),
        ({"text": ["x"], "image": [{"url": "x"}]}, r"holds no images but struct<url: string>"),
    ],
)
def test_a_missing_column_or_a_wrong_type_names_file_column_and_what_there_is(
    write_parquet: WriteParquet, columns: dict[str, object], message: str
) -> None:
    path = write_parquet("a.parquet", columns)
    with pytest.raises(SchemaError, match=message) as caught:
        pieces(path, 10, needs_images=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut off", "not parquet", "empty"])
def test_a_file_that_is_no_parquet_is_one_line(write_parquet: WriteParquet, damage: str) -> None:
    path = write_parquet("a.parquet", {"text": ["x"] * 1000})
    whole = path.read_bytes()
    path.write_bytes({"cut off": whole[: len(whole) // 2], "not parquet": b"x" * 500, "empty": b""}[damage])
    with pytest.raises(SchemaError, match=r"a\.parquet cannot be read as Parquet\. Fetch it again"):
        pieces(path, 10)


def test_a_row_group_of_many_images_never_sits_in_memory(tmp_path: Path) -> None:
    n_rows, image_bytes = 10_000, 8_000
    rng = random.Random(1)
    whole = [rng.randbytes(image_bytes) for _ in range(n_rows)]
    # A page is the least that can be read; pyarrow looks at a page's size only once in `write_batch_size` rows.
    table = pa.table({"text": ["x"] * n_rows, "image": images(whole)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=n_rows, write_batch_size=64)
    del table
    found = pieces(tmp_path, 1000)
    assert len(found) == 10
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    peak = 0
    for piece in found:
        for first in range(piece.first_row, piece.first_row + piece.n_rows, 100):
            rows = [first, first + 99]
            found_images = parquet.read_images(piece, "image", rows)
            assert [image["bytes"] for image in found_images.to_pylist()] == [whole[row] for row in rows]
            peak = max(peak, pool.bytes_allocated() - before)
    assert peak < n_rows * image_bytes / 8


def test_from_the_hub_the_text_pass_fetches_texts_and_the_image_pass_each_row_group_once(
    hub: FakeHub, write_parquet: WriteParquet
) -> None:
    rng = random.Random(2)
    n_rows = 400
    page = [rng.randbytes(5_000).hex() for _ in range(n_rows)]
    columns = {"image": images([rng.randbytes(20_000) for _ in range(n_rows)]), "text": page}
    path = write_parquet("train-0.parquet", columns, row_group_size=100)
    hub.publish("org/pages", {"data/train-0.parquet": path.read_bytes()})
    metadata = pq.read_metadata(path)

    def stored_bytes(column: str, groups: Sequence[int]) -> int:
        chunks = [metadata.row_group(group).column(index) for group in groups for index in range(metadata.num_columns)]
        return sum(c.total_compressed_size for c in chunks if c.path_in_schema == column)

    found = pieces("org/pages", 100)
    assert [text for piece in found for text in texts(piece)] == page
    assert hub.bytes_sent("/resolve/") <= 1.2 * stored_bytes("text", range(4))

    hub.requests.clear()
    survivors = [row for row in range(300) if row < 100 or row >= 200]
    for piece in found[:3]:
        kept = [row for row in survivors if piece.first_row <= row < piece.first_row + piece.n_rows]
        for start in range(0, len(kept), 25):
            parquet.read_images(piece, "image", kept[start : start + 25])
    assert hub.bytes_sent("/resolve/") <= 1.05 * stored_bytes("image.bytes", [0, 2])


def test_texts_of_a_cut_row_group_are_fetched_once_for_its_pieces(hub: FakeHub, write_parquet: WriteParquet) -> None:
    rng = random.Random(3)
    page = [rng.randbytes(2_000).hex() for _ in range(1000)]
    path = write_parquet("a.parquet", {"text": page})
    hub.publish("org/pages", {"a.parquet": path.read_bytes()})
    found = pieces("org/pages", 50)
    assert len(found) == 20
    assert [text for piece in found for text in texts(piece)] == page
    assert hub.bytes_sent("/resolve/") <= 1.2 * path.stat().st_size


def test_a_hub_that_stops_answering_between_files_is_one_line(
    hub: FakeHub, write_parquet: WriteParquet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKUPMILL_DEADLINE_S", "0.5")
    hub.publish("org/pages", {"a.parquet": write_parquet("a.parquet", {"text": ["x"]}).read_bytes()})
    hub.fail("/resolve/", 503, times=99)
    with pytest.raises(UnreachableError, match=r"a\.parquet cannot be read now \(HTTP 503\)"):
        pieces("org/pages", 10)
