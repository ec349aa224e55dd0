"""Facets of a period, of which whole hours are kept, against a plain count of the tweets that the API shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import update

from alchemy import Database
from collector.tweets.deletions import remove_tweets
from collector.tweets.rollups import ROLLUPS
from models import FacetHour
from queries.facets import FacetRow, Facets, facets, whole_hours
from queries.filters import ALL, LAST_SECOND, Filters
from queries.tweets import TweetView
from tests.fixtures.archives import Json, own_row, tweet_id
from tests.queries.invented import engagement_of, imported, wanted

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
HOUR_S = 3600
BY = ("lang", "country", "tag", "author")
PLACES = [(None, None), ("Peru", "PE"), ("Peru", None), (None, "PE"), ("Chile", "CL")]


def tweet(second: int, number: int, lang: str | None, place: tuple[Any, Any], tags: Iterable[str], author: int | None) -> Json:
    """Return a row of ours, created so many seconds after noon."""
    created, named = NOON + timedelta(seconds=second), {"rash": min(tags, default=None), "tags": sorted(tags)}
    at, own = created.strftime("%Y-%m-%dT%H:%M:%SZ"), str(tweet_id(created, number))
    known = {"username": f"user_{author}" if author else None, "author": None, "followers": author}
    known["likes"] = second % 4 or None
    placed = {"lang": lang, "country": place[0], "country_code": place[1]}
    return {**own_row(), **named, **known, **placed, "id": own, "created": at}


def asked(database: Database, by: str, since: datetime | None = None, until: datetime | None = None) -> Facets:
    with database.reading() as session:
        return facets(session, by, Filters(since=since, until=until))


def values(view: TweetView, by: str) -> Iterable[str]:
    """Return a tweet's values of a facet."""
    if by == "tag":
        return view.tags
    value = {"lang": view.lang and view.lang.lower(), "country": view.country or view.country_code, "author": view.username}[by]
    return () if value is None else (value,)


def expected(views: Iterable[TweetView], by: str, since: datetime | None, until: datetime | None) -> Facets:
    """Count tweet by tweet."""
    within = [view for view in views if (not since or view.created >= since) and (not until or view.created < until)]
    counts = Counter(value for view in within for value in values(view, by))
    unknown = sum(not values(view, by) for view in within)
    sums = {value: engagement_of(view for view in within if value in values(view, by)) for value in counts}
    found = sorted((FacetRow(*count, sums[count[0]]) for count in counts.items()), key=lambda row: (-row.tweets, row.value))
    return Facets(found, unknown / len(within) if within else None)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Tweets at the edges of hours, of which two are gone."""
    edges = [hour * HOUR_S + second for hour in (-1, 0, 1, 2) for second in (-1, 0, 1, 1800)]
    langs, tags, authors = ["en", None, "pt", "EN"], [["#sre"], [], ["#sre", "#ops"]], [1, 1, None, 2, 2]
    every = [tweet(edge, 0, langs[n % 4], PLACES[n % 5], tags[n % 3], authors[n % 5]) for n, edge in enumerate(edges)]
    with imported(*every) as ready:
        with ready.writing() as session:
            remove_tweets(session, [int(every[number]["id"]) for number in (0, 6)])
        yield ready


EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
HALF = timedelta(seconds=0.5)
PERIODS = [
    *((NOON, NOON + HOUR), (NOON - SECOND, NOON + HOUR + SECOND), (NOON + SECOND, NOON + 2 * HOUR - SECOND)),
    *((NOON - HALF, NOON + HOUR - HALF), (NOON + SECOND, NOON + HOUR), (NOON + SECOND, NOON + 30 * MINUTE)),
    *((NOON - SECOND, NOON + SECOND), (NOON, NOON), (NOON + SECOND, NOON + SECOND), (NOON + HOUR, NOON)),
    *((NOON, None), (NOON + SECOND, None), (None, NOON), (None, NOON + SECOND)),
    *((NOON + 90 * HOUR, None), (None, NOON - 90 * HOUR)),
    *(EVER, (EVER[1], None), (LAST_SECOND - MINUTE, None), (None, EVER[0] + MINUTE)),
]


@pytest.mark.dialects
def test_bounds_at_and_beside_hours_are_kept_to_the_second(database: Database) -> None:
    views = wanted(database, ALL)
    for by, (since, until) in product(BY, PERIODS):
        assert asked(database, by, since, until) == expected(views, by, since, until), (by, since, until)


@pytest.mark.dialects
def test_facets_of_the_wanted_tweets_are_a_plain_count_of_a_list_of_them(database: Database) -> None:
    others = Filters(lang="en"), Filters(tags=("#ops",)), Filters(author="user_1"), Filters(country="PE", since=NOON)
    for by, filters in product(BY, (ALL, *others)):
        with database.reading() as session:
            assert facets(session, by, filters) == expected(wanted(database, filters), by, None, None), (by, filters)


def test_a_period_is_cut_into_whole_hours_and_two_edges_at_most() -> None:
    noon = int(NOON.timestamp())
    assert whole_hours(Filters(since=NOON, until=NOON + HOUR)) == (noon, noon + HOUR_S, ())
    both = Filters(since=NOON - MINUTE, until=NOON + HOUR + MINUTE)
    edges = Filters(since=NOON - MINUTE, until=NOON), Filters(since=NOON + HOUR, until=NOON + HOUR + MINUTE)
    assert whole_hours(both) == (noon, noon + HOUR_S, edges)
    assert whole_hours(Filters(since=NOON - MINUTE)) == (noon, None, edges[:1])
    assert whole_hours(Filters(until=NOON + MINUTE)) == (None, noon, (Filters(since=NOON, until=NOON + MINUTE),))
    assert whole_hours(ALL) == (None, None, ())
    for since, until in ((NOON + MINUTE, NOON + HOUR), (NOON, NOON), (NOON - MINUTE, NOON + MINUTE), (LAST_SECOND, None)):
        assert whole_hours(Filters(since=since, until=until)) is None  # no hour is whole
    for other in (Filters(lang="en", since=NOON, until=NOON + HOUR), Filters(min_followers=0), Filters(lang="en")):
        assert whole_hours(other) is None


@pytest.mark.dialects
def test_whole_hours_are_kept_as_the_rows_say_and_not_counted_by_these(database: Database) -> None:
    (rollup,) = (one for one in ROLLUPS if one.table is FacetHour)
    with database.reading() as session:
        kept = {tuple(row) for row in session.execute(rollup.stored_query)}
        assert kept == {tuple(row) for query in rollup.counted for row in session.execute(query)}
        assert ("tag", int(NOON.timestamp()), "", 1, 0, None) in kept
    with database.writing() as session:
        session.execute(update(FacetHour).where(FacetHour.facet != "tag").values(tweets=100))
        whole, cut = Filters(since=NOON, until=NOON + HOUR), Filters(since=NOON + SECOND, until=NOON + HOUR)
        assert {row.tweets for by in ("lang", "country") for row in facets(session, by, whole).rows} == {100}
        assert max(row.tweets for row in facets(session, "lang", cut).rows) < 100
        session.rollback()
    assert max(row.tweets for row in asked(database, "lang", NOON, NOON + HOUR).rows) < 100
