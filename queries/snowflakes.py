"""Snowflakes: the ids of tweets tell when X gave them out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TWITTER_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1288834974657)


def snowflake_time(tweet_id: int) -> datetime:
    """Return the instant (UTC) at which X gave out this id; X has given them out so since 2010-11-04."""
    return TWITTER_EPOCH + timedelta(milliseconds=tweet_id >> 22)


def first_id(when: datetime) -> int:
    """Return the lowest id that X gives out at this instant, never negative."""
    return max((when - TWITTER_EPOCH) // timedelta(milliseconds=1), 0) << 22
