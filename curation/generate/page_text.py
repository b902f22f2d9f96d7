"""The words on a generated page: brands, headings, sentences and quotes about one topic."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from curation.generate.choose import between, pick, pick_some
from curation.generate.page_topics import Topic
from curation.generate.words import BRAND_WORDS, CITIES, LAST_NAMES, QUALITIES, day, person

_ABOUT: Final = (
    "At {brand}, we {mission}.",
    "We {mission}, and we do it with {quality} {experts}.",
    "Our team of {experts} is dedicated to providing {quality} service to all of our {people}.",
    "Founded in {year} in {city}, {brand} is a {kind} for {people} who expect more.",
    "Our {experts} are here to help you every step of the way.",
    "We are a {quality} {kind} based in {city}, serving {people} since {year}.",
    "From {item} to {item2}, everything we offer is {quality} and made with care.",
    "Whether you're looking for {service} or {service2}, we've got you covered.",
    "We understand that choosing the right {kind} is a big decision.",
    "We work closely with our {people} to understand what they need, and we {mission2}.",
    "For more than {n} years we have been known for {service} in and around {city}.",
    "That is why {n00} {people} come back to us every year.",
    "We believe in doing things well, and we {mission2}.",
    "Our {experts} bring together years of experience and a {quality} approach.",
    "Every detail matters to us, from {item} to the last handshake.",
    "Come and visit us in {city}, or get in touch online.",
    "Our goal is to offer {quality} and {quality2} solutions to people in {city} and beyond.",
    "We take pride in {service}, {service2} and a {quality} team.",
    "What started as a small idea in {city} has grown into a {quality} {kind}.",
    "Our {people} tell us that they value our {quality} advice most of all.",
)
_SHORT: Final = (
    "A {quality} choice for every day.",
    "Our {people}' favorite since {year}.",
    "{Quality} and {quality2}, from our {experts} in {city}.",
    "Made by our {experts} with great care.",
    "Available now in {city} and online.",
    "Ask our {experts} for details.",
    "A {quality} option for {people} who want something special.",
    "New this season, and already much loved.",
    "Simple, {quality} and made to last.",
    "Everything you need, nothing that you don't.",
    "We {mission}.",
    "Limited places: book early.",
    "Chosen by {n00} {people} last year.",
    "Goes well with {item}.",
    "For beginners and experts alike.",
)
_ARTICLE: Final = (
    "It was early in {month} when the first {people} arrived in {city}.",
    "According to {person}, who has worked with {experts} for {n} years, the change was long overdue.",
    "The numbers are clear: {pct} percent of {people} now ask for {service} first.",
    "There is no single answer, but {experts} agree on one thing.",
    "When we asked {person}, the reply came without a pause.",
    "{item} and {item2} are only two examples of what has changed since {year}.",
    "Much of this began in {city}, where a {quality} idea met the right moment.",
    "The results surprised even the {experts}.",
    "Most {people} never see this part of the work, and yet it decides everything.",
    "Over the next {n} months the project will move to {city} and then further on.",
    "It sounds simple, but it takes a {quality} team and a good deal of patience.",
    "What matters in the end is not the cost, but whether {people} feel well looked after.",
    "A similar attempt in {year} had failed after only {n} weeks.",
    "Behind the scenes, {service} has become as important as {service2}.",
    "We have learned that small, {quality} steps work better than grand plans.",
    "The street was quiet, and the door of the {kind} stood open.",
    "Nobody expected {item} to become so popular.",
    "Prices have risen by {pct} percent, while demand has doubled.",
    "Some critics say that this is not enough.",
    "For {person} of {city}, it was the start of something new.",
)
_QUOTES: Final = (
    "I was very impressed with {brand}. They were {quality} and went above and beyond.",
    "The best {kind} in {city}. I would recommend it to anyone.",
    "{item} was perfect, and the team could not have been more {quality}.",
    "I have been coming here for {n} years and have never been disappointed.",
    "They listened to what we needed and delivered on time.",
    "From the first call to the last day everything was {quality}.",
    "My family loves it. We will be back soon!",
    "Thanks to their {experts} we finally found what we were looking for.",
)
_SLOGANS: Final = (
    "Welcome to {brand}",
    "Welcome to {brand}",
    "Welcome to Our {Kind}",
    "{Service} You Can Trust",
    "Your {Kind} in {city}",
    "{Quality} {Service}",
    "Discover {brand}",
    "{Service} Made Simple",
    "The {Quality} {Kind}",
    "We Care About Our {People}",
    "More Than a {Kind}",
    "{item}, and So Much More",
    "Since {year} in {city}",
)
_TITLES: Final = (
    "Why {People} Love {item}",
    "{n} Things to Know About {Service}",
    "How We Found {item} in {city}",
    "A Short Guide to {Service}",
    "The Story Behind {item}",
    "Meet {person}",
    "What {Experts} Really Think About {item}",
    "{Service} in {year}: What Has Changed",
    "From {city} with Love",
    "{item} or {item2}?",
    "Our {month} in Pictures",
    "Five Questions for {person}",
    "A Day with Our {Experts}",
    "The Future of {Service}",
)
_CALLS: Final = (
    *("Learn More", "Get Started", "Contact Us", "Book Now", "Read More", "Shop Now", "Sign Up", "Join Us"),
    *("View Details", "Order Now", "Make an Appointment", "See All", "Try It Free", "Discover More"),
)
_QUESTIONS: Final = (
    ("Do I need an appointment?", "No, but for {service} we recommend one so that you don't have to wait."),
    ("Where can I find you?", "We are in the center of {city}, five minutes from the station."),
    ("How much is {item}?", "It depends on what you need. Our {experts} will be glad to make you an offer."),
    ("Can I cancel or change my order?", "Yes, up to {n} days before, without any cost."),
    ("Do you offer {service}?", "Yes, we do. {brand} has offered it since {year}."),
    ("Is there a discount for groups?", "Groups of {n} or more get {pct} percent off."),
    ("Which payments do you accept?", "We accept all major cards, bank transfer and cash."),
    ("How long does delivery take?", "Within {city} one day, elsewhere two to {n} days."),
    ("Who are your {experts}?", "Our team is led by {person}, who joined us in {year}."),
    ("Can I give {item} as a present?", "Of course, and we wrap it for you."),
)
_POLITE: Final = ("We look forward to hearing from you.", "Please fill in the form below.", "We reply within a day.")


_BEFORE_VOWEL: Final = re.compile(r"\b([Aa]) (?=[aeiou](?!ni|ne-))", re.IGNORECASE)
"""Where "a" has to be "an": before a vowel that is heard as one (not "a university", "a one-of-a-kind …")."""


class Copywriter:
    """Writes about one topic for one brand, all from one generator."""

    def __init__(self, rng: Random, topic: Topic, address_as_kind: bool) -> None:
        self.rng = rng
        self.topic = topic
        self.city = pick(rng, CITIES)
        self.brand = topic.kind if address_as_kind else _brand(rng, topic, self.city)
        self.domain = "".join(c for c in self.brand.lower().replace("&amp;", "and") if c.isalnum()) + ".com"
        self.year = between(rng, 1950, 2022)

    def about(self, n: int = 1) -> str:
        """`n` sentences about the brand."""
        return " ".join([self._fill(s) for s in pick_some(self.rng, _ABOUT, n)])

    def article(self, n: int) -> str:
        """`n` sentences of a story."""
        return " ".join([self._fill(s) for s in pick_some(self.rng, _ARTICLE, n)])

    def short(self) -> str:
        """A sentence of a few words, for a card."""
        return self._fill(pick(self.rng, _SHORT))

    def quote(self) -> str:
        """What a customer says."""
        return self._fill(pick(self.rng, _QUOTES))

    def slogan(self) -> str:
        """The page's first heading."""
        return self._fill(pick(self.rng, _SLOGANS))

    def title(self) -> str:
        """A heading of a story or post."""
        return self._fill(pick(self.rng, _TITLES))

    def call(self) -> str:
        """What a button says."""
        return pick(self.rng, _CALLS)

    def invitation(self) -> str:
        """A sentence above a form."""
        return pick(self.rng, _POLITE)

    def items(self, n: int) -> list[str]:
        """`n` different things on offer (the same again where the topic has fewer)."""
        return pick_some(self.rng, self.topic.items, n)

    def services(self, n: int) -> list[str]:
        """`n` different services."""
        return pick_some(self.rng, self.topic.services, n)

    def price(self) -> str:
        """A price in dollars, round or with cents, as this kind of business has them."""
        low, high = self.topic.prices
        if high > 1000:
            return f"${between(self.rng, low // 10, high // 10) * 10:,}"
        if high > 250 or self.rng.random() < 0.5:
            return f"${between(self.rng, low, high)}"
        return f"${between(self.rng, low, high)}.{pick(self.rng, ('99', '50', '95', '00', '49'))}"

    def questions(self, n: int) -> list[tuple[str, str]]:
        """`n` questions, each with its answer."""
        return [(self._fill(q), self._fill(a)) for q, a in pick_some(self.rng, _QUESTIONS, n)]

    def person(self) -> str:
        """First and last name."""
        return person(self.rng)

    def day(self) -> str:
        """A date."""
        return day(self.rng)

    def picture(self, width_px: int, height_px: int, word: str = "") -> str:
        """Address of a photograph of this size, as WebSight writes it."""
        return f"https://source.unsplash.com/random/{width_px}x{height_px}/?{word or self.topic.picture}"

    def _fill(self, template: str) -> str:
        if "{" not in template:
            return template
        text = _BEFORE_VOWEL.sub(r"\1n ", template.format_map(_Slots(self)))
        return text if text[0] != "{" and not text[0].islower() else text[0].upper() + text[1:]


class _Slots(dict[str, str]):
    """Fills a template's slots when asked, so that nothing is drawn that is not used."""

    def __init__(self, writer: Copywriter) -> None:
        super().__init__()
        self.writer = writer

    def __missing__(self, name: str) -> str:
        rng, topic, writer = self.writer.rng, self.writer.topic, self.writer
        match name.rstrip("2"):
            case "brand":
                return writer.brand
            case "kind":
                return topic.kind.lower()
            case "Kind":
                return topic.kind
            case "people":
                return topic.people
            case "People":
                return topic.people.title()
            case "experts":
                return topic.experts
            case "Experts":
                return topic.experts.title()
            case "mission":
                return pick(rng, topic.missions)
            case "quality":
                return pick(rng, QUALITIES)
            case "Quality":
                return pick(rng, QUALITIES).title()
            case "item":
                return pick(rng, topic.items)
            case "service":
                return pick(rng, topic.services).lower()
            case "Service":
                return pick(rng, topic.services)
            case "city":
                return writer.city
            case "person":
                return person(rng)
            case "year":
                return str(writer.year)
            case "month":
                return day(rng).split()[0]
            case "n":
                return str(between(rng, 3, 40))
            case "n00":
                return f"{between(rng, 2, 90) * 100:,}"
            case "pct":
                return str(between(rng, 4, 88))
            case _:
                raise KeyError(name)


def _brand(rng: Random, topic: Topic, city: str) -> str:
    word = pick(rng, BRAND_WORDS)
    form = int(rng.random() * 6)
    if form == 0:
        return f"{word} {topic.kind}"
    if form == 1:
        return " &amp; ".join(pick_some(rng, BRAND_WORDS, 2))
    if form == 2:
        return f"{word} {pick(rng, topic.services)}"
    if form == 3:
        return f"{pick(rng, LAST_NAMES)} {topic.kind}"
    if form == 4:
        return f"{city} {topic.kind}"
    return f"{word}{pick(rng, BRAND_WORDS).lower()}"
