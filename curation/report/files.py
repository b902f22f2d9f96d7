"""The files of a report, by distilvit's names and with its columns, computed rightly; ours stand beside them.

    quality_summary.json  per_example_scores.csv  ranked_by_combined.csv  object_counts.csv  objects_below_<N>.csv
    reweighting_probs.csv  top_failures/<idx>.txt and .jpg

What was not measured is empty in a CSV and null in JSON. What a spreadsheet would take for a formula begins with an
apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.bias.vocabulary import CATEGORIES
from curation.errors import StoreError
from curation.report.gathering import Gathered
from curation.report.scores import Scores
from curation.report.summary import quality_summary
from rendering.pixels import ImageFault, decode_rgb

SUMMARY: Final = "quality_summary.json"
PER_EXAMPLE: Final = "per_example_scores.csv"
RANKED: Final = "ranked_by_combined.csv"
OBJECT_COUNTS: Final = "object_counts.csv"
REWEIGHTING: Final = "reweighting_probs.csv"
TOP_FAILURES: Final = "top_failures"

TEXT_CHARS: Final = 2_000
"""Of a target in a CSV: a page has ten thousand, and a spreadsheet's cell holds 32,767."""

MAX_PICTURE_PX: Final = (1_600, 1_600)

_OURS: Final = ("id", "task", "split", "source_key", "n_tokens", "render_similarity", "text_recall", "text_precision")
HEADER: Final = (
    *("idx", "alt_text", "original_text", "objects", "word_count", "has_image"),
    *(f"protected_{category}_transformed" for category in CATEGORIES),
    *(f"protected_{category}_original" for category in CATEGORIES),
    *("clip_score", "bert_score", "objs_matched", "objs_total", "obj_miss_frac", "reweight_suggested"),
    *("combined_score", "combined_terms", *_OURS, "duplicate_of"),
)
"""distilvit's columns in its order, then ours."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class PerExampleCsv:
    """Writes `per_example_scores.csv` as rows come, and `ranked_by_combined.csv` from it: 16 bytes a row are held."""

    columns = (
        *("text", "messages", "original_caption", "objects", "n_words", "image_sha256", "bias_terms"),
        *("bias_terms_original", "clip_cosine", "bertscore_f1", *_OURS),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: list[npt.NDArray[np.int64]] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._file = (self._folder / PER_EXAMPLE).open("wb")
        self._file.write(_lines([HEADER]))
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, table: pa.Table, scored: Scores, reweight: npt.NDArray[np.float64], first: int) -> None:
        """Append the next rows."""
        assert self._file is not None
        lines = [_lines([row]) for row in _rows(table, scored, reweight, first)]
        start = self._file.tell()
        self._offsets.append(start + np.cumsum([0, *map(len, lines[:-1])], dtype=np.int64))
        self._file.write(b"".join(lines))

    def write_ranked(self, combined: npt.NDArray[np.float32]) -> None:
        """Write the rows again, the worst first, those without a score last and in their order. After `__exit__`."""
        order = np.argsort(-np.nan_to_num(combined, nan=-1.0), kind="stable")
        offsets = np.concatenate([np.empty(0, np.int64), *self._offsets])
        with (self._folder / PER_EXAMPLE).open("rb") as read, (self._folder / RANKED).open("wb") as write:
            ends = np.append(offsets[1:], read.seek(0, io.SEEK_END))
            write.write(_lines([HEADER]))
            for row in order:
                read.seek(int(offsets[row]))
                write.write(read.read(int(ends[row] - offsets[row])))


def write_files(gathered: Gathered, folder: Path, settings: Mapping[str, Any]) -> None:
    """Write all files but those of `PerExampleCsv`. `settings` are told in the summary.

    Raises `StoreError` where the folder cannot be written.
    """
    threshold = int(settings["rare_threshold"])
    counts = sorted(class_counts(gathered).items(), key=lambda entry: (-entry[1], entry[0]))
    rare = sorted((entry for entry in counts if entry[1] < threshold), key=lambda entry: (entry[1], entry[0]))
    try:
        _write_csv(folder / OBJECT_COUNTS, ("object", "count"), counts)
        _write_csv(folder / f"objects_below_{threshold}.csv", ("object", "count"), rare)
        probabilities = zip(gathered.weights.tolist(), gathered.probabilities.tolist(), strict=True)
        rows = ((idx, f"{raw:.10g}", f"{norm:.10g}") for idx, (raw, norm) in enumerate(probabilities))
        _write_csv(folder / REWEIGHTING, ("idx", "reweight_raw", "reweight_norm"), rows)
        _write_failures(gathered, folder / TOP_FAILURES)
        summary = json.dumps(quality_summary(gathered, settings), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / SUMMARY).write_text(summary + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the report into {folder}: {error.strerror or error}", "") from error


def class_counts(gathered: Gathered) -> dict[str, int]:
    """How many rows have each class: objects by their plain names, as distilvit has them, others with the namespace."""
    counts: dict[str, int] = {}
    for tally in gathered.tallies:
        for name, n in tally.classes.items():
            plain = name.removeprefix("object:")
            counts[plain] = counts.get(plain, 0) + n
    return counts


def cell(value: object) -> object:
    """A value as a CSV cell: texts that a spreadsheet would run as a formula get an apostrophe before them."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    if isinstance(value, str):
        shown = value.replace("\0", "")
        return f"'{shown}" if shown.lstrip(" ").startswith(_FORMULA) else shown
    return value


def _rows(
    table: pa.Table, scored: Scores, reweight: npt.NDArray[np.float64], first: int
) -> Iterator[tuple[object, ...]]:
    has = {name: table.column(name).to_pylist() for name in table.column_names}
    nothing = [None] * table.num_rows

    def of(name: str) -> list[Any]:
        values: list[Any] = has.get(name, nothing)
        return values

    misses = scored.object_miss.tolist()
    for index in range(table.num_rows):
        n_objects = int(scored.n_objects[index])
        objects = of("objects")[index]
        combined = float(scored.combined[index])
        yield (
            first + index,
            _said(of("text")[index], of("messages")[index]),
            of("original_caption")[index],
            "; ".join(name for name in objects if name) if objects else None,
            of("n_words")[index],
            of("image_sha256")[index] is not None,
            *_n_terms(of("bias_terms")[index]),
            *_n_terms(of("bias_terms_original")[index]),
            _rounded(of("clip_cosine")[index]),
            _rounded(of("bertscore_f1")[index]),
            int(scored.n_named[index]) if n_objects > 0 else None,
            n_objects if n_objects > 0 else None,
            misses[index],
            f"{reweight[index]:.10g}" if len(reweight) else None,
            combined,
            scored.terms[index] or None,
            *(_rounded(of(name)[index]) for name in _OURS),
            of("duplicate_of")[index],
        )


def _n_terms(terms: list[str] | None) -> list[int | None]:
    """Different terms of each category; None where the text was not looked at."""
    if terms is None:
        return [None] * len(CATEGORIES)
    return [sum(term.startswith(f"{category}:") for term in terms) for category in CATEGORIES]


def _said(text: str | None, messages: list[dict[str, str]] | None) -> str:
    said = text or "\n".join(f"{turn['role']}: {turn['content']}" for turn in messages or ())
    return said if len(said) <= TEXT_CHARS else said[:TEXT_CHARS] + "…"


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("wb") as file:
        file.write(_lines([header]))
        for row in rows:
            file.write(_lines([row]))


def _write_failures(gathered: Gathered, folder: Path) -> None:
    """The worst rows as distilvit lays them out: what is known of each as text, and its picture."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = ["text", "messages", "original_caption", "objects", "clip_cosine", "bertscore_f1", "render_similarity"]
    for start in range(0, len(gathered.worst), 50):  # so many pictures are held at a time
        some = gathered.worst[start : start + 50]
        found = gathered.rows.load([place for _, place in some], [*names, "id", "task", "source_key", "image"])
        for idx, place in some:
            row = found[place]
            clip, bert = row.get("clip_cosine"), row.get("bertscore_f1")
            told = {
                "idx": idx,
                "id": row["id"],
                "source_key": row["source_key"],
                "task": row["task"],
                "alt_text": _said(row["text"], row["messages"]),
                "original_text": row["original_caption"],
                "objects": row["objects"],
                "clip_score": clip,
                "bert_score": bert,
                "render_similarity": row.get("render_similarity"),
                "combined_score": round(float(gathered.combined[idx]), 6),
            }
            text = "".join(f"{name}: {'' if value is None else value}\n" for name, value in told.items())
            (folder / f"{idx}.txt").write_text(text, encoding="utf-8", errors="replace")
            picture = decode_rgb((row["image"] or {}).get("bytes"))
            if not isinstance(picture, ImageFault):
                picture.thumbnail(MAX_PICTURE_PX)
                scores = "".join(
                    f"_{mark}{value:.3f}" for mark, value in (("c", clip), ("b", bert)) if value is not None
                )
                picture.save(folder / f"{idx}{scores}.jpg", quality=85)
