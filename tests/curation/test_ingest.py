"""Ingest: every row of a piece ends in the shard or among the rejects, and nothing finished is made again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ShardError, StoreError
from curation.ingest import Ingest, ingest_piece, samples_path
from curation.parquet_sink import HashingSink
from curation.sample import SAMPLE_SCHEMA, sha256_hex
from curation.store import Workspace
from tests.curation.making import Length, ListSource, ingest_of, png

TEXTS = ("short", None, "x" * 2_000, "no picture", "broken picture", "cut picture", "good")
WHOLE = png()
IMAGES = (png("blue"), WHOLE, WHOLE, None, b"not a picture", WHOLE[:-20], png("green"))
SOURCE = ListSource((TEXTS, IMAGES))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def only_piece(source: ListSource):  # type: ignore[no-untyped-def]
    return next(source.pieces(1_000))


def test_every_row_is_kept_or_rejected_with_its_reason(workspace: Workspace) -> None:
    shard = ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE))
    assert (shard.rows_in, shard.rows_kept) == (7, 2)
    assert dict(shard.rejected) == {
        "text_missing": 1,
        "too_many_tokens": 1,
        "image_missing": 1,
        "image_unreadable": 1,
        "image_truncated": 1,
    }
    rejects = workspace.open_parquet(f"rejects/{shard.key}.parquet").read().to_pylist()
    by_reason = {row["reason"]: row for row in rejects}
    assert by_reason["too_many_tokens"]["detail"] == "2000 > 1000"
    assert by_reason["too_many_tokens"]["excerpt"] == "x" * 500
    assert by_reason["image_missing"]["source_key"] == "row 3"
    assert by_reason["image_truncated"]["stage"] == "image"


def test_a_sample_has_its_lineage_and_its_picture_byte_for_byte(workspace: Workspace) -> None:
    shard = ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE))
    with workspace.open_parquet(samples_path(shard.key)) as file:
        assert file.schema_arrow.equals(SAMPLE_SCHEMA)
        rows = file.read().to_pylist()
    assert [row["text"] for row in rows] == ["short", "good"]
    first = rows[0]
    assert first["image"]["bytes"] == IMAGES[0]
    assert first["image_sha256"] == sha256_hex(IMAGES[0] or b"")
    assert (first["width_px"], first["height_px"], first["image_origin"]) == (4, 3, "source")
    assert (first["source"], first["source_revision"], first["license"]) == ("list", "r1", "MIT")


def test_columns_that_samples_lack_become_a_measure_beside_the_shard(workspace: Workspace) -> None:
    shard = ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE))
    assert [measure.measure for measure in shard.measures] == ["length"]
    measure = workspace.open_parquet(f"measures/length/{shard.key}.parquet").read().to_pydict()
    samples = workspace.open_parquet(samples_path(shard.key)).read(["id"]).to_pydict()
    assert measure == {**samples, "n_tokens": [5, 4]}


def test_a_finished_shard_is_found_not_made(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = only_piece(SOURCE)
    made = ingest_piece(workspace, ingest_of(SOURCE), piece)
    monkeypatch.setattr(ListSource, "read_texts", None)  # reading again would fail
    assert ingest_piece(workspace, ingest_of(SOURCE), piece) == made


def test_the_key_follows_what_goes_in_and_not_where_it_lies() -> None:
    piece = only_piece(SOURCE)
    key = ingest_of(SOURCE).shard_key(piece)
    assert ingest_of(SOURCE).shard_key(replace(piece, path="elsewhere", revision="r2")) == key
    assert ingest_of(SOURCE, ceiling=999).shard_key(piece) != key
    assert ingest_of(SOURCE).shard_key(replace(piece, content_sha256="other")) != key
    assert ingest_of(SOURCE).shard_key(replace(piece, first_row=1)) != key
    assert Ingest(SOURCE, (), (Length(),)).shard_key(piece) != key


def test_a_bug_names_stage_shard_and_row_and_leaves_no_shard(workspace: Workspace) -> None:
    source = ListSource((("fine", "bug"), (WHOLE, WHOLE)))
    with pytest.raises(ShardError) as caught:
        ingest_piece(workspace, ingest_of(source), only_piece(source))
    assert caught.value.stage == "length"
    assert "row id " in str(caught.value)
    assert "ZeroDivisionError: a bug" in str(caught.value)
    assert workspace.fs.find(workspace.root) == []


def test_a_source_that_fails_is_not_taken_for_a_workspace_that_does(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ListSource, "read_images", fail)
    with pytest.raises(ShardError, match=r"source list failed on shard .*, rows 0 to 6 of list: OSError: .*put/output"):
        ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE))
    assert workspace.fs.find(workspace.root) == []


@pytest.mark.parametrize("after_bytes", [0, 100, 900, 3_000])
def test_a_disk_that_is_full_in_the_middle_of_a_shard_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, after_bytes: int
) -> None:
    write = HashingSink.write
    n_written = 0

    def fail_later(sink: HashingSink, data: Any) -> int:
        nonlocal n_written
        n_written += memoryview(data).nbytes
        if n_written > after_bytes and not sink.is_abandoned:
            raise OSError(28, "No space left on device")
        return write(sink, data)

    monkeypatch.setattr(HashingSink, "write", fail_later)
    with pytest.raises(StoreError, match=r"cannot write .* No space left on device. Check the disk's free space"):
        ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE))
    assert not workspace.fs.glob(workspace.path("**/*.json"))
    assert not list(Path(workspace.root).glob("**/.tmp-*"))
    monkeypatch.setattr(HashingSink, "write", write)
    assert ingest_piece(workspace, ingest_of(SOURCE), only_piece(SOURCE)).rows_kept == 2


def test_a_shard_of_nothing_but_rejects_is_finished_too(workspace: Workspace) -> None:
    source = ListSource(((None, None), (WHOLE, WHOLE)))
    shard = ingest_piece(workspace, ingest_of(source), only_piece(source))
    assert (shard.rows_in, shard.rows_kept, shard.measures) == (2, 0, ())
    manifest = json.loads(workspace.fs.cat_file(workspace.path(f"samples/{shard.key}.json")))
    assert manifest["rows_rejected"] == {"text_missing": 2}


def test_the_same_piece_gives_the_same_bytes(tmp_path: Path) -> None:
    shards = [ingest_piece(Workspace(tmp_path / n), ingest_of(SOURCE), only_piece(SOURCE)) for n in "ab"]
    a, b = (Workspace(tmp_path / n).file_sha256(samples_path(shard.key)) for n, shard in zip("ab", shards, strict=True))
    assert a == b
    assert a is not None
