"""/view/spike: one hour, day or quarter of an hour, what stands out in it against the time before, and its top tweets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask import Response
from sqlalchemy.orm import Session

from queries.causes import BUCKET_SAMPLING
from queries.peaks import Peak, bucket_finding, bucket_peak
from queries.spikes import CountedBuckets, counted_buckets
from queries.timeline import TooManyBuckets
from queries.tweets import TweetViews
from queries.zones import DAY, HOUR, QUARTER, Period, buckets
from schemas.arguments import BucketArguments
from schemas.problems import BadInput, ParameterError
from schemas.times import rfc3339
from text.phrases import duration
from web.charts import SpikePage
from web.figures.content import domain_url
from web.figures.volume import visible_time
from web.site import Route, Site, tidy_redirect
from web.view_query import ViewQuery

PATH = "/view/spike"
NAMES = {QUARTER: "quarter", HOUR: "hour", DAY: "day"}
TOO_LONG = "is longer than this page compares by such short buckets: choose a later one"


class StandingOut(NamedTuple):
    """A kind of what stands out: its title, whether it has lifts, and its rows.

    A row has a text, the URL it leads to, the tweets, their share, and their lift.
    """

    title: str
    has_lift: bool
    rows: Sequence[tuple[str, str, int, float, float | None]]


def spike(site: Site) -> Response:
    """Show what stands out in a bucket, whether it is a spike or not."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        query = site.parse(session, BucketArguments)
        bucket, (first, end) = query.bucket or HOUR, _period(query)
        counted = _counted(session, query, (first, end), bucket)
        found = bucket_peak(session, query.filters, bucket, query.zone, (first, end), counted)
        spikes = list(_spikes_of_hours(session, query, (first, end)))
        times = {"since": _text(first), "until": _text(end)}
        values: dict[str, Any] = {
            "peak": found,
            "finding": bucket_finding(found, query.zone, has_spikes=bool(spikes)),
            "spikes": spikes,
            "kinds": list(_kinds(found, query, times)),
            "tweets": TweetViews().rows(session, found.causes.top),
            "all": query.tweets_url(sort="-engagement", **times),
            "baseline": sum(one.tweets for one in counted.baseline),
            "sample": BUCKET_SAMPLING.size if found.tweets > BUCKET_SAMPLING.above else None,
            "bucket": NAMES.get(bucket) or duration(bucket),
            "is_one": bucket in NAMES,
            "earlier": query.url(PATH, start=_text(first - 1)),
            "later": query.url(PATH, start=_text(end)) if end <= query.now.timestamp() else None,
        }
        return site.page("spike.html", session, query.zone, query=query, **values)


def _period(query: ViewQuery) -> Period:
    """Return the bucket that contains the start asked for."""
    second = int(query.start.timestamp()) if query.start else 0
    return next(buckets(query.zone, query.bucket or HOUR, second, second + 1))


def _spikes_of_hours(session: Session, query: ViewQuery, period: Period) -> Iterator[SpikePage]:
    """Yield the hours that are spikes and overlap a bucket of another length, which charts mark by them."""
    if (query.bucket or HOUR) not in (HOUR, DAY):
        for one in _counted(session, query, period, HOUR).spikes:
            if one.first < period[1] and one.end > period[0]:
                yield SpikePage(datetime.fromtimestamp(one.first, UTC), one.tweets, query.bucket_url(one.first, HOUR))


def _counted(session: Session, query: ViewQuery, bucket: Period, length: timedelta) -> CountedBuckets:
    """Count the period shown if it has the bucket, else the equally long one that ends with it; raises BadInput."""
    first, end = visible_time(session, query)
    if not first <= bucket[0] < end:
        first, end = bucket[1] - (end - first), bucket[1]
    now = int(query.now.timestamp())
    try:
        return counted_buckets(session, query.filters, bucket=length, zone=query.zone, period=(first, end), now=now)
    except TooManyBuckets as error:
        raise BadInput([ParameterError("since", TOO_LONG)]) from error


def _kinds(peak: Peak, query: ViewQuery, times: dict[str, str]) -> Iterator[StandingOut]:
    """Yield the tables of the page."""
    why, of = peak.causes, peak.tweets
    tags = [(one.tag, query.tag_url(one.tag), one.tweets, one.tweets / of, one.lift) for one in why.tags]
    words = f"{query.value('q')} {{}}"
    terms = [
        (one.term, query.tweets_url(**times, q=words.format(_quoted(one.term)).strip()), one.tweets, one.tweets / of, one.lift)
        for one in why.terms
    ]
    domains = [(one.domain, domain_url(one.domain, query), one.tweets, one.tweets / of, one.lift) for one in why.domains]
    authors = [(f"@{one.username}", query.author_url(one.username), one.tweets, one.tweets / of, None) for one in why.authors]
    yield StandingOut("Words and pairs of words", True, terms)
    yield StandingOut("Most active authors", False, authors)
    yield StandingOut("Tags", True, tags)
    yield StandingOut("Domains", True, domains)


def _quoted(term: str) -> str:
    return f'"{term}"' if " " in term else term


def _text(second: int) -> str:
    return rfc3339(datetime.fromtimestamp(second, UTC)) or ""


ROUTES: tuple[Route, ...] = ((PATH, spike, "GET"),)
