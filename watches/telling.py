"""What messages of spikes, thresholds, new tweets and missing collections tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from sqlalchemy.orm import Session

from queries.collections import CollectionView, latest
from queries.counters import schedule, x_now
from queries.filters import Filters
from queries.peaks import Peak, bucket_peak, peak_reasons
from queries.series import totals
from queries.spikes import WATCHED_S, CountedBuckets, asked_reaches, counted_buckets
from queries.tags import tag_name
from queries.tweets import TweetViews
from queries.zones import DAY, HOUR, Period, buckets
from schemas.times import rfc3339
from text.advice import advice
from text.phrases import enumeration, moment, number, plural
from watches.definitions import WatchDefinition
from watches.findings import Finding
from watches.sections import Bar, QuotedTweet, Section, Told
from watches.wording import DATE, about, listed, quoted, subject, when, zone_name

BARS = {HOUR: timedelta(hours=24), DAY: timedelta(days=14)}
MOST_DOMAINS, MOST_NAMED = 3, 3


class Occasion(NamedTuple):
    """A finding of a watch, read at a time (`now`), and the address of the pages."""

    session: Session
    definition: WatchDefinition
    finding: Finding
    site: str
    now: datetime

    @property
    def filters(self) -> Filters:
        """The filters of the watch."""
        return self.definition.asked

    @property
    def period(self) -> Period:
        """The time of the finding in epoch seconds."""
        return int(self.finding.start.timestamp()), int(self.finding.end.timestamp())

    @property
    def when(self) -> str:
        """The bucket in words."""
        return when(self.definition, self.finding.start, self.finding.end, self.now)

    @property
    def x_second(self) -> int:
        """X's clock in epoch seconds."""
        return int(x_now(self.session).timestamp())

    def url(self, path: str, **more: str) -> str:
        """Return the address of a page with the filters and the time zone of the watch."""
        return (
            f"{self.site}{path}?{urlencode([*parse_qsl(self.definition.filters), *more.items(), ('tz', self.definition.tz)])}"
        )

    def tweets_url(self, **more: str) -> str:
        """Return the address of the list of tweets of the time of the finding."""
        return self.url("/view/tweets", since=_text(self.finding.start), until=_text(self.finding.end), **more)


def spike(occasion: Occasion) -> Told | None:
    """Return what is told of an hour or a day with far more tweets than usual; None if its tweets are deleted."""
    peak = _peak(occasion)
    if not peak.tweets:
        return None
    usual = f", {peak.times}" if peak.times else ""
    title = about(occasion.definition, f"{plural(peak.tweets, 'tweet')} {occasion.when}{usual}")
    more = ("All about this spike", spike_url(occasion, occasion.finding.start))
    return Told(title, (_why(peak), _chart(occasion), _top(occasion, peak)), more)


def threshold(occasion: Occasion) -> Told | None:
    """Return what is told of a bucket with more or fewer tweets than a number; None if that is no longer so."""
    definition, peak = occasion.definition, _peak(occasion)
    if definition.less_than is not None:
        limit, holds = f"fewer than {number(definition.less_than)}", peak.tweets < definition.less_than
    else:
        limit, holds = f"more than {number(definition.more_than)}", peak.tweets > (definition.more_than or 0)
    if not holds:
        return None
    so_far = " so far" if occasion.finding.end > occasion.now else ""
    title = about(definition, f"{plural(peak.tweets, 'tweet')}{so_far} {occasion.when}, {limit}")
    more = ("All tweets of this time", occasion.tweets_url())
    return Told(title, (_why(peak), _chart(occasion), _top(occasion, peak)), more)


def new_tweets(occasion: Occasion) -> Told | None:
    """Return what is told of tweets that a collection stored; None if all of them are deleted."""
    views = TweetViews().rows(occasion.session, occasion.finding.tweets)
    if not views:
        return None
    of, some = subject(occasion.definition), plural(len(views), "new tweet")
    title = f"{some} {'matches' if len(views) == 1 else 'match'} {of}" if of else some
    shown = tuple(quoted(views, occasion.definition.zone))
    posted = [view.created for view in views]
    more = occasion.url("/view/tweets", since=_text(min(posted)), until=_text(max(posted) + timedelta(seconds=1)))
    return Told(title, (Section(tweets=shown),), ("All matching tweets of this time", more))


def uncollected(occasion: Occasion) -> Told:
    """Return what is told if nothing was collected."""
    zone, since = occasion.definition.zone, occasion.finding.start
    names = [tag_name(occasion.session, key=one) or one for one in occasion.filters.named_tags]
    of = f" of {listed(names, MOST_NAMED)}" if names else ""
    local = since.astimezone(zone)
    title = f"Nothing{of} was collected since {local:{DATE}}, {local:%H:%M} {zone_name(local)}"
    told = ("What was posted since then is unknown, so this watch may be missing something.", *_reasons(occasion))
    return Told(title, (Section(sentences=told),), ("Health", f"{occasion.site}/view/health"))


def spike_url(occasion: Occasion, start: datetime) -> str:
    """Return the address of the page of the bucket that begins at a time, compared with the same time as the message."""
    length = occasion.definition.length
    first, end = compared_period(occasion)
    name = "day" if length == DAY else "hour"
    return occasion.url("/view/spike", since=_text(_time(first)), until=_text(_time(end)), bucket=name, start=_text(start))


def compared_period(occasion: Occasion) -> Period:
    """Return the time in which a bucket is looked for, until the finding's end."""
    end = occasion.period[1]
    return end - WATCHED_S[occasion.definition.length], end


def _counted(occasion: Occasion) -> CountedBuckets:
    definition = occasion.definition
    return counted_buckets(
        occasion.session,
        occasion.filters,
        bucket=definition.length,
        zone=definition.zone,
        period=compared_period(occasion),
        now=occasion.x_second,
    )


def _peak(occasion: Occasion) -> Peak:
    definition = occasion.definition
    return bucket_peak(
        occasion.session, occasion.filters, definition.length, definition.zone, occasion.period, _counted(occasion)
    )


def _why(peak: Peak) -> Section:
    """Return what stands out, in the words of the pages, and the links that do."""
    reasons = ", ".join(peak_reasons(peak))
    linked = enumeration(one.domain for one in peak.causes.domains[:MOST_DOMAINS])
    said = [f"What stands out: {reasons}."] if reasons else []
    return Section(sentences=(*said, *([f"Linked more than usual: {linked}."] if linked else [])))


def _top(occasion: Occasion, peak: Peak) -> Section:
    views = TweetViews().rows(occasion.session, peak.causes.top)
    return Section("Tweets with the most engagement", tweets=tuple[QuotedTweet, ...](quoted(views, occasion.definition.zone)))


def _chart(occasion: Occasion) -> Section:
    """Return the buckets until the one that the message is about."""
    definition, end = occasion.definition, occasion.period[1]
    first = end - int(BARS[definition.length].total_seconds())
    periods = list(buckets(definition.zone, definition.length, first, end))
    told = [period[0] == occasion.period[0] for period in periods]
    return chart(occasion, periods, told, "day" if definition.length == DAY else "hour")


def chart(occasion: Occasion, periods: list[Period], told: list[bool], bucket: str, more: str = "") -> Section:
    """Return the tweets of each period as bars, those that are `told` emphasized."""
    counts, zone = known_counts(occasion, periods), occasion.definition.zone
    begin = _time(periods[0][0])
    since = f"{begin.astimezone(zone):{DATE}}" if bucket == "day" else moment(begin, zone)
    most = f"at most {number(max(count or 0 for count in counts))}"
    unknown = "; nothing was collected where there is no bar" if None in counts else ""
    bars = tuple(Bar(*one) for one in zip(counts, told, strict=True))
    return Section(bars=bars, caption=f"Tweets by {bucket} since {since}, {most}{more}{unknown}")


def known_counts(occasion: Occasion, periods: list[Period]) -> list[int | None]:
    """Return the tweets of each period, None where there are none and a tag asked for was not collected."""
    counts = totals(occasion.session, periods, occasion.filters)
    reaches = asked_reaches(occasion.session, occasion.filters, now=occasion.x_second)
    covered = [all(one.covers(*period) for one in reaches) or occasion.x_second < period[1] for period in periods]
    return [count if count or known else None for count, known in zip(counts, covered, strict=True)]


def _reasons(occasion: Occasion) -> Iterator[str]:
    """Yield why nothing is collected, and what to do."""
    zone, view = occasion.definition.zone, latest(occasion.session)
    if view is None:
        yield "No collection has run yet."
    else:
        yield from _of_collection(view, occasion)
    every = schedule(occasion.session)
    if every is None:
        yield "The schedule is off: collect on the page Collections, or choose an interval on the page Schedule."
    elif every.kept:
        yield f"The next collection is due on {moment(every.due, zone)}."
    else:
        yield "The process that keeps the schedule does not run."


def _of_collection(view: CollectionView, occasion: Occasion) -> Iterator[str]:
    zone = occasion.definition.zone
    if view.state == "running":
        yield f"A collection runs since {moment(view.started, zone)}."
    elif view.problem:
        reason, kind = view.problem
        yield f"The last collection, {moment(view.ended or view.started, zone)}, did not succeed: {reason}. {advice(kind)}"
    else:
        yield f"The last collection ended {moment(view.ended or view.started, zone)}."


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _text(when: datetime) -> str:
    return rfc3339(when) or ""
