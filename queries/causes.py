"""Causes of spikes: the tags, terms, domains and authors that stand out in a bucket against the time before.

A bucket's tweets are compared with those of the baseline, which are the collected buckets of the time before. What stands out
has a larger share of the bucket's tweets than of the baseline's: the best score of `queries.terms.log_likelihood` comes first,
ties by name. Without tweets in the baseline, those of the collected buckets of the period take its place, and no lift is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from database.functions import among
from models import Author
from queries.bucket_tweets import FEW_RUNS, Counts, Members, TweetSet, domain_counts, members, tag_counts, term_counts
from queries.filters import Filters
from queries.spikes import BucketCount, CountedBuckets, counted_buckets, spike_period
from queries.terms import FEWEST, Sampling, lift, log_likelihood
from queries.zones import Period

MOST_SPIKES, MOST_LISTED, MOST_AUTHORS, MOST_TOP = 100, 5, 3, 3
BUCKET_SAMPLING, BASELINE_SAMPLING = Sampling(2000, 200), Sampling(20_000, 1500)
"""Of how many tweets of a bucket, and of the baseline, the terms are counted."""
BRIEF_SAMPLING = Sampling(100, 100), Sampling(400, 400)
"""The same for a page on which the causes are one sentence of many."""
MANY_TWEETS = 8000
MOST_EXAMINED = 20_000
"""The most tweets of all buckets of an answer of which none is sampled but for its own size: more would take seconds."""

Outlier = tuple[str, int, float | None]
"""A value, how many of a bucket's tweets have it, and their share by that of the baseline; None where that is 0."""


class TagCause(NamedTuple):
    """A tag that stands out, the tweets that it found, and their lift."""

    tag: str
    tweets: int
    lift: float | None


class TermCause(NamedTuple):
    """A term that stands out, the tweets that have it, and their lift; of a sample, the tweets are projected."""

    term: str
    tweets: int
    lift: float | None


class DomainCause(NamedTuple):
    """A domain that stands out, the tweets that link to it, and their lift."""

    domain: str
    tweets: int
    lift: float | None


class BucketAuthor(NamedTuple):
    """An author, and how many of the bucket's tweets are theirs."""

    username: str
    tweets: int


class Causes(NamedTuple):
    """What stands out in a bucket: at most five tags, terms and domains, three authors, and three tweets.

    All but the tweets are in at least three tweets. `quotes_share` is the share of tweets that quote another one,
    `top_authors_share` that of the three authors with the most tweets; both are None without tweets. `top` are the ids of the
    tweets with the most engagement, unknown last, ties by highest id.
    """

    quotes_share: float | None
    top_authors_share: float | None
    tags: list[TagCause]
    terms: list[TermCause]
    domains: list[DomainCause]
    authors: list[BucketAuthor]
    top: list[int]


class ExplainedSpike(NamedTuple):
    """A spike with what stands out in it, as in Causes."""

    start: datetime
    end: datetime
    tweets: int
    expected: float
    quotes_share: float | None
    top_authors_share: float | None
    tags: list[TagCause]
    terms: list[TermCause]
    domains: list[DomainCause]
    authors: list[BucketAuthor]
    top: list[int]


def explained_spikes(session: Session, filters: Filters, *, bucket: timedelta, zone: tzinfo, now: int) -> list[ExplainedSpike]:
    """Return the newest hundred spikes of the filters' period, newest first; raises TooManyBuckets."""
    period = spike_period(filters, now=now)
    counted = counted_buckets(session, filters, bucket=bucket, zone=zone, period=period, now=now)
    found = counted.spikes[-MOST_SPIKES:]
    explained = causes(session, filters, [(one.first, one.end) for one in found], counted)
    both = zip(reversed(found), reversed(explained), strict=True)
    return [ExplainedSpike(_time(one.first), _time(one.end), one.tweets, one.expected, *why) for one, why in both]


def causes(
    session: Session,
    filters: Filters,
    periods: Sequence[Period],
    counted: CountedBuckets,
    *,
    is_brief: bool = False,
) -> list[Causes]:
    """Return what stands out in each of these buckets, which are sorted, against the baseline.

    Where it `is_brief`, fewer tweets are examined, those of the baseline in a few of its buckets, and domains are not counted.
    """
    if not periods:
        return []
    found, compared = members(session, filters, periods), _compared(counted)
    before = TweetSet(session, filters, compared)
    texts = TweetSet(session, filters, spread(compared)) if is_brief else before
    authors = _authors(session, found)
    domains = [Counts({}, 0) for _ in found] if is_brief else domain_counts(session, found)
    linked = {domain for own in domains for domain, tweets in own.tweets.items() if tweets >= FEWEST}
    tags = _outliers(tag_counts(session, found), before.tags(), counted)
    sampling, of_baseline = BRIEF_SAMPLING if is_brief else (_sampling(found), BASELINE_SAMPLING)
    terms = _outliers(term_counts(session, found, sampling), texts.terms(of_baseline), counted)
    linking = _outliers(domains, before.domains(linked), counted)
    projected = [_projected(rows, len(own), sampling) for own, rows in zip(found, terms, strict=True)]
    return [_causes(*one) for one in zip(found, authors, tags, projected, linking, strict=True)]


def _sampling(found: Sequence[Members]) -> Sampling:
    """Return how the terms of these buckets are sampled."""
    size = BUCKET_SAMPLING.size
    return Sampling(size, size) if sum(map(len, found)) > MOST_EXAMINED else BUCKET_SAMPLING


def _projected(found: list[Outlier], tweets: int, sampling: Sampling) -> list[Outlier]:
    """Return terms with the number of a bucket's tweets that have them, rounded down, instead of that of the examined ones."""
    return [(term, own * tweets // sampling.examined(tweets), lift) for term, own, lift in found]


def _compared(counted: CountedBuckets) -> Sequence[BucketCount]:
    """Return the buckets of the baseline; where these have no tweets, those of the period."""
    return counted.baseline if any(one.tweets for one in counted.baseline) else counted.values


def spread(buckets: Sequence[BucketCount]) -> Sequence[BucketCount]:
    """Return these buckets, or a few of them at equal distances if they have many tweets."""
    many = sum(one.tweets for one in buckets) > MANY_TWEETS
    return buckets[:: -(-len(buckets) // FEW_RUNS)] if many else buckets


def _causes(
    own: Members,
    authors: list[BucketAuthor],
    tags: list[Outlier],
    terms: list[Outlier],
    domains: list[Outlier],
) -> Causes:
    return Causes(
        sum(one.is_quote for one in own) / len(own) if own else None,
        sum(one.tweets for one in authors) / len(own) if own else None,
        [TagCause(*one) for one in tags],
        [TermCause(*one) for one in terms],
        [DomainCause(*one) for one in domains],
        [one for one in authors if one.tweets >= FEWEST],
        _top(own),
    )


def _outliers(found: Sequence[Counts], before: Counts, counted: CountedBuckets) -> list[list[Outlier]]:
    """Return what stands out in each bucket, the best score first; without tweets in the baseline, lifts are None."""
    has_lift = any(one.tweets for one in counted.baseline)
    return [
        [(value, own.tweets[value], _lift(own, before, value) if has_lift else None) for value in _ranked(own, before)]
        for own in found
    ]


def _ranked(own: Counts, before: Counts) -> list[str]:
    """Return the values that stand out, the best score first, ties by name."""
    found = [value for value, tweets in own.tweets.items() if tweets >= FEWEST and _has_larger_share(own, before, value)]
    ranked = sorted((-_score(own, before, value), value) for value in found)
    return [value for _, value in ranked[:MOST_LISTED]]


def _has_larger_share(own: Counts, before: Counts, value: str) -> bool:
    """Whether a value's share of the bucket's tweets is larger; of nothing to compare with, every one is."""
    return not before.of or own.tweets[value] * before.of > before.tweets.get(value, 0) * own.of


def _score(own: Counts, before: Counts, value: str) -> float:
    tweets = own.tweets[value]
    return round(log_likelihood(tweets, own.of, before.tweets.get(value, 0), before.of), 2) if before.of else tweets


def _lift(own: Counts, before: Counts, value: str) -> float | None:
    return lift(own.tweets[value], own.of, before.tweets.get(value, 0), before.of)


def _authors(session: Session, found: Sequence[Members]) -> list[list[BucketAuthor]]:
    """Return the three authors with the most tweets of each bucket, ties by username, without those that X did not name."""
    counts = [Counter(one.author_id for one in members if one.author_id is not None) for members in found]
    known = select(Author.id, Author.username).where(among(Author.id, {one for own in counts for one in own}))
    names = {own: name for own, name in session.execute(known) if name}
    ranked = [sorted((-tweets, names[one], one) for one, tweets in own.items() if one in names) for own in counts]
    return [[BucketAuthor(name, -tweets) for tweets, name, _ in own[:MOST_AUTHORS]] for own in ranked]


def _top(own: Members) -> list[int]:
    ranked = sorted(own, key=lambda one: (-1 if one.engagement is None else one.engagement, one.id), reverse=True)
    return [one.id for one in ranked[:MOST_TOP]]


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
