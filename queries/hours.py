"""Tweets by the hour of the day."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Quarter


class HourCount(NamedTuple):
    """How many tweets were created in an hour of the day, 0 to 23, of the zone asked for."""

    hour: int
    tweets: int


def per_hour(session: Session, *, zone: tzinfo) -> list[HourCount]:
    """Return all 24 hours. Counted by quarter hours in UTC, which is exact for the offsets of every current zone."""
    counts = [0] * 24
    for start, tweets in session.execute(select(Quarter.start, Quarter.tweets)):
        counts[datetime.fromtimestamp(start, UTC).astimezone(zone).hour] += tweets
    return [HourCount(hour, tweets) for hour, tweets in enumerate(counts)]
