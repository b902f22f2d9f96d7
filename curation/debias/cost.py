"""What a rewriting did to a set of captions: how many say what, before and after, and what it cost in BERTScore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.bert_model import BertModel, find_encoder
from curation.bias.matching import find_mentions
from curation.bias.rates import Rate, hit_rate
from curation.bias.vocabulary import CATEGORIES


@dataclass(frozen=True)
class BeforeAfter:
    """Rates of captions with a mention of a category, by category."""

    before: dict[str, Rate]
    after: dict[str, Rate]


def terms_in(caption: str) -> tuple[str, ...]:
    """What the `bias` measure finds in a caption, as it names it: `gender:woman`; sorted, each once."""
    return tuple(sorted({f"{mention.category}:{mention.term}" for mention in find_mentions(caption)}))


def bias_rates(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> BeforeAfter:
    """Rates from the terms of each caption, before and after."""
    return BeforeAfter(_rates(before), _rates(after))


def bert_scores(pairs: Sequence[tuple[str, str]], model: str, device: str = "auto") -> list[float | None]:
    """BERTScore F1 of (original, caption) pairs, each different pair once. Raises `ModelError` without the model."""
    different = list(dict.fromkeys(pairs))
    if not different:
        return []
    scores = BertModel(find_encoder(model), None, device).score(different)
    known = {pair: None if score is None else score.f1 for pair, score in zip(different, scores, strict=True)}
    return [known[pair] for pair in pairs]


def _rates(terms: Sequence[Sequence[str]]) -> dict[str, Rate]:
    said = [{term.partition(":")[0] for term in of_one} for of_one in terms]
    return {category: hit_rate(category in one for one in said) for category in CATEGORIES}
