"""Rendering against other ways, by step, over time and by size of file: Markdown tables, every ratio within one run.

    python benchmarks/render_speed.py [--n 120] [--repeats 5] [--data FILE.parquet] [--formulas FILE] [--memory 20000]
    python benchmarks/render_speed.py --quick          # half a minute: whether it works, not how fast

Pages are put before every way as one self-contained document (style sheet and placeholder pictures inside), so that no
way waits for an answer that another does not need; the last row of the table has ours with the pages as they came.
Ways take turns, repeat after repeat, after a warm-up; a ratio is the median over repeats of the ratio in each.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import html
import io
import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from PIL import Image

import rendering.capture
import rendering.tab
from curation.generate.formulas import FormulaOptions, generate_formula
from curation.generate.pages import PageOptions, generate_page
from curation.generate.tables import TableOptions, generate_table
from curation.markup.latex import canonical_latex_batch
from curation.reasons import Reject
from rendering.browser import Browser
from rendering.chromium import OVERRIDE, SYSTEM_NAMES, find_chromium
from rendering.katex import shared_katex
from rendering.network import answer
from rendering.pixels import encode_png
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec
from rendering.tab import Form, Tab

PAGE, TABLE, FORMULA = RenderSpec("page"), RenderSpec("table"), RenderSpec("formula")
CONCURRENCIES = (1, 2, 4, 6, 8)
SLOW_SHARE = 4  # slow ways get every fourth document: a repeat takes about as long for each way
VIEWPORT = {"width": 1280, "height": 720}
FORM = Form(VIEWPORT["width"], 1.0)

Way = Callable[[], float]
"""Renders its documents once; returns documents a second."""


# Input


def generated_pages(n: int) -> list[str]:
    chooser = Random(7)
    return [generate_page(chooser, PageOptions()).html for _ in range(n)]


def generated_tables(n: int) -> list[str]:
    chooser = Random(7)
    return [generate_table(chooser, TableOptions()) for _ in range(n)]


def generated_formulas(n: int) -> list[str]:
    chooser = Random(7)
    return [generate_formula(chooser, FormulaOptions()) for _ in range(n)]


def pages_of(path: Path, n: int) -> list[str]:
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    texts = [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]
    return texts[:: max(1, len(texts) // n)][:n]


def formulas_of(path: Path, n: int) -> list[str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    chosen = lines[:: max(1, len(lines) // n)][:n]
    return [form.text for form in canonical_latex_batch(chosen) if not isinstance(form, Reject)]


def self_contained(page: str) -> str:
    """The page with what it asks for inside it: our answers as `<style>` and `data:`."""

    def style(found: re.Match[str]) -> str:
        reply = answer(html.unescape(found[1]), "Stylesheet", page, "palette")
        return f"<style>{reply.body.decode()}</style>" if reply.body else ""

    def picture(found: re.Match[str]) -> str:
        reply = answer(html.unescape(found[2]), "Image", page, "palette")
        assert reply.body is not None
        return f"{found[1]}data:image/svg+xml;base64,{base64.b64encode(reply.body).decode()}{found[3]}"

    page = re.sub(r'<link\b[^>]*?href="(https?://[^"]+)"[^>]*>', style, page)
    page = re.sub(r'(\bsrc=")(https?://[^"]+)(")', picture, page)
    return re.sub(r"""(url\(['"]?)(https?://[^'")]+)(['"]?\))""", picture, page)


# Ways to render pages. The library behind the browser is reached through `rendering`, which alone may import it.


class Rival:
    """A browser for the other ways, with the same flags as ours, in a loop of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str | None = None) -> None:
        self.loop = loop
        with mock.patch.dict(os.environ, {OVERRIDE: path} if path else {}):
            self._owner = self.run(Browser.launch())
        self.browser: Any = self._owner._browser
        self.bare: list[tuple[Any, str]] = []
        self.pages: list[Any] = []

    def run(self, work: Awaitable[Any]) -> Any:
        """Do `work` in this rival's loop."""
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        """End the browser."""
        self.run(self._owner.close())

    def open(self, n: int) -> None:
        """Pages and protocol sessions to use again and again."""
        self.run(self._open(n))

    async def _open(self, n: int) -> None:
        for _ in range(n):
            context = await self.browser.new_context(viewport=VIEWPORT, java_script_enabled=False)
            page = await context.new_page()
            session = await context.new_cdp_session(page)
            await session.send("Page.enable")
            tree = await session.send("Page.getFrameTree")
            self.bare.append((session, tree["frameTree"]["frame"]["id"]))
        self.pages = [await self.browser.new_page(viewport=VIEWPORT) for _ in range(4)]

    async def new_page_each(self, documents: Sequence[str]) -> None:
        """As most scripts do it."""
        for document in documents:
            page = await self.browser.new_page(viewport=VIEWPORT)
            await page.set_content(document)
            await page.screenshot(full_page=True)
            await page.close()

    async def pages_again(self, documents: Sequence[str]) -> None:
        """As scripts do it whose authors measured: four at a time, none opened anew."""

        async def work(page: Any, queue: Iterator[str]) -> None:
            for document in queue:
                await page.set_content(document)
                await page.screenshot(full_page=True)

        queue = iter(documents)
        await asyncio.gather(*(work(page, queue) for page in self.pages))

    async def bare_loop(self, documents: Sequence[str], heights_px: Sequence[int], n: int) -> list[bytes]:
        """No measuring (the heights are told), no caps, no safety, nothing renewed: what the protocol can do."""
        pngs = [b""] * len(documents)

        async def work(session: Any, frame: str, queue: Iterator[int]) -> None:
            for index in queue:
                await session.send("Page.setDocumentContent", {"frameId": frame, "html": documents[index]})
                clip = {"x": 0, "y": 0, "width": VIEWPORT["width"], "height": heights_px[index], "scale": 1}
                taken = await session.send(
                    "Page.captureScreenshot",
                    {
                        "format": "png", "optimizeForSpeed": True, "clip": clip,
                        "captureBeyondViewport": heights_px[index] > VIEWPORT["height"],
                    },
                )  # fmt: skip
                pngs[index] = base64.b64decode(taken["data"])

        queue = iter(range(len(documents)))
        await asyncio.gather(*(work(*self.bare[at], queue) for at in range(n)))
        return pngs


def rate(n: int, work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return n / (time.perf_counter() - began)


def take_turns(ways: dict[str, Way], repeats: int) -> dict[str, list[float]]:
    """Documents a second of each way in each repeat; the order turns round from one repeat to the next."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way in list(ways) if repeat % 2 else list(ways)[::-1]:
            found = ways[way]()
            if repeat:  # the first one warms up
                rates[way].append(found)
    return rates


def ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, other, strict=True))


def full_chromium(used: Path) -> str | None:
    """A full Chromium on this machine, other than the browser that is used."""
    import shutil

    names = [name for name in SYSTEM_NAMES if "headless" not in name]
    caches = sorted((Path.home() / ".cache/ms-playwright").glob("chromium-*/chrome-linux*/chrome"))
    found = [path for path in [*map(shutil.which, names), *map(str, caches)] if path]
    return next((path for path in found if Path(path).resolve() != used.resolve()), None)


def measure_pages(pages: list[str], repeats: int) -> None:
    documents = [self_contained(page) for page in pages]
    few = documents[::SLOW_SHARE]
    loop = asyncio.new_event_loop()
    rival = Rival(loop)
    rival.open(max(CONCURRENCIES))
    chromium = find_chromium()
    full = full_chromium(chromium.path)
    full_rival = Rival(loop, full) if full else None
    with Renderer() as renderer:
        ours = renderer.render(documents, PAGE)
        kept = [index for index, result in enumerate(ours) if isinstance(result, Rendered)]
        documents, pages = [documents[index] for index in kept], [pages[index] for index in kept]
        rendered = [result for result in ours if isinstance(result, Rendered)]
        heights = [result.height_px for result in rendered]
        ways: dict[str, Way] = {
            "ours": lambda: rate(len(documents), lambda: renderer.render(documents, PAGE)),
            "a new page a sample, `page.screenshot`": lambda: rate(
                len(few), lambda: rival.run(rival.new_page_each(few))
            ),
            "4 pages used again, `page.screenshot`": lambda: rate(
                len(documents), lambda: rival.run(rival.pages_again(documents))
            ),
        }
        if full_rival is not None:
            ways["a new page a sample, full Chromium"] = lambda: rate(
                len(few), lambda: full_rival.run(full_rival.new_page_each(few))
            )
        for n in CONCURRENCIES:
            ways[f"bare protocol loop, {n} at a time"] = lambda n=n: rate(  # type: ignore[misc]
                len(documents), lambda: rival.run(rival.bare_loop(documents, heights, n))
            )
        ways["ours, pages as they came"] = lambda: rate(len(pages), lambda: renderer.render(pages, PAGE))
        rates = take_turns(ways, repeats)
        bare = rival.run(rival.bare_loop(documents, heights, 4))
    rival.close()
    if full_rival is not None:
        full_rival.close()
    same = sum(same_pixels(a.png, b) for a, b in zip(rendered, bare, strict=True))
    print(f"\n## Pages\n\n{len(documents)} pages, {statistics.mean(heights):,.0f} px high on average, ", end="")
    print(
        f"Chromium {chromium.version} ({chromium.path.name}); {same} of {len(bare)} pictures of the bare loop are ",
        end="",
    )
    print(f"those of ours; {len(ours) - len(kept)} pages gave none.\n\n| way | pages/s | ours is faster by |")
    print("|---|---:|---:|")
    for way, found in rates.items():
        print(f"| {way} | {statistics.median(found):.1f} | {ratio(rates['ours'], found):.2f}x |")
    best = max((way for way in rates if way.startswith("bare")), key=lambda way: statistics.median(rates[way]))
    naive = ratio(rates["ours"], rates["a new page a sample, `page.screenshot`"])
    full_ratio = ratio(rates["ours"], rates["a new page a sample, full Chromium"]) if full_rival else None
    print(f"\nA new page a sample: {naive:.1f}x (goal 5). Best bare loop ({best.rpartition(', ')[2]}): ", end="")
    print(f"{ratio(rates['ours'], rates[best]):.2f}x (goal 0.85). Full Chromium: ", end="")
    print(f"{full_ratio:.1f}x (goal 10)." if full_ratio else "none on this machine but the one used.")


def same_pixels(a: bytes, b: bytes) -> bool:
    with Image.open(io.BytesIO(a)) as first, Image.open(io.BytesIO(b)) as second:
        return first.size == second.size and first.convert("RGB").tobytes() == second.convert("RGB").tobytes()


# Formulas


def measure_formulas(formulas: list[str], repeats: int) -> None:
    with Renderer() as renderer:
        taken = [
            f
            for f, made in zip(formulas, renderer.render(formulas, FORMULA), strict=True)
            if isinstance(made, Rendered)
        ]
        both = [formula for formula in taken[: 4 * len(taken) // 5] if mathtext_png(formula) is not None]
        few, few_both = taken[:: 2 * SLOW_SHARE], both[:: 2 * SLOW_SHARE]
        ways: dict[str, Way] = {
            "ours, in sheets": lambda: rate(len(taken), lambda: renderer.render(taken, FORMULA)),
            "one by one: a page each": lambda: rate(len(few), lambda: one_by_one(renderer, few)),
            "ours, in sheets, those that mathtext takes": lambda: rate(
                len(both), lambda: renderer.render(both, FORMULA)
            ),
            "matplotlib mathtext, those that it takes": lambda: rate(
                len(few_both), lambda: [mathtext_png(formula) for formula in few_both]
            ),
        }
        rates = take_turns(ways, repeats)
    print(
        f"\n## Formulas\n\n{len(taken)} of {len(formulas)} formulas that KaTeX takes; mathtext takes {len(both)} of ",
        end="",
    )
    print(f"the first {4 * len(taken) // 5}.\n\n| way | formulas/s |\n|---|---:|")
    for way, found in rates.items():
        print(f"| {way} | {statistics.median(found):,.0f} |")
    sheets, single, ours, mathtext = rates.values()
    print(f"\nOne by one: {ratio(sheets, single):.1f}x (goal 11). mathtext: {ratio(ours, mathtext):.1f}x (goal 10).")


def one_by_one(renderer: Renderer, formulas: Sequence[str]) -> None:
    """Each formula in a page that is loaded for it, through the same capture, one after another."""
    for formula in formulas:
        [made] = shared_katex().to_html([formula])
        assert isinstance(made, str)

        async def capture(tab: Tab, markup: str = made) -> Any:
            tab.sheet = None
            return await rendering.capture.capture_sheet(tab, [markup], [FORMULA])

        renderer._running().call(lambda scheduler, capture=capture: scheduler.run(capture, FORM, 10.0))  # type: ignore[misc]


def mathtext_png(formula: str) -> bytes | None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import mathtext

    out = io.BytesIO()
    try:
        mathtext.math_to_image(f"${formula}$", out, dpi=96, format="png")
    except (ValueError, RuntimeError):  # not in its part of TeX
        return None
    return out.getvalue()


# Where the time goes


class Steps:
    """Seconds spent in each step, by wrapping the functions that do it. Outside the product, and one page at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.n_base64 = 0

    def timed(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, its time counted for `step`."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                self.seconds[step] += time.perf_counter() - began

        return timed

    def timed_async(self, step: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`work`, its time counted for `step`."""

        async def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return await work(*args, **kwargs)
            finally:
                self.seconds[step] += time.perf_counter() - began

        return timed

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Wrap load, script, capture, base64, PNG decoding, cropping and encoding."""
        decode = self.timed("base64", base64.b64decode)

        def b64decode(data: str) -> Any:
            self.n_base64 += len(data)
            return decode(data)

        patch = mock.patch.object
        with (
            patch(Tab, "load", self.timed_async("load", Tab.load)),
            patch(Tab, "evaluate", self.timed_async("script", Tab.evaluate)),
            patch(Tab, "screenshot", self.timed_async("screenshot", Tab.screenshot)),
            patch(rendering.tab, "base64", mock.Mock(b64encode=base64.b64encode, b64decode=b64decode)),
            patch(rendering.capture, "_decoded", self.timed("decode", rendering.capture._decoded)),
            patch(rendering.capture, "_cropped", self.timed("cropped", rendering.capture._cropped)),
            patch(rendering.capture, "encode_png", self.timed("encode", encode_png)),
        ):
            yield


def transfer_seconds_per_char(renderer: Renderer) -> float:
    """How long a character takes from the page to here: a string of 4 million by the same road."""
    n = 4_000_000

    async def fetch(tab: Tab) -> float:
        ask = {"expression": f"'A'.repeat({n})", "returnByValue": True}
        times = []
        for _ in range(5):
            began = time.perf_counter()
            await tab._session.send("Runtime.evaluate", ask)
            times.append(time.perf_counter() - began)
        return statistics.median(times) / n

    return float(renderer._running().call(lambda scheduler: scheduler.run(fetch, FORM, 60.0)))


def measure_steps(inputs: dict[str, tuple[list[str], RenderSpec]]) -> None:
    columns: dict[str, dict[str, float]] = {}
    for name, (markups, spec) in inputs.items():
        with Renderer(n_pages=1) as renderer:
            renderer.render(markups[: len(markups) // 4], spec)
            per_char = transfer_seconds_per_char(renderer)
            steps = Steps()
            with steps.watching():
                began = time.perf_counter()
                if spec.kind == "formula":
                    shared_katex().to_html(markups)
                katex = time.perf_counter() - began
                began = time.perf_counter()
                renderer.render(markups, spec)
                total = time.perf_counter() - began
        spent = steps.seconds
        transfer = min(steps.n_base64 * per_char, spent["screenshot"])
        column = {
            "KaTeX": katex,
            "layout (load, measuring script)": spent["load"] + spent["script"],
            "capture (paint, PNG in Chromium)": spent["screenshot"] - transfer - spent["base64"],
            "transfer (pipe, driver, JSON)": transfer,
            "decode (base64, PNG)": spent["base64"] + spent["decode"],
            "crop": spent["cropped"] - spent["encode"],
            "encode": spent["encode"],
        }
        column["other"] = total - sum(column.values())
        column["all"] = total
        columns[name] = {step: 100 * seconds / len(markups) for step, seconds in column.items()}
    print(
        "\n## Steps\n\nSeconds for 100 renders, one page at a time; transfer is what as many characters take alone.\n"
    )
    print(f"| step | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for step in next(iter(columns.values())):
        print(f"| {step} | {' | '.join(f'{column[step]:.3f}' for column in columns.values())} |")


# Memory


def memory_bytes() -> tuple[int, int]:
    """Of this process and all below it, driver and Chromium: proportional (shared pages once) and resident."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    totals = {"Pss": 0, "Rss": 0}
    for pid in family:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name in totals:
                totals[name] += 1024 * int(rest.split()[0])
    return totals["Pss"], totals["Rss"]


def measure_memory(n: int, pages: list[str], tables: list[str], formulas: list[str]) -> None:
    """Of every 100 renders 40 pages, 30 tables, 30 formulas."""
    shares = ((pages, PAGE, 40), (tables, TABLE, 30), (formulas, FORMULA, 30))
    samples: list[tuple[int, int]] = []
    began = time.perf_counter()
    with Renderer() as renderer:
        for batch in range(n // 100):
            for markups, spec, share in shares:
                chosen = [markups[(batch * share + at) % len(markups)] for at in range(share)]
                renderer.render(chosen, spec)
            samples.append(memory_bytes())
    tenth = max(1, len(samples) // 10)
    tenths = [samples[at : at + tenth] for at in range(0, tenth * 10, tenth) if samples[at : at + tenth]]
    print(
        f"\n## Memory\n\n{len(samples) * 100:,} renders in {time.perf_counter() - began:,.0f} s. Memory of this, ",
        end="",
    )
    print("the driver and the browser after every 100: proportional (shared pages counted once) and resident.\n")
    print("| tenth | median PSS, MB | most PSS, MB | median RSS, MB |\n|---:|---:|---:|---:|")
    medians = []
    for number, part in enumerate(tenths, start=1):
        pss, rss = zip(*part, strict=True)
        medians.append(statistics.median(pss))
        print(f"| {number} | {medians[-1] / 1e6:,.0f} | {max(pss) / 1e6:,.0f} | {statistics.median(rss) / 1e6:,.0f} |")
    print(f"\nLast tenth against the first: {medians[-1] / medians[0]:.2f}x; ", end="")
    print(f"against the second: {medians[-1] / medians[min(1, len(medians) - 1)]:.2f}x.")


# PNG


def measure_png(inputs: dict[str, tuple[list[str], RenderSpec]]) -> None:
    print("\n## PNG\n\n| pictures | way | bytes each | ms each |\n|---|---|---:|---:|")
    for name, (markups, spec) in inputs.items():
        with Renderer() as renderer:
            made = [result for result in renderer.render(markups, spec) if isinstance(result, Rendered)]
        pictures = []
        for result in made:
            with Image.open(io.BytesIO(result.png)) as image:
                pictures.append(image.convert("RGB"))
        kept = statistics.mean(len(result.png) for result in made)
        print(f"| {name} | ours, as kept | {kept:,.0f} | see Steps |")
        for way, encode in {
            "fewest channels, level 4 (`encode_png`)": encode_png,
            "Pillow, RGB": pillow_png,
            "Pillow, RGB, optimised": lambda picture: pillow_png(picture, optimize=True),
            "fewest channels, optimised (as oxipng does)": lambda picture: again_optimised(encode_png(picture)),
        }.items():
            began = time.perf_counter()
            n_bytes = [len(encode(picture)) for picture in pictures]
            ms = 1000 * (time.perf_counter() - began) / len(pictures)
            print(f"| {name} | {way} | {statistics.mean(n_bytes):,.0f} | {ms:.2f} |")


def pillow_png(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()


def again_optimised(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png)) as image:
        return pillow_png(image, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=120, help="pages; ten times as many formulas")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--data", type=Path, help="Parquet, or a folder of it, with pages in `text`; else generated ones"
    )
    parser.add_argument("--formulas", type=Path, help="a file with a formula a line; else generated ones")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="watch memory over N renders")
    parser.add_argument("--only", choices=["pages", "formulas", "steps", "png", "memory"], action="append")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    n, repeats = (16, 1) if options.quick else (options.n, options.repeats)
    memory = 400 if options.quick and not options.memory else options.memory
    pages = pages_of(options.data, n) if options.data else generated_pages(n)
    formulas = formulas_of(options.formulas, 10 * n) if options.formulas else generated_formulas(10 * n)
    tables = generated_tables(2 * n)
    wanted = options.only or ["pages", "formulas", "steps", "png", *(["memory"] if memory else [])]
    inputs = {"pages": (pages, PAGE), "tables": (tables, TABLE), "formulas": (formulas, FORMULA)}
    if "pages" in wanted:
        measure_pages(pages, repeats)
    if "formulas" in wanted:
        measure_formulas(formulas, repeats)
    if "steps" in wanted:
        measure_steps(inputs)
    if "png" in wanted:
        measure_png(inputs)
    if "memory" in wanted:
        measure_memory(memory or 20_000, pages, tables, formulas)


if __name__ == "__main__":
    main()
