"""Retention: deletes tweets and payloads that are older than the settings allow, without tombstones.

A tweet's age counts from its creation, a payload's from its retrieval. On PostgreSQL whole partitions of tweets become too old:
those are emptied by ranges of ids, and then their tables are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from alchemy import Database
from collector import counters
from collector.runs import lease
from collector.tweets import derived, erasure
from collector.tweets.deletions import remove_idle_authors, remove_tweets
from database import partitions
from database.functions import among
from models import (
    TWEET_WORDS,
    AuthorPayload,
    EarlierMeasurement,
    Payload,
    Tweet,
    TweetHashtag,
    TweetLink,
    TweetMention,
    TweetTag,
    Version,
)
from queries.counters import x_now
from queries.gaps import first_id

BATCH = 500
PARTITION_BATCH = 2_000
"""Tweets deleted in one transaction, during which every other writer waits: some seconds."""


class RetentionResult(NamedTuple):
    """How many tweets, and how many payloads of tweets and authors, were deleted for their age."""

    tweets: int
    payloads: int


def expire(database: Database, *, tweets: timedelta | None, payloads: timedelta | None, stop: Event) -> RetentionResult:
    """Delete what is older, oldest first and in short transactions, until `stop` is set; None keeps it forever.

    Of this machine's clock and X's the one that is behind counts. Raises DatabaseUnavailable.
    """
    with database.reading() as session:
        now = min(datetime.now(UTC), x_now(session))

    def remove_older(remove_batch: Callable[..., int | None], age: timedelta | None) -> int:
        return 0 if age is None else _remove_in_batches(database, partial(remove_batch, limit=now - age), stop)

    removed = remove_older(_shrink_oldest_partition, tweets) + remove_older(_remove_old_tweets, tweets)
    removed_payloads = remove_older(_remove_old_payloads, payloads) + remove_older(_remove_old_author_payloads, payloads)
    if removed or removed_payloads:
        erasure.erase(database)
    return RetentionResult(removed, removed_payloads)


def _remove_in_batches(database: Database, remove_batch: Callable[[Session], int | None], stop: Event) -> int:
    """Delete batches until `remove_batch` returns None, because none is left, and return how many rows that were."""

    def remove(session: Session) -> int | None:
        lease.refuse_while_restoring(session)
        return remove_batch(session)

    removed = 0
    while not stop.is_set() and (batch := database.write(remove)) is not None:
        removed += batch
    return removed


def _remove_old_tweets(session: Session, limit: datetime) -> int | None:
    oldest = select(Tweet.id).where(Tweet.created < limit).order_by(Tweet.created, Tweet.id).limit(BATCH)
    return remove_tweets(session, session.scalars(oldest).all()) or None


def _remove_old_payloads(session: Session, limit: datetime) -> int | None:
    old = select(Payload.id).where(Payload.retrieved < limit).order_by(Payload.retrieved).limit(BATCH)
    ids = session.scalars(old).all()
    session.execute(delete(Payload).where(Payload.id.in_(ids)))
    return _record_deletion(session, ids)


def _remove_old_author_payloads(session: Session, limit: datetime) -> int | None:
    ids = session.scalars(select(AuthorPayload.author_id).where(AuthorPayload.retrieved < limit).limit(BATCH)).all()
    session.execute(delete(AuthorPayload).where(AuthorPayload.author_id.in_(ids)))
    return _record_deletion(session, ids)


def _record_deletion(session: Session, ids: Sequence[int]) -> int | None:
    if ids:
        erasure.record_deletion(session)
    return len(ids) or None


def _shrink_oldest_partition(session: Session, limit: datetime) -> int | None:
    """Delete a batch of the oldest partition whose tweets were all created before the limit, or drop it if it is empty.

    Return how many tweets were deleted, None where there is no such partition.
    """
    for partition in partitions.parts(session):
        newest = session.scalar(select(func.max(Tweet.created)).where(among(Tweet.id, partition)))
        if newest is None and partition.stop <= first_id(limit) and not _has_payloads(session, partition):
            partitions.drop(session, partition)
            return 0
        if newest is not None and newest < limit:
            return _remove_partition_batch(session, partition)
    return None


def _has_payloads(session: Session, partition: range) -> bool:
    """Whether a partition still has payloads of a tweet of another one: of an edit that was made in the next ninety days."""
    return session.scalar(select(Payload.id).where(among(Payload.id, partition)).limit(1)) is not None


def _remove_partition_batch(session: Session, partition: range) -> int:
    rows = select(Tweet.id, Tweet.author_id).where(among(Tweet.id, partition)).order_by(Tweet.id).limit(PARTITION_BATCH)
    removed = session.execute(rows).all()
    ids = range(partition.start, removed[-1].id + 1)
    with derived.maintain(session, ids):
        for table in (TweetTag, TweetHashtag, TweetLink, TweetMention, EarlierMeasurement, Version, Payload):
            session.execute(delete(table).where(among(table.tweet_id, ids)))
        TWEET_WORDS.forget(session, ids)
        session.execute(delete(Tweet).where(among(Tweet.id, ids)))
    remove_idle_authors(session, {row.author_id for row in removed if row.author_id is not None})
    erasure.record_deletion(session)
    counters.bump_sequence(session)
    return len(removed)
