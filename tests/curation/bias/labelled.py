"""Captions labelled by reading, and how well something finds what was read.

`labels.jsonl` holds 1,200 captions of COCO val2017 (`../shared/data/captions-text`), by image id and the first 16 hex
digits of the SHA-256 of the caption; the captions themselves stay there. Half are random (fixed seed). Half were drawn
by wide lists of words for each category ("white", "old", "church", "queen", "straight"), a caption a word in turn, so
that rare words and their other senses have cases; for race, nationality, religion, disability and orientation, narrower
lists of words and persons were drawn out to the last caption that they have.

- `tuned` (453): vocabulary and rules were made on these.
- `held_out` (447): only measured; but the reader who labelled them, before there was a matcher, then wrote the
  vocabulary. The one case of orientation ("two women brides") was known that way.
- `fresh` (300: 150 random, 150 by the lists of gender and age): drawn, read and labelled when the matcher was finished.

Labels mended since they were written: "his" overlooked in three (one tuned, two held out), found by looking again at
every caption with a pronoun; "woman" in one held out and "him" in one fresh, found by the first measurement of each.

`states` names the categories that the caption's text *states* about a person or people, pictured persons and figures of
persons (a statue of a man) included. The rule:

- gender: any word of gender said of a person: man, boy, lady, guy, male, he, his, bride, waitress, mother, fireman,
  baseman. Not of animals ("a dog in his bed", "mother goat"), named figures (Virgin Mary, Batman), things ("cowboy
  hat", "queen bed"), or things made for a gender ("men's room"). Belongings of a person count ("a girl's room").
- age: child, kid, baby, toddler, teenager, youth, youngster, adult, elder, and young, old, older, elderly before a
  person; "little" or "small" before boy or girl; grandparents. "Boy" and "girl" alone are gender only. A child's
  belongings count ("a child's bed"); baby animals, old things, "baby doll" and "grandfather clock" do not.
- race_ethnicity: race, ethnicity, minority or skin colour of people (Asian woman, black man, dark skinned). Not of
  food, countries, hair or clothes.
- nationality: of people (an Indian man), the office of a nation (United States President). Not of things or places.
- religion: belief or office (pastor, priest, nun, Amish). Not of buildings, feasts, figures, clothes.
- disability: disabled, handicapped, blind, deaf, in a wheelchair. Not injuries, canes, baldness, weight.
- sexual_orientation: stated love of people (two women brides). Not rainbows, "couple", "straight" lines.

distilvit's rule, by contrast, is a list of words for each category, found anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

LABELS = Path(__file__).with_name("labels.jsonl")


@dataclass(frozen=True)
class Labelled:
    """A caption and what it states; `draw` is "random" or the category whose words it was drawn by."""

    caption: str
    draw: str
    half: str
    states: frozenset[str]


@dataclass(frozen=True)
class Found:
    """Captions of one category: rightly found, wrongly found, missed."""

    n_right: int
    n_wrong: int
    n_missed: int

    @property
    def precision(self) -> float:
        """Right among found; 1 where nothing was found."""
        return self.n_right / (self.n_right + self.n_wrong) if self.n_right + self.n_wrong else 1.0

    @property
    def recall(self) -> float:
        """Right among stated; 1 where nothing is stated."""
        return self.n_right / (self.n_right + self.n_missed) if self.n_right + self.n_missed else 1.0


def text_hash(caption: str) -> str:
    """The hash that labels name a caption by."""
    return hashlib.sha256(caption.encode()).hexdigest()[:16]


def labelled_captions(data: Path) -> list[Labelled]:
    """The labelled captions, in the order of the file. Raises `KeyError` where a caption is not in the data."""
    table = pq.read_table(data / "captions-text")
    rows = zip(table.column("image_id").to_pylist(), table.column("caption").to_pylist(), strict=True)
    captions = {(image_id, text_hash(caption)): caption for image_id, caption in rows}
    return [
        Labelled(
            captions[label["image_id"], label["caption_sha256"]],
            label["draw"],
            label["half"],
            frozenset(label["states"]),
        )
        for label in map(json.loads, LABELS.read_text(encoding="utf-8").splitlines())
    ]


def found_in(captions: Sequence[Labelled], category: str, find: Callable[[str], Collection[str]]) -> Found:
    """How well `find` (text to categories) finds a category in these captions."""
    pairs = [(category in find(one.caption), category in one.states) for one in captions]
    return Found(pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True)))
