"""Volume over time: counts in total, by tag and of the time before, which time was collected, and what X counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import ceil
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries.authors import Activity, activity
from queries.filters import Filters
from queries.gaps import History, gap_times, histories
from queries.series import TagSeries, per_tag, spikes, totals
from queries.tags import tag_ids, tag_name
from queries.timeline import time_with_tweets
from queries.tweets import matching_count
from queries.volume import Share, volume
from queries.zones import DAY, HOUR, Axis, Period, axis
from web.charts import ChartFigure, ChartMark, Column, Curve, Row, Table, merge_marks
from web.view_query import EARLIEST, ViewQuery
from web.words import comparison, duration, enumeration, moment, number, plural, share

NOTHING = "No tweets in this period."
NO_BEFORE = "The time before was not collected, so there is no comparison."
UNFILTERED = "X counts all posts of a tag: the other filters are ignored here."
MOST_GAPS, MOST_NAMED = 100, 3
MOST_COUNTED = 400  # tweets for an axis; there are never more buckets to fill
SMALLEST_SHADE = 500  # a shaded area narrower than this part of the chart can't be told from its neighbours
LONGEST_OF_HOURS, LONGEST = timedelta(days=15), timedelta(days=400)


class TweetVolume(NamedTuple):
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
    marks: tuple[ChartMark, ...]
    new_tags: tuple[str, ...]
    reached: int

    @property
    def total_before(self) -> int | None:
        """The sum of the time before."""
        return None if self.before is None else sum(count or 0 for count in self.before)

    @property
    def leading(self) -> list[TagSeries]:
        """The tags, those with the most tweets first."""
        return sorted(self.tags, key=lambda series: -sum(series.counts))


@dataclass(frozen=True)
class FigureInput:
    """What figures are made from. They show at most `most_tags` tags, and at most `most` rows of anything else."""

    session: Session
    query: ViewQuery
    most: int = 10
    most_tags: int = 12

    @cached_property
    def volume(self) -> TweetVolume:
        """The counts over time."""
        return _tweet_volume(self.session, self.query)

    @cached_property
    def activity(self) -> Activity:
        """The number of tweets and authors, and the most active authors."""
        return activity(self.session, self.query.filters, most=self.most)


def over_time(given: FigureInput) -> ChartFigure:
    """Chart the counts by bucket; the table also has the tags with the most tweets."""
    found, query = given.volume, given.query
    leading = found.leading[: given.most_tags]
    tags = [series for series in found.tags if series in leading]
    columns = [Column("From", "time"), Column("Tweets")]
    columns += [Column(f"{duration(query.shift)} before")] if found.before is not None else []
    columns += [Column(series.tag) for series in tags] + [Column("Note", "text")]
    curves = (1, 2) if found.before is not None else (1,)
    unfinished = tuple(at for at, (_, end) in enumerate(found.axis.periods) if end > found.reached)
    curve = Curve(found.axis.periods, curves, query.zone, found.spikes, found.marks, unfinished)
    table = Table(tuple(columns), tuple(_time_rows(found, tags, query)))
    title = f"Tweets per {_bucket_name(found.axis)}"
    return ChartFigure("volume", title, _volume_finding(found, query), table, omitted_note(given), curve)


def counts_by_x(given: FigureInput) -> ChartFigure | None:
    """Chart X's counts of a single tag and what is stored, over the last 400 days at most.

    None for another number of tags, or without X's counts.
    """
    session, query, keys = given.session, given.query, given.query.filters.tags
    if len(keys) != 1:
        return None
    since, until = counted_time(query)
    since = max(since, until - LONGEST)
    bucket = HOUR if until - since <= LONGEST_OF_HOURS else DAY
    buckets = volume(session, tag_ids=tag_ids(session, keys=keys), since=since, until=until, bucket=bucket)
    counted = [Share(one.counted, one.stored) for one in buckets if one.counted is not None]
    if not counted:
        return None
    columns = (Column("From", "time"), Column("X counted"), Column("Stored"), Column("Note", "text"))
    notes = ("no count from X" if one.counted is None else "partial" if one.partial else "" for one in buckets)
    rows = tuple((one.start, one.counted, one.stored, note) for one, note in zip(buckets, notes, strict=True))
    periods = tuple((int(one.start.timestamp()), int(one.end.timestamp())) for one in buckets)
    note, curve = UNFILTERED if query.is_narrowed else "", Curve(periods, (1, 2), query.zone)
    return ChartFigure("counts", "X's counts over time", coverage_finding(counted), Table(columns, rows), note, curve)


def visible_time(session: Session, query: ViewQuery) -> Period:
    """Return the time shown, in epoch seconds; without a beginning it starts at the first stored tweet."""
    if query.seconds is not None:
        return query.seconds
    first, end = time_with_tweets(session)
    return first, max(first, min(end, int(query.filters.until.timestamp()) if query.filters.until else end))


def counted_time(query: ViewQuery) -> tuple[datetime, datetime]:
    """Return the time for which X's counts are compared (UTC)."""
    until = min(query.filters.until or query.now, query.now)
    return min(query.filters.since or EARLIEST, until), until.astimezone(UTC)


def omitted_note(given: FigureInput) -> str:
    """Return a note about tags that only the CSV has; empty if there are none."""
    count = len(given.volume.tags) - given.most_tags
    return f"{plural(count, 'tag')} with fewer tweets {'is' if count == 1 else 'are'} in the CSV only." if count > 0 else ""


def coverage_finding(counted: Sequence[Share]) -> str:
    """Return how many of the posts that X counted are stored, as a sentence."""
    total = Share(sum(one.counted for one in counted), sum(one.stored for one in counted))
    return f"{number(total.stored)} of the {number(total.counted)} posts that X counted are stored: {share(total.coverage)}."


def tag_names(tags: Sequence[str]) -> str:
    """Return the names of at most three tags, else their number."""
    return enumeration(tags) if len(tags) <= MOST_NAMED else plural(len(tags), "tag")


def _time_rows(found: TweetVolume, tags: Sequence[TagSeries], query: ViewQuery) -> Iterator[Row]:
    for at, (first, end) in enumerate(found.axis.periods):
        before = [found.before[at]] if found.before is not None else []
        notes = ["spike"] * (at in found.spikes)
        marks = sorted({mark.label for mark in found.marks if mark.first < end and mark.end > first})
        notes += marks if len(marks) <= MOST_NAMED else [f"{len(marks)} gaps"]
        notes += ["not over yet"] * (end > query.now.timestamp() >= first)
        counts = [found.counts[at], *before, *(series.counts[at] for series in tags)]
        shown = [None if first >= found.reached and not count else count for count in counts]
        yield (datetime.fromtimestamp(first, UTC), *shown, ", ".join(notes))


def _bucket_name(time_axis: Axis) -> str:
    if time_axis.bucket == DAY:
        return "day" if time_axis.days <= 1 else f"{time_axis.days} days"
    return "hour" if time_axis.bucket == HOUR else "15 minutes"


def _volume_finding(found: TweetVolume, query: ViewQuery) -> str:
    total = sum(found.counts)
    if not total:
        return NOTHING
    compared = comparison(total, found.total_before, than=f"the {duration(query.shift)} before")
    parts = [f"{plural(total, 'tweet')}{', ' if compared else ''}{compared}."]
    if found.spikes:
        top = max(found.spikes, key=lambda at: found.counts[at])
        when = moment(datetime.fromtimestamp(found.axis.periods[top][0], UTC), query.zone)
        highest = "the highest with" if len(found.spikes) > 1 else "with"
        parts.append(f"{plural(len(found.spikes), 'spike')}, {highest} {number(found.counts[top])} on {when}.")
    if found.marks:
        parts.append("The shaded time was not fully collected.")
    if found.new_tags and found.before is not None:
        parts.append(f"Not collected in all of the time before: {tag_names(found.new_tags)}.")
    if found.before is None and query.before:
        parts.append(NO_BEFORE)
    return " ".join(parts)


class CollectedTime(NamedTuple):
    """The collected time in epoch seconds: the first second of any tag, the first of all tags (`complete`), and the end.

    `late` are the histories that begin after the first.
    """

    first: int
    complete: int
    end: int
    late: tuple[History, ...] = ()


def _tweet_volume(session: Session, query: ViewQuery) -> TweetVolume:
    """Count tweets by bucket, and find spikes and time that was not collected."""
    tweets = matching_count(session, query.filters, most=MOST_COUNTED)
    time_axis, collected = axis(query.zone, *visible_time(session, query), tweets), _collected_time(session, query)
    counts = totals(session, time_axis.periods, query.filters)
    tags = _per_tag(session, time_axis.periods, query.filters, counts)
    before, tags_before = _earlier_counts(session, query, time_axis.periods, collected)
    since = query.before.since if query.before else None
    new_tags = tuple(one.tag for one in collected.late if since and one.tracked and one.begin > since)
    found = _spikes(time_axis, query, counts, before, collected)
    marks = tuple(_marks(session, query, time_axis.periods, collected)) if time_axis.periods else ()
    return TweetVolume(time_axis, counts, before, tags, tags_before, found, marks, new_tags, collected.end)


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


def _earlier_counts(
    session: Session, query: ViewQuery, periods: Sequence[Period], collected: CollectedTime
) -> tuple[Sequence[int | None] | None, Mapping[str, Sequence[int | None]]]:
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


def _spikes(
    time_axis: Axis, query: ViewQuery, counts: Sequence[int], before: Sequence[int | None] | None, collected: CollectedTime
) -> tuple[int, ...]:
    """Return the numbers of the fully collected buckets that are spikes for their hour, or as days for their weekday."""
    if time_axis.days > 1:
        return ()
    starts = [datetime.fromtimestamp(first, query.zone) for first, _ in time_axis.periods]
    labels = [start.weekday() if time_axis.bucket == DAY else start.hour for start in starts]
    whole = [at for at, (first, end) in enumerate(time_axis.periods) if first >= collected.complete and end <= collected.end]
    earliest = collected.complete + int(query.shift.total_seconds())
    usual = [
        (labels[at], count)
        for at, count in enumerate(before or ())
        if count is not None and time_axis.periods[at][0] >= earliest
    ]
    return tuple(whole[at] for at in spikes([counts[at] for at in whole], [labels[at] for at in whole], usual=usual))


def _marks(session: Session, query: ViewQuery, periods: Sequence[Period], collected: CollectedTime) -> Iterator[ChartMark]:
    """Yield the time before the tags' histories begin, the time that no collection has reached yet, and the gaps."""
    first, end = periods[0][0], periods[-1][1]
    late = [one for one in collected.late if one.begin.timestamp() > first]
    if collected.first > first or late:
        whose = late[0].tag if len(late) == 1 and collected.first <= first else "tags"
        yield ChartMark(first, min(max(collected.first, collected.complete), end), f"before the history of {whose}")
    now = min(end, int(query.now.timestamp()))
    if first <= collected.end < now - (end - periods[-1][0]):
        yield ChartMark(collected.end, now, "not collected yet")
    gaps = gap_times(session, keys=query.filters.tags)
    found = [ChartMark(int(gap.first.timestamp()), ceil(gap.end.timestamp()), f"gap in {gap.tag}") for gap in gaps]
    visible = [mark for mark in found if mark.first < end and mark.end > first]
    marks = [mark._replace(first=max(mark.first, first), end=min(mark.end, end)) for mark in visible]
    yield from marks if len(marks) <= MOST_GAPS else merge_marks(marks, "gaps", within=(end - first) // SMALLEST_SHADE)
