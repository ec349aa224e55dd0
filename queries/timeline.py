"""Tweets by time: the timeline of a zone's quarters, hours or days, and counts by the hour of the day.

Periods are in epoch seconds, half-open. Without filters they are counted by roll-ups, else by rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, SQLColumnExpression, case, distinct, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from database.functions import instant, pairs
from models import LONGEST_DAY, Presence, Quarter, Tweet
from queries import gaps, reach, zones
from queries.counters import x_now
from queries.engagement import ENGAGEMENT, known_sum, summed
from queries.filters import ALL, Filters, conditions, conditions_by_period, next_second
from queries.zones import DAY_S, HOUR_S, QUARTER_S, OffsetPeriod, Period, offset_periods

MOST_BUCKETS = 10_000


class PeriodCount(NamedTuple):
    """How many tweets, how many distinct authors they have, and the sum of their engagement as far as it is known."""

    tweets: int
    authors: int
    engagement: int | None = None


NONE = PeriodCount(0, 0)


class TimelineSlot(NamedTuple):
    """The matching tweets of a bucket of time (UTC); partial if a part of it is outside of the filters or in the future.

    `engagement` is the sum of theirs as far as it is known; None if none is.
    """

    start: datetime
    end: datetime
    tweets: int
    authors: int
    engagement: int | None
    partial: bool


class Timeline(NamedTuple):
    """All buckets, oldest first; complete if the tags were collected in all of this time that is over."""

    slots: list[TimelineSlot]
    complete: bool


class TooManyBuckets(Exception):
    """The timeline would have more than MOST_BUCKETS."""


def timeline(session: Session, *, bucket: timedelta, zone: tzinfo, filters: Filters = ALL) -> Timeline:
    """Return all buckets (QUARTER, HOUR or DAY of zones) from `since` to `until`; raises TooManyBuckets before it counts.

    Without `since` or `until`, they begin or end with the first or the last matching tweet.
    """
    asked = _requested_period(filters)
    first, end = _period(session, filters, asked)
    found = _buckets(zone, bucket, first, end) if first < end else []
    counted = [(max(start, asked[0]), min(until, asked[1])) for start, until in found]
    if filters._replace(since=None, until=None) == ALL:
        counts = rollup_counts(session, counted)
    else:
        counts = counts_by_period(session, counted, conditions_by_period(filters))
    now = x_now(session).timestamp()
    shown = [
        TimelineSlot(_time(whole[0]), _time(whole[1]), *counts.get(part, NONE), part != whole or whole[1] > now)
        for whole, part in zip(found, counted, strict=True)
    ]
    return Timeline(shown, _is_complete(session, filters, counted or [asked], int(now)))


def _is_complete(session: Session, filters: Filters, counted: Sequence[Period], now: int) -> bool:
    """Return whether the tags were collected without gaps in all of the buckets; the one that still runs may be incomplete."""
    keys, (first, end) = filters.named_tags, (counted[0][0], counted[-1][1])
    if not reach.are_known(session, keys=keys) or gaps.any_within(session, keys=keys, first=first, end=end):
        return False
    over = next((start for start, last in counted if last > now), end)
    return first >= over or reach.has_reached(session, keys=keys, first=first, end=over, now=now)


def _buckets(zone: tzinfo, bucket: timedelta, first: int, end: int) -> list[Period]:
    """Return the buckets of a period; where there would be far too many, the zone's changes of clocks aren't computed."""
    far_too_many = end - first > 2 * MOST_BUCKETS * bucket.total_seconds()
    found = [] if far_too_many else list(islice(zones.buckets(zone, bucket, first, end), MOST_BUCKETS + 1))
    if far_too_many or len(found) > MOST_BUCKETS:
        raise TooManyBuckets
    return found


def _requested_period(filters: Filters) -> Period:
    """Return the period of the filters, within the years that calendars and zones support."""
    since = zones.FIRST if filters.since is None else int(next_second(filters.since).timestamp())
    until = zones.LAST if filters.until is None else int(next_second(filters.until).timestamp())
    return max(since, zones.FIRST), min(until, zones.LAST)


def _period(session: Session, filters: Filters, asked: Period) -> Period:
    """Return the period to show; an empty one if no tweet begins or ends it."""
    first, end = asked
    matching = conditions(filters)
    if filters.since is None:
        oldest = session.scalar(select(func.min(Tweet.created)).where(*matching))
        first = int(oldest.timestamp()) if oldest else end
    if filters.until is None:
        newest = session.scalar(select(func.max(Tweet.created)).where(*matching))
        end = int(newest.timestamp()) + 1 if newest else first
    return first, end


def counted_period(slot: TimelineSlot, filters: Filters) -> Period:
    """Return the part of a bucket that the filters leave, in epoch seconds."""
    first, end = _requested_period(filters)
    return max(int(slot.start.timestamp()), first), min(int(slot.end.timestamp()), end)


def counts_by_period(
    session: Session, periods: Sequence[Period], matching: Sequence[ColumnElement[bool]]
) -> dict[Period, PeriodCount]:
    """Return the counts, by period, of the tweets that meet all of these conditions.

    They come as one text, so that rows are read once; what is null is not in it.
    """
    asked = period_table(periods)
    every = func.concat_ws(" ", func.count(), func.count(distinct(Tweet.author_id)), func.sum(Tweet.engagement))
    within = (Tweet.created >= asked.c.since, Tweet.created < asked.c.until)
    rows = session.execute(select(asked.c.first, asked.c.second, select(every).where(*within, *matching).scalar_subquery()))
    return {(first, end): PeriodCount(*map(int, found.split())) for first, end, found in rows}


def rollup_counts(session: Session, periods: Sequence[Period]) -> dict[Period, PeriodCount]:
    """Return the counts of all tweets by period. Periods must not overlap; those without tweets may be left out.

    Whole quarters of an hour are read from roll-ups. Where a period begins or ends within one, rows of that quarter are read.
    """
    first, end = time_with_tweets(session)
    whole = {period: _whole(period) for period in periods if period[0] < end and period[1] > first}
    counts = _sum_rollups(session, [inner for inner in whole.values() if inner[0] < inner[1]])
    return {
        period: counts.get(inner, NONE) if inner == period else _with_rest(session, period, inner, counts.get(inner, NONE))
        for period, inner in whole.items()
    }


def time_with_tweets(session: Session) -> Period:
    """Return the period that has tweets, in whole quarters; an empty one if there are none."""
    first, last = (select(end(Quarter.start)).scalar_subquery() for end in (func.min, func.max))
    found = session.execute(select(first, last)).one()
    return (found[0], found[1] + QUARTER_S) if found[0] is not None else (0, 0)


def _whole(period: Period) -> Period:
    """Return the whole quarters within a period, at most as many as presence is kept for."""
    first, end = -(-period[0] // QUARTER_S) * QUARTER_S, period[1] // QUARTER_S * QUARTER_S
    first = min(first, period[1])
    return first, min(max(end, first), first + LONGEST_DAY * QUARTER_S)


def _sum_rollups(session: Session, periods: Iterable[Period]) -> dict[Period, PeriodCount]:
    """Return the sums of roll-ups. An author counts in the first of a period's quarters that has tweets of theirs."""
    asked = pairs(periods)
    first, end = asked.c.first, asked.c.second
    within = (Quarter.start >= first, Quarter.start < end)
    signed = case((Presence.quarters == 0, Presence.authors), else_=-Presence.authors)
    before = (Presence.start == Quarter.start, Presence.quarters <= (Quarter.start - first) // QUARTER_S)
    newly = select(func.sum(signed)).where(*before).correlate(Quarter, asked).scalar_subquery()
    sums = func.sum(Quarter.tweets), func.sum(newly), summed(Quarter.engagement)
    rows = session.execute(select(first, end, *(select(one).where(*within).scalar_subquery() for one in sums)))
    return {(start, until): PeriodCount(found or 0, people or 0, known) for start, until, found, people, known in rows}


def _with_rest(session: Session, period: Period, inner: Period, count: PeriodCount) -> PeriodCount:
    """Add the tweets of a period outside of its inner part, and those of their authors who have none within it."""
    (first, end), (begin, stop) = (tuple(map(_time, both)) for both in (period, inner))
    rest = or_((Tweet.created >= first) & (Tweet.created < begin), (Tweet.created >= stop) & (Tweet.created < end))
    other = aliased(Tweet)
    again = exists().where(other.author_id == Tweet.author_id, other.created >= begin, other.created < stop)
    tweets, engagement = session.execute(select(func.count(), ENGAGEMENT).select_from(Tweet).where(rest)).one()
    authors = session.scalar(select(func.count(distinct(Tweet.author_id))).where(rest, ~again)) or 0
    return PeriodCount(count.tweets + tweets, count.authors + authors, known_sum((count.engagement, engagement)))


def period_table(periods: Iterable[Period]) -> CTE:
    """Return a table of periods: `first` and `second` in epoch seconds, `since` and `until` as times."""
    asked = pairs(periods)
    bounds = instant(asked.c.first).label("since"), instant(asked.c.second).label("until")
    return select(asked, *bounds).cte("asked").prefix_with("MATERIALIZED")


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


class HourCount(NamedTuple):
    """How many tweets were posted in an hour of the day, 0 to 23."""

    hour: int
    tweets: int


def per_hour(session: Session, *, zone: tzinfo, filters: Filters = ALL) -> list[HourCount]:
    """Return all 24 hours of a zone. Quarters of an hour in UTC are counted, which is exact for every current zone."""
    counts = Counter[int]()
    for period in offset_periods(zone, *time_with_tweets(session)):
        counts.update(_counts_by_hour(session, period, Quarter.tweets if filters == ALL else _matching(filters)))
    return [HourCount(hour, counts[hour]) for hour in range(24)]


def _counts_by_hour(session: Session, period: OffsetPeriod, tweets: SQLColumnExpression[Any]) -> dict[int, int]:
    """Return the tweets of a period of one offset, by the hour of the day."""
    hour = ((Quarter.start + period.offset) % DAY_S // HOUR_S).label("hour")
    rows = select(hour, func.sum(tweets)).where(Quarter.start >= period.first, Quarter.start < period.end)
    return {found: int(count) for found, count in session.execute(rows.group_by(hour))}


def _matching(filters: Filters) -> SQLColumnExpression[Any]:
    """Return the number of matching tweets in a quarter."""
    within = (Tweet.created >= instant(Quarter.start), Tweet.created < instant(Quarter.start + QUARTER_S))
    return select(func.count()).where(*within, *conditions_by_period(filters)).scalar_subquery()
