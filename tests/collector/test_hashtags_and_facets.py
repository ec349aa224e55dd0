"""Whatever is stored, edited, deleted, scrubbed or dropped: hashtags and facets are what plain counting finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from alchemy import Database
from collector import runs, tags
from collector.copies import tables
from collector.copies.backups import drop
from collector.money.prices import Billing, Prices
from collector.tweets.deletions import bury, bury_author, remove
from collector.tweets.locations import scrub_location
from collector.tweets.store import store
from collector.values import AuthorSeen, Find, TweetSeen, stand_in_id
from collector.verification import faults
from models import Hashtag, Tag
from queries import tweets
from queries.facets import FACETS, facets
from queries.filters import ALL, Filters
from queries.related import related
from queries.snowflakes import first_id
from queries.tags import per_tag
from queries.tweets import TweetView
from settings import load
from tests.fixtures import databases

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)
HASHTAGS = {"#SRE": "#sre", "#sre": "#sre", "#ops": "#ops", "＃Ops": "#ops", "#設計": "#設計", "#x": "#x"}
TRACKED = ("#sre", "#Ops", "#quiet")
MOST_VERSIONS = 3

Step = Callable[[Database], object]


def number(minute: int, version: int = 0) -> int:
    """Return the id of a tweet's version."""
    return first_id(NOON + timedelta(minutes=minute, seconds=version))


MINUTES = st.integers(0, 5)
WORDS = st.lists(st.sampled_from([*HASHTAGS, "again", "no#hashtag"]), max_size=4)
PLACES = st.sampled_from([(None, None), ("Peru", "PE"), ("Peru", None), (None, "PE"), ("Chile", "CL")])
AUTHORS = st.sampled_from([None, 1, 2, 3, stand_in_id("ada")])
USERNAMES = {1: "ada", 2: "Bo", 3: "bO", stand_in_id("ada"): "ada"}


@st.composite
def finds(draw: st.DrawFn) -> tuple[TweetSeen, frozenset[str]]:
    """Give a tweet as it may be met, and the tags that find it."""
    minute, version = draw(MINUTES), draw(st.integers(0, MOST_VERSIONS - 1))
    whole = draw(st.booleans())
    versions = tuple(number(minute, one) for one in range(version + 1)) if whole else (number(minute, version),)
    author, lang = draw(AUTHORS), draw(st.sampled_from([None, "en", "pt", "PT"]))
    words = f"{version} {' '.join(draw(WORDS))}"
    created = NOON + timedelta(minutes=minute)
    tweet = TweetSeen(versions[-1], versions, words, created, lang, *draw(PLACES), author, ())
    return tweet, draw(st.frozensets(st.sampled_from(TRACKED[:2]), max_size=2))


def stored(found: list[tuple[TweetSeen, frozenset[str]]]) -> Step:
    def step(database: Database) -> None:
        with database.writing() as session:
            known = {name: tags.ensure(session, name) for name in TRACKED}
            met = [Find(tweet, tuple(sorted((known[name] for name in names), key=_by_key))) for tweet, names in found]
            people = {tweet.author_id for tweet, _ in found if tweet.author_id is not None}
            observed = [AuthorSeen(one, USERNAMES[one], f"N{one}", abs(one) % 7, NOON) for one in sorted(people)]
            store(session, met, observed, run_id=runs.begin_import(session))

    return step


def _by_key(tag: Any) -> str:
    return str(tag.key)


def removed(minute: int) -> Step:
    return _written(lambda session: remove(session, [number(minute)]))


def buried(minute: int) -> Step:
    return _written(lambda session: bury(session, number(minute)))


def scrubbed(minute: int) -> Step:
    return _written(lambda session: scrub_location(session, number(minute)))


def _written(change: Callable[[Any], object]) -> Step:
    def step(database: Database) -> None:
        with database.writing() as session:
            change(session)

    return step


STEPS = st.one_of(
    st.lists(finds(), min_size=1, max_size=6).map(stored),
    st.lists(finds(), min_size=1, max_size=6).map(stored),
    MINUTES.map(removed),
    MINUTES.map(scrubbed),
    MINUTES.map(buried),
    st.sampled_from(["ada", "bo"]).map(lambda name: lambda database: bury_author(database, name)),
    st.just(drop),
)
WANTED = [
    ALL,
    Filters(tags=("#sre",)),
    Filters(tags=("#ops", "#sre")),
    Filters(lang="pt"),
    Filters(country="Peru"),
    Filters(author="bo"),
    Filters(since=NOON + timedelta(minutes=2), min_followers=1),
    Filters(until=NOON),
    Filters(since=NOON, until=NOON + timedelta(hours=1)),
    Filters(until=NOON + timedelta(minutes=2)),
]


def wanted(view: TweetView, filters: Filters) -> bool:
    """Tell in plain words whether a tweet passes the filters."""
    followers = -1 if view.followers is None else view.followers
    return (
        set(filters.tags) <= {tag.casefold() for tag in view.tags}
        and (filters.lang is None or (view.lang or "").lower() == filters.lang)
        and (filters.country is None or view.country == filters.country)
        and (filters.author is None or (view.username or "").lower() == filters.author)
        and (filters.since is None or view.created >= filters.since)
        and (filters.until is None or view.created < filters.until)
        and (filters.min_followers is None or followers >= filters.min_followers)
    )


def named(view: TweetView) -> set[str]:
    """Return the keys of the hashtags in a text."""
    return {HASHTAGS[word] for word in view.text.split() if word in HASHTAGS}


def values(view: TweetView, by: str) -> Iterable[str]:
    """Return a tweet's values of a facet, usernames in lower case."""
    if by == "tag":
        return view.tags
    value = {"lang": view.lang, "country": view.country or view.country_code, "author": view.username}[by]
    return () if value is None else (value if by == "country" else value.lower(),)


def check(database: Database) -> None:
    """Compare what is answered with what the tweets say."""
    everything = [view for batch in tweets.in_batches(database) for view in batch]
    with database.reading() as session:
        for filters in WANTED:
            views = [view for view in everything if wanted(view, filters)]
            for by in FACETS:
                check_facets(facets(session, by, filters), views, by)
            for tag_id, key in session.execute(select(Tag.id, Tag.key)).all():
                found = [(row.tag.casefold(), *row[1:]) for row in related(session, tag_id, limit=10, filters=filters)]
                assert found == counted_related(views, key)
            per = Counter((tag, view.lang) for view in views for tag in view.tags)
            assert {(row.tag, row.lang): row.tweets for rows in per_tag(session, filters) for row in rows} == per
        spelt = {row.key for row in session.execute(select(Hashtag.key))}
        assert spelt == {key for view in everything for key in named(view)}


def check_facets(found: Any, views: list[TweetView], by: str) -> None:
    counted = Counter(value for view in views for value in values(view, by))
    rows = [(row.value.lower() if by == "author" else row.value, row.tweets) for row in found.rows]
    assert dict(rows) == counted
    assert found.rows == sorted(found.rows, key=lambda row: (-row.tweets, row.value))
    unknown = sum(not values(view, by) for view in views)
    assert found.unknown_share == (unknown / len(views) if views else None)


def counted_related(views: list[TweetView], key: str) -> list[tuple[str, int, float, float]]:
    base = [view for view in views if key in map(str.casefold, view.tags)]
    here, everywhere = (Counter(one for view in some for one in named(view)) for some in (base, views))
    del here[key]
    rows = [(one, count, count / len(base), count * len(views) / (len(base) * everywhere[one])) for one, count in here.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


Reset = Callable[[], Database]


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Reset]:
    """Empty a database that all examples share, and return it."""
    folder = tmp_path_factory.mktemp("shared")
    with closing(Database(databases.url_of(folder))) as shared, closing(Database(databases.url_of(folder, "empty"))) as empty:

        def reset() -> Database:
            with empty.reading() as rows, shared.writing() as session:
                tables.copy(rows, session)
            return shared

        yield reset


def take(steps: list[Step], database: Database) -> None:
    """Do these steps, and see whether all adds up."""
    for step in steps:
        step(database)
    check(database)
    assert faults(database, Billing(Prices.of(load({})))) == []


CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(steps=st.lists(STEPS, min_size=4, max_size=8))
def test_whatever_happens_to_tweets_the_counts_are_those_of_plain_counting(emptied: Reset, steps: list[Step]) -> None:
    take(steps, emptied())


@pytest.mark.reliability
@pytest.mark.dialects
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_whatever_happens_to_tweets_at_length(emptied: Reset, steps: list[Step]) -> None:
    take(steps, emptied())
