"""Pictures that the source has: checked, and passed through byte for byte; or cropped to the formula's ink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from curation.reasons import Reason, Reject
from curation.sample import IMAGE_TYPE, SAMPLE_SCHEMA, sha256_hex
from curation.stage import Batch, Outcome, Worker
from rendering.integrity import check_file
from rendering.pixels import MAX_PIXELS, ImageFault, crop_to_ink, encode_png

IMAGE_FIELDS: Final = ("image_origin", "width_px", "height_px", "image_sha256")

REASON_OF_FAULT: Final = {
    "missing": Reason.IMAGE_MISSING,
    "unreadable": Reason.IMAGE_UNREADABLE,
    "truncated": Reason.IMAGE_TRUNCATED,
    "too_large": Reason.IMAGE_TOO_LARGE,
}


@dataclass(frozen=True)
class CheckImage:
    """Rejects pictures that are missing, broken or beyond `max_pixels`; decodes no PNG."""

    name: ClassVar[str] = "image"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([SAMPLE_SCHEMA.field(name) for name in IMAGE_FIELDS])
    max_pixels: int = MAX_PIXELS

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load."""
        yield self._check

    def _check(self, batch: Batch) -> Outcome:
        files = [(image or {}).get("bytes") for image in batch.table.column("image").to_pylist()]
        sizes = [check_file(data, self.max_pixels) for data in files]
        columns = image_columns("source", files, sizes)
        if "image_origin" in batch.table.column_names:  # the source may say that its pictures are synthetic
            columns["image_origin"] = pc.coalesce(batch.table.column("image_origin"), "source").combine_chunks()
        return Outcome(
            columns,
            [reject_of_fault(size) if isinstance(size, ImageFault) else None for size in sizes],
        )


@dataclass(frozen=True)
class CropToInk:
    """Crops a scanned or typeset page to the ink on it (im2markup's A4 pages hold one formula)."""

    name: ClassVar[str] = "crop_to_ink"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([SAMPLE_SCHEMA.field("image")])
    padding_px: int = 8

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing to load."""
        yield self._crop

    def _crop(self, batch: Batch) -> Outcome:
        rejects: list[Reject | None] = []
        cropped: list[dict[str, Any] | None] = []
        for image, picture in zip(batch.table.column("image").to_pylist(), batch.images, strict=True):
            if isinstance(picture, ImageFault):
                rejects.append(reject_of_fault(picture))
                cropped.append(image)
                continue
            crop = crop_to_ink(picture, self.padding_px)
            rejects.append(None if crop else Reject(Reason.IMAGE_BLANK, "no ink on the page"))
            cropped.append({"bytes": encode_png(crop), "path": image["path"]} if crop else image)
        return Outcome({"image": pa.array(cropped, IMAGE_TYPE)}, rejects)


def reject_of_fault(fault: ImageFault) -> Reject:
    """The reject of a picture that could not be read."""
    return Reject(REASON_OF_FAULT[fault.kind], fault.detail)


def image_columns(origin: str, files: list[bytes | None], sizes: list[Any]) -> dict[str, pa.Array]:
    """`IMAGE_FIELDS` of pictures given as bytes and (width, height); null where either is not there."""
    known = [size if isinstance(size, tuple) else (None, None) for size in sizes]
    return {
        "image_origin": pa.array([origin] * len(files), pa.string()),
        "width_px": pa.array([width for width, _ in known], pa.int32()),
        "height_px": pa.array([height for _, height in known], pa.int32()),
        "image_sha256": pa.array([sha256_hex(data) if data else None for data in files], pa.string()),
    }
