"""Which hashtags stand in the wanted tweets, against reading all of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemy import Database
from queries import texts
from queries.filters import ALL, Filters
from queries.texts import Hashtags, hashtags
from queries.tweets import TweetView
from tests.fixtures import databases
from tests.queries.invented import FILTERS, invented, wanted
from text import hashtags as rules

FEW = 150


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Database]:
    with invented(tmp_path_factory.mktemp("texts"), tweets=300) as ready:
        yield ready


def newest(views: list[TweetView], most: int) -> list[TweetView]:
    return sorted(views, key=lambda view: (view.created, view.id), reverse=True)[:most]


def test_the_hashtags_are_those_of_the_newest_wanted_tweets(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_LOOKED_AT", FEW)

    @given(FILTERS, st.integers(1, 5), st.lists(st.sampled_from(["#sre", "#café"]), unique=True))
    @settings(deadline=None, max_examples=100)
    def compare(filters: Filters, most: int, besides: list[str]) -> None:
        all_of_them = wanted(database, filters)
        views = all_of_them if filters == ALL else newest(all_of_them, FEW)
        counts = Counter(key for view in views for key in rules.hashtags(view.text) if key not in besides)
        with database.reading() as session:
            found = hashtags(session, filters, most=most, besides=besides)
        shown = [(rules.key(row.tag), row.tweets) for row in found.rows]
        assert shown == sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:most]
        assert [row.share for row in found.rows] == [count / len(views) for _, count in shown]
        assert found[1:] == (len(views), len(views) == len(all_of_them))

    compare()


def test_no_tweets_have_no_hashtags(database: Database, tmp_path: Path) -> None:
    with closing(Database(databases.url_of(tmp_path))) as empty:
        empty.upgrade()
        for one, filters in ((empty, ALL), (empty, Filters(lang="en")), (database, Filters(lang="xx"))):
            with one.reading() as session:
                assert hashtags(session, filters, most=3) == Hashtags((), 0, True)
