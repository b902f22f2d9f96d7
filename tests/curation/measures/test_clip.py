"""`clip` holds pictures against what is said of them, whole, with any open_clip model; here a tiny random one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.clip_model import ClipModel, find_clip
from curation.errors import ModelError
from curation.keys import content_key
from curation.markup.visible_text import visible_text
from curation.measures import clip
from curation.measures.clip import Clip
from curation.sample import IMAGE_TYPE
from curation.stage import Batch
from rendering.pixels import decode_rgb
from tests.curation.making import png
from tests.curation.tiny_models import tiny_bert, tiny_clip

PAGE = "<html><head></head><body><p>A bakery</p><p>Bread and cake</p></body></html>"
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="session")
def stage(folder: Path) -> Clip:
    return Clip.pinned(str(folder), device="cpu")


@pytest.fixture(scope="session")
def model(folder: Path) -> ClipModel:
    return ClipModel(find_clip(str(folder), ""), "cpu", "fp32", 4)


Row = tuple[str, str | None, str | None, bytes | None]


def measured(stage: Clip, rows: Sequence[Row]) -> pa.Table:
    table = pa.table(
        {
            "task": [row[0] for row in rows],
            "text": pa.array([row[1] for row in rows], pa.string()),
            "context": pa.array([row[2] for row in rows], pa.string()),
            "image": pa.array([{"bytes": row[3], "path": None} if row[3] else None for row in rows], IMAGE_TYPE),
        }
    )
    with stage.open() as worker:
        outcome = worker(Batch(table))
    assert outcome.rejects == [None] * len(rows)
    columns = pa.table(dict(outcome.columns))
    assert columns.schema == Clip.adds
    return columns


def cosine_by_hand(model: ClipModel, data: bytes, text: str) -> float:
    import torch

    picture = decode_rgb(data)
    assert isinstance(picture, Image.Image)
    with torch.inference_mode():
        seen = model._model.encode_image(model.prepared(picture)[None])[0]
        read = model._model.encode_text(model._tokenizer([text]))[0]
        return float(torch.nn.functional.cosine_similarity(seen, read, dim=0))


class TestWhatIsHeldAgainstThePicture:
    def test_caption_then_context_then_visible_text(self, stage: Clip, model: ClipModel) -> None:
        red, blue = png("red", (40, 30)), png("blue", (20, 50))
        rows: list[tuple[Row, str]] = [
            (("image_to_caption", "a red field", "an idea", red), "a red field"),
            (("page_to_html", PAGE, "a page of a bakery", blue), "a page of a bakery"),
            (("page_to_html", PAGE, None, blue), visible_text("page_to_html", PAGE) or ""),
            (("page_to_html", PAGE, "  ", blue), visible_text("page_to_html", PAGE) or ""),
            (("table_to_html", "<table><tbody><tr><td>7 kg</td></tr></tbody></table>", None, red), "7 kg"),
        ]
        columns = measured(stage, [row for row, _ in rows])
        by_hand = [round(cosine_by_hand(model, row[3] or b"", text), 4) for row, text in rows]
        assert columns.column("clip_cosine").to_pylist() == pytest.approx(by_hand, abs=2e-4)
        assert columns.column("clip_cosine_mean") == columns.column("clip_cosine")
        assert columns.column("clip_truncated").to_pylist() == [False] * 5
        assert len({round(value, 3) for value in by_hand}) > 3

    def test_what_is_not_measured_is_null_in_every_column(self, stage: Clip) -> None:
        rows: list[Row] = [
            ("image_to_caption", "a dog", None, None),
            ("image_to_caption", "a dog", None, b"broken"),
            ("image_to_caption", None, None, png()),
            ("image_to_caption", " \n", None, png()),
            ("page_to_html", "<html><head></head><body></body></html>", None, png()),
            ("formula_to_latex", "\\frac { a } { b }", "a fraction", png()),
            ("image_chat", None, "a chat", png()),
        ]
        assert measured(stage, rows) == pa.table(
            {name: pa.nulls(7, Clip.adds.field(name).type) for name in Clip.adds.names}
        )

    def test_a_table_without_a_context_column(self, stage: Clip) -> None:
        table = pa.table({"task": ["image_to_caption"], "text": ["a"], "image": [{"bytes": png(), "path": None}]})
        with stage.open() as worker:
            assert worker(Batch(table)).columns["clip_windows"].to_pylist() == [1]


class TestLongTexts:
    """The context is 12 tokens, two of them for start and end."""

    def test_nothing_is_cut_off(self, stage: Clip, model: ClipModel) -> None:
        (row,) = measured(stage, [("image_to_caption", LONG, None, png())]).to_pylist()
        windows = model.windows(LONG)
        assert " ".join(windows) == LONG
        assert (row["clip_truncated"], row["clip_windows"], len(windows)) == (True, 2, 2)
        cosines = [cosine_by_hand(model, png(), window) for window in windows]
        assert row["clip_cosine"] == pytest.approx(max(cosines), abs=2e-4)
        assert row["clip_cosine_mean"] == pytest.approx(sum(cosines) / 2, abs=2e-4)

    def test_the_end_of_a_text_counts(self, stage: Clip) -> None:
        """A filter that cuts at the context would see no difference."""
        rows: list[Row] = [("image_to_caption", text, None, png()) for text in (LONG, f"{LONG[:-7]}zebra")]
        one, other = measured(stage, rows).to_pylist()
        assert one["clip_cosine_mean"] != other["clip_cosine_mean"]

    def test_windows_hold_what_the_tokenizer_makes_of_a_text(self, model: ClipModel) -> None:
        tokens = model.tokens(model.windows("Ünïcödé " * 30 + "13.5 % " * 9 + "x" * 200))
        ends = (tokens == model._tokenizer.eot_token_id).sum(dim=1)
        assert ends.tolist() == [1] * len(tokens)
        whole = model._tokenizer.encode("Ünïcödé " * 30 + "13.5 % " * 9)
        inside = [
            token for row in tokens.tolist() for token in row if token not in (0, *model._tokenizer.all_special_ids)
        ]
        assert inside[: len(whole)] == whole

    def test_a_very_long_one_is_looked_at_from_beginning_to_end(
        self, stage: Clip, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clip, "MAX_WINDOWS", 3)
        looked_at: list[str] = []
        tokens = ClipModel.tokens
        monkeypatch.setattr(ClipModel, "tokens", lambda self, texts: looked_at.extend(texts) or tokens(self, texts))
        text = " ".join(str(n) for n in range(100, 160))
        (row,) = measured(stage, [("image_to_caption", text, None, png())]).to_pylist()
        assert (len(looked_at), row["clip_windows"] > 15, row["clip_truncated"]) == (3, True, True)
        assert (looked_at[0].startswith("100"), looked_at[2].endswith("159")) == (True, True)

    def test_a_tokenizer_of_transformers(self, tmp_path: Path) -> None:
        """Kept in the model's folder, as open_clip wants it."""
        tiny_bert(tmp_path / "clip", ["dog", "runs"])
        for name in ("config.json", "model.safetensors"):
            (tmp_path / "clip" / name).unlink()
        tiny_clip(tmp_path / "clip", vocab_size=64, hf_tokenizer_name="its/own", pool_type="last")
        model = ClipModel(find_clip(str(tmp_path / "clip"), ""), "cpu", "fp32", 4)
        windows = model.windows("dog runs " * 12)
        assert [len(window.split()) for window in windows] == [8, 8, 8]
        assert model.windows("dog runs " * 5) == ["dog runs " * 5]
        unpadded = (model.tokens(windows) != 0).sum(dim=1).tolist()
        assert unpadded == [10, 10, 10]


class TestEmbeddings:
    def test_they_are_kept_in_half_precision_and_give_the_cosine_again(self, stage: Clip) -> None:
        row, other = measured(stage, [("image_to_caption", t, None, png()) for t in ("a dog", LONG)]).to_pylist()
        picture, text = (
            np.frombuffer(row[f"clip_{kind}_embedding"], "<f2").astype(float) for kind in ("image", "text")
        )
        assert picture.shape == text.shape == (16,)
        assert np.linalg.norm(picture) == pytest.approx(1.0, abs=1e-3)
        assert picture @ text == pytest.approx(row["clip_cosine"], abs=2e-3)
        long = np.frombuffer(other["clip_text_embedding"], "<f2").astype(float)
        assert np.linalg.norm(long) == pytest.approx(1.0, abs=1e-3)

    def test_a_row_is_measured_the_same_in_any_batch(self, stage: Clip) -> None:
        rows: list[Row] = [
            ("image_to_caption", f"{n} dogs", None, png(f"#{n:06x}", (30 + n, 40))) for n in range(0, 99, 9)
        ]
        rows[3] = ("image_to_caption", "no picture", None, None)
        together = measured(replace(stage, batch_size=4), rows)
        alone = pa.concat_tables([measured(stage, [row]) for row in rows[:5]])
        for name in ("clip_cosine", "clip_cosine_mean"):
            pairs = zip(together.column(name).to_pylist(), alone.column(name).to_pylist(), strict=False)
            assert all(one == other or one == pytest.approx(other, abs=1.01e-4) for one, other in pairs)
        assert together.column("clip_cosine").null_count == 1

    def test_in_bf16_as_on_a_gpu(self, stage: Clip) -> None:
        rows: list[Row] = [("image_to_caption", f"{n} dogs", None, png(f"#{n:06x}", (30 + n, 40))) for n in (1, 20, 30)]
        full, half = measured(stage, rows), measured(replace(stage, precision="bf16"), rows)
        pairs = zip(*(columns.column("clip_cosine").to_pylist() for columns in (full, half)), strict=True)
        assert all(one == pytest.approx(other, abs=0.02) for one, other in pairs)
        assert all(
            round(value, 2) == pytest.approx(value, abs=1e-6) for value in half.column("clip_cosine").to_pylist()
        )


def test_batches_are_halved_where_the_device_has_no_memory(folder: Path) -> None:
    import torch

    model = ClipModel(find_clip(str(folder), ""), "cpu", "fp32", 8)
    encode, sizes = model._model.encode_text, []

    def small_device(tokens: torch.Tensor) -> torch.Tensor:
        sizes.append(len(tokens))
        if len(tokens) > 3:
            raise torch.OutOfMemoryError
        return encode(tokens)

    model._model.encode_text = small_device
    tokens = model.tokens([f"{n} dogs" for n in range(9)])
    assert np.allclose(
        model.embed_texts(tokens), np.concatenate([model.embed_texts(row[None]) for row in tokens]), atol=1e-5
    )
    assert sizes[:7] == [8, 4, 2, 2, 2, 2, 1]
    assert model.batch_size == 2


class TestKey:
    def test_it_holds_the_weights_and_not_device_and_batches(self, stage: Clip, folder: Path, tmp_path: Path) -> None:
        assert content_key(stage=replace(stage, batch_size=64, device="cuda:1")) == content_key(stage=stage)
        other = tiny_clip(tmp_path / "other", seed=1)
        assert Clip.pinned(str(other), device="cpu").weights_sha256 != stage.weights_sha256
        assert content_key(stage=replace(stage, weights_sha256="0")) != content_key(stage=stage)
        shutil.copytree(folder, tmp_path / "copy")
        assert Clip.pinned(str(tmp_path / "copy"), device="cpu").weights_sha256 == stage.weights_sha256

    def test_weights_that_changed_since_planning_are_refused(self, tmp_path: Path) -> None:
        stage = Clip.pinned(str(tiny_clip(tmp_path / "clip")), device="cpu")
        tiny_clip(tmp_path / "clip", seed=1)
        with pytest.raises(ModelError, match="have changed since the run was planned"), stage.open():
            pass


class TestRefusals:
    """One line, with the mend."""

    def test_weights_that_cannot_be_fetched_are_told_within_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nowhere")
        start = time.monotonic()
        for name in ("ViT-B-32", "hf-hub:nobody/has-this"):
            assert "--clip-model FOLDER" in refusal(name)
        assert time.monotonic() - start < 10

    def test_names_that_mean_nothing(self, tmp_path: Path) -> None:
        assert "Did you mean 'ViT-B-32'?" in refusal("ViT-B-33")
        assert "hf-hub:org/name" in refusal("org/name")
        assert "datacomp_xl_s13b_b90k" in refusal("ViT-B-32", "no_such_tag")
        assert "There is no model folder" in refusal("./nothing-here")
        assert "holds no open_clip_config.json" in refusal(str(tmp_path))

    def test_folders_that_are_no_model(self, tmp_path: Path) -> None:
        folder = tiny_clip(tmp_path / "clip")
        weights = folder / "open_clip_model.safetensors"
        weights.rename(tmp_path / weights.name)
        assert "holds no weights" in refusal(str(folder))
        weights.write_bytes(b"not weights")
        with pytest.raises(ModelError, match="cannot be loaded"), Clip(str(folder)).open():
            pass

    def test_weights_of_another_model(self, tmp_path: Path) -> None:
        folder = tiny_clip(tmp_path / "clip")
        config = json.loads((folder / "open_clip_config.json").read_text())
        config["model_cfg"]["vision_cfg"]["layers"] = 2
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="cannot be loaded"), Clip(str(folder)).open():
            pass


def refusal(model: str, pretrained: str = "laion2b_s34b_b79k") -> str:
    with pytest.raises(ModelError) as caught:
        Clip.pinned(model, pretrained, device="cpu")
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    return str(caught.value)


def test_a_checkpoint_file_for_one_of_open_clips_own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    folder = tiny_clip(tmp_path / "clip")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", config)
    checkpoint = folder / "open_clip_model.safetensors"
    by_file = measured(Clip.pinned("tiny", str(checkpoint), device="cpu"), [("image_to_caption", "a dog", None, png())])
    assert by_file.column("clip_cosine").null_count == 0


def test_real_photographs(stage: Clip, shared_data: Path) -> None:
    path = min((shared_data / "coco-captions").glob("*.parquet"))
    rows = pq.read_table(path, columns=["image", "captions"]).to_pylist()[:8]
    columns = measured(stage, [("image_to_caption", row["captions"][0], None, row["image"]["bytes"]) for row in rows])
    pictures = [np.frombuffer(data, "<f2").astype(float) for data in columns.column("clip_image_embedding").to_pylist()]
    assert columns.column("clip_cosine").null_count == 0
    assert all(abs(one @ other) < 0.9999 for one, other in pairwise(pictures))
