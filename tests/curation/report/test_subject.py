"""What a report is about: any kind of files, a workspace, a release beside its workspace and away from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from curation.errors import AddressError, BadInputError
from curation.ingest import samples_path
from curation.report.measuring import Choice, measure_subject
from curation.report.rows import ReportRows
from curation.report.subject import Asked, Subject, open_subject
from curation.sources.generated import Generated
from curation.sources.mapped_files import MappedFiles
from curation.store import Workspace
from tests.curation.making import shards_of
from tests.curation.report.strangers import (
    CAPTIONS,
    markup_table,
    picture,
    write_arrow,
    write_csv,
    write_jsonl,
    write_parquet,
)
from tests.curation.sources.building import Built, build
from tests.hub.server import FakeHub

TABLE = "<table><tr><td>{}</td></tr></table>"


def opened(tmp_path: Path, folder: Path, **asked: object) -> Subject:
    return open_subject(Asked(str(folder), **asked), str(tmp_path / "ws"))  # type: ignore[arg-type]


def samples(subject: Subject) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for _, shard in subject.shards():
        found += subject.workspace.open_parquet(samples_path(shard.key)).read().to_pylist()
    return found


@pytest.mark.parametrize("write", [write_parquet, write_arrow, write_jsonl])
def test_captions_in_every_kind_of_file(tmp_path: Path, write: object) -> None:
    subject = opened(tmp_path, write(tmp_path / "data"))  # type: ignore[operator]
    rows = samples(subject)
    assert [row["text"] for row in rows] == list(CAPTIONS[:5])
    assert {row["task"] for row in rows} == {"image_to_caption"}
    assert rows[0]["objects"] == ["horse", "person"]
    (_, shard), *_ = subject.shards()
    assert (shard.rows_in, dict(shard.rejected)) == (6, {"image_truncated": 1})
    assert subject.lineage["task"] == "image_to_caption, told by the texts"
    assert subject.name == "data"


def test_markup_in_csv_and_in_arrow(tmp_path: Path) -> None:
    rows = samples(opened(tmp_path, write_csv(tmp_path / "c", [(r"\alpha_{1}", picture(0)), (r"\frac{", picture(1))])))
    assert [row["task"] for row in rows] == ["formula_to_latex"]
    table = markup_table([TABLE.format(number) for number in range(5)])
    rows = samples(opened(tmp_path, write_arrow(tmp_path / "a", table)))
    assert [row["task"] for row in rows] == ["table_to_html"] * 5
    assert rows[3]["image"]["bytes"] == picture(3)  # type: ignore[index]


def test_splits_told_by_files_are_read_one_after_another_or_alone(tmp_path: Path) -> None:
    for split, n_rows in (("train", 3), ("test", 2)):
        table = markup_table([TABLE.format(f"{split} {number}") for number in range(n_rows)])
        write_parquet(tmp_path / "data", table, f"{split}-00000-of-00001.parquet")
    every = opened(tmp_path, tmp_path / "data")
    assert [(split, shard.rows_kept) for split, shard in every.shards()] == [("train", 3), ("test", 2)]
    alone = opened(tmp_path, tmp_path / "data", split="test")
    assert [(split, shard.rows_kept) for split, shard in alone.shards()] == [("test", 2)]
    with pytest.raises(AddressError, match="has no split 'dev'"):
        opened(tmp_path, tmp_path / "data", split="dev")


@pytest.mark.parametrize("n_rows", [1, 4, 600])
@pytest.mark.parametrize("write", [write_parquet, write_arrow, write_csv])
def test_max_samples_reads_exactly_the_first_rows(tmp_path: Path, write: object, n_rows: int) -> None:
    texts = [rf"\alpha_{{{number}}}" for number in range(640)]
    if write is write_csv:
        folder = write_csv(tmp_path / "data", [(text, picture(0)) for text in texts])
    else:
        image = pa.array([{"bytes": picture(0), "path": None}] * len(texts))
        folder = write(tmp_path / "data", pa.table({"image": image, "text": pa.array(texts)}))  # type: ignore[operator]
    subject = opened(tmp_path, folder, max_samples=n_rows)
    assert subject.n_rows == n_rows
    said = [str(row["text"]).replace(" ", "") for row in samples(subject)]
    assert said == texts[:n_rows]


def test_what_was_ingested_and_measured_once_is_found(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "data")
    choice = Choice(("markup", "statistics"))
    told: list[tuple[int, int, bool]] = []
    first = measure_subject(opened(tmp_path, folder), choice, lambda *row: told.append(row))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "ws").rglob("*.parquet")}
    again = measure_subject(opened(tmp_path, folder), choice, lambda *row: told.append(row))
    assert again == first
    assert told == [(6, 5, True), (6, 5, False)]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "ws").rglob("*.parquet")} == files


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Path]:
    """A release of 30 tables in its workspace."""
    folder = tmp_path_factory.mktemp("built")
    texts = Generated("table_to_html", 34).read_texts(next(Generated("table_to_html", 34).pieces(34)))
    write_parquet(folder / "data", markup_table(texts.column("text").to_pylist()))
    source = MappedFiles(str(folder / "data"), "table_to_html", text_column="html_table")
    return build(source, folder / "workspace", ceiling=900, rows=9), folder


def test_a_release_is_read_from_its_workspace_with_the_rows_and_splits_it_has(built: tuple[Built, Path]) -> None:
    made, folder = built
    release = folder / "workspace" / "releases" / "small"
    subject = open_subject(Asked(str(release)), str(folder / "unused"))
    measured = measure_subject(subject, Choice(("markup", "tokens")))
    rows = ReportRows(subject.workspace, measured.shards, subject.selection)
    splits = [split for table in rows.tables(["n_tokens"]) for split in table.column("split").to_pylist()]
    assert {split: splits.count(split) for split in splits} == dict(made.selection.splits)
    assert not (folder / "unused").exists()
    assert subject.name == "small"
    assert "licence MIT" in subject.lineage["source files (table_to_html)"]
    # The build has taken them: nothing is measured again.
    assert {ref.measure for shard in measured.shards for ref in shard.measured.measures} == {"markup", "tokens"}
    assert len(list((folder / "workspace/measures/tokens").glob("*.parquet"))) == len(made.shard_keys)
    only = ReportRows(subject.workspace, measured.shards, subject.selection, split="test")
    assert sum(table.num_rows for table in only.tables(["id"])) == made.selection.splits["test"]


def test_what_a_build_measured_is_used_where_this_run_cannot_measure_it(
    built: tuple[Built, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, folder = built

    def no_model(name: str, choice: Choice) -> object:
        raise BadInputError(f"the weights of {name} are not here")

    monkeypatch.setattr("curation.report.measuring._stage", no_model)
    subject = open_subject(Asked(str(folder / "workspace")), str(folder / "unused"))
    measured = measure_subject(subject, Choice(("markup", "tokens", "statistics")))
    assert measured.made_with == dict.fromkeys(("markup", "tokens"), "as it was measured before")
    assert {one.measure: one.why for one in measured.not_measured if "weights" in one.why} == {
        "statistics": "the weights of statistics are not here"
    }
    rows = ReportRows(subject.workspace, measured.shards, subject.selection)
    n_tokens = [n for table in rows.tables(["n_tokens", "valid"]) for n in table.column("n_tokens").to_pylist()]
    assert len(n_tokens) == made.selection.rows_kept
    assert all(n > 0 for n in n_tokens)


def test_a_workspace_is_its_latest_selection(built: tuple[Built, Path]) -> None:
    made, folder = built
    subject = open_subject(Asked(str(folder / "workspace"), max_samples=5), str(folder / "unused"))
    measured = measure_subject(subject, Choice(("markup",)))
    assert subject.selection == made.selection.key
    rows = ReportRows(subject.workspace, measured.shards, subject.selection, limit=subject.max_samples)
    tables = list(rows.tables(["id", "text"]))
    assert sum(table.num_rows for table in tables) == 5
    places = [(table.column("shard")[0].as_py(), table.column("row")[0].as_py()) for table in tables]
    loaded = rows.load(places, ["text", "valid", "image"])
    assert [loaded[place]["text"] for place in places] == [table.column("text")[0].as_py() for table in tables]
    assert all(loaded[place]["valid"] and loaded[place]["image"]["bytes"] for place in places)


def test_a_release_that_was_moved_is_read_by_itself(built: tuple[Built, Path], tmp_path: Path) -> None:
    made, folder = built
    shutil.copytree(folder / "workspace" / "releases" / "small", tmp_path / "small")
    subject = open_subject(Asked(str(tmp_path / "small")), str(tmp_path / "ws"))
    found = [(split, shard.rows_kept) for split, shard in subject.shards()]
    assert dict(found) == dict(made.selection.splits)
    assert (subject.name, subject.lineage["task"]) == ("small", "table_to_html, as given")


def test_a_workspace_in_memory_before_anything_is_selected() -> None:
    workspace = Workspace("memory://report-subject")
    shards_of(workspace, ("a", None, "c"))
    subject = open_subject(Asked("memory://report-subject"), "unused")
    assert (subject.selection, subject.n_rows) == (None, 3)
    assert sorted(str(row["text"]) for row in samples(subject)) == ["a", "c"]
    workspace.fs.rm(workspace.root, recursive=True)


def test_a_data_set_of_the_hub_at_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = (write_parquet(tmp_path / "data") / "train.parquet").read_bytes()
    with FakeHub().serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        commit = hub.publish("me/captions", {"plain/train.parquet": data, "README.md": b"-", "other/x.csv": b""})
        hub.publish("me/captions", {})
        address = f"me/captions@{commit}:plain"
        subject = open_subject(Asked(address, max_samples=4), str(tmp_path / "ws"))
        assert [row["text"] for row in samples(subject)] == list(CAPTIONS[:4])
    assert (subject.name, subject.revision) == (address, commit)
    assert subject.lineage["source"] == f"{address}, {commit}, parquet files"


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="There is no file or folder"):
        opened(tmp_path, tmp_path / "nothing")
    with pytest.raises(BadInputError, match="there is no task 'captions'"):
        opened(tmp_path, tmp_path, task="captions")
    with pytest.raises(BadInputError, match="there is no measure 'clips'"):
        Choice(("clips",))
