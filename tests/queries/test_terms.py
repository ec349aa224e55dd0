"""Terms compared with the rest, and the sample in which they are counted."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random

import pytest
from sqlalchemy import select

from alchemy import Database
from models import Tweet
from queries import terms
from queries.filters import Filters
from queries.lists import TweetList, source
from queries.terms import Sampling, TermCounts, frequent_terms, log_likelihood, sample_key, term_counts
from schemas.parameters import filters
from tests.fixtures.archives import own_row
from tests.queries.invented import imported

TWEETS = 40
WORDS = ["outage", "status", "page", "deploy", "the"]


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Forty tweets of chance words, every other one of #devops as well."""
    chance = Random(1)
    rows = [
        own_row(number, " ".join(chance.choices(WORDS, k=4)), tags=["#devops", "#sre"] if number % 2 else ["#sre"], rash="#sre")
        for number in range(TWEETS)
    ]
    with imported(*rows) as ready:
        yield ready


def test_the_log_likelihood_is_that_of_binomials_as_dunning_writes_it() -> None:
    def binomial(share: float, found: int, of: int) -> float:
        return found * log(share) + (of - found) * log(1 - share)

    for first, of, second, of_second, sign in ((10, 100, 10, 1000, 1), (1, 100, 100, 1000, -1)):
        both = (first + second) / (of + of_second)
        apart = binomial(first / of, first, of) + binomial(second / of_second, second, of_second)
        ratio = 2 * (apart - binomial(both, first, of) - binomial(both, second, of_second))
        assert log_likelihood(first, of, second, of_second) == pytest.approx(sign * ratio)
    assert log_likelihood(3, 3, 4, 4) == log_likelihood(0, 3, 0, 4) == log_likelihood(1, 10, 10, 100) == 0


@pytest.mark.dialects
@pytest.mark.parametrize("wanted", [{}, {"tag": ["devops"]}, {"since": ["2026-03-02T08:40:00Z"]}, {"q": ["outage"]}])
def test_a_sample_is_the_tweets_of_the_smallest_keys(database: Database, wanted: dict[str, list[str]]) -> None:
    with database.reading() as session:
        rows = {tweet_id: text.split() for tweet_id, text in session.execute(select(Tweet.id, Tweet.text))}
        found = term_counts(session, filters(wanted), only={"outage"}, sampling=Sampling(9, 5))
    by_time = sorted(rows)
    matching = [
        own
        for at, own in enumerate(by_time)
        if ("tag" not in wanted or at % 2)
        and ("since" not in wanted or at >= 10)
        and ("q" not in wanted or "outage" in rows[own])
    ]
    examined = sorted(matching, key=lambda own: (sample_key(own), own))[:5]
    assert found == TermCounts({"outage": sum("outage" in rows[own] for own in examined)}, 5, len(matching))


def test_all_keys_are_sorted_where_too_few_are_below_the_bound(database: Database) -> None:
    with database.reading() as session:
        found = terms._examined(session, source(session, TweetList()), 10**9, Sampling(9, 5))
        ids = session.scalars(select(Tweet.id)).all()
    assert found == sorted(ids, key=lambda own: (sample_key(own), own))[:5]


def test_keys_are_as_documented_and_spread_evenly() -> None:
    assert sample_key(2_006_008_519_143_937_502) == 1021713241
    for first, step in ((1, 1), (2_006_008_519_143_937_502, 60_000 << 22)):  # one a minute, as the ids of tweets are
        ids = range(first, first + 10_000 * step, step)
        below = sum(sample_key(own) <= terms.HIGHEST_KEY // 4 for own in ids)
        assert below / len(ids) == pytest.approx(0.25, abs=0.02)


@pytest.mark.dialects
@pytest.mark.parametrize(
    "wanted",
    [
        {"tag": ["sre"], "since": ["2026-03-02T08:50:00Z"]},
        {"q": ["outage"], "tag": ["devops"]},
        {"lang": ["en"]},
        {"tag": ["sre"]},
    ],
)
def test_the_rest_is_the_same_tags_outside_the_filters(database: Database, wanted: dict[str, list[str]]) -> None:
    given = filters(wanted)
    with database.reading() as session:
        found = frequent_terms(session, given, limit=200)
        inside = term_counts(session, given)
        same = term_counts(session, Filters(tags=given.tags))
    outside = {term: tweets - inside.counts[term] for term, tweets in same.counts.items()}
    rest = TermCounts(outside, same.sampled - inside.sampled, same.of - inside.of)
    assert found.rows == terms.ranked(inside, rest, limit=200)
    assert [row.score is None for row in found.rows] == [not rest.of] * len(found.rows)
    assert found.rows
    assert "the" not in {row.term for row in found.rows}


def test_the_best_score_comes_first_and_ties_are_by_term() -> None:
    inside = TermCounts({"b": 4, "a": 4, "c": 9, "rare": 2}, 10, 10)
    rest = TermCounts({"a": 2, "b": 2, "c": 9}, 10, 10)
    assert [row.term for row in terms.ranked(inside, rest, limit=3)] == ["a", "b", "c"]
    assert [row.term for row in terms.ranked(inside, terms.NOTHING, limit=2)] == ["c", "a"]
