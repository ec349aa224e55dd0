"""Ranges: which ids the tweets of an hour have, so that a period is found in a list that is sorted by id.

Ids tell the time of nearly every tweet, but archives hold others. A range is never narrowed: it says where tweets may be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among, whole_hour
from database.statements import extend_range
from models import IdRange, Tweet

_hour = whole_hour(Tweet.created).label("hour")
RANGES = select(_hour, func.min(Tweet.id), func.max(Tweet.id)).group_by(_hour)


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Widen the ranges by what the tweets with these ids have become."""
    yield
    session.flush()
    _extend(session, (tuple(row) for row in session.execute(RANGES.where(among(Tweet.id, ids)))))


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """Widen the ranges by tweets that have just been added."""
    hour, found = whole_hour.seconds, dict[int, tuple[int, int]]()
    for find in finds:
        start, own = int(find.tweet.created.timestamp()) // hour * hour, find.tweet.id
        first, last = found.get(start, (own, own))
        found[start] = (min(first, own), max(last, own))
    _extend(session, ((start, *ids) for start, ids in found.items()))


def clear(session: Session) -> None:
    """Forget all ranges."""
    session.execute(delete(IdRange))


def _extend(session: Session, ranges: Iterable[tuple[Any, ...]]) -> None:
    extend_range(session, IdRange, [{"start": start, "first_id": first, "last_id": last} for start, first, last in ranges])
