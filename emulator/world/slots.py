"""Which tweet ids exist in a slot of time, and with which hashtags.

A search decides about most tweets by their hashtags alone, so this takes well under a microsecond a tweet: the ids and
hashtags of a slot come from one seeded generator, and everything else about a tweet is made when it is needed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from math import pi, sin
from random import Random
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.seeded_random import SeededRandom
from emulator.world.word_lists import COMPANIONS, SUBJECTS

_COMBINATIONS_PER_SUBJECT = 48  # more than there are companions, so that each is used with each subject
_ALONE_PERCENT = 40
WEEK_MS = 7 * 24 * 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
_SLOT_SECONDS = (7200, 3600, 1800, 900, 600, 300, 120, 60)
_TWEETS_PER_SLOT = 250
_CACHED_TWEETS = 2_500_000
_EDITED_ONE_IN = 120
_EDIT_MS = (10_000, 30 * 60_000)  # X's documentation: a post may be edited for 30 minutes
_VERSIONS = 5  # X's documentation: an edited post has at most five later versions


class Combination(NamedTuple):
    """Tags used together in a tweet, casefolded, the subject first; weight is relative."""

    tags: tuple[str, ...]
    weight: float


class IdSlot(NamedTuple):
    """The tweets of a slot of time, oldest first. tag_sets: for each id, an index into the stream's tags.

    chains: for each id that is a version of an edited post, all ids of that post, oldest first.
    """

    ids: array[int]
    tag_sets: array[int]
    chains: Mapping[int, tuple[int, ...]]


class SlotStream:
    """Tweets that depend on a name, a weekly volume and the time alone."""

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
        rng = Random(f"{self.name} {index}")
        ids = self._ids(index, rng)
        tag_sets = array("H", rng.choices(range(len(self.tags)), cum_weights=self._weights, k=len(ids)))
        return IdSlot(ids, tag_sets, _edit(ids, tag_sets, rng))

    def _ids(self, index: int, rng: Random) -> array[int]:
        start = index * self.slot_ms
        expected = self._weekly * self.slot_ms / WEEK_MS * rhythm(start + self.slot_ms // 2)
        count = int(expected * (0.85 + 0.3 * rng.random()) + rng.random())
        first, halves = snowflake.first_id(start), self.slot_ms << (snowflake.LOW_BITS - 1)
        draw, low_bit = rng.random, self._low_bit  # a draw has 53 bits, the halves of a slot at most 44
        return array("q", sorted({first + 2 * int(draw() * halves) + low_bit for _ in range(count)}))


def rhythm(at_ms: int) -> float:
    """Return the relative volume at an instant: 1 on average over a week, less at night (UTC) and at weekends."""
    day = 1 + 0.55 * sin(2 * pi * (at_ms % _DAY_MS / _DAY_MS - 8 / 24))
    weekend = (at_ms // _DAY_MS + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    return day * (0.6 if weekend else 1.16)


def _slot_ms(weekly: float) -> int:
    """Return the longest slot that holds no more than _TWEETS_PER_SLOT on average."""
    fitting = (seconds for seconds in _SLOT_SECONDS if weekly * seconds * 1000 / WEEK_MS <= _TWEETS_PER_SLOT)
    return next(fitting, _SLOT_SECONDS[-1]) * 1000


def _edit(ids: array[int], tag_sets: array[int], rng: Random) -> dict[int, tuple[int, ...]]:
    """Make some tweets later versions of a slightly older one, and return the chains. Changes tag_sets."""
    chains: dict[int, tuple[int, ...]] = {}
    for _ in range(int(len(ids) / _EDITED_ONE_IN + rng.random())):
        later = int(rng.random() * len(ids))
        earlier = max(later - 1 - int(rng.random() * 6), 0)
        chain = (*chains.get(ids[earlier], (ids[earlier],)), ids[later]) if len(ids) else ()
        if _is_plausible(chain, chains):
            tag_sets[later] = tag_sets[bisect_left(ids, chain[0])]
            chains.update(dict.fromkeys(chain, chain))
    return chains


def _is_plausible(chain: tuple[int, ...], chains: Mapping[int, tuple[int, ...]]) -> bool:
    if len(chain) < 2 or len(chain) > _VERSIONS or chain[-1] in chains or chain[-2] >= chain[-1]:
        return False
    span = snowflake.milliseconds(chain[-1]) - snowflake.milliseconds(chain[0])
    gap = snowflake.milliseconds(chain[-1]) - snowflake.milliseconds(chain[-2])
    return gap >= _EDIT_MS[0] and span <= _EDIT_MS[1]


def known_tags() -> frozenset[str]:
    """Return every hashtag of the word lists, casefolded."""
    return frozenset(_spellings())


def spelling(tag: str) -> str:
    """Return the usual spelling of a casefolded tag."""
    return _spellings().get(tag) or tag.capitalize()


def combinations(seed: int) -> Sequence[Combination]:
    """Return all sets of tags that occur in the world of this seed, in a fixed order."""
    return [
        combination
        for subject, weight in SUBJECTS.items()
        for combination in _combinations_of(subject, weight, SeededRandom(f"{seed} tags {subject}"))
    ]


def _combinations_of(subject: str, weight: int, rng: SeededRandom) -> list[Combination]:
    alone = weight * _ALONE_PERCENT / 100
    shares = [1 / (6 + rng.below(_COMBINATIONS_PER_SUBJECT)) for _ in range(_COMBINATIONS_PER_SUBJECT)]
    found: dict[tuple[str, ...], float] = {(subject.casefold(),): alone}
    for nth, share in enumerate(shares):
        tags = _tag_set(subject, COMPANIONS[nth % len(COMPANIONS)], rng)
        found[tags] = found.get(tags, 0) + (weight - alone) * share / sum(shares)
    return [Combination(tags, share) for tags, share in found.items()]


def _tag_set(subject: str, companion: str, rng: SeededRandom) -> tuple[str, ...]:
    """Return a subject with a companion and perhaps more tags, each once."""
    tags = [subject, companion]
    for _ in range(min(rng.heavy_tail(median=0.8, spread=0.5), 4)):
        tags.append(rng.choice(COMPANIONS) if rng.below(5) else rng.choice(tuple(SUBJECTS)))
    return tuple(dict.fromkeys(tag.casefold() for tag in tags))


@cache
def _spellings() -> dict[str, str]:
    return {tag.casefold(): tag for tag in (*SUBJECTS, *COMPANIONS)}
