"""Sample weights of a run, from the `reweighting_probs.csv` that a report writes.

That file has the columns of distilvit's: `idx`, the number of a row in the report, `reweight_raw` and `reweight_norm`.
Which row that is stands beside it, in `per_example_scores.csv`. A file of one's own may have `id` in place of `idx`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from curation.report.files import PER_EXAMPLE
from rendering.errors import BadInputError
from training.config import DataConfig
from training.order import Order, Weights
from training.rows import Rows

_AGAIN: Final = "Make the report of this release again: markupmill report {}"


def order_of(rows: Rows, data: DataConfig) -> Order:
    """The order in which a run visits its training rows, by `data.seed` and `data.weights`."""
    weights = read_weights(Path(data.weights).expanduser(), rows) if data.weights else None
    return Order(rows.group_sizes, data.seed, weights, rows.window_groups)


def read_weights(path: Path, rows: Rows) -> Weights:
    """The weight of every row; their sum is 1. Rows of the report that are not among `rows` do not count.

    Raises `BadInputError` where the file cannot be read, has no weight for some of the rows, or none that is over 0.
    """
    weights = _column(path, "reweight_norm", pa.float64())
    ids = _ids(path)
    if len(ids) != len(weights):
        raise BadInputError(f"{path} has {len(weights)} rows and the report has {len(ids)}", _AGAIN.format(rows.name))
    place = pc.index_in(rows.ids(), value_set=ids)
    if place.null_count:
        problem = f"{place.null_count} of {len(rows)} training rows have no weight in {path}"
        raise BadInputError(problem, _AGAIN.format(rows.name))
    found: npt.NDArray[np.float64] = weights.to_numpy()[place.to_numpy()]
    if not np.isfinite(found).all() or found.min() < 0 or found.sum() <= 0:
        raise BadInputError(f"{path} has weights that are no probabilities", _AGAIN.format(rows.name))
    return np.asarray(found / found.sum(), np.float64)


def _ids(path: Path) -> pa.Array:
    """Ids in the order of the weights."""
    if "id" in _header(path):
        return _column(path, "id", pa.string())
    report = path.with_name(PER_EXAMPLE)
    if not report.is_file():
        raise BadInputError(
            f"{path} numbers rows, and {PER_EXAMPLE} is not beside it", f"Put the report's {PER_EXAMPLE} there"
        )
    numbers, ids = _column(report, "idx", pa.int64()), _column(report, "id", pa.string())
    return ids.take(pc.index_in(_column(path, "idx", pa.int64()), value_set=numbers))


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().strip().split(",")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"the weights {path} cannot be read ({type(error).__name__})"
        raise BadInputError(problem, "Set data.weights to a report's reweighting_probs.csv") from error


def _column(path: Path, name: str, type_: pa.DataType) -> pa.Array:
    """One column of a CSV file; the others are not held."""
    if name not in _header(path):
        raise BadInputError(f"{path} has no column {name}", "Set data.weights to a report's reweighting_probs.csv")
    options = csv.ConvertOptions(include_columns=[name], column_types={name: type_}, strings_can_be_null=False)
    try:
        with csv.open_csv(
            path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options
        ) as reader:
            parts = [batch.column(0) for batch in reader]
    except (OSError, pa.ArrowException) as error:
        problem = f"{path} cannot be read ({str(error).splitlines()[0][:160]})"
        raise BadInputError(problem, "Set data.weights to a report's reweighting_probs.csv") from error
    return pa.concat_arrays(parts) if parts else pa.array([], type_)
