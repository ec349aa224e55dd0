"""The cheap stage of the world: which ids exist in a stretch of time, and with which tags.

A search decides on this stage alone for most tweets, so it costs well under a microsecond a tweet: the ids and
tags of a slot come from one seeded generator, and everything else about a tweet is left for later.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import pi, sin
from random import Random
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.vocabulary import Combination

WEEK_MS = 7 * 24 * 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
_SLOT_SECONDS = (7200, 3600, 1800, 900, 600, 300, 120, 60)
_COMFORTABLE = 250
_CACHED_TWEETS = 2_500_000
_EDITED_ONE_IN = 120
_EDIT_MS = (10_000, 30 * 60_000)  # X's documentation: a post may be edited for 30 minutes
_VERSIONS = 5  # X's documentation: an edited post has at most five later versions


class IdSlot(NamedTuple):
    """The tweets of a stretch of time, oldest first.

    chains: for the ids that are versions of an edited post, all ids of that post, oldest first.
    """

    ids: array[int]
    kinds: array[int]
    chains: Mapping[int, tuple[int, ...]]


class SlotStream:
    """A flow of tweets, a function of its name, its volume and the time."""

    def __init__(self, name: str, combinations: Sequence[Combination], *, weekly: float, low_bit: int) -> None:
        self.name = name
        self.tags = tuple(combination.tags for combination in combinations)
        self._weights = list(accumulate(combination.weight for combination in combinations))
        self._weekly = weekly
        self._low_bit = low_bit
        self.slot_ms = _slot_ms(weekly)
        most = int(_CACHED_TWEETS / (weekly * self.slot_ms / WEEK_MS + 1))
        self.slot: Callable[[int], IdSlot] = lru_cache(min(most, 12_000))(self._make)

    def slot_of(self, post_id: int) -> int:
        """Return the number of the slot to which an id belongs."""
        return snowflake.milliseconds(post_id) // self.slot_ms

    def _make(self, index: int) -> IdSlot:
        chance = Random(f"{self.name} {index}")
        ids = self._ids(index, chance)
        kinds = array("H", chance.choices(range(len(self.tags)), cum_weights=self._weights, k=len(ids)))
        return IdSlot(ids, kinds, _edit(ids, kinds, chance))

    def _ids(self, index: int, chance: Random) -> array[int]:
        start = index * self.slot_ms
        expected = self._weekly * self.slot_ms / WEEK_MS * rhythm(start + self.slot_ms // 2)
        count = int(expected * (0.85 + 0.3 * chance.random()) + chance.random())
        first, halves = snowflake.first_id(start), self.slot_ms << (snowflake.LOW_BITS - 1)
        draw, low_bit = chance.random, self._low_bit  # a draw has 53 bits, the halves of a slot at most 44
        return array("q", sorted({first + 2 * int(draw() * halves) + low_bit for _ in range(count)}))


def rhythm(at_ms: int) -> float:
    """Return how busy an instant is: 1 on average over a week, less at night (UTC) and at weekends."""
    day = 1 + 0.55 * sin(2 * pi * (at_ms % _DAY_MS / _DAY_MS - 8 / 24))
    weekend = (at_ms // _DAY_MS + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return day * (0.6 if weekend else 1.16)


def _slot_ms(weekly: float) -> int:
    """Return the longest slot that holds a comfortable number of tweets."""
    for seconds in _SLOT_SECONDS:
        if weekly * seconds * 1000 / WEEK_MS <= _COMFORTABLE:
            return seconds * 1000
    return _SLOT_SECONDS[-1] * 1000


def _edit(ids: array[int], kinds: array[int], chance: Random) -> dict[int, tuple[int, ...]]:
    """Make some tweets later versions of a slightly older one, and return the chains. Changes kinds."""
    chains: dict[int, tuple[int, ...]] = {}
    for _ in range(int(len(ids) / _EDITED_ONE_IN + chance.random())):
        later = int(chance.random() * len(ids))
        earlier = max(later - 1 - int(chance.random() * 6), 0)
        chain = (*chains.get(ids[earlier], (ids[earlier],)), ids[later]) if len(ids) else ()
        if _is_plausible(chain, chains):
            kinds[later] = kinds[bisect_left(ids, chain[0])]
            chains.update(dict.fromkeys(chain, chain))
    return chains


def _is_plausible(chain: tuple[int, ...], chains: Mapping[int, tuple[int, ...]]) -> bool:
    if len(chain) < 2 or len(chain) > _VERSIONS or chain[-1] in chains or chain[-2] >= chain[-1]:
        return False
    span = snowflake.milliseconds(chain[-1]) - snowflake.milliseconds(chain[0])
    gap = snowflake.milliseconds(chain[-1]) - snowflake.milliseconds(chain[-2])
    return gap >= _EDIT_MS[0] and span <= _EDIT_MS[1]
