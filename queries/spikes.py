"""Spikes: buckets of time with far more tweets than usual, by one rule for the API and the pages.

Times are epoch seconds. Only whole buckets in which all tags asked for were collected are counted: the values are those of the
period, the usual ones those of the equally long time before it, which are the baseline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from statistics import fmean, median
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.filters import Filters, next_second
from queries.reach import TagReach, asked_for, shown_reaches
from queries.series import totals
from queries.timeline import MOST_BUCKETS, TooManyBuckets, time_with_tweets
from queries.zones import DAY, DAY_S, FIRST, HOUR, HOUR_S, Period, buckets
from text.names import key

LEAST = 10
FEWEST_VALUES = 24
DEVIATIONS = 3
TIMES_USUAL = 2
LATELY_S = 7 * DAY_S
WATCHED_S = {HOUR: LATELY_S, DAY: 30 * DAY_S}
"""How long the time is among whose buckets one is a spike as it ends, by the length of a bucket."""
MOST_COUNTED = 2 * MOST_BUCKETS  # a period's and its baseline's


class BucketCount(NamedTuple):
    """A bucket that was collected, its place in the season (the hour of the day, or the weekday), and its matching tweets."""

    first: int
    end: int
    place: int
    tweets: int


class Spike(NamedTuple):
    """A bucket with far more tweets than expected."""

    first: int
    end: int
    tweets: int
    expected: float


class CountedBuckets(NamedTuple):
    """The collected buckets of a period, oldest first, and those of the equally long time before it (`baseline`)."""

    values: tuple[BucketCount, ...]
    baseline: tuple[BucketCount, ...]

    @property
    def spikes(self) -> list[Spike]:
        """The spikes of the period, oldest first."""
        counts, places = [one.tweets for one in self.values], [one.place for one in self.values]
        found = spikes(counts, places, usual=[(one.place, one.tweets) for one in self.baseline])
        return [Spike(one.first, one.end, one.tweets, self.expected(one) or 0) for one in map(self.values.__getitem__, found)]

    def expected(self, bucket: BucketCount) -> float | None:
        """Return the median of the other buckets of its place, else the mean of all others; None without others."""
        others = [one for one in (*self.values, *self.baseline) if one.first != bucket.first]
        same = [one.tweets for one in others if one.place == bucket.place]
        return median(same) if same else fmean(one.tweets for one in others) if others else None


def spike_period(filters: Filters, *, now: int) -> Period:
    """Return the period of the filters, until now at most; without `since` it is the last seven days before its end.

    These begin with a whole hour, as on pages.
    """
    end = now if filters.until is None else min(now, int(next_second(filters.until).timestamp()))
    if filters.since is None:
        return (end - LATELY_S) // HOUR_S * HOUR_S, end
    return min(end, int(next_second(filters.since).timestamp())), end


def counted_buckets(
    session: Session, filters: Filters, *, bucket: timedelta, zone: tzinfo, period: Period, now: int
) -> CountedBuckets:
    """Count the buckets (QUARTER, HOUR or DAY of zones) that a period and the equally long time before it contain.

    Left out are those that aren't wholly within one of both times, those that are not over, and those that overlap a gap or
    another time in which a tag that the filters name was not collected, or without such a tag one of the tracked ones.
    The filters' own period doesn't count. Raises TooManyBuckets.
    """
    first, end = period
    whole = _whole_buckets(session, filters, bucket=bucket, zone=zone, within=(2 * first - end, end), now=now)
    return _counted(whole, period)


def spikes_as_they_end(
    session: Session, filters: Filters, *, bucket: timedelta, zone: tzinfo, ends: Collection[int], now: int
) -> list[Spike]:
    """Return which of the buckets that end then are spikes, oldest first.

    Each is compared as it is on a page of the time that ends with it, which is WATCHED_S long. Raises TooManyBuckets.
    """
    if not ends:
        return []
    length = WATCHED_S[bucket]
    whole = _whole_buckets(session, filters, bucket=bucket, zone=zone, within=(min(ends) - 2 * length, max(ends)), now=now)
    asked = [one for one in whole if one.end in ends and one.tweets >= LEAST]
    newest = (_counted(whole, (one.end - length, one.end)).spikes[-1:] for one in asked)
    return [spike for one, last in zip(asked, newest, strict=True) for spike in last if spike.end == one.end]


def _counted(whole: Sequence[BucketCount], period: Period) -> CountedBuckets:
    """Return the buckets of a period, and of the equally long time before it."""
    first, end = period
    values = [one for one in whole if first <= one.first and one.end <= end]
    return CountedBuckets(tuple(values), tuple(one for one in whole if 2 * first - end <= one.first and one.end <= first))


def _whole_buckets(
    session: Session, filters: Filters, *, bucket: timedelta, zone: tzinfo, within: Period, now: int
) -> list[BucketCount]:
    """Count the whole buckets in a time that are over and in which all tags asked for were collected."""
    reaches = asked_reaches(session, filters, now=now)
    low, high = _collected(session, reaches, within, now=now)
    found = tuple(islice(buckets(zone, bucket, low, high), MOST_COUNTED + 1)) if low < high else ()
    if len(found) > MOST_COUNTED:
        raise TooManyBuckets
    counts = totals(session, found, filters._replace(since=None, until=None))
    return [
        BucketCount(*one, season_place(one[0], bucket, zone), tweets)
        for one, tweets in zip(found, counts, strict=True)
        if low <= one[0] and one[1] <= high and all(reach.covers(*one) for reach in reaches)
    ]


def season_place(first: int, bucket: timedelta, zone: tzinfo) -> int:
    """Return the place in the season of a bucket that begins with this second: its weekday if it is a day, else its hour."""
    begin = datetime.fromtimestamp(first, zone)
    return begin.weekday() if bucket == DAY else begin.hour


def asked_reaches(session: Session, filters: Filters, *, now: int) -> list[TagReach]:
    """Return the reaches of all tags that the filters name, else of the tracked ones; that of an unknown tag is empty."""
    found = shown_reaches(session, keys=filters.named_tags, now=now)
    known = {key(one.tag) for one in found}
    unknown = [TagReach(tag, (), now, FIRST) for tag in filters.named_tags if tag not in known]
    return [*found, *unknown] if filters.named_tags else asked_for(found)


def _collected(session: Session, reaches: Sequence[TagReach], within: Period, *, now: int) -> Period:
    """Return the part of a time between the last beginning and the first end of the reaches."""
    low = max((one.begin for one in reaches), default=time_with_tweets(session)[0])
    high = min((one.end for one in reaches), default=now)
    return max(within[0], low), min(within[1], high)


def spikes(counts: Sequence[int], places: Sequence[int], *, usual: Sequence[tuple[int, int]] = ()) -> list[int]:
    """Return the indexes of counts that are spikes, oldest first.

    `places` are their positions in the season (the hour of the day, or the day of the week); `usual` are places and counts of
    the time before. With fewer than 24 values of both there are no spikes.

    A spike is at least 10, above the mean of all other values by more than three of their standard deviations, and above twice
    the median of the others of its place, if there are any. The first is Shewhart's rule for control charts, mean + k·σ with
    k = 3 (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.1). The second, the median of the same place in the season, on
    which a past spike has hardly any effect, is from Hochenbaum, Vallis and Kejariwal, arXiv:1704.07706.
    """
    values = [*zip(places, counts, strict=True), *usual]
    if len(values) < FEWEST_VALUES:
        return []
    of_place = defaultdict[int, list[int]](list)
    for place, count in values:
        of_place[place].append(count)
    sums = sum(count for _, count in values), sum(count * count for _, count in values)
    found = ((index, count, of_place[place]) for index, (place, count) in enumerate(zip(places, counts, strict=True)))
    return [
        index
        for index, count, same in found
        if count >= LEAST and _is_beyond(count, len(values) - 1, *sums) and count > TIMES_USUAL * _median(same, without=count)
    ]


def _is_beyond(count: int, others: int, total: int, squares: int) -> bool:
    """Whether a count is above mean + 3σ of the others, in whole numbers: both sides are multiplied by `others`.

    The total and the squares are of all values, including this one.
    """
    total, squares = total - count, squares - count * count
    above = others * count - total
    return above > 0 and above * above > DEVIATIONS**2 * (others * squares - total * total)


def _median(values: Sequence[int], *, without: int) -> float:
    """Return the median of values without one of them; 0 if no other is left."""
    at = values.index(without)
    return median(rest) if (rest := [*values[:at], *values[at + 1 :]]) else 0
