"""Things named in captions: the rules one by one, then held against a reader of real captions."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.classes.objects import VOCABULARY_FILE, class_of, objects_named, vocabulary
from curation.sample import sha256_hex

LABELS = Path(__file__).with_name("named_in_captions.jsonl")


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("A dog and two cats.", {"dog", "cat"}),
        ("Three mice, many knives, buses and some sheep", {"mouse", "knife", "bus", "sheep"}),
        ("A MAN's phone is on the couch", {"person", "cell phone", "couch"}),
        ("a sofa, a television set and a fridge", {"couch", "tv", "refrigerator"}),
        ("it's a t-shirt", {"shirt"}),
        ("", set()),
        ("1 + 1 = 2!", set()),
    ],
)
def test_names_synonyms_and_plurals(caption: str, objects: set[str]) -> None:
    assert objects_named(caption) == objects


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("A hot dog on a plate", {"hot dog", "plate"}),
        ("a teddy bear", {"teddy bear"}),
        ("a stop sign, a fire hydrant and parking meters", {"stop sign", "fire hydrant", "parking meter"}),
        ("two glasses of wine", {"wine glass"}),
        ("a pair of glasses", {"glasses"}),
        ("a microwave oven", {"microwave"}),
        ("a coffee table", {"coffee table"}),
        ("a stove top oven in the corner", {"oven"}),
    ],
)
def test_the_longest_form_wins(caption: str, objects: set[str]) -> None:
    assert objects_named(caption) == objects


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("a kitchen sink", {"sink"}),
        ("a dog bed", {"dog bed"}),
        ("a train station beside train tracks", set()),
        ("a baby elephant and an adult giraffe", {"elephant", "giraffe"}),
        ("a passenger train", {"train"}),
        ("a car window", {"car", "window"}),
        ("a bus driver", {"bus", "person"}),
        ("a zebra standing by a giraffe", {"zebra", "giraffe"}),
        ("dogs, cats", {"dog", "cat"}),
        ("A cat. Dogs too", {"cat", "dog"}),
    ],
)
def test_modifiers_are_no_things_of_their_own(caption: str, objects: set[str]) -> None:
    assert objects_named(caption) == objects


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("an empty street with no people or cars", {"car"}),  # a negation reaches the next thing only
        ("a bench without any person", {"bench"}),
        ("a toy train", {"toy"}),
        ("a stuffed sheep on a bed", {"bed"}),
        ("a stuffed sandwich", {"sandwich"}),
        ("a statue of a horse", {"sculpture"}),
        ("a picture of a horse", {"horse"}),
        ("smiling at the camera", set()),
        ("holding a camera", {"camera"}),
    ],
)
def test_negations_toys_and_likenesses(caption: str, objects: set[str]) -> None:
    assert objects_named(caption) == objects


@pytest.mark.parametrize(
    ("caption", "objects"),
    [
        ("a man watches a game", {"person"}),
        ("wearing two watches", {"watch"}),
        ("a giraffe drinks water", {"giraffe"}),
        ("a table with drinks", {"dining table", "drink"}),
        ("ready to ski down", set()),
        ("a person on skis", {"person", "skis"}),
        ("an orange bus", {"bus"}),
        ("an orange and white cat", {"cat"}),
        ("an orange on a plate", {"orange", "plate"}),
        ("an orange and a pear", {"orange", "pear"}),
        ("sliced oranges", {"orange"}),
    ],
)
def test_words_that_are_verbs_and_adjectives_too(caption: str, objects: set[str]) -> None:
    assert objects_named(caption) == objects


def test_all_people_are_one_class() -> None:
    said = "a woman, men, a boy, two girls, an old lady, teenagers, a grandfather, a bride and a policeman"
    assert objects_named(said) == {"person"}


def test_the_vocabulary_holds_coco_and_open_images() -> None:
    known = vocabulary()
    assert len(known.names("coco")) == 80
    assert len(known.names("open images")) > 380
    assert set(known.sources.values()) == {"coco", "open images"}
    for name in known.names():
        assert name in {form.name for form in known.forms.values()}
    header = [line for line in VOCABULARY_FILE.read_text("utf-8").splitlines() if line.startswith("#")]
    assert all(any(word in line for line in header) for word in ("COCO", "CC BY 4.0", "Open Images", "BSD-2-Clause"))


def test_no_class_is_a_protected_attribute() -> None:
    people = {"man", "woman", "boy", "girl", "child", "baby", "lady", "bride", "nun", "priest", "wheelchair user"}
    assert not people & set(vocabulary().names())


def test_names_that_a_source_gives_are_put_in_the_vocabularys_words() -> None:
    assert [class_of(name) for name in ("Television", "  hot   Dog", "Women", "axolotl", "train track")] == [
        "tv",
        "hot dog",
        "person",
        "axolotl",
        "train track",
    ]


def test_against_a_reader_of_real_captions(shared_data: Path) -> None:
    """390 captions; `benchmarks/classes.py` prints the figures by class."""
    rows = pq.read_table(shared_data / "coco-captions", columns=["image_id", "captions"]).to_pylist()
    captions = {row["image_id"]: row["captions"] for row in rows}
    labels = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()][1:]
    coco = set(vocabulary().names("coco"))
    n_right = n_found = n_named = 0
    for label in labels:
        caption = captions[label["image_id"]][label["caption"]]
        assert sha256_hex(caption)[:16] == label["text_sha256"]
        found, named = objects_named(caption) & coco, set(label["mentions"])
        n_right, n_found, n_named = n_right + len(found & named), n_found + len(found), n_named + len(named)
    assert len(labels) == 390
    assert n_named == 585
    assert n_right / n_found > 0.98
    assert n_right / n_named > 0.98
