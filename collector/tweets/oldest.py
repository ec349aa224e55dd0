"""The oldest partition of tweets, on PostgreSQL: retention empties it by ranges of ids, and then drops its tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from collector import counters
from collector.tweets import derived, erasure
from collector.tweets.deletions import remove_idle_authors
from database import partitions
from database.functions import among
from models import TWEET_WORDS, Payload, Tweet, TweetHashtag, TweetTag, Version
from queries.gaps import first_id

BATCH = 2_000
"""Tweets deleted in one transaction, during which every other writer waits: some seconds."""


def shrink_oldest(session: Session, limit: datetime) -> int | None:
    """Delete a batch of the oldest partition whose tweets were all created before the limit, or drop it if it is empty.

    Return how many tweets were deleted, None where there is no such partition.
    """
    for partition in partitions.parts(session):
        newest = session.scalar(select(func.max(Tweet.created)).where(among(Tweet.id, partition)))
        if newest is None and partition.stop <= first_id(limit) and not _has_payloads(session, partition):
            partitions.drop(session, partition)
            return 0
        if newest is not None and newest < limit:
            return _remove_batch(session, partition)
    return None


def _has_payloads(session: Session, partition: range) -> bool:
    """Whether a partition still has payloads of a tweet of another one: of an edit that was made in the next ninety days."""
    return session.scalar(select(Payload.id).where(among(Payload.id, partition)).limit(1)) is not None


def _remove_batch(session: Session, partition: range) -> int:
    rows = select(Tweet.id, Tweet.author_id).where(among(Tweet.id, partition)).order_by(Tweet.id).limit(BATCH)
    removed = session.execute(rows).all()
    ids = range(partition.start, removed[-1].id + 1)
    with derived.maintain(session, ids):
        for table in (TweetTag, TweetHashtag, Version, Payload):
            session.execute(delete(table).where(among(table.tweet_id, ids)))
        TWEET_WORDS.forget(session, ids)
        session.execute(delete(Tweet).where(among(Tweet.id, ids)))
    remove_idle_authors(session, {row.author_id for row in removed if row.author_id is not None})
    erasure.record_deletion(session)
    counters.bump_sequence(session)
    return len(removed)
