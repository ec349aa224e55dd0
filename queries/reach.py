"""Reach: in which time each tag was collected. What a tag was not collected for is unknown, not zero.

Times are epoch seconds, half-open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import ceil
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from models import Quarter, Tag
from queries.gaps import BoughtTime, GapTime, History, backfilled, gap_times, histories
from queries.zones import FIRST, QUARTER_S, Period

_END = itemgetter(1)


class TagReach(NamedTuple):
    """The periods in which a tag was collected, oldest first: its history without its gaps, and earlier backfills.

    They are between `begin` and `end`. A tag that was never collected has no periods.
    """

    tag: str
    periods: tuple[Period, ...]
    begin: int
    end: int
    tracked: bool = True

    @property
    def holes(self) -> list[Period]:
        """The periods between `begin` and `end` that were not collected."""
        edges = [self.begin, *(edge for period in self.periods for edge in period), self.end]
        return [hole for hole in zip(edges[::2], edges[1::2], strict=True) if hole[0] < hole[1]]

    def hole_from(self, first: int) -> Period:
        """The first period from this second on that was not collected; the last one ends with `end`."""
        for start, last in self.periods[bisect_right(self.periods, first, key=_END) :]:
            if start > first:
                return first, start
            first = last
        return first, max(first, self.end)

    def hole_before(self, end: int) -> int:
        """Since when this second was not collected, and all until it: since `begin` if nothing was before."""
        at = bisect_right(self.periods, end, key=_END)
        return self.periods[at - 1][1] if at else self.begin

    def touches(self, first: int, end: int) -> bool:
        """Whether any of this period was collected."""
        at = bisect_right(self.periods, first, key=_END)
        return at < len(self.periods) and self.periods[at][0] < end

    def covers(self, first: int, end: int) -> bool:
        """Whether all of this period was collected."""
        at = bisect_right(self.periods, first, key=_END)
        return at < len(self.periods) and self.periods[at][0] <= first and end <= self.periods[at][1]

    def share(self, first: int, end: int) -> float:
        """The share of this period that was collected, from 0 to 1."""
        after = self.periods[bisect_right(self.periods, first, key=_END) :]
        return sum(max(0, min(last, end) - max(start, first)) for start, last in after) / max(1, end - first)


def reaches(session: Session, *, keys: Collection[str] = (), now: int) -> list[TagReach]:
    """Return the reach of the tags with these keys, or of all tags that were ever collected, by name.

    In a database that only imports have filled, all time until now counts as collected, except for gaps.
    """
    found, left, bought = histories(session, keys=keys), gap_times(session, keys=keys), backfilled(session, keys=keys)
    if not found and not bought and not session.scalar(_EVER_COLLECTED):
        return [_whole(tag, tracked, left, now) for tag, tracked in _tags(session, keys)]
    known = {one.tag: _reach(one, left, now) for one in found}
    never = [TagReach(tag, (), now, FIRST, is_tracked) for tag, is_tracked in _tags(session, keys)]
    every = [_with(known.get(one.tag, one), bought) for one in never]
    return every if keys else [one for one in every if one.periods or one.tag in known]


def shown_reaches(session: Session, *, keys: Collection[str] = (), now: int) -> list[TagReach]:
    """Return the reaches; those of a database that only imports have filled reach from its first tweet to its last one.

    These are whole quarters of an hour, until `now` at most. What was posted since the last one is unknown, as between two
    collections.
    """
    found = reaches(session, keys=keys, now=now)
    if all(one.begin != FIRST for one in found):
        return found
    first, last = session.execute(select(func.min(Quarter.start), func.max(Quarter.start))).one()
    return [_within(one, min(first, now), min(last + QUARTER_S, now)) if last else _within(one, now, now) for one in found]


def collected_together(found: Sequence[TagReach]) -> tuple[Period, ...]:
    """Return the periods in which all of these tags were collected, oldest first; none without a tag."""
    together = found[0].periods if found else ()
    for one in found[1:]:
        together = tuple(_overlaps(together, one.periods))
    return together


def _overlaps(some: Sequence[Period], others: Sequence[Period]) -> Iterator[Period]:
    for first, end in some:
        for start, last in others[bisect_right(others, first, key=_END) :]:
            if start >= end:
                break
            yield max(first, start), min(end, last)


def asked_for(found: Sequence[TagReach]) -> list[TagReach]:
    """Return the tracked ones of some tags, or all if none is tracked."""
    return [one for one in found if one.tracked] or list(found)


def has_reached(session: Session, *, keys: Collection[str], first: int, end: int, now: int) -> bool:
    """Return whether all of these tags, or all tracked ones, were collected in all of a period, except for gaps."""
    found = reaches(session, keys=keys, now=now)
    return all(one.covers(first, end) for one in (found if keys else asked_for(found)))


def are_known(session: Session, *, keys: Collection[str]) -> bool:
    """Return whether there are tags with all of these keys."""
    return len(_tags(session, keys)) == len(set(keys)) if keys else True


def _tags(session: Session, keys: Collection[str]) -> list[tuple[str, bool]]:
    rows = select(Tag.tag, Tag.tracked).order_by(Tag.key)
    return [(tag, tracked) for tag, tracked in session.execute(rows.where(Tag.key.in_(keys)) if keys else rows)]


_EVER_COLLECTED = select(exists().where(Tag.since_id.is_not(None)))


def _reach(history: History, gaps: Sequence[GapTime], now: int) -> TagReach:
    begin, end = int(history.begin.timestamp()), min(int(history.end.timestamp()) + 1, now)
    periods = _without(begin, end, (gap for gap in gaps if gap.tag == history.tag))
    return TagReach(history.tag, periods, begin, end, history.tracked)


def _with(reach: TagReach, bought: Iterable[BoughtTime]) -> TagReach:
    """Return a reach with what backfills have read of its tag."""
    times = [(int(one.first.timestamp()), int(one.end.timestamp())) for one in bought if one.tag == reach.tag]
    periods = list[Period]()
    for first, end in sorted([*reach.periods, *(time for time in times if time[0] < time[1])]):
        if periods and first <= periods[-1][1]:
            periods[-1] = (periods[-1][0], max(end, periods[-1][1]))
        else:
            periods.append((first, end))
    if not periods:
        return reach
    return reach._replace(periods=tuple(periods), begin=min(reach.begin, periods[0][0]), end=max(reach.end, periods[-1][1]))


def _whole(tag: str, tracked: bool, gaps: Sequence[GapTime], now: int) -> TagReach:
    """Return a reach without a beginning."""
    return TagReach(tag, _without(FIRST, now, (gap for gap in gaps if gap.tag == tag)), FIRST, now, tracked)


def _within(reach: TagReach, first: int, last: int) -> TagReach:
    periods = tuple((max(start, first), min(end, last)) for start, end in reach.periods if end > first and start < last)
    return reach._replace(begin=first, end=last, periods=periods)


def _without(begin: int, end: int, gaps: Iterable[GapTime]) -> tuple[Period, ...]:
    """Return a period without gaps, which are oldest first and may overlap."""
    left = list[Period]()
    for gap in gaps:
        first, last = int(gap.first.timestamp()), ceil(gap.end.timestamp())
        if begin < min(first, end):
            left.append((begin, min(first, end)))
        begin = max(begin, last)
    return (*left, (begin, end)) if begin < end else tuple(left)
