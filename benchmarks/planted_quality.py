"""Faults planted into data sets, and what the quality report says of them; and its memory from 5,000 rows to 50,000.

    python benchmarks/planted_quality.py [--out build/planted] [--rows 5000] [--parts tables formulas captions memory]

Tables and formulas (half of the rows each) are generated and rendered; into each go, into different rows: 3 % of pairs
shuffled among themselves, 2 % exact and 2 % near duplicates (a twentieth of the words or symbols of texts of 20 and
more changed), 1 % damaged pictures; one class flooded (40 % of the rows), one starved (1 in 200). A report on the same
rows before the duplicates were planted tells how many the generator makes itself. Captions are of COCO val2017, every
form of every term of both vocabularies (ours, whatever the sense, and distilvit's) removed; then 5 % of them are
changed for captions that a reader labelled as biased (`tests/curation/bias/labels.jsonl`, those that no rule was made
on). What the report wrote (its CSV and summary) is held against what was planted. What is there already is not made or
measured again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the labels are the tests'

from bias_distilvit import WORDS
from duplicates_planted import reworded

from curation.bias.vocabulary import vocabulary
from curation.markup.canonical import Canonical, canonical_batch
from curation.report.tally import MISMATCHED_BELOW
from curation.sample import IMAGE_TYPE, Task
from curation.shingles import words
from curation.sources.generated import Generated
from curation.stages.rendered import KIND_OF_TASK
from flows.report import ReportOptions, run_report
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec
from tests.curation.bias.labelled import labelled_captions

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
SHARES = {"shuffled": 0.03, "exact": 0.02, "near": 0.02, "damaged": 0.01}
FLOODED, STARVED = 0.40, 0.005
TASKS: dict[str, Task] = {"tables": "table_to_html", "formulas": "formula_to_latex"}
CLASSES = {"tables": ("tag:u", "tag:strike"), "formulas": (r"cmd:\boxed", r"cmd:\cancel")}
SCHEMA = pa.schema([("id", pa.string()), ("image", IMAGE_TYPE), ("text", pa.string())])
SEED = 11
LEAST_WORDS = 20


def generated(kind: str, n_rows: int) -> list[str]:
    """So many different canonical texts, `n_rows` and a few more being generated."""
    task = TASKS[kind]
    found: dict[str, None] = {}
    source = Generated(task, n_rows=2 * n_rows, seed=SEED)
    for piece in source.pieces(500):
        texts = source.read_texts(piece).column("text").to_pylist()
        found |= dict.fromkeys(
            one.text for one in canonical_batch([task] * len(texts), texts) if isinstance(one, Canonical)
        )
        if len(found) >= n_rows:
            return list(found)[:n_rows]
    raise SystemExit(f"only {len(found)} {kind} differ")


def with_class(kind: str, name: str, text: str) -> str:
    """The text with one more class in it."""
    name = name.partition(":")[2]
    if kind == "formulas":
        return f"{name} {{ {text} }}" if "\\begin" not in text else text
    tag = name
    return re.sub(r"(<t[dh][^>]*>)([^<]+)(</t[dh]>)", rf"\1<{tag}>\2</{tag}>\3", text, count=1)


def rendered(kind: str, texts: Sequence[str], renderer: Renderer) -> list[bytes | None]:
    """Their pictures: tables plain, formulas at twice the size."""
    spec = RenderSpec("table") if kind == "tables" else RenderSpec("formula", scale=2.0)
    made = renderer.render(texts, spec)
    return [one.png if isinstance(one, Rendered) else None for one in made]


def damaged(picture: bytes, chooser: random.Random) -> bytes:
    """Cut, emptied, or bytes of something else."""
    how = chooser.randrange(3)
    return picture[: len(picture) // 2] if how == 0 else b"" if how == 1 else bytes(chooser.randbytes(500))


def make_markup(kind: str, folder: Path, n_rows: int) -> dict[str, Any]:
    """Write the clean rows and those with faults; returns what was planted, by the rows' ids."""
    chooser = random.Random(SEED)
    n = {name: round(share * n_rows) for name, share in SHARES.items()}
    n_base = n_rows - n["exact"] - n["near"]
    texts = generated(kind, n_base)
    flooded, starved = CLASSES[kind]
    has = {flooded: 0, starved: 0}
    for name, share in ((flooded, FLOODED), (starved, STARVED)):
        for place in chooser.sample(range(n_base), round(share * n_base)):
            texts[place] = with_class(kind, name, texts[place])
    forms = canonical_batch([TASKS[kind]] * n_base, texts)
    base = [one.text for one in forms if isinstance(one, Canonical)]
    assert len(base) == n_base
    mark = {name: f"<{name[4:]}>" if kind == "tables" else name[4:] for name in (flooded, starved)}
    rows = [(f"base-{place:05d}", text) for place, text in enumerate(base)]
    order = chooser.sample(range(n_base), n_base)
    # A twentieth of the words of a shorter text is less than one: with one changed it is another text.
    long = [place for place in order if len(words(re.sub(r"<[^>]*>", " ", base[place]))) >= LEAST_WORDS]
    near_of = set(long[: n["near"]])
    order = [place for place in order if place not in near_of]
    originals, left = [*order[: n["exact"]], *sorted(near_of)], order[n["exact"] :]
    vocabulary_ = [word for text in base[:300] for word in words(re.sub(r"<[^>]*>", " ", text)) if word.isalpha()]
    near: list[tuple[str, str]] = []
    for place in originals[n["exact"] :]:
        changed = reworded(TASKS[kind], base[place], vocabulary_, chooser)
        form = canonical_batch([TASKS[kind]], [changed or ""])[0]
        if isinstance(form, Canonical) and form.text != base[place]:
            near.append((f"near-of-{place:05d}", form.text))
    exact = [(f"exact-of-{place:05d}", base[place]) for place in originals[: n["exact"]]]
    with Renderer() as renderer:
        pictures: dict[str, bytes | None] = {}
        every = [*rows, *near]
        for start in range(0, len(every), 100):
            some = every[start : start + 100]
            pictures |= dict(zip([id_ for id_, _ in some], rendered(kind, [t for _, t in some], renderer), strict=True))
            print(f"{kind}: {start + len(some):,} of {len(every):,} rendered", file=sys.stderr)
    rows, near = ([row for row in some if pictures[row[0]]] for some in (rows, near))
    write(folder / f"{kind}-clean", [(id_, pictures[id_], text) for id_, text in rows])
    pictures |= {id_: pictures[f"base-{id_[-5:]}"] for id_, _ in exact}
    there = {id_ for id_, _ in rows}
    left_ids = [id_ for id_ in (f"base-{place:05d}" for place in left) if id_ in there]
    shuffled, broken = left_ids[: n["shuffled"]], left_ids[n["shuffled"] : n["shuffled"] + n["damaged"]]
    pictures |= dict(zip(shuffled, [pictures[id_] for id_ in (*shuffled[1:], shuffled[0])], strict=True))
    pictures |= {id_: damaged(pictures[id_] or b"", chooser) for id_ in broken}
    planted = [*rows, *near, *[row for row in exact if pictures[row[0]]]]
    chooser.shuffle(planted)
    write(folder / kind, [(id_, pictures[id_], text) for id_, text in planted])
    broken_ids = set(broken)
    for id_, text in planted:
        for name in has:
            has[name] += id_ not in broken_ids and mark[name] in text
    return {
        "n_rows": len(planted),
        "shuffled": shuffled,
        "damaged": broken,
        "near": [id_ for id_, _ in near],
        "exact": [id_ for id_, _ in exact if pictures[id_]],
        "classes": has,
    }


def make_captions(folder: Path, n_rows: int) -> dict[str, Any]:
    """Captions without any term, and 5 % with some that a reader found."""
    chooser = random.Random(SEED)
    table = pq.read_table(next((DATA / "captions-text").glob("*.parquet"))).to_pylist()
    labelled = [one for one in labelled_captions(DATA) if one.half != "tuned" and one.states]
    biased = chooser.sample(labelled, round(0.05 * n_rows))
    taken = {one.caption for one in biased}
    neutral = [row["caption"] for row in table if row["caption"] not in taken]
    removed = term_remover()
    texts = [removed(text) for text in chooser.sample(neutral, n_rows - len(biased))]
    rows = [(f"neutral-{place:05d}", text) for place, text in enumerate(texts)]
    rows += [(f"biased-{place:05d}", one.caption) for place, one in enumerate(biased)]
    chooser.shuffle(rows)
    write(folder / "captions", [(id_, dot(number), text) for number, (id_, text) in enumerate(rows)])
    states = {f"biased-{place:05d}": sorted(one.states) for place, one in enumerate(biased)}
    return {"n_rows": len(rows), "biased": states}


def term_remover() -> Any:
    """Removes every form of every term of both vocabularies, whatever it means where it stands."""
    ours = {" ".join(one.words) for some in vocabulary().phrases.values() for one in some if one.category}
    theirs = {word.replace("_", " ") for listed in WORDS.values() for word in listed.split()}
    forms = sorted(ours | theirs, key=len, reverse=True)
    between = {form: r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", form))) for form in forms}
    pattern = re.compile(rf"\b(?:{'|'.join(between[form] for form in forms)})(?:['’]s)?\b", re.IGNORECASE)
    return lambda text: re.sub(r"\s+", " ", pattern.sub("", text)).strip() or "Something."


def dot(number: int) -> bytes:
    """A picture of its own for each caption, which says nothing."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), f"#{(number * 2654435761) % (1 << 24):06x}").save(out, "PNG")
    return out.getvalue()


def write(folder: Path, rows: Sequence[tuple[str, bytes | None, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(folder / "train.parquet", SCHEMA) as writer:
        for start in range(0, len(rows), 100):
            some = rows[start : start + 100]
            columns = [
                [one[0] for one in some],
                [{"bytes": one[1], "path": None} for one in some],
                [one[2] for one in some],
            ]
            writer.write_table(
                pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
            )


def report(folder: Path, name: str, task: str, **settings: Any) -> dict[str, Any]:
    """Report on a data set; its summary, with the rows of its CSV."""
    out = folder / f"report-{name}"
    run_report(
        ReportOptions(
            str(folder / name), output_dir=str(out), workspace=str(folder / "ws"), task=task, topk=20, **settings
        )
    )
    summary = json.loads((out / "quality_summary.json").read_text("utf-8"))
    with (out / "per_example_scores.csv").open(encoding="utf-8", newline="") as file:
        return {**summary, "rows": list(csv.DictReader(file))}


def recall_and_precision(found: set[str], planted: set[str]) -> str:
    hit = len(found & planted)
    recall = hit / len(planted) if planted else 1.0
    precision = hit / len(found) if found else 1.0
    return f"{len(planted):>5} planted, {len(found):>5} found: recall {recall:.3f}, precision {precision:.3f}"


def tell_markup(kind: str, folder: Path, planted: dict[str, Any]) -> None:
    task = TASKS[kind]
    clean = report(folder, f"{kind}-clean", task, measures=("hashes,classes",))["markupmill"]
    found = report(folder, kind, task, measures=("tokens,markup,statistics,classes,hashes,render",))
    facts = found["markupmill"]
    limit = MISMATCHED_BELOW[KIND_OF_TASK[task]]
    scores = {row["source_key"]: row["render_similarity"] for row in found["rows"]}
    low = {id_ for id_, score in scores.items() if score and float(score) < limit}
    print(f"{kind}: {planted['n_rows']:,} rows")
    print(f"  shuffled pairs   {recall_and_precision(low, set(planted['shuffled']))}")
    rejected = {group["reason"]: group["n_rows"] for group in facts["rejected"]}
    print(f"  damaged pictures {len(planted['damaged']):>5} planted, {sum(rejected.values()):>5} rejected: {rejected}")
    n_clean = clean["n_exact_duplicates"], clean["n_near_duplicates"]
    for name, own in zip(("exact", "near"), n_clean, strict=True):
        n_found = facts[f"n_{name}_duplicates"]
        of = len(planted[name])
        print(
            f"  {name:<5} duplicates {of:>5} planted, {n_found:>5} found, {own} of them the generator's: "
            f"{(n_found - own) / of:.3f} of what was planted"
        )
    of_rows = {row["id"]: row["source_key"] for row in found["rows"]}
    pairs = {(row["source_key"], of_rows.get(row["duplicate_of"], "")) for row in found["rows"] if row["duplicate_of"]}
    linked = {one for pair in pairs for one in pair}
    n_linked = len(linked & set(planted["near"]))
    print(f"  near duplicates in a cluster with another row: {n_linked} of {len(planted['near'])}")
    with (folder / f"report-{kind}" / "object_counts.csv").open(encoding="utf-8", newline="") as file:
        counts = {row["object"]: int(row["count"]) for row in csv.DictReader(file)}
    with (folder / f"report-{kind}" / "objects_below_50.csv").open(encoding="utf-8", newline="") as file:
        rare = {row["object"] for row in csv.DictReader(file)}
    for said, name in zip(("flooded", "starved"), CLASSES[kind], strict=True):
        n = planted["classes"][name]
        print(f"  class {said} {name}: in {n} rows, counted {counts.get(name, 0)}; rare: {name in rare}")


def tell_captions(folder: Path, planted: dict[str, Any]) -> None:
    found = report(folder, "captions", "image_to_caption", measures=("bias,statistics",))
    names = [name for name in found["rows"][0] if name.startswith("protected_") and name.endswith("_transformed")]
    states = planted["biased"]
    hits = {row["source_key"]: {name for name in names if int(row[name])} for row in found["rows"]}
    print(f"captions: {planted['n_rows']:,} rows")
    print(f"  any category       {recall_and_precision({id_ for id_, some in hits.items() if some}, set(states))}")
    for name in names:
        category = name.removeprefix("protected_").removesuffix("_transformed")
        truth = {id_ for id_, said in states.items() if category in said}
        print(f"  {category:<18} {recall_and_precision({id_ for id_, some in hits.items() if name in some}, truth)}")
    rate = found["protected_gender_rate_transformed"]
    n_gender = sum("gender" in said for said in states.values())
    print(f"  gender rate told {rate:.4f}, planted {n_gender / planted['n_rows']:.4f}")


def make_plain(folder: Path, n_rows: int) -> None:
    """Short generated tables and one of a hundred pictures: what is measured is memory."""
    if (folder / "train.parquet").exists():
        return
    pictures = [dot(number) for number in range(100)]
    texts = (
        f"<table><tr><td>{number}</td><td>value {number * 7919 % 10007}</td></tr></table>" for number in range(n_rows)
    )
    write(folder, [(str(number), pictures[number % 100], text) for number, text in enumerate(texts)])


def tell_memory(folder: Path) -> None:
    for n_rows in (5_000, 50_000):
        make_plain(folder / f"plain-{n_rows}", n_rows)
        for run in ("measuring", "again"):
            command = [sys.executable, __file__, "--out", str(folder), "--one", f"plain-{n_rows}"]
            made = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
            print(f"  {n_rows:>6,} rows, {run:<9}: {made.stdout.strip()}")


def one(folder: Path, name: str) -> None:
    started = time.monotonic()
    report(folder, name, "table_to_html", measures=("tokens,markup,statistics,classes,hashes,bias",))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak_mb:,.0f} MB, {time.monotonic() - started:,.0f} s")


def parts(folder: Path, names: Sequence[str], n_rows: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part with what was planted, made where it is not there."""
    for name in names:
        truth = folder / f"{name}.json"
        if not truth.exists():
            made = make_captions(folder, n_rows) if name == "captions" else make_markup(name, folder, n_rows // 2)
            truth.write_text(json.dumps(made), encoding="utf-8")
        yield name, json.loads(truth.read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/planted"))
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--parts", nargs="+", default=["tables", "formulas", "captions", "memory"])
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.out, options.one)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name, planted in parts(options.out, [part for part in options.parts if part != "memory"], options.rows):
        if name == "captions":
            tell_captions(options.out, planted)
        else:
            tell_markup(name, options.out, planted)
    if "memory" in options.parts:
        print("memory")
        tell_memory(options.out)


if __name__ == "__main__":
    main()
