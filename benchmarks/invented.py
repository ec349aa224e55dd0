"""Invented tweets, the same in every run, as an export writes them; and what is common and rare among them.

Sixty days, ids that tell the same time. Eight tags, one or two a tweet; eight languages and none; a tenth as many authors, of
whom few write much; two in a hundred with a place; one in two hundred edited. Words follow Zipf's law.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from queries.snowflakes import first_id

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
SPAN = timedelta(days=60)
OBSERVED = "2026-11-02T00:00:00Z"
COMMON_WORD, RARE_WORD, RARE_TWEETS = "release", "quokka", 10
VOCABULARY = 5000
LENGTH = 140
POWER = 3
LEAST_FOLLOWERS, TAIL, MOST_FOLLOWERS = 50, 0.7, 200_000_000
TAGS = {
    "#devops": 4000,
    "#sre": 2500,
    "#kubernetes": 1500,
    "#observability": 1000,
    "#cloud": 600,
    "#security": 300,
    "#linux": 95,
    "#finops": 5,
}
LANGS = {"en": 60, "ja": 12, "es": 9, "pt": 6, "de": 4, "fr": 4, "ar": 2, "ko": 1, None: 2}
PLACES = {
    ("United States", "US"): 500,
    ("Brazil", "BR"): 200,
    ("Japan", "JP"): 150,
    ("Germany", "DE"): 100,
    ("Peru", "PE"): 48,
    ("Iceland", "IS"): 2,
}
LATIN = tuple(first + second for first in "bdfgklmnprstvz" for second in "aeiou")
SYLLABLES = {
    "ja": tuple("かきくけこさしすせそたちつてと監視障害計測"),
    "ar": tuple("ابتثجحدرسشعفقكلمنهوي"),
    "ko": tuple("가나다라마바사아자차카타파하"),
}


class Words(NamedTuple):
    """The words of a language, the most common first, their cumulated weights, and what stands between them."""

    words: list[str]
    weights: list[float]
    space: str


class Author(NamedTuple):
    """Somebody; one in two hundred without a username, one in a hundred without followers."""

    id: str
    username: str | None
    name: str | None
    followers: int | None


def tweets(count: int, *, begin: datetime = BEGIN, span: timedelta = SPAN) -> Iterator[dict[str, Any]]:
    """Give so many tweets, oldest id first."""
    chance, people = random.Random(count), authors(max(count // 10, 1))
    spoken = {lang: _words(lang) for lang in LANGS}
    for number in range(count):
        lang, place = _one(chance, LANGS), _one(chance, PLACES) if chance.random() < 0.02 else (None, None)
        author = people[int(len(people) * chance.random() ** POWER)] if number != 1 else people[-1]
        yield (
            _times(number, begin + span * number / count)
            | {
                "tweet": _text(chance, spoken[lang], rare=number % max(count // RARE_TWEETS, 1) == 0),
                "author": author.name,
                "followers": author.followers,
                "lang": lang,
                "country": place[0],
                "country_code": place[1],
                "username": author.username,
                "author_id": author.id,
                "observed": OBSERVED,
            }
            | _found(chance)
        )


def authors(count: int) -> list[Author]:
    """Return so many people; the first ones write most."""
    chance = random.Random(1)
    return [_author(number, min(int(LEAST_FOLLOWERS * chance.paretovariate(TAIL)), MOST_FOLLOWERS)) for number in range(count)]


def _author(number: int, followers: int) -> Author:
    named = number % 200 != 199
    name, username = (f"Invented {number}", f"user_{number}") if named else (None, None)
    return Author(str((number + 1) << 20), username, name, followers if number % 100 != 98 else None)


def _times(number: int, created: datetime) -> dict[str, Any]:
    first = first_id(created) + number % 4096
    versions = [first, first + (1 << 32)] if number % 200 == 0 else [first]
    return {
        "id": str(first),
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": str(versions[-1]),
        "versions": [str(version) for version in versions],
    }


def _found(chance: random.Random) -> dict[str, Any]:
    """Return by which tags a tweet was found; three in ten by two."""
    found = sorted({_one(chance, TAGS) for _ in range(2 if chance.random() < 0.3 else 1)})
    return {"rash": found[0], "tags": found}


def _text(chance: random.Random, spoken: Words, *, rare: bool) -> str:
    words = chance.choices(spoken.words, cum_weights=spoken.weights, k=LENGTH // 6 + chance.randrange(8))
    return spoken.space.join([RARE_WORD, *words] if rare else words)[:280]


def _words(lang: str | None) -> Words:
    chance, syllables = random.Random(lang), SYLLABLES.get(lang or "", LATIN)
    words = [COMMON_WORD] if lang == "en" else []
    words += ["".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(VOCABULARY)]
    return Words(words, list(accumulate(1 / (rank + 3) for rank in range(len(words)))), "" if lang == "ja" else " ")


def _one(chance: random.Random, weights: dict[Any, int]) -> Any:
    return chance.choices(list(weights), weights=list(weights.values()))[0]


def sought(count: int) -> dict[str, dict[str, str]]:
    """Return for each filter values that many and few of so many tweets have."""
    few = SPAN / 6000
    return {
        "tag": {"common": "devops", "rare": "finops"},
        "lang": {"common": "en", "rare": "ko"},
        "country": {"common": "US", "rare": "Iceland"},
        "author": {"common": "user_0", "rare": f"user_{max(count // 10, 1) - 1}"},
        "q": {"common": COMMON_WORD, "rare": RARE_WORD},
        "since": {"common": _instant(BEGIN + SPAN / 10), "rare": _instant(BEGIN + SPAN - few)},
        "until": {"common": _instant(BEGIN + SPAN * 0.9), "rare": _instant(BEGIN + few)},
        "min_followers": {"common": "100", "rare": "20000000"},
    }


def _instant(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
