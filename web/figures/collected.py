"""Which time was collected, as figures show it: unknown counts, shaded periods, and the part of two times that compares.

Times are epoch seconds, half-open. What a tag was not collected for is unknown, not zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.gaps import GapTime, gap_times
from queries.reach import TagReach, asked_for, shown_reaches
from queries.volume import RulesChange, rules_changes
from queries.zones import FIRST, QUARTER_S, Period
from text.names import key
from text.phrases import UNBROKEN, day, enumeration, moment, plural
from web.charts import ChartMark, merge_marks
from web.view_query import ViewQuery

BEFORE_HISTORY = "before the history of"
MOST_GAPS, MOST_NAMED = 100, 3
SMALLEST_SHADE = 500  # a shaded area narrower than this part of the chart can't be told from its neighbours
LAG_S = QUARTER_S  # the tags of one collection end less than this apart
NEARLY_ALL = 0.95
"""The least share of both times that must have been collected for a comparison."""

Counts = Sequence[int | None]


class CollectedTime(NamedTuple):
    """How far the tags whose tweets are shown were collected (`asked`), and all tags that ever were (`known`).

    `changes` are those of their rules: what was collected before and after one can't be compared.
    """

    asked: tuple[TagReach, ...]
    known: tuple[TagReach, ...]
    query: ViewQuery
    changes: tuple[RulesChange, ...] = ()

    @property
    def first(self) -> int:
        """The first collected second of any tag."""
        return min((one.begin for one in self.asked), default=self._now)

    @property
    def end(self) -> int:
        """The end of the collected time of any tag."""
        return max((one.end for one in self.asked), default=self._now)

    @property
    def _now(self) -> int:
        return int(self.query.now.timestamp())

    @property
    def late(self) -> list[TagReach]:
        """The tags whose histories begin after the first."""
        return [one for one in self.asked if one.begin > self.first + 1]

    @property
    def lagging(self) -> list[TagReach]:
        """The tags that collections of the time shown did not reach, or the newest ones if it has not ended."""
        end = min(self.end, self.query.seconds[1]) if self.query.seconds else self.end
        return [one for one in self.asked if one.end < end - LAG_S]

    @property
    def absent(self) -> list[str]:
        """The tags asked for that are not known."""
        known = {key(one.tag) for one in self.asked}
        return [tag for tag in self.query.filters.named_tags if tag not in known]

    def reach(self, tag: str) -> TagReach:
        """Return the reach of a tag; that of one that was never collected is empty."""
        return next((one for one in self.known if one.tag == tag), TagReach(tag, (), self.end, FIRST))

    def without_unknown(self, counts: Counts, periods: Sequence[Period], of: Sequence[TagReach]) -> tuple[int | None, ...]:
        """Return counts without the zeros of periods in which none of these tags was collected.

        Where tweets need several tags, all of them must have been collected; of tags of which they need any, one.
        """
        both = zip(counts, periods, strict=True)
        return tuple(count if count or self._reaches(of, period) else None for count, period in both)

    def _reaches(self, of: Sequence[TagReach], period: Period) -> bool:
        tags = self.query.filters.tags
        needed, others = ([one for one in of if (key(one.tag) in tags) == own] for own in (True, False))
        if any(tag in tags for tag in self.absent) or not all(one.touches(*period) for one in needed):
            return False
        return any(one.touches(*period) for one in others) if others else bool(needed) and not self.query.filters.any_tags

    def covers(self, first: int, end: int) -> bool:
        """Whether all tags were collected in all of a period."""
        return all(one.covers(first, end) for one in self.asked)

    def compared_end(self, reaches: Sequence[TagReach], shift: int) -> int | None:
        """Return until when the time shown compares with the time before; None if it doesn't, for want of collected time."""
        if self.query.seconds is None:
            return None
        first, end = self.query.seconds
        end = min(end, *(one.end for one in reaches))
        both = ((first, end), (first - shift, end - shift))
        if self.changed(first - shift, end, [one.tag for one in reaches]):
            return None
        if end <= first or any(one.begin > first - shift + 1 for one in reaches):
            return None
        return end if all(one.share(*time) >= NEARLY_ALL for one in reaches for time in both) else None

    def changed(self, first: int, end: int, tags: Collection[str]) -> list[RulesChange]:
        """Return the changes of these tags' rules within a period, as far as X's counts show them."""
        now = self._now
        return [
            one
            for one in self.changes
            if one.tag in tags and one.after.timestamp() < end and (one.before.timestamp() if one.before else now) > first
        ]

    def rules_changed(self, first: int, end: int) -> str:
        """Return that rules changed within a period, as a sentence; empty if none did."""
        found = self.changed(first, end, [one.tag for one in self.asked])
        if not found:
            return ""
        tags, last = sorted({one.tag for one in found}), max(found, key=lambda one: one.after)
        when = f"{'last ' if len(found) > 1 else ''}{_when(last, self.query)}"
        return f"The rules of {tag_names(tags)} changed {when}; counts before it are not comparable."

    def is_outdated(self, first: int, end: int) -> bool:
        """Whether nothing was collected in the last part of a time, more than a bucket of it."""
        now = min(end, self._now)
        return self.end < now - max(LAG_S, (now - first) // 24)

    def missing(self, first: int, end: int) -> Iterator[str]:
        """Yield sentences about what of a time was not collected."""
        if self.is_outdated(first, end):
            yield f"Nothing was collected since {self._moment(self.end)}."
        if self.absent:
            yield f"{tag_names(self.absent)} {'was' if len(self.absent) == 1 else 'were'} never collected."
        for one in self.lagging[:MOST_NAMED] if len(self.lagging) <= MOST_NAMED else ():
            since = f"since {self._moment(one.end)}; what it missed is unknown" if one.periods else "yet"
            yield f"{one.tag} was not collected {since}."
        if len(self.lagging) > MOST_NAMED:
            since = self._moment(max(one.end for one in self.lagging))
            yield f"{plural(len(self.lagging), 'tag')} were last collected on {since} or before; what they missed is unknown."

    @property
    def shortfall(self) -> str:
        """Why the totals of the time shown are the least that it has, as a part of a sentence; empty if they are not."""
        if self.query.seconds and self.is_outdated(*self.query.seconds):
            return f"nothing was collected since {self._clock(self.end)}"
        if not self.query.seconds or not self.lagging:
            return ""
        tags, known = [one.tag for one in self.lagging], [one.end for one in self.lagging if one.periods]
        since = f"since {self._clock(max(known))}{' or before' if len(known) > 1 else ''}" if known else "yet"
        return f"{tag_names(tags)} {'was' if len(tags) == 1 else 'were'} not reached {since}"

    def why_not_compared(self, shift: int) -> str:
        """Return why there is no comparison with the time before."""
        first, _ = self.query.seconds or (0, 0)
        late = [one.tag for one in self.asked if one.begin > first - shift + 1]
        if self.end <= first:
            return ""  # as `missing` says
        if changed := self.rules_changed(first - shift, self.query.seconds[1] if self.query.seconds else 0):
            return f"No comparison. {changed}"
        if len(late) == len(self.asked):
            return f"No comparison: nothing was collected before {self._moment(self.first)}."
        if late:
            return f"No comparison. Not collected in all of the time before: {tag_names(late)}."
        if never := [one.tag for one in self.asked if one.end <= first]:
            return f"No comparison: {tag_names(never)} {'was' if len(never) == 1 else 'were'} not collected in this time."
        return "No comparison: too much of this time or of the time before was not collected."

    def marks(self, session: Session, periods: Sequence[Period]) -> Iterator[ChartMark]:
        """Yield the time before the tags' histories, the time that collections did not reach, and the gaps."""
        first, end = periods[0][0], periods[-1][1]
        yield from self._before_histories(first, end)
        now = min(end, int(self.query.now.timestamp()))
        if self.end < now - (end - periods[-1][0]):
            yield ChartMark(max(self.end, first), now, "not collected yet")
        reached = min(now, self.end)
        lagging = [ChartMark(max(one.end, first), reached, f"{one.tag} not collected") for one in self.lagging]
        gaps = gap_times(session, keys=self.query.filters.named_tags)
        found = [ChartMark(int(gap.first.timestamp()), ceil(gap.end.timestamp()), f"gap in {gap.tag}") for gap in gaps]
        apart = self._apart(gaps)
        visible = [mark for mark in (*lagging, *found, *apart) if mark.first < min(mark.end, end) and mark.end > first]
        marks = [mark._replace(first=max(mark.first, first), end=min(mark.end, end)) for mark in visible]
        yield from marks if len(marks) <= MOST_GAPS else merge_marks(marks, "gaps", within=(end - first) // SMALLEST_SHADE)

    def _apart(self, gaps: Sequence[GapTime]) -> list[ChartMark]:
        """Return the time between earlier backfills and the tags' histories."""
        holes = [(one.tag, ChartMark(*hole, f"{one.tag} not collected")) for one in self.asked for hole in one.holes]
        times = [(gap.tag, int(gap.first.timestamp()), gap.end.timestamp()) for gap in gaps]
        return [
            mark
            for tag, mark in holes
            if not any(of == tag and first < mark.end and end > mark.first for of, first, end in times)
        ]

    def _before_histories(self, first: int, end: int) -> Iterator[ChartMark]:
        late = [one for one in self.late if one.begin > first]
        if self.first > first or late:
            of = late if self.first <= first else self.asked
            whose = of[0].tag if len(of) == 1 else "tags"
            begin = max((one.begin for one in self.asked), default=self.first)
            yield ChartMark(first, min(max(self.first, begin), end), f"{BEFORE_HISTORY} {whose}")

    def _clock(self, second: int) -> str:
        """Return a time of today as 14:05, another one with its day."""
        when, today = datetime.fromtimestamp(second, self.query.zone), self.query.now.astimezone(self.query.zone).date()
        return f"{when:%H:%M}" if when.date() == today else self._moment(second).replace(UNBROKEN, " ")

    def _moment(self, second: int) -> str:
        return moment(datetime.fromtimestamp(second, UTC), self.query.zone)


def collected_time(session: Session, query: ViewQuery) -> CollectedTime:
    """Return the collected time; in a database of imports alone, it begins with the first tweet."""
    keys, now = query.filters.named_tags, int(query.now.timestamp())
    named = shown_reaches(session, keys=keys, now=now)
    asked, changes = named if keys else asked_for(named), rules_changes(session)
    others = [one for one in shown_reaches(session, now=now) if key(one.tag) not in keys] if keys else []
    return CollectedTime(tuple(asked), (*named, *others), query, tuple(changes))


def tag_names(tags: Sequence[str]) -> str:
    """Return the names of at most three tags, else their number."""
    return enumeration(tags) if len(tags) <= MOST_NAMED else plural(len(tags), "tag")


def _when(change: RulesChange, query: ViewQuery) -> str:
    """Return when rules changed, to the day; those by which X has not counted yet may have changed until now."""
    after, before = (day(one.astimezone(query.zone)) for one in (change.after, change.before or query.now))
    return f"on {after}" if before == after else f"between {after} and {before}"
