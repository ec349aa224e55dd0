"""The tweets of buckets, and what they have: tags, terms and domains, counted once a tweet; and the same of a baseline.

Terms are counted in a sample if there are many tweets: those with the smallest `queries.terms.sample_key`, ties by id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import chain, pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from database.functions import among, quarter_hour
from models import Tag, Tweet, TweetLink, TweetTag
from queries.filters import ALL, Filters, conditions
from queries.series import per_tag
from queries.spikes import BucketCount
from queries.terms import HIGHEST_KEY, Sampling, sample_key
from queries.zones import QUARTER_S, Period
from text.stop_words import stop_words
from text.terms import terms


class Member(NamedTuple):
    """A tweet of a bucket, posted in the quarter of an hour that begins with the second `quarter`."""

    quarter: int
    id: int
    author_id: int | None
    engagement: int | None
    is_quote: bool


class Counts(NamedTuple):
    """How many of `of` tweets have each value."""

    tweets: Mapping[str, int]
    of: int


Members = Sequence[Member]
FEW_RUNS = 13
"""So many times without a break are read one by one, in place of all between the first and the last."""
_COLUMNS = (quarter_hour(Tweet.created), Tweet.id, Tweet.author_id, Tweet.engagement, Tweet.is_quote)


def members(session: Session, filters: Filters, periods: Sequence[Period]) -> list[list[Member]]:
    """Return the matching tweets of each period, whatever the filters' own period is. Periods are sorted and don't overlap."""
    starts, found = [first for first, _ in periods], [list[Member]() for _ in periods]
    for row in session.connection().execute(_members_query(filters._replace(since=None, until=None), periods)):
        found[bisect_right(starts, row[0]) - 1].append(Member._make(row))
    return found


def _members_query(filters: Filters, periods: Sequence[Period]) -> Any:
    """Return the query of the tweets of periods; databases look up what the other filters need for each of these tweets."""
    if filters == ALL:
        return select(*_COLUMNS).where(_within(Tweet.created, periods))
    near = aliased(Tweet)
    ids = select(near.id).where(_within(near.created, periods)).cte("near").prefix_with("MATERIALIZED")
    return select(*_COLUMNS).where(Tweet.id.in_(select(ids.c.id)), *conditions(filters))


def _within(created: Any, periods: Sequence[Period]) -> ColumnElement[bool]:
    return or_(*((created >= _time(first)) & (created < _time(end)) for first, end in periods))


def tag_counts(session: Session, found: Sequence[Members]) -> list[Counts]:
    """Count the tags that found each bucket's tweets."""
    rows = select(TweetTag.tweet_id, Tag.tag).join(Tag, Tag.id == TweetTag.tag_id)
    return _counted(found, session.connection().execute(rows.where(among(TweetTag.tweet_id, _buckets_by_id(found)))))


def domain_counts(session: Session, found: Sequence[Members]) -> list[Counts]:
    """Count the domains to which each bucket's tweets link."""
    rows = select(TweetLink.tweet_id, TweetLink.domain).where(among(TweetLink.tweet_id, _buckets_by_id(found))).distinct()
    return _counted(found, session.connection().execute(rows))


def term_counts(session: Session, found: Sequence[Members], sampling: Sampling) -> list[Counts]:
    """Count the terms of each bucket's tweets, or of a sample of them."""
    sampled = [_sample(members, sampling) for members in found]
    counters, bucket = [Counter[str]() for _ in found], _buckets_by_id(sampled)
    for tweet_id, own in _terms(session, list(bucket)):
        counters[bucket[tweet_id]].update(own)
    return [Counts(counter, len(own)) for counter, own in zip(counters, sampled, strict=True)]


def _sample(found: Members, sampling: Sampling) -> Members:
    if len(found) <= sampling.above:
        return found
    return nsmallest(sampling.size, found, key=lambda one: (sample_key(one.id), one.id))


def _counted(found: Sequence[Members], rows: Iterable[Any]) -> list[Counts]:
    """Count the values of rows of a tweet's id and a value, by bucket."""
    bucket, counters = _buckets_by_id(found), [Counter[str]() for _ in found]
    for tweet_id, value in rows:
        counters[bucket[tweet_id]][value] += 1
    return [Counts(counter, len(own)) for counter, own in zip(counters, found, strict=True)]


def _buckets_by_id(found: Sequence[Members]) -> dict[int, int]:
    return {one.id: at for at, members in enumerate(found) for one in members}


def _terms(session: Session, ids: Sequence[int]) -> Iterator[tuple[int, set[str]]]:
    """Yield the ids of these tweets with their terms; tags are no terms."""
    tags = frozenset(session.scalars(select(Tag.key)))
    texts = select(Tweet.id, Tweet.text, Tweet.lang).where(among(Tweet.id, ids))
    for tweet_id, text, lang in session.connection().execute(texts):
        yield tweet_id, terms(text, stop_words=stop_words(lang), tags=tags)


class TweetSet:
    """The matching tweets of some buckets, sorted and without overlaps, with which those of other buckets are compared."""

    def __init__(self, session: Session, filters: Filters, buckets: Sequence[BucketCount]) -> None:
        self._session, self._filters = session, filters._replace(since=None, until=None)
        self._runs = _runs(buckets)
        self.tweets = sum(one.tweets for one in buckets)

    def tags(self) -> Counts:
        """Count the tags that found the tweets."""
        periods, runs = list(pairwise(edge for run in self._runs for edge in run)), {first for first, _ in self._runs}
        found = per_tag(self._session, periods, self._filters) if self.tweets else []
        return Counts({one.tag: _sum(one.counts, periods, runs) for one in found}, self.tweets)

    def domains(self, only: Collection[str]) -> Counts:
        """Count some domains to which the tweets link."""
        if not self.tweets or not only:
            return Counts({}, self.tweets)
        tweets = func.count(TweetLink.tweet_id.distinct())
        rows = select(TweetLink.domain, tweets).where(TweetLink.domain.in_(only), *self._link_conditions())
        found = self._session.execute(rows.group_by(TweetLink.domain))
        return Counts({domain: int(count) for domain, count in found}, self.tweets)

    def terms(self, sampling: Sampling) -> Counts:
        """Count the terms of the tweets, or of a sample of them."""
        if not self.tweets:
            return Counts({}, 0)
        sampled = self._sampled(sampling)
        return Counts(Counter(chain.from_iterable(own for _, own in _terms(self._session, sampled))), len(sampled))

    def _sampled(self, sampling: Sampling) -> Sequence[int]:
        """Return the ids of all tweets, or of a sample. Keys that are certainly too large are not sorted."""
        own: Any = Tweet.id
        key, ids = sample_key(own), select(own).where(*self._conditions())
        if self.tweets <= sampling.above:
            return self._session.scalars(ids).all()
        sample = ids.order_by(key, own).limit(sampling.size)
        found = self._session.scalars(sample.where(key < HIGHEST_KEY * 2 * sampling.size // self.tweets)).all()
        return found if len(found) == sampling.size else self._session.scalars(sample).all()

    def _conditions(self) -> list[ColumnElement[bool]]:
        if self._filters == ALL and len(self._runs) <= FEW_RUNS:
            return [_within(Tweet.created, self._runs)]
        first, end = self._bounds
        return [*conditions(self._filters._replace(since=first, until=end), whole=True), *self._in_runs(Tweet.created)]

    def _link_conditions(self) -> list[ColumnElement[bool]]:
        if self._filters != ALL:
            return [TweetLink.tweet_id.in_(select(Tweet.id).where(*self._conditions()))]
        first, end = self._bounds
        return [TweetLink.created >= first, TweetLink.created < end, *self._in_runs(TweetLink.created)]

    @property
    def _bounds(self) -> tuple[datetime, datetime]:
        return _time(self._runs[0][0]), _time(self._runs[-1][1])

    def _in_runs(self, created: Any) -> list[ColumnElement[bool]]:
        """Return the condition that a time between the bounds is in one of several runs."""
        quarters = [start for first, end in self._runs for start in range(first, end, QUARTER_S)]
        return [among(quarter_hour(created), quarters)] if len(self._runs) > 1 else []


def _runs(buckets: Sequence[BucketCount]) -> list[Period]:
    """Return the periods of buckets; those without a break between them are joined."""
    found = list[Period]()
    for one in buckets:
        if found and found[-1][1] == one.first:
            found[-1] = found[-1][0], one.end
        else:
            found.append((one.first, one.end))
    return found


def _sum(counts: Sequence[int | None], periods: Sequence[Period], starts: Collection[int]) -> int:
    """Sum the counts of the periods that begin at one of these seconds."""
    return sum(count or 0 for count, (first, _) in zip(counts, periods, strict=True) if first in starts)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
