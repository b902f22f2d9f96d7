"""Does a model learn from our releases, and does it learn more from gated rows than from raw ones?

    python benchmarks/learning.py learn [--out build/learning] [--steps 1000]
    python benchmarks/learning.py claim [--out build/learning] [--steps 600] [--seeds 1 2 3 4]
                                     [--shuffled 0.3] [--duplicated 0.3] [--flooded 0.7]

A LLaVA of 0.7 million random weights writes LaTeX for pictures of short formulas. `learn` trains it on clean rows, and,
to compare, the same for as long on rows whose labels were shuffled; a third is not trained at all. `claim` trains it on
rows with planted noise as they are, and on what the project's own build leaves of the same rows (checked, without
duplicates) with a report's weights: as many steps, rows a step, the same weights to begin with. All are scored on the
same held-out rows, clean and as many of each kind. Everything runs on one core; what is in `--out` is not made again.
Written are tables (Markdown and JSON), the curve and a sheet of rendered predictions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from learning_rows import MARKERS, Noise, Sample, make_samples, read_samples, shuffled_labels, spoiled, write_samples
from learning_runs import (
    GATED,
    PLAIN,
    RAW,
    Schedule,
    build,
    make_model,
    predict,
    run_config,
    score,
    train_and_predict,
    weights_of,
)
from learning_told import tell_claim, tell_learn

POOL = {"fraction": 2_900, "root": 1_500, "function": 1_500, "overset": 1_500}
N_TEST, N_VALIDATION = 60, 30
"""Rows of each kind."""
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("learn", "claim"))
    parser.add_argument("--out", type=Path, default=Path("build/learning"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    for name in ("shuffled", "duplicated", "flooded"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Noise, name), metavar="SHARE")
    given = parser.parse_args()
    torch.set_num_threads(1)
    out = given.out.absolute()
    if given.part == "learn":
        learn(out, given.steps or 1_000)
    else:
        noise = Noise(shuffled=given.shuffled, duplicated=given.duplicated, flooded=given.flooded)
        claim(out, given.steps or 600, given.seeds, noise)


def parts_of(out: Path) -> dict[str, list[Sample]]:
    """Clean rows in three parts that share no formula: test, validation, rest."""
    file = out / "pool.parquet"
    if not file.is_file():
        write_samples(make_samples(POOL, SEED), file)
    pool = read_samples(file)
    parts: dict[str, list[Sample]] = {"test": [], "validation": [], "rest": []}
    for kind in MARKERS:
        of_kind = [one for one in pool if one.kind == kind]
        parts["test"] += of_kind[:N_TEST]
        parts["validation"] += of_kind[N_TEST : N_TEST + N_VALIDATION]
    taken = {one.key for name in ("test", "validation") for one in parts[name]}
    parts["rest"] = [one for one in pool if one.key not in taken]
    return parts


def learn(out: Path, steps: int) -> None:
    parts = parts_of(out)
    test, validation = (build(name, parts[name], out, PLAIN) for name in ("test", "validation"))
    runs, schedule = out / f"runs-{steps}", Schedule(steps, eval_steps=max(1, steps // 10))
    model = make_model(out / "models" / f"seed-{SEED}", SEED)
    told = {}
    for name, rows in (("trained", parts["rest"]), ("shuffled labels", shuffled_labels(parts["rest"], SEED))):
        release = build("clean" if name == "trained" else "mislabelled", rows, out, PLAIN)
        config = run_config(release, model, runs / name, schedule, SEED)
        told[name] = train_and_predict(config, test, validation)
        print(name, told[name], flush=True)
    untrained = run_config(release, model, runs / "untrained", schedule, SEED)
    if not (runs / "untrained" / "predictions.parquet").is_file():
        predict(model, untrained, test, runs / "untrained")
    folders = [runs / name for name in ("trained", "shuffled labels", "untrained")]
    tell_learn(folders, score(folders, "shuffled labels"), told, out / "learn")


def claim(out: Path, steps: int, seeds: list[int], noise: Noise) -> None:
    parts = parts_of(out)
    test = build("test", parts["test"], out, PLAIN)
    shares = (noise.shuffled, noise.duplicated, noise.flooded)
    place = out / "-".join(["claim", *(f"{share:.0%}"[:-1] for share in shares)])
    rows = spoiled(parts["rest"], noise, SEED)
    raw, gated = build("raw", rows, place, RAW), build("gated", rows, place, GATED)
    weights = weights_of(gated, place / "gated")
    told = {}
    for seed in seeds:
        model = make_model(out / "models" / f"seed-{seed}", seed)
        for arm, release, weighted in (("raw", raw, None), ("gated", gated, weights)):
            name = f"{arm} {seed}"
            config = run_config(release, model, place / f"runs-{steps}" / name, Schedule(steps), seed, weighted)
            told[name] = train_and_predict(config, test)
            print(name, told[name], flush=True)
    found = score([place / f"runs-{steps}" / f"{arm} {seed}" for arm in ("raw", "gated") for seed in seeds])
    tell_claim(found, seeds, rows, place / "gated", told, place / "told")


if __name__ == "__main__":
    main()
