"""`hashes`: what near duplicates are found by: pHash of the picture, MinHash of what is said and of how it is built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.near_pairs import SIGNATURE_BYTES
from curation.shingles import shingles, skeleton_tokens, text_tokens
from curation.stage import Batch, Outcome, Worker
from rendering.pixels import DecodedImage, ImageFault

BLANK_BELOW: Final = 1.0
"""Standard deviation, in levels of 255, of the 32 x 32 px that pHash looks at, under which they say nothing.

A white page of 1280 x 720 px has 0, an empty scan (noise of 8 levels, JPEG) 0.2, one word of 16 px on white 0.9, a
heading of one word 3.7; the least of 150 WebSight pages has 4.7.
"""

_SIDE_PX: Final = 32
_SEED: Final = 1
_SHINGLES_AT_ONCE: Final = 4_096
_FIBONACCI: Final = np.uint32(2_654_435_769)  # 2^32 / golden ratio (Knuth, The Art of Computer Programming, 6.4)

Sign = Callable[[Collection[str]], bytes]


@dataclass(frozen=True)
class Hashes:
    """Hashes of `image` and of `text` (of `messages` for chats).

    Adds `phash` (uint64: imagehash's 8 x 8 pHash of the RGB picture, row by row, the first bit highest; null where the
    picture does not decode or is blank), `minhash` (binary, 256 bytes: MinHash over the shingles of the visible
    words of a page, table, caption or chat and of the tokens of a formula; null where there are none) and
    `skeleton_minhash` (the same over tags and depths of a tree, or commands and signs of a formula; null for captions
    and chats).

    A signature holds one byte of each of 256 minima of datasketch's `affine32` scheme: b-bit MinHash (Li and König,
    2010). Two of them agree in a slot with probability J + (1 - J) / 256, J being the Jaccard index
    (`curation.near_pairs.estimated_jaccard`).
    """

    name: ClassVar[str] = "hashes"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [("phash", pa.uint64()), ("minhash", pa.binary()), ("skeleton_minhash", pa.binary())]
    )

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Load the libraries and draw the permutations."""
        sign, phash = _signer(), _picture_hasher()
        yield lambda batch: _measure(batch, sign, phash)


def _measure(batch: Batch, sign: Sign, phash: Callable[[DecodedImage], int | None]) -> Outcome:
    table = batch.table
    tasks, texts = table.column("task").to_pylist(), table.column("text").to_pylist()
    has_messages = "messages" in table.column_names
    messages = table.column("messages").to_pylist() if has_messages else [None] * len(tasks)
    said = [shingles(text_tokens(*row)) for row in zip(tasks, texts, messages, strict=True)]
    built = [shingles(skeleton_tokens(*row)) for row in zip(tasks, texts, strict=True)]
    columns: dict[str, list[Any]] = {
        "phash": [phash(image) for image in batch.images],
        "minhash": [sign(one) if one else None for one in said],
        "skeleton_minhash": [sign(one) if one else None for one in built],
    }
    return Outcome(
        {name: pa.array(values, Hashes.adds.field(name).type) for name, values in columns.items()},
        [None] * table.num_rows,
    )


def _signer() -> Sign:
    from datasketch import MinHash  # it imports half of scipy

    empty = MinHash(num_perm=SIGNATURE_BYTES, seed=_SEED, scheme="affine32")

    def sign(tokens: Collection[str]) -> bytes:
        minhash = empty.copy()
        left = iter(tokens)
        while some := [token.encode("utf-8", "surrogatepass") for token in islice(left, _SHINGLES_AT_ONCE)]:
            minhash.update_batch(some)
        # Of a minimum the high bits are mostly zero and its low byte hangs on the low bytes of hashes alone.
        mixed = minhash.digest().astype(np.uint32) * _FIBONACCI
        return bytes((mixed >> np.uint32(24)).astype(np.uint8))

    return sign


def _picture_hasher() -> Callable[[DecodedImage], int | None]:
    import imagehash

    def phash(picture: DecodedImage) -> int | None:
        if isinstance(picture, ImageFault):
            return None
        # What `imagehash.phash` begins with; done here, its own resizing finds nothing left to do.
        small = picture.convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
        if float(np.asarray(small, np.float64).std()) < BLANK_BELOW:
            return None
        return int.from_bytes(np.packbits(imagehash.phash(small).hash).tobytes(), "big")

    return phash
