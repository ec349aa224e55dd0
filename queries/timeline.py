"""Timeline: how many tweets and authors there were, quarter by quarter, hour by hour or day by day of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Tweet
from queries import gaps, periods, zones
from queries.counters import x_now
from queries.filters import ALL, Filters, conditions, next_second
from queries.periods import NONE, Period

MOST_BUCKETS = 10_000


class TimelineSlot(NamedTuple):
    """A bucket of time (UTC) and what it has of the wanted tweets; partial where a part of it isn't wanted or not over."""

    start: datetime
    end: datetime
    tweets: int
    authors: int
    partial: bool


class Timeline(NamedTuple):
    """All buckets, oldest first; complete where no collection has left a gap in this time."""

    slots: list[TimelineSlot]
    complete: bool


class TooManyBuckets(Exception):
    """More than MOST_BUCKETS were asked for."""


def timeline(session: Session, *, bucket: timedelta, zone: tzinfo, filters: Filters = ALL) -> Timeline:
    """Return all buckets (QUARTER, HOUR or DAY of zones) from `since` to `until`; raises TooManyBuckets before it counts.

    Where these are not given, the first and the last of the wanted tweets take their place.
    """
    asked = _requested_period(filters)
    first, end = _period(session, filters, asked)
    found = _buckets(zone, bucket, first, end) if first < end else []
    wanted = [(max(start, asked[0]), min(until, asked[1])) for start, until in found]
    counts = _counts(session, filters, wanted)
    now = x_now(session).timestamp()
    shown = [
        TimelineSlot(_time(whole[0]), _time(whole[1]), *counts.get(part, NONE), part != whole or whole[1] > now)
        for whole, part in zip(found, wanted, strict=True)
    ]
    first, end = (wanted[0][0], wanted[-1][1]) if wanted else asked
    return Timeline(shown, not gaps.any_within(session, keys=filters.tags, first=first, end=end))


def _buckets(zone: tzinfo, bucket: timedelta, first: int, end: int) -> list[Period]:
    """Return the buckets of this time; where there are far too many, not even the zone's changes of clocks are looked for."""
    far_too_many = end - first > 2 * MOST_BUCKETS * bucket.total_seconds()
    found = [] if far_too_many else list(islice(zones.buckets(zone, bucket, first, end), MOST_BUCKETS + 1))
    if far_too_many or len(found) > MOST_BUCKETS:
        raise TooManyBuckets
    return found


def _requested_period(filters: Filters) -> Period:
    """Return the time that is asked for in epoch seconds, as far as calendars and zones go."""
    since = zones.FIRST if filters.since is None else int(next_second(filters.since).timestamp())
    until = zones.LAST if filters.until is None else int(next_second(filters.until).timestamp())
    return max(since, zones.FIRST), min(until, zones.LAST)


def _period(session: Session, filters: Filters, asked: Period) -> Period:
    """Return the time to be shown, an empty one where there is nothing that could begin or end it."""
    first, end = asked
    wanted = conditions(filters)
    if filters.since is None:
        oldest = session.scalar(select(func.min(Tweet.created)).where(*wanted))
        first = int(oldest.timestamp()) if oldest else end
    if filters.until is None:
        newest = session.scalar(select(func.max(Tweet.created)).where(*wanted))
        end = int(newest.timestamp()) + 1 if newest else first
    return first, end


def _counts(session: Session, filters: Filters, wanted: list[Period]) -> dict[Period, periods.PeriodCount]:
    """Count by roll-ups where all tweets of these periods are wanted, else by rows."""
    if filters._replace(since=None, until=None) == ALL:
        return periods.rollup_counts(session, wanted)
    return periods.counts_by_period(session, wanted, conditions(filters))


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
