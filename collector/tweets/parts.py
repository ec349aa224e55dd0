"""Parts: on PostgreSQL old tweets go in stretches of ids, and the tables that they lay in go once they are empty."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from collector import figures
from collector.tweets import derived, erasure
from collector.tweets.deletions import remove_idle
from database import partitions
from database.functions import among
from models import TWEET_WORDS, Payload, Tweet, TweetHashtag, TweetTag, Version
from queries.snowflakes import first_id

BATCH = 2_000
"""Tweets that go in one transaction, for as long as which every other writer waits: some seconds."""


def shrink_oldest(session: Session, limit: datetime) -> int | None:
    """Remove some tweets of the oldest part whose tweets were all created before this, or drop it if none is left.

    Return how many tweets went, None where there is no such part.
    """
    for part in partitions.parts(session):
        newest = session.scalar(select(func.max(Tweet.created)).where(among(Tweet.id, part)))
        if newest is None and part.stop <= first_id(limit) and not _has_payloads(session, part):
            partitions.drop(session, part)
            return 0
        if newest is not None and newest < limit:
            return _remove(session, part)
    return None


def _has_payloads(session: Session, part: range) -> bool:
    """Tell whether a part still has what X gave of a tweet of another one: a version that was made in the next ninety days."""
    return session.scalar(select(Payload.id).where(among(Payload.id, part)).limit(1)) is not None


def _remove(session: Session, part: range) -> int:
    rows = select(Tweet.id, Tweet.author_id).where(among(Tweet.id, part)).order_by(Tweet.id).limit(BATCH)
    found = session.execute(rows).all()
    stretch = range(part.start, found[-1].id + 1)
    with derived.maintain(session, stretch):
        for table in (TweetTag, TweetHashtag, Version, Payload):
            session.execute(delete(table).where(among(table.tweet_id, stretch)))
        TWEET_WORDS.forget(session, stretch)
        session.execute(delete(Tweet).where(among(Tweet.id, stretch)))
    remove_idle(session, {row.author_id for row in found if row.author_id is not None})
    erasure.owe(session)
    figures.bump_sequence(session)
    return len(found)
