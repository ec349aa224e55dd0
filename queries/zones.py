"""Time zones: where a zone's offset from UTC changes, where its quarters, hours and days begin, and the buckets of charts.

Times are epoch seconds. Buckets are cut by the zone's wall clock. A day is a local date, so it has 23 or 25 hours where clocks
are changed; where they are turned back over midnight, the next date begins when it is shown first. An hour is one local hour at
one offset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
QUARTER_S, HOUR_S, DAY_S = (int(length.total_seconds()) for length in (QUARTER, HOUR, DAY))
MARGIN_S = 2 * DAY_S  # longer than the longest bucket
FIRST = int(datetime(2, 1, 1, tzinfo=UTC).timestamp())  # calendars and zones end at the years 1 and 9999
LAST = int(datetime(9998, 12, 31, tzinfo=UTC).timestamp())


LONGEST_OF_QUARTERS_S = 36 * 3600
LONGEST_OF_HOURS_S = 15 * DAY_S
MOST_DAYS = 400
SOME_HOURS = (1, 2, 4, 12)
SOME_DAYS = (1, 2, 7, 14, 28)
ENOUGH, FEW = 10, 2
"""Tweets of a bucket, on average, for which the shortest buckets are drawn, and with which one is not too short."""
FEWEST_BARS, MOST_BARS = 14, 48
"""How many buckets there are for fewer tweets."""

Period = tuple[int, int]
"""A period of time, half-open."""


class OffsetPeriod(NamedTuple):
    """A half-open period of time in which a zone keeps one offset from UTC, in seconds."""

    first: int
    end: int
    offset: int


def offset_periods(zone: tzinfo, first: int, end: int) -> Iterator[OffsetPeriod]:
    """Yield the periods of one offset between two times, oldest first."""
    begin = first
    for year in range(_year(first), _year(end) + 1):
        for change in _changes(zone, year):
            if begin < change < end:
                yield OffsetPeriod(begin, change, _offset(zone, begin))
                begin = change
    yield OffsetPeriod(begin, end, _offset(zone, begin))


def buckets(zone: tzinfo, length: timedelta, first: int, end: int) -> Iterator[Period]:
    """Yield the whole buckets (QUARTER, HOUR, some of SOME_HOURS or DAY long) that overlap a period of time, oldest first."""
    for start, until in pairwise(_EDGES[length](zone, first - MARGIN_S, end + MARGIN_S)):
        if start >= end:
            return
        if until > first:
            yield start, until


def _quarters(_zone: tzinfo, first: int, end: int) -> Iterator[int]:
    """Yield the edges of UTC's quarters of an hour: every current offset is a multiple of one."""
    yield from range(first // QUARTER_S * QUARTER_S, end, QUARTER_S)


def _hours(zone: tzinfo, first: int, end: int) -> Iterator[int]:
    for period in offset_periods(zone, first, end):
        yield period.first
        local = (period.first + period.offset) // HOUR_S * HOUR_S
        yield from range(local + HOUR_S - period.offset, period.end, HOUR_S)


def _parts(seconds: int, zone: tzinfo, first: int, end: int) -> Iterator[int]:
    """Yield where the parts of so many seconds of a local day begin; a part that clocks show twice begins once."""
    shown = (first - DAY_S) // seconds - 1
    for period in offset_periods(zone, first, end):
        part, last = ((second + period.offset) // seconds for second in (period.first, period.end - 1))
        if part > shown:
            yield period.first
        yield from (one * seconds - period.offset for one in range(max(part, shown) + 1, last + 1))
        shown = max(shown, last)


_EDGES: dict[timedelta, Callable[[tzinfo, int, int], Iterator[int]]] = {
    QUARTER: _quarters,
    HOUR: _hours,
    **{hours * HOUR: partial(_parts, hours * HOUR_S) for hours in SOME_HOURS[1:]},
    DAY: partial(_parts, DAY_S),
}


@lru_cache(maxsize=4096)
def _changes(zone: tzinfo, year: int) -> tuple[int, ...]:
    """Return when the offset changes in a year of UTC; no zone changes it twice a day."""
    first, end = (int(datetime(one, 1, 1, tzinfo=UTC).timestamp()) for one in (year, year + 1))
    days = pairwise(range(first, end + 1, DAY_S))
    return tuple(_change(zone, day, after) for day, after in days if _offset(zone, day) != _offset(zone, after))


def _change(zone: tzinfo, before: int, after: int) -> int:
    """Return the first second of the offset at `after`, by bisection."""
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == _offset(zone, before) else (before, middle)
    return after


def _offset(zone: tzinfo, second: int) -> int:
    offset = datetime.fromtimestamp(min(max(second, FIRST), LAST), zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _year(second: int) -> int:
    return datetime.fromtimestamp(min(max(second, FIRST), LAST), UTC).year


class Axis(NamedTuple):
    """The whole buckets of a zone that overlap a period of time, oldest first.

    Each is `bucket` long, or `days` days where `bucket` is DAY.
    """

    periods: tuple[Period, ...]
    bucket: timedelta
    days: int


def axis(zone: tzinfo, first: int, end: int, tweets: int | None = None) -> Axis:
    """Return an axis of buckets that fit the number of `tweets`, of many without one; in at most 400 buckets.

    An empty period has no buckets. The years 1 and 9999, which calendars and zones don't support, are left out.
    """
    first, end = max(first, FIRST), min(end, LAST)
    if first >= end:
        return Axis((), QUARTER, 1)
    bucket, days = fitting_bucket(end - first, float("inf") if tweets is None else tweets)
    if bucket < DAY:
        return Axis(tuple(buckets(zone, bucket, first, end)), bucket, 1)
    periods = _buckets_of_days(zone, days, first, end)
    if len(periods) > MOST_DAYS:
        periods, days = _buckets_of_days(zone, days + 1, first, end), days + 1
    return Axis(periods, DAY, days)


def fitting_bucket(length: int, tweets: float) -> tuple[timedelta, int]:
    """Return the bucket for so many seconds and tweets, and how many of them are taken together (days only).

    With ten tweets a bucket it is the shortest: a quarter up to 36 hours, an hour up to 15 days, else a day, or several so that
    there are at most 400. With fewer it is the shortest that makes 14 to 48 buckets of two tweets each on average, or else the
    longest that makes 14. Quarters are never taken for fewer than two tweets each.
    """
    shortest = _shortest_bucket(length)
    if tweets >= ENOUGH * length / _seconds(shortest):
        return shortest
    fitting = [one for one in _STEPS if FEWEST_BARS <= length / _seconds(one) <= MOST_BARS] or [shortest]
    full = [one for one in fitting if tweets >= FEW * length / _seconds(one)]
    return full[0] if full else max(fitting[-1], (HOUR, 1))


def enough_tweets(length: int) -> int:
    """Return the number of tweets for which so many seconds have the shortest buckets; more make no difference."""
    return -(-ENOUGH * length // _seconds(_shortest_bucket(length))) if length > 0 else 0


def _shortest_bucket(length: int) -> tuple[timedelta, int]:
    if length <= LONGEST_OF_HOURS_S:
        return (QUARTER if length <= LONGEST_OF_QUARTERS_S else HOUR), 1
    return DAY, -(-length // (MOST_DAYS * DAY_S))


def _seconds(bucket: tuple[timedelta, int]) -> int:
    return int(bucket[0].total_seconds()) * bucket[1]


_STEPS = (
    (QUARTER, 1),
    *((hours * HOUR, 1) for hours in SOME_HOURS),
    *((DAY, days) for days in (*SOME_DAYS, *(28 << times for times in range(1, 14)))),
)
"""Lengths of buckets, the shortest first, of which any time of 14 quarters and more has 14 to 48."""


def _buckets_of_days(zone: tzinfo, days: int, first: int, end: int) -> tuple[Period, ...]:
    return tuple(buckets(zone, DAY, first, end) if days == 1 else pairwise(_edges_of_days(zone, days, first, end)))


def _edges_of_days(zone: tzinfo, days: int, first: int, end: int) -> Iterator[int]:
    """Yield the edges of buckets of `days` days; only the days that begin one are computed, however many there are."""
    edge = _day(zone, first)[0]
    while edge < end:
        yield edge
        noon = edge + days * DAY_S + DAY_S // 2  # within the next edge's date, even if clocks are changed until then
        edge = _day(zone, noon)[0] if noon < LAST else _day(zone, LAST - 1)[1]
    yield edge


def _day(zone: tzinfo, second: int) -> Period:
    """Return the day that a second lies in."""
    return next(buckets(zone, DAY, second, second + 1))
