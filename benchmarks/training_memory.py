"""Memory and speed of training at the true shapes of LLaVA-1.5-7B, Qwen2-VL-7B and Granite-Vision-2B, random weights.

    python benchmarks/training_memory.py [--steps 6] [--configs llava_html,latex_ocr,table_html] [--tiny]

Needs a GPU; `--tiny` runs the same code on tiny models on a CPU, where the numbers mean nothing. Each line is a process
of its own: the shipped config with its batch, adapter, optimizer and precision, through `training.vlm.setup.train`,
with and without gradient checkpointing; the base in NF4 (as `llava_html` and `latex_ocr` ship it) and in bf16 (as
`table_html` does). Peak memory is the allocator's from the first step on, the base's weights counted in. Samples a
second are over the steps after the first two. Rows are generated: noise in the median size of the real pictures, and
as many tokens of text as the real texts' 95 % (of WebSight's 300, PubTabNet's 20, im2markup's 200 rows beside the
checkout); a tokenizer of a few hundred tokens stands in for each model's.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the architectures are the tests'

from tests.training.architectures import ARCHITECTURES, processor, with_ids_of
from tests.training.small_release import release_of
from tests.training.tiny_models import granite_vision, llava, qwen, seeded
from training.config import VlmConfig, load_config
from training.rows import open_rows
from training.vlm import setup
from training.vlm.components import components_of
from training.vlm.model import check_quantized, device_of, modules_left_whole, precision_of

GIB = 2**30
PIXELS = {"page_to_html": (1280, 720), "formula_to_latex": (486, 68), "table_to_html": (425, 154)}
TEXT_TOKENS = {"page_to_html": 678, "formula_to_latex": 106, "table_to_html": 1_000}
"""PubTabNet's 95 % are 1,410 tokens, which `table_html` does not take."""
CLAIMS = {"llava_html": "16 GB", "latex_ocr": "8 to 12 GB", "table_html": "about 12 GB"}
"""Of the notebooks and the script that the set-ups are from."""
TINY = {
    "llava_html": lambda: llava(width=64), "latex_ocr": lambda: qwen("2", width=64),
    "table_html": lambda: granite_vision(width=64),
}  # fmt: skip
OUT_OF_MEMORY = 75


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6, help="optimiser steps of each line, at least 3")
    parser.add_argument("--configs", default=",".join(TINY), help="names with commas between")
    parser.add_argument("--tiny", action="store_true", help="tiny models on a CPU: whether it runs")
    parser.add_argument("--one", nargs=3, metavar=("CONFIG", "BASE", "CHECKPOINTING"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        return one(*arguments.one, n_steps=arguments.steps, tiny=arguments.tiny)
    import torch

    if not arguments.tiny and not torch.cuda.is_available():
        print("this needs a GPU with bf16, and there is none; --tiny tries the code on a CPU", file=sys.stderr)
        return 2
    where = "a CPU, tiny models" if arguments.tiny else torch.cuda.get_device_name()
    print(f"{where}; torch {torch.__version__}\n")
    print("| config | base | gradient checkpointing | batch | tokens a row | weights | peak | samples/s | claimed |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    failed = False
    for name in arguments.configs.split(","):
        for base in ("nf4", "none"):
            for checkpointing in ("on", "off"):
                command = [sys.executable, __file__, "--steps", str(arguments.steps), *(["--tiny"] * arguments.tiny)]
                command += ["--one", name, base, checkpointing]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                label = f"| {name} | {'NF4' if base == 'nf4' else 'bf16'} | {checkpointing} |"
                if done.returncode == OUT_OF_MEMORY:
                    print(f"{label} - | - | - | out of memory | - | {CLAIMS[name]} |", flush=True)
                elif done.returncode:
                    failed = True
                    print(f"{label} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}", flush=True)
                else:
                    print(row_of(label, json.loads(done.stdout.splitlines()[-1]), CLAIMS[name]), flush=True)
    return int(failed)


def row_of(label: str, found: dict[str, Any], claim: str) -> str:
    weights, peak = (f"{found[key] / GIB:.2f} GiB" for key in ("weight_bytes", "peak_bytes"))
    return (
        f"{label} {found['batch']} | {found['tokens']:.0f} | {weights} | {peak} | {found['samples_s']:.3g} | {claim} |"
    )


def one(name: str, base: str, checkpointing: str, *, n_steps: int, tiny: bool) -> int:
    """One line of the table, as JSON on the last line of the output."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings = [
            f"model.quantization={base}", f"training.gradient_checkpointing={checkpointing == 'on'}",
            f"training.max_steps={n_steps}", "training.epochs=null", "training.eval_steps=null",
            "training.keep_best=false", "training.log_steps=1", "data.n_train=null", f"training.save_steps={n_steps}",
            "training.max_seq_length=null",
        ]  # fmt: skip
        if tiny:
            settings += ["training.device=cpu"]
        config = load_config(name, tuple(settings))
        assert isinstance(config, VlmConfig)
        generator = np.random.default_rng(0)
        samples = [generated(generator, config.data.task) for _ in range(8)]
        rows = open_rows(
            release_of(place / "release", config.data.task, {"train": samples}), config.data, "train", None
        )
        words, architecture = source(config, tiny=tiny)
        setup.load_processor = lambda _: words  # type: ignore[assignment]
        setup.load_for_training = lambda _: random_model(config, architecture)  # type: ignore[assignment]
        try:
            trained = setup.train(config, rows, None, place / "run")
        except torch.OutOfMemoryError:
            return OUT_OF_MEMORY
        log = [json.loads(line) for line in (place / "run" / "log.jsonl").read_text().splitlines()]
        n_timed = (len(log) - 2) * config.training.batch_size * config.training.gradient_accumulation
        strings = setup.strings_of_model(words, config.prompt.prompt())
        example = setup.Examples(rows, strings, lambda position: position)(0)
        batch = setup.collator(words, None, "all")([example])
        found = {
            "batch": f"{config.training.batch_size} x {config.training.gradient_accumulation}",
            "tokens": float(batch["attention_mask"].sum()),
            "weight_bytes": WEIGHTS.get("bytes", 0),
            "peak_bytes": trained.peak_memory_bytes,
            "samples_s": n_timed / (log[-1]["seconds"] - log[1]["seconds"]),
        }
    print(json.dumps(found))
    return 0


WEIGHTS: dict[str, int] = {}
"""What the base takes once it is loaded."""


def source(config: VlmConfig, *, tiny: bool) -> tuple[Any, Any]:
    """The processor, and the architecture as a config of transformers."""
    if tiny:
        model, words = seeded(TINY[config.setup])
        return words, model.config
    family, make = ARCHITECTURES[config.model.name]
    words = processor(family, small=True)
    return words, with_ids_of(make(), words)


def random_model(config: VlmConfig, architecture: Any) -> tuple[Any, Any]:
    """What `load_for_training` gives, with random weights in place of a checkpoint's."""
    import torch
    from transformers import AutoModelForImageTextToText

    device = device_of(config.training.device)
    dtype = precision_of(config.training.precision, device)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(architecture, dtype=dtype)
    components = components_of(model)
    if config.model.quantization == "nf4":
        quantize(model, modules_left_whole(model, config.model.quantize))
        model.is_loaded_in_4bit = True
    check_quantized(model, components, config.model)
    model.config.use_cache = False
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        WEIGHTS["bytes"] = torch.cuda.memory_allocated()
    return model, components


def quantize(model: Any, left_whole: list[str]) -> None:
    """Each linear layer in NF4 with double quantisation, one after the other, as loading a checkpoint does it."""
    import torch
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    whole = set(left_whole)
    linear = [(n, m) for n, m in model.named_modules() if type(m) is torch.nn.Linear and n not in whole]
    for name, module in linear:
        layer = Linear4bit(
            module.in_features, module.out_features, module.bias is not None, compute_dtype=torch.bfloat16,
            compress_statistics=True, quant_type="nf4", device="meta",
        )  # fmt: skip
        layer.weight = Params4bit(
            module.weight.detach(), requires_grad=False, quant_type="nf4", compress_statistics=True
        ).to(module.weight.device)
        layer.bias = module.bias
        model.set_submodule(name, layer)


def generated(generator: np.random.Generator, task: str) -> tuple[bytes, str]:
    """Noise, and a text of lower-case letters, of which the stand-in tokenizer knows no pairs."""
    width, height = PIXELS[task]
    held = io.BytesIO()
    Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8)).save(held, "PNG")
    return held.getvalue(), "".join(generator.choice(list("jkqwxyz"), TEXT_TOKENS[task]))


if __name__ == "__main__":
    sys.exit(main())
