"""Which rows to leave out so that a data set is balanced: quotas, and sizes by temperature, per source, task or class.

Rows are looked at in an order given with them (a hash, so that it hangs on nothing else), never repeated. What is left
out of one rule is not seen by the next. The numbers behind a report are `curation.balance`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from curation.errors import BadInputError

Dimension = Literal["source", "task", "class"]

_RULE: Final = re.compile(
    r"(?P<of>source|task|class)(?::(?P<value>.+?))?(?:=(?P<quota>[0-9]+)|\^(?P<exponent>[01](?:\.[0-9]+)?))"
)


@dataclass(frozen=True)
class BalanceRule:
    """At most `quota` rows of each value (or of `value` alone), or sizes in proportion to count ** `exponent`.

    With an exponent of 1 nothing changes, with 0 all are made as small as the smallest; between them is what
    multilingual models are trained with (Conneau et al., XLM-R, 2020: 0.3). No value gets more rows than it has.
    Of classes, a row is left out where all its classes have their quota; rows without a class stay. With an exponent
    the quota of a class is its count ** exponent, scaled so that the rarest keeps all it has.
    """

    of: Dimension
    value: str = ""
    quota: int | None = None
    exponent: float | None = None

    @classmethod
    def parsed(cls, text: str) -> BalanceRule:
        """Of `source=5000`, `source:coco=2000`, `class:object:dog=300`, `task^0.5`. Raises `BadInputError`."""
        found = _RULE.fullmatch(text.strip())
        exponent = float(found["exponent"]) if found and found["exponent"] else None
        if found is None or (exponent is not None and (exponent > 1 or found["value"])):
            mend = "Write source=5000, task:page_to_html=2000, class=300, or source^0.5 with an exponent of 0 to 1"
            raise BadInputError(f"there is no way to balance by {text!r}", mend)
        quota = int(found["quota"]) if found["quota"] else None
        return cls(found["of"], found["value"] or "", quota, exponent)  # type: ignore[arg-type]  # the pattern has three

    def __str__(self) -> str:
        value = f":{self.value}" if self.value else ""
        return f"{self.of}{value}={self.quota}" if self.quota is not None else f"{self.of}{value}^{self.exponent:g}"


def over_quota(
    rule: BalanceRule, values: Sequence[Sequence[str]], order: NDArray[np.uint64]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows a rule leaves out, and what it allows each value, told in one line.

    `values` are each row's: one source or task, or its classes.
    """
    counts = Counter(value for row in values for value in row)
    quotas = _quotas(rule, counts)
    taken: Counter[str] = Counter()
    out = np.zeros(len(values), np.bool_)
    # The rows that are rarest come first, so that a quota is filled with rows that bring rare classes, too.
    rarest = [min((counts[value] for value in row), default=0) for row in values]
    for row in np.lexsort((order, np.array(rarest, np.int64))) if rule.of == "class" else np.argsort(order):
        mine = [value for value in values[row] if value in quotas]
        free = any(value not in quotas for value in values[row])
        if mine and not free and all(taken[value] >= quotas[value] for value in mine):
            out[row] = True
        else:
            taken.update(values[row])
    told = [f"{value}: {min(counts[value], quotas[value])} of {counts[value]}" for value in sorted(quotas)]
    return out, told


def _quotas(rule: BalanceRule, counts: Counter[str]) -> dict[str, int]:
    chosen = {value: n for value, n in counts.items() if not rule.value or value == rule.value}
    if rule.quota is not None:
        return dict.fromkeys(chosen, rule.quota)
    assert rule.exponent is not None
    if not chosen:
        return {}
    # Of all scales at which no value needs more rows than it has, the largest: the smallest keeps everything.
    scale = min(n ** (1.0 - rule.exponent) for n in chosen.values())
    return {value: max(1, round(scale * n**rule.exponent)) for value, n in chosen.items()}
