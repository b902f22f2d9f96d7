"""`markupmill debias`: files, releases and workspaces of captions come out as the same kind, reviewed or not."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import BadInputError
from curation.ingest import finished_shard, samples_path
from curation.release_folder import verifies
from curation.report.subject import Asked, open_subject
from curation.sample import SAMPLE_SCHEMA, sha256_hex
from curation.sources.captions import Captions
from curation.store import Workspace
from flows.debias import Debiased, DebiasOptions, run_debias
from tests.curation.making import png
from tests.curation.sources.building import build

TEXTS = ["A man on his bike.", "A dog on a mat.", "Two women and a boy."]
NEUTRAL = ["A person on their bike.", "A dog on a mat.", "Three people."]


def debias(source: Path, **more: Any) -> Debiased:
    named = {name: value if isinstance(value, bool) else str(value) for name, value in more.items()}
    return run_debias(DebiasOptions(str(source), **{"bertscore": False, **named}))


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    images = [{"bytes": png(size=(8 + n, 8)), "path": None} for n in range(len(TEXTS))]
    pq.write_table(pa.table({"image": images, "caption": TEXTS}), folder / "train-00000-of-00001.parquet")
    return folder


def test_a_csv_comes_out_as_a_csv_and_the_figures_are_told(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("caption\n" + "".join(f'"{text}"\n' for text in TEXTS))
    done = debias(source, out=tmp_path / "out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["caption"] for row in rows] == NEUTRAL
    assert [row["original_caption"] for row in rows] == TEXTS
    assert done.lines[0] == "2 of 3 captions changed (rules 1)"
    assert " ".join(done.lines[1].split()) == "gender 66.67 % of captions, now 0.00 % (0)"
    assert (done.facts["bias_before"]["gender"], done.facts["bias_after"]["gender"]) == (2, 0)


def test_a_review_is_written_edited_and_applied(tmp_path: Path) -> None:
    source, review = tmp_path / "in.csv", tmp_path / "review.csv"
    source.write_text("caption\n" + "".join(f'"{text}"\n' for text in TEXTS))
    debias(source, review=review)
    text = review.read_text()
    assert len(text.splitlines()) == 3
    review.write_text(text.replace("A person on their bike.", "A cyclist.").replace("Three people.", ""))
    debias(source, out=tmp_path / "out.csv", apply=review)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["caption"] for row in rows] == ["A cyclist.", "A dog on a mat.", "Two women and a boy."]
    source.write_text("caption\nAnother.\n")
    with pytest.raises(BadInputError, match=r"line 2: caption 'in\.csv:0' is 'Another\.' in the data"):
        debias(source, out=tmp_path / "out.csv", apply=review)


def test_a_folder_keeps_its_other_files_and_is_written_again_only_over_its_own(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in")
    (source / "LICENSE").write_text("free")
    debias(source, out=tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet")
    assert table.column("caption").to_pylist() == NEUTRAL
    assert table.column("image").equals(pq.read_table(source / "train-00000-of-00001.parquet").column("image"))
    assert (tmp_path / "out" / "LICENSE").read_text() == "free"
    assert json.loads((tmp_path / "out" / "debias.json").read_text())["n_changed"] == 2
    debias(source, out=tmp_path / "out")
    with pytest.raises(BadInputError, match="is the input"):
        debias(source, out=source)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    with pytest.raises(BadInputError, match="was not written by debias"):
        debias(source, out=tmp_path / "mine")


def test_a_release_comes_out_as_one_that_verifies_and_that_datasets_opens(tmp_path: Path) -> None:
    from datasets import load_dataset

    built = build(Captions(address=str(pictures(tmp_path / "data"))), tmp_path / "ws")
    debias(Path(built.release.path), out=tmp_path / "out" / "neutral")
    manifest = json.loads((tmp_path / "out" / "neutral" / "manifest.json").read_text())
    assert verifies(Workspace(tmp_path / "out"), "neutral", manifest)
    assert manifest["debiased_from"] == built.release.manifest["key"] != manifest["key"]
    card = (tmp_path / "out" / "neutral" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "2 of 3 captions were changed" in " ".join(card.split())
    rows = [
        row
        for split in load_dataset(str(tmp_path / "out" / "neutral"), cache_dir=str(tmp_path / "cache")).values()
        for row in split
    ]
    assert sorted((row["text"], row["original_caption"]) for row in rows) == sorted(zip(NEUTRAL, TEXTS, strict=True))
    assert all(row["image"].size[1] == 8 for row in rows)


def test_a_workspace_comes_out_as_one_with_finished_shards(tmp_path: Path) -> None:
    built = build(Captions(address=str(pictures(tmp_path / "data"))), tmp_path / "ws")
    debias(tmp_path / "ws", out=tmp_path / "out")
    workspace = Workspace(tmp_path / "out")
    subject = open_subject(Asked(str(tmp_path / "out")), str(tmp_path / "out"))
    assert len(subject.shard_keys) == len(built.shard_keys)
    assert not set(subject.shard_keys) & set(built.shard_keys)
    for key in subject.shard_keys:
        assert finished_shard(workspace, key) is not None
        table = workspace.open_parquet(samples_path(key)).read()
        assert table.schema.names == SAMPLE_SCHEMA.names
        assert table.column("text").to_pylist() == NEUTRAL
        assert table.column("original_caption").to_pylist() == TEXTS
        assert table.column("text_sha256").to_pylist() == [sha256_hex(text) for text in NEUTRAL]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "nothing to write"),
        ({"apply": "r.csv"}, "nothing to write"),
        ({"apply": "r.csv", "review": "x.csv", "out": "o.csv"}, "--apply reads a review"),
        ({"out": "o.jsonl"}, "not of the kind"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, more: dict[str, str], said: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text("caption\nA man.\n")
    with pytest.raises(BadInputError, match=said):
        debias(source, **{name: tmp_path / value for name, value in more.items()})


def test_no_captions_and_no_endpoint_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="there is no"):
        debias(tmp_path / "none", out=tmp_path / "o")
    (tmp_path / "e").mkdir()
    with pytest.raises(BadInputError, match="no file with a column of captions"):
        debias(tmp_path / "e", out=tmp_path / "o")
    (tmp_path / "a.csv").write_text("caption\nA man.\n")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(BadInputError, match="OPENAI_BASE_URL"):
        debias(tmp_path / "a.csv", out=tmp_path / "o.csv", rewriter="llm")
