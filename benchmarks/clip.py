"""The clip measure against the bare model, and whether it tells true pairs from shuffled ones.

    python benchmarks/clip.py speed [--model ViT-B-32] [--data ../shared/data] [--rows 192] [--repeats 3]
    python benchmarks/clip.py auc [--train 1200] [--held-out 300] [--steps 500] [--out FOLDER]

`speed`: rows a second of the measure, from encoded pictures and raw texts on, against the forward passes alone of the
same model over prepared tensors in the same batches. The model has random weights, which cost what trained ones do.
Torch has one thread, so that decoding has a core of its own. Ways take turns; a ratio is the median over repeats.

`auc`: no weights can be fetched everywhere, so a small open_clip model is trained here, on generated pages rendered
at 640 px with what they were asked for with, or a window of their visible text. Then the measure looks at pages with
other seeds, with their own text and with another's: by their ideas (`context`), and by their visible text alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from curation.clip_model import ClipModel, find_clip
from curation.generate.pages import PageOptions, generate_page
from curation.markup.canonical import Canonical, canonical
from curation.markup.visible_text import visible_text
from curation.measures.clip import Clip
from curation.measuring import ROWS_PER_BATCH
from curation.sample import IMAGE_TYPE
from curation.stage import Batch, Worker
from rendering.pixels import decode_rgb
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

SMALL_MODEL: dict[str, Any] = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 96, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 2},
}
PREPARING = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "squash"}
PAGE_WIDTH_PX = 640
TRAIN_BATCH = 96
N_BOOTSTRAPS = 2_000

Scores = npt.NDArray[np.float64]


def save_model(model: torch.nn.Module, config: dict[str, Any], preparing: dict[str, Any], folder: Path) -> None:
    """As `hf-hub:` models and local folders are."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preparing}))
    weights = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")


# Speed


def table_of(rows: Sequence[tuple[str, str, str | None, bytes]]) -> pa.Table:
    """Task, text, context and picture."""
    tasks, texts, contexts, files = zip(*rows, strict=True)
    images = pa.array([{"bytes": data, "path": None} for data in files], IMAGE_TYPE)
    return pa.table({"task": tasks, "text": texts, "context": pa.array(contexts, pa.string()), "image": images})


def captions(data: Path, n: int) -> pa.Table:
    files = sorted((data / "coco-captions").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file, columns=["image", "captions"]).to_pylist()]
    pairs = [("image_to_caption", caption, None, row["image"]["bytes"]) for row in rows for caption in row["captions"]]
    return table_of(pairs[:n])


def pages(data: Path, n: int) -> pa.Table:
    files = sorted((data / "websight").glob("*.parquet"))
    rows = [row for file in files for row in pq.read_table(file, columns=["image", "text"]).to_pylist()][:n]
    forms = [(canonical("page_to_html", row["text"]), row["image"]["bytes"]) for row in rows]
    return table_of([("page_to_html", form.text, None, file) for form, file in forms if isinstance(form, Canonical)])


def through_the_measure(worker: Worker, table: pa.Table) -> None:
    for start in range(0, table.num_rows, ROWS_PER_BATCH):
        worker(Batch(table.slice(start, ROWS_PER_BATCH)))


def bare(model: ClipModel, table: pa.Table) -> Callable[[], None]:
    """The forward passes that the measure makes of this table, over tensors that are ready."""
    work: list[tuple[torch.Tensor, torch.Tensor]] = []
    rows = list(zip(*(table.column(name).to_pylist() for name in ("task", "text", "image")), strict=True))
    for start in range(0, len(rows), ROWS_PER_BATCH):
        part = rows[start : start + ROWS_PER_BATCH]
        said = [text if task == "image_to_caption" else visible_text(task, text) or "" for task, text, _ in part]
        tokens = model.tokens([window for text in said for window in model.windows(text)])
        pictures = [decode_rgb(image["bytes"]) for _, _, image in part]
        work.append((tokens, torch.stack([model.prepared(p) for p in pictures if isinstance(p, Image.Image)])))

    def forward() -> None:
        with torch.inference_mode():
            for tokens, pixels in work:
                for each in tokens.split(model.batch_size):
                    model._model.encode_text(each)
                for each in pixels.split(model.batch_size):
                    model._model.encode_image(each)

    return forward


def speed(options: argparse.Namespace) -> None:
    import open_clip

    torch.set_num_threads(1)
    config = open_clip.get_model_config(options.model)
    with tempfile.TemporaryDirectory() as folder:
        save_model(open_clip.create_model(options.model), config, {}, Path(folder))
        stage = Clip.pinned(folder, batch_size=options.batch_size, device="cpu")
        model = ClipModel(find_clip(folder, ""), "cpu", "fp32", options.batch_size)
        print(f"{options.model}, fp32 on one thread of {len(os.sched_getaffinity(0))}, batches of {model.batch_size}")
        print(
            "| rows | measure rows/s | bare rows/s | measure / bare | CPU of both, s a row |\n|---|---:|---:|---:|---:|"
        )
        with stage.open() as worker:
            for name, table in (
                ("COCO captions", captions(options.data, options.rows)),
                ("WebSight pages", pages(options.data, options.rows // 3)),
            ):
                ways = partial(through_the_measure, worker, table), bare(model, table)
                print(
                    f"| {table.num_rows} {name} | {taking_turns(ways, table.num_rows, options.repeats)} |", flush=True
                )


def taking_turns(ways: tuple[Callable[[], None], Callable[[], None]], n_rows: int, repeats: int) -> str:
    """Rows a second of both ways, how they compare, and their CPU seconds a row."""
    taken_s: tuple[list[float], list[float]] = ([], [])
    cpu_s: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats):
        for way in (0, 1) if repeat % 2 == 0 else (1, 0):
            start, cpu = time.perf_counter(), time.process_time()
            ways[way]()
            taken_s[way].append(time.perf_counter() - start)
            cpu_s[way].append(time.process_time() - cpu)
    ratio = statistics.median(bare_s / measure_s for measure_s, bare_s in zip(*taken_s, strict=True))
    measure, alone = (n_rows / statistics.median(times) for times in taken_s)
    cpus = " and ".join(f"{statistics.median(times) / n_rows:.4f}" for times in cpu_s)
    return f"{measure:.1f} | {alone:.1f} | {ratio:.2f} | {cpus}"


# Area under the curve


@dataclass(frozen=True)
class Made:
    """A generated page: its canonical text, what it was asked for with, what it shows, and its picture."""

    text: str
    idea: str
    visible: str
    png: bytes


def make_pages(renderer: Renderer, seeds: Sequence[int]) -> list[Made]:
    drawn = [generate_page(Random(seed), PageOptions()) for seed in seeds]
    forms = [canonical("page_to_html", page.html) for page in drawn]
    rendered = renderer.render(
        [form.text if isinstance(form, Canonical) else "" for form in forms], RenderSpec("page", width_px=PAGE_WIDTH_PX)
    )
    return [
        Made(form.text, page.idea, visible_text("page_to_html", form.text) or "", result.png)
        for page, form, result in zip(drawn, forms, rendered, strict=True)
        if isinstance(form, Canonical) and isinstance(result, Rendered)
    ]


def train(made: list[Made], steps: int, folder: Path) -> None:
    """Contrastive training from random weights; ideas and windows of visible text in turn."""
    import open_clip

    torch.manual_seed(0)
    rng = Random(0)
    fresh = open_clip.CLIP(**SMALL_MODEL)
    save_model(fresh, SMALL_MODEL, PREPARING, folder)
    model = ClipModel(find_clip(str(folder), ""), "cpu", "fp32", TRAIN_BATCH)  # its transform and its tokenizer
    pixels = torch.stack([model.prepared(Image.open(io.BytesIO(page.png)).convert("RGB")) for page in made])
    ideas = [model.tokens(model.windows(page.idea)) for page in made]
    shown = [model.tokens(model.windows(page.visible)) for page in made]
    matrices = [value for value in fresh.parameters() if value.ndim > 1]
    others = [value for value in fresh.parameters() if value.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.2}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.1)
    loss_of = open_clip.ClipLoss()
    fresh.train()
    for step in range(steps):
        rows = rng.sample(range(len(made)), min(TRAIN_BATCH, len(made)))
        said = [rng.choice(list((ideas if rng.random() < 0.5 else shown)[row])) for row in rows]
        batch = pixels[rows]
        grey = torch.rand(len(rows)) < 0.1  # without colours, so that layouts are learned, too
        batch = torch.where(grey[:, None, None, None], batch.mean(dim=1, keepdim=True), batch)
        seen, read, scale = fresh(batch, torch.stack(said))[:3]
        loss = loss_of(seen, read, scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            fresh.logit_scale.clamp_(0, 4.6)
        if step % 50 == 0 or step == steps - 1:
            print(f"  step {step}: loss {loss.item():.3f} (chance {np.log(TRAIN_BATCH):.3f})", flush=True)
    save_model(fresh.eval(), SMALL_MODEL, PREPARING, folder)


def area(true: Scores, false: Scores) -> float:
    """The probability that a true pair scores above a false one, ties by halves."""
    above = (true[:, None] > false[None, :]).mean()
    return float(above + 0.5 * (true[:, None] == false[None, :]).mean())


def area_with_interval(true: Scores, false: Scores) -> str:
    rng = np.random.default_rng(0)
    n = len(true)
    drawn = (rng.integers(0, n, n) for _ in range(N_BOOTSTRAPS))  # a page is drawn with both of its pairs
    low, high = np.quantile([area(true[rows], false[rows]) for rows in drawn], [0.025, 0.975])
    return f"{area(true, false):.3f} ({low:.3f} to {high:.3f})"


def auc(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    start, cpu = time.perf_counter(), time.process_time()
    with Renderer() as renderer:
        made = make_pages(renderer, range(options.train))
        held_out = make_pages(renderer, range(1_000_000, 1_000_000 + options.held_out))
    print(f"{len(made)} pages to train on, {len(held_out)} held out, made in {time.perf_counter() - start:.0f} s")
    options.out.mkdir(parents=True, exist_ok=True)
    train(made, options.steps, options.out)
    print(
        f"trained after {time.perf_counter() - start:.0f} s ({time.process_time() - cpu:.0f} s of this process's CPU)"
    )
    stage = Clip.pinned(str(options.out), device="cpu")
    print(f"\n{len(held_out)} held-out pages, own text against another page's; AUC (95 %)")
    print("| text | by the best window | by the mean | windows a page |\n|---|---|---|---:|")
    with stage.open() as worker:
        for name in ("idea (context)", "visible text"):
            by_idea = name.startswith("idea")
            order = shuffled(held_out, by_idea=by_idea)
            true = worker(Batch(rows_of(held_out, list(range(len(held_out))), by_idea=by_idea))).columns
            false = worker(Batch(rows_of(held_out, order, by_idea=by_idea))).columns
            areas = [
                area_with_interval(
                    *(each[column].to_numpy(zero_copy_only=False).astype(float) for each in (true, false))
                )
                for column in ("clip_cosine", "clip_cosine_mean")
            ]
            n_windows = statistics.mean(true["clip_windows"].to_pylist())
            print(f"| {name} | {areas[0]} | {areas[1]} | {n_windows:.1f} |", flush=True)


def shuffled(made: list[Made], *, by_idea: bool) -> list[int]:
    """For each page another one, whose words are not the same."""
    rng = Random(1)
    order = []
    for row, page in enumerate(made):
        other = row
        while other == row or (made[other].idea == page.idea if by_idea else made[other].visible == page.visible):
            other = rng.randrange(len(made))
        order.append(other)
    return order


def rows_of(made: list[Made], texts_of: list[int], *, by_idea: bool) -> pa.Table:
    return table_of(
        [
            ("page_to_html", made[other].text, made[other].idea if by_idea else None, page.png)
            for page, other in zip(made, texts_of, strict=True)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    quick = commands.add_parser("speed")
    quick.set_defaults(run=speed)
    quick.add_argument("--model", default="ViT-B-32")
    quick.add_argument("--batch-size", type=int, default=8)
    quick.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    quick.add_argument("--rows", type=int, default=192, help="captions; of pages a third")
    quick.add_argument("--repeats", type=int, default=3)
    areas = commands.add_parser("auc")
    areas.set_defaults(run=auc)
    areas.add_argument("--train", type=int, default=1_200)
    areas.add_argument("--held-out", type=int, default=300)
    areas.add_argument("--steps", type=int, default=500)
    areas.add_argument("--out", type=Path, default=Path("build/small-clip"))
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
