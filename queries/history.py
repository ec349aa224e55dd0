"""A tweet's history: its numbers whenever they were measured, and what is kept of each of its versions."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import EarlierMeasurement, Payload, Tweet
from queries.tweets import NUMBERS


class TweetNumbers(NamedTuple):
    """The numbers of a tweet that X gave at a time (UTC), None where it gave none."""

    at: datetime
    likes: int | None
    reposts: int | None
    replies: int | None
    quotes: int | None
    bookmarks: int | None
    views: int | None

    @property
    def engagement(self) -> int | None:
        """Likes, reposts, replies and quotes together as far as they are known; None if none is."""
        known = [number for number in self[1:5] if number is not None]
        return sum(known) if known else None


def tweet_numbers(session: Session, tweet_id: int) -> list[TweetNumbers]:
    """Return a tweet's numbers, oldest first."""
    earlier = select(EarlierMeasurement.at, *(getattr(EarlierMeasurement, name) for name in NUMBERS))
    earlier = earlier.where(EarlierMeasurement.tweet_id == tweet_id).order_by(EarlierMeasurement.at)
    newest = select(Tweet.measured, *(getattr(Tweet, name) for name in NUMBERS))
    newest = newest.where(Tweet.id == tweet_id, Tweet.measured.is_not(None))
    return [TweetNumbers(*row) for query in (earlier, newest) for row in session.execute(query)]


def kept_versions(session: Session, tweet_id: int) -> dict[int, bytes]:
    """Return what X gave of a tweet's versions, packed, by the version's id."""
    return dict(session.execute(select(Payload.id, Payload.body).where(Payload.tweet_id == tweet_id)).all())
