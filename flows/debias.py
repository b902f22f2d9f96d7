"""`markupmill debias`: captions rewritten so that they say nothing protected of people, with a review in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Final, Literal

from curation.bert_model import PACKAGED
from curation.bias.vocabulary import CATEGORIES, vocabulary_digest
from curation.chat_endpoint import Endpoint
from curation.debias.caption_files import Caption
from curation.debias.cost import BeforeAfter, bert_scores, bias_rates, terms_in
from curation.debias.data_sets import names_of, open_captions, write_set
from curation.debias.endpoint import Rewritten, rewrite_all
from curation.debias.lexicon import lexicon_digest
from curation.debias.review import Change, read_review, write_review
from curation.debias.rules import RULES_VERSION, rewrite
from curation.errors import BadInputError, ModelError

REVIEWED: Final = "review"
DECIMALS: Final = 4


@dataclass(frozen=True)
class DebiasOptions:
    """The options of `markupmill debias`, as they were given."""

    source: str
    out: str | None = None
    column: str = ""
    rewriter: Literal["rules", "llm"] = "rules"
    review: str | None = None
    apply: str | None = None
    bertscore: bool = True
    bert_model: str = PACKAGED
    device: str = "auto"


@dataclass(frozen=True)
class Debiased:
    """What was done. `lines` tell it on a terminal; `facts` is what stands in `debias.json`."""

    changes: tuple[Change, ...]
    facts: dict[str, Any]
    lines: tuple[str, ...]


def run_debias(options: DebiasOptions) -> Debiased:
    """Rewrite captions, or apply a review of rewritten ones; write the data, the review, or both.

    Raises:
        BadInputError: the input, the review, an option or the endpoint cannot be used.
        StoreError: the output cannot be written.
    """
    if options.out is None and options.review is None:
        raise BadInputError("nothing to write", "Give -o OUT for the data, --review FILE for the changes, or both")
    if options.apply is not None and (options.review is not None or options.out is None):
        raise BadInputError("--apply reads a review and writes the data", "Give it with -o OUT, without --review")
    captions = open_captions(options.source, options.column)
    every = captions.captions()
    if options.apply is not None:
        made_by, changes = f"{REVIEWED} of {options.apply}", _reviewed(every, options.apply)
    else:
        made_by, changes = _made(every, options)
    scored, why = _scored(changes, options)
    facts, rates = _facts(every, scored, made_by)
    if options.review is not None:
        write_review(scored, options.review)
    if options.out is not None:
        write_set(captions, {one.id: one.caption for one in scored}, options.out, facts)
    lines = [*_told(facts, rates), *([f"BERTScore not measured: {why}"] if why else [])]
    places = [place for place in (options.review, options.out) if place is not None]
    return Debiased(tuple(scored), facts, (*lines, f"Wrote {' and '.join(places)}"))


def _made(every: Sequence[Caption], options: DebiasOptions) -> tuple[str, list[Change]]:
    """Who rewrites, and the captions that came out different."""
    texts = [one.text for one in every]
    if options.rewriter == "llm":
        endpoint = Endpoint.from_environment()
        made_by, made = endpoint.model, rewrite_all(texts, endpoint)
    else:
        made_by, made = f"rules {RULES_VERSION}", [Rewritten(rewrite(text), "rules") for text in texts]
    return made_by, [
        Change(one.id, one.text, new.caption, made_by=new.made_by, note=new.note)
        for one, new in zip(every, made, strict=True)
        if new.caption != one.text or new.note
    ]


def _reviewed(every: Sequence[Caption], path: str) -> list[Change]:
    was = names_of(every)
    accepted = read_review(path, was)
    return [Change(which, was[which], caption, made_by=REVIEWED) for which, caption in accepted.items()]


def _scored(changes: Sequence[Change], options: DebiasOptions) -> tuple[list[Change], str]:
    """The changes with their terms and BERTScores, and why there are none of the latter."""
    scores: list[float | None] = [None] * len(changes)
    why = "" if options.bertscore else "not asked for"
    if options.bertscore and changes:
        try:
            scores = bert_scores([(one.original, one.caption) for one in changes], options.bert_model, options.device)
        except ModelError as error:
            why = str(error)
    return [
        Change(
            one.id, one.original, one.caption, terms_in(one.original), terms_in(one.caption),
            None if score is None else round(score, DECIMALS), one.made_by, one.note,
        )
        for one, score in zip(changes, scores, strict=True)
    ], why  # fmt: skip


def _facts(every: Sequence[Caption], changes: Sequence[Change], made_by: str) -> tuple[dict[str, Any], BeforeAfter]:
    by_id = {one.id: one for one in changes}
    before = [by_id[one.id].terms if one.id in by_id else terms_in(one.text) for one in every]
    after = [by_id[one.id].terms_left if one.id in by_id else terms for one, terms in zip(every, before, strict=True)]
    rates = bias_rates(before, after)
    scores = [one.bertscore_f1 for one in changes if one.bertscore_f1 is not None]
    facts = {
        "rewriter": made_by,
        "words_sha256": lexicon_digest(),
        "bias_vocabulary_sha256": vocabulary_digest(),
        "n_captions": len(every),
        "n_changed": sum(one.caption != one.original for one in changes),
        "n_made_by_rule_instead": sum(bool(one.note) for one in changes),
        "bias_before": {name: rate.n_hits for name, rate in rates.before.items()},
        "bias_after": {name: rate.n_hits for name, rate in rates.after.items()},
        "bertscore_f1_of_changed": round(mean(scores), DECIMALS) if scores else None,
    }
    return facts, rates


def _told(facts: dict[str, Any], rates: BeforeAfter) -> list[str]:
    lines = [f"{facts['n_changed']} of {facts['n_captions']} captions changed ({facts['rewriter']})"]
    if facts["n_made_by_rule_instead"]:
        lines.append(f"{facts['n_made_by_rule_instead']} answers of the model could not be used and were made by rule")
    for name in CATEGORIES:
        was, now = rates.before[name], rates.after[name]
        if was.n_hits or now.n_hits:
            lines.append(f"  {name:<18} {_percent(was.share)} of captions, now {_percent(now.share)} ({now.n_hits})")
    if facts["bertscore_f1_of_changed"] is not None:
        lines.append(f"BERTScore F1 of the changed, mean: {facts['bertscore_f1_of_changed']:.3f}")
    return lines


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
