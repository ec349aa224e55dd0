"""Counts over time, in total and by tag, those of the equally long time before, and which time was collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries import gaps
from queries.filters import Filters
from queries.gaps import History, histories
from queries.series import TagSeries, per_tag, spikes, totals
from queries.tags import tag_name
from queries.timeline import time_with_tweets
from queries.zones import DAY, Axis, Period, axis
from web.charts import TableMark, merge_marks
from web.view_query import ViewQuery

MOST_GAPS = 100
SMALLEST_SHADE = 500  # a shaded area narrower than this part of the chart can't be told from its neighbours


class CollectedTime(NamedTuple):
    """The collected time in epoch seconds: the first second of any tag, the first of all tags (`complete`), and the end.

    `late` are the histories that begin after the first.
    """

    first: int
    complete: int
    end: int
    late: tuple[History, ...] = ()


class Volume(NamedTuple):
    """Counts by bucket in total and by tag, and those of the equally long time before (`before`, None if not collected).

    Single values of `before` are None where nothing was collected. `new_tags` are tags that were not collected in all of the
    time before. `spikes` are numbers of buckets; `reached` (epoch seconds) is the end of the collected time.
    """

    axis: Axis
    counts: Sequence[int]
    before: Sequence[int | None] | None
    tags: Sequence[TagSeries]
    tags_before: Mapping[str, Sequence[int | None]]
    spikes: tuple[int, ...]
    marks: tuple[TableMark, ...]
    new_tags: tuple[str, ...]
    reached: int

    @property
    def total_before(self) -> int | None:
        """The sum of the time before."""
        return None if self.before is None else sum(count or 0 for count in self.before)


def visible_time(session: Session, query: ViewQuery) -> Period:
    """Return the time shown, in epoch seconds; without a beginning it starts at the first stored tweet."""
    if query.seconds is not None:
        return query.seconds
    first, end = time_with_tweets(session)
    return first, max(first, min(end, int(query.filters.until.timestamp()) if query.filters.until else end))


def volume(session: Session, query: ViewQuery) -> Volume:
    """Count tweets by bucket, and find spikes and time that was not collected."""
    cut, collected = axis(query.zone, *visible_time(session, query)), _collected_time(session, query)
    counts = totals(session, cut.periods, query.filters)
    tags = _per_tag(session, cut.periods, query.filters, counts)
    before, tags_before = _earlier_counts(session, query, cut.periods, collected)
    since = query.before.since if query.before else None
    new_tags = tuple(one.tag for one in collected.late if since and one.tracked and one.begin > since)
    found = _spikes(cut, query, counts, before, collected)
    marks = (*_unknown(collected, query, cut.periods), *_gaps(session, query, cut.periods))
    return Volume(cut, counts, before, tags, tags_before, found, marks, new_tags, collected.end)


def _collected_time(session: Session, query: ViewQuery) -> CollectedTime:
    """Return the collected time; of imported tweets alone, the time since the first one."""
    found, now = histories(session, keys=query.filters.tags), int(query.now.timestamp())
    if not found:
        first, end = time_with_tweets(session)
        return CollectedTime(first, first, now) if end else CollectedTime(now, now, now)
    kept = [one for one in found if one.tracked] or found
    first = min(int(one.begin.timestamp()) for one in found)
    complete, end = (max(int(getattr(one, name).timestamp()) for one in kept) for name in ("begin", "end"))
    return CollectedTime(first, complete, min(end + 1, now), tuple(one for one in kept if one.begin.timestamp() > first + 1))


EarlierCounts = tuple[Sequence[int | None] | None, Mapping[str, Sequence[int | None]]]


def _earlier_counts(session: Session, query: ViewQuery, periods: Sequence[Period], collected: CollectedTime) -> EarlierCounts:
    """Return the counts of the time before, up to where this time is collected; None if that time was not collected."""
    filters, by = query.before, int(query.shift.total_seconds())
    if filters is None or filters.since is None or not periods or filters.since.timestamp() < collected.first:
        return None, {}
    end = collected.end - by
    until = min(filters.until or query.now, datetime.fromtimestamp(end, UTC))
    filters = filters._replace(until=max(until, filters.since))
    shifted = [(first - by, last - by) for first, last in periods]
    counts = totals(session, shifted, filters)
    tags = {series.tag: series.counts for series in _per_tag(session, shifted, filters, counts)}
    reached = sum(first < end for first, _ in shifted)
    unknown = (None,) * (len(shifted) - reached)
    return (*counts[:reached], *unknown), {tag: (*own[:reached], *unknown) for tag, own in tags.items()}


def _per_tag(session: Session, periods: Sequence[Period], filters: Filters, counts: Sequence[int]) -> list[TagSeries]:
    """Return the counts by tag. With a single-tag filter, that tag's counts are the totals."""
    if len(filters.tags) != 1:
        return per_tag(session, periods, filters)
    name = tag_name(session, key=filters.tags[0])
    return [TagSeries(name, tuple(counts))] if name else []


def _recurring_labels(cut: Axis, zone: ZoneInfo) -> list[int]:
    """Return the hour of each bucket, or the weekday of each daily bucket."""
    starts = [datetime.fromtimestamp(first, zone) for first, _ in cut.periods]
    return [start.weekday() if cut.bucket == DAY else start.hour for start in starts]


def _spikes(
    cut: Axis, query: ViewQuery, counts: Sequence[int], before: Sequence[int | None] | None, collected: CollectedTime
) -> tuple[int, ...]:
    """Return the numbers of the fully collected buckets that are spikes."""
    if cut.days > 1:
        return ()
    labels, by = _recurring_labels(cut, query.zone), int(query.shift.total_seconds())
    over = [at for at, (first, end) in enumerate(cut.periods) if first >= collected.complete and end <= collected.end]
    earlier = [(at, count) for at, count in enumerate(before or ()) if count is not None]
    usual = [(labels[at], count) for at, count in earlier if cut.periods[at][0] - by >= collected.complete]
    found = spikes([counts[at] for at in over], [labels[at] for at in over], usual=usual)
    return tuple(over[at] for at in found)


def _unknown(collected: CollectedTime, query: ViewQuery, periods: Sequence[Period]) -> Iterator[TableMark]:
    """Yield the time before the tags' histories begin, and the time that no collection has reached yet."""
    if not periods:
        return
    first, end = periods[0][0], min(periods[-1][1], int(query.now.timestamp()))
    late = [one for one in collected.late if one.begin.timestamp() > first]
    if collected.first > first or late:
        whose = late[0].tag if len(late) == 1 and collected.first <= first else "tags"
        yield TableMark(first, min(max(collected.first, collected.complete), periods[-1][1]), f"before the history of {whose}")
    if first <= collected.end < end - (periods[-1][1] - periods[-1][0]):
        yield TableMark(collected.end, end, "not collected yet")


def _gaps(session: Session, query: ViewQuery, periods: Sequence[Period]) -> list[TableMark]:
    """Return the gaps that overlap the time shown, merged if there are more than a hundred."""
    found = []
    for gap in gaps.gap_times(session, keys=query.filters.tags) if periods else ():
        first, end = int(gap.first.timestamp()), ceil(gap.end.timestamp())
        if first < periods[-1][1] and end > periods[0][0]:
            found.append(TableMark(max(first, periods[0][0]), min(end, periods[-1][1]), f"gap in {gap.tag}"))
    return (
        found
        if len(found) <= MOST_GAPS
        else merge_marks(found, "gaps", within=(periods[-1][1] - periods[0][0]) // SMALLEST_SHADE)
    )
