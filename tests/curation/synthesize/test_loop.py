"""Rounds until the targets are met; what cannot be reached says why; a run that goes on makes nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from curation.prompts.prompt import Prompt
from curation.reasons import Reason, Reject
from curation.synthesize.candidate import Ask, Draft
from curation.synthesize.likeness import Reference
from curation.synthesize.loop import Counted, synthesize, targets_of
from curation.synthesize.rounds import read_round, round_path

PROMPTS = [
    Prompt(f"A table, number {n}, with {name}.", "table_to_html", (name,), (0,))
    for name in ("tag:sup", "tag:sub")
    for n in range(3)
]


class Scripted:
    """Gives a table with the class, or what `say` says for an ask."""

    n_attempts = 2
    spent = ""

    def __init__(self, faults: dict[str, Reject] | None = None) -> None:
        self.faults = faults or {}
        self.asked: list[Ask] = []

    def drafts(self, asks: Sequence[Ask]) -> list[Draft | Reject]:
        self.asked += asks
        return [self.faults.get(ask.prompt.classes[0]) or self._table(ask) for ask in asks]

    def _table(self, ask: Ask) -> Draft:
        tag = ask.prompt.classes[0].removeprefix("tag:")
        return Draft(f"<table><tr><td>{ask.key}<{tag}>1</{tag}></td></tr></table>", {"generator": "test"})


def kept_of(folder: Path, lost: int = 0, most: str = "round-001") -> Counted:
    """What was made, as if the first `lost` samples of each of two rounds were left out by a gate."""
    kept: Counter[str] = Counter()
    left_out: dict[str, Counter[str]] = {}
    for path in sorted(folder.rglob("round-*.jsonl")):
        rows = [row for row in read_round(path) if "text" in row]
        lost = 0 if path.stem > most else lost
        for row in rows[:lost]:
            left_out.setdefault(row["classes"][0], Counter())["too_many_tokens"] += 1
        for row in rows[lost:]:
            kept.update(row["classes"])
    return Counted({"table_to_html": kept}, left_out)


TARGETS = targets_of(PROMPTS, 1)


def test_one_round_is_enough_where_all_is_kept(tmp_path: Path) -> None:
    backend = Scripted()
    result = synthesize(PROMPTS, backend, Reference({}), tmp_path, lambda: kept_of(tmp_path), TARGETS)
    assert (result.n_rounds, result.n_asked, result.n_accepted, result.unreached) == (1, 6, 6, ())
    assert [(one.name, one.target, one.kept) for one in result.reached] == [("tag:sub", 3, 3), ("tag:sup", 3, 3)]


def test_what_the_gates_leave_out_is_made_again(tmp_path: Path) -> None:
    result = synthesize(PROMPTS, Scripted(), Reference({}), tmp_path, lambda: kept_of(tmp_path, 1), TARGETS)
    assert result.unreached == ()
    assert result.n_rounds > 1
    numbers = [(row["prompt_id"], row["number"]) for p in tmp_path.rglob("*.jsonl") for row in read_round(p)]
    assert len(numbers) == len(set(numbers))


def test_a_class_that_the_backend_cannot_make_is_named_and_not_asked_for_for_ever(tmp_path: Path) -> None:
    backend = Scripted({"tag:sub": Reject(Reason.LATEX_INVALID, "no")})
    result = synthesize(PROMPTS, backend, Reference({}), tmp_path, lambda: kept_of(tmp_path), TARGETS)
    (missed,) = result.unreached
    assert (missed.name, missed.kept) == ("tag:sub", 0)
    assert missed.why == "the generator cannot make it: drafts were latex_invalid 6"
    assert result.n_rounds == 1
    rows = read_round(round_path(tmp_path, "table_to_html", 0))
    assert [row["reject"] for row in rows if "reject" in row] == ["latex_invalid"] * 3


def test_what_no_gate_lets_through_says_how_often_it_was_tried(tmp_path: Path) -> None:
    result = synthesize(
        PROMPTS, Scripted(), Reference({}), tmp_path, lambda: kept_of(tmp_path, 99), TARGETS, most_rounds=2
    )
    assert [one.why for one in result.unreached] == ["after 2 rounds; samples were left out: too_many_tokens 6"] * 2


def test_a_run_that_goes_on_finds_its_rounds(tmp_path: Path) -> None:
    first = Scripted()
    made = synthesize(PROMPTS, first, Reference({}), tmp_path, lambda: kept_of(tmp_path, 1), TARGETS)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    again = Scripted()
    found = synthesize(PROMPTS, again, Reference({}), tmp_path, lambda: kept_of(tmp_path, 1), TARGETS)
    assert again.asked == []
    assert found == made
    # Killed in its second round: the first is kept, the others come out the same.
    for path in [*sorted(before)[1:], *sorted(tmp_path.glob("asks-*.json"))[2:]]:
        path.unlink()
    synthesize(PROMPTS, Scripted(), Reference({}), tmp_path, lambda: kept_of(tmp_path, 1), TARGETS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == before


def test_a_spent_budget_ends_it_and_is_the_reason(tmp_path: Path) -> None:
    backend = Scripted()
    backend.spent = "the budget of 5 is spent"
    result = synthesize(PROMPTS, backend, Reference({}), tmp_path, lambda: kept_of(tmp_path), TARGETS)
    assert backend.asked == []
    assert {one.why for one in result.unreached} == {"the budget of 5 is spent"}


def test_no_sample_is_made_twice(tmp_path: Path) -> None:
    class Same(Scripted):
        def _table(self, ask: Ask) -> Draft:
            return Draft("<table><tr><td>x<sup>1</sup><sub>2</sub></td></tr></table>")

    result = synthesize(PROMPTS, Same(), Reference({}), tmp_path, lambda: kept_of(tmp_path), TARGETS, most_rounds=2)
    assert result.n_accepted == 1
    assert result.tried["duplicate_exact"] >= 8
