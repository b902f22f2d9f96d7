"""`hashes`: alike rows have alike hashes, and what has nothing to hash has none."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from curation.duplicates import find_duplicates
from curation.measures import hashes
from curation.measures.hashes import Hashes
from curation.near_pairs import SIGNATURE_BYTES, estimated_jaccard
from curation.sample import IMAGE_TYPE, MESSAGES_TYPE, sha256_hex
from curation.shingles import shingles
from curation.stage import Batch
from rendering.pixels import decode_rgb
from tests.curation.making import png
from tests.curation.markup.real_html import real_texts


def measured(
    rows: Sequence[tuple[str, str | None, bytes | None]], messages: list[list[dict[str, str]] | None] | None = None
) -> pa.Table:
    table = pa.table(
        {
            "task": [task for task, _, _ in rows],
            "text": pa.array([text for _, text, _ in rows], pa.string()),
            "messages": pa.array(messages or [None] * len(rows), MESSAGES_TYPE),
            "image": pa.array([{"bytes": data, "path": None} if data else None for _, _, data in rows], IMAGE_TYPE),
        }
    )
    with Hashes().open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == Hashes.adds
    return columns


def likeness(one: bytes, other: bytes) -> float:
    signatures = np.frombuffer(one + other, np.uint8).reshape(2, -1)
    return float(estimated_jaccard(signatures, np.array([0]), np.array([1]))[0])


def drawn(*words: str) -> Image.Image:
    image = Image.new("RGB", (640, 360), "white")
    for i, word in enumerate(words):
        ImageDraw.Draw(image).text((20 + 90 * i, 30 + 80 * i), word, fill="black", font_size=60)
    return image


def file_of(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_what_has_nothing_to_hash_has_no_hash() -> None:
    chat = [{"role": "user", "content": "What is it?"}]
    picture = file_of(drawn("one", "two"))
    rows = [
        ("page_to_html", "<html><head></head><body></body></html>", picture),
        ("image_to_caption", "A dog.", None),
        ("image_to_caption", " ", b"no picture"),
        ("image_chat", None, picture[: len(picture) // 2]),
        ("formula_to_latex", "x", png("white", (600, 400))),
        ("formula_to_latex", None, png("navy", (600, 400))),
    ]
    table = measured(rows, [None, None, None, chat, None, None])
    there = {name: table.column(name).is_valid().to_pylist() for name in table.column_names}
    assert there == {
        "phash": [True, False, False, False, False, False],
        "minhash": [False, True, False, True, True, False],
        "skeleton_minhash": [True, False, False, False, True, False],
    }


def test_signatures_are_the_same_everywhere_and_for_ever() -> None:
    # Of version 1: a change of these bytes is a change of the measure, and raises its version.
    [row] = measured([("formula_to_latex", "a + b", file_of(drawn("one", "two")))]).to_pylist()
    assert len(row["minhash"]) == len(row["skeleton_minhash"]) == SIGNATURE_BYTES
    assert sha256_hex(row["minhash"])[:16] == "8174f4bd641328ac"
    assert sha256_hex(row["skeleton_minhash"])[:16] == "a19e3127ae64cdb0"


def test_the_picture_hash_is_imagehash_s() -> None:
    import imagehash

    data = file_of(drawn("one", "two"))
    image = decode_rgb(data)
    assert isinstance(image, Image.Image)
    [value] = measured([("image_to_caption", "A dog.", data)]).column("phash").to_pylist()
    assert f"{value:016x}" == str(imagehash.phash(image))


def test_pictures_that_look_alike_have_near_hashes() -> None:
    image = drawn("one", "two", "six")
    alike = [image, image.resize((320, 180)), drawn("one", "two", "siy")]
    pictures = [*map(file_of, alike), file_of(image, "JPEG", quality=30), file_of(drawn("a", "b"))]
    values = measured([("image_to_caption", None, data) for data in pictures]).column("phash").to_pylist()
    distances = [(value ^ values[0]).bit_count() for value in values]
    assert max(distances[:4]) <= 6
    assert distances[4] > 12


def test_estimates_are_near_the_jaccard_index() -> None:
    base = [f"w{i}" for i in range(300)]
    texts = [" ".join(base)] + [" ".join([*base[n:], *(f"v{i}" for i in range(n))]) for n in (3, 15, 60, 150, 300)]
    signatures = measured([("image_to_caption", text, None) for text in texts]).column("minhash").to_pylist()
    sets = [shingles(text.split()) for text in texts]
    for one, signature in zip(sets, signatures, strict=True):
        index = len(one & sets[0]) / len(one | sets[0])
        assert likeness(signature, signatures[0]) == pytest.approx(index, abs=0.1)  # over 3 standard deviations


def test_one_row_has_the_same_hashes_in_any_batch() -> None:
    rows = [("image_to_caption", f"A dog and {n} cats.", file_of(drawn(f"n{n}"))) for n in range(4)]
    together = measured(rows)
    assert pa.concat_tables([measured([row]) for row in rows]) == together


def test_a_text_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ("image_to_caption", " ".join(str(n) for n in range(1_000)), None)
    whole = measured([row])
    monkeypatch.setattr(hashes, "_SHINGLES_AT_ONCE", 7)
    assert measured([row]) == whole


def test_real_pages_have_no_duplicates_and_changed_ones_have(shared_data: Path) -> None:
    texts = real_texts(shared_data, "websight")[:60]
    changed = [text.replace(" the ", " that ", 1).replace('class="', 'data-x="1" class="') for text in texts[:20]]
    rows = [("page_to_html", text, None) for text in (*texts, *changed)]
    table = measured(rows)
    ids = [f"{n:02}" for n in range(len(rows))]
    nothing = pa.nulls(len(rows), pa.string())
    known = {"id": ids, "task": [row[0] for row in rows], "image_sha256": nothing, "text_sha256": nothing}
    found = find_duplicates([pa.table({**known, **{n: table.column(n) for n in table.column_names}})])
    assert found.column("duplicate_of").to_pylist() == [None] * 60 + ids[:20]


def test_real_photographs_and_their_copies(shared_data: Path) -> None:
    paths = sorted((shared_data / "coco-captions").glob("*.parquet"))
    files = [image["bytes"] for image in pq.read_table(paths[0], columns=["image"]).column("image").to_pylist()][:15]
    images = [decode_rgb(data) for data in files]
    copies = [
        file_of(i.resize((i.width // 2, i.height // 2)), "JPEG", quality=40)
        for i in images
        if isinstance(i, Image.Image)
    ]
    values = measured([("image_to_caption", None, data) for data in (*files, *copies)]).column("phash").to_pylist()
    for n, copy in enumerate(values[15:]):
        distances = [(copy ^ value).bit_count() for value in values[:15]]
        assert distances[n] <= 6 < min(d for k, d in enumerate(distances) if k != n)
