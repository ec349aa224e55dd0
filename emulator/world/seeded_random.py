"""Random numbers that depend on a key alone, the same in any process.

Python's hash() of a text differs between processes and random.Random is slow to seed, so they come from BLAKE2b.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import exp, log
from typing import TypeVar

Item = TypeVar("Item")
_EXHAUSTED = 1 << 64


def hash_number(key: str) -> int:
    """Return 512 bits that depend on the key alone."""
    return int.from_bytes(blake2b(key.encode()).digest(), "big")


class SeededRandom:
    """A sequence of random numbers fixed by a key."""

    __slots__ = ("_state",)

    def __init__(self, key: str) -> None:
        self._state = hash_number(key)

    def below(self, limit: int) -> int:
        """Return 0 to limit - 1."""
        if self._state < _EXHAUSTED:
            self._state = hash_number(f"more {self._state}")
        self._state, number = divmod(self._state, limit)
        return number

    def one_in(self, number: int) -> bool:
        """Return true with a probability of one in a number."""
        return self.below(number) == 0

    def fraction(self) -> float:
        """Return a fraction from 0 up to 1, exclusive."""
        return self.below(1 << 24) / (1 << 24)

    def choice(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def heavy_tail(self, *, median: float, spread: float) -> int:
        """Return a count from a log-logistic distribution: most are small, a few are huge."""
        share = (self.below(1 << 24) + 0.5) / (1 << 24)
        return int(exp(log(median) + spread * log(share / (1 - share))))
