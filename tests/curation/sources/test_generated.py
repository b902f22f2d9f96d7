"""The generated source: a row is what its settings and its number make it, whatever is read with it, and where."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation.sample import sha256_hex
from curation.sources.generated import Generated, GeneratedTask
from curation.sources.source import RAW_SCHEMA

TASKS: tuple[GeneratedTask, ...] = get_args(GeneratedTask)
ROOT = Path(__file__).resolve().parents[3]

# The rows' content is part of every id and shard key: a change here asks for a new GENERATOR_VERSION.
FIRST_ROWS_SHA256 = {
    "page_to_html": "c76ac1b170b5a14a212dc888d2516c1d70a0724538bf48593fba419844a7d05e",
    "table_to_html": "f5c0ef85690dc369da266edff1a31dc3312b4efdeb561d1e28adfcc45f19ac91",
    "formula_to_latex": "cdb5cca279b7cb8adab7efbbdcc8bf58910d5591b56436c612689f41147b747d",
}


def rows(source: Generated, rows_per_shard: int) -> pa.Table:
    return pa.concat_tables([source.read_texts(piece) for piece in source.pieces(rows_per_shard)])


def digest(source: Generated) -> str:
    table = rows(source, 100)
    lines = [
        f"{text}\n{context}" for text, context in zip(*(table[c].to_pylist() for c in ("text", "context")), strict=True)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_in_the_schema_of_sources(task: GeneratedTask) -> None:
    table = rows(Generated(task, n_rows=40, seed=3), 16)
    assert table.schema == RAW_SCHEMA
    assert table["row"].to_pylist() == list(range(40))
    assert set(table["task"].to_pylist()) == {task}
    assert set(table["license"].to_pylist()) == {Generated.license}
    assert len(set(table["source_key"].to_pylist())) == 40
    assert table["text"].null_count == 0
    assert table["context"].null_count == (0 if task == "page_to_html" else 40)
    assert table["reject_reason"].null_count == 40


@pytest.mark.parametrize("task", TASKS)
def test_rows_do_not_depend_on_shard_bounds(task: GeneratedTask) -> None:
    source = Generated(task, n_rows=50, seed=1)
    assert rows(source, 7).equals(rows(source, 50))
    assert rows(source, 1).equals(rows(source, 1_000))


@pytest.mark.parametrize("task", TASKS)
def test_pieces_cover_the_rows_once(task: GeneratedTask) -> None:
    pieces = list(Generated(task, n_rows=25).pieces(10))
    assert [(piece.first_row, piece.n_rows) for piece in pieces] == [(0, 10), (10, 10), (20, 5)]
    assert list(Generated(task, n_rows=0).pieces(10)) == []


def test_any_piece_reads_alone_and_in_any_order() -> None:
    source = Generated("table_to_html", n_rows=30, seed=5)
    pieces = list(source.pieces(10))
    backwards = [source.read_texts(piece) for piece in reversed(pieces)]
    assert pa.concat_tables(backwards[::-1]).equals(rows(source, 10))


@pytest.mark.parametrize("task", TASKS)
def test_more_rows_keep_the_earlier_ones_and_their_identity(task: GeneratedTask) -> None:
    few, many = Generated(task, n_rows=10, seed=2), Generated(task, n_rows=30, seed=2)
    assert rows(many, 10).slice(0, 10).equals(rows(few, 10))
    assert next(few.pieces(10)) == next(many.pieces(10))


def test_identity_names_all_that_rows_depend_on() -> None:
    sources = [
        Generated(task, seed=seed, long_tail=tail) for task in TASKS for seed in (0, 1) for tail in (False, True)
    ]
    assert len({next(source.pieces(5)).content_sha256 for source in sources}) == len(sources)


def test_another_seed_gives_other_rows() -> None:
    texts = [rows(Generated("formula_to_latex", n_rows=200, seed=seed), 200)["text"].to_pylist() for seed in (0, 1)]
    assert len(set(texts[0]) & set(texts[1])) < 3


def test_pictures_are_left_to_rendering() -> None:
    source = Generated(n_rows=5)
    assert source.read_images(next(source.pieces(5)), [0, 1]) is None


@pytest.mark.parametrize("task", TASKS)
def test_content_changes_only_with_the_version(task: GeneratedTask) -> None:
    assert digest(Generated(task, n_rows=200, seed=7, long_tail=True)) == FIRST_ROWS_SHA256[task]


def test_rows_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from curation.sources.generated import Generated\n"
        "for task in ('page_to_html', 'table_to_html', 'formula_to_latex'):\n"
        "    source = Generated(task, n_rows=60, seed=9)\n"
        "    [piece] = source.pieces(60)\n"
        "    print(source.read_texts(piece)['text'].to_pylist())\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert sha256_hex(printed.pop()) != sha256_hex(b"")


def test_long_tail_has_a_median_near_4_kb_and_a_tenth_above_16_kb() -> None:
    table = rows(Generated(n_rows=3_000, seed=0, long_tail=True), 1_000)
    lengths = sorted(pc.binary_length(table["text"]).to_pylist())
    assert 3_400 < median(lengths) < 5_000
    assert lengths[int(0.9 * len(lengths))] > 16_000
    assert lengths[-1] > 80_000
    assert len(set(table["text"].to_pylist())) == len(lengths)
