"""Terms: the words and pairs of neighbouring words in texts, counted once a tweet, and two sets of tweets compared by them.

A term's tweets are counted in all matching tweets, or in a sample if there are many: those with the smallest `sample_key`, ties
by id. `text.terms.terms` says what a term is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from heapq import nsmallest
from math import copysign, log
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, exists, select, true
from sqlalchemy.orm import Session

from database.functions import among
from models import Tag, Tweet
from queries.filters import ALL, BY_TIME, Filters, conditions, without
from queries.lists import TweetList, source
from queries.plans import Source
from queries.tweets import matching_count
from text.stop_words import stop_words
from text.terms import terms

HIGHEST_KEY = 2_147_483_586
FEWEST = 3
"""The least number of tweets that a term must occur in to be listed."""
TAG_FILTERS = ("tags", "any_tags")
MOST_TWEETS = 2**62

Number = TypeVar("Number", int, ColumnElement[int])


class Sampling(NamedTuple):
    """How many tweets are examined: all of them, or `size` if there are more than `above`."""

    above: int = 20_000
    size: int = 3000

    def examined(self, tweets: int) -> int:
        """Return how many of so many tweets are examined."""
        return self.size if tweets > self.above else tweets


WHOLE = Sampling()
BRIEF = Sampling(3000, 1000)
"""For pages, where terms are one figure of many."""


class TermCounts(NamedTuple):
    """How many of the `sampled` tweets have each term; these are all `of` matching ones, or a sample of them."""

    counts: Mapping[str, int]
    sampled: int
    of: int


NOTHING = TermCounts({}, 0, 0)


class RankedTerm(NamedTuple):
    """A term, the number of examined tweets that have it, and their share of these.

    `lift` is that share by the share of the tweets compared with, None if it has none there. `score` is `log_likelihood`.
    Both are rounded, and None if there is nothing to compare with.
    """

    term: str
    tweets: int
    share: float
    lift: float | None
    score: float | None


class Terms(NamedTuple):
    """Ranked terms, best score first, ties by term; how many tweets were examined, and of how many."""

    rows: list[RankedTerm]
    sampled: int
    of: int


def frequent_terms(session: Session, filters: Filters = ALL, *, limit: int, sampling: Sampling = WHOLE) -> Terms:
    """Return the terms of the matching tweets, compared with the stored tweets of the same tags that don't match."""
    inside = term_counts(session, filters, sampling=sampling)
    rest = _rest_counts(session, filters, inside, sampling)
    return Terms(ranked(inside, rest, limit=limit), inside.sampled, inside.of)


def term_counts(
    session: Session, filters: Filters, *, only: Collection[str] | None = None, sampling: Sampling = WHOLE
) -> TermCounts:
    """Count the terms of the matching tweets, or only some of the terms."""
    number = matching_count(session, filters, most=MOST_TWEETS)
    examined = _examined(session, _matching(session, filters), number, sampling)
    return TermCounts(_counts(session, examined, None if only is None else frozenset(only)), len(examined), number)


def _rest_counts(session: Session, filters: Filters, inside: TermCounts, sampling: Sampling) -> TermCounts:
    """Count those terms in the tweets that have the filters' tags, but don't match all filters."""
    same = ALL._replace(**{name: value for name, value in filters._asdict().items() if name in TAG_FILTERS})
    if filters == same:
        return NOTHING
    number = matching_count(session, same, most=MOST_TWEETS) - inside.of
    rest = _not_matching(_matching(session, same), without(filters, same), whole=number <= sampling.above)
    examined = _examined(session, rest, number, sampling)
    return TermCounts(_counts(session, examined, frozenset(_listed(inside))), len(examined), number)


def _matching(session: Session, filters: Filters) -> Source:
    return source(session, TweetList(filters, BY_TIME))


def _not_matching(found: Source, filters: Filters, *, whole: bool) -> Source:
    """Leave out what matches: tested tweet by tweet where only those of a sample are, which their keys choose first."""
    outside = and_(*conditions(filters, whole=whole)).is_not(true())
    on_tweets = found.columns.id is Tweet.id
    return found._replace(
        query=found.query.where(outside if on_tweets else exists().where(Tweet.id == found.columns.id, outside))
    )


def _examined(session: Session, wanted: Source, number: int, sampling: Sampling) -> Sequence[int]:
    """Return the ids of the tweets whose texts are read. Keys that are certainly too large for the sample are not sorted."""
    if number <= sampling.above:
        return session.scalars(wanted.query).all()
    own = sample_key(wanted.columns.id)
    sample = wanted.query.order_by(own, wanted.columns.id).limit(sampling.size)
    found = session.scalars(sample.where(own < HIGHEST_KEY * 2 * sampling.size // number)).all()
    return found if len(found) == sampling.size else session.scalars(sample).all()


def _counts(session: Session, ids: Sequence[int], only: Set[str] | None) -> Mapping[str, int]:
    """Count the terms of these tweets, or only some of them."""
    counts, tags = Counter[str](), frozenset(session.scalars(select(Tag.key)))
    texts = select(Tweet.text, Tweet.lang).where(among(Tweet.id, ids))
    for text, lang in session.connection().execute(texts).all():
        found = terms(text, stop_words=stop_words(lang), tags=tags)
        counts.update(found if only is None else found & only)
    return counts


def sample_key(tweet_id: Number) -> Number:
    """Return a hash of a tweet's id, the same number in Python and in both databases, below 2147483587.

    `(id % 2147483647 + 500000003) * (id % 2147483629 + 500000009) % 2147483587`: of primes below 2^31, so no product exceeds 64
    bits.
    """
    return (tweet_id % 2_147_483_647 + 500_000_003) * (tweet_id % 2_147_483_629 + 500_000_009) % (HIGHEST_KEY + 1)


def ranked(inside: TermCounts, rest: TermCounts, *, limit: int) -> list[RankedTerm]:
    """Return the terms of at least FEWEST tweets inside, best score first, ties by term; without a rest, most tweets first."""
    scores = {term: _score(term, inside, rest) for term in _listed(inside)}
    first = nsmallest(limit, ((-inside.counts[term] if score is None else -score, term) for term, score in scores.items()))
    return [_compared(term, scores[term], inside, rest) for _, term in first]


def _listed(inside: TermCounts) -> list[str]:
    return [term for term, tweets in inside.counts.items() if tweets >= FEWEST]


def _score(term: str, inside: TermCounts, rest: TermCounts) -> float | None:
    if not rest.sampled:
        return None
    return round(log_likelihood(inside.counts[term], inside.sampled, rest.counts.get(term, 0), rest.sampled), 2)


def _compared(term: str, score: float | None, inside: TermCounts, rest: TermCounts) -> RankedTerm:
    tweets, of = inside.counts[term], inside.sampled
    return RankedTerm(term, tweets, tweets / of, lift(tweets, of, rest.counts.get(term, 0), rest.sampled), score)


def lift(tweets: int, of: int, others: int, of_others: int) -> float | None:
    """Return the share of `tweets` by that of `others`, rounded; None where the latter is 0."""
    return round(tweets * of_others / (of * others), 2) if others else None


def log_likelihood(tweets: int, of: int, others: int, of_others: int) -> float:
    """Return how surprising it is that `tweets` of one set and `others` of another have a term; negative if it is the rarer.

    It is the log-likelihood ratio of the table of tweets with and without the term in both sets: twice the sum of
    observed x ln(observed / expected). Ted Dunning, Accurate Methods for the Statistics of Surprise and Coincidence, 1993;
    for comparing corpora: Paul Rayson and Roger Garside, Comparing Corpora using Frequency Profiling, 2000.
    """
    share = (tweets + others) / (of + of_others)
    cells = (
        (tweets, of * share),
        (others, of_others * share),
        (of - tweets, of * (1 - share)),
        (of_others - others, of_others * (1 - share)),
    )
    ratio = 2 * sum(observed * log(observed / expected) for observed, expected in cells if observed)
    return copysign(max(ratio, 0.0), tweets * of_others - others * of) + 0.0
