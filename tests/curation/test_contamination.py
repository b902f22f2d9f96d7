"""Rows that an evaluation set has too."""

from __future__ import annotations

import pytest

from curation.contamination import CONTAMINATION_SCHEMA, RunIndex, contaminated
from curation.shingles import words
from tests.curation.hashing import Row, picture, signature, table_of

CAPTION = "image_to_caption"


def test_what_is_shared_and_by_what() -> None:
    evaluation = [Row("e1"), Row("e2", text_sha256="same"), Row("e3", CAPTION, skeleton_minhash=None)]
    rows = [
        Row("a", text_sha256="same"),
        Row("b", minhash=signature("text e1", 0.1), skeleton_minhash=signature("skeleton e1")),
        Row("c", skeleton_minhash=signature("skeleton e1")),  # a sibling
        Row("d", CAPTION, skeleton_minhash=None, phash=picture("e3", 4)),  # another caption of its picture
        Row("f", CAPTION, signature("text e3", 0.1), None, picture("e3", 2)),
        Row("g", CAPTION, signature("text e3"), None),  # its caption, another picture
        Row("h", CAPTION, None, None, None, image_sha256=Row("e3").values()["image_sha256"]),  # type: ignore[arg-type]
        Row("i", minhash=signature("text b"), skeleton_minhash=signature("skeleton b")),
    ]
    found = contaminated([table_of(rows[:3]), table_of(rows[3:])], [table_of(evaluation)])
    assert found.schema == CONTAMINATION_SCHEMA
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("a", "e2", "text"),
        ("b", "e1", "near"),
        ("d", "e3", "picture"),
        ("f", "e3", "near"),
        ("h", "e3", "picture"),
    ]


def test_chains_do_not_count() -> None:
    link = Row("a", minhash=signature("text e", 0.2), skeleton_minhash=signature("s"))
    far = bytearray(link.minhash or b"")
    for place in [p for p in range(256) if far[p] == signature("text e")[p]][:50]:
        far[place] ^= 0x0F
    rows = [link, Row("b", minhash=bytes(far), skeleton_minhash=signature("s"))]
    evaluation = [Row("e", skeleton_minhash=signature("s"))]
    assert contaminated([table_of(rows)], [table_of(evaluation)]).column("id").to_pylist() == ["a"]


def test_nothing_to_compare() -> None:
    table = table_of([Row("a")])
    for rows, evaluation in [([table], []), ([], [table]), ([], [])]:
        assert contaminated(rows, evaluation) == CONTAMINATION_SCHEMA.empty_table()


def test_runs_of_thirteen_words() -> None:
    text = words("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen")
    index = RunIndex([text, words("too short")])
    assert index.share(text) == 1.0
    assert index.share(["zero", *text[:13]]) == pytest.approx(1 / 2)
    assert index.share(text[:12]) is None
    assert index.share([*text[:12], "other", *text[12:]]) == 0.0
    assert index.share(list(reversed(text))) == 0.0
    assert RunIndex([]).share(text) == 0.0
