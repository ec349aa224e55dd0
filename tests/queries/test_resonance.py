"""What resonated, and a tweet's numbers over time, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from alchemy import Database
from queries.filters import ALL
from queries.history import TweetNumbers, tweet_numbers
from queries.resonance import Resonance, top_authors, top_tweets
from tests.fixtures.archives import Json, own_row
from tests.queries.invented import imported

pytestmark = pytest.mark.dialects
FIRST, LATER = "2026-03-02T09:00:00Z", "2026-03-02T21:00:00Z"
NOON = datetime(2026, 3, 2, 9, tzinfo=UTC)


def numbered(number: int, username: str, likes: int | None, *, measured: str = FIRST, **more: Any) -> Json:
    who = {"username": username, "author": username.title(), "author_id": str(7000 + ord(username[0]))}
    return own_row(number, likes=likes, measured=None if likes is None else measured, **who, **more)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Tweets of three authors; that of one was never measured."""
    earlier = {"measurements": [{"at": FIRST, "likes": 2, "views": 30}, {"at": LATER, "likes": 9, "quotes": 1}]}
    rows = [
        numbered(0, "ada", 9, measured=LATER, quotes=1, **earlier),
        numbered(1, "ada", 1, lang="pt"),
        numbered(2, "bob", 10),
        numbered(3, "carol", None),
        numbered(4, "dora", 0),
    ]
    with imported(*rows) as ready:
        yield ready


def test_tweets_with_engagement_are_ranked_by_it(database: Database) -> None:
    with database.reading() as session:
        assert [(one.username, one.engagement) for one in top_tweets(session, ALL, most=9)] == [
            ("bob", 10),
            ("ada", 10),
            ("ada", 1),
        ]
        assert [one.username for one in top_tweets(session, ALL._replace(lang="pt"), most=9)] == ["ada"]


def test_authors_are_ranked_by_the_sum_of_what_is_known(database: Database) -> None:
    with database.reading() as session:
        ranked = top_authors(session, ALL, most=9)
        assert ranked == [
            Resonance("ada", "Ada", 2, 11, NOON.replace(hour=21)),
            Resonance("bob", "Bob", 1, 10, NOON),
        ]
        assert top_authors(session, ALL._replace(lang="pt"), most=9) == [Resonance("ada", "Ada", 1, 1, NOON)]


def test_a_tweet_has_its_numbers_whenever_they_were_measured(database: Database) -> None:
    with database.reading() as session:
        [_, first, _] = top_tweets(session, ALL, most=9)
        assert tweet_numbers(session, first.id) == [
            TweetNumbers(NOON, 2, None, None, None, None, 30),
            TweetNumbers(NOON.replace(hour=21), 9, None, None, 1, None, None),
        ]
