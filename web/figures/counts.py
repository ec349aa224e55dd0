"""Counts over time: of all tweets and of each tag, those of as long a time before, and what must be known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries import gaps
from queries.axes import Axis, axis
from queries.filters import Filters
from queries.histories import History, histories
from queries.periods import Period, time_with_tweets
from queries.series import TagSeries, per_tag, totals
from queries.spikes import spikes
from queries.tags import tag_name
from queries.zones import DAY
from web.asked import ViewQuery
from web.tables import TableMark, merge_marks

MOST_GAPS = 100
NOTICEABLE = 500  # a shade that is narrower than such a part can't be told from its neighbours


class CollectedTime(NamedTuple):
    """Which time was collected, in epoch seconds: from when any of the tags was, from when all were, and up to when any was.

    `late` are tags whose histories begin later than the first.
    """

    some: int
    whole: int
    reached: int
    late: tuple[History, ...] = ()


class Volume(NamedTuple):
    """Counts over time: of all, and of each tag by its name; and those of as long a time before, None where there are none.

    What was not collected before is None there. A tag that was not collected in all of the time before is in `young`.
    """

    axis: Axis
    counts: Sequence[int]
    before: Sequence[int | None] | None
    tags: Sequence[TagSeries]
    tags_before: Mapping[str, Sequence[int | None]]
    spikes: tuple[int, ...]
    marks: tuple[TableMark, ...]
    young: tuple[str, ...]
    reached: int

    @property
    def total_before(self) -> int | None:
        """How many there were in the time before."""
        return None if self.before is None else sum(count or 0 for count in self.before)


def visible_time(session: Session, asked: ViewQuery) -> Period:
    """Return the time that is shown, in epoch seconds: where it has no beginning, from the first tweet stored."""
    if asked.seconds is not None:
        return asked.seconds
    first, end = time_with_tweets(session)
    return first, max(first, min(end, int(asked.filters.until.timestamp()) if asked.filters.until else end))


def volume(session: Session, asked: ViewQuery) -> Volume:
    """Count."""
    cut, known = axis(asked.zone, *visible_time(session, asked)), _collected_time(session, asked)
    counts = totals(session, cut.periods, asked.filters)
    tags = _per_tag(session, cut.periods, asked.filters, counts)
    before, tags_before = _before(session, asked, cut.periods, known)
    since = asked.before.since if asked.before else None
    young = tuple(one.tag for one in known.late if since and one.tracked and one.begin > since)
    found = _spikes(cut, asked, counts, before, known)
    marks = (*_unknown(known, asked, cut.periods), *_gaps(session, asked, cut.periods))
    return Volume(cut, counts, before, tags, tags_before, found, marks, young, known.reached)


def _collected_time(session: Session, asked: ViewQuery) -> CollectedTime:
    """Return which time was collected; what was only imported is known from the first tweet on."""
    found, now = histories(session, keys=asked.filters.tags), int(asked.now.timestamp())
    if not found:
        first, end = time_with_tweets(session)
        return CollectedTime(first, first, now) if end else CollectedTime(now, now, now)
    kept = [one for one in found if one.tracked] or found
    some = min(int(one.begin.timestamp()) for one in found)
    whole, reached = (max(int(getattr(one, name).timestamp()) for one in kept) for name in ("begin", "end"))
    return CollectedTime(some, whole, min(reached + 1, now), tuple(one for one in kept if one.begin.timestamp() > some + 1))


Before = tuple[Sequence[int | None] | None, Mapping[str, Sequence[int | None]]]


def _before(session: Session, asked: ViewQuery, periods: Sequence[Period], known: CollectedTime) -> Before:
    """Return the counts of the time before, as far as this time was collected; none where that time was not."""
    filters, by = asked.before, int(asked.shift.total_seconds())
    if filters is None or filters.since is None or not periods or filters.since.timestamp() < known.some:
        return None, {}
    end = known.reached - by
    until = min(filters.until or asked.now, datetime.fromtimestamp(end, UTC))
    filters = filters._replace(until=max(until, filters.since))
    shifted = [(first - by, last - by) for first, last in periods]
    counts = totals(session, shifted, filters)
    tags = {series.tag: series.counts for series in _per_tag(session, shifted, filters, counts)}
    reached = sum(first < end for first, _ in shifted)
    unknown = (None,) * (len(shifted) - reached)
    return (*counts[:reached], *unknown), {tag: (*own[:reached], *unknown) for tag, own in tags.items()}


def _per_tag(session: Session, periods: Sequence[Period], filters: Filters, counts: Sequence[int]) -> list[TagSeries]:
    """Return the counts of each tag; where one is asked for, its alone, which are those of all: with others, see hashtags."""
    if len(filters.tags) != 1:
        return per_tag(session, periods, filters)
    name = tag_name(session, key=filters.tags[0])
    return [TagSeries(name, tuple(counts))] if name else []


def _recurring_labels(cut: Axis, zone: ZoneInfo) -> list[int]:
    """Return what returns daily, the hour, or weekly, the day of the week."""
    starts = [datetime.fromtimestamp(first, zone) for first, _ in cut.periods]
    return [start.weekday() if cut.bucket == DAY else start.hour for start in starts]


def _spikes(
    cut: Axis, asked: ViewQuery, counts: Sequence[int], before: Sequence[int | None] | None, known: CollectedTime
) -> tuple[int, ...]:
    """Return which buckets stand out among those that were collected whole."""
    if cut.days > 1:
        return ()
    places, by = _recurring_labels(cut, asked.zone), int(asked.shift.total_seconds())
    over = [at for at, (first, end) in enumerate(cut.periods) if first >= known.whole and end <= known.reached]
    earlier = [(at, count) for at, count in enumerate(before or ()) if count is not None]
    usual = [(places[at], count) for at, count in earlier if cut.periods[at][0] - by >= known.whole]
    found = spikes([counts[at] for at in over], [places[at] for at in over], usual=usual)
    return tuple(over[at] for at in found)


def _unknown(known: CollectedTime, asked: ViewQuery, periods: Sequence[Period]) -> Iterator[TableMark]:
    """Give the time before the histories of tags began, and that which no collection has reached yet."""
    if not periods:
        return
    first, end = periods[0][0], min(periods[-1][1], int(asked.now.timestamp()))
    late = [one for one in known.late if one.begin.timestamp() > first]
    if known.some > first or late:
        whose = late[0].tag if len(late) == 1 and known.some <= first else "tags"
        yield TableMark(first, min(max(known.some, known.whole), periods[-1][1]), f"before the history of {whose}")
    if first <= known.reached < end - (periods[-1][1] - periods[-1][0]):
        yield TableMark(known.reached, end, "not collected yet")


def _gaps(session: Session, asked: ViewQuery, periods: Sequence[Period]) -> list[TableMark]:
    """Return the gaps that reach into the time that is shown; of very many, the time that they cover."""
    found = []
    for gap in gaps.gap_times(session, keys=asked.filters.tags) if periods else ():
        first, end = int(gap.first.timestamp()), ceil(gap.end.timestamp())
        if first < periods[-1][1] and end > periods[0][0]:
            found.append(TableMark(max(first, periods[0][0]), min(end, periods[-1][1]), f"gap in {gap.tag}"))
    return (
        found if len(found) <= MOST_GAPS else merge_marks(found, "gaps", within=(periods[-1][1] - periods[0][0]) // NOTICEABLE)
    )
