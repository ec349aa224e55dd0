"""Tweets by period, of all and of each tag, against a plain count of the tweets that a list shows."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemy import Database
from collector.tags import track
from queries.axes import axis
from queries.filters import ALL, Filters
from queries.periods import Period
from queries.series import TagSeries, per_tag, totals
from queries.tweets import TweetView
from tests.fixtures import databases
from tests.queries.invented import FILTERS, MIDDLE, SECONDS, SPREAD_S, TAGS, UNUSED, ZONES, invented, wanted

BEGIN = int(MIDDLE.timestamp())
LENGTHS = st.integers(1, 36 * 3600) | st.integers(1, 12 * 86_400) | st.integers(1, 1000 * 86_400)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Database]:
    with invented(tmp_path_factory.mktemp("series"), tweets=400) as ready:
        yield ready


def counted(periods: Sequence[Period], views: Sequence[TweetView]) -> list[int]:
    """Count tweets by period, one after the other."""
    starts, counts = [first for first, _ in periods], Counter[int]()
    for view in views:
        second = int(view.created.timestamp())
        if periods and starts[0] <= second < periods[-1][1]:
            counts[bisect(starts, second) - 1] += 1
    return [counts[number] for number in range(len(periods))]


def test_the_counts_are_those_of_the_wanted_tweets(database: Database) -> None:
    shown: dict[Filters, list[TweetView]] = {}

    @given(FILTERS, st.sampled_from(ZONES), SECONDS, LENGTHS, st.booleans())
    @settings(deadline=None, max_examples=120)
    def compare(filters: Filters, zone: str, second: int, length: int, after: bool) -> None:
        first = BEGIN + second - (0 if after else length)
        periods = axis(ZoneInfo(zone), first, first + length).periods
        views = shown.setdefault(filters, wanted(database, filters))
        theirs = [(tag, [view for view in views if tag in view.tags]) for tag in sorted((*TAGS, UNUSED))]
        with database.reading() as session:
            assert totals(session, periods, filters) == counted(periods, views)
            found = per_tag(session, periods, filters)
        expected = [(tag, tuple(counted(periods, one))) for tag, one in theirs]
        assert found == [(tag, counts) for tag, counts in expected if any(counts) or tag == UNUSED]

    compare()


def test_every_tweet_is_in_one_of_the_periods_of_all_time(database: Database) -> None:
    periods = axis(ZoneInfo("Asia/Kathmandu"), BEGIN - SPREAD_S, BEGIN + SPREAD_S + 1).periods
    with database.reading() as session:
        assert sum(totals(session, periods, ALL)) == 400
        assert sum(totals(session, periods, Filters(min_followers=0))) == len(wanted(database, Filters(min_followers=0)))


def test_an_untracked_tag_is_there_where_it_found_tweets(tmp_path: Path, database_backend: str) -> None:
    with invented(tmp_path, tweets=5) as database:
        periods = axis(UTC, BEGIN - SPREAD_S, BEGIN + SPREAD_S + 1).periods
        databases.asked(databases.url_of(tmp_path), "UPDATE tags SET tracked = NOT tracked")
        with database.reading() as session:
            found = {own.tag: sum(own.counts) for own in per_tag(session, periods, ALL)}
            assert [own.tag for own in per_tag(session, periods[:1], Filters(lang="xx"))] == _tracked(tmp_path)
        theirs = Counter(tag for view in wanted(database, ALL) for tag in view.tags)
        assert found == {**dict.fromkeys(_tracked(tmp_path), 0), **theirs}


def _tracked(folder: Path) -> list[str]:
    return [tag for (tag,) in databases.asked(databases.url_of(folder), "SELECT tag FROM tags WHERE tracked ORDER BY key")]


def test_an_empty_database_has_zeros(tmp_path: Path, database_backend: str) -> None:
    with closing(Database(databases.url_of(tmp_path))) as empty:
        empty.upgrade()
        with empty.writing() as session:
            track(session, "#sre", None)
        with empty.reading() as session:
            for filters in (ALL, Filters(lang="en")):
                assert totals(session, [(0, 900), (900, 1800)], filters) == [0, 0]
                assert per_tag(session, [(0, 900), (900, 1800)], filters) == [TagSeries("#sre", (0, 0))]
                assert totals(session, [], filters) == []
                assert per_tag(session, [], filters) == [TagSeries("#sre", ())]
