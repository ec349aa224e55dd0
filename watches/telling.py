"""What messages of spikes, thresholds and new tweets tell."""

from __future__ import annotations

from datetime import timedelta

from queries.peaks import Peak, bucket_peak, standing_out
from queries.spikes import CountedBuckets, counted_buckets, season_place
from queries.tweets import TweetViews
from queries.zones import DAY, HOUR, buckets
from text.phrases import enumeration, number, plural
from watches.occasions import Occasion, chart, compared_period, spike_url, text_of
from watches.sections import QuotedTweet, Section, Told
from watches.wording import about, quoted, subject

BARS = {HOUR: timedelta(hours=24), DAY: timedelta(days=14)}
MOST_DOMAINS = 3
FEW = 10
"""Below so many expected tweets, their number has a decimal."""


def spike(occasion: Occasion) -> Told | None:
    """Return what is told of an hour or a day with far more tweets than usual; None if its tweets are deleted."""
    counted = _counted(occasion)
    peak = _peak(occasion, counted)
    if not peak.tweets:
        return None
    usual = f", {peak.times}" if peak.times else ""
    title = about(occasion.definition, f"{plural(peak.tweets, 'tweet')} {occasion.when}{usual}")
    more = ("All about this spike", spike_url(occasion, occasion.finding.start))
    return Told(title, (_why(occasion, peak, counted), _chart(occasion), _top(occasion, peak)), more)


def threshold(occasion: Occasion) -> Told | None:
    """Return what is told of a bucket with more or fewer tweets than a number; None if that is no longer so."""
    definition, counted = occasion.definition, _counted(occasion)
    peak = _peak(occasion, counted)
    if definition.less_than is not None:
        limit, holds = f"fewer than {number(definition.less_than)}", peak.tweets < definition.less_than
    else:
        limit, holds = f"more than {number(definition.more_than)}", peak.tweets > (definition.more_than or 0)
    if not holds:
        return None
    so_far = " so far" if occasion.finding.end > occasion.now else ""
    title = about(definition, f"{plural(peak.tweets, 'tweet')}{so_far} {occasion.when}, {limit}")
    more = ("All tweets of this time", occasion.tweets_url())
    return Told(title, (_why(occasion, peak, counted), _chart(occasion), _top(occasion, peak)), more)


def new_tweets(occasion: Occasion) -> Told | None:
    """Return what is told of tweets that a collection stored; None if all of them are deleted."""
    views = TweetViews().rows(occasion.session, occasion.finding.tweets)
    if not views:
        return None
    of, some = subject(occasion.definition), plural(len(views), "new tweet")
    title = f"{some} {'matches' if len(views) == 1 else 'match'} {of}" if of else some
    shown = tuple(quoted(views, occasion.definition.zone))
    posted = [view.created for view in views]
    more = occasion.url("/view/tweets", since=text_of(min(posted)), until=text_of(max(posted) + timedelta(seconds=1)))
    return Told(title, (Section(tweets=shown),), ("All matching tweets of this time", more))


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


def _peak(occasion: Occasion, counted: CountedBuckets) -> Peak:
    definition = occasion.definition
    return bucket_peak(occasion.session, occasion.filters, definition.length, definition.zone, occasion.period, counted)


def _why(occasion: Occasion, peak: Peak, counted: CountedBuckets) -> Section:
    """Return how many tweets were expected, what stands out, in the words of the pages, and the links that do."""
    linked = enumeration(one.domain for one in peak.causes.domains[:MOST_DOMAINS])
    said = (_expected(occasion, peak, counted), standing_out(peak), f"Linked more than usual: {linked}." if linked else "")
    return Section(sentences=tuple(one for one in said if one))


def _expected(occasion: Occasion, peak: Peak, counted: CountedBuckets) -> str:
    """Return how many tweets were expected and what tells that; nothing if that is unknown."""
    if peak.expected is None or peak.is_open:
        return ""
    first, definition = occasion.period[0], occasion.definition
    place = season_place(first, definition.length, definition.zone)
    has_same = any(one.place == place and one.first != first for one in (*counted.values, *counted.baseline))
    same, span = ("weekday", "60 days") if definition.length == DAY else ("hour", "two weeks")
    by = f"the same {same} of the {span} before" if has_same else f"the {span} before"
    many = number(peak.expected) if peak.expected >= FEW else f"{peak.expected:,.1f}".removesuffix(".0")
    some = "None" if not peak.expected else "Hardly any" if many == "0" else f"About {many}"
    return f"{some} {'was' if many == '1' else 'were'} expected, by {by}."


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
