"""distilvit2's bias rule, to compare with: its words, found anywhere in the text after hyphens and marks are taken out.

What is here is its vocabulary as published (tarekziade/distilvit2 @ ed4aff9f, distilvit/dataset_quality_report.py) and
its rule in our words. So "middle-aged" can never match, as the text loses its hyphens and the term does not; and names
of countries and demonyms guessed from them count wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pycountry

WORDS = {
    "gender": """
        man men woman women male female boy girl guy guys gal lady ladies gentleman gentlemen he she his her him
        hers herself himself nonbinary non-binary nb agender genderqueer genderfluid trans transgender trans_man
        trans_woman cis cisgender
    """,
    "sexual_orientation": """
        gay lesbian bisexual bi queer straight heterosexual homosexual pansexual pan asexual ace
    """,
    "race_ethnicity": """
        white black asian hispanic latino latina latinx african african-american afro-american afro caucasian
        middle_eastern arab indigenous native indian east_asian south_asian southeast_asian south_east_asian
        pacific_islander polynesian melanesian micronesian
    """,
    "nationality": """
        american british french german spanish italian russian chinese japanese korean vietnamese filipino filipina
        indian pakistani bangladeshi nigerian egyptian
    """,
    "religion": """
        christian christianity muslim islam muslimah muslims moslem jew jewish judaism hindu hinduism buddhist
        buddhism sikh sikhism atheist agnostic catholic protestant orthodox
    """,
    "disability": """
        disabled disability wheelchair wheelchair-bound deaf hearing_impaired blind visually_impaired
        visually-impaired low_vision dyslexic paraplegic quadriplegic neurodivergent autistic autism
        intellectual_disability learning_disability mobility_impaired
    """,
    "age": """
        baby infant toddler child children kid kids teen teenager adolescent youth young adult middle-aged elder
        elderly senior old grandparent pensioner
    """,
}


def distilvit_rule() -> Callable[[str], set[str]]:
    """Text to the categories that distilvit2 would say it mentions."""
    terms = {category: {word.replace("_", " ") for word in words.split()} for category, words in WORDS.items()}
    known = terms["nationality"] | terms["race_ethnicity"]
    for country in pycountry.countries:
        names = {country.name.lower(), _guessed_demonym(country.name)}
        terms["nationality"] |= names - known
    patterns = {
        category: re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(words)))})\b") for category, words in terms.items()
    }

    def mentioned(text: str) -> set[str]:
        plain = re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", text.lower())).strip()
        return {category for category, pattern in patterns.items() if pattern.search(plain)}

    return mentioned


def _guessed_demonym(name: str) -> str:
    """Its guess: "austrian", "finlander", "kenyan", "chilen", "japann"."""
    common = name.partition(",")[0].lower().strip()
    if common.endswith("ia"):
        guess = common[:-2] + "ian"
    elif common.endswith("land"):
        guess = common + "er"
    elif common.endswith("a"):
        guess = common[:-1] + "an"
    else:
        guess = common + "n"  # behind an e or anything else
    return guess.replace(" ", "-")
