"""Incidents: once in four days, many people write of an outage within half an hour, and two accounts write most of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from random import Random

from emulator.world import snowflake
from emulator.world.authors import InventedAuthors
from emulator.world.seeded_random import SeededRandom
from emulator.world.slots import Combination, SlotStream
from emulator.world.tweets import INCIDENT_TAGS, Traits

_SLOTS = 48  # of two hours: four days
_TWEETS, _SPAN_MS, _START_MS = 60, 35 * 60_000, 10 * 60_000
_LOUDEST = (35, 60)
"""Of 100 tweets, how many the first author wrote, and the first two."""


class IncidentStream(SlotStream):
    """The tweets of incidents, which depend on the seed and the time alone; their ids are odd, as those of rare tags."""

    def __init__(self, seed: int) -> None:
        super().__init__(f"{seed} incidents", [Combination(INCIDENT_TAGS, 1)], weekly=1, low_bit=1)

    def has(self, root: int) -> bool:
        """Return whether this is the id of a tweet of an incident."""
        ids = self.slot(self.slot_of(root)).ids
        at = bisect_left(ids, root)
        return at < len(ids) and ids[at] == root

    def traits(self, traits: Traits, root: int, authors: InventedAuthors) -> Traits:
        """Return traits as those of a tweet of an incident."""
        share = SeededRandom(f"{self.name} {root}").below(100)
        loudest = sum(share >= least for least in _LOUDEST)
        rng = SeededRandom(f"{self.name} {self.slot_of(root)} author {loudest if loudest < len(_LOUDEST) else root}")
        author = authors.random_author("en", rng)
        return traits._replace(author=author, lang="en", link=True, long=False, replied_to=None, replied_author=None)

    def _ids(self, index: int, rng: Random) -> array[int]:
        if index % _SLOTS != SeededRandom(f"{self.name} {index // _SLOTS}").below(_SLOTS):
            return array("q")
        first, halves = snowflake.first_id(index * self.slot_ms + _START_MS), _SPAN_MS << (snowflake.LOW_BITS - 1)
        return array("q", sorted({first + 2 * rng.randrange(halves) + 1 for _ in range(_TWEETS)}))
