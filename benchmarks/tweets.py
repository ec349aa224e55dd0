"""Invented tweets as an export writes them, the same in every run, with known shares of each tag, language and word.

Sixty days, a tenth as many authors, most of whom write little; one tweet in two hundred edited. Words follow Zipf's law.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

BEGIN, SPAN = datetime(2026, 9, 1, tzinfo=UTC), timedelta(days=60)
EPOCH_MS = 1288834974657  # of X's ids
COMMON_WORD, RARE_WORD, RARE_TWEETS, VOCABULARY = "release", "quokka", 10, 5000
TAGS = {"#devops": 400, "#sre": 250, "#kubernetes": 150, "#cloud": 160, "#security": 30, "#linux": 9, "#finops": 1}
LANGS = {"en": 60, "ja": 12, "es": 9, "pt": 6, "de": 4, "fr": 4, "ar": 2, "ko": 1, None: 2}
COUNTRIES = {(None, None): 980, ("United States", "US"): 10, ("Brazil", "BR"): 9, ("Iceland", "IS"): 1}
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]


def tweets(count: int) -> Iterator[dict[str, Any]]:
    """Gives `count` tweets, oldest id first."""
    chance = random.Random(count)
    for number in range(count):
        created = BEGIN + SPAN * number / count
        first = (int(created.timestamp() * 1000) - EPOCH_MS << 22) + number % 4096
        versions = [str(first), str(first + (1 << 32))] if number % 200 == 0 else [str(first)]
        tags = sorted({_pick(chance, TAGS) for _ in range(2 if chance.random() < 0.3 else 1)})
        tweet = {"id": versions[0], "version": versions[-1], "versions": versions, "rash": tags[0], "tags": tags}
        tweet |= {
            "created": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            "observed": "2026-11-02T00:00:00Z",
            "lang": _pick(chance, LANGS),
        }
        tweet["country"], tweet["country_code"] = _pick(chance, COUNTRIES)
        text = " ".join(_text_words(chance, tweet["lang"]))
        tweet["tweet"] = f"{RARE_WORD} {text}" if number % (count // RARE_TWEETS) == 0 else text
        yield tweet | _author(int(count // 10 * chance.random() ** 3))


def _author(number: int) -> dict[str, Any]:
    """Returns an author; one in two hundred is not named, one in a hundred has no followers on record."""
    name = {"author": f"Invented {number}", "username": f"user_{number}"} if number % 200 != 199 else {}
    chance = (number * 2654435761 % 2**32 + 1) / 2**32
    followers = min(int(50 * chance ** (-1 / 0.7)), 200_000_000) if number % 100 != 98 else None
    return {"author_id": str(number + 1 << 20), "author": None, "username": None, "followers": followers} | name


def _text_words(chance: random.Random, lang: str | None) -> list[str]:
    words, weights = _words(lang)
    return chance.choices(words, cum_weights=weights, k=20 + chance.randrange(8))


@cache
def _words(lang: str | None) -> tuple[list[str], list[float]]:
    """Returns the words of a language, the most common first, and their cumulated weights."""
    chance = random.Random(lang or "")
    words = [COMMON_WORD] if lang == "en" else []
    words += ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(VOCABULARY)]
    return words, list(accumulate(1 / (rank + 3) for rank in range(len(words))))


def _pick(chance: random.Random, weights: dict[Any, int]) -> Any:
    return chance.choices(list(weights), weights=list(weights.values()))[0]
