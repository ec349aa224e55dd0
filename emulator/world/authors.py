"""The invented people. A person is a function of the seed and their number; their followers also of time."""

from __future__ import annotations

from functools import lru_cache
from math import sin
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.dice import Dice, number
from emulator.world.phrases import BIOGRAPHIES, EMOJI, LANGUAGES

_SYLLABLES = tuple(first + second for first in "bdfgjklmnprstvwyz" for second in "aeiou")
_ORDER = {syllable: nth for nth, syllable in enumerate(_SYLLABLES)}
_NAMES = len(_SYLLABLES) ** 3
_STEP = 250_007  # coprime to the number of names, so neighbours in number differ in name
_BACK = pow(_STEP, -1, _NAMES)
_SHARED_NAMES = ("On Call", "Ops Notes", "Cloud Diary", "Night Shift", "DevOps Daily (invented)")
_RTL_NAMES = ("نوبة ليلية", "דוח תקלות", "مراقب الأنظمة", "שומר הלילה")
_LOCATIONS = ("Remote", "Planet Earth", "Lisboa", "Berlin", "東京", "Bengaluru", "القاهرة", "NYC &amp; elsewhere", "")
_DRIFT_EPOCH_MS = 1767225600000  # 2026-01-01, from which followers are reckoned
_DAY_MS = 86_400_000


class InventedAuthor(NamedTuple):
    """A person. followers is their count at the start of 2026, growth the share gained in a year.

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
        days = (at_ms - _DRIFT_EPOCH_MS) / _DAY_MS
        wave = 1 + 0.004 * sin(days / 3 + self.number)
        return max(int(self.followers * (1 + self.growth * days / 365) * wave), 0)


class InventedAuthors:
    """All the people of a world; the first numbers of each language tweet most."""

    def __init__(self, seed: int, *, tweets: int) -> None:
        self._seed = seed
        self._offset = number(f"{seed} usernames") % _NAMES
        pool = min(max(tweets // 6, 900), 60_000)
        whole = sum(language.share for language in LANGUAGES)
        self._groups: dict[str, tuple[int, int]] = {}
        first = 0
        for language in LANGUAGES:
            size = max(pool * language.share // whole, 12)
            self._groups[language.code] = (first, size)
            first += size
        self.count = first
        self.author = lru_cache(4_096)(self._make)

    def draw(self, lang: str, dice: Dice) -> int:
        """Return the number of someone who writes this language; few write much, many write little."""
        first, size = self._groups[lang]
        return first + int(size * dice.share() ** 2.2)

    def find(self, who: str) -> int | None:
        """Return the number of a username in any case, or None."""
        stem = who.casefold()[:6]
        big, middle, small = (_ORDER.get(stem[at : at + 2]) for at in (0, 2, 4))
        if big is None or middle is None or small is None:
            return None
        place = (big * len(_SYLLABLES) + middle) * len(_SYLLABLES) + small
        found = (place - self._offset) * _BACK % _NAMES
        known = found < self.count and self.author(found).username.casefold() == who.casefold()
        return found if known else None

    def _make(self, nth: int) -> InventedAuthor:
        dice = Dice(f"{self._seed} author {nth}")
        username = self._username(nth, dice)
        followers = dice.heavy_tail(median=420, spread=1.15)
        return InventedAuthor(
            number=nth,
            id=_user_id(nth, dice),
            username=username,
            name=_display_name(username, dice),
            location=dice.pick(_LOCATIONS),
            description=dice.pick(BIOGRAPHIES),
            verified=followers > 20_000 or dice.chance(12),
            protected=False,
            followers=min(followers, 4_000_000),
            growth=dice.share() * 0.5 - 0.1,
            following=dice.heavy_tail(median=350, spread=0.6),
            tweets=dice.heavy_tail(median=2500, spread=0.8) + 1,
            listed=followers // 90,
            likes=dice.heavy_tail(median=3000, spread=0.9),
            absence=("suspended", "missing")[dice.roll(2)] if dice.chance(160) else None,
        )

    def _username(self, nth: int, dice: Dice) -> str:
        place = (nth * _STEP + self._offset) % _NAMES
        big, rest = divmod(place, len(_SYLLABLES) ** 2)
        middle, small = divmod(rest, len(_SYLLABLES))
        stem = _SYLLABLES[big] + _SYLLABLES[middle] + _SYLLABLES[small]
        ending = dice.pick(("", "", "_dev", str(dice.roll(90) + 10), "_ops", "_0x"))
        return (stem.capitalize() if dice.roll(2) else stem) + ending


def _user_id(nth: int, dice: Dice) -> int:
    """Return a user id; the low digits are the number, so that ids are unique. Half are snowflakes, as on X."""
    if dice.roll(2):
        return (dice.roll(3_000) + 10) * 1_000_000 + nth
    joined = snowflake.first_id(1_400_000_000_000 + dice.roll(360_000_000_000))
    return joined + nth


def _display_name(username: str, dice: Dice) -> str:
    stem = username[:6].capitalize()
    style = dice.roll(20)
    if style == 0:
        return dice.pick(_SHARED_NAMES)
    if style == 1:
        return dice.pick(_RTL_NAMES)
    if style < 5:
        return f"{stem} {dice.pick(EMOJI)}"
    if style < 8:
        return f"{stem} | {dice.pick(('Ops', 'Cloud', 'データ', 'Código', 'R&amp;D'))}"
    return f"{stem[:4]} {stem[2:].capitalize()}"
