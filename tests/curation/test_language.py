from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.language import language_of, reader_version


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "A dog lies on the sofa next to a cat."),
        ("de", "Ein Hund liegt auf dem Sofa neben einer Katze."),
        ("fr", "Un chien est couché sur le canapé à côté d’un chat."),
        ("es", "Un perro está acostado en el sofá junto a un gato."),
        ("pl", "Dwie kobiety siedzą przy stole i piją kawę."),
        ("ru", "Добро пожаловать на наш сайт, посмотрите наши товары."),
        ("zh", "一只狗躺在沙发上，旁边有一只猫，两个女人坐在桌边喝咖啡。"),
    ],
)
def test_languages_by_their_codes(language: str, text: str) -> None:
    assert language_of(text) == language


def test_short_or_unclear_texts_have_none() -> None:
    assert [language_of(text) for text in ("", "Contact us", "12345 67890 !!!" * 10)] == [None] * 3
    assert language_of("qxj zzw kpq vvx wqj xkz qqp") is None


def test_long_texts_are_told_by_their_start() -> None:
    assert language_of("This is the beginning of a very long English page. " * 20_000) == "en"


def test_half_a_surrogate_pair_is_no_failure() -> None:
    assert language_of("A dog lies on the sofa next to a cat \ud800.") == "en"


def test_the_version_is_part_of_keys() -> None:
    assert reader_version().startswith("py3langid 0.")


def test_real_captions_are_english(shared_data: Path) -> None:
    captions = pq.read_table(shared_data / "captions-text").column("caption").to_pylist()[::25]
    languages = [language_of(caption) for caption in captions]
    assert set(languages) <= {"en", None}
    assert languages.count("en") > 0.95 * len(languages)
