"""The release: a folder that `datasets` opens with no code of ours, the same bytes every time."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

import curation.release
from curation import release_files
from curation.conversation import Prompt
from curation.errors import BadInputError, StoreError
from curation.release import Release, ReleaseSource, write_release
from curation.release_data import ReleaseSpec
from curation.select import Rules, SourceShards, select
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.making import png, shards_of

ORIGIN = ReleaseSource("list", "table_to_html", "somewhere", "0123456789abcdef", "MIT")
SPEC = ReleaseSpec("small", carry=("n_tokens", "width_px"))
RULES = Rules(splits=SplitRule(0.6, 0.2, 0.2))


def released(
    workspace: Workspace, shards: list[SourceShards], spec: ReleaseSpec = SPEC, rules: Rules = RULES
) -> Release:
    return write_release(workspace, select(workspace, shards, rules), shards, spec, "name: small\n", [ORIGIN])


def texts(n: int, word: str = "text") -> list[str | None]:
    return [f"{word} {i}" for i in range(n)]


def content(folder: str | Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_datasets_opens_it(tmp_path: Path) -> None:
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    workspace = Workspace(tmp_path / "w")
    shards = shards_of(workspace, texts(250), rows_per_shard=70)
    release = released(workspace, [shards])
    dataset = load_dataset(release.path, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in dataset.items()} == dict(release.manifest["splits"])
    train = dataset["train"]
    assert isinstance(train.features["image"], ImageFeature)
    assert train.column_names[:2] == ["image", "text"]
    assert {"n_tokens", "width_px", "license", "source"} <= set(train.column_names)
    assert train[0]["image"].size == (4, 3)
    assert train[0]["text"].startswith("text ")
    raw = train.with_format("arrow")[0]["image"][0].as_py()
    assert raw["bytes"] in {png(f"#{index:06x}") for index in range(250)}  # passed through byte for byte


def test_several_tasks_are_several_configurations(tmp_path: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    workspace = Workspace(tmp_path / "w")
    tables = shards_of(workspace, texts(40, "table"))
    captions = shards_of(workspace, texts(30, "caption"), task="image_to_caption")
    release = released(workspace, [tables, captions])
    assert get_dataset_config_names(release.path) == ["default", "image_to_caption", "table_to_html"]
    one = load_dataset(release.path, "image_to_caption", cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in one.values()) == 30
    both = load_dataset(release.path, cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in both.values()) == 70


def test_it_is_the_same_whatever_the_shards(tmp_path: Path) -> None:
    folders = []
    for rows_per_shard in (7, 100):
        workspace = Workspace(tmp_path / str(rows_per_shard))
        shards = shards_of(workspace, texts(230), rows_per_shard=rows_per_shard)
        folders.append(content(released(workspace, [shards]).path))
    for contents in folders:
        contents.pop("manifest.json")  # names the selection, whose key names its shards
    assert folders[0] == folders[1]


def test_nothing_is_done_twice_and_damage_is_mended(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    shards = shards_of(workspace, texts(20))
    first = released(workspace, [shards])
    before = content(first.path)
    assert first.made_now
    assert not released(workspace, [shards]).made_now
    (Path(first.path) / "README.md").write_text("damaged")
    assert released(workspace, [shards]).made_now
    assert content(first.path) == before


def test_a_new_release_takes_the_old_ones_place_whole(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    shards = shards_of(workspace, texts(20))
    released(workspace, [shards])
    other = released(workspace, [shards], rules=Rules(where=("text <> 'text 3'",)))
    assert other.manifest["rows_kept"] == 19
    assert sorted(p.name for p in (tmp_path / "releases").iterdir()) == ["small"]


def test_row_groups_are_small_and_files_have_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(release_files, "MAX_FILE_BYTES", 1)
    workspace = Workspace(tmp_path)
    release = released(workspace, [shards_of(workspace, texts(450))])
    files = sorted((Path(release.path) / "data").glob("train-*.parquet"))
    assert [f.name for f in files] == [f"train-{i:05d}-of-{len(files):05d}.parquet" for i in range(len(files))]
    assert len(files) > 1
    groups = [pq.ParquetFile(f).metadata.row_group(g) for f in files for g in range(pq.ParquetFile(f).num_row_groups)]
    assert max(group.num_rows for group in groups) <= 100
    assert sum(group.num_rows for group in groups) == release.manifest["splits"]["train"]


def test_the_card_has_valid_metadata_and_the_accounts(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    workspace = Workspace(tmp_path)
    release = released(workspace, [shards_of(workspace, [*texts(30), None, "text 1"])])
    card = DatasetCard.load(Path(release.path) / "README.md")
    assert card.data.license == "mit"
    assert card.data.size_categories == ["n<1K"]
    info = card.data.to_dict()["dataset_info"][0]
    assert sum(split["num_examples"] for split in info["splits"]) == 30
    assert "32 rows were read: 30 kept, 2 rejected" in card.text
    assert "| `duplicate_exact` | 1 |" in card.text
    assert "| list | `table_to_html` | somewhere | 0123456789ab | MIT |" in card.text


def test_the_manifest_has_every_file_and_its_hash(tmp_path: Path) -> None:
    import hashlib

    workspace = Workspace(tmp_path)
    release = released(workspace, [shards_of(workspace, texts(30))])
    contents = content(release.path)
    manifest = json.loads(contents.pop("manifest.json"))
    assert manifest["rows_in"] == manifest["rows_kept"] + sum(manifest["rows_rejected"].values())
    assert {n: e["sha256"] for n, e in manifest["files"].items()} == {
        n: hashlib.sha256(data).hexdigest() for n, data in contents.items()
    }
    assert set(contents) >= {"README.md", "quality.json", "recipe.yaml", "preview.png"}
    assert Image.open(io.BytesIO(contents["preview.png"])).width > 1_000


def test_the_card_and_the_manifest_name_every_address_that_was_read(tmp_path: Path) -> None:
    pictures = "org/pictures@0123456789abcdef0123456789abcdef01234567"
    workspace = Workspace(tmp_path)
    shards = [shards_of(workspace, texts(9))]
    origin = replace(ORIGIN, beside=(pictures,))
    write_release(workspace, select(workspace, shards, RULES), shards, SPEC, "name: small\n", [origin])
    folder = tmp_path / "releases/small"
    assert json.loads((folder / "manifest.json").read_text())["sources"][0]["beside"] == [pictures]
    assert pictures in (folder / "README.md").read_text()


def test_quality_says_what_was_and_was_not_measured(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    release = released(workspace, [shards_of(workspace, texts(30))])
    quality = json.loads((Path(release.path) / "quality.json").read_text())
    assert quality["tasks"]["table_to_html"]["n_tokens"]["max"] == 7
    assert quality["tasks"]["table_to_html"]["rows"] == 30
    assert {"markup", "render", "clip"} <= set(quality["not_measured"]["table_to_html"])


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    workspace = Workspace(tmp_path)
    spec = ReleaseSpec("small", rename=(("text", "html_table"),))
    release = released(workspace, [shards_of(workspace, texts(30))], spec)
    names = pq.ParquetFile(next((Path(release.path) / "data").glob("train-*"))).schema_arrow.names
    assert names[:2] == ["image", "html_table"]


def test_rows_can_be_conversations(tmp_path: Path) -> None:
    from datasets import load_dataset

    workspace = Workspace(tmp_path / "w")
    spec = ReleaseSpec("small", layout="prompt_completion", prompt=Prompt(user="Write it."))
    release = released(workspace, [shards_of(workspace, texts(30))], spec)
    row = load_dataset(release.path, split="train", cache_dir=str(tmp_path / "cache"))[0]
    assert row["images"][0].size == (4, 3)
    assert row["prompt"] == [{"role": "user", "content": "Write it."}]
    assert row["completion"][0]["content"].startswith("text ")
    assert "n_tokens" in row


def test_a_column_that_no_measure_has_is_one_line(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(BadInputError, match="`carry` names 'clip_cosine', which no measure has"):
        released(workspace, [shards_of(workspace, texts(3))], ReleaseSpec("small", carry=("clip_cosine",)))
    assert not (tmp_path / "releases" / "small").exists()


def test_a_release_of_nothing_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(BadInputError, match="no row of 3 was kept"):
        released(workspace, [shards_of(workspace, texts(3))], rules=Rules(where=("n_tokens > 100",)))


def test_a_workspace_elsewhere_works_too(tmp_path: Path) -> None:
    workspace = Workspace(f"memory://{tmp_path.name}")
    release = released(workspace, [shards_of(workspace, texts(30))])
    names = {Path(name).name for name in workspace.fs.find(release.path)}
    assert {"README.md", "manifest.json", "train-00000-of-00001.parquet"} <= names
    assert yaml.safe_load(workspace.fs.cat_file(f"{release.path}/recipe.yaml")) == {"name": "small"}


def test_a_disk_that_is_full_while_a_release_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    workspace = Workspace(tmp_path)
    shards = [shards_of(workspace, texts(9))]
    before = content(released(workspace, shards).path)
    monkeypatch.setattr(curation.release, "write_data", fail)
    with pytest.raises(StoreError, match=r"cannot write releases/small in workspace .* No space left on device"):
        released(workspace, shards, rules=Rules(where=("n_tokens > 0",)))
    assert content(tmp_path / "releases" / "small") == before
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["small"]
