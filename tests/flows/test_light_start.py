"""What a short command does not import."""

from __future__ import annotations

import subprocess
import sys

_MERGE = """
import sys
from flows.light_start import light_start
with light_start():
    import flows.merge
heavy = ("pandas", "scipy", "rapidfuzz", "curation.pipeline", "curation.classes", "curation.report.gate", "datasets")
print(sorted(set(heavy) & set(sys.modules)))
import pyarrow as pa
print(pa.table({"n": [1, 2]}).to_pandas()["n"].sum())
"""


def test_a_merge_imports_no_measure_and_pandas_is_there_for_who_asks() -> None:
    done = subprocess.run([sys.executable, "-c", _MERGE], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n")[:2] == ["[]", "3"]
