"""Of how many tweets of a bucket the terms are counted that stand out in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alchemy import Database
from queries import causes
from queries.filters import ALL
from queries.spikes import BucketCount, CountedBuckets
from queries.terms import Sampling, sample_key
from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.queries.invented import imported

TWEETS, SAMPLE = 230, 50
FIRST = int(MORNING.timestamp())
OUTAGES = [number for number in range(TWEETS) if number % 7 == 0]


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Hundreds of tweets in one quarter of an hour, one in seven of an outage, and one a quarter earlier."""
    rows = [{**own_row(0, "outage" if number in OUTAGES else "calm"), "id": str(_id(number))} for number in range(TWEETS)]
    with imported(own_row(-15, "calm"), *rows) as ready:
        yield ready


def _id(number: int) -> int:
    return tweet_id(MORNING + timedelta(milliseconds=number))


def _outages(database: Database) -> int:
    before, bucket = BucketCount(FIRST - 900, FIRST, 0, 1), BucketCount(FIRST, FIRST + 900, 0, TWEETS)
    with database.reading() as session:
        [found] = causes.causes(session, ALL, [bucket[:2]], CountedBuckets((bucket,), (before,)))
    return next(one.tweets for one in found.terms if one.term == "outage")


@pytest.mark.dialects
def test_the_terms_of_a_bucket_are_counted_in_all_of_its_tweets(database: Database) -> None:
    assert _outages(database) == len(OUTAGES)


@pytest.mark.dialects
@pytest.mark.parametrize(("name", "value"), [("BUCKET_SAMPLING", Sampling(TWEETS - 1, SAMPLE)), ("MOST_EXAMINED", TWEETS - 1)])
def test_of_too_many_tweets_they_are_projected_from_a_sample(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(causes, "BUCKET_SAMPLING", Sampling(TWEETS, SAMPLE))
    monkeypatch.setattr(causes, name, value)
    sampled = sorted(range(TWEETS), key=lambda number: (sample_key(_id(number)), number))[:SAMPLE]
    assert _outages(database) == len({*sampled} & {*OUTAGES}) * TWEETS // SAMPLE
