"""A run: one pass over positions, killed and resumed at no cost but time."""

from __future__ import annotations

import json
import math
import multiprocessing
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from rendering.errors import BadInputError
from tests.training import tiny_run
from tests.training.tiny_run import component, config, tiny_trainer
from tests.training.written_release import write_release
from training.checkpoints import COMPLETE, complete_record, cut_log, last_complete, log_lines, mark_complete
from training.errors import SampleError, TooLongError, TrainingError
from training.loop import (
    TRAINED,
    Trained,
    arguments,
    n_positions,
    n_steps,
    parameters_of,
    position_dataset,
    run,
    trained_in,
)

N_TRAIN = 25


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "release"
    write_release(folder, [f"\\frac {{ {i} }} {{ {i * 7 % 13} }}" for i in range(N_TRAIN)])
    return write_release(folder, [f"x ^ {{ {i} }}" for i in range(6)], split="validation")


@pytest.fixture(scope="module")
def whole(release: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained, Trainer]:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    trained, trainer = tiny_run.tiny_run(release, folder)
    return folder, trained, trainer


def curve(folder: Path) -> list[dict[str, Any]]:
    """The log without what depends on the machine's speed."""
    timed = ("seconds", "tokens_per_s")
    return [{key: value for key, value in line.items() if key not in timed} for line in log_lines(folder / "log.jsonl")]


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def interrupt(release: Path, folder: Path, where: Callable[[Trainer], None], **settings: Any) -> None:
    """A run that stops as Ctrl-C stops it."""
    trainer, chosen = tiny_trainer(release, folder, **settings)
    where(trainer)
    with pytest.raises(KeyboardInterrupt):
        run(trainer, folder, component, chosen.training)


class StopBefore(tiny_run.KillBefore):
    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step + 1 == self.step:
            raise KeyboardInterrupt


def test_a_killed_run_goes_on_as_if_nothing_had_been(
    release: Path, tmp_path: Path, whole: tuple[Path, Trained, Trainer]
) -> None:
    """Killed with -9 while the checkpoint of step 6 was being written, in the middle of an epoch."""
    # forked, which spares half a minute of imports; a process that has used a GPU cannot be
    context = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    process = context.Process(target=tiny_run.main, args=(str(release), str(tmp_path), "save-6"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process that has threads
        process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == -9
    assert (tmp_path / "checkpoints" / "checkpoint-6" / "optimizer.pt").exists()
    assert last_complete(tmp_path / "checkpoints") == tmp_path / "checkpoints" / "checkpoint-3"
    assert max(line["step"] for line in curve(tmp_path)) == 6

    trained, trainer = tiny_run.tiny_run(release, tmp_path)
    folder, expected, expected_trainer = whole
    assert trained.resumed_from == 3
    assert curve(tmp_path) == curve(folder)  # losses, learning rates, gradient norms, evaluations: the same floats
    assert trained.train_loss == expected.train_loss
    assert all(map(torch.equal, weights_of(trainer).values(), weights_of(expected_trainer).values()))
    assert trained.total_seconds > trained.seconds


def test_the_log_has_a_line_a_step_with_norms_by_component(whole: tuple[Path, Trained, Trainer]) -> None:
    folder, trained, _ = whole
    lines = log_lines(folder / "log.jsonl")
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 11))
    assert [line["step"] for line in lines if "eval_loss" in line] == [3, 6, 9, 10]
    for line in steps:
        of_components = math.hypot(line["grad_norm_language"], line["grad_norm_vision"])
        assert line["grad_norm"] == pytest.approx(of_components, rel=1e-5)  # before clipping, though clipping was at 1
        assert "grad_norm_frozen" not in line
        assert line["tokens_per_s"] > 0
    assert max(line["grad_norm"] for line in steps) > 1
    rates = [line["learning_rate"] for line in steps]
    assert rates[:3] == [0.0, 0.005, 0.01]  # two warm-up steps, then half a cosine
    assert rates[6] == pytest.approx(0.01 * 0.5 * (1 + math.cos(math.pi * 4 / 8)))
    assert trained.train_loss == pytest.approx(np.mean([line["loss"] for line in steps]))


def test_what_a_run_did_is_told(whole: tuple[Path, Trained, Trainer]) -> None:
    folder, trained, _ = whole
    assert (trained.n_steps, trained.n_samples, trained.stopped_early) == (10, 38, False)  # 1.5 epochs of 25
    assert trained.parameters == {
        "frozen": (272, 0),
        "language": (64 * 16 + 17 * 64, 64 * 16 + 17 * 64),
        "vision": (64, 64),
    }
    assert trained.resumed_from is None
    assert 0 < trained.seconds <= trained.total_seconds < trained.seconds + 0.1
    assert trained.peak_memory_of == "process"
    assert trained.peak_memory_bytes > 50_000_000
    assert trained.best_step == 10
    assert trained_in(folder) == trained
    assert trained_in(folder / "checkpoints") is None
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["checkpoint-10", "checkpoint-9"]


def test_a_finished_run_is_not_trained_again(
    release: Path, tmp_path: Path, whole: tuple[Path, Trained, Trainer]
) -> None:
    first, trainer = tiny_run.tiny_run(release, tmp_path, eval_steps=None, save_steps=50)
    before = curve(tmp_path)
    again, other = tiny_run.tiny_run(release, tmp_path, eval_steps=None, save_steps=50)
    assert (again.n_steps, again.resumed_from, again.train_loss) == (10, 10, first.train_loss)
    assert again.total_seconds >= first.total_seconds
    assert curve(tmp_path) == before
    assert all(map(torch.equal, weights_of(trainer).values(), weights_of(other).values()))


def test_with_weights_log_lines_over_several_steps_and_no_accumulation(release: Path, tmp_path: Path) -> None:
    """Neither the weights' draws nor the means of a log line that a checkpoint cuts are lost."""
    weights = np.arange(1.0, N_TRAIN + 1)
    settings: dict[str, Any] = {
        "weights": weights, "gradient_accumulation": 1, "batch_size": 3, "epochs": None, "max_steps": 11,
        "log_steps": 4, "save_steps": 3, "eval_steps": None, "scheduler": "linear",
    }  # fmt: skip
    tiny_run.tiny_run(release, tmp_path / "a", **settings)
    (tmp_path / "b").mkdir()
    for step in (5, 8):  # twice: after the checkpoints of steps 3 and 6
        interrupt(release, tmp_path / "b", lambda t, s=step: t.add_callback(StopBefore(s)), **settings)
    trained, _ = tiny_run.tiny_run(release, tmp_path / "b", **settings)
    assert trained.resumed_from == 6
    assert [line["step"] for line in curve(tmp_path / "a")] == [4, 8, 11]
    assert curve(tmp_path / "b") == curve(tmp_path / "a")


def test_early_stopping_keeps_the_best_and_its_patience_over_a_kill(release: Path, tmp_path: Path) -> None:
    """The learning rate is so high that the loss soon rises: the best step is not the last."""
    settings: dict[str, Any] = {
        "learning_rate": 3.0, "scheduler": "constant", "warmup_steps": 0, "epochs": 20, "eval_steps": 1,
        "patience": 3, "keep_best": True,
    }  # fmt: skip
    trained, trainer = tiny_run.tiny_run(release, tmp_path / "a", **settings)
    assert trained.stopped_early
    assert trained.best_step == trained.n_steps - 3
    evaluations = {line["step"]: line["eval_loss"] for line in curve(tmp_path / "a") if "eval_loss" in line}
    assert trained.best_eval_loss == min(evaluations.values()) == evaluations[trained.best_step]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(trained.best_eval_loss)  # its weights are in the model
    left = {path.name for path in (tmp_path / "a" / "checkpoints").iterdir()}
    assert left == {f"checkpoint-{trained.best_step}", f"checkpoint-{trained.n_steps}"}

    (tmp_path / "b").mkdir()
    stop = StopBefore(trained.n_steps)  # two of three evaluations without a better loss have been
    interrupt(release, tmp_path / "b", lambda t: t.add_callback(stop), **settings)
    (tmp_path / "b").rename(tmp_path / "moved")
    resumed, other = tiny_run.tiny_run(release, tmp_path / "moved", **settings)
    assert (resumed.n_steps, resumed.best_step) == (trained.n_steps, trained.best_step)
    assert curve(tmp_path / "moved") == curve(tmp_path / "a")
    # and where it was killed after it had stopped, it does not take one step more
    (tmp_path / "moved" / TRAINED).unlink()
    ended, last = tiny_run.tiny_run(release, tmp_path / "moved", **settings)
    assert (ended.n_steps, ended.best_step, ended.stopped_early) == (trained.n_steps, trained.best_step, True)
    for found in (other, last):
        assert all(map(torch.equal, weights_of(found).values(), weights_of(trainer).values()))


@pytest.mark.parametrize(("batch_size", "accumulation"), [(4, 1), (1, 4)])
def test_rows_come_in_one_order_whatever_the_batch(
    release: Path, tmp_path: Path, batch_size: int, accumulation: int
) -> None:
    settings = {"batch_size": batch_size, "gradient_accumulation": accumulation}
    trainer, _ = tiny_trainer(release, tmp_path, **settings)
    assert visited(trainer) == in_order(release, tmp_path)


def test_rows_come_in_one_order_whatever_the_workers(release: Path, tmp_path: Path) -> None:
    # In a process of its own, as a run is: forking this one, where hundreds of tests have been, may end in anything.
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom tests.training.tiny_run import tiny_trainer\n"
        "from tests.training.test_loop import visited\n"
        "trainer, _ = tiny_trainer(Path(sys.argv[1]), Path(sys.argv[2]), given={'dataloader_num_workers': 2})\n"
        "print(json.dumps(visited(trainer)))\n"
    )
    command = [sys.executable, "-c", code, str(release), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert json.loads(done.stdout.splitlines()[-1]) == in_order(release, tmp_path)


def visited(trainer: Any) -> list[list[int]]:
    """The rows of all batches, as they come."""
    return [row.tolist() for batch in trainer.get_train_dataloader() for row in batch["input_ids"]]


def in_order(release: Path, folder: Path) -> list[list[int]]:
    """The rows of all positions."""
    reference, _ = tiny_trainer(release, folder)
    return [reference.train_dataset[i]["input_ids"].tolist() for i in range(38)]


def test_skipped_batches_are_never_made(release: Path, tmp_path: Path) -> None:
    interrupt(release, tmp_path, lambda t: t.add_callback(StopBefore(8)))
    trainer, chosen = tiny_trainer(release, tmp_path)
    made: list[int] = []
    inner = trainer.train_dataset
    trainer.train_dataset = position_dataset(lambda position: made.append(position) or inner[position], len(inner))
    run(trainer, tmp_path, component, chosen.training)
    assert made == list(range(24, 38))  # the checkpoint of step 6 had seen 24


def test_a_loss_that_is_no_number_ends_the_run(release: Path, tmp_path: Path) -> None:
    trainer, chosen = tiny_trainer(release, tmp_path)
    torch.nn.init.constant_(trainer.model.vision.weight, math.nan)
    with pytest.raises(TrainingError, match=r"the loss of step 1 is nan\. Lower training\.learning_rate"):
        run(trainer, tmp_path, component, chosen.training)


def test_nor_may_an_evaluation_say_nothing(tmp_path: Path) -> None:
    write_release(tmp_path / "r", ["a b c"] * 8)
    write_release(tmp_path / "r", ["x"] * 2, split="validation")  # of one character none is left to guess
    trainer, chosen = tiny_trainer(tmp_path / "r", tmp_path, eval_steps=1)
    with pytest.raises(TrainingError, match="the evaluation loss of step 1 is nan"):
        run(trainer, tmp_path, component, chosen.training)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_row_that_cannot_be_used_is_named(release: Path, tmp_path: Path, n_workers: int) -> None:
    def made(position: int) -> dict[str, Any]:
        raise TooLongError("sample abc has 99 tokens", "Raise training.max_seq_length")

    trainer, chosen = tiny_trainer(release, tmp_path, given={"dataloader_num_workers": n_workers})
    trainer.train_dataset = position_dataset(made, 38)
    with warnings.catch_warnings(), pytest.raises(SampleError) as error:
        warnings.simplefilter("ignore", DeprecationWarning)
        run(trainer, tmp_path, component, chosen.training)
    assert str(error.value) == "sample abc has 99 tokens. Raise training.max_seq_length"


def test_a_checkpoint_counts_when_all_of_it_is_there(tmp_path: Path) -> None:
    for step in (2, 10):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "optimizer.pt").write_bytes(b"12345")
        (checkpoint / "trainer_state.json").write_text("{}")
        mark_complete(checkpoint, {"step": step})
    assert last_complete(tmp_path) == tmp_path / "checkpoint-10"  # by number, not by name
    (tmp_path / "checkpoint-10" / "optimizer.pt").write_bytes(b"123")
    assert last_complete(tmp_path) == tmp_path / "checkpoint-2"
    (tmp_path / "checkpoint-2" / "optimizer.pt").unlink()
    assert last_complete(tmp_path) is None
    (tmp_path / "checkpoint-2" / COMPLETE).write_text('{"step": ')
    assert complete_record(tmp_path / "checkpoint-2") == {}
    assert last_complete(tmp_path / "nothing") is None


def test_a_log_is_cut_back_to_a_step(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "seconds": 1}\n{"step": 2, "seconds": 2}\n{"step": 3, "seco')
    cut_log(log, 1)
    assert log_lines(log) == [{"step": 1, "seconds": 1}]
    cut_log(tmp_path / "none.jsonl", 5)
    assert log_lines(tmp_path / "none.jsonl") == []


def test_steps_and_positions(release: Path, tmp_path: Path) -> None:
    by_steps = config(release, tmp_path, epochs=None, max_steps=30, batch_size=4, gradient_accumulation=2).training
    assert (n_positions(by_steps, 10), n_steps(by_steps, 10)) == (240, 30)
    by_epochs = config(release, tmp_path, epochs=3, batch_size=4, gradient_accumulation=2).training
    assert (n_positions(by_epochs, 10), n_steps(by_epochs, 10)) == (30, 4)


@pytest.mark.parametrize("optimizer", ["adamw_torch", "adamw_torch_fused", "paged_adamw_8bit"])
def test_arguments_are_taken_by_transformers_and_by_trl(release: Path, tmp_path: Path, optimizer: str) -> None:
    from trl import SFTConfig

    settings = config(release, tmp_path, optimizer=optimizer, gradient_checkpointing=True, keep_best=True, patience=2)
    given = arguments(settings, tmp_path, N_TRAIN)
    for made in (TrainingArguments(**given), SFTConfig(**given, max_length=None)):
        assert made.optim == optimizer
        assert made.gradient_checkpointing is made.activation_checkpointing is True
        assert made.activation_checkpointing_kwargs == {"use_reentrant": False}
        assert (made.max_steps, made.per_device_train_batch_size, made.gradient_accumulation_steps) == (10, 2, 2)
        assert (made.bf16, made.fp16, made.use_cpu, made.seed) == (False, False, True, 42)
        assert (made.save_steps, made.load_best_model_at_end, made.save_total_limit) == (3, True, 2)
    plain = arguments(config(release, tmp_path), tmp_path, N_TRAIN)
    assert SFTConfig(**plain, max_length=None).gradient_checkpointing is False  # TRL's own default is True
    assert arguments(config(release, tmp_path, precision="bf16"), tmp_path, N_TRAIN)["bf16"] is True


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"keep_best": True, "eval_steps": None}, "Set training.eval_steps"),
        ({"patience": 2, "eval_steps": None}, "Set training.eval_steps"),
        ({"optimizer": "adamw_turbo"}, "there is no optimizer 'adamw_turbo'"),
        ({"device": "cuda:7"}, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_what_cannot_be_is_told_at_once(release: Path, tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError) as error:
        arguments(config(release, tmp_path, **settings), tmp_path, N_TRAIN)
    assert said in str(error.value)


def test_without_validation_rows_nothing_is_evaluated(release: Path, tmp_path: Path) -> None:
    given = arguments(config(release, tmp_path), tmp_path, N_TRAIN, has_validation=False)
    assert (given["eval_strategy"], given["metric_for_best_model"]) == ("no", None)
    with pytest.raises(BadInputError, match="data.validation"):
        arguments(config(release, tmp_path, keep_best=True), tmp_path, N_TRAIN, has_validation=False)


def test_4_bit_weights_are_counted_one_by_one() -> None:
    import bitsandbytes as bnb

    layer = bnb.nn.Linear4bit(64, 64, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    layer.weight.data = torch.randn(64, 64)
    layer = layer.to("cpu")
    assert parameters_of(torch.nn.ModuleDict({"vision": layer}), component) == {"vision": (64 * 64, 0)}
