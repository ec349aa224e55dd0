"""The invented authors. An author depends on the seed and their number alone, their followers also on the time."""

from __future__ import annotations

from functools import lru_cache
from math import sin
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.seeded_random import SeededRandom, hash_number
from emulator.world.word_lists import BIOGRAPHIES, EMOJI, LANGUAGES

_SYLLABLES = tuple(first + second for first in "bdfgjklmnprstvwyz" for second in "aeiou")
_ORDER = {syllable: nth for nth, syllable in enumerate(_SYLLABLES)}
_NAMES = len(_SYLLABLES) ** 3
_STEP = 250_007  # coprime to the number of names, so neighbours in number differ in name
_BACK = pow(_STEP, -1, _NAMES)
_SHARED_NAMES = ("On Call", "Ops Notes", "Cloud Diary", "Night Shift", "DevOps Daily (invented)")
_RTL_NAMES = ("نوبة ليلية", "דוח תקלות", "مراقب الأنظمة", "שומר הלילה")
_LOCATIONS = ("Remote", "Planet Earth", "Lisboa", "Berlin", "東京", "Bengaluru", "القاهرة", "NYC &amp; elsewhere", "")
_GROWTH_EPOCH_MS = 1767225600000  # 2026-01-01, when `followers` is the count
_DAY_MS = 86_400_000


class InventedAuthor(NamedTuple):
    """followers is the count at the start of 2026, growth the share gained in a year.

    absence: "suspended" or "missing" for those whom X no longer shows, else None.
    """

    number: int
    id: int
    username: str
    name: str
    location: str
    description: str
    verified: bool
    protected: bool
    followers: int
    growth: float
    following: int
    tweets: int
    listed: int
    likes: int
    absence: str | None

    def followers_at(self, at_ms: int) -> int:
        """Return the followers at an instant: a slow trend and a small daily wave."""
        days = (at_ms - _GROWTH_EPOCH_MS) / _DAY_MS
        wave = 1 + 0.004 * sin(days / 3 + self.number)
        return max(int(self.followers * (1 + self.growth * days / 365) * wave), 0)


class InventedAuthors:
    """All authors of a world; the first numbers of each language tweet most."""

    def __init__(self, seed: int, *, tweets: int) -> None:
        self._seed = seed
        self._offset = hash_number(f"{seed} usernames") % _NAMES
        pool = min(max(tweets // 6, 900), 60_000)
        whole = sum(language.share for language in LANGUAGES)
        self._groups: dict[str, tuple[int, int]] = {}
        first = 0
        for language in LANGUAGES:
            size = max(pool * language.share // whole, 12)
            self._groups[language.code] = (first, size)
            first += size
        self.count = first
        self.author = lru_cache(4_096)(self._make_author)

    def random_author(self, lang: str, rng: SeededRandom) -> int:
        """Return the number of an author who writes in this language; few write much, many write little."""
        first, size = self._groups[lang]
        return first + int(size * rng.fraction() ** 2.2)

    def find(self, username: str) -> int | None:
        """Return the number of a username in any case, or None."""
        stem = username.casefold()[:6]
        big, middle, small = (_ORDER.get(stem[at : at + 2]) for at in (0, 2, 4))
        if big is None or middle is None or small is None:
            return None
        place = (big * len(_SYLLABLES) + middle) * len(_SYLLABLES) + small
        found = (place - self._offset) * _BACK % _NAMES
        exists = found < self.count and self.author(found).username.casefold() == username.casefold()
        return found if exists else None

    def find_id(self, user_id: int) -> int | None:
        """Return the number of the author with an id, or None; the id's low digits, or low bits, are the number."""
        for number in (user_id % 1_000_000, user_id & (1 << snowflake.LOW_BITS) - 1):
            if number < self.count and self.author(number).id == user_id:
                return number
        return None

    def _make_author(self, nth: int) -> InventedAuthor:
        rng = SeededRandom(f"{self._seed} author {nth}")
        username = self._username(nth, rng)
        followers = rng.heavy_tail(median=420, spread=1.15)
        return InventedAuthor(
            number=nth,
            id=_user_id(nth, rng),
            username=username,
            name=_display_name(username, rng),
            location=rng.choice(_LOCATIONS),
            description=rng.choice(BIOGRAPHIES),
            verified=followers > 20_000 or rng.one_in(12),
            protected=False,
            followers=min(followers, 4_000_000),
            growth=rng.fraction() * 0.5 - 0.1,
            following=rng.heavy_tail(median=350, spread=0.6),
            tweets=rng.heavy_tail(median=2500, spread=0.8) + 1,
            listed=followers // 90,
            likes=rng.heavy_tail(median=3000, spread=0.9),
            absence=("suspended", "missing")[rng.below(2)] if rng.one_in(160) else None,
        )

    def _username(self, nth: int, rng: SeededRandom) -> str:
        place = (nth * _STEP + self._offset) % _NAMES
        big, rest = divmod(place, len(_SYLLABLES) ** 2)
        middle, small = divmod(rest, len(_SYLLABLES))
        stem = _SYLLABLES[big] + _SYLLABLES[middle] + _SYLLABLES[small]
        ending = rng.choice(("", "", "_dev", str(rng.below(90) + 10), "_ops", "_0x"))
        return (stem.capitalize() if rng.below(2) else stem) + ending


def _user_id(nth: int, rng: SeededRandom) -> int:
    """Return a user id; the low digits are the number, so that ids are unique. Half are snowflakes, as on X."""
    if rng.below(2):
        return (rng.below(3_000) + 10) * 1_000_000 + nth
    joined = snowflake.first_id(1_400_000_000_000 + rng.below(360_000_000_000))
    return joined + nth


def _display_name(username: str, rng: SeededRandom) -> str:
    stem = username[:6].capitalize()
    style = rng.below(20)
    if style == 0:
        return rng.choice(_SHARED_NAMES)
    if style == 1:
        return rng.choice(_RTL_NAMES)
    if style < 5:
        return f"{stem} {rng.choice(EMOJI)}"
    if style < 8:
        return f"{stem} | {rng.choice(('Ops', 'Cloud', 'データ', 'Código', 'R&amp;D'))}"
    return f"{stem[:4]} {stem[2:].capitalize()}"
