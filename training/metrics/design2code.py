"""Design2Code's score of a page: text blocks of two renders, matched, and how they agree; pictures by CLIP beside them.

Si, Zhang, Yang, Liu, Yang, "Design2Code: Benchmarking Multimodal Code Generation for Automated Front-End Engineering",
2024; code: NoviScl/Design2Code, `metrics/visual_score.py`. Blocks are merged with their neighbours while that makes
the texts more alike, then matched one to one; matches whose texts are under 0.5 alike are dropped; the score is
0.2 × (size, text, position, colour, CLIP). The numbers follow that code; its steps that cost by the cube of the blocks
are done for the changed block alone.

One thing is ours: the blocks. Theirs are text nodes, found by painting each in a colour of its own (which breaks for
more than 4,096 of them, and for texts in shadow or on pictures); ours are paragraphs by the renderer's own boxes. What
a `<b>` cuts in three there is one block here, on both sides alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.compare.color import ciede2000, text_colors, to_lab
from rendering.result import Box, Rendered
from training.metrics.matching import ratio

LEAST_SIMILARITY: Final = 0.5
"""Of the texts of a match."""
MERGE_GAIN: Final = 0.05
CONSECUTIVE_BONUS: Final = 0.1
MAX_COLOR_DIFFERENCE: Final = 100.0
"""A CIEDE2000 difference that counts as wholly different."""
MAX_MERGED_BLOCKS: Final = 150
"""Pages of more paragraphs are matched without merging: each try costs an assignment."""
MAX_BLOCKS: Final = 1_000
"""Of a page, the first ones; the largest page of WebSight's has a tenth of it."""
MAX_BLOCK_CHARS: Final = 2_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """A paragraph: its text, its box in shares of the picture's width and height, and its colour (sRGB 0 to 255)."""

    text: str
    x: float
    y: float
    width: float
    height: float
    color: tuple[float, float, float]

    @property
    def area(self) -> float:
        """Share of the picture."""
        return self.width * self.height


@dataclass(frozen=True)
class Design2Code:
    """The parts in [0, 1] and the score; `clip` and with it `score` are None where no CLIP model is at hand."""

    size: float
    text: float
    position: float
    color: float
    clip: float | None = None

    @property
    def score(self) -> float | None:
        """0.2 × the sum of the five parts."""
        if self.clip is None:
            return None
        return 0.2 * (self.size + self.text + self.position + self.color + self.clip)

    @property
    def blocks(self) -> float:
        """The mean of the four parts that need no model."""
        return (self.size + self.text + self.position + self.color) / 4

    def with_clip(self, clip: float) -> Design2Code:
        """The same with the cosine of the two pictures' embeddings."""
        return replace(self, clip=clip)


NOTHING: Final = Design2Code(0.0, 0.0, 0.0, 0.0, 0.0)
"""Of a prediction that gives no picture."""


def text_blocks(rendered: Rendered) -> list[Block]:
    """The paragraphs of a render, in document order."""
    lines: dict[int, list[Box]] = {}
    for box in rendered.boxes:
        if box.text.strip():
            lines.setdefault(box.block, []).append(box)
    with Image.open(BytesIO(rendered.png)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    blocks = (_block(boxes, pixels) for boxes in list(lines.values())[:MAX_BLOCKS])
    return [block for block in blocks if block is not None]


def _block(boxes: Sequence[Box], pixels: npt.NDArray[np.uint8]) -> Block | None:
    height_px, width_px = pixels.shape[:2]
    left, right = min(box.x_px for box in boxes), max(box.x_px + box.width_px for box in boxes)
    top, bottom = min(box.y_px for box in boxes), max(box.y_px + box.height_px for box in boxes)
    left, right = (min(max(x, 0.0), width_px) for x in (left, right))
    top, bottom = (min(max(y, 0.0), height_px) for y in (top, bottom))
    # The colour of the line that shows most: others may be links or hang out of the picture.
    first = max(boxes, key=lambda box: box.width_px * box.height_px)
    y, x = max(0, int(first.y_px)), max(0, int(first.x_px))
    region = pixels[y : int(first.y_px + first.height_px) + 1, x : int(first.x_px + first.width_px) + 1]
    if right - left < 1 or bottom - top < 1 or not region.size:
        return None
    red, green, blue = (float(channel) for channel in text_colors(region).ink)
    text = " ".join(" ".join(box.text for box in boxes).split())[:MAX_BLOCK_CHARS]
    share = ((right - left) / width_px, (bottom - top) / height_px)
    return Block(text, left / width_px, top / height_px, *share, (red, green, blue))


def design2code(prediction: Sequence[Block], reference: Sequence[Block]) -> Design2Code:
    """The four parts of the blocks; all 0 where one side has none, or none are matched."""
    if not prediction or not reference:
        return Design2Code(0.0, 0.0, 0.0, 0.0)
    ours, theirs, alike = _merged(_same_place(prediction), _same_place(reference))
    pairs = [(i, j) for i, j in _matching(_with_context(alike)) if alike[i, j] >= LEAST_SIMILARITY]
    if not pairs:
        return Design2Code(0.0, 0.0, 0.0, 0.0)
    matched_area = sum(ours[i].area + theirs[j].area for i, j in pairs)
    total_area = sum(block.area for block in (*ours, *theirs))
    return Design2Code(
        size=matched_area / total_area,
        text=float(np.mean([alike[i, j] for i, j in pairs])),
        position=float(np.mean([1.0 - _distance(ours[i], theirs[j]) for i, j in pairs])),
        color=float(np.mean([_color_similarity(ours[i], theirs[j]) for i, j in pairs])),
    )


def design2code_of_pair(pair: tuple[Sequence[Block], Sequence[Block]]) -> Design2Code:
    """`design2code` for `Workers.map`."""
    return design2code(*pair)


def without_text(rendered: Rendered, blocks: Sequence[Block]) -> Image.Image:
    """The picture as CLIP is shown it: text painted over with what is around it, squared by the shorter side."""
    import cv2

    with Image.open(BytesIO(rendered.png)) as picture:
        pixels: Any = np.asarray(picture.convert("RGB"))
    height_px, width_px = pixels.shape[:2]
    mask = np.zeros((height_px, width_px), dtype=np.uint8)
    for block in blocks:
        x, y = int(block.x * width_px), int(block.y * height_px)
        mask[y : y + int(block.height * height_px), x : x + int(block.width * width_px)] = 255
    painted = cv2.inpaint(pixels, mask, 3, cv2.INPAINT_TELEA) if blocks else pixels
    side_px = min(width_px, height_px)
    return Image.fromarray(painted).resize((side_px, side_px), Image.Resampling.LANCZOS)


def _same_place(blocks: Sequence[Block]) -> list[Block]:
    """Blocks of the same box as one."""
    by_box: dict[tuple[float, ...], Block] = {}
    for block in blocks:
        box = (block.x, block.y, block.width, block.height)
        if (there := by_box.get(box)) is None:
            by_box[box] = block
        else:
            red, green, blue = ((one + other) / 2 for one, other in zip(there.color, block.color, strict=True))
            by_box[box] = replace(there, text=f"{there.text} {block.text}", color=(red, green, blue))
    return list(by_box.values())


def _merged(ours: list[Block], theirs: list[Block]) -> tuple[list[Block], list[Block], Floats]:
    """Both sides after merging neighbours as long as that makes matches more alike; and the texts' similarities."""
    alike = np.array([[_text_similarity(one, other) for other in theirs] for one in ours])
    while max(len(ours), len(theirs)) <= MAX_MERGED_BLOCKS:
        ours, alike, changed = _merge_once(ours, theirs, alike)
        theirs, turned, other_changed = _merge_once(theirs, ours, alike.T)
        alike = turned.T
        if not changed and not other_changed:
            break
    return ours, theirs, alike


def _merge_once(blocks: list[Block], others: list[Block], alike: Floats) -> tuple[list[Block], Floats, bool]:
    """Merge each pair of neighbours in `blocks` (the rows of `alike`) that gains, the one that gains most first."""
    now = _values(alike)
    gains = []
    for i in range(len(blocks) - 1):
        both = _together(blocks[i], blocks[i + 1])
        row = np.array([[_text_similarity(both, other) for other in others]])
        gain = _difference_of_means(now, _values(np.concatenate([alike[:i], row, alike[i + 2 :]])))
        if gain > MERGE_GAIN:
            gains.append((-gain, i, both, row))
    gains.sort(key=lambda one: one[0])
    taken: dict[int, tuple[Block, Floats]] = {}
    gone: set[int] = set()
    for _, i, both, row in gains:
        if {i, i + 1}.isdisjoint(taken.keys() | gone):
            taken[i] = (both, row)
            gone.add(i + 1)
    if not taken:
        return blocks, alike, False
    kept = [i for i in range(len(blocks)) if i not in gone]
    rows = [taken[i][1][0] if i in taken else alike[i] for i in kept]
    return [taken[i][0] if i in taken else blocks[i] for i in kept], np.array(rows), True


def _values(alike: Floats) -> list[float]:
    """Costs of the best matching, as the published code compares them: negative similarities."""
    return [-float(alike[i, j]) for i, j in _matching(-alike)]


def _difference_of_means(before: list[float], after: list[float]) -> float:
    """How much better the matches that changed have become on average; 0 where the best of them has not."""
    left = list(after)
    only_before = []
    for value in before:
        if value in left:
            left.remove(value)
        else:
            only_before.append(value)
    mean_before = sum(only_before) / len(only_before) if only_before else 0.0
    mean_after = sum(left) / len(left) if left else 0.0
    gain = mean_before - mean_after
    if gain > 0 and only_before and left and min(only_before) <= min(left):
        return 0.0
    return gain


def _matching(costs: Floats) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy; no types

    rows, columns = linear_sum_assignment(costs)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def _with_context(alike: Floats) -> Floats:
    """Costs in which a match is better where the matches beside it are good: 0.1 of the two best neighbours'."""
    costs = -alike
    adjusted = costs.copy()
    for i, j in np.argwhere(costs < -LEAST_SIMILARITY):
        near = np.sort(costs[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].ravel())
        near = np.delete(near, int(np.searchsorted(near, costs[i, j])))
        adjusted[i, j] += CONSECUTIVE_BONUS * near[:2].sum()
    return np.asarray(adjusted)


def _together(first: Block, second: Block) -> Block:
    left, top = min(first.x, second.x), min(first.y, second.y)
    right = max(first.x + first.width, second.x + second.width)
    bottom = max(first.y + first.height, second.y + second.height)
    red, green, blue = ((one + other) // 2 for one, other in zip(first.color, second.color, strict=True))
    text = f"{first.text} {second.text}"[: 2 * MAX_BLOCK_CHARS]
    return Block(text, left, top, right - left, bottom - top, (red, green, blue))


def _text_similarity(first: Block, second: Block) -> float:
    """The ratio of difflib, with its autojunk, as the published code takes it."""
    return ratio(first.text, second.text, autojunk=True) or 0.0


def _distance(first: Block, second: Block) -> float:
    """Between the middles, the longer of the two ways, in shares of the picture."""
    across = abs(first.x + first.width / 2 - second.x - second.width / 2)
    down = abs(first.y + first.height / 2 - second.y - second.height / 2)
    return max(across, down)


def _color_similarity(first: Block, second: Block) -> float:
    difference = float(ciede2000(to_lab(first.color), to_lab(second.color)))
    return max(0.0, 1.0 - difference / MAX_COLOR_DIFFERENCE)
