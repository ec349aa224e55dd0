"""Chance without a state: every roll is a function of its key.

Python's hash() of a text differs between processes and random.Random is slow to seed, so the world is drawn
from BLAKE2b.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import exp, log
from typing import TypeVar

Item = TypeVar("Item")
_SPENT = 1 << 64


def number(key: str) -> int:
    """Return 512 bits that depend on the key alone."""
    return int.from_bytes(blake2b(key.encode()).digest(), "big")


class Dice:
    """A sequence of rolls fixed by a key; the same key gives the same rolls in any process."""

    __slots__ = ("_state",)

    def __init__(self, key: str) -> None:
        self._state = number(key)

    def roll(self, sides: int) -> int:
        """Return 0 to sides - 1."""
        if self._state < _SPENT:
            self._state = number(f"more {self._state}")
        self._state, face = divmod(self._state, sides)
        return face

    def chance(self, one_in: int) -> bool:
        """Return true once in so many rolls."""
        return self.roll(one_in) == 0

    def share(self) -> float:
        """Return a fraction from 0 up to 1, exclusive."""
        return self.roll(1 << 24) / (1 << 24)

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        return items[self.roll(len(items))]

    def heavy_tail(self, *, median: float, spread: float) -> int:
        """Return a count from a log-logistic distribution: most are small, a few are huge."""
        share = (self.roll(1 << 24) + 0.5) / (1 << 24)
        return int(exp(log(median) + spread * log(share / (1 - share))))
