"""Sums of engagement: likes, reposts, replies and quotes of tweets together. Unknown ones are left out of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func

from models import Tweet


def summed(engagement: Any) -> ColumnElement[int | None]:
    """Return the sum of a column, as a whole number; null where no row has a value."""
    return cast(func.sum(engagement), BigInteger)


ENGAGEMENT = summed(Tweet.engagement)
"""The engagement of tweets together."""


def known_sum(numbers: Iterable[int | None]) -> int | None:
    """Return the sum of those numbers that are known; None if none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
