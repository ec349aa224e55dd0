"""Parts: on PostgreSQL tweets of thirty days go at once, with the parts of the tables that they lie in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from collector import figures
from collector.tweets import derived, erasure
from collector.tweets.deletions import remove_idle
from models import Payload, Tweet, Version
from queries.snowflakes import first_id
from sql import partitions
from sql.functions import among


def drop_oldest(session: Session, limit: datetime) -> int | None:
    """Drop the oldest part whose tweets were all created before this; return how many those were, None where there is no such.

    Roll-ups are kept as if each tweet had been removed. A part stays, and its tweets go one by one, where it has what X gave
    of other parts' tweets: a version that was made in another month than the tweet.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    for part in partitions.parts(session):
        newest = session.scalar(select(func.max(Tweet.created)).where(among(Tweet.id, part)))
        over = part.stop <= first_id(limit) if newest is None else newest < limit
        if over and not _entangled(session, part):
            return _drop(session, part)
    return None


def _entangled(session: Session, part: range) -> bool:
    elsewhere = or_(Payload.tweet_id < part.start, Payload.tweet_id >= part.stop)
    return session.scalar(select(Payload.id).where(among(Payload.id, part), elsewhere).limit(1)) is not None


def _drop(session: Session, part: range) -> int:
    within = among(Tweet.id, part)
    tweets = session.scalar(select(func.count()).select_from(Tweet).where(within)) or 0
    authors = session.scalars(select(Tweet.author_id).where(within, Tweet.author_id.is_not(None)).distinct()).all()
    with derived.kept(session, part):
        for table in (Version, Payload):
            session.execute(delete(table).where(among(table.tweet_id, part)))
        partitions.drop(session, part)
    remove_idle(session, [author for author in authors if author is not None])
    erasure.owe(session)
    figures.changed(session)
    return tweets
