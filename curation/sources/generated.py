"""Generated pages, tables and formulas: the embedded source, which needs no network and has any number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final, Literal

import pyarrow as pa

from curation.generate import GENERATOR_VERSION
from curation.generate.choose import from_quantiles
from curation.generate.formulas import FormulaOptions, generate_formula
from curation.generate.pages import PageOptions, generate_page
from curation.generate.table_plan import TableOptions
from curation.generate.tables import generate_table
from curation.sample import sha256_hex
from curation.sources.rows import RawRow, raw_table
from curation.sources.source import Piece

GeneratedTask = Literal["page_to_html", "table_to_html", "formula_to_latex"]

LONG_TAIL_BYTES: Final = (
    (0.0, 500), (0.05, 1_000), (0.25, 2_300), (0.5, 4_000), (0.75, 8_000), (0.9, 18_000), (0.95, 28_000),
    (0.99, 60_000), (0.998, 90_000), (1.0, 120_000),
)  # fmt: skip
"""(Share, length in bytes) of the pages asked for with `long_tail`: near log-normal, median 4 kB, mean 9 kB, as
pages of the web have after their scripts are gone."""


@dataclass(frozen=True)
class Generated:
    """`n_rows` rows for one task. A row depends on `task`, `seed`, `long_tail` and its number, and on nothing else.

    `long_tail` spreads the lengths of pages from 0.5 to 120 kB, as crawled pages have them.
    """

    name: ClassVar[str] = "generated"
    version: ClassVar[int] = GENERATOR_VERSION
    license: ClassVar[str] = "Apache-2.0"

    task: GeneratedTask = "page_to_html"
    n_rows: int = 1_000
    seed: int = 0
    long_tail: bool = False

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Ranges of rows. Their content hash leaves `n_rows` out, so that a larger set keeps the ids of its rows."""
        for first_row in range(0, self.n_rows, rows_per_shard):
            n_rows = min(rows_per_shard, self.n_rows - first_row)
            yield Piece(f"generated:{self.task}", self._identity(), f"v{self.version}", (), first_row, n_rows)

    def read_texts(self, piece: Piece) -> pa.Table:
        """The piece's rows as `RAW_SCHEMA`, generated now."""
        identity = self._identity()
        rows = [self._row(identity, row) for row in range(piece.first_row, piece.first_row + piece.n_rows)]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> None:  # noqa: ARG002 - the protocol's signature
        """There are none: they are rendered."""
        return

    def _identity(self) -> str:
        """SHA-256 of all that the rows depend on."""
        return sha256_hex(f"markupmill generated {self.version} {self.task} {self.seed} {self.long_tail}")

    def _row(self, identity: str, row: int) -> RawRow:
        rng = Random(int(sha256_hex(f"{identity} {row}"), 16))  # noqa: S311 - it has to give the same rows again
        key = f"{self.task}-{self.seed}-{row}"
        if self.task == "table_to_html":
            return RawRow(row, key, generate_table(rng, TableOptions()))
        if self.task == "formula_to_latex":
            return RawRow(row, key, generate_formula(rng, FormulaOptions()))
        n_bytes = int(from_quantiles(rng, LONG_TAIL_BYTES)) if self.long_tail else 0
        page = generate_page(rng, PageOptions(n_bytes=n_bytes))
        return RawRow(row, key, page.html, page.idea)
