"""Sums of engagement, kept with whatever changes the tweets that they sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, update

from alchemy import Database
from collector.runs import runs
from collector.runs.tags import ensure
from collector.tweets import derived
from collector.tweets.deletions import delete_tweet, scrub_location
from collector.tweets.measurements import COLUMNS
from collector.tweets.observations import store_observations
from collector.tweets.rereading import reread_payloads
from collector.tweets.retention import expire
from collector.tweets.rollups import ROLLUPS, SUMS
from collector.tweets.store import store
from collector.values import TaggedTweet
from collector.x import parsing
from models import Author, Quarter, Tweet
from tests.collector.conftest import rows
from tests.collector.test_engagement import counted, later
from tests.fixtures.archives import Json, edited, page, post

pytestmark = [pytest.mark.usefixtures("database_backend"), pytest.mark.dialects]
Change = Callable[[Database], Any]


def observed(database: Database, *posts: Json, hours: int = 0, tag: str = "#sre") -> None:
    """Store posts as a collection of a tag does."""
    with database.writing() as session:
        own, found = ensure(session, tag), parsing.page(page(*posts), observed=later(hours)).tweets
        store(session, [TaggedTweet(tweet, (own,)) for tweet in found], [], run_id=runs.begin_import(session))


def looked_at_again(database: Database, *posts: Json, hours: int) -> None:
    with database.writing() as session:
        found = parsing.page(page(*posts), observed=later(hours)).tweets
        assert store_observations(session, found, run_id=runs.begin_import(session))


def deleted(database: Database) -> None:
    with database.writing() as session:
        delete_tweet(session, int(post(1)["id"]))


def reread(database: Database) -> None:
    with database.writing() as session:
        ids = session.scalars(select(Tweet.id)).all()
        with derived.maintain(session, ids):
            session.execute(update(Tweet).values(dict.fromkeys(COLUMNS)))
        reread_payloads(session)


def without_location(database: Database) -> None:
    with database.writing() as session:
        scrub_location(session, int(post(1)["id"]))


def sums_of(database: Database, table: Any) -> Any:
    columns = (getattr(table, name) for name in SUMS)
    return rows(database, select(*columns).where(table.tweets > 0).order_by(*table.__table__.primary_key))


@pytest.fixture
def three(database: Database) -> Iterator[Database]:
    """Three tweets of one author: one of engagement 6, one of 0, one of which X gave nothing."""
    observed(database, post(1, **counted(1, 2, 3)), post(2, **counted(0)), post(3, public_metrics={}))
    yield database
    for rollup in ROLLUPS:
        stored = set(rows(database, rollup.stored_query))
        assert stored == {tuple(row) for query in rollup.counted for row in rows(database, query)}, rollup.what


NEW = post(9, **counted(50))
AGAIN = [post(1, **counted(7, 2, 3)), post(3, **counted(4))]
CHANGES: dict[str, tuple[Change, tuple[int, int, int | None]]] = {
    "nothing": (lambda _: None, (3, 2, 6)),
    "a new tweet": (lambda given: observed(given, NEW), (4, 3, 56)),
    "newer numbers": (lambda given: looked_at_again(given, *AGAIN, hours=1), (3, 3, 16)),
    "older numbers": (lambda given: looked_at_again(given, *AGAIN, hours=-1), (3, 3, 10)),
    "views alone": (lambda given: looked_at_again(given, post(1, **counted(*(None,) * 5, 9)), hours=1), (3, 1, 0)),
    "nothing known any more": (
        lambda given: looked_at_again(given, *(post(one, **counted(*(None,) * 5, 9)) for one in (1, 2)), hours=1),
        (3, 0, None),
    ),
    "an edit": (lambda given: observed(given, edited(1, 2, text="edited #sre", **counted(9)), hours=1), (2, 1, 9)),
    "a second tag": (lambda given: observed(given, AGAIN[0], hours=1, tag="#ops"), (3, 2, 12)),
    "a deletion": (deleted, (2, 1, 0)),
    "payloads read again": (reread, (3, 2, 6)),
    "no location": (without_location, (3, 2, 6)),
}
"""What happens, and the sums of the author and of the quarter of an hour afterwards."""


@pytest.mark.parametrize("what", CHANGES)
def test_sums_are_those_of_the_rows_after_each_change(three: Database, what: str) -> None:
    change, expected = CHANGES[what]
    change(three)
    assert sums_of(three, Author) == sums_of(three, Quarter) == [expected]


def test_sums_go_with_the_tweets_that_have_become_too_old(three: Database) -> None:
    expire(three, tweets=timedelta(days=1), payloads=None, stop=Event())
    assert sums_of(three, Author) == sums_of(three, Quarter) == []


def test_an_author_without_tweets_has_no_sum(database: Database) -> None:
    observed(database, post(1, **counted(5)))
    with database.writing() as session:
        ids = session.scalars(select(Tweet.id)).all()
        with derived.maintain(session, ids):
            session.execute(update(Tweet).values(author_id=None))
    assert rows(database, select(*(getattr(Author, name) for name in SUMS))) == [(0, 0, None)]
