"""Counts over time: of all tweets and of each tag, those of as long a time before, and what must be known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries import gaps
from queries.axes import Axis, axis
from queries.filters import Filters
from queries.histories import History, histories
from queries.periods import Period, filled
from queries.series import TagSeries, per_tag, totals
from queries.spikes import spikes
from queries.tags import known_tag
from queries.zones import DAY
from web.asked import Asked
from web.tables import Mark, merged
from web.words import plural

MOST_GAPS = 100
SEEN = 500  # a shade that is narrower than such a part can't be told from its neighbours


class Volume(NamedTuple):
    """Counts over time: of all, of as long a time before (None where there is none), and of each tag, with its sum before.

    A tag that was not collected in all of the time before is in `young`, and has no sum of it.
    """

    axis: Axis
    counts: Sequence[int]
    before: Sequence[int] | None
    tags: Sequence[TagSeries]
    tags_before: dict[str, int] | None
    spikes: tuple[int, ...]
    marks: tuple[Mark, ...]
    young: tuple[str, ...]

    @property
    def total_before(self) -> int | None:
        """How many there were in the time before."""
        return None if self.before is None else sum(self.before)


def stretch(session: Session, asked: Asked) -> Period:
    """Return the time that is shown, in epoch seconds: where it has no beginning, from the first tweet stored."""
    if asked.stretch is not None:
        return asked.stretch
    first, end = filled(session)
    return first, max(first, min(end, int(asked.filters.until.timestamp()) if asked.filters.until else end))


def volume(session: Session, asked: Asked) -> Volume:
    """Count."""
    cut = axis(asked.zone, *stretch(session, asked))
    begun = histories(session, keys=asked.filters.tags)
    counts = totals(session, cut.periods, asked.filters)
    tags = _per_tag(session, cut.periods, asked.filters, counts)
    young = tuple(one.tag for one in begun if asked.before and asked.before.since and one.begin > asked.before.since)
    comparable = not begun or len(young) < len(begun)
    before, tags_before = _before(session, asked, cut.periods) if comparable else (None, None)
    whole = max((int(one.begin.timestamp()) for one in begun), default=0)
    found = _spikes(cut, asked, counts, before, whole)
    marks = (*_unbegun(begun, cut.periods), *_gaps(session, asked, cut.periods))
    return Volume(cut, counts, before, tags, tags_before, found, marks, young)


def _before(session: Session, asked: Asked, periods: Sequence[Period]) -> tuple[Sequence[int] | None, dict[str, int] | None]:
    """Return the counts of the time before, and the sum of each tag; None where there is no such time."""
    filters, by = asked.before, int(asked.shift.total_seconds())
    if filters is None or not periods:
        return None, None
    shifted = [(first - by, end - by) for first, end in periods]
    counts = totals(session, shifted, filters)
    sums = _per_tag(session, [(shifted[0][0], shifted[-1][1])], filters, [sum(counts)])
    return counts, {series.tag: series.counts[0] for series in sums}


def _per_tag(session: Session, periods: Sequence[Period], filters: Filters, counts: Sequence[int]) -> list[TagSeries]:
    """Return the counts of each tag; where one is asked for, its alone, which are those of all: with others, see hashtags."""
    if len(filters.tags) != 1:
        return per_tag(session, periods, filters)
    name = known_tag(session, key=filters.tags[0])
    return [TagSeries(name, tuple(counts))] if name else []


def _places(cut: Axis, zone: ZoneInfo) -> list[int]:
    """Return what returns daily, the hour, or weekly, the day of the week."""
    starts = [datetime.fromtimestamp(first, zone) for first, _ in cut.periods]
    return [start.weekday() if cut.bucket == DAY else start.hour for start in starts]


def _spikes(cut: Axis, asked: Asked, counts: Sequence[int], before: Sequence[int] | None, whole: int) -> tuple[int, ...]:
    """Return which buckets stand out among those that were collected whole, which are those that begin with `whole`."""
    if cut.days > 1:
        return ()
    places, by = _places(cut, asked.zone), int(asked.shift.total_seconds())
    over = [at for at, (first, end) in enumerate(cut.periods) if first >= whole and end <= asked.now.timestamp()]
    usual = [(places[at], count) for at, count in enumerate(before or ()) if cut.periods[at][0] - by >= whole]
    found = spikes([counts[at] for at in over], [places[at] for at in over], usual=usual)
    return tuple(over[at] for at in found)


def _unbegun(begun: Sequence[History], periods: Sequence[Period]) -> Iterator[Mark]:
    """Give the time before the histories of tags began, as one mark."""
    late = [one for one in begun if periods and one.begin.timestamp() > periods[0][0]]
    if late:
        end = max(int(one.begin.timestamp()) for one in late)
        whose = late[0].tag if len(late) == 1 else plural(len(late), "tag")
        yield Mark(periods[0][0], min(end, periods[-1][1]), f"before the history of {whose}")


def _gaps(session: Session, asked: Asked, periods: Sequence[Period]) -> list[Mark]:
    """Return the gaps that reach into the time that is shown; of very many, the time that they cover."""
    found = []
    for gap in gaps.stretches(session, keys=asked.filters.tags) if periods else ():
        first, end = int(gap.first.timestamp()), ceil(gap.end.timestamp())
        if first < periods[-1][1] and end > periods[0][0]:
            found.append(Mark(max(first, periods[0][0]), min(end, periods[-1][1]), f"gap in {gap.tag}"))
    return found if len(found) <= MOST_GAPS else merged(found, "gaps", within=(periods[-1][1] - periods[0][0]) // SEEN)
