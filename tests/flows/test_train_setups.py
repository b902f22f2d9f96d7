"""Every shipped set-up, whole, on real rows: train, merge, predict, score, card. The models are tiny and random."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command_host import Commands
from tests.training.small_release import real_samples, sealed
from tests.training.written_release import write_release

SPLITS = {"train": 4, "validation": 2, "test": 2}
SHORT = (
    "data.n_train=null", "data.n_validation=null", "data.n_test=null",
    "training.epochs=null", "training.max_steps=2", "training.batch_size=1", "training.gradient_accumulation=1",
    "training.device=cpu", "training.precision=fp32", "training.optimizer=adamw_torch", "training.warmup_steps=0",
    "training.eval_steps=2", "training.max_seq_length=4096", "prediction.max_new_tokens=6",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where bases and releases are, and who runs commands."""

    folder: Path
    commands: Commands

    def train(self, config: str, release: str, *settings: str) -> dict[str, Any]:
        """Run a shipped config; its `state.json`."""
        output = self.folder / "runs" / config
        given = (*SHORT, *settings)
        options = [word for setting in given for word in ("--set", setting)]
        self.commands.run("train", config, "--release", self.folder / release, "--output", output, *options)
        return dict(json.loads((output / "state.json").read_text()))


@pytest.fixture(scope="module")
def place(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    from tests.training import tiny_distilvit, tiny_llava_mini, tiny_models

    folder = tmp_path_factory.mktemp("setups")
    for name, make in (
        ("llava", tiny_models.llava),
        ("qwen", tiny_models.qwen),
        ("granite", tiny_models.granite_vision),
    ):
        tiny_models.saved(folder / name, tiny_models.seeded(make))
    tiny_llava_mini.bases(folder)
    (folder / "distilvit").mkdir()
    tiny_distilvit.models(folder / "distilvit")
    markup = {
        "page_to_html": real_samples(shared_data / "websight", "text", 8, 900, 64),
        "table_to_html": real_samples(shared_data / "pubtabnet-html", "html_table", 8, 1_600, 64),
        "formula_to_latex": real_samples(shared_data / "latex-im2markup", "text", 8, 80, 64),
    }
    photos = tiny_llava_mini.coco(shared_data, 8)
    for task, samples in markup.items():
        _release(folder / task, task, [image for image, _ in samples], [text for _, text in samples])
    pictures = [row["image"]["bytes"] for row in photos]
    _release(folder / "captions", "image_to_caption", pictures, [row["captions"][0].strip() for row in photos])
    chats = [tiny_llava_mini.conversation(row) for row in photos]
    _release(folder / "chats", "image_chat", pictures, [""] * 8, chats)
    host = Commands(tmp_path_factory.mktemp("prefect"), OMP_NUM_THREADS="1")
    yield Place(folder, host)
    host.close()


def _release(
    folder: Path, task: str, images: list[bytes], texts: list[str], chats: list[list[dict[str, str]]] | None = None
) -> None:
    start = 0
    for split, n in SPLITS.items():
        part = slice(start, start + n)
        said = None if chats is None else chats[part]
        write_release(folder, texts[part], task=task, split=split, images=images[part], chats=said)
        start += n
    sealed(folder, SPLITS)


def whole(state: dict[str, Any], trained: set[str]) -> None:
    """A run that came to its end, in which these components were trained and no others."""
    assert state["steps"]["data"] == {"n_train": 4, "n_validation": 2, "n_test": 2}
    parameters = state["steps"]["train"]["parameters"]
    assert {component for component, (_, n_trained) in parameters.items() if n_trained} == trained
    assert state["steps"]["merge"]["max_logit_difference"] < 1e-4
    assert state["steps"]["predict"]["n"] == 2
    assert all(score["n"] == 2 for score in state["steps"]["score"]["scores"].values())
    assert "report" in state["steps"]


def test_llava_html(place: Place) -> None:
    base = f"model.name={place.folder / 'llava'}"
    state = place.train("llava_html", "page_to_html", base, "model.quantization=none")
    whole(state, {"vision", "language"})
    assert "bleu" in state["steps"]["score"]["scores"]


def test_latex_ocr(place: Place) -> None:
    base = f"model.name={place.folder / 'qwen'}"
    state = place.train("latex_ocr", "formula_to_latex", base, "model.quantization=none")
    whole(state, {"vision", "language"})
    assert {"canonical_match", "edit_distance"} <= set(state["steps"]["score"]["scores"])


def test_table_html(place: Place) -> None:
    state = place.train("table_html", "table_to_html", f"model.name={place.folder / 'granite'}")
    whole(state, {"language"})
    assert "teds" in state["steps"]["score"]["scores"]


def test_llava_mini_in_two_stages(place: Place) -> None:
    bases = (f"model.vision={place.folder / 'clip'}", f"model.language={place.folder / 'llama'}")
    whole(place.train("llava_mini_projector", "captions", *bases), {"projector"})
    start = f"model.start_from={place.folder / 'runs' / 'llava_mini_projector'}"
    whole(place.train("llava_mini_chat", "chats", *bases, start), {"projector", "language"})
    card = (place.folder / "runs" / "llava_mini_chat" / "model" / "README.md").read_text()
    assert "| started from | `llava_mini_projector`, trained on `captions` at `k1` |" in card


def test_distilvit(place: Place) -> None:
    models = {"vision": "siglip", "language": "llama", "clip_model": "clip"}
    bases = [f"model.{name}={place.folder / 'distilvit' / folder}" for name, folder in models.items()]
    state = place.train("distilvit", "captions", *bases, "model.max_caption_tokens=70")
    trained = {name for name, (_, n) in state["steps"]["train"]["parameters"].items() if n}
    whole(state, trained)
    assert "vision" not in trained
    assert {"bleu", "chrf"} <= set(state["steps"]["score"]["scores"])
