"""What was pushed opens with `load_dataset(repo)`, streaming and not, and is the local release."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from curation.hub import push_folder
from curation.release import ReleaseSource, write_release
from curation.release_data import ReleaseSpec
from curation.select import Rules, select
from curation.split import SplitRule
from curation.store import Workspace
from tests.curation.making import shards_of
from tests.hub.server import FakeHub

ROOT = Path(__file__).resolve().parents[3]
COMPARE = """
import sys, time; T=time.time()
from datasets import Image, get_dataset_config_names, load_dataset

folder, repo, revision, cache = sys.argv[1:]

def rows(dataset):
    # Read to the end: a streaming loop that is left early hangs the process at its exit.
    return {split: list(part.cast_column("image", Image(decode=False))) for split, part in dataset.items()}

configs = get_dataset_config_names(repo)
assert configs == get_dataset_config_names(folder) and len(configs) == 3, configs
local = load_dataset(folder, cache_dir=cache)
remote = load_dataset(repo, cache_dir=cache, revision=revision)
assert remote.keys() == local.keys() and sum(remote.num_rows.values()) == 100, remote
assert all(remote[split].features == local[split].features for split in local)
assert rows(remote) == rows(local)
assert rows(load_dataset(repo, streaming=True)) == rows(local)
image = remote["train"][0]["image"]
print("same", image.size)
"""


def test_the_repository_is_the_release(hub: FakeHub, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    shards = [
        shards_of(workspace, [f"table {i}" for i in range(60)]),
        shards_of(workspace, [f"caption {i}" for i in range(40)], task="image_to_caption"),
    ]
    sources = [
        ReleaseSource("list", task, "somewhere", "0123456789abcdef", "MIT")
        for task in ("table_to_html", "image_to_caption")
    ]
    selection = select(workspace, shards, Rules(splits=SplitRule(0.6, 0.2, 0.2)))
    release = write_release(workspace, selection, shards, ReleaseSpec("small"), "name: small\n", sources)
    pushed = push_folder(release.path, "org/small", private=True)
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "USE_TORCH": "0"}
    environment.pop("HF_HUB_OFFLINE", None)
    run = subprocess.run(
        [sys.executable, "-c", COMPARE, release.path, "org/small", pushed.revision, str(tmp_path / "cache")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout == "same (4, 3)\n"
