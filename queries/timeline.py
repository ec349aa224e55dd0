"""Tweets by time: the timeline of a zone's quarters, hours or days, counts by any periods, and by the hour of the day.

Periods are in epoch seconds, half-open. They are counted by roll-ups where all their tweets are wanted, else by rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import CTE, BigInteger, ColumnElement, SQLColumnExpression, case, distinct, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from database.functions import instant, pairs
from models import LONGEST_DAY, Presence, Quarter, Tweet
from queries import gaps, zones
from queries.counters import x_now
from queries.filters import ALL, Filters, conditions, next_second
from queries.zones import DAY_S, HOUR_S, QUARTER_S, OffsetPeriod, Period, offset_periods

MOST_BUCKETS = 10_000
HALF = 2**32  # two numbers in one, so that rows are read once
_HALF = literal(HALF, BigInteger)  # which PostgreSQL would take for a number of 32 bits


class PeriodCount(NamedTuple):
    """How many tweets, and how many authors they have; tweets without an author add none."""

    tweets: int
    authors: int


NONE = PeriodCount(0, 0)


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


def _counts(session: Session, filters: Filters, wanted: list[Period]) -> dict[Period, PeriodCount]:
    """Count by roll-ups where all tweets of these periods are wanted, else by rows."""
    if filters._replace(since=None, until=None) == ALL:
        return rollup_counts(session, wanted)
    return counts_by_period(session, wanted, conditions(filters))


def counts_by_period(
    session: Session, periods: Sequence[Period], wanted: Sequence[ColumnElement[bool]]
) -> dict[Period, PeriodCount]:
    """Count the tweets that meet all of these conditions, and their authors, by period."""
    asked = period_table(periods)
    both = func.count() * _HALF + func.count(distinct(Tweet.author_id))
    within = (Tweet.created >= asked.c.since, Tweet.created < asked.c.until)
    rows = session.execute(select(asked.c.first, asked.c.second, select(both).where(*within, *wanted).scalar_subquery()))
    return {(first, end): PeriodCount(*divmod(found, HALF)) for first, end, found in rows}


def rollup_counts(session: Session, periods: Sequence[Period]) -> dict[Period, PeriodCount]:
    """Count all tweets and their authors by period, which must not overlap; those that have none may be left out.

    It takes as long as there are quarters of an hour, however many tweets; where a period begins or ends within one, rows of
    that quarter are read.
    """
    first, end = time_with_tweets(session)
    whole = {period: _whole(period) for period in periods if period[0] < end and period[1] > first}
    counts = _sum_rollups(session, [inner for inner in whole.values() if inner[0] < inner[1]])
    return {
        period: counts.get(inner, NONE) if inner == period else _with_rest(session, period, inner, counts.get(inner, NONE))
        for period, inner in whole.items()
    }


def time_with_tweets(session: Session) -> Period:
    """Return the time that has tweets, in whole quarters; an empty one where there are none."""
    first, last = (select(end(Quarter.start)).scalar_subquery() for end in (func.min, func.max))
    found = session.execute(select(first, last)).one()
    return (found[0], found[1] + QUARTER_S) if found[0] is not None else (0, 0)


def _whole(period: Period) -> Period:
    """Return the part of a period that is made of whole quarters, not longer than presence reaches back."""
    first, end = -(-period[0] // QUARTER_S) * QUARTER_S, period[1] // QUARTER_S * QUARTER_S
    first = min(first, period[1])
    return first, min(max(end, first), first + LONGEST_DAY * QUARTER_S)


def _sum_rollups(session: Session, periods: Iterable[Period]) -> dict[Period, PeriodCount]:
    """Add up roll-ups of whole quarters. Each author is counted in the first of a period's quarters that they wrote in."""
    asked = pairs(periods)
    first, end = asked.c.first, asked.c.second
    within = (Quarter.start >= first, Quarter.start < end)
    signed = case((Presence.quarters == 0, Presence.authors), else_=-Presence.authors)
    before = (Presence.start == Quarter.start, Presence.quarters <= (Quarter.start - first) // QUARTER_S)
    newly = select(func.sum(signed)).where(*before).correlate(Quarter, asked).scalar_subquery()
    tweets, authors = (select(func.sum(what)).where(*within).scalar_subquery() for what in (Quarter.tweets, newly))
    rows = session.execute(select(first, end, tweets, authors))
    return {(start, until): PeriodCount(found or 0, people or 0) for start, until, found, people in rows}


def _with_rest(session: Session, period: Period, inner: Period, count: PeriodCount) -> PeriodCount:
    """Add what a period has outside of its inner part; only those authors who have nothing within that."""
    (first, end), (begin, stop) = (tuple(map(_time, both)) for both in (period, inner))
    rest = or_((Tweet.created >= first) & (Tweet.created < begin), (Tweet.created >= stop) & (Tweet.created < end))
    other = aliased(Tweet)
    again = exists().where(other.author_id == Tweet.author_id, other.created >= begin, other.created < stop)
    tweets = session.scalar(select(func.count()).select_from(Tweet).where(rest)) or 0
    authors = session.scalar(select(func.count(distinct(Tweet.author_id))).where(rest, ~again)) or 0
    return PeriodCount(count.tweets + tweets, count.authors + authors)


def period_table(periods: Iterable[Period]) -> CTE:
    """Return a table of periods, with their bounds as times as well."""
    asked = pairs(periods)
    bounds = instant(asked.c.first).label("since"), instant(asked.c.second).label("until")
    return select(asked, *bounds).cte("asked").prefix_with("MATERIALIZED")


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


class HourCount(NamedTuple):
    """How many tweets were created in an hour of the day, 0 to 23, of the zone asked for."""

    hour: int
    tweets: int


def per_hour(session: Session, *, zone: tzinfo, filters: Filters = ALL) -> list[HourCount]:
    """Return all 24 hours. Counted by quarter hours in UTC, which is exact for the offsets of every current zone."""
    counts = Counter[int]()
    for period in offset_periods(zone, *time_with_tweets(session)):
        counts.update(_counts_by_hour(session, period, Quarter.tweets if filters == ALL else _matching(filters)))
    return [HourCount(hour, counts[hour]) for hour in range(24)]


def _counts_by_hour(session: Session, period: OffsetPeriod, tweets: SQLColumnExpression[Any]) -> dict[int, int]:
    """Return by the hour of the day how many tweets a period has, in which no clock is changed."""
    hour = ((Quarter.start + period.offset) % DAY_S // HOUR_S).label("hour")
    rows = select(hour, func.sum(tweets)).where(Quarter.start >= period.first, Quarter.start < period.end)
    return {found: int(count) for found, count in session.execute(rows.group_by(hour))}


def _matching(filters: Filters) -> SQLColumnExpression[Any]:
    """Return how many of the wanted tweets a quarter has."""
    within = (Tweet.created >= instant(Quarter.start), Tweet.created < instant(Quarter.start + QUARTER_S))
    return select(func.count()).where(*within, *conditions(filters)).scalar_subquery()
