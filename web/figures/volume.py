"""Volume over time: counts in total, by tag and of the time before, which time was collected, and what X counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from sqlalchemy.orm import Session

from queries import volume as counts_of_x
from queries.authors import Activity, MatchCount, activity, match_count
from queries.filters import Filters
from queries.peaks import Peak, peak_finding, spike_peak
from queries.series import TagSeries, per_tag, totals
from queries.spikes import CountedBuckets, Spike, counted_buckets
from queries.tags import tag_ids, tag_name
from queries.timeline import time_with_tweets
from queries.tweets import matching_count
from queries.volume import Share, TagShare, volume
from queries.zones import DAY, HOUR, Axis, Period, axis, enough_tweets, fitting_bucket
from text.phrases import comparison, duration, number, plural, share
from web.charts import ChartFigure, ChartMark, Column, Curve, Row, SpikePage, Table
from web.figures.collected import MOST_NAMED, CollectedTime, Counts, collected_time, tag_names
from web.view_query import EARLIEST, ViewQuery

NOTHING, NOT_COLLECTED = "No tweets in this period.", "Unknown: not collected in this period."
LOW_COVERAGE = 0.5
"""Below this share of what X counted, the stored tweets are called a sample."""
UNFILTERED = "X counts all posts of a tag: the other filters are ignored here."
LONGEST = timedelta(days=400)


class Comparison(NamedTuple):
    """The tweets of this time and of the time before, up to where this time was collected; whole if that is all of it."""

    now: int
    before: int
    whole: bool = True


class TweetVolume(NamedTuple):
    """Counts by bucket in total and by tag, and those of the equally long time before (`before`, None if not comparable).

    Single values are None where they are unknown, because nothing was collected. `compared` has the tags that were collected
    in both times. `spikes` are numbers of buckets, and `counted` are the buckets among which they are; `collected` is how far
    the tags were collected.
    """

    axis: Axis
    counts: Counts
    before: Counts | None
    comparison: Comparison | None
    tags: Sequence[TagSeries]
    tags_before: Mapping[str, Counts]
    compared: Mapping[str, Comparison]
    spikes: tuple[int, ...]
    counted: CountedBuckets
    marks: tuple[ChartMark, ...]
    collected: CollectedTime

    @property
    def total(self) -> int:
        """The sum of what is known."""
        return sum(count or 0 for count in self.counts)

    @property
    def is_unknown(self) -> bool:
        """Whether nothing was collected and nothing is stored of this time."""
        return bool(self.counts) and all(count is None for count in self.counts)

    @property
    def total_before(self) -> int | None:
        """The sum of the time before, if all of this time compares with it."""
        return self.comparison.before if self.comparison and self.comparison.whole else None

    @property
    def leading(self) -> list[TagSeries]:
        """The tags, those with the most tweets first."""
        return sorted(self.tags, key=lambda series: -(series.total or 0))


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
        return _tweet_volume(self.session, self.query, self.collected, compares=self.sample is None)

    @cached_property
    def collected(self) -> CollectedTime:
        """How far the tags were collected."""
        return collected_time(self.session, self.query)

    @cached_property
    def peak(self) -> Peak | None:
        """The highest spike, with what stands out in it."""
        counted = self.volume.counted
        highest = max(counted.spikes, key=lambda one: one.tweets, default=None)
        return spike_peak(self.session, self.query.filters, highest, counted) if highest else None

    @property
    def nothing(self) -> str:
        """What to say where no tweets are found: that there are none, or that nobody asked for them."""
        return NOT_COLLECTED if self.volume.is_unknown else NOTHING

    @cached_property
    def shares(self) -> list[TagShare]:
        """The posts that X counted by tag in this time, whatever the other filters, and how many of them are stored.

        None for a tag whose rules changed within this time: what is stored was bought by other rules than X counted by.
        """
        since, until = counted_time(self.query)
        found = counts_of_x.per_tag(self.session, keys=self.query.filters.named_tags, since=since, until=until)
        times = int(since.timestamp()), int(until.timestamp())
        return [one._replace(share=None) if self.collected.changed(*times, [one.tag]) else one for one in found]

    @property
    def rules_changed(self) -> str:
        """That rules changed within this time, as a sentence; empty if none did."""
        since, until = counted_time(self.query)
        return self.collected.rules_changed(int(since.timestamp()), int(until.timestamp()))

    @cached_property
    def sample(self) -> Share | None:
        """What X counted and what is stored, if that is so little that it is a sample; None if it is most, or unknown."""
        share = self.on_x
        return share if share and (share.coverage or 0) < LOW_COVERAGE else None

    @cached_property
    def on_x(self) -> Share | None:
        """What X counted of all tags in this time, and what of it is stored; None if X counted nothing or was not asked."""
        known = [one.share for one in self.shares if one.share]
        share = Share(sum(one.counted for one in known), sum(one.stored for one in known))
        return share if share.counted else None

    @cached_property
    def totals(self) -> MatchCount:
        """The number of tweets and authors."""
        return match_count(self.session, self.query.filters)

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
    unfinished = tuple(at for at, one in enumerate(found.axis.periods) if one[1] > found.collected.end or is_cut(one, query))
    links = bucket_links(found.axis, query)
    pages = tuple(_spike_page(one, found, query) for one in found.counted.spikes)
    curve = Curve(found.axis.periods, curves, query.zone, found.spikes, found.marks, unfinished, links, spike_pages=pages)
    table = Table(tuple(columns), tuple(_time_rows(found, tags, query)))
    title = f"{'Stored tweets, a sample,' if given.sample else 'Tweets'} per {bucket_name(found.axis)}"
    return ChartFigure("volume", title, _volume_finding(given), table, omitted_note(given), curve)


def _spike_page(spike: Spike, found: TweetVolume, query: ViewQuery) -> SpikePage:
    url = query.bucket_url(spike.first, spike_bucket(found.axis))
    return SpikePage(datetime.fromtimestamp(spike.first, UTC), spike.tweets, url)


def bucket_links(time_axis: Axis, query: ViewQuery) -> tuple[str, ...]:
    """Return the URL of each bucket's page; none where a bucket has several days."""
    return tuple(query.bucket_url(first, time_axis.bucket) for first, _ in time_axis.periods) if time_axis.days <= 1 else ()


def counts_by_x(given: FigureInput) -> ChartFigure | None:
    """Chart X's counts of a single tag and what is stored, over the last 400 days at most.

    None for another number of tags, or without X's counts.
    """
    session, query, keys = given.session, given.query, given.query.filters.tags
    if len(keys) != 1:
        return None
    since, until = counted_time(query)
    since = max(since, until - LONGEST)
    bucket, days = fitting_bucket(
        int((until - since).total_seconds()), sum(one.share.counted for one in given.shares if one.share)
    )
    bucket = max(bucket * days, HOUR)
    buckets = volume(session, tag_ids=tag_ids(session, keys=keys), since=since, until=until, bucket=bucket)
    counted = [Share(one.counted, one.stored) for one in buckets if one.counted is not None]
    if not counted:
        return None
    columns = (Column("From", "time"), Column("X counted"), Column("Stored"), Column("Note", "text"))
    notes = ("no count from X" if one.counted is None else "partial" if one.partial else "" for one in buckets)
    rows = tuple((one.start, one.counted, one.stored, note) for one, note in zip(buckets, notes, strict=True))
    periods = tuple((int(one.start.timestamp()), int(one.end.timestamp())) for one in buckets)
    unfinished = tuple(at for at, (_, end) in enumerate(periods) if end > until.timestamp())
    same = bucket == HOUR or query.zone.key == "UTC"  # X counts days of UTC
    links = tuple(query.bucket_url(first, bucket) for first, _ in periods) if same else ()
    curve = Curve(periods, (1, 2), query.zone, unfinished=unfinished, links=links)
    note = UNFILTERED if query.is_narrowed else ""
    finding = given.rules_changed or coverage_finding(counted)
    return ChartFigure("counts", "X's counts over time", finding, Table(columns, rows), note, curve)


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


def sample_finding(given: FigureInput) -> str:
    """Return what X counted and that the stored tweets are a sample, as a sentence; empty if they are not."""
    sample = given.sample
    if sample is None:
        return ""
    if given.query.is_narrowed:
        return f"These are from a sample: {share(sample.coverage)} of the posts that X counted are stored."
    span = f" in {duration(given.query.shift)}" if given.query.seconds else ""
    twice = "" if len(given.shares) == 1 else ", one with two tags for each"
    return f"X counted {plural(sample.counted, 'post')}{span}{twice}; a sample of {share(sample.coverage)} is stored."


def _time_rows(found: TweetVolume, tags: Sequence[TagSeries], query: ViewQuery) -> Iterator[Row]:
    for at, (first, end) in enumerate(found.axis.periods):
        before = [found.before[at]] if found.before is not None else []
        notes = ["spike"] * (at in found.spikes)
        marks = sorted({mark.label for mark in found.marks if mark.first < end and mark.end > first})
        notes += marks if len(marks) <= MOST_NAMED else [f"{len(marks)} gaps"]
        is_open = end > query.now.timestamp() >= first
        notes += ["not over yet"] * is_open + ["partly outside of this time"] * (is_cut((first, end), query) and not is_open)
        counts = [found.counts[at], *before, *(series.counts[at] for series in tags)]
        yield (datetime.fromtimestamp(first, UTC), *counts, ", ".join(notes))


def is_cut(period: Period, query: ViewQuery) -> bool:
    """Whether a part of a bucket is outside of the time shown, so that its count says nothing about the whole bucket."""
    return query.seconds is not None and (period[0] < query.seconds[0] or period[1] > query.seconds[1])


def bucket_name(time_axis: Axis) -> str:
    """Return how long each bucket is, to follow "per"."""
    if time_axis.bucket == DAY:
        return "day" if time_axis.days <= 1 else f"{time_axis.days} days"
    return "hour" if time_axis.bucket == HOUR else duration(time_axis.bucket)


def _volume_finding(given: FigureInput) -> str:
    found, query = given.volume, given.query
    missing = list(found.collected.missing(*query.seconds)) if query.seconds else []
    if not found.total:
        return " ".join(missing if found.is_unknown and missing else [NOTHING, *missing])
    said = sample_finding(given) or _counted_and_compared(found, query)
    parts = [*_peak_finding(given), said, *_growth_finding(found), *missing]
    if found.marks and not missing:
        parts.append("The shaded time was not fully collected.")
    if found.comparison is None and query.before and not given.sample:
        parts.append(found.collected.why_not_compared(int(query.shift.total_seconds())))
    return " ".join(filter(None, parts))


def _counted_and_compared(found: TweetVolume, query: ViewQuery) -> str:
    tweets, both, than = plural(found.total, "tweet"), found.comparison, f"the {duration(query.shift)} before"
    compared = comparison(both.now, both.before, than=than) if both else ""
    if both and compared and not both.whole:
        return f"{tweets}. Up to where all tags were collected: {compared}."
    return f"{tweets}{', ' if compared else ''}{compared}."


def _growth_finding(found: TweetVolume) -> Iterator[str]:
    """Yield which of several tags has the most tweets more than before, if all of them compare."""
    growth = {tag: both.now - both.before for tag, both in found.compared.items()}
    most = max(growth.values(), default=0)
    if len(found.tags) == len(growth) > 1 and most > 0:
        leading = [tag for tag, more in growth.items() if more == most]
        yield f"{tag_names(leading)} grew most, by {plural(most, 'tweet')}{' each' if len(leading) > 1 else ''}."


def _peak_finding(given: FigureInput) -> Iterator[str]:
    """Yield the highest spike and why it is one."""
    if given.peak:
        yield peak_finding(given.peak, given.query.zone, of="Stored tweets" if given.sample else "Tweets")
        if len(given.volume.spikes) > 1:
            yield f"That is the highest of {len(given.volume.spikes)} spikes."


def _tweet_volume(session: Session, query: ViewQuery, collected: CollectedTime, *, compares: bool) -> TweetVolume:
    """Count tweets by bucket, and find spikes and time that was not collected."""
    first, end = visible_time(session, query)
    time_axis = axis(query.zone, first, end, matching_count(session, query.filters, most=enough_tweets(end - first)))
    periods = time_axis.periods
    counted = totals(session, periods, query.filters)
    counts = collected.without_unknown(counted, periods, collected.asked)
    tags = [
        series._replace(counts=collected.without_unknown(series.counts, periods, [collected.reach(series.tag)]))
        for series in _per_tag(session, periods, query.filters, counted)
    ]
    earlier = _earlier(session, query, periods, collected) if compares else None
    before = _total_comparison(counts, earlier, periods, collected) if earlier else None
    compared = dict(_tag_comparisons(tags, earlier, periods, collected)) if earlier else {}
    among = _counted_buckets(session, time_axis, (first, end), query)
    found = tuple(_row(one, periods, counted) for one in among.spikes)
    marks = tuple(collected.marks(session, periods)) if periods else ()
    shown = {tag: earlier.tags.get(tag, ()) for tag in compared} if earlier else {}
    common = min((one.end for one in collected.asked), default=0) if collected.lagging else collected.end
    line = None
    if earlier and before:
        line = [one if first < common else None for one, (first, _) in zip(earlier.counts, periods, strict=True)]
    return TweetVolume(time_axis, counts, line, before, tags, shown, compared, found, among, marks, collected)


class _Earlier(NamedTuple):
    """The counts of the time before, up to where this time was collected; None after that."""

    counts: Counts
    tags: Mapping[str, Counts]
    shift: int


def _earlier(session: Session, query: ViewQuery, periods: Sequence[Period], collected: CollectedTime) -> _Earlier | None:
    """Count the time before; None if there is none, or if nothing was collected of this time or before it."""
    filters, by = query.before, int(query.shift.total_seconds())
    if filters is None or filters.since is None or not periods or filters.since.timestamp() < collected.first - 1:
        return None
    end = collected.end - by
    until = min(filters.until or query.now, datetime.fromtimestamp(end, UTC))
    filters = filters._replace(until=max(until, filters.since))
    shifted = [(first - by, last - by) for first, last in periods]
    counts = totals(session, shifted, filters)
    reached = sum(first < end for first, _ in shifted)
    unknown = (None,) * (len(shifted) - reached)
    tags = {one.tag: (*one.counts[:reached], *unknown) for one in _per_tag(session, shifted, filters, counts)}
    return _Earlier((*counts[:reached], *unknown), tags, by)


def _total_comparison(
    counts: Counts, earlier: _Earlier, periods: Sequence[Period], collected: CollectedTime
) -> Comparison | None:
    """Compare the totals up to where all tags were collected."""
    end = collected.compared_end(collected.asked, earlier.shift)
    whole = not collected.lagging and not _outdated(collected)
    return None if end is None else _comparison(counts, earlier.counts, periods, end, whole=whole)


def _tag_comparisons(
    tags: Sequence[TagSeries], earlier: _Earlier, periods: Sequence[Period], collected: CollectedTime
) -> Iterator[tuple[str, Comparison]]:
    """Yield the tags that were collected in both times."""
    for series in tags:
        reach = collected.reach(series.tag)
        end = collected.compared_end([reach], earlier.shift)
        if end is not None:
            whole = reach not in collected.lagging and not _outdated(collected)
            before = earlier.tags.get(series.tag, (0,) * len(periods))
            yield series.tag, _comparison(series.counts, before, periods, end, whole=whole)


def _outdated(collected: CollectedTime) -> bool:
    seconds = collected.query.seconds
    return seconds is not None and collected.is_outdated(*seconds)


def _comparison(counts: Counts, before: Counts, periods: Sequence[Period], end: int, *, whole: bool) -> Comparison:
    """Sum both; where this time was not collected to its end, of the buckets that were."""
    most = len(periods) if whole else sum(last <= end for _, last in periods)
    return Comparison(sum(count or 0 for count in counts[:most]), sum(count or 0 for count in before[:most]), whole)


def _per_tag(session: Session, periods: Sequence[Period], filters: Filters, counts: Sequence[int]) -> list[TagSeries]:
    """Return the counts by tag. With a single-tag filter, that tag's counts are the totals."""
    if len(filters.tags) != 1:
        return per_tag(session, periods, filters)
    name = tag_name(session, key=filters.tags[0])
    return [TagSeries(name, tuple(counts))] if name else []


def _counted_buckets(session: Session, time_axis: Axis, period: Period, query: ViewQuery) -> CountedBuckets:
    """Return the buckets among which spikes are; none where a bucket has several days."""
    if time_axis.days > 1 or not time_axis.periods:
        return CountedBuckets((), ())
    bucket, now = spike_bucket(time_axis), int(query.now.timestamp())
    return counted_buckets(session, query.filters, bucket=bucket, zone=query.zone, period=period, now=now)


def spike_bucket(time_axis: Axis) -> timedelta:
    """Return the buckets among which the spikes of an axis are: days if it has days, else hours, however long its own are."""
    return DAY if time_axis.bucket == DAY else HOUR


def _row(spike: Spike, periods: Sequence[Period], counts: Sequence[int]) -> int:
    """Return the number of the bucket in which a spike is; of several the one with the most tweets."""
    within = [at for at, (first, end) in enumerate(periods) if first < spike.end and end > spike.first]
    return max(within, key=lambda at: counts[at])
