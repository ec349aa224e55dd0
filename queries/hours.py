"""Tweets by the hour of the day."""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo
from typing import Any, NamedTuple

from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from database.functions import instant
from models import Quarter, Tweet
from queries.filters import ALL, Filters, conditions
from queries.periods import time_with_tweets
from queries.zones import DAY_S, HOUR_S, QUARTER_S, OffsetPeriod, offset_periods


class HourCount(NamedTuple):
    """How many tweets were created in an hour of the day, 0 to 23, of the zone asked for."""

    hour: int
    tweets: int


def per_hour(session: Session, *, zone: tzinfo, filters: Filters = ALL) -> list[HourCount]:
    """Return all 24 hours. Counted by quarter hours in UTC, which is exact for the offsets of every current zone."""
    counts = Counter[int]()
    for period in offset_periods(zone, *time_with_tweets(session)):
        counts.update(_counts(session, period, Quarter.tweets if filters == ALL else _matching(filters)))
    return [HourCount(hour, counts[hour]) for hour in range(24)]


def _counts(session: Session, period: OffsetPeriod, tweets: SQLColumnExpression[Any]) -> dict[int, int]:
    """Return by the hour of the day how many tweets a period has, in which no clock is changed."""
    hour = ((Quarter.start + period.offset) % DAY_S // HOUR_S).label("hour")
    rows = select(hour, func.sum(tweets)).where(Quarter.start >= period.first, Quarter.start < period.end)
    return {found: int(count) for found, count in session.execute(rows.group_by(hour))}


def _matching(filters: Filters) -> SQLColumnExpression[Any]:
    """Return how many of the wanted tweets a quarter has."""
    within = (Tweet.created >= instant(Quarter.start), Tweet.created < instant(Quarter.start + QUARTER_S))
    return select(func.count()).where(*within, *conditions(filters)).scalar_subquery()
