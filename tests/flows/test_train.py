"""`markupmill train` and `predict`: from a release to a scored model, gated, resumable, and again from the Hub."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from tests.flows.command_host import ROOT, Commands
from tests.hub.server import FakeHub
from tests.training.small_release import release_of, sealed

FORMULAS = ["x", "y ^ { 2 }", "\\frac { a } { b }", "\\alpha + 1", "z", "n - 1", "q", "\\beta", "u + v"]


def picture(number: int) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (40, 20), (20 * number, 90, 200)).save(held, "PNG")
    return held.getvalue()


def finished(folder: Path, **quality: Any) -> Path:
    """A release of a few formulas, with its checks and its manifest."""
    samples = [(picture(number), text) for number, text in enumerate(FORMULAS)]
    release_of(folder, "formula_to_latex", {"train": samples[:5], "validation": samples[5:7], "test": samples[7:]})
    return sealed(folder, {"train": 5, "validation": 2, "test": 2}, **quality)


FAILED = {
    "metric": "duplicate_share",
    "comparison": "<=",
    "limit": 0.01,
    "value": 0.2,
    "severity": "fail",
    "passed": False,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.training.tiny_models import llava, saved, seeded

    return saved(tmp_path_factory.mktemp("model"), seeded(llava))


def write_config(folder: Path, release: str, model: Path, **more: Any) -> Path:
    plain: dict[str, Any] = {
        "setup": "latex_ocr",
        "data": {"release": release, "task": "formula_to_latex"},
        "prompt": {"template": "llava-1.5", "user": "Write the LaTeX."},
        "model": {"name": str(model), "lora": {"r": 4, "alpha": 4, "layers_to_tune": ["language"]}},
        "training": {"max_steps": 3, "batch_size": 2, "learning_rate": 0.01, "eval_steps": 2, "save_steps": 1}
        | {"device": "cpu", "precision": "fp32"},
        "prediction": {"max_new_tokens": 6, "metrics": ["latex", "bleu"]},
        "output": str(folder / "run"),
    }
    path = folder / "formulas.yaml"
    path.write_text(yaml.safe_dump(plain | more))
    return path


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with FakeHub().serve() as served:
        yield served


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, hub: FakeHub) -> Iterator[Commands]:
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": hub.token, "OMP_NUM_THREADS": "1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "MARKUPMILL_DEADLINE_S": "5"}
    host = Commands(tmp_path_factory.mktemp("prefect"), **environment)
    yield host
    host.close()


@pytest.fixture(scope="module")
def run(commands: Commands, model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A config's path, in whose folder a run is; and what it said."""
    home = tmp_path_factory.mktemp("run")
    config = write_config(home, str(finished(home / "release")), model)
    return config, commands.run("train", config)


def state_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "state.json").read_text()))


def end_of(said: str) -> str:
    """What is told when all is done, without the steps."""
    return said[said.index("Trained ") :]


def test_a_run_goes_from_release_to_scores_and_card(run: tuple[Path, str]) -> None:
    config, said = run
    folder = config.parent / "run"
    state = state_of(folder)
    assert set(state["steps"]) == {"data", "train", "merge", "predict", "score", "report"}
    assert state["steps"]["data"] == {"n_train": 5, "n_validation": 2, "n_test": 2}
    assert state["steps"]["train"]["n_steps"] == 3
    assert state["steps"]["merge"]["max_logit_difference"] < 1e-5
    assert state["steps"]["score"]["scores"]["exact_match"]["n"] == 2
    assert "Trained 3 steps" in said
    assert "step 3 of 3: loss " in said
    assert "Held out, 2 rows: " in said
    assert (folder / "evaluation" / "evaluation.html").is_file()
    card = (folder / "model" / "README.md").read_text()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["pipeline_tag"] == "image-text-to-text"
    [index] = header["model-index"]
    [result] = index["results"]
    assert {metric["type"] for metric in result["metrics"]} >= {"exact_match", "bleu"}
    for told in ("| revision | `k1` |", "| rows | 5 train, 2 validation, 2 test |", "peak memory", "| Exact match |"):
        assert told in card
    assert "not run: the release was held against no gate" in card
    assert str(config.parent) not in card  # a pushed card tells nothing of the machine
    assert "name: model0" in card
    assert (folder / "model" / "loss.png").is_file()


def test_the_same_command_again_does_nothing(run: tuple[Path, str], commands: Commands) -> None:
    config, said = run
    folder = config.parent / "run"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in (".safetensors", ".html")}
    assert commands.run("train", config) == end_of(said)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_run_goes_on_at_the_step_that_is_not_done(run: tuple[Path, str], commands: Commands) -> None:
    config, said = run
    folder = config.parent / "run"
    state = state_of(folder)
    trained = (folder / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    done = {name: state["steps"][name] for name in ("data", "train", "merge")}
    (folder / "state.json").write_text(json.dumps(state | {"steps": done}))
    (folder / "predictions.parquet").unlink()
    assert end_of(commands.run("train", config)) == end_of(said)
    assert (folder / "predictions.parquet").is_file()
    assert (folder / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == trained


def test_a_folder_of_another_config_or_release_is_refused(run: tuple[Path, str], commands: Commands) -> None:
    config, _ = run
    said = commands.run("train", config, "--set", "training.learning_rate=0.02", expect=2)
    assert "holds a run of another config. Set output to another folder" in said
    manifest = config.parent / "release" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"k1"', '"k2"'))
    try:
        assert "holds a run on another release" in commands.run("train", config, expect=2)
    finally:
        manifest.write_text(text)


def test_a_failed_gate_stops_before_torch_is_imported(model: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, str(finished(tmp_path / "release", checks=[FAILED])), model)
    code = (
        "import sys\nfrom flows.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as ended:\n"
        "    print('ended with', ended.code, 'torch' in sys.modules, 'transformers' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(config)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "ended with 3 False False" in done.stdout
    assert "not trained: " in done.stderr
    assert "duplicate_share" in done.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_no_gate_is_recorded(commands: Commands, model: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, str(finished(tmp_path / "release", checks=[FAILED])), model)
    said = commands.run("train", config, "--no-gate")
    assert "skipped with --no-gate; 1 of 1 checks had failed" in said
    assert state_of(tmp_path / "run")["gate"]["no_gate"] is True
    assert "skipped with --no-gate" in (tmp_path / "run" / "model" / "README.md").read_text()


def test_a_release_on_the_hub_is_trained_on_at_its_revision(
    commands: Commands, hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    made = finished(tmp_path / "release")
    files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    commit = hub.publish("org/formulas", files)
    hub.publish("org/formulas", files | {"README.md": b"# later\n"})
    config = write_config(tmp_path, f"org/formulas@{commit}", model)
    said = commands.run("train", config, "--push-to-hub", "org/ocr", "--private")
    assert "Pushed to " in said
    pushed = hub.repos["org/ocr"].commits[hub.repos["org/ocr"].head]
    assert hub.repos["org/ocr"].private
    assert {"README.md", "loss.png", "config.json", "model.safetensors", "markupmill.json"} <= set(pushed)
    assert state_of(tmp_path / "run")["release"] == {"address": f"org/formulas@{commit}", "revision": commit}
    header = yaml.safe_load((tmp_path / "run" / "model" / "README.md").read_text().split("---\n")[1])
    assert header["datasets"] == ["org/formulas"]
    assert header["model-index"][0]["results"][0]["dataset"]["revision"] == commit


def test_what_is_no_release_is_told_in_a_line(commands: Commands, model: Path, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    config = write_config(tmp_path, str(tmp_path / "rows"), model)
    assert "is no release: it has no manifest.json" in commands.run("train", config, expect=2)


def test_predict_asks_what_the_model_was_trained_to_be_asked(
    run: tuple[Path, str], commands: Commands, tmp_path: Path
) -> None:
    config, _ = run
    paths = [tmp_path / f"{number}.png" for number in (7, 8)]
    for number, path in zip((7, 8), paths, strict=True):
        path.write_bytes(picture(number))
    said = commands.run("predict", *paths, "--model", config.parent / "run", "--json")
    rows = [json.loads(line) for line in said.splitlines()]  # nothing else is told
    assert [row["image"] for row in rows] == [str(path) for path in paths]
    import pyarrow.parquet as pq

    held_out = pq.read_table(config.parent / "run" / "predictions.parquet").column("prediction").to_pylist()
    assert [row["prediction"] for row in rows] == held_out
    (tmp_path / "broken.png").write_bytes(b"no picture")
    said = commands.run("predict", tmp_path / "broken.png", "--model", config.parent / "run", expect=2)
    assert "is no picture that can be read" in said


def test_a_scheduled_training_finds_nothing_new(model: Path, tmp_path: Path, commands: Commands) -> None:
    config = write_config(tmp_path, str(finished(tmp_path / "release")), model)
    code = (
        "import sys\nfrom pathlib import Path\nfrom flows.server import prefect_api\n"
        "with prefect_api(Path(sys.argv[2])):\n"
        "    from flows.scheduled_train import scheduled_train\n"
        "    for _ in range(2):\n"
        "        state = scheduled_train(sys.argv[1], return_state=True)\n"
        "        print('state:', state.name, '|', state.message)\n"
    )
    command = [sys.executable, "-c", code, str(config), str(tmp_path / "prefect")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("state:")]
    assert told[0].startswith("state: Completed | Trained 3 steps"), done.stderr[-2_000:]
    assert told[1].startswith("state: Nothing new | nothing new at k1")
    assert (tmp_path / "run" / "k1" / "model" / "README.md").is_file()
