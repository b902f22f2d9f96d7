"""Files of models by name, without the network of the world: a folder, a package, a Hub on this machine, its cache."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.bert_model import PACKAGED, find_encoder
from curation.errors import ModelError
from curation.model_files import content_sha256, model_files
from tests.hub.server import FakeHub

FILES = {"config.json": b"{}", "vocab.txt": b"a", "model.safetensors": b"weights", "onnx/model.onnx": b"a copy"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with FakeHub().serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def refusal(name: str) -> str:
    with pytest.raises(ModelError) as caught:
        find_encoder(name)
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    return str(caught.value)


def test_a_model_of_the_hub_at_its_latest_commit_or_another(hub: FakeHub) -> None:
    commits = [
        hub.publish("org/encoder", {**FILES, "pytorch_model.bin": b"too", "vocab.txt": text}) for text in (b"a", b"b")
    ]
    latest, first = find_encoder("org/encoder"), find_encoder(f"org/encoder@{commits[0]}")
    assert sorted(file.name for file in latest.folder.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]
    assert (latest.folder.name, first.folder.name) == (commits[1], commits[0])
    assert latest.name == first.name == "org/encoder"
    assert latest.sha256 != first.sha256


def test_what_was_fetched_is_found_when_the_hub_is_away(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish("org/encoder", FILES)
    fetched = find_encoder("org/encoder")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert find_encoder("org/encoder") == fetched
    assert "cannot be fetched from the Hub" in refusal("org/other")


def test_what_the_hub_refuses(hub: FakeHub) -> None:
    hub.publish("org/empty", {"config.json": b"{}"})
    hub.publish("org/secret", FILES, private=True)
    assert "holds no weights" in refusal("org/empty")
    assert "There is no model 'org/secret' on the Hub" in refusal("org/secret")
    hub.publish("org/encoder", FILES)
    assert "has no revision 'v9'" in refusal("org/encoder@v9")


def test_a_hub_out_of_reach_is_told_within_seconds_with_the_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    said = refusal("roberta-large-that-nobody-has/here")
    assert time.monotonic() - start < 10
    assert f"--bert-model {PACKAGED}" in said


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("package:no-such-package-here", "is not installed"),
        ("package:click", "ships no weights"),
        ("./nothing-here", "There is no model folder at"),
    ],
)
def test_what_is_not_there(name: str, says: str) -> None:
    assert says in refusal(name)


def test_the_packaged_encoder_is_found_and_not_imported() -> None:
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        f.name for f in find_encoder(PACKAGED).folder.iterdir()
    }


def test_the_hash_follows_names_and_contents_and_not_the_place(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / "one" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "one" / name).write_bytes(data)
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    before = content_sha256(model_files(tmp_path / "one"))
    assert content_sha256(model_files(tmp_path / "other")) == before
    (tmp_path / "other" / "README.md").write_text("words")
    assert content_sha256(model_files(tmp_path / "other")) == before
    (tmp_path / "other" / "vocab.txt").write_bytes(b"b")
    assert content_sha256(model_files(tmp_path / "other")) != before
