"""Vocabulary that pages and tables share: names, places, dates, and what businesses call themselves."""

from __future__ import annotations

from random import Random
from typing import Final

from curation.generate.choose import between, pick


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES: Final = _words(
    "Amara Anna Arjun Aylin Ben Carlos Chloe Clara Daniel David Diego Elena Emily Emma Farah Felix Fiona Grace "
    "Hannah Hiro Ibrahim Ines Isabel Jack James Jane Jonas Julia Kofi Laura Leila Liam Lucas Maria Maya Mei Michael "
    "Mina Nadia Noah Nora Olga Oliver Omar Paul Priya Rosa Samuel Sara Sofia Theo Thomas Tomas Victor Yuki Zoe"
)
LAST_NAMES: Final = _words(
    "Abebe Adams Ahmed Andersen Baker Bauer Becker Bennett Brooks Campbell Carter Chen Costa Cruz Davies Dubois "
    "Evans Fischer Foster Garcia Gray Haddad Hansen Hughes Ito Jensen Johnson Kaya Keller Khan Kim Kowalski Laurent "
    "Lee Lopez Martin Mensah Meyer Moreau Morris Nguyen Novak Okafor Olsen Park Patel Peterson Reyes Rossi Santos "
    "Sato Schmidt Silva Singh Smith Tanaka Turner Walker Wong Young"
)
CITIES: Final = _words(
    "Aberdeen Amsterdam Athens Austin Barcelona Bergen Berlin Boston Bristol Budapest Chicago Copenhagen Denver "
    "Dublin Edinburgh Geneva Ghent Hamburg Helsinki Istanbul Krakow Kyoto Leeds Lisbon London Lyon Madrid "
    "Manchester Melbourne Milan Montreal Munich Nairobi Oslo Paris Porto Portland Prague Riga Seattle Seoul "
    "Singapore Stockholm Sydney Toronto Turin Utrecht Valencia Vienna Warsaw Zurich"
)
STREETS: Final = _words(
    "Main Oak Maple Elm Cedar Market Church Park Mill Station King Queen Bridge High Garden River Hill Lake "
    "Orchard Chestnut Harbor Meadow Willow Victoria Canal"
)
STREET_KINDS: Final = ("Street", "St", "Avenue", "Road", "Lane", "Square")
MONTHS: Final = _words("January February March April May June July August September October November December")
WEEKDAYS: Final = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
COUNTRIES: Final = _words(
    "Argentina Australia Austria Bangladesh Belgium Brazil Bulgaria Canada Chile China Colombia Croatia Denmark "
    "Egypt Estonia Ethiopia Finland France Germany Ghana Greece Hungary India Indonesia Iran Ireland Israel Italy "
    "Japan Kenya Latvia Lithuania Malaysia Mexico Morocco Nepal Netherlands Nigeria Norway Pakistan Peru "
    "Philippines Poland Portugal Romania Senegal Serbia Slovenia Spain Sweden Switzerland Tanzania Thailand "
    "Tunisia Turkey Uganda Ukraine Uruguay Vietnam Zambia"
)
BRAND_WORDS: Final = _words(
    "Acorn Alpine Amber Anchor Apex Aspen Aurora Beacon Birch Bluebird Bright Cascade Cedar Clover Cobalt Copper "
    "Coral Crescent Crystal Delta Echo Ember Everest Evergreen Falcon Fern Golden Granite Green Harbor Harvest "
    "Hazel Heritage Horizon Indigo Iron Ivory Juniper Keystone Lakeside Lantern Lark Laurel Lighthouse Linden "
    "Lotus Lunar Maple Marble Meadow Mosaic Nimbus North Nova Oak Olive Orchid Otter Pearl Pebble Pine Pioneer "
    "Polaris Prairie Quartz Raven Redwood Ridge Riverbend Rosewood Saffron Sage Sequoia Silver Solstice Sparrow "
    "Spring Sterling Stone Summit Sunrise Swift Terra Thistle Tidal Trellis Urban Valley Velvet Verde Vista "
    "Willow Winter Wren Zenith Zephyr"
)
QUALITIES: Final = (
    *_words(
        "trusted reliable fresh friendly modern careful honest creative affordable local innovative sustainable "
        "personal professional thoughtful experienced dependable inspiring flexible transparent simple elegant "
        "outstanding welcoming unique memorable handpicked dedicated"
    ),
    "high-quality",
    "award-winning",
    "state-of-the-art",
    "family-owned",
    "hands-on",
    "one-of-a-kind",
)


def person(rng: Random) -> str:
    """A first and a last name."""
    return f"{pick(rng, FIRST_NAMES)} {pick(rng, LAST_NAMES)}"


def day(rng: Random) -> str:
    """A date as `March 14, 2023`."""
    return f"{pick(rng, MONTHS)} {between(rng, 1, 28)}, {between(rng, 2018, 2024)}"


def phone(rng: Random) -> str:
    """A telephone number of the range that is kept free for examples, or the one that everybody writes."""
    if rng.random() < 0.4:
        return "(123) 456-7890" if rng.random() < 0.5 else "123-456-7890"
    return f"({between(rng, 201, 989)}) 555-01{between(rng, 10, 99)}"


def street_address(rng: Random) -> str:
    """House number and street."""
    return f"{between(rng, 1, 999)} {pick(rng, STREETS)} {pick(rng, STREET_KINDS)}"
