"""Retention: what is older than it may be is removed. It leaves no tombstones, for nobody asked for its deletion.

A tweet's age is that of its creation, what X gave of it that of its retrieval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import NamedTuple, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector.runs import lease
from collector.tweets import erasure, parts
from collector.tweets.deletions import remove
from models import AuthorPayload, Payload, Tweet
from queries.figures import x_now

BATCH = 500
T = TypeVar("T")


class RetentionResult(NamedTuple):
    """How many tweets, and how many tweets and authors as X gave them, were removed for their age."""

    tweets: int
    payloads: int


def expire(database: Database, *, tweets: timedelta | None, payloads: timedelta | None, stop: Event) -> RetentionResult:
    """Remove what is older, oldest first and in short transactions, until `stop` is set; None keeps it forever.

    Of this machine's clock and X's the one that is behind counts. Raises DatabaseUnavailable.
    """
    with database.reading() as session:
        now = min(datetime.now(UTC), x_now(session))
    limit = _limit(now, tweets)
    gone = _parts(database, limit, stop) + _remove_in_batches(database, _old_tweets, limit, stop)
    bodies = [_remove_in_batches(database, old, _limit(now, payloads), stop) for old in (_old_payloads, _old_author_payloads)]
    if gone or any(bodies):
        erasure.settle(database)
    return RetentionResult(gone, sum(bodies))


def _limit(now: datetime, age: timedelta | None) -> datetime | None:
    return None if age is None else now - age


def _parts(database: Database, limit: datetime | None, stop: Event) -> int:
    """Remove old tweets part by part, on PostgreSQL, and return how many that were."""
    removed = 0
    while limit and not stop.is_set():
        dropped = database.write(partial(_some, parts.shrink_oldest, limit))
        if dropped is None:
            break
        removed += dropped
    return removed


def _remove_in_batches(database: Database, old: Callable[[Session, datetime], int], limit: datetime | None, stop: Event) -> int:
    """Remove batches until there is nothing older than the limit, and return how many rows that were."""
    removed = 0
    while limit and not stop.is_set():
        batch = database.write(partial(_some, old, limit))
        removed += batch
        if batch < BATCH:
            break
    return removed


def _some(old: Callable[[Session, datetime], T], limit: datetime, session: Session) -> T:
    lease.refuse_while_restoring(session)
    return old(session, limit)


def _old_tweets(session: Session, limit: datetime) -> int:
    oldest = select(Tweet.id).where(Tweet.created < limit).order_by(Tweet.created, Tweet.id).limit(BATCH)
    return remove(session, session.scalars(oldest).all())


def _old_payloads(session: Session, limit: datetime) -> int:
    old = select(Payload.id).where(Payload.retrieved < limit).order_by(Payload.retrieved).limit(BATCH)
    ids = session.scalars(old).all()
    session.execute(delete(Payload).where(Payload.id.in_(ids)))
    return _count_pending(session, ids)


def _old_author_payloads(session: Session, limit: datetime) -> int:
    ids = session.scalars(select(AuthorPayload.author_id).where(AuthorPayload.retrieved < limit).limit(BATCH)).all()
    session.execute(delete(AuthorPayload).where(AuthorPayload.author_id.in_(ids)))
    return _count_pending(session, ids)


def _count_pending(session: Session, ids: Sequence[int]) -> int:
    if ids:
        erasure.owe(session)
    return len(ids)
