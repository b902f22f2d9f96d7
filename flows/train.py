"""`markupmill train CONFIG`: gate, data, train, merge adapter, predict, score, report, as a Prefect flow.

The gate comes first and before torch is imported: what was measured of the data decides whether a GPU is spent on it.
Each step is noted in the run's folder when it is done, so that the same command goes on where one was killed; a
training that was killed goes on from its last whole checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from curation.errors import BadInputError
from curation.hub_gate import Verdict, gate_verdict
from curation.release_source import ReleaseSource, open_release
from flows.run_names import artifact_key
from training.config import RunConfig
from training.quiet import quiet_libraries
from training.run_folder import EVALUATION, MODEL, PREDICTIONS, RunFolder, Step

RELEASES: Final = Path("build/train/releases")
"""Where releases of the Hub are copied to."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: its folder, and what to tell of it."""

    folder: Path
    lines: tuple[str, ...]


def open_gated(config: RunConfig, *, gate: bool) -> tuple[ReleaseSource, Verdict]:
    """The release that a config names, if what was measured of it allows to train on it. Imports no torch.

    Raises:
        GateFailedError: checks failed, and the `gate` was not left out (exit code 3).
        BadInputError: no release is named, or it is none.
    """
    if not config.data.release:
        raise BadInputError("the config names no release", "Set data.release to a folder, or org/name@revision")
    source = open_release(config.data.release, RELEASES)
    return source, gate_verdict(source.folder, asked=gate, stopped="not trained", all_the_same="train")


@flow(name="train", validate_parameters=False)
def train_model(config: RunConfig, *, gate: bool = True) -> TrainedRun:
    """All steps that are not done yet. Raises `MarkupmillError`."""
    source, verdict = open_gated(config, gate=gate)
    run = RunFolder(Path(config.output).expanduser().absolute())
    with run.workspace.lock(), _told_while_it_works():
        run.begin(
            config,
            {"address": source.address, "revision": source.revision},
            {"verdict": verdict.kind, "said": verdict.said, "no_gate": not gate},
        )
        steps = _Steps(config, source, run)
        for name, work in steps.in_order():
            if run.facts(name) is None:
                run.done(name, task(name=name, cache_policy=NO_CACHE)(work)())
        lines = told(run)
        create_markdown_artifact(
            (run.path / MODEL / "README.md").read_text("utf-8").split("---\n", 2)[-1],
            key=artifact_key("train", run.path.name),
            description=lines[0],
        )
    return TrainedRun(run.path, tuple(lines))


@dataclass(frozen=True)
class _Steps:
    """The steps of one run. Each returns what `state.json` says of it: plain values."""

    config: RunConfig
    source: ReleaseSource
    run: RunFolder

    def in_order(self) -> Iterator[tuple[Step, Callable[[], dict[str, Any]]]]:
        yield "data", self.data
        yield "train", self.train
        yield "merge", self.merge
        yield "predict", self.predict
        yield "score", self.score
        yield "report", self.report

    def data(self) -> dict[str, Any]:
        self.source.fetch("data/")
        rows = {name: self._rows(name) for name in ("train", "validation", "test")}
        return {f"n_{name}": len(found) if found is not None else 0 for name, found in rows.items()}

    def train(self) -> dict[str, Any]:
        from training.setups import setup_named  # noqa: PLC0415 - torch, which a failed gate saves

        quiet_libraries()
        train = self._rows("train")
        assert train is not None
        trained = setup_named(self.config.setup).train(self.config, train, self._rows("validation"), self.run.path)
        return asdict(trained)

    def merge(self) -> dict[str, Any]:
        from training.setups import describe, setup_named  # noqa: PLC0415 - as above

        quiet_libraries()
        merged = setup_named(self.config.setup).merge(self.config, self.run.path)
        describe(self.config, self.run.path / MODEL)
        return asdict(merged)

    def predict(self) -> dict[str, Any]:
        from training.held_out import predict_rows  # noqa: PLC0415 - as above
        from training.setups import setup_named  # noqa: PLC0415 - as above

        quiet_libraries()
        rows = self._rows("test")
        if rows is None:
            return {"n": 0}
        limit = self.config.prediction.max_new_tokens
        model = setup_named(self.config.setup).open_model(self.run.path / MODEL, self.config.training.device, limit)
        return predict_rows(rows, model, self.config, self.run.path)

    def score(self) -> dict[str, Any]:
        from flows.evaluate import EvaluateConfig, evaluate_predictions  # noqa: PLC0415 - sacrebleu, numba, sympy

        if not (self.run.path / PREDICTIONS).is_file():
            return {"not_measured": "there are no held-out rows"}
        asked = EvaluateConfig(
            predictions=(str(self.run.path / PREDICTIONS),),
            metrics=self.config.prediction.metrics,
            output=str(self.run.path / EVALUATION),
        )
        done = evaluate_predictions(asked)
        (of_task,) = done.result.tasks
        (overall,) = of_task.overall
        scores = {name: asdict(one) for name, one in overall.scores.items()}
        main = of_task.main if of_task.main in scores else next(iter(scores))
        return {"main": main, "scores": scores, "page": done.page.name}

    def report(self) -> dict[str, Any]:
        from training.model_card import write_card  # noqa: PLC0415 - matplotlib

        write_card(self.config, self.run)
        return {"card": f"{MODEL}/README.md"}

    def _rows(self, split: str) -> Any:
        """The rows of train, validation or test as the config names it; None where the release lacks the latter two."""
        from training.rows import open_rows  # noqa: PLC0415 - heavy, as above

        data = self.config.data
        name = getattr(data, split)
        if split != "train" and not self.source.manifest.get("splits", {}).get(name):
            return None
        return open_rows(self.source.folder, data, name, getattr(data, f"n_{split}"))


@contextmanager
def _told_while_it_works() -> Iterator[None]:
    """Steps and losses on standard error, a line each."""
    logger, handler = logging.getLogger("training"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Prefect's console would tell it again
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def told(run: RunFolder) -> list[str]:
    """What became of a run, for a person at a terminal."""
    steps = run.state["steps"]
    trained, scored = steps["train"], steps["score"]
    lines = [f"Trained {trained['n_steps']:,} steps in {trained['total_seconds']:,.0f} s: {run.path}"]
    if "scores" in scored:
        main = scored["scores"][scored["main"]]
        interval = f"{main['low']:.3f} to {main['high']:.3f}"
        lines.append(f"Held out, {main['n']:,} rows: {scored['main']} {main['value']:.3f} ({interval})")
        lines.append(f"Page: {run.path / EVALUATION / scored['page']}")
    lines.append(f"Gate: {run.state['gate']['said']}")
    lines.append(f"Model: {run.path / MODEL}  (markupmill predict PICTURE --model {run.path / MODEL})")
    return lines
