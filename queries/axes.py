"""Axes: into which buckets a stretch of time is cut, so that they can be drawn side by side. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from queries.periods import Period
from queries.zones import DAY, DAY_S, FIRST, HOUR, LAST, QUARTER, buckets

LONGEST_OF_QUARTERS_S = 36 * 3600
LONGEST_OF_HOURS_S = 15 * DAY_S
MOST_DAYS = 400


class Axis(NamedTuple):
    """Buckets of a zone that overlap a stretch of time, whole, oldest first.

    A bucket has `bucket` length, or `days` days where bucket is DAY.
    """

    periods: tuple[Period, ...]
    bucket: timedelta
    days: int


def axis(zone: tzinfo, first: int, end: int) -> Axis:
    """Return quarters of an hour for up to 36 hours, hours for up to 15 days, else days, so many together that 400 will do.

    An empty stretch has no periods. What calendars and zones don't reach (the years 1 and 9999) is left out.
    """
    first, end = max(first, FIRST), min(end, LAST)
    bucket, days = _bucket(end - first), max(1, -(-(end - first) // (MOST_DAYS * DAY_S)))
    periods = _periods(zone, bucket, days, first, end) if first < end else ()
    if bucket == DAY and len(periods) > MOST_DAYS:
        periods, days = _periods(zone, bucket, days + 1, first, end), days + 1
    return Axis(periods, bucket, days)


def _bucket(length: int) -> timedelta:
    if length <= LONGEST_OF_QUARTERS_S:
        return QUARTER
    return HOUR if length <= LONGEST_OF_HOURS_S else DAY


def _periods(zone: tzinfo, bucket: timedelta, days: int, first: int, end: int) -> tuple[Period, ...]:
    return tuple(buckets(zone, bucket, first, end) if days == 1 else pairwise(_edges(zone, days, first, end)))


def _edges(zone: tzinfo, days: int, first: int, end: int) -> Iterator[int]:
    """Give the edges of several days together; only the days that begin with one are looked for, however many there are."""
    edge = _day(zone, first)[0]
    while edge < end:
        yield edge
        noon = edge + days * DAY_S + DAY_S // 2  # within the date that is meant, though clocks are changed till then
        edge = _day(zone, noon)[0] if noon < LAST else _day(zone, LAST - 1)[1]
    yield edge


def _day(zone: tzinfo, second: int) -> Period:
    """Return the day that a second lies in."""
    return next(buckets(zone, DAY, second, second + 1))
